#!/usr/bin/python3
"""Clients as they are: quick, slow, many, silent, gone.

Each test below has a server of its own, with the options in its first line.
"""

import os
import pathlib
import resource
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Client, Error, Map, Server, Set, Status, encode, info, wait_until

OK = Status(b"OK")
PONG = Status(b"PONG")
QUEUED = Status(b"QUEUED")
MIB = 1 << 20

TESTS = []


def test(**options):
    """Makes a function of (check, server) a test, on a server with these options."""
    def add(function):
        TESTS.append((function, options))
        return function

    return add


def has_ended(client):
    """Returns whether the server has closed a connection from which nothing more is
    to come."""
    return client.is_closed()


# Requests.


@test()
def requests_in_one_write(check, server):
    with server.connect() as client:
        requests = []
        expected = []
        for i in range(10_000):
            requests += [["SET", f"k{i}", i], ["INCR", f"k{i}"], ["GET", f"k{i}"]]
            expected += [OK, i + 1, str(i + 1).encode()]
        check.equal(client.call_many(requests), expected, "30,000 replies come in order")
        check.equal(client.call("DBSIZE"), 10_000, "and all was done")


@test()
def requests_byte_by_byte(check, server):
    with server.connect() as client:
        for request, reply in [
                (encode(["SET", "a", "x\r\ny"]), OK), (encode(["GET", "a"]), b"x\r\ny"),
                (b"PING\r\n", PONG), (b"\r\nGET 'a'\n", b"x\r\ny"),
                (b"*0\r\n*-1\r\nPING\r\n", PONG)]:
            for i in range(len(request)):
                client.send_raw(request[i : i + 1])
            check.equal(client.read(), reply, f"{request!r} in single bytes")


@test()
def inline_requests(check, server):
    with server.connect() as client:
        for line, reply in [
                (b"PING\r\n", PONG), (b"  ping  hello \n", b"hello"),
                (b'SET "a key" "a \\"value\\" \\x41\\n"\r\n', OK),
                (b"GET 'a key'\r\n", b'a "value" A\n'), (b"ECHO 'it\\'s'\r\n", b"it's"),
                (b"ECHO ''\r\n", b"")]:
            client.send_raw(line)
            check.equal(client.read(), reply, f"{line!r}")
        client.send_raw(b"PING\r\n" + encode(["ECHO", "x"]) + b"ECHO y\r\n")
        replies = [client.read() for _ in range(3)]
        check.equal(replies, [PONG, b"x", b"y"], "both kinds in one write")


@test()
def protocol_3(check, server):
    with server.connect() as client:
        hello = client.call("HELLO", 3)
        check.true(isinstance(hello, Map), f"HELLO replies with a map: {hello!r}")
        check.equal(dict(hello)[b"proto"], 3, "the protocol is 3")
        client.call("HSET", "h", "f", "1")
        client.call("SADD", "s", "m")
        check.equal(client.call("HGETALL", "h"), Map([(b"f", b"1")]), "HGETALL replies with a map")
        check.equal(client.call("SMEMBERS", "s"), Set([b"m"]), "SMEMBERS replies with a set")
        check.equal(client.call_raw("GET", "none"), b"_\r\n", "nothing is _")
        check.equal(
            client.call_raw("EVAL", "redis.setresp(3) return {double=0.5}", 0), b",0.5\r\n",
            "a script returns a double")
        check.equal(
            client.call_raw("EVAL", "redis.setresp(3) return true", 0), b"#t\r\n",
            "a script returns a boolean")
        check.equal(
            client.call("EVAL", "redis.setresp(3) return redis.call('HGETALL', 'h').map.f", 0),
            b"1", "a script gets a map")
        check.starts(client.call("HELLO", 4), b"NOPROTO", "there is no protocol 4")
        check.true(isinstance(client.call("HELLO", 2), list), "HELLO 2 replies with an array")
        check.equal(client.call("HGETALL", "h"), [b"f", b"1"], "and all is as before")
        check.equal(client.call_raw("GET", "none"), b"$-1\r\n", "nothing is $-1")


