"""Requests for locks that wait at our server."""

import time

from place import LONG, MORE, Lock, Waiter, fields_of, run_case, told
from server import wait_until

ALL = tuple(MORE)
MANY = 1000


def nobody_waits(place):
    return wait_until(lambda: place.blocked() == 0)


def hand_over(place, check, kind):
    """Rows 19, 20: no wake-up is lost, and only one comes."""
    lock = Lock(place, kind)
    token = lock.take("a", 1)
    waiters = {owner: Waiter(lock, owner) for owner in ("b", "c", "d")}
    status = lock.status()
    check.equal(status["waiters"], "3", "so many wait")
    check.equal([row[0] for row in status["waiting"]], ["b", "c", "d"], "who they are, in order")
    check.equal(lock.acquire("e", 1)[0], "BUSY", "who only tries does not wait")
    for owner, waiter in waiters.items():
        lock.release("a" if owner == "b" else previous, token)
        # Nobody else can have been in between.
        check.equal(lock.holders(), {owner: 1}, "the release has given it to the next")
        reply = waiter.reply()
        check.equal([reply[0], reply[2], reply[4]], ["OK", str(LONG), ""], "which is told")
        check.true(int(reply[1]) > token, "tokens rise")
        token, previous = int(reply[1]), owner
    lock.release(previous, token)
    check.true(nobody_waits(place), "all are served")


def time_passes(place, check, kind):
    lock = Lock(place, kind)
    token = lock.take("a", 1)
    started = time.monotonic()
    reply = lock.acquire("b", 1, wait=10)
    check.equal([reply[0], reply[1], reply[3]], ["BUSY", str(token), "a"], "its time is up")
    check.true(time.monotonic() - started >= 0.009, "it has waited so long")
    lock.renew("a", token, 15)
    reply = lock.acquire("b", 2, wait=-1)
    check.true(reply[0] == "OK" and int(reply[1]) > token, f"the lease has passed: {reply}")
    check.equal(lock.release("a", token), ["LOST"], "which who had it is told")
    if kind != "semaphore":
        check.equal(reply[4], str(token), "and who has it")
        lock.cancel("b", 2)
        started = time.monotonic()
        lock.take("c", 1, ttl=10, delay=20)
        check.equal(lock.acquire("d", 1, wait=5000)[0], "OK", "a delay is waited for too")
        check.true(time.monotonic() - started >= 0.028, "to its end")


def who_goes(place, check, kind):
    """Rows 2, 15: who is gone keeps nobody waiting, and gets nothing."""
    lock = Lock(place, kind)
    token = lock.take("a", 1)
    gone, waiter = Waiter(lock, "b"), Waiter(lock, "c")
    gone.close()
    check.true(wait_until(lambda: place.blocked() == 1), "it leaves")
    again = Waiter(lock, "c", 1)
    lock.release("a", token)
    reply = waiter.reply()
    check.equal(reply[0], "OK", "the next is served")
    check.equal(again.reply()[:2], reply[:2], "and a copy of its request too")
    check.equal(lock.holders(), {"c": 1}, "once")
    unblocked = Waiter(lock, "d")
    for line in place.call("CLIENT", "LIST").splitlines():
        words = dict(word.split("=", 1) for word in line.split())
        if "b" in words["flags"]:
            place.call("CLIENT", "UNBLOCK", words["id"])
    check.equal(unblocked.reply()[0], "BUSY", "one that is told to wait no more")


def full(place, check, kind):
    some = {"rw": ["write", 1], "semaphore": [1, 1, 1], "election": [1, "v"], "fair": [1]}.get(kind)
    if some is None:
        return
    lock = Lock(place, kind, more=some)
    token = lock.take("a", 1)
    waiter = Waiter(lock, "b")
    check.equal(lock.acquire("c", 1, wait=-1), ["FULL"], "no more may wait")
    lock.release("a", token)
    check.equal(waiter.reply()[0], "OK", "who waits is served")


