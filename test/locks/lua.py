#!/usr/bin/python3
"""The lock scripts of lua/, edge by edge: as the functions of our server, and their text there
and on redis-server. What is given, is given alike.

Each case has the numbers of the faults, known of other locks, that it answers:

     2  a grant that is given up stays            17  a late "I give up" hits the next attempt
     3  a lost reply makes the count 2            18  an acquire costs as much as there are waiters
     4  one error stops the renewal of all        19  a wake-up is lost
     7  a renewal revives what has expired        20  all waiters come at once
     8  a lease is thought longer than it is      23  keys of one lock are in several slots
    10  two hold it, since one has slept          25  a script dies half way, its writes stay
    11  nobody checks the token                   26  a release of somebody else's lock
    12  who checks writes only loses updates      27  read-write: leases, writers that starve
    13  re-entrance changes the token             28  a semaphore's count and permits disagree
    14  tokens go back; keys live for ever        29  several locks, taken one after the other
    15  dead waiters block, or lose the order     30  the wall clock
    16  a waiter is never removed                 36  the same session locks twice"""""

import resource
import shutil

import lua_model
import lua_waiting
from place import LONG, Lock, Place, Waiter, fields_of, is_error, run_case
from server import Check, Server

HOUR_US = 3_600_000_000
ALONE = ("mutex", "fair", "rw", "election", "multi")  # Held by one at a time, with a record.
ALL = (*ALONE, "rw read", "semaphore")
QUEUED = ("fair", "rw", "semaphore", "election")

CASES = []


def case(*rows, kinds=(None,), only=None):
    """Puts a function into the table of cases: with the rows that it answers, once for each of
    some kinds, and if it is `only` for servers that can have clients wait, or cannot."""

    def put(function):
        CASES.extend((rows, function, kind, only) for kind in kinds)
        return function

    return put


# What holds of all.


@case(3, 8, kinds=ALL)
def a_lost_reply(place, check, lock):
    first = lock.acquire("a", 1, ttl=5000)
    place.later(3)
    again = lock.acquire("a", 1, ttl=5000)
    check.equal(again[:3], [*first[:2], "5000"], "the same reply")
    check.true(int(again[3]) > int(first[3]), "but for the time")
    check.true(2500 < lease_left(lock) <= 5000, "from which on the lease is as long as it says")
    check.equal(lock.release("a", first[1]), ["OK", "0"], "it was held once")
    check.equal(lock.holders(), {}, "nobody has it")


def lease_left(lock):
    status = lock.status()
    holders = status.get("holders")
    return int((fields_of(holders[0]) if holders else status)["remaining_ms"])


@case(13, 36, kinds=ALL)
def reentrance(place, check, lock):
    token = lock.take("a", 1)
    check.equal(lock.acquire("a", 2, most=2)[:2], ["OK", str(token)], "the same token")
    check.equal(lock.acquire("a", 3, most=2), ["LIMIT", "2"], "not too often")
    check.equal(lock.holders(), {"a": 2}, "so often it is held")
    check.equal(lock.release("a", token), ["OK", "1"], "once less")
    check.equal(lock.renew("a", token)[:3], ["OK", str(token), str(LONG)], "it is held still")
    check.equal(lock.release("a", token), ["OK", "0"], "not any more")
    for _ in range(2):
        check.equal(lock.release("a", token), ["OK", "0"], "a release may be repeated")
    check.equal(lock.renew("a", token), ["LOST"], "there is nothing to renew")


@case(3, kinds=ALL)
def late_copies(place, check, lock):
    token = lock.take("a", 5)
    check.equal(lock.acquire("a", 4), ["STALE"], "an older request")
    lock.release("a", token)
    before = place.dump()
    check.equal(lock.acquire("a", 5), ["STALE"], "one that is over")
    check.equal(lock.acquire("a", 4), ["STALE"], "an older one")
    check.equal(place.dump(), before, "nothing has come of them")
    check.true(lock.take("a", 6) >= token, "the next one is granted")


@case(7, 26, kinds=ALL)
def a_lease_that_passes(place, check, lock):
    token = lock.take("a", 1, ttl=15_000)
    place.later(30)
    for _ in range(2):
        check.equal(lock.renew("a", token), ["LOST"], "a late renewal, though nobody has it")
        check.equal(lock.release("a", token), ["LOST"], "a late release")
        check.equal(lock.acquire("a", 1), ["STALE"], "a late copy")
        check.equal(lock.cancel("a", 1), ["OK"], "a late cancel")
    check.equal(lock.holders(), {}, "nobody has it")
    check.true(lock.take("a", 2) >= token, "the next one is granted")


@case(10, 26, kinds=ALONE)
def a_take_over(place, check, lock):
    token = lock.take("a", 1, ttl=15_000)
    place.later(30)
    reply = lock.acquire("b", 1)
    check.equal([reply[0], reply[4]], ["OK", str(token)], "it is told whose lease had passed")
    check.true(int(reply[1]) > token, "the token is higher")
    check.equal(lock.release("a", token), ["LOST"], "a late release")
    check.equal(lock.release("b", token), ["LOST"], "a wrong token")
    check.equal(lock.release("a", reply[1]), ["LOST"], "a wrong owner")
    check.equal(lock.renew("a", token), ["LOST"], "a late renewal")
    check.equal(lock.renew("a", reply[1]), ["LOST"], "a wrong owner renews")
    check.equal(lock.cancel("a", 1), ["OK"], "a late cancel")
    check.equal(lock.holders(), {"b": 1}, "it is the new one's")
    busy = lock.acquire("a", 2)
    check.equal([busy[0], busy[1], busy[3]], ["BUSY", reply[1], "b"], "others are told so")
    check.true(LONG - 5000 < int(busy[2]) <= LONG, "for how long it may be")
    lock.release("b", reply[1])
    check.equal(lock.acquire("a", 3)[4], "", "who has released has not been taken over")


