#!/usr/bin/python3
"""Requests that wait, over real connections: what is sent behind them, how they end,
and that nothing is lost or served twice whatever the clients do."""

import pathlib
import random
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import SOAK, Check, Error, Server, Status, encode, info, seed, wait_until

OK = Status(b"OK")
PONG = Status(b"PONG")


def blocked(client, count):
    """Waits until so many clients wait."""
    return wait_until(lambda: int(info(client, "blocked_clients")) == count)


def test_what_follows_waits(check, server):
    check.part("what is sent behind a request that waits")
    with server.connect() as waiter, server.connect() as other:
        requests = [("SET", "a", "1"), ("BLPOP", "list", "0"), ("INCR", "a"), ("GET", "a")]
        waiter.send_raw(b"".join(encode(r) for r in requests))
        check.equal(waiter.read(), OK, "what came before is answered")
        check.true(blocked(other, 1), "it waits")
        check.equal(other.call("GET", "a"), b"1", "what came behind has not run")
        other.call("RPUSH", "list", "x")
        check.equal(waiter.read(), [b"list", b"x"], "it is served")
        check.equal(waiter.read(), 2, "then the next one runs")
        check.equal(waiter.read(), b"2", "and the one behind it")


def test_pieces(check, server, rng):
    check.part("what is sent behind it, in pieces")
    with server.connect() as waiter, server.connect() as other:
        rest = b"".join(encode(("ECHO", f"{i}" * 50)) for i in range(200))
        waiter.send("BLPOP", "list", "0")
        check.true(blocked(other, 1), "it waits")
        at = 0
        while at < len(rest):
            size = rng.randrange(1, 4000)
            waiter.send_raw(rest[at:at + size])
            at += size
            other.call("PING")
        waiter.send_raw(encode(("BLPOP", "list", "0")) + encode(("PING",)))
        other.call("RPUSH", "list", "x")
        check.equal(waiter.read(), [b"list", b"x"], "it is served")
        replies = [waiter.read() for _ in range(200)]
        check.equal(replies, [(f"{i}" * 50).encode() for i in range(200)], "all of it is answered")
        check.true(blocked(other, 1), "the second one waits")
        other.call("RPUSH", "list", "y")
        check.equal(waiter.read(), [b"list", b"y"], "and is served")
        check.equal(waiter.read(), PONG, "and what is behind it")


def test_many_wait_in_one_go(check, server):
    check.part("a pipeline of requests that wait")
    with server.connect() as waiter, server.connect() as other:
        waiter.send_raw(b"".join(encode(("BLPOP", "list", "0")) for _ in range(50)))
        for i in range(50):
            other.call("RPUSH", "list", i)
            check.equal(waiter.read(), [b"list", b"%d" % i], "each in its turn")


def test_time(check, server):
    check.part("time")
    with server.connect() as waiter, server.connect() as other:
        check.equal(waiter.call("BLPOP", "none", "0.05"), None, "its time is up")
        check.equal(waiter.call("BRPOPLPUSH", "none", "other", "0.01"), None, "its time is up")
        waiter.send("BLPOP", "none", "0.05")
        waiter.send("PING")
        check.equal(waiter.read(), None, "its time is up")
        check.equal(waiter.read(), PONG, "what came behind it runs")
        for bad, text in (("x", b"ERR timeout is not a float"), ("-1", b"ERR timeout is negative"),
                          ("1e300", b"ERR timeout is"), ("nan", b"ERR timeout is")):
            check.starts(waiter.call("BLPOP", "none", bad), text, f"a timeout of {bad}")
        check.true(blocked(other, 0), "nobody waits any more")