@test()
def replies_through_scripts(check, server):
    refused = b"ERR This Redis command is not allowed from script"
    with server.connect() as client:
        def script(*args):
            return client.call("EVAL", "redis.setresp(3) return redis.call('DEBUG', unpack(ARGV))",
                               0, *args)

        check.starts(script("PROTOCOL", "map"), refused, "scripts cannot call DEBUG,")
        client.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1)
        for version in (2, 3):
            client.call("HELLO", version)
            for kind in ("string", "integer", "double", "bignum", "null", "array", "set", "map",
                         "true", "verbatim", "false"):
                direct, through = client.call("DEBUG", "PROTOCOL", kind), script("PROTOCOL", kind)
                if kind in ("map", "set"):
                    direct, through = sorted(direct), sorted(through)
                check.equal(through, direct, f"{kind} goes through a script in RESP{version}")
        check.equal(script("PROTOCOL", "attrib"), b"Some real reply following the attribute",
                    "scripts do not see attributes")
        check.true(b"cmd=eval" in client.call("EVAL", "return redis.call('CLIENT', 'LIST')", 0),
                   "they see who is connected,")
        check.starts(script("RELOAD"), refused, "but cannot load other data under their feet")
        client.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0)
        check.starts(script("PROTOCOL", "map"), refused, "unless a test lets them")


@test()
def a_big_value_in_pieces(check, server):
    value = os.urandom(MIB) * 64
    with server.connect() as client, server.connect() as other:
        request = encode(["SET", "big", value])
        size = 777_777
        answered = True
        for i in range(0, len(request), size):
            client.send_raw(request[i : i + size])
            answered &= other.call("PING") == PONG
        check.equal(client.read(), OK, "64 MiB are set")
        check.true(answered, "others are served meanwhile")
        check.equal(client.call("STRLEN", "big"), len(value), "all of it is there")
        check.true(client.call("GET", "big") == value, "it comes back as it was")
        check.equal(client.call("DEL", "big"), 1, "it is removed")
        check.true(
            wait_until(lambda: server.resident_kib() < 150_000 or server.is_sanitized()),
            f"its memory is given back: {server.resident_kib()} KiB are resident")


@test()
def a_reader_that_is_slow(check, server):
    with server.connect() as client, server.connect() as other:
        client.call("SET", "big", "x" * MIB)
        count = 64
        client.send_raw(encode(["GET", "big"]) * count + encode(["PING"]))
        served = all(other.call("SET", "k", i) == OK for i in range(200))
        check.true(served, "others are served while nobody reads 64 MiB")
        replies = [client.read() for _ in range(count)]
        check.true(all(reply == b"x" * MIB for reply in replies), "all of it comes in the end")
        check.equal(client.read(), PONG, "and what was asked behind it")


@test()
def who_stops_sending_still_reads(check, server):
    with server.connect() as client:
        client.send_raw(encode(["SET", "a", 1]) + encode(["GET", "a"]))
        client.socket.shutdown(socket.SHUT_WR)
        check.equal(client.read_to_end(), b"+OK\r\n$1\r\n1\r\n", "replies after the last request")


@test()
def clients_that_vanish(check, server):
    with server.connect() as watcher:
        for beginning in [
                b"*3\r\n$3\r\nSET\r\n$1\r\n", encode(["MULTI"]) + encode(["SET", "a", 1]),
                encode(["WATCH", "a"]), encode(["SUBSCRIBE", "x"]), b"SET a",
                b"*2\r\n$3\r\nGET\r\n$1000000\r\nabc", encode(["GET", "big"]) * 100,
                encode(["CLIENT", "REPLY", "OFF"])]:
            watcher.call("SET", "big", "x" * MIB)
            for _ in range(10):
                client = server.connect()
                client.send_raw(beginning)
                client.close()
            check.true(
                wait_until(lambda: info(watcher, "connected_clients") == 1),
                f"who vanishes behind {beginning[:60]!r} is forgotten")
        check.equal(watcher.call("GET", "a"), None, "and nothing is done halfway")