@case(10, kinds=ALONE)
def a_delay(place, check, lock):
    lock.take("a", 1, ttl=10_000, delay=60_000)
    place.later(20)
    for owner in ("b", "a"):
        reply = lock.acquire(owner, 2)
        check.equal(reply[0], "DELAY", "who had it may be at work still")
        check.true(0 < int(reply[1]) <= 50_000, f"so long: {reply}")
    if lock.kind == "rw":
        check.equal(lock.acquire("b", 3, more=["read", 0])[0], "DELAY", "for readers too")
    place.later(60)
    token = lock.take("b", 4, delay=LONG)
    lock.release("b", token)
    lock.release("a", lock.take("a", 5, delay=LONG))  # Who releases is not at work.
    lock.take("c", 1, delay=LONG)
    lock.cancel("c", 1)  # Nor is who has given up.
    check.equal(lock.acquire("d", 1)[0], "OK", "so nobody waits")


@case(2, 17, kinds=ALL)
def a_cancel(place, check, lock):
    lock.take("a", 1)
    for _ in range(2):
        check.equal(lock.cancel("a", 1), ["OK"], "it is undone")
    check.equal(lock.holders(), {}, "nobody has it")
    check.equal(lock.acquire("a", 1), ["STALE"], "a copy of the request comes late")
    token = lock.take("b", 1)
    lock.cancel("a", 1)
    check.equal(lock.holders(), {"b": 1}, "others are not concerned")
    lock.acquire("b", 2)
    for _ in range(2):
        check.equal(lock.cancel("b", 2), ["OK"], "it enters once less")
        check.equal(lock.holders(), {"b": 1}, "and not twice")
    check.equal(lock.acquire("b", 2), ["STALE"], "a copy of that")
    for _ in range(2):
        check.equal(lock.cancel("b", 3), ["OK"], "a cancel that is before its request")
    check.equal(lock.acquire("b", 3), ["STALE"], "which is not granted then")
    check.equal(lock.holders(), {"b": 1}, "it is held once")
    check.equal(lock.cancel("b", 1), ["OK"], "a cancel of what was before")
    check.equal(lock.acquire("b", 4)[:2], ["OK", str(token)], "the next one is")
    check.equal(lock.release("b", token), ["OK", "1"], "twice now")
    check.equal(lock.release("b", token), ["OK", "0"], "not any more")


@case(30, kinds=ALONE)
def a_clock_put_back(place, check, lock):
    token = lock.take("a", 1, ttl=20_000)
    for key in lock.keys if lock.kind == "multi" else lock.keys[:1]:
        words = place.call("GET", key).split(" ")
        words[6] = str(int(words[6]) + HOUR_US)
        place.call("SET", key, " ".join(words), "PX", LONG)
    check.true(lease_left(lock) <= 20_000, "no lease is longer than its TTL")
    reply = lock.acquire("b", 1)
    check.true(reply[0] == "BUSY" and int(reply[2]) <= 20_000, f"nor does it keep others away: {reply}")
    place.later(30)
    check.equal(lock.renew("a", token), ["LOST"], "it passes")
    check.equal(lock.acquire("b", 2)[4], str(token), "the next one has it")


@case(30, kinds=("rw read", "semaphore"))
def a_clock_put_back_for_shares(place, check, lock):
    token = lock.take("a", 1, ttl=20_000)
    place.call("ZINCRBY", lock.keys[1], HOUR_US, "a 1")
    writer = ["write", 0] if lock.kind == "rw" else None
    check.equal(lock.acquire("b", 1, more=writer)[0], "BUSY", "it is held")
    place.later(30)
    check.equal(lock.renew("a", token), ["LOST"], "it passes")
    check.equal(lock.holders(), {}, "nobody has it")


@case(25, kinds=ALL)
def other_types(place, check, lock):
    """One of the keys has a value of another type: nothing is done, though other parts are due."""
    for key in lock.keys:
        place.call("FLUSHALL")
        token = lock.take("a", 1, ttl=5_000)
        place.later(10)
        place.call("DEL", key)
        place.call("SADD", key, "x")
        before = place.dump()
        check.true(is_error(lock.acquire("c", 1), b"WRONGTYPE"), f"{key}: it is not granted")
        lock.acquire("c", 1, wait=1)
        lock.release("a", token)
        lock.renew("a", token)
        lock.cancel("a", 1)
        check.equal(place.dump(), before, f"{key}: nothing is written")
    place.call("DEL", *lock.keys)


