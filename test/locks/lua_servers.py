#!/usr/bin/python3
"""The lock scripts on servers that something happens to: the memory is full, scripts are forgotten,
the clock is put back, slots and declared keys are insisted on.

Rows of what goes wrong elsewhere: 14, keys that live for ever; 22, NOSCRIPT after a restart; 23, CROSSSLOT; 24, keys that are not
declared; 25, a script that dies half way; 30, the wall clock."""

import os
import pathlib
import shutil
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parents[2] / "tools"), str(HERE.parent)]
import locktexts
from cluster import WallClock
from place import LONG, LUA, Lock, Place, is_error
from server import Check, Server, wait_until

KINDS = ("mutex", "fair", "rw", "rw read", "semaphore", "election", "multi")
HOUR_S = 3600


def play_all(check, place):
    for kind in KINDS:
        place.call("FLUSHALL")
        play(check, Lock(place, kind))


def play(check, lock):
    """Does all that there is to do."""
    token = lock.take("a", 1)
    check.equal(lock.acquire("b", 1, more=["write", 0] if lock.what == "rw read" else None)[0],
                "BUSY", f"{lock.what}: it is held")
    check.equal(lock.renew("a", token)[0], "OK", f"{lock.what}: it is renewed")
    check.equal(lock.holders(), {"a": 1}, f"{lock.what}: it is looked at")
    check.equal(lock.release("a", token), ["OK", "0"], f"{lock.what}: it is released")
    lock.take("a", 2)
    check.equal(lock.cancel("a", 2), ["OK"], f"{lock.what}: it is cancelled")
    check.equal(lock.holders(), {}, f"{lock.what}: nobody has it")


def test_memory(check, place):
    """Row 25. What is given back is free even then, and nothing is done by half."""
    for kind in KINDS:
        place.call("FLUSHALL")
        held, cancelled = Lock(place, kind, "{x}a", "{x}b"), Lock(place, kind, "{y}a", "{y}b")
        token = held.take("a", 1)
        cancelled.take("a", 1)
        before = place.dump()
        place.call("CONFIG", "SET", "maxmemory", 1)
        check.true(is_error(Lock(place, kind, "{z}a", "{z}b").acquire("a", 1), b"OOM"),
                   f"{kind}: there is no room for another")
        check.true(is_error(held.renew("a", token), b"OOM"), f"{kind}: nor to write its lease")
        check.equal(place.dump(), before, f"{kind}: nothing is written")
        check.equal(held.release("a", token), ["OK", "0"], f"{kind}: it is released")
        check.equal(cancelled.cancel("a", 1), ["OK"], f"{kind}: it is cancelled")
        check.equal([held.holders(), cancelled.holders()], [{}, {}], f"{kind}: they are free")
        place.call("CONFIG", "SET", "maxmemory", 0)
        lowest = token if kind == "rw read" else token + 1  # Readers share one.
        check.true(held.take("b", 1) >= lowest, f"{kind}: the token rises all the same")


def test_forgotten_scripts(check, place):
    """Row 22. Who sends the text then, with the same rid, has what it had."""
    lock = Lock(place, "mutex", "forgotten")
    token = lock.take("a", 1)
    place.call("SCRIPT", "FLUSH")
    check.true(is_error(lock.acquire("a", 1), b"NOSCRIPT"), "the script is forgotten")
    again = Lock(Place(place.what, check, place.server, place.admin), "mutex", "forgotten")
    check.equal(again.acquire("a", 1)[1], str(token), "the same grant")
    check.equal(again.release("a", token), ["OK", "0"], "it was held once")


def test_value_of_a_leader(check, place):
    """What it has proclaimed lives as long as it is renewed with all else of its session."""
    vote = Lock(place, "election", "leads", more=[0, "here"])
    term = vote.take("a", 1, ttl=1000)
    place.call("PEXPIRE", vote.keys[2], 1000)
    renewal = ["renew", "leader", "a", term, LONG]
    reply = place.ask("renew", [vote.keys[0], vote.keys[2]], *renewal)
    check.equal(reply[1], "OK", "it is renewed")
    check.true(place.call("PTTL", vote.keys[2]) > LONG, "its value too")
    place.call("DEL", vote.keys[2])
    place.call("SADD", vote.keys[2], "x")
    before = place.dump()
    reply = place.ask("renew", [vote.keys[0], vote.keys[2]], *renewal)
    check.true(is_error(reply[1], b"WRONGTYPE"), "something else is in the way")
    check.equal(place.dump(), before, "nothing is done by half")
    place.call("FLUSHALL")