@test(script_time_limit=300, busy_reply_threshold=20)
def a_client_that_vanishes_from_its_script(check, server):
    with server.connect() as other:
        client = server.connect()
        client.send("EVAL", "redis.call('SET', 'a', 1) while true do end", 0)
        time.sleep(0.1)
        client.close()
        wait_until(lambda: not isinstance(other.call("GET", "a"), Error))
        check.equal(other.call("GET", "a"), None, "the script is ended and undone")
        client = server.connect()
        client.send("EVAL", "redis.call('SET', 'a', 1) for i = 1, 5e6 do end", 0)
        client.close()
        check.true(
            wait_until(lambda: other.call("GET", "a") == b"1"), "one that ends by itself is made")


# Limits.


@test(client_query_buffer_limit=2 * MIB)
def the_limit_of_a_request(check, server):
    with server.connect() as client, server.connect() as other:
        check.equal(client.call("SET", "a", "x" * MIB), OK, "a request below the limit")
        try:
            client.send_raw(b"*2\r\n$3\r\nGET\r\n$100000000\r\n")
            for _ in range(100):
                client.send_raw(b"x" * MIB)
        except ConnectionError:
            pass
        check.true(has_ended(client), "who sends more than the limit is disconnected")
        check.equal(other.call("PING"), PONG, "others are not")
        check.true(server.resident_kib() < 100_000 or server.is_sanitized(), "it took no memory")


@test(client_output_buffer_limit="normal 4mb 0 0")
def the_hard_limit_of_replies(check, server):
    with server.connect() as client, server.connect() as other:
        client.call("SET", "big", "x" * MIB)
        client.send_raw(encode(["GET", "big"]) * 100)
        check.true(
            wait_until(lambda: info(other, "connected_clients") == 1),
            "who leaves more than the limit unread is disconnected")
        check.true(has_ended(client), "and sees that")
        with server.connect() as again:
            for _ in range(50):
                again.send("GET", "big")
                again.read()
            check.equal(again.call("PING"), PONG, "who reads may have more than the limit in all")


@test(client_output_buffer_limit="normal 0 1mb 1")
def the_soft_limit_of_replies(check, server):
    with server.connect() as client, server.connect() as other:
        client.call("SET", "big", "x" * MIB)
        client.send_raw(encode(["GET", "big"]) * 20)
        check.equal(info(other, "connected_clients"), 2, "more is allowed for a time")
        check.true(
            wait_until(lambda: info(other, "connected_clients") == 1), "and no longer than that")


@test(maxclients=10)
def the_limit_of_clients(check, server):
    clients = [server.connect() for _ in range(10)]
    check.equal([c.call("PING") for c in clients], [PONG] * 10, "as many as there may be")
    with Client(server.address) as late:
        check.equal(
            late.read_to_end(), b"-ERR max number of clients reached\r\n", "one more is told so")
    clients.pop().close()
    check.true(
        wait_until(lambda: info(clients[0], "connected_clients") == 9), "the place of one that goes")
    clients.append(server.connect())
    check.equal(clients[-1].call("PING"), PONG, "is for the next")
    for client in clients:
        client.close()


@test()
def many_idle_clients(check, server):
    fds = pathlib.Path(f"/proc/{server.pid}/fd")
    with server.connect() as admin:
        admin.call("PING")  # It has been accepted.
        before = len(list(fds.iterdir()))
        clients = [server.connect() for _ in range(1000)]
        check.true(
            wait_until(lambda: info(admin, "connected_clients") == 1001), "a thousand are connected")
        for client in clients:
            client.send("PING")
        check.true(all(c.read() == PONG for c in clients), "all are answered")
        check.equal(len(admin.call("CLIENT", "LIST").splitlines()), 1001, "all are in CLIENT LIST")
        check.equal(admin.call("PING"), PONG, "and nobody is disturbed")
        for client in clients:
            client.close()
        check.true(wait_until(lambda: info(admin, "connected_clients") == 1), "all are forgotten")
        check.true(
            wait_until(lambda: len(list(fds.iterdir())) == before), "their sockets are closed")