@case(25, kinds=ALL)
def other_kinds(place, check, lock):
    other = Lock(place, "fair" if lock.kind != "fair" else "mutex")
    for text in (None, "a text", "", "mutex 1 a 1 1 1 1 1", "1 2 3 4 5 6 7 8 9"):
        place.call("FLUSHALL")
        if text is None:
            other.take("a", 1)
            place.call("RENAME", other.keys[0], lock.keys[-1 if lock.kind == "multi" else 0])
        else:
            place.call("SET", lock.keys[0], text, "PX", LONG)
        before = place.dump()
        for reply in (lock.acquire("b", 1), lock.release("a", 1), lock.renew("a", 1),
                      lock.cancel("a", 1), lock.ask("status")):
            check.true(is_error(reply, b"LOCKKIND lock:"), f"it is no {lock.what}: {reply}")
        check.equal(place.dump(), before, "nothing is written")


@case(25, kinds=ALL)
def wrong_arguments(place, check, lock):
    requests = [["acquire"], ["acquire", "a"], ["release"], ["release", "a", "x"], ["renew", "a", 1],
                ["renew", "a", 1, 0], ["cancel", "a"], ["cancel", "a", 0], ["nothing"], ["ACQUIRE"],
                ["release", "a", "1.5"], ["renew", "a", 1, "1e3"], ["cancel", "a", "99999999999999999"]]
    for owner in ("", "a b", "-", "a\n", "x" * 201):
        requests.append(lock.acquire_args(owner))
    for name, values in (("rid", (0, "x", "")), ("ttl", (0, -1, "0x10")), ("wait", (-2, "")),
                         ("delay", (-1, "1.0")), ("most", (0, "nan"))):
        requests += [lock.acquire_args("a", **{name: value}) for value in values]
    if len(lock.more) > 1 and lock.kind != "election":
        requests.append(lock.acquire_args("a", more=["x", *lock.more[1:]]))
        requests.append(lock.acquire_args("a", more=[*lock.more[:-1], -1]))
    for request in requests:
        check.true(is_error(lock.ask(*request), b"LOCKARG "), f"{lock.what} {request}: refused")
    check.equal(place.dump(), {}, "nothing is written")
    lock.take("o" * 200, 9007199254740992, ttl=9007199254740)
    check.equal(len(lock.holders()), 1, "what is large is not wrong")
    place.call("FLUSHALL")


@case(14, kinds=ALL)
def a_record_that_is_lost(place, check, lock):
    token = lock.take("a", 1)
    place.call("FLUSHALL")
    check.equal(lock.renew("a", token), ["LOST"], "it is known to be lost")
    check.equal(lock.release("a", token), ["LOST"], "once more")
    check.true(lock.take("b", 1) > token, "tokens rise all the same")


@case(14, kinds=ALL)
def nothing_lives_for_ever(place, check, lock):
    token = lock.take("a", 1, ttl=200)
    lock.acquire("b", 1, ttl=100)
    lock.acquire("c", 1, ttl=100, wait=0 if place.can_wait else 500)
    for step in (lambda: lock.renew("a", token, 300), lambda: lock.cancel("a", 7),
                 lambda: lock.cancel("c", 1), lambda: lock.release("a", token),
                 lambda: lock.take("d", 1, ttl=50), lambda: lock.cancel("d", 1)):
        step()
        times = {key: place.call("PTTL", key) for key in place.call("KEYS", "*")}
        check.true(all(0 < left <= 62000 for left in times.values()), f"{lock.what}: {times}")


@case(19, kinds=ALONE)
def events(place, check, lock):
    with place.server.connect() as listener:
        listener.call("SUBSCRIBE", lock.keys[0])
        token = lock.take("a", 1, ttl=15_000)
        place.later(30)
        later = lock.take("b", 1)
        lock.release("b", later)
        found = [listener.read()[2].decode() for _ in range(4)]
    check.equal(found, [f"granted {token} a", f"expired {token} a", f"granted {later} b",
                        f"released {later} b"], "what is told to whoever listens")


@case(kinds=ALL)
def status_of_nothing(place, check, lock):
    status = lock.status()
    check.equal([status["state"], status["token"]], ["free", "0"], "there is none")
    check.equal(place.dump(), {}, "to look writes nothing")
    lock.take("a", 1)
    status = lock.status()
    check.equal(status["state"], "shared" if lock.what == "rw read" else "held", "it is held")
    check.equal(status["waiters"], "0", "nobody waits")
    check.true(0 < lease_left(lock) <= LONG, "so long")
    check.equal(lock.holders(), {"a": 1}, "by this one")


# Queues where the server cannot have clients wait: each asks again and again.


def end_lease(place, queue, name, left_us=-1):
    """Has the lease of a waiter end at a time from now."""
    ticket = place.call("HGET", queue, name)
    place.call("HSET", queue, f"#{ticket}", f"{name} {place.now_us() + left_us}")


def queue_of(lock):
    return next(key for key in lock.keys if key.endswith(":queue"))


