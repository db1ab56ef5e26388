#!/usr/bin/python3
"""Connections to a real server: what goes over them, in how many pieces, how many of
them there are, and how they end."""

import contextlib
import os
import pathlib
import random
import resource
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import (
    PATIENCE_S, SOAK, Check, Client, Error, Map, Server, Status, encode, free_port, seed,
    wait_until)

MIB = 1 << 20
OK = Status(b"OK")
PONG = Status(b"PONG")
QUEUED = Status(b"QUEUED")
RESET = Status(b"RESET")

# Clients of the test of many, and descriptors for all else.
MANY = 1000
FILES = 3000


# What the tests share.


def settle(other):
    """Waits until the server has read what others sent before. It reads all that has
    arrived before it sends the replies of a turn."""
    other.call("PING")


def send_what_is_taken(client, data):
    """Sends to a server that may close the connection before it has read all."""
    with contextlib.suppress(ConnectionError):
        client.send_raw(data)


def send_all(client, requests):
    client.send_raw(b"".join(map(encode, requests)))


def read_many(client, count):
    return [client.read() for _ in range(count)]


def listed(client, *selection):
    """Returns the lines of CLIENT LIST, each as a dict."""
    lines = client.call("CLIENT", "LIST", *selection).decode().splitlines()
    return [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]


def is_listed(client, client_id):
    return bool(listed(client, "ID", client_id))


def info(client, field):
    """Returns a field of INFO that is a number."""
    lines = client.call("INFO").decode().splitlines()
    return int(dict(line.split(":", 1) for line in lines if ":" in line)[field])


def address_of(client):
    host, port = client.socket.getsockname()
    return f"{host}:{port}"


def set_option(client, name, value):
    reply = client.call("CONFIG", "SET", name, value)
    assert reply == OK, reply