@test(timeout=1)
def clients_that_are_idle(check, server):
    with server.connect() as idle, server.connect() as busy:
        started = time.monotonic()
        while time.monotonic() - started < 3:
            busy.call("PING")
            time.sleep(0.1)
        check.true(has_ended(idle), "who is silent is disconnected")
        check.equal(busy.call("PING"), PONG, "who is not stays")


# Connections.


@test()
def clients_are_killed(check, server):
    with server.connect() as admin, server.connect() as victim:
        number = victim.call("CLIENT", "ID")
        check.equal(admin.call("CLIENT", "KILL", "ID", number), 1, "CLIENT KILL ID finds one")
        check.true(has_ended(victim), "it is disconnected")
        check.equal(admin.call("CLIENT", "KILL", "ID", number), 0, "and is not found again")
    with server.connect() as admin, server.connect() as victim:
        host, port = victim.socket.getsockname()
        check.equal(admin.call("CLIENT", "KILL", f"{host}:{port}"), OK, "CLIENT KILL by address")
        check.true(has_ended(victim), "it is disconnected")
        check.starts(
            admin.call("CLIENT", "KILL", f"{host}:{port}"), b"ERR No such client",
            "nobody is there")
    with server.connect() as client:
        own = client.call("CLIENT", "ID")
        check.equal(client.call("CLIENT", "KILL", "ID", own), 0, "CLIENT KILL skips who asks")
        client.send_raw(
            encode(["CLIENT", "KILL", "ID", own, "SKIPME", "no"]) + encode(["SET", "a", 1]))
        check.equal(client.read_to_end(), b":1\r\n", "but not if told so; what follows is not done")
    with server.connect() as client:
        check.equal(client.call("EXISTS", "a"), 0, "it was not")
    with server.connect() as admin:
        victims = [server.connect() for _ in range(20)]
        for victim in victims:
            victim.call("MULTI")
            victim.call("SET", "a", 1)
        check.equal(admin.call("CLIENT", "KILL", "TYPE", "normal"), 20, "CLIENT KILL TYPE")
        check.true(all(has_ended(v) for v in victims), "all are disconnected")
        check.equal(admin.call("EXISTS", "a"), 0, "what they queued is not done")


@test()
def replies_that_nobody_wants(check, server):
    with server.connect() as client:
        client.send_raw(
            encode(["CLIENT", "REPLY", "OFF"]) + encode(["SET", "a", 1]) + encode(["NOSUCH"])
            + encode(["CLIENT", "REPLY", "ON"]) + encode(["GET", "a"]))
        check.equal([client.read(), client.read()], [OK, b"1"], "OFF is until ON")
        client.send_raw(
            encode(["CLIENT", "REPLY", "SKIP"]) + encode(["SET", "a", 2]) + encode(["GET", "a"]))
        check.equal(client.read(), b"2", "SKIP is for one request")
        client.send_raw(
            encode(["CLIENT", "REPLY", "SKIP"]) + encode(["EVAL", "error('x')", 0])
            + encode(["PING"]))
        check.equal(client.read(), PONG, "also if that fails")