@case(15, 18, 19, 20, kinds=QUEUED, only="redis")
def first_come(place, check, lock):
    token = lock.take("a", 1)
    for i, owner in enumerate(("b", "c", "d")):
        reply = lock.acquire(owner, 1, wait=-1)
        check.equal(reply[:3], ["WAIT", str(i + 1), str(i + 1)], "tickets in order")
        check.true(int(reply[3]) <= 500, "it asks again soon")
        check.equal(lock.acquire(owner, 1, wait=-1)[:2], reply[:2], "and keeps its ticket")
    check.equal(lock.status()["waiters"], "3", "so many wait")
    check.equal(lock.acquire("e", 1)[0], "BUSY", "who only tries does not wait")
    with place.server.connect() as listener:
        listener.call("SUBSCRIBE", lock.keys[0])
        lock.release("a", token)
        found = [listener.read()[2] for _ in range(2)]
        check.equal(found[1], b"turn b 1", "the first is told")
    check.equal(lock.acquire("e", 2)[0], "BUSY", "who only tries comes before nobody")
    check.equal(lock.acquire("d", 1, wait=-1)[0], "WAIT", "nor does the last")
    for owner in ("b", "c", "d"):
        token = lock.take(owner, 1, wait=-1)
        check.equal(lock.acquire(owner, 1, wait=-1)[:2], ["OK", str(token)], "the reply was lost")
        lock.release(owner, token)
    check.equal(lock.status()["waiters"], "0", "all have been served")
    lock.take("e", 3)


@case(15, 16, kinds=QUEUED, only="redis")
def dead_waiters(place, check, lock):
    token = lock.take("a", 1)
    for owner in ("b", "c", "d", "e"):
        lock.acquire(owner, 1, wait=-1)
    for owner in ("b", "c"):
        end_lease(place, queue_of(lock), f"{owner} 1")
    lock.release("a", token)
    check.equal(lock.acquire("e", 1, wait=-1)[0], "WAIT", "it is not its turn")
    token = lock.take("d", 1, wait=-1)
    check.equal(place.call("HLEN", queue_of(lock)), 4, "of the dead nothing is left")
    check.equal(lock.acquire("b", 1, wait=-1)[0], "WAIT", "one that was not dead has a new ticket")
    lock.release("d", token)
    check.equal(lock.acquire("b", 1, wait=-1)[0], "WAIT", "behind the others")
    # The first does not come: it has until its lease is over.
    end_lease(place, queue_of(lock), "e 1", 1_000_000)
    check.equal(lock.acquire("b", 1, wait=-1)[0], "WAIT", "it may come")
    place.later(30)
    check.equal(lock.acquire("b", 1, wait=-1)[0], "OK", "it has not come")


@case(15, 30, kinds=QUEUED, only="redis")
def waiters_of_a_clock_put_back(place, check, lock):
    token = lock.take("a", 1)
    lock.acquire("b", 1, wait=-1)
    end_lease(place, queue_of(lock), "b 1", HOUR_US)
    lock.release("a", token)
    check.equal(lock.acquire("c", 1, wait=-1)[0], "OK", "one that may be dead waits for ever")


@case(2, 17, kinds=QUEUED, only="redis")
def a_waiter_gives_up(place, check, lock):
    token = lock.take("a", 1)
    for owner, rid in (("b", 1), ("c", 1), ("c", 2)):
        lock.acquire(owner, rid, wait=-1)
    check.equal(lock.cancel("c", 1), ["OK"], "an attempt is given up")
    check.equal(lock.status()["waiters"], "2", "its next one waits on")
    lock.release("a", token)
    with place.server.connect() as listener:
        listener.call("SUBSCRIBE", lock.keys[0])
        lock.cancel("b", 1)
        check.equal(listener.read()[2], b"turn c 2", "the next one is told")
    check.equal(lock.acquire("c", 2, wait=-1)[0], "OK", "and gets it")


@case(15, kinds=QUEUED, only="redis")
def a_full_queue(place, check, lock):
    some = {"rw": ["write", 2], "semaphore": [1, 1, 2], "election": [2, "v"]}.get(lock.kind, [2])
    lock.take("a", 1)
    lock.acquire("b", 1, wait=-1, more=some)
    lock.acquire("c", 1, wait=-1, more=some)
    check.equal(lock.acquire("d", 1, wait=-1, more=some), ["FULL"], "no more may wait")
    check.equal(lock.acquire("d", 2, more=some)[0], "BUSY", "but try")
    check.equal(lock.acquire("c", 1, wait=-1, more=some)[0], "WAIT", "who waits, waits on")
    end_lease(place, queue_of(lock), "c 1")
    check.equal(lock.acquire("d", 1, wait=-1, more=some)[0], "WAIT", "the dead do not count")
    check.equal(lock.acquire("b", 1, wait=-1, more=some)[2], "1", "the first stays so")


@case(15, kinds=QUEUED, only="redis")
def large_numbers(place, check, lock):
    token = lock.take("a", 1)
    lock.acquire("b", 9007199254740991, wait=-1)
    lock.acquire("c", "0000000000000000001", wait=-1)
    lock.release("a", token)
    check.equal(lock.acquire("d", 1, wait=-1)[0], "WAIT", "others are first")
    lock.cancel("b", 9007199254740991)
    lock.cancel("c", 1)
    check.equal(lock.acquire("d", 1, wait=-1)[0], "OK", "they have gone")


@case(15, kinds=QUEUED, only="ours")
def a_queue_from_elsewhere(place, check, lock):
    """The data is of a server that could not have clients wait: who is there is first."""
    lock.release("a", lock.take("a", 1))
    place.call("HSET", queue_of(lock), "first", 1, "next", 2, "b 1", 1,
               "#1", f"b 1 {place.now_us() + 1_400_000}")
    place.call("PEXPIRE", queue_of(lock), LONG)
    check.equal(lock.acquire("c", 1)[0], "BUSY", "it is somebody else's turn")
    check.equal(lock.acquire("c", 2, wait=5)[0], "BUSY", "also to who waits a little")
    waiter = Waiter(lock, "c", 3)
    place.later(2)
    place.call("PEXPIRE", lock.keys[0], LONG)
    check.equal(waiter.reply()[0], "OK", "who has not come is passed over")