def send_and_not_read(client, requests):
    """Sends requests to whose replies the client does not listen. Returns its id."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client_id = client.call("CLIENT", "ID")
    send_what_is_taken(client, b"".join(map(encode, requests)))
    return client_id


# Requests in one piece, and in many.


def many_requests_in_one_write(check, server):
    count = 10_000
    requests = [("INCR", "counter") if i % 2 == 0 else ("ECHO", i) for i in range(count)]
    expected = [i // 2 + 1 if i % 2 == 0 else b"%d" % i for i in range(count)]
    with server.connect() as client:
        check.equal(client.call_many(requests), expected, f"{count} requests in one write")


def many_requests_byte_by_byte(check, server):
    count = 1000
    with server.connect() as client:
        for i in range(count):
            for byte in encode(("ECHO", i)):
                client.send_raw(bytes((byte,)))
        expected = [b"%d" % i for i in range(count)]
        check.equal(read_many(client, count), expected, f"{count} requests byte by byte")


# Every kind of request that there is, and the replies.
MIXTURE = [
    (encode(("SET", "mixture", "a b")), OK),
    (b'SET mixture "hello world"\r\n', OK),
    (b"*2\r\n$3\r\nGET\r\n$7\r\nmixture\r\n", b"hello world"),
    (b"\r\n*0\r\n*-1\r\n  \r\nPING\r\n", PONG),
    (b"echo 'it\\'s'\n", b"it's"),
    (b'  ECHO   "\\x41\\n\\t\\\\\\""  \r\n', b'A\n\t\\"'),
    (encode(("ECHO", b"\r\n$3\r\n*1\r\n")), b"\r\n$3\r\n*1\r\n"),
    (b'ECHO ""\r\n', b""),
    (encode(("ECHO", b"")), b""),
    (b'ECHO "\xff\\x00"\r\n', b"\xff\x00"),
    (encode(("GET",)), Error(b"ERR wrong number of arguments for 'get' command")),
    (b"STRLEN mixture\r\n", 11),
]


def mixture(times):
    """Returns the bytes of the mixture, so many times, and its replies."""
    data = b"".join(request for request, _ in MIXTURE)
    return data * times, [reply for _, reply in MIXTURE] * times


def mixture_is_understood(check, server):
    data, expected = mixture(20)
    with server.connect() as client:
        client.send_raw(data)
        check.equal(read_many(client, len(expected)), expected, "inline requests among others")


def mixture_can_be_split_anywhere(check, server):
    data, expected = mixture(1)
    with server.connect() as client, server.connect() as other:
        for at in range(1, len(data)):
            client.send_raw(data[:at])
            settle(other)
            client.send_raw(data[at:])
            check.equal(read_many(client, len(expected)), expected, f"requests split at byte {at}")


def mixture_can_come_in_any_pieces(check, server):
    rng = random.Random(seed())
    data, expected = mixture(3)
    with server.connect() as client, server.connect() as other:
        for _ in range(30 * SOAK):
            cuts = sorted(rng.sample(range(1, len(data)), rng.randint(2, 12)))
            for start, end in zip([0, *cuts], [*cuts, len(data)]):
                client.send_raw(data[start:end])
                settle(other)
            check.equal(read_many(client, len(expected)), expected, f"requests split at bytes {cuts}")


def nothing_is_no_request(check, server):
    with server.connect() as client:
        client.send_raw(b"\r\n" * 100_000 + b"*0\r\n" * 100_000)
        check.equal(client.call("PING"), PONG, "empty requests are skipped")


def request_of_many_arguments(check, server):
    count = 100_000
    size = 99_991
    request = encode(["DEL", *(f"none:{i}" for i in range(count))])
    with server.connect() as client, server.connect() as other:
        for start in range(0, len(request), size):
            client.send_raw(request[start : start + size])
            settle(other)
        check.equal(client.read(), 0, f"a request of {count} arguments in pieces")
        check.equal(client.call("PING"), PONG, "a small request after a huge one")


def big_value_in_pieces(check, server):
    size = 64 * MIB
    piece = 1_000_003
    value = (bytes(range(256)) * 4093 * 65)[:size]
    with server.connect() as client:
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size)
        for start in range(0, size, piece):
            client.send_raw(value[start : start + piece])
        client.send_raw(b"\r\n" + encode(("STRLEN", "big")))
        check.equal(client.read(), OK, "64 MB are stored")
        check.equal(client.read(), size, "a request right behind 64 MB")
        check.true(client.call("GET", "big") == value, "64 MB are read back as they were")
        check.equal(client.call("DEL", "big"), 1, "a request after 64 MB")


def sending_may_end_first(check, server):
    with server.connect() as client:
        send_all(client, [("PING",), ("ECHO", "last")])
        client.socket.shutdown(socket.SHUT_WR)
        check.equal(
            client.read_to_end(), b"+PONG\r\n$4\r\nlast\r\n", "who sends no more is answered")


def quit_ends_a_pipeline(check, server):
    with server.connect() as client, server.connect() as other:
        send_all(client, [("PING",), ("QUIT",), ("SET", "behind-quit", 1)])
        check.equal(client.read_to_end(), b"+PONG\r\n+OK\r\n", "QUIT is answered, and is the last")
        check.equal(other.call("EXISTS", "behind-quit"), 0, "nothing is executed behind QUIT")


# RESP3 and HELLO.

# A request, and the bytes of its reply in either version.
SHAPES = [
    (("GET", "nothing"), b"$-1\r\n", b"_\r\n"),
    (("HGETALL", "hash"), b"*2\r\n$1\r\nf\r\n$1\r\nv\r\n", b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
    (("HGETALL", "nothing"), b"*0\r\n", b"%0\r\n"),
    (("SMEMBERS", "set"), b"*1\r\n$1\r\nm\r\n", b"~1\r\n$1\r\nm\r\n"),
    (("MGET", "nothing"), b"*1\r\n$-1\r\n", b"*1\r\n_\r\n"),
    (("STRLEN", "nothing"), b":0\r\n", b":0\r\n"),
    (("EVAL", "redis.setresp(3) return {double = 1.5}", 0), b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (("EVAL", "redis.setresp(3) return {map = {}}", 0), b"*0\r\n", b"%0\r\n"),
    (("EVAL", "redis.setresp(3) return true", 0), b":1\r\n", b"#t\r\n"),
]


def check_shapes(check, client, version, when):
    for request, *shapes in SHAPES:
        check.equal(client.call_raw(*request), shapes[version - 2], f"{request}, RESP{version} {when}")


def replies_have_the_shape_asked_for(check, server):
    with server.connect() as client:
        client.call("HSET", "hash", "f", "v")
        client.call("SADD", "set", "m")
        check_shapes(check, client, 2, "at first")
        greeting = client.call("HELLO", 3)
        check.true(isinstance(greeting, Map), "HELLO 3 answers in RESP3")
        greeting = dict(greeting)
        names = [b"server", b"version", b"proto", b"id", b"mode", b"role", b"modules"]
        check.equal(list(greeting), names, "what HELLO tells")
        check.equal(greeting[b"proto"], 3, "HELLO tells the version")
        check.equal(greeting[b"id"], client.call("CLIENT", "ID"), "HELLO tells the id")
        check_shapes(check, client, 3, "after HELLO 3")
        check.true(isinstance(client.call("HELLO"), Map), "HELLO by itself changes nothing")
        check.true(type(client.call("HELLO", 2)) is list, "HELLO 2 answers in RESP2")
        check_shapes(check, client, 2, "after HELLO 2")
        client.call("HELLO", 3)
        check.equal(client.call("RESET"), RESET, "RESET is answered")
        check_shapes(check, client, 2, "after RESET")


def version_changes_within_a_pipeline(check, server):
    with server.connect() as client:
        get = ("GET", "nothing")
        send_all(client, [get, ("HELLO", 3), get, ("HELLO", 2), get])
        raw = [client.read_raw() for _ in range(5)]
        check.equal(raw[0::2], [b"$-1\r\n", b"_\r\n", b"$-1\r\n"], "replies between HELLOs")
        check.equal([raw[1][:1], raw[3][:1]], [b"%", b"*"], "the replies of HELLO themselves")


def version_is_of_one_connection(check, server):
    with server.connect() as one, server.connect() as other:
        one.call("HELLO", 3)
        check.equal(one.call_raw("GET", "nothing"), b"_\r\n", "who said HELLO 3")
        check.equal(other.call_raw("GET", "nothing"), b"$-1\r\n", "who did not")


def refused_hello_changes_nothing(check, server):
    with server.connect() as client:
        for request, error in [
            (("HELLO", 1), b"NOPROTO unsupported protocol version"),
            (("HELLO", 4), b"NOPROTO unsupported protocol version"),
            (("HELLO", "three"), b"ERR Protocol version is not an integer or out of range"),
            (("HELLO", 3, "NONSENSE"), b"ERR Syntax error in HELLO option 'NONSENSE'"),
            (("HELLO", 3, "SETNAME"), b"ERR Syntax error in HELLO option 'SETNAME'"),
            (("HELLO", 3, "SETNAME", "a b"), b"ERR Client names cannot contain spaces"),
            (("HELLO", 3, "AUTH", "default"), b"ERR Syntax error in HELLO option 'AUTH'"),
            (("HELLO", 3, "SETNAME", "n", "AUTH", "nobody", "x"), b"WRONGPASS "),
        ]:
            check.starts(client.call(*request), error, f"{request} is refused")
            check.equal(client.call_raw("CLIENT", "GETNAME"), b"$-1\r\n", f"{request} changes nothing")


# Clients that do not read as fast as they ask.


def slow_reader_gets_everything(check, server):
    count = 48
    with server.connect() as slow, server.connect() as other:
        for i in range(4):
            other.call("SET", f"large:{i}", bytes((65 + i,)) * MIB)
        send_and_not_read(slow, [("GET", f"large:{i % 4}") for i in range(count)])
        for i in range(100):
            other.call("SET", "meanwhile", i)
        check.equal(other.call("GET", "meanwhile"), b"99", "others are served meanwhile")
        for i in range(count):
            is_whole = slow.read() == bytes((65 + i % 4,)) * MIB
            check.true(is_whole, f"reply {i} to the slow reader is whole")
        check.equal(slow.call("PING"), PONG, "the slow reader can go on")


def what_is_sent_is_let_go_of(check, server):
    """To this client something is always still to be sent."""
    ahead, rounds = 64, 400
    with server.connect() as client:
        client.call("SET", "large", bytes(MIB))
        before_kib, most_kib = server.resident_kib(), 0
        client.send_raw(encode(("GET", "large")) * ahead)
        for _ in range(rounds):
            client.read()
            client.send("GET", "large")
            most_kib = max(most_kib, server.resident_kib())
        growth_mib = (most_kib - before_kib) // 1024
        check.true(growth_mib < 4 * ahead, f"memory grows by what waits, not by {growth_mib} MiB")
        read_many(client, ahead)


def query_buffer_is_limited(check, _):
    with Server(client_query_buffer_limit=MIB) as server, server.connect() as other:
        with server.connect() as client:
            check.equal(client.call("SET", "k", bytes(MIB - 1000)), OK, "a request below the limit")
            requests = [("SET", "k", bytes(100_000)) for _ in range(30)]
            check.equal(client.call_many(requests), [OK] * 30, "the limit is not of a pipeline")
            send_what_is_taken(client, encode(("SET", "k", bytes(3 * MIB))))
            check.true(client.is_closed(), "a request above client-query-buffer-limit is cut off")
        check.equal(other.call("STRLEN", "k"), 100_000, "a request that was cut off does nothing")
        set_option(other, "client-query-buffer-limit", 8 * MIB)
        check.equal(other.call("SET", "k", bytes(3 * MIB)), OK, "the limit can be raised")


def peak_kib(server):
    """Returns how much memory of the process has been resident at most."""
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def unread_replies_are_limited(check, _):
    """The limit holds within what comes in one go, too."""
    with Server(client_output_buffer_limit="normal 1mb 0 0") as server:
        with server.connect() as other, server.connect() as client:
            other.call("SET", "large", bytes(200_000))
            before_kib = peak_kib(server)
            client_id = send_and_not_read(client, [("GET", "large")] * 10_000)
            check.true(wait_until(lambda: not is_listed(other, client_id)), "the hard limit cuts off")
            growth_mib = (peak_kib(server) - before_kib) // 1024
            check.true(growth_mib < 100, f"the hard limit bounds the memory: {growth_mib} MiB")
            check.true(client.is_closed(), "who was cut off sees the end")
            check.equal(len(other.call("GET", "large")), 200_000, "who reads is not cut off")


def unread_replies_are_limited_over_time(check, server):
    count = 24
    with server.connect() as other, server.connect() as late, server.connect() as spared:
        other.call("SET", "large", bytes(MIB))
        set_option(other, "client-output-buffer-limit", "normal 0 1mb 3600")
        spared_id = send_and_not_read(spared, [("GET", "large")] * count)
        time.sleep(0.3)
        check.true(is_listed(other, spared_id), "the soft limit leaves time")
        is_whole = all(len(reply) == MIB for reply in read_many(spared, count))
        check.true(is_whole, "who reads in time gets everything")
        set_option(other, "client-output-buffer-limit", "normal 0 1mb 1")
        late_id = send_and_not_read(late, [("GET", "large")] * count)
        check.true(wait_until(lambda: not is_listed(other, late_id)), "the soft limit cuts off")
        check.true(is_listed(other, spared_id), "but not who has read")
        set_option(other, "client-output-buffer-limit", "normal 0 0 0")


# Many connections.


def connections_are_limited(check, _):
    refusals = 5
    with Server(maxclients=3) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in clients:
            check.equal(client.call("PING"), PONG, "as many clients as may be")
        for _ in range(refusals):
            with Client(server.address) as late:
                check.equal(
                    late.read_to_end(), b"-ERR max number of clients reached\r\n", "one too many")
        check.equal(info(clients[0], "rejected_connections"), refusals, "rejections are counted")
        check.equal(info(clients[0], "connected_clients"), 3, "connections are counted")
        clients.pop().close()
        wait_until(lambda: info(clients[0], "connected_clients") == 2)
        with server.connect() as late:
            check.equal(late.call("PING"), PONG, "when one goes another may come")
        set_option(clients[0], "maxclients", 10)
        with server.connect() as one, server.connect() as two:
            check.equal([one.call("PING"), two.call("PING")], [PONG] * 2, "maxclients can be raised")


def idle_connections_cost_little(check, _):
    with Server() as server, server.connect() as other, contextlib.ExitStack() as stack:
        used, resident_kib = info(other, "used_memory"), server.resident_kib()
        clients = [stack.enter_context(server.connect()) for _ in range(MANY)]
        for client in clients:
            client.send("PING")
        check.true(all(client.read() == PONG for client in clients), f"{MANY} clients are answered")
        each = (info(other, "used_memory") - used) // MANY
        resident = (server.resident_kib() - resident_kib) * 1024 // MANY
        print(f"an idle connection after a PING: {each} bytes used, {resident} resident", flush=True)
        check.true(each < 4096, f"an idle connection costs little, not {each} bytes")
        for client in clients:
            client.call("ECHO", bytes(100_000))
        each = (info(other, "used_memory") - used) // MANY
        print(f"and after an ECHO of 100 KB: {each} bytes used", flush=True)
        check.true(each < 4096, f"large buffers are not kept: {each} bytes are")
        check.equal(info(other, "connected_clients"), MANY + 1, "all of them are connected")


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def leave(client, i):
    """Ends a connection in one of the ways in which it can end."""
    if i % 4 == 0:
        client.call("PING")
    if i % 4 == 1:
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$100000\r\n" + bytes(i))
    if i % 4 == 2:  # The socket is reset while replies are on their way.
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.send_raw(encode(("ECHO", bytes(1000))) * 100)
    client.close()


def connections_come_and_go(check, server):
    with server.connect() as other:
        settle(other)
        files = descriptors(server)
        for i in range(2000):
            leave(Client(server.address), i)
        check.true(
            wait_until(lambda: info(other, "connected_clients") == 1), "who has gone is forgotten")
        check.true(wait_until(lambda: descriptors(server) <= files), "no descriptor is left open")


def one_turn_may_serve_a_client_twice(check, _):
    """libuv looks for ready sockets again if there were as many as it can ask for. So a
    script may run while earlier replies of its client wait to be sent, and while the
    server answers others. If the script fails, those replies must not be missed."""
    with Server(busy_reply_threshold=10, script_time_limit=0) as server:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(1200)]
            holder, client, late, second, *others = clients
            holder.send("DEBUG", "SLEEP", 0.3)
            time.sleep(0.05)
            client.send("ECHO", "early")
            second.send("DEBUG", "SLEEP", 0.5)
            for other in others:
                other.send("PING")
            time.sleep(0.4)  # Now it is the second one that holds the server.
            client.send("EVAL", "while true do end", 0)
            reply = PONG
            while reply == PONG:
                reply = late.call("PING")
            check.starts(reply, b"BUSY ", "others are answered during the script")
            check.equal(late.call("SCRIPT", "KILL"), OK, "the script is ended")
            check.equal(client.read(), b"early", "the reply from before the script")
            check.starts(client.read(), b"ERR Script killed", "the reply of the script")
            check.equal([holder.read(), second.read()], [OK, OK], "the sleeps end")


# CLIENT.


def client_kill_selects(check, server):
    with server.connect() as killer:
        for select in (
            lambda victim: ("ID", victim.call("CLIENT", "ID")),
            lambda victim: ("ADDR", address_of(victim)),
            lambda victim: ("ADDR", address_of(victim), "LADDR", f"127.0.0.1:{server.port}"),
            lambda victim: ("TYPE", "normal", "ADDR", address_of(victim), "USER", "default"),
        ):
            with server.connect() as victim, server.connect() as spared:
                selection = select(victim)
                check.equal(killer.call("CLIENT", "KILL", *selection), 1, f"KILL {selection[::2]}")
                check.true(victim.is_closed(), "the victim is disconnected")
                check.equal(spared.call("PING"), PONG, "others are not")
        with server.connect() as victim:
            check.equal(killer.call("CLIENT", "KILL", address_of(victim)), OK, "KILL address")
            check.true(victim.is_closed(), "the victim of the old form is disconnected")
        check.starts(
            killer.call("CLIENT", "KILL", "192.0.2.1:1"), b"ERR No such client", "nobody is there")
        with server.connect() as one, server.connect() as two:
            for client in (one, two):  # Both have been accepted when they are answered.
                settle(client)
            check.equal(killer.call("CLIENT", "KILL", "TYPE", "normal"), 2, "all but oneself")
        check.equal(killer.call("PING"), PONG, "oneself is skipped")


def client_can_kill_itself(check, server):
    with server.connect() as other:
        for kill, reply in [
            (lambda c: ("ID", c.call("CLIENT", "ID"), "SKIPME", "no"), b":1\r\n"),
            (lambda c: (address_of(c),), b"+OK\r\n"),
        ]:
            with server.connect() as client:
                send_all(client, [("CLIENT", "KILL", *kill(client)), ("SET", "behind-kill", 1)])
                check.equal(client.read_to_end(), reply, "who kills itself is told, and no more")
        check.equal(other.call("EXISTS", "behind-kill"), 0, "nothing is executed behind it")
        with server.connect() as client:
            own = client.call("CLIENT", "ID")
            send_all(client, [
                ("MULTI",), ("CLIENT", "KILL", "ID", own, "SKIPME", "no"), ("INCR", "in-multi"),
                ("EXEC",), ("INCR", "in-multi")])
            check.equal(
                client.read_to_end(), b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:1\r\n",
                "a transaction in which its client kills itself")


def client_can_be_killed_at_any_time(check, server):
    with server.connect() as killer:
        killer.call("SET", "large", bytes(MIB))
        for what, begin in {
            "replies wait": lambda c: send_and_not_read(c, [("GET", "large")] * 48),
            "a request is half there": lambda c: c.send_raw(b"*2\r\n$4\r\nECHO\r\n$9\r\nabc"),
            "requests are queued": lambda c: c.call_many([("MULTI",), ("SET", "queued", 1)]),
            "keys are watched": lambda c: c.call("WATCH", "watched", "queued"),
        }.items():
            with server.connect() as victim:
                client_id = victim.call("CLIENT", "ID")
                begin(victim)
                settle(killer)
                check.equal(killer.call("CLIENT", "KILL", "ID", client_id), 1, f"a kill while {what}")
                check.true(victim.is_closed(), f"the victim is disconnected while {what}")
                check.true(not is_listed(killer, client_id), f"nothing is left of it while {what}")
        killer.call("SET", "watched", 1)
        check.equal(killer.call("EXISTS", "queued"), 0, "what was queued is not executed")


def client_reply_silences(check, server):
    with server.connect() as client:
        send_all(client, [
            ("CLIENT", "REPLY", "OFF"), ("PING",), ("NOSUCH",), ("GET",), ("CLIENT", "REPLY", "SKIP"),
            ("MULTI",), ("INCR", "silent"), ("EXEC",), ("CLIENT", "REPLY", "ON"), ("GET", "silent")])
        check.equal(client.read(), OK, "REPLY ON is the first to be answered")
        check.equal(client.read(), b"1", "what was not answered was executed")
        send_all(client, [
            ("CLIENT", "REPLY", "SKIP"), ("ECHO", 1), ("ECHO", 2), ("CLIENT", "REPLY", "SKIP"),
            ("NOSUCH",), ("ECHO", 3)])
        check.equal(read_many(client, 2), [b"2", b"3"], "SKIP is for one reply")
        client.send("CLIENT", "REPLY", "OFF")
        check.equal(client.call("RESET"), RESET, "RESET turns replies on")
        send_all(client, [("CLIENT", "REPLY", "OFF"), ("QUIT",)])
        check.equal(client.read_to_end(), b"", "QUIT is not answered either")


# The fields of Redis 7.0.15, in its order; later ones are behind.
FIELDS = (
    "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem "
    "rbs rbp obl oll omem tot-mem events cmd user redir resp").split()


def client_list_describes(check, server):
    with server.connect() as client, server.connect() as other:
        client.call("HELLO", 3, "SETNAME", "somebody")
        client.call("SELECT", 7)
        client_id = client.call("CLIENT", "ID")
        line, = listed(other, "ID", client_id)
        check.equal(list(line)[: len(FIELDS)], FIELDS, "the fields of CLIENT LIST")
        expected = {
            "id": str(client_id), "addr": address_of(client), "laddr": f"127.0.0.1:{server.port}",
            "name": "somebody", "flags": "N", "db": "7", "sub": "0", "psub": "0", "multi": "-1",
            "qbuf": "0", "obl": "0", "omem": "0", "cmd": "client|id", "user": "default",
            "redir": "-1", "resp": "3"}
        check.equal({name: line[name] for name in expected}, expected, "what CLIENT LIST says")
        for name in ("fd", "age", "idle", "tot-mem"):
            check.true(line[name].isdigit(), f"{name} is a number: {line[name]}")
        client.call_many([("MULTI",), ("PING",), ("PING",)])
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$5\r\nab")
        settle(other)
        line, = listed(other, "ID", client_id)
        check.equal((line["flags"], line["multi"], line["cmd"]), ("x", "2", "ping"), "MULTI is shown")
        check.true(int(line["qbuf"]) > 0, "a request that has not come whole is shown")
        check.equal(len(listed(other, "TYPE", "normal")), 2, "all are normal")
        ids = [int(line["id"]) for line in listed(other)]
        check.equal(ids, sorted((client_id, other.call("CLIENT", "ID"))), "the oldest comes first")
        shown = other.call("CLIENT", "INFO").decode().split()
        check.equal([field.split("=")[0] for field in shown], list(line), "CLIENT INFO is alike")


# Passwords.


def strangers_are_limited(check, server):
    """Who has not authenticated may send no more than that needs (CVE-2021-32675), and
    is not kept waiting replies that it does not read (CVE-2025-21605)."""
    for data, error in [
        (b"*11\r\n", b"unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", b"unauthenticated bulk length"),
        (b"*2\r\n$4\r\nAUTH\r\n$1000000000\r\n", b"unauthenticated bulk length"),
    ]:
        with Client(server.address) as stranger:
            stranger.send_raw(data)
            expected = b"-ERR Protocol error: %s\r\n" % error
            check.equal(stranger.read_to_end(), expected, f"a stranger's {data}")
    with Client(server.address) as stranger:
        ten = stranger.call("ECHO", *range(9))
        check.true(isinstance(ten, Error) and b"Protocol" not in ten, "10 arguments are read")
        check.starts(stranger.call("ECHO", bytes(16384)), b"NOAUTH ", "16384 bytes are read")
    with Client(server.address) as stranger:
        is_cut_off = False
        try:
            for _ in range(200):
                stranger.send_raw(b"PING\r\n" * 100_000)
        except ConnectionError:
            is_cut_off = True
        check.true(is_cut_off, "a stranger who does not read is cut off")


def password_is_needed(check, server):
    with Client(server.address) as client:
        for request, error in [
            (("GET", "k"), b"NOAUTH Authentication required."),
            (("PING",), b"NOAUTH Authentication required."),
            (("AUTH", "wrong"), b"WRONGPASS "),
            (("AUTH", "secret2"), b"WRONGPASS "),
            (("AUTH", ""), b"WRONGPASS "),
            (("AUTH", "somebody", "secret"), b"WRONGPASS "),
            (("HELLO", 3), b"NOAUTH HELLO must be called"),
            (("HELLO", 3, "AUTH", "default", "wrong"), b"WRONGPASS "),
        ]:
            check.starts(client.call(*request), error, f"{request} without the password")
        many, long = ["DEL", *range(40)], ("SET", "k", bytes(100_000))
        replies = client.call_many([("PING",), ("AUTH", "secret"), many, long, ("PING",)])
        check.starts(replies[0], b"NOAUTH ", "before AUTH in one write")
        check.equal(replies[1:], [OK, 0, OK, PONG], "behind AUTH in one write there is no limit")
        check.equal(client.call("AUTH", "default", "secret"), OK, "AUTH with the user's name")
        check.starts(client.call("AUTH", "wrong"), b"WRONGPASS ", "AUTH again, wrongly")
        check.equal(client.call("PING"), PONG, "who was in stays in")
        check.equal(client.call("RESET"), RESET, "RESET is answered")
        check.starts(client.call("PING"), b"NOAUTH ", "RESET forgets the password")
        client.call("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "friend")
        check.equal(client.call("CLIENT", "GETNAME"), b"friend", "HELLO can do it all")


def password_can_be_changed(check, server):
    with server.connect() as client, Client(server.address) as stranger:
        set_option(client, "requirepass", "other")
        check.equal(client.call("PING"), PONG, "who is in stays in")
        check.starts(stranger.call("AUTH", "secret"), b"WRONGPASS ", "the old password")
        check.equal(stranger.call("AUTH", "other"), OK, "the new password")
    with Client(server.address) as stranger, Client(server.address) as client:
        client.call("AUTH", "other")
        check.starts(stranger.call("PING"), b"NOAUTH ", "a stranger")
        set_option(client, "requirepass", "")
        check.equal(stranger.call("PING"), PONG, "no password, no strangers")
        check.equal(stranger.call("DEL", *range(20), bytes(20_000)), 0, "nor limits for them")


def passwords(check, _):
    with Server(requirepass="secret") as server:
        for test in (strangers_are_limited, password_is_needed, password_can_be_changed):
            with check.part(test.__name__):
                test(check, server)


# What is no request.

BAD = [
    (b"*1\r\n:5\r\n", b"expected '$', got ':'"),
    (b"*1\r\n\r\n", b"expected '$', got ' '"),
    (b"*abc\r\n", b"invalid multibulk length"),
    (b"*2147483648\r\n", b"invalid multibulk length"),
    (b"*99999999999999999999\r\n", b"invalid multibulk length"),
    (b"*1\r\n$-1\r\n", b"invalid bulk length"),
    (b"*1\r\n$x\r\n", b"invalid bulk length"),
    (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
    (b"*" + b"1" * 70_000, b"too big mbulk count string"),
    (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
    (b"a" * 70_000, b"too big inline request"),
    (b'SET k "unbalanced\r\n', b"unbalanced quotes in request"),
    (b"SET k 'a'b\r\n", b"unbalanced quotes in request"),
]


def what_is_no_request_ends_the_connection(check, server):
    before = encode(("PING",)) + encode(("SET", "before", 1)) + b"ECHO inline\r\n"
    with server.connect() as other:
        for bad, error in BAD:
            with server.connect() as client:
                send_what_is_taken(client, before + bad + encode(("SET", "behind", 1)))
                expected = b"+PONG\r\n+OK\r\n$6\r\ninline\r\n-ERR Protocol error: %s\r\n" % error
                check.equal(client.read_to_end(), expected, f"{bad[:30]} behind requests")
        with server.connect() as client:
            client.call_many([("MULTI",), ("SET", "behind", 1)])
            client.send_raw(b"*x\r\n" + encode(("EXEC",)))
            check.true(client.is_closed(), "a transaction ends with the connection")
        check.equal(other.call("EXISTS", "behind"), 0, "nothing is executed behind it")


def longest_bulk_is_an_option(check, server):
    with server.connect() as other, server.connect() as client:
        set_option(other, "proto-max-bulk-len", MIB)
        check.equal(len(client.call("ECHO", bytes(MIB))), MIB, "as long as may be")
        client.send_raw(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (MIB + 1))
        expected = b"-ERR Protocol error: invalid bulk length\r\n"
        check.equal(client.read_to_end(), expected, "longer by a byte")
        set_option(other, "proto-max-bulk-len", 512 * MIB)


def web_pages_are_not_served(check, server):
    lines = [b"Host: localhost", b"Content-Type: text/plain", b"", b"SET from-the-web 1", b""]
    with server.connect() as other:
        for first in (b"POST / HTTP/1.1", b"GET / HTTP/1.1", b"post /"):
            with server.connect() as client:
                client.send_raw(b"\r\n".join([first, *lines]))
                reply = client.read_to_end()
                check.true(reply == b"" or reply.startswith(b"-ERR "), f"{first} gets {reply}")
        check.equal(other.call("EXISTS", "from-the-web"), 0, "what a web page sends is not executed")


def tls_hello():
    """Returns the bytes with which a TLS client begins."""
    sent = ssl.MemoryBIO()
    connection = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return sent.read()


def tls_is_refused(check, server):
    with server.connect() as client:
        client.send_raw(tls_hello() + b"\r\n")
        check.equal(client.take(5), b"-ERR ", "a TLS client gets an error")


# Transactions and databases.


def transactions_of_two_connections(check, server):
    with server.connect() as one, server.connect() as two:
        one.call_many([("DEL", "t"), ("MULTI",), ("SET", "t", "one"), ("INCR", "t-counter")])
        check.equal(two.call("EXISTS", "t"), 0, "what is queued has not happened")
        check.equal(two.call_many([("SET", "t", "two"), ("GET", "t")]), [OK, b"two"], "others go on")
        check.equal(one.call("EXEC"), [OK, 1], "what is queued happens at EXEC")
        check.equal(two.call("GET", "t"), b"one", "and can then be seen")
        with server.connect() as third:
            third.call_many([("MULTI",), ("SET", "t", "third")])
        wait_until(lambda: info(one, "connected_clients") == 2)
        check.equal(one.call("GET", "t"), b"one", "what was queued goes with the connection")


# What another does while a key is watched, and what EXEC of a PING then replies.
MEANWHILE = [
    ("is changed", [("SET", "w", 2)], None),
    ("is set to what it was", [("SET", "w", 1)], None),
    ("is removed", [("DEL", "w")], None),
    ("is flushed", [("FLUSHDB",)], None),
    ("gets an expiry", [("EXPIRE", "w", 100)], None),
    ("is only read", [("GET", "w"), ("STRLEN", "w")], [PONG]),
    ("is another one", [("SET", "w2", 1)], [PONG]),
    ("is in another database", [("SELECT", 1), ("SET", "w", 2), ("SELECT", 0)], [PONG]),
    ("could not be changed", [("SADD", "w", 1), ("SETNX", "w", 3)], [PONG]),
    ("is changed by EXEC", [("MULTI",), ("SET", "w", 2), ("EXEC",)], None),
    ("is changed by a script", [("EVAL", "redis.call('SET', KEYS[1], 2)", 1, "w")], None),
    ("is changed by a script that fails",
     [("EVAL", "redis.call('SET', KEYS[1], 2) error('x')", 1, "w")], [PONG]),
]


def watched_keys(check, server):
    with server.connect() as one, server.connect() as two:
        for what, requests, expected in MEANWHILE:
            one.call_many([("SET", "w", 1), ("WATCH", "w")])
            two.call_many(requests)
            replies = one.call_many([("MULTI",), ("PING",), ("EXEC",)])
            check.equal(replies, [OK, QUEUED, expected], f"EXEC when a watched key {what}")
        for forget in ("UNWATCH", "RESET"):
            one.call_many([("SET", "w", 1), ("WATCH", "w")])
            two.call("INCR", "w")
            one.call(forget)
            check.equal(one.call_many([("MULTI",), ("EXEC",)]), [OK, []], f"{forget} forgets")
        one.call_many([("SET", "w", 1), ("WATCH", "w"), ("SET", "w", 5), ("MULTI",)])
        check.equal(one.call("EXEC"), None, "one's own changes count")


def databases_are_of_one_connection(check, server):
    with server.connect() as one, server.connect() as two:
        one.call("FLUSHALL")
        check.equal(one.call_many([("SELECT", 3), ("SET", "k", "three")]), [OK, OK], "SELECT")
        check.equal(two.call("GET", "k"), None, "others stay where they are")
        replies = two.call_many([("SET", "k", "zero"), ("SELECT", 3), ("GET", "k")])
        check.equal(replies, [OK, OK, b"three"], "two may be in one database")
        with server.connect() as late:
            check.equal(late.call("GET", "k"), b"zero", "who comes is in database 0")
        check.starts(one.call("SELECT", 16), b"ERR DB index is out of range", "there are 16")
        check.equal(one.call("GET", "k"), b"three", "a SELECT that fails changes nothing")
        one.call_many([("MULTI",), ("SELECT", 0), ("GET", "k")])
        check.equal(one.call("EXEC"), [OK, b"zero"], "SELECT within a transaction")
        check.equal(one.call("GET", "k"), b"zero", "and after it")


# How it ends.


def idle_clients_are_disconnected(check, _):
    """Not those that are slow: a byte now and then is a sign of life."""
    timeout_s = 2
    request = encode(("ECHO", "x" * 1000))
    sent, longest_pause_s, idle_ended = 0, 0.0, False
    with Server(timeout=timeout_s) as server:
        with server.connect() as idle, server.connect() as busy, server.connect() as trickling:
            idle.socket.setblocking(False)
            started = last = time.monotonic()
            while not idle_ended or last - started < timeout_s + 1:
                assert last - started < PATIENCE_S, "an idle client stays connected"
                send_what_is_taken(trickling, request[sent : sent + 1])
                send_what_is_taken(busy, encode(("PING",)))
                sent += 1
                with contextlib.suppress(BlockingIOError):
                    idle_ended = idle_ended or idle.socket.recv(1) == b""
                time.sleep(0.05)
                longest_pause_s = max(longest_pause_s, time.monotonic() - last)
                last = time.monotonic()
            check.true(idle_ended, "an idle client is disconnected")
            if longest_pause_s > timeout_s / 2:
                check.skip("clients that are not idle", "this machine has paused for too long")
                return
            check.equal(read_many(busy, sent), [PONG] * sent, "a busy client is not")
            send_what_is_taken(trickling, request[sent:])
            check.equal(trickling.read(), b"x" * 1000, "nor is one whose request comes slowly")


def end_with_clients(check, what, end):
    """Ends a server that has clients of all sorts."""
    with Server() as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(50)]
        first, queueing, watching, halfway, slow = clients[:5]
        first.call("SET", "large", bytes(MIB))
        queueing.call_many([("MULTI",), ("SET", "k", 1)])
        watching.call("WATCH", "k")
        halfway.send_raw(b"*2\r\n$4\r\nECHO\r\n$1000\r\nabc")
        send_and_not_read(slow, [("GET", "large")] * 24)
        settle(first)
        end(server, first)
        check.true(all(client.is_closed() for client in clients), f"{what} ends all connections")
        server.wait()
        check.true(True, f"{what} ends the server with status 0")


def shut_down(_, client):
    send_all(client, [("ECHO", "last"), ("SHUTDOWN", "NOSAVE"), ("PING",)])
    assert client.read_to_end() == b"$4\r\nlast\r\n", "only what comes before SHUTDOWN is answered"


def server_ends_well(check, _):
    end_with_clients(check, "SHUTDOWN", shut_down)
    end_with_clients(check, "SIGTERM", lambda s, _: s.process.send_signal(signal.SIGTERM))
    end_with_clients(check, "SIGINT", lambda s, _: s.process.send_signal(signal.SIGINT))


def refused_start(server, arguments):
    """Starts another server that should not start. Returns its status and what it said."""
    with tempfile.TemporaryDirectory(prefix="moonlatch-test-") as directory:
        ended = subprocess.run(
            [server.program, *map(str, arguments)], cwd=directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S)
        return ended.returncode, ended.stdout.decode()


def server_says_why_it_does_not_start(check, server):
    free = free_port()
    for arguments, words in [
        (("--port", server.port), ("Could not listen", str(server.port), "Address already in use")),
        (("--port", free, "--bind", "192.0.2.1"), ("Could not listen", "192.0.2.1")),
        (("--port", 0, "--unixsocket", "/nonexistent/s"), ("Could not listen", "/nonexistent/s")),
        (("--port", free, "--dir", "/nonexistent"), ("/nonexistent",)),
        (("--port", "none"), ("port",)),
        (("--prot", free), ("--prot", "--port")),
        (("/nonexistent/moonlatch.conf",), ("/nonexistent/moonlatch.conf",)),
    ]:
        status, said = refused_start(server, arguments)
        check.equal(status, 1, f"the status after {arguments}")
        check.true(all(word in said for word in words), f"what is said after {arguments}: {said}")
    with server.connect() as client:
        check.equal(client.call("PING"), PONG, "the one that was first goes on")


class ServerWithFile(Server):
    """A server that is given a configuration file, and flags behind it."""

    TEXT = """
        # A comment.
        port 1
        timeout 100
        requirepass "of the file"
        maxclients 77
        proto-max-bulk-len 2mb
        """

    def start(self):
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        path = pathlib.Path(self.directory, "moonlatch.conf")
        path.write_text(f"{self.TEXT}\ndir {self.directory}\n")
        flags = ["--port", str(self.port), "--timeout", "200", "--requirepass", self.password]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.program, str(path), *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self.wait_until_it_answers()


def flags_override_the_file(check, _):
    with ServerWithFile(requirepass="of the flag") as server, Client(server.address) as client:
        check.starts(client.call("AUTH", "of the file"), b"WRONGPASS ", "the file's password")
        check.equal(client.call("AUTH", "of the flag"), OK, "the flag's password")
        for name, value in {
            b"port": b"%d" % server.port, b"timeout": b"200", b"maxclients": b"77",
            b"proto-max-bulk-len": b"%d" % (2 * MIB),
        }.items():
            check.equal(client.call("CONFIG", "GET", name), [name, value], f"{name} is as it was set")


def unix_socket(check, _):
    with tempfile.TemporaryDirectory(prefix="moonlatch-test-") as directory:
        path = os.path.join(directory, "s")
        for mode in (0o700, 0o770, 0o600, 0o777):
            pathlib.Path(path).touch()  # What was left behind is in nobody's way.
            with Server(unixsocket=path, unixsocketperm=f"{mode:o}") as server:
                status = os.stat(path)
                check.true(stat.S_ISSOCK(status.st_mode), "the socket is one")
                check.equal(oct(stat.S_IMODE(status.st_mode)), oct(mode), "its permissions")
                with Client(path) as client, server.connect() as other:
                    client.call("SET", "k", "by way of the file system")
                    check.equal(other.call("GET", "k"), b"by way of the file system", "one server")
                    check.equal(len(listed(client)), 2, "both clients are listed")
            check.true(not os.path.exists(path), "the socket is removed at the end")


# These share a server.
SHARING = [
    many_requests_in_one_write,
    many_requests_byte_by_byte,
    mixture_is_understood,
    mixture_can_be_split_anywhere,
    mixture_can_come_in_any_pieces,
    nothing_is_no_request,
    request_of_many_arguments,
    big_value_in_pieces,
    sending_may_end_first,
    quit_ends_a_pipeline,
    replies_have_the_shape_asked_for,
    version_changes_within_a_pipeline,
    version_is_of_one_connection,
    refused_hello_changes_nothing,
    slow_reader_gets_everything,
    what_is_sent_is_let_go_of,
    unread_replies_are_limited_over_time,
    connections_come_and_go,
    client_kill_selects,
    client_can_kill_itself,
    client_can_be_killed_at_any_time,
    client_reply_silences,
    client_list_describes,
    what_is_no_request_ends_the_connection,
    longest_bulk_is_an_option,
    web_pages_are_not_served,
    tls_is_refused,
    transactions_of_two_connections,
    watched_keys,
    databases_are_of_one_connection,
    server_says_why_it_does_not_start,
]

# These have servers of their own.
ALONE = [
    query_buffer_is_limited,
    unread_replies_are_limited,
    connections_are_limited,
    idle_connections_cost_little,
    one_turn_may_serve_a_client_twice,
    passwords,
    idle_clients_are_disconnected,
    server_ends_well,
    flags_override_the_file,
    unix_socket,
]


def run_sharing(check):
    with Server() as server:
        for test in SHARING:
            with check.part(test.__name__):
                test(check, server)
            with check.part("the end of its connections"), server.connect() as client:
                gone = wait_until(lambda: info(client, "connected_clients") == 1)
                check.true(gone, f"no connection is left of {test.__name__}")


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    # What is freed must go back, for a sanitizer's build to show what is not.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"

    check = Check()
    with check.part("the server that is shared"):
        run_sharing(check)
    for test in ALONE:
        with check.part(test.__name__):
            test(check, None)
    check.finish()


if __name__ == "__main__":
    main()