def test_clients_that_go(check, server):
    check.part("clients that go")
    with server.connect() as other:
        waiters = [server.connect() for _ in range(20)]
        for waiter in waiters:
            waiter.send("BLPOP", "list", "another", "0")
        check.true(blocked(other, 20), "they wait")
        for waiter in waiters[:10]:
            waiter.close()
        check.true(blocked(other, 10), "those that have gone wait no more")
        killed = other.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        check.equal(killed, 10, "the others are ended")
        check.true(blocked(other, 0), "and wait no more")
        check.equal(other.call("RPUSH", "list", "x"), 1, "what comes is there for nobody")
        check.equal(other.call("DEL", "list"), 1, "and stays")
        for waiter in waiters:
            waiter.close()


def test_unblock(check, server):
    check.part("CLIENT UNBLOCK")
    with server.connect() as waiter, server.connect() as other:
        number = waiter.call("CLIENT", "ID")
        waiter.send("BLPOP", "list", "0")
        check.true(blocked(other, 1), "it waits")
        check.equal(other.call("CLIENT", "UNBLOCK", number), 1, "it is let go")
        check.equal(waiter.read(), None, "as if its time were up")
        waiter.send("BLPOP", "list", "0")
        check.true(blocked(other, 1), "it waits")
        check.equal(other.call("CLIENT", "UNBLOCK", number, "ERROR"), 1, "it is let go")
        check.starts(waiter.read(), b"UNBLOCKED", "with an error")
        check.equal(other.call("CLIENT", "UNBLOCK", number), 0, "it does not wait")


def test_final_changes_only(check, server):
    check.part("only what is final serves")
    with server.connect() as waiter, server.connect() as other:
        waiter.send("BLPOP", "list", "0")
        check.true(blocked(other, 1), "it waits")
        script = "redis.call('RPUSH', KEYS[1], 'x') {} redis.call('DEL', KEYS[1])"
        other.call("EVAL", script.format(""), 1, "list")
        other.call("EVAL", "redis.call('RPUSH', KEYS[1], 'x') error('no')", 1, "list")
        other.call("MULTI")
        other.call("RPUSH", "list", "a", "b")
        other.call("LPOP", "list", "2")
        other.call("EXEC")
        check.equal(int(info(other, "blocked_clients")), 1, "it still waits")
        check.true(isinstance(other.call("EVAL", "return redis.call('BLPOP', 'none', 0)", 0),
                              (type(None), Error)), "a script does not wait")
        other.call("EVAL", "redis.call('RPUSH', KEYS[1], 'y')", 1, "list")
        check.equal(waiter.read(), [b"list", b"y"], "it is served")


def pop(server, lists, got, stop):
    """Takes what comes, until it is told to stop."""
    with server.connect() as client:
        while not stop.is_set():
            reply = client.call("BLPOP", *lists, "0.1")
            if reply is not None:
                got.append(reply[1])


def test_nothing_is_lost_or_served_twice(check, server, rng):
    check.part("many who wait, and many who give")
    stop = threading.Event()
    got = [[] for _ in range(8)]
    threads = [threading.Thread(target=pop, args=(server, rng.sample(["p", "q", "r"], 2), mine, stop))
               for mine in got]
    for thread in threads:
        thread.start()
    count = 2000 * SOAK
    with server.connect() as client:
        for i in range(count):
            key = rng.choice(["p", "q", "r"])
            if i % 7 == 0:
                client.call("EVAL", "redis.call('RPUSH', KEYS[1], 'lost') error('no')", 1, key)
            client.call("RPUSH", key, i)
        left = lambda: sum(client.call("LLEN", key) for key in "pqr") == 0
        check.true(wait_until(left), "all is taken")
    stop.set()
    for thread in threads:
        thread.join()
    check.equal(sorted(int(x) for mine in got for x in mine), list(range(count)),
                "each was taken once")


def main():
    check = Check()
    rng = random.Random(seed())
    with Server() as server:
        test_what_follows_waits(check, server)
        test_pieces(check, server, rng)
        test_many_wait_in_one_go(check, server)
        test_time(check, server)
        test_clients_that_go(check, server)
        test_unblock(check, server)
        test_final_changes_only(check, server)
        test_nothing_is_lost_or_served_twice(check, server, rng)
    check.finish()


if __name__ == "__main__":
    main()