# Read-write locks.


def readers_and_writer(place):
    return Lock(place, "rw read"), Lock(place, "rw")


@case(27)
def readers_share(place, check, _):
    reader, writer = readers_and_writer(place)
    tokens = {reader.take(owner) for owner in ("a", "b", "c")}
    check.equal(len(tokens), 1, "they have one token")
    token = tokens.pop()
    check.equal(writer.acquire("w", 1)[0], "BUSY", "no writer comes in")
    for owner in ("a", "b", "c"):
        check.equal(reader.release(owner, token), ["OK", "0"], "it leaves")
        check.equal(reader.release(owner, token), ["OK", "0"], "a copy of that")
    higher = writer.take("w", 2)
    check.true(higher > token, "a writer's token is higher")
    check.equal(reader.acquire("a", 2)[0], "BUSY", "no reader comes in")
    writer.release("w", higher)
    check.equal(reader.take("a", 3), higher, "readers know what the writer has left")
    check.equal(writer.acquire("a", 4), ["LIMIT", "1"], "a reader is no writer at once")


@case(27)
def readers_leases(place, check, _):
    reader, writer = readers_and_writer(place)
    token = reader.take("a", 1, ttl=15_000)
    reader.take("b", 1, ttl=50_000)
    reader.release("a", token)
    reader.take("a", 2, ttl=15_000)
    busy = writer.acquire("w", 1)
    check.true(15_000 < int(busy[2]) <= 50_000, "a writer waits for the last of them")
    place.later(30)
    check.equal(reader.holders(), {"b": 1}, "each lease passes by itself")
    check.equal(reader.release("a", token), ["LOST"], "a late release, of what it has twice had")
    check.equal(reader.renew("a", token), ["LOST"], "a late renewal")
    check.equal(reader.renew("b", token, 20_000)[0], "OK", "another's is renewed")
    place.later(30)
    writer.take("w", 2)
    check.equal(place.call("ZCARD", reader.keys[1]), 0, "nothing is left of them")
    check.equal([key for key in place.call("HKEYS", reader.keys[2]) if key != "-"], [], "nor here")


@case(27)
def long_and_short_readers(place, check, _):
    reader, _ = readers_and_writer(place)
    reader.take("a", 1, ttl=3_000_000)
    reader.take("b", 1, ttl=10_000)
    check.true(all(place.call("PTTL", key) > 3_000_000 for key in place.call("KEYS", "*")),
               "all is kept as long as the longest")


@case(10, 26, 27)
def readers_after_a_dead_writer(place, check, _):
    reader, writer = readers_and_writer(place)
    token = writer.take("w", 1, ttl=15_000)
    place.later(30)
    reply = reader.acquire("a", 1)
    check.equal(reply[4], str(token), "the reader is told")
    check.true(int(reply[1]) > token, "and has a higher token than who may write still")
    check.equal(reader.acquire("b", 1)[4], "", "the next one has taken over nothing")
    check.equal(writer.release("w", token), ["LOST"], "a late release")
    check.equal(writer.acquire("w", 1), ["STALE"], "a late copy")
    check.equal(reader.holders(), {"a": 1, "b": 1}, "they read on")


@case(27, only="redis")
def writers_do_not_starve(place, check, _):
    reader, writer = readers_and_writer(place)
    token = reader.take("a", 1)
    writer.acquire("w", 1, wait=-1)
    check.equal(reader.acquire("b", 1)[0], "BUSY", "no reader comes before a writer that waits")
    for owner in ("b", "c"):
        check.equal(reader.acquire(owner, 2, wait=-1)[0], "WAIT", "it waits behind")
    check.equal(reader.acquire("a", 2)[0], "OK", "who reads may enter again")
    reader.release("a", token)
    reader.release("a", token)
    token = writer.take("w", 1, wait=-1)
    writer.release("w", token)
    for owner in ("b", "c"):
        check.equal(reader.take(owner, 2, wait=-1), token, "then readers, together")


@case(8, 27)
def upgrade(place, check, _):
    reader, writer = readers_and_writer(place)
    token = reader.take("a", 1)
    reader.acquire("a", 2)
    reader.take("b", 1)
    check.equal(reader.ask("upgrade", "a", 3, token, LONG), ["DEADLOCK", "b"], "another reads")
    reader.release("b", token)
    check.equal(reader.ask("upgrade", "a", 3, token + 1, LONG), ["LOST"], "a wrong token")
    check.equal(reader.ask("upgrade", "b", 3, token, LONG), ["LOST"], "one that does not read")
    reply = reader.ask("upgrade", "a", 3, token, 5000)
    check.equal([reply[0], reply[2]], ["OK", "5000"], "it writes")
    check.true(int(reply[1]) > token, "with a higher token")
    place.later(3)
    check.equal(reader.ask("upgrade", "a", 3, token, 5000)[:3], reply[:3], "a copy")
    check.true(2500 < lease_left(writer) <= 5000, "from which on the lease is as long as it says")
    check.equal(writer.holders(), {"a": 2}, "as often as it has entered")
    check.equal(reader.renew("a", token), ["LOST"], "it reads no more")
    check.equal(reader.acquire("a", 4), ["LIMIT", "2"], "nor by asking")
    check.equal(writer.release("a", reply[1]), ["OK", "1"], "it leaves")
    check.equal(writer.release("a", reply[1]), ["OK", "0"], "twice")
    reader.take("b", 2)