@test(requirepass="secret")
def a_password(check, server):
    with Client(server.address) as client:
        for request in ["PING"], ["GET", "a"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", 0], \
                ["SHUTDOWN"], ["MULTI"], ["CLIENT", "LIST"]:
            check.starts(client.call(*request), b"NOAUTH", f"{request} needs the password")
        check.starts(client.call("AUTH", "wrong"), b"WRONGPASS", "a wrong one")
        check.starts(client.call("AUTH", "secret2"), b"WRONGPASS", "a longer one")
        check.starts(client.call("AUTH", "nobody", "secret"), b"WRONGPASS", "a wrong name")
        check.starts(client.call("HELLO", 3), b"NOAUTH", "HELLO without it")
        check.starts(
            client.call("HELLO", 3, "AUTH", "default", "x"), b"WRONGPASS", "HELLO with a wrong one")
        check.starts(client.call("PING"), b"NOAUTH", "all in vain")
        check.equal(client.call("AUTH", "secret"), OK, "the right one")
        check.equal(client.call("PING"), PONG, "then all is allowed")
        check.equal(client.call("RESET"), Status(b"RESET"), "RESET")
        check.starts(client.call("PING"), b"NOAUTH", "forgets it")
        check.true(isinstance(client.call("HELLO", 3, "AUTH", "default", "secret"), Map), "HELLO")
        check.equal(client.call("PING"), PONG, "may give it as well")
    with server.connect() as client:
        check.equal(client.call("CONFIG", "SET", "requirepass", "other"), OK, "it may be changed")
        server.password = "other"
        check.equal(client.call("PING"), PONG, "for those who come later")
        with Client(server.address) as late:
            check.starts(late.call("AUTH", "secret"), b"WRONGPASS", "the old one is void")
            check.equal(late.call("AUTH", "default", "other"), OK, "the new one is not")
        check.equal(client.call("CONFIG", "SET", "requirepass", ""), OK, "it may be taken away")
        with Client(server.address) as late:
            check.equal(late.call("PING"), PONG, "then nobody needs one")


@test(unixsocket="socket", unixsocketperm="700")
def a_unix_socket(check, server):
    path = os.path.join(server.directory, "socket")
    check.equal(os.stat(path).st_mode & 0o777, 0o700, "its permissions are as asked for")
    with Client(path) as client, server.connect() as other:
        check.equal(client.call("SET", "a", 1), OK, "it serves")
        check.equal(other.call("GET", "a"), b"1", "the same data")
        check.true(b"addr=" in client.call("CLIENT", "INFO"), "CLIENT INFO tells of it")


@test()
def saying_goodbye(check, server):
    with server.connect() as client:
        client.send_raw(encode(["QUIT"]) + encode(["SET", "a", 1]))
        check.equal(client.read_to_end(), b"+OK\r\n", "QUIT is answered, and is the last")
    with server.connect() as client:
        check.equal(client.call("EXISTS", "a"), 0, "nothing is done after it")


# Transactions of several clients.


@test()
def transactions(check, server):
    with server.connect() as one, server.connect() as two:
        def watched(other, expected, what):
            """Watches a and b, lets the other do something, and makes a transaction."""
            one.call_many([["SET", "a", 1], ["SET", "b", 1], ["WATCH", "a", "b"]])
            for request in other:
                two.call(*request)
            replies = one.call_many([["MULTI"], ["SET", "c", 1], ["INCR", "c"], ["EXEC"]])
            check.equal(replies[-1], expected, what)

        done, undone = [OK, 2], None
        watched([], done, "nobody does anything")
        watched([["GET", "a"], ["SET", "x", 1]], done, "others do other things")
        watched([["SET", "a", 2]], undone, "a watched key is set")
        watched([["SET", "b", 1]], undone, "even to what it was")
        watched([["DEL", "a"]], undone, "it is removed")
        watched([["EXPIRE", "a", 100]], undone, "it is to expire")
        watched([["RENAME", "x", "a"]], undone, "it is renamed over")
        watched([["FLUSHALL"]], undone, "all is removed")
        watched([["SWAPDB", 0, 1], ["SWAPDB", 0, 1]], undone, "databases are swapped")
        watched([["EVAL", "redis.call('SET', 'a', 2)", 0]], undone, "a script sets it")
        watched([["EVAL", "redis.call('SET', 'a', 2) error('x')", 0]], done, "a script fails to")
        watched([["EVAL", "redis.pcall('INCRBY', 'a', 'x')", 0]], done, "a call fails to")
        watched([["SADD", "a", "x"]], done, "a request fails to")
        watched([["MULTI"], ["SET", "a", 2], ["DISCARD"]], done, "a transaction is not made")
        watched([["MULTI"], ["SET", "a", 2], ["EXEC"]], undone, "a transaction is")
        watched([["SELECT", 1], ["SET", "a", 2], ["SELECT", 0]], done, "it is in another database")

        one.call_many([["SET", "a", 1], ["WATCH", "a"], ["UNWATCH"]])
        two.call("SET", "a", 2)
        check.equal(
            one.call_many([["MULTI"], ["GET", "a"], ["EXEC"]])[-1], [b"2"], "UNWATCH forgets")
        one.call_many([["SET", "a", 1, "PX", 20], ["WATCH", "a"]])
        wait_until(lambda: two.call("EXISTS", "a") == 0)
        check.equal(
            one.call_many([["MULTI"], ["GET", "a"], ["EXEC"]])[-1], None, "a watched key expires")

        replies = one.call_many([["MULTI"], ["SET", "a", 1], ["NOSUCH"], ["SET", "a", 2], ["EXEC"]])
        check.starts(replies[-1], b"EXECABORT", "what cannot be queued makes EXEC fail")
        replies = one.call_many(
            [["MULTI"], ["SET", "a", "x"], ["INCR", "a"], ["SET", "b", 2], ["EXEC"]])
        check.equal(
            [type(r) for r in replies[-1]], [Status, Error, Status],
            "what fails undoes itself only")
        check.equal(two.call_many([["GET", "a"], ["GET", "b"]]), [b"x", b"2"], "the rest stands")

        one.call_many([["MULTI"], ["SET", "a", "queued"]])
        check.equal(two.call("GET", "a"), b"x", "what is queued is not done")
        check.equal(one.call("DISCARD"), OK, "and is forgotten by DISCARD")
        check.starts(one.call("EXEC"), b"ERR EXEC without MULTI", "which ends the transaction")


# While a script runs for long.


@test(busy_reply_threshold=20, script_time_limit=0)
def the_busy_door(check, server):
    with server.connect() as client, server.connect() as other, server.connect() as half:
        client.send_raw(
            encode(["SET", "before", 1])
            + encode(["EVAL", "redis.call('SET', 'a', 1) while true do end", 0])
            + encode(["GET", "before"]))
        half.send_raw(b"*2\r\n$3\r\nGET\r\n$6\r\nbef")
        wait_until(lambda: isinstance(other.call("PING"), Error))

        replies = other.call_many([["GET", "a"]] * 1000)
        check.true(
            all(isinstance(r, Error) and r.startswith(b"BUSY") for r in replies),
            "a thousand requests are told BUSY")
        replies = other.call_many([["MULTI"], ["SET", "a", 2], ["EXEC"]])
        check.equal(replies[0], OK, "MULTI is served")
        check.starts(replies[1], b"BUSY", "but nothing can be queued")
        check.true(isinstance(replies[2], Error), "or made")
        for i in range(50):
            with server.connect() as late:
                check.starts(late.call("SET", "a", i), b"BUSY", "who comes is told BUSY")
        value = "x" * (4 * MIB)
        check.starts(other.call("SET", "a", value), b"BUSY", "a big request is read and refused")
        with server.connect() as late:
            late.send_raw(b"*1\r\n$4\r\nPI")
            check.equal(other.call("SCRIPT", "KILL"), OK, "SCRIPT KILL is served")
            check.equal(client.read(), OK, "what was before the script is answered")
            check.starts(client.read(), b"ERR Script killed", "the script is ended")
            check.equal(client.read(), b"1", "what was behind it is done")
            late.send_raw(b"NG\r\n")
            check.equal(late.read(), PONG, "half a request is not lost")
        half.send_raw(b"ore\r\n")
        check.equal(half.read(), b"1", "not even from before")
        check.equal(other.call("GET", "a"), None, "nothing is left of the script")


@test(busy_reply_threshold=20, script_time_limit=0)
def a_shutdown_with_clients(check, server):
    clients = [server.connect() for _ in range(50)]
    for client in clients:
        client.call_many([["MULTI"], ["SET", "a", 1]])
    clients[0].call("DISCARD")
    clients[0].send("SHUTDOWN", "NOSAVE")
    check.true(all(has_ended(c) for c in clients), "all are disconnected")
    server.wait()
    check.true(True, "and it ends well")


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    check = Check()
    wanted = sys.argv[1:]
    for function, options in TESTS:
        if not wanted or function.__name__ in wanted:
            started = time.monotonic()
            with check.part(function.__name__), Server(**options) as server:
                function(check, server)
            print(f"{function.__name__}: {time.monotonic() - started:.1f} s", flush=True)
    check.finish()


if __name__ == "__main__":
    main()