def in_a_transaction(place, check, kind):
    lock = Lock(place, kind)
    lock.take("a", 1)
    place.call("MULTI")
    lock.acquire("b", 1, wait=-1)
    check.equal(place.call("EXEC")[0][0], "BUSY", "nobody waits in a transaction")


def deadlock(place, check, kind):
    one, two = ((Lock(place, kind, name) for name in "xy") if kind != "multi" else
                (Lock(place, kind, f"{{t}}{name}", f"{{t}}{name}2") for name in "xy"))
    token = one.take("A/1", 1)
    two.take("B/1", 1)
    waiter = Waiter(two, "A/2")
    circle = ["B/2", one.keys[0], "A/1", two.keys[0], "B/1"]
    check.equal(one.acquire("B/2", 1, wait=-1), ["DEADLOCK", " -> ".join(circle)], "it is told")
    check.true(waiter.waits(), "the other waits on")
    check.equal(one.acquire("A/3", 1, wait=-1), ["DEADLOCK", f"A/3 -> {one.keys[0]} -> A/1"],
                "with itself")
    check.equal(one.acquire("B/3", 1)[0], "BUSY", "who does not wait is in no deadlock")
    one.release("A/1", token)
    waiter.close()
    check.true(nobody_waits(place), "nobody waits")


CASES = (hand_over, time_passes, who_goes, full, in_a_transaction, deadlock)


def readers_in_order(place, check):
    """Row 27: writers do not starve, nor do readers."""
    reader, writer = Lock(place, "rw read"), Lock(place, "rw")
    token = reader.take("a", 1)
    first = Waiter(writer, "w")
    readers = [Waiter(reader, owner) for owner in ("b", "c")]
    second = Waiter(writer, "v")
    last = Waiter(reader, "d")
    check.equal(reader.acquire("e", 1)[0], "BUSY", "nobody comes before a writer that waits")
    check.equal(reader.acquire("a", 2, wait=-1)[0], "OK", "who reads may enter again")
    reader.release("a", token)
    reader.release("a", token)
    token = int(first.reply()[1])
    writer.release("w", token)
    check.equal([int(waiter.reply()[1]) for waiter in readers], [token, token], "readers together")
    check.equal(reader.holders(), {"b": 1, "c": 1}, "and no others")
    reader.release("b", token)
    check.true(second.waits(), "a writer waits for all of them")
    reader.release("c", token)
    token = int(second.reply()[1])
    check.equal(writer.ask("downgrade", "v", token)[0], "OK", "it reads now")
    check.equal(int(last.reply()[1]), token, "so others read as well")


def permits_in_order(place, check):
    """Row 28: one that wants many is not passed by."""
    one, two = (Lock(place, "semaphore", more=[count, 3, 0]) for count in (1, 2))
    tokens = [one.take(f"{i}/1", 1) for i in range(2)]
    large = Waiter(two, "large")
    small = Waiter(one, "small")
    check.equal(one.acquire("try", 1)[0], "BUSY", "nobody comes before it")
    check.true(small.waits(), "though there is one left")
    one.release("0/1", tokens[0])
    check.equal(large.reply()[0], "OK", "now there are two")
    one.release("1/1", tokens[1])
    check.equal(small.reply()[0], "OK", "and one more")


def permits_without_deadlock(place, check):
    one, both = (Lock(place, "semaphore", more=[count, 2, 0]) for count in (1, 2))
    one.take("A/1", 1)
    token = one.take("B/1", 1)
    check.equal(both.acquire("A/2", 1, wait=-1)[0], "DEADLOCK", "it waits for what it has")
    waiter = Waiter(one, "A/2")
    one.release("B/1", token)
    check.equal(waiter.reply()[0], "OK", "it has waited for the other one")
    check.equal(one.acquire("A/3", 1, wait=-1)[0], "DEADLOCK", "both are its own now")