@case(8, 27)
def downgrade(place, check, _):
    reader, writer = readers_and_writer(place)
    token = writer.take("a", 1, ttl=5000)
    writer.acquire("a", 2, ttl=5000)
    check.equal(writer.ask("downgrade", "a", token + 1), ["LOST"], "a wrong token")
    reply = writer.ask("downgrade", "a", token)
    check.equal(reply[:3], ["OK", str(token), "5000"], "it reads")
    place.later(3)
    again = writer.ask("downgrade", "a", token)
    check.equal(again[:3], reply[:3], "a copy")
    check.true(2500 < lease_left(reader) <= 5000, "from which on the lease is as long as it says")
    check.equal(reader.take("b", 1), token, "others read too")
    check.equal(writer.acquire("w", 1)[0], "BUSY", "nobody writes")
    check.equal(reader.holders(), {"a": 2, "b": 1}, "as often as it has entered")
    check.equal(reader.renew("a", token, 5000)[0], "OK", "it is renewed")
    check.equal(reader.release("a", token), ["OK", "1"], "it leaves")
    check.equal(reader.release("a", token), ["OK", "0"], "twice")
    check.equal(reader.holders(), {"b": 1}, "and has left")
    reader.release("b", token)
    late = writer.take("w", 2, ttl=10_000)
    place.later(20)
    check.equal(writer.ask("downgrade", "w", late), ["LOST"], "too late")


@case(27)
def one_owner_reads_what_it_wrote(place, check, _):
    reader, writer = readers_and_writer(place)
    token = writer.take("a", 1)
    writer.release("a", token)
    check.equal(reader.take("a", 2), token, "the same token")
    check.equal(reader.release("a", token), ["OK", "0"], "it leaves")
    check.equal(reader.holders(), {}, "and has left")


# Semaphores.


def permits(place, count, capacity=3):
    return Lock(place, "semaphore", more=[count, capacity, 0])


@case(28)
def all_permits_or_none(place, check, _):
    one, two, three = (permits(place, count) for count in (1, 2, 3))
    token = two.take("a", 1)
    before = place.dump()
    check.equal(two.acquire("b", 1)[0], "BUSY", "there are not so many")
    check.equal(place.dump(), before, "it has none of them")
    higher = one.take("b", 2)
    check.true(higher > token, "tokens rise")
    check.equal(fields_of(one.ask("status"))["taken"], "3", "all are taken")
    check.equal(one.acquire("c", 1)[0], "BUSY", "all are taken")
    check.equal(two.release("a", token), ["OK", "0"], "two come back")
    check.equal(two.release("a", token), ["OK", "0"], "once")
    check.equal(three.acquire("c", 2)[0], "BUSY", "not all")
    two.take("c", 3)
    check.equal(one.holders(), {"b": 1, "c": 1}, "who has some")


@case(28)
def permits_pass_one_by_one(place, check, _):
    one = permits(place, 1)
    token = one.take("a", 1, ttl=15_000)
    one.take("b", 1, ttl=60_000)
    one.take("c", 1, ttl=100_000)
    busy = one.acquire("d", 1)
    check.true(busy[0] == "BUSY" and int(busy[2]) <= 15_000, f"it may look again when one is back: {busy}")
    place.later(30)
    one.take("d", 2)
    check.equal(one.acquire("e", 1)[0], "BUSY", "one has come back")
    check.equal(one.release("a", token), ["LOST"], "late")
    check.equal(one.acquire("e", 2)[0], "BUSY", "a late release gives nothing")
    place.later(50)
    one.take("e", 3)
    check.equal(one.holders(), {"c": 1, "d": 1, "e": 1}, "three have one")


@case(28)
def capacity(place, check, _):
    check.true(is_error(permits(place, 1, 0).acquire("a", 1), b"LOCKARG"), "nobody has said it")
    check.true(is_error(permits(place, 4).acquire("a", 1), b"LOCKARG"), "so many there are never")
    check.equal(place.dump(), {}, "nothing is written")
    permits(place, 2).take("a", 1)
    permits(place, 1, 0).take("b", 1)
    check.equal(permits(place, 1, 0).acquire("c", 1)[0], "BUSY", "as it was said")
    permits(place, 1, 4).take("c", 2)
    check.equal(permits(place, 1, 1).acquire("d", 1)[0], "BUSY", "fewer than are taken")
    check.equal(fields_of(permits(place, 1).ask("status"))["capacity"], "4", "a refusal sets none")


# Several locks at once.