def test_modes_of_one_owner(check, place):
    """Row 26. A reader has the token that it had as a writer; its late requests are late in both."""
    write, read = Lock(place, "rw", "modes"), Lock(place, "rw read", "modes")
    token = write.take("a", 1)
    check.equal(write.release("a", token), ["OK", "0"], "it was the writer")
    check.equal(read.take("a", 3), token, "then it reads")
    place.later(2 * LONG // 1000)
    check.equal(read.release("a", token), ["LOST"], "its lease is over")
    check.equal(write.acquire("a", 2), ["STALE"], "a request to write that was overtaken")
    token = write.take("a", 5)
    check.equal(write.ask("downgrade", "a", token)[0], "OK", "it reads on")
    place.later(2 * LONG // 1000)
    check.equal(read.release("a", token), ["LOST"], "that is over, too")
    token = write.take("a", 7)
    check.equal(write.release("a", token), ["OK", "0"], "it writes once more")
    check.equal(read.acquire("a", 6), ["STALE"], "a request to read that was overtaken")


def test_retention(check, place):
    """Row 14. Two leases and the retention later nothing is left, whoever has gone and how."""
    retention, ttl = 100, 50
    for kind in set(word.split()[0] for word in KINDS):
        text = locktexts.script(LUA, kind)
        assert text.count("RETENTION_MS = 60000") == text.count("CHECK_MS = 500") == 1
        text = text.replace("RETENTION_MS = 60000", f"RETENTION_MS = {retention}")
        text = text.replace("CHECK_MS = 500", f"CHECK_MS = {ttl // 3}")
        place.shas[kind] = place.admin.call("SCRIPT", "LOAD", text)
    place.call("FLUSHALL")
    for kind in KINDS:
        released, cancelled, expired = (
            Lock(place, kind, f"{{{kind}{i}}}a", f"{{{kind}{i}}}b") for i in range(3))
        released.release("a", released.take("a", 1, ttl=ttl))
        cancelled.take("a", 1, ttl=ttl)
        cancelled.cancel("a", 1)
        expired.take("a", 1, ttl=ttl)
        if not place.can_wait:
            expired.acquire("b", 1, ttl=ttl, wait=-1)
            expired.acquire("c", 1, ttl=ttl, wait=-1)
    check.true(place.call("DBSIZE") > 0, "there is something")
    time.sleep((2 * ttl + retention) / 1000)
    started = time.monotonic()
    is_empty = wait_until(lambda: place.call("DBSIZE") == 0)  # A server removes keys at its leisure.
    check.true(is_empty and time.monotonic() < started + 20, f"what stays: {place.call('KEYS', '*')}")


def check_server(check, what, program=None, **options):
    with Server(program, **options) as server, server.connect() as admin:
        place = Place(what, check, server, admin)
        play_all(check, place)
        test_memory(check, place)
        test_modes_of_one_owner(check, place)
        test_value_of_a_leader(check, place)
        test_retention(check, place)
        if what == "redis":
            test_forgotten_scripts(check, Place(what, check, server, admin))


def check_declared_keys(check):
    """Row 24. All keys are in KEYS, also those that are only read."""
    with Server(script_strict_keys="yes") as server, server.connect() as admin:
        for by_function in (False, True):
            admin.call("FLUSHALL")
            place = Place("ours", check, server, admin, by_function)
            play_all(check, place)
            test_value_of_a_leader(check, place)


def check_slots(check):
    """Row 23. All keys of a lock are in one slot."""
    with Server("redis-server", cluster_enabled="yes") as server, server.connect() as admin:
        admin.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        is_up = wait_until(lambda: b"cluster_state:ok" in admin.call("CLUSTER", "INFO"))
        check.true(is_up, "it has all the slots")
        place = Place("redis", check, server, admin)
        play_all(check, place)


def check_wall_clock(check):
    """Row 30. A wall clock that is put back by an hour makes a lease at most as long again, and
    tokens rise all the same."""
    with tempfile.NamedTemporaryFile() as file:
        clock = WallClock(file.name)
        os.environ.update(clock.environment())
        try:
            server = Server("redis-server")
        finally:
            for name in clock.environment():
                del os.environ[name]
        with server, server.connect() as admin:
            place = Place("redis", check, server, admin)
            for kind in KINDS:
                clock.move(0)
                place.call("FLUSHALL")
                put_clock_back(check, Lock(place, kind), clock)


def put_clock_back(check, lock, clock):
    ttl = 300
    more = ["write", 0] if lock.what == "rw read" else None
    token = lock.take("a", 1, ttl=ttl)
    clock.move(-HOUR_S)
    started = time.monotonic()
    reply = lock.acquire("b", 1, more=more)
    while reply[0] == "BUSY" and time.monotonic() < started + 10:
        time.sleep(0.02)
        reply = lock.acquire("b", 1, more=more)
    waited = time.monotonic() - started
    check.equal(reply[0], "OK", f"{lock.what}: it is not held for ever: {reply}")
    check.true(waited >= 0.2, f"{lock.what}: nor is it taken from its holder: {waited}")
    check.true(int(reply[1]) > token, f"{lock.what}: the token rises")
    check.equal(lock.renew("a", token), ["LOST"], f"{lock.what}: it was lost")
    lock.ask("release", "b", int(reply[1]))


def main():
    check = Check()
    check_server(check, "ours")
    check_declared_keys(check)
    if shutil.which("redis-server") is None:
        check.skip("redis-server", "it is not installed")
    else:
        check_server(check, "redis", "redis-server")
        check_slots(check)
        if WallClock.LIBRARY is None:
            check.skip("the wall clock", "MOONLATCH_WALLCLOCK is not set")
        else:
            check_wall_clock(check)
    check.finish()


if __name__ == "__main__":
    main()