def several_in_order(place, check):
    """Row 29."""
    both, a, b = Lock(place, "multi"), Lock(place, "mutex", "{t}a"), Lock(place, "mutex", "{t}b")
    tokens = [a.take("x/1", 1), b.take("y/1", 1)]
    waiter = Waiter(both, "z/1")
    behind = Waiter(a, "v/1")
    a.release("x/1", tokens[0])
    check.true(waiter.waits() and behind.waits(), "one is kept for who wants both")
    b.release("y/1", tokens[1])
    token = int(waiter.reply()[1])
    check.true(token > max(tokens), "which has both")
    both.release("z/1", token)
    check.equal(behind.reply()[0], "OK", "then the next")


def looked_at(place, check):
    mutex, rw = Lock(place, "mutex", "app:one"), Lock(place, "rw read", "app:two")
    part = Lock(place, "mutex", "{app}part")
    token = mutex.take("a", 1)
    rw.take("b", 1)
    part.take("c", 1)
    free = Lock(place, "fair", "app:free")
    free.release("d", free.take("d", 1))
    place.call("SET", "lock:{app:text}", "no lock")
    waiter = Waiter(mutex, "w")
    found = [fields_of(one) for one in place.call("LOCKS", "GET", "app:one", "none", "{app}part")
             if one]
    check.equal([(one["name"], one["owner"]) for one in found], [("app:one", "a"), ("{app}part", "c")],
                "of each by its name")
    check.equal([found[0]["token"], found[0]["waiters"], found[0]["waiting"][0][0]], [str(token), "1", "w"],
                "with those who wait")
    names = sorted(fields_of(one)["name"] for one in place.call("LOCKS", "LIST"))
    check.equal(names, ["app:one", "app:two", "{app}part"], "those that are held")
    names = [fields_of(one)["name"] for one in place.call("LOCKS", "LIST", "MATCH", "*two")]
    check.equal(names, ["app:two"], "some of them")
    cursor, names = "0", []
    while cursor != "0" or not names:
        cursor, some = place.call("LOCKS", "SCAN", cursor, "MATCH", "app:*", "COUNT", 2)
        names += [fields_of(one)["name"] for one in some]
        if cursor == "0":
            break
    check.equal(sorted(names), ["app:one", "app:two"], "step by step")
    keys = ["FCALL_RO", "lock_mutex_ro", 1, *mutex.keys]
    check.equal(fields_of(place.call(*keys, "status"))["owner"], "a", "by a function that only reads")
    waiter.close()
    check.true(nobody_waits(place), "nobody waits")


def many(place, check):
    """Rows 15, 18: a thousand, in order."""
    lock = Lock(place, "mutex")
    token = lock.take("first", 1)
    clients = [place.server.connect() for _ in range(MANY)]
    for i, client in enumerate(clients):
        client.send(*place.request("mutex", lock.keys, *lock.acquire_args(f"{i}", wait=-1)))
        if i % 50 == 49: # They are to arrive one after the other.
            wait_until(lambda: place.blocked() == i + 1)
    order = [row[0] for row in lock.status()["waiting"]]
    check.equal(len(order), MANY, "all wait")
    owner = "first"
    for following in order:
        lock.release(owner, token)
        reply = told(clients[int(following)].read())
        if not check.true(reply[0] == "OK" and int(reply[1]) > token, f"{following}: {reply}"):
            break
        owner, token = following, int(reply[1])
    for client in clients:
        client.close()


def run(place, check):
    tests = [(test, (kind,)) for test in CASES for kind in ALL]
    tests += [(test, ()) for test in (readers_in_order, permits_in_order, permits_without_deadlock,
                                      several_in_order, looked_at)]
    if place.by_function:
        tests.append((many, ()))
    for test, kind in tests:
        place.call("FLUSHALL")
        where = f"{place.what}: {test.__name__} {''.join(kind)}"
        run_case(check, where, test, place, check, *kind)