@case(23, 29)
def all_locks_or_none(place, check, _):
    both, a, b = Lock(place, "multi"), Lock(place, "mutex", "{t}a"), Lock(place, "mutex", "{t}b")
    token = b.take("x", 1)
    before = place.dump()
    reply = both.acquire("y", 1)
    check.equal([reply[0], reply[1], reply[3], reply[4]], ["BUSY", str(token), "x", "lock:{t}b"],
                "it is told of the one that is held")
    check.equal(place.dump(), before, "it has none of them")
    b.release("x", token)
    higher = both.take("y", 2)
    check.true(higher > token, "one token, above all")
    check.equal([a.status()["token"], b.status()["token"]], [str(higher)] * 2, "for both")
    check.equal(a.acquire("x", 2)[0], "BUSY", "they are the same as those that are held alone")
    check.equal(both.release("y", higher), ["OK", "0"], "it gives them back")
    check.equal(both.release("y", higher), ["OK", "0"], "once")
    a.take("x", 3)
    b.take("z", 1)


@case(13, 29)
def part_of_them(place, check, _):
    both, a, b = Lock(place, "multi"), Lock(place, "mutex", "{t}a"), Lock(place, "mutex", "{t}b")
    token = a.take("x", 1)
    check.equal(both.acquire("x", 2), ["LIMIT", "1"], "what it has keeps its token")
    check.equal(a.renew("x", token)[0], "OK", "so it has it still")
    a.release("x", token)
    token = both.take("x", 3)
    place.call("DEL", b.keys[0])
    check.equal(both.renew("x", token), ["LOST"], "one is lost, so all are")
    check.equal(both.release("x", token), ["LOST"], "that is told")
    check.equal(a.holders(), {}, "and the others are given back")
    twice = Lock(place, "multi", "{t}c", "{t}c")
    token = twice.take("x", 1)
    check.equal(twice.acquire("x", 2)[:2], ["OK", str(token)], "one named twice")
    check.equal(twice.release("x", token), ["OK", "1"], "is one")
    check.equal(twice.release("x", token), ["OK", "0"], "all the same")


# Elections.


@case(10, 13)
def election(place, check, _):
    vote = Lock(place, "election", more=[0, "at home"])
    check.equal(vote.ask("observe"), ["NONE", "0"], "nobody leads")
    term = vote.take("a", 1, ttl=40_000)
    seen = vote.ask("observe")
    check.equal(seen[:4], ["OK", str(term), "a", "at home"], "who leads, and where")
    check.true(0 < int(seen[4]) <= 40_000, "for how long")
    check.equal(vote.ask("proclaim", "a", term, "away"), ["OK"], "it says something else")
    check.equal(vote.acquire("a", 1, ttl=40_000)[0], "OK", "a copy of the campaign")
    check.equal(vote.ask("observe")[3], "away", "which says nothing")
    check.equal(vote.ask("proclaim", "b", term, "x"), ["LOST"], "others do not")
    place.later(60)
    check.equal(vote.ask("observe"), ["NONE", str(term)], "it leads no more")
    check.equal(vote.ask("proclaim", "a", term, "x"), ["LOST"], "so it says nothing")
    later = vote.take("b", 1)
    check.true(later > term, "the term rises")
    check.equal(vote.ask("observe")[2:4], ["b", "at home"], "the new one's value")
    check.equal(vote.release("a", term), ["LOST"], "the old one does not resign")
    check.equal(vote.release("b", later), ["OK", "0"], "the new one does")
    check.equal(place.call("EXISTS", vote.keys[2]), 0, "what it said is gone")
    vote.take("c", 1)
    vote.cancel("c", 1)
    check.equal(place.call("EXISTS", vote.keys[2]), 0, "so it is when one gives up")
    vote.take("d", 1, ttl=20_000)
    check.true(is_error(vote.ask("proclaim", "d", 1), b"LOCKARG"), "what?")


# Guards.


def guard(place, *args, keys=("data",)):
    return place.ask("guard", ["guard:{g}", *(f"{{g}}{key}" for key in keys)], *args)


@case(10, 11)
def a_guard(place, check, _):
    check.equal(guard(place, "touch", 41), ["OK", "41"], "the first")
    check.equal(guard(place, "touch", 41), ["OK", "41"], "the same")
    check.equal(guard(place, "write", 42, "x"), ["OK", "42"], "a higher one")
    check.equal(guard(place, "write", 41, "y"), ["REFUSED", "42"], "one that has slept")
    check.equal(guard(place, "read", 41), ["REFUSED", "42"], "it reads nothing either")
    check.equal(guard(place, "touch", 41), ["REFUSED", "42"], "nor anything else")
    check.equal(guard(place, "read", 42), ["OK", "x"], "what was written")
    check.equal(guard(place, "status"), ["kind", "guard", "token", "42"], "what it has seen")
    check.equal(guard(place, "write", 43, "x", "y", keys=("data", "more")), ["OK", "43"], "two")
    check.equal(guard(place, "read", 43, keys=("data", "more", "none")), ["OK", "x", "y", None], "both")


@case(12)
def a_lost_update(place, check, _):
    guard(place, "write", 40, "0")
    values = [int(guard(place, "read", token)[1]) for token in (41, 42)]
    check.equal(guard(place, "write", 41, values[0] + 1), ["REFUSED", "42"], "who has read before")
    guard(place, "write", 42, values[1] + 1)
    check.equal(guard(place, "read", 43), ["OK", "1"], "nothing is lost that was written")
    # Without the token at the reads each write is the highest so far, and the first is lost.
    values = [int(place.call("GET", "{g}data")) for _ in range(2)]
    replies = [guard(place, "write", token, values[0] + 1)[0] for token in (51, 52)]
    check.equal([replies, place.call("GET", "{g}data")], [["OK", "OK"], "2"], "2 and 1 are 3")


@case(25)
def a_guard_of_something_else(place, check, _):
    place.call("SADD", "{g}data", "x")
    before = place.dump()
    check.true(is_error(guard(place, "read", 41), b"WRONGTYPE"), "the data is no text")
    for request in (["touch"], ["touch", "x"], ["touch", 0], ["write", 41], ["write", 41, 1, 2], ["x"]):
        check.true(is_error(guard(place, *request), b"LOCKARG"), f"{request}")
    check.equal(place.dump(), before, "nothing is written")
    place.call("SET", "guard:{g}", "text")
    before = place.dump()
    check.true(is_error(guard(place, "touch", 41), b"LOCKKIND"), "the guard is none")
    place.call("DEL", "guard:{g}")
    place.call("SADD", "guard:{g}", "x")
    check.true(is_error(guard(place, "write", 41, 1), b"WRONGTYPE"), "nor is this")


@case(14)
def tokens_rise(place, check, _):
    lock, last = Lock(place, "mutex"), 0
    for i in range(20):
        token = lock.take("a", i + 1)
        check.true(token > last, "tokens rise, though the key is deleted")
        last = token
        if i % 2:
            lock.release("a", token)
        else:
            place.call("DEL", *lock.keys)
    place.call("SET", lock.keys[0], f"mutex {last + HOUR_US} z 1 0 1 1 1 0", "PX", LONG)
    check.equal(lock.take("a", 100), last + HOUR_US + 1, "also when the clock has been put back")


# All that a session holds, renewed in one go.


@case(4, 7)
def renewal_of_all(place, check, _):
    locks = [Lock(place, "mutex", "m"), Lock(place, "fair", "f"), Lock(place, "rw", "w"),
             Lock(place, "rw read", "r"), Lock(place, "semaphore", "s"), Lock(place, "election", "e"),
             Lock(place, "mutex", "late")]
    kinds = ["mutex", "fair", "rw", "read", "permits", "election", "mutex"]
    tokens = [lock.take("a", 1, ttl=20_000 if "late" in lock.keys[0] else 100_000) for lock in locks]
    counts = {"read": 3, "permits": 3}
    keys = [lock.keys[:counts.get(kind, 1)] for lock, kind in zip(locks, kinds)]
    flat = [key for some in keys for key in some]
    holds = [[kind, "a", token, 5000] for kind, token in zip(kinds, tokens)]
    place.later(25)

    def renew(holds, keys=flat):
        return place.ask("renew", keys, "renew", *(word for hold in holds for word in hold))

    reply = renew(holds)
    check.true(abs(int(reply[0]) - place.now_us()) < 1_000_000, "the time")
    check.equal(reply[1:], ["OK"] * 6 + ["LOST"], "each by itself")
    check.true(all(4900 < lease_left(lock) <= 5000 for lock in locks[:6]), "so long now")
    before = place.dump()
    check.true(is_error(renew([*holds[:6], ["mutex", "a", 0, 1]]), b"LOCKARG"), "a wrong one")
    check.true(is_error(renew(holds, flat[:-1]), b"LOCKARG"), "too few keys")
    check.equal(place.dump(), before, "nothing is written then")
    place.call("DEL", locks[1].keys[0], locks[4].keys[1])
    place.call("SADD", locks[1].keys[0], "x")
    place.call("SADD", locks[4].keys[1], "x")
    place.call("SET", locks[2].keys[0], "text", "PX", LONG)
    reply = renew(holds)
    check.true(is_error(reply[2], b"WRONGTYPE") and is_error(reply[5], b"WRONGTYPE"), "two are broken")
    check.true(is_error(reply[3], b"LOCKKIND"), "and one is no lock")
    check.equal([reply[i] for i in (1, 4, 6, 7)], ["OK", "OK", "OK", "LOST"], "the others are not")
    place.call("DEL", locks[1].keys[0], locks[4].keys[1])


def is_kept_for_ever(place):
    """Returns the keys that nothing removes, and ought to."""
    keys = [key.decode() for key in place.admin.call("KEYS", "lock:*")]
    return [key for key in keys if place.call("PTTL", key) < 0]


def run(place, check):
    for rows, function, kind, only in CASES:
        if only == ("redis" if place.can_wait else "ours"):
            continue
        place.call("FLUSHALL")
        where = f"{place.what}: {function.__name__} {kind or ''} (rows {rows})"
        run_case(check, where, function, place, check, Lock(place, kind) if kind else None)
        if function not in (other_types, other_kinds):
            check.equal(is_kept_for_ever(place), [], f"{where}: all keys go away")


def main():
    check = Check()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Server() as server, server.connect() as admin:
        for what, by_function in (("functions", True), ("scripts", False)):
            place = Place(what, check, server, admin, by_function)
            run(place, check)
            lua_waiting.run(place, check)
            lua_model.run(place, check)
    if shutil.which("redis-server") is None:
        check.skip("redis-server", "it is not installed")
    else:
        with Server("redis-server") as server, server.connect() as admin:
            place = Place("redis", check, server, admin)
            run(place, check)
            lua_model.run(place, check)
    check.finish()


if __name__ == "__main__":
    main()
