#!/usr/bin/python3
"""redis.retry(): scripts that wait, in order or not, until they can go on, and the deadlocks
of those that wait for each other."""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import SOAK, Check, Error, Server, Status, info, seed, wait_until

OK = Status(b"OK")

# Takes what is there. What it has done before it waits is undone each time; ECHO counts how
# often it has run.
TAKE = """
redis.call('ECHO', '')
redis.call('INCR', 'attempts')
local got = redis.call('GET', KEYS[1])
if got then
    redis.call('DEL', KEYS[1])
    return got
end
redis.call('SET', 'half', 'done')
if redis.retry{timeout = tonumber(ARGV[1])} then
    return 'never'
end
return redis.status_reply('GONE')
"""

# A lock of the simplest kind, on each of its keys: KEYS, owner, timeout, again. All or none.
LOCK = """
redis.call('ECHO', '')
local holders, again = {}, tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
    holders[#holders + 1] = redis.call('GET', key) or nil
end
if #holders == 0 and redis.ahead() == 0 then
    for _, key in ipairs(KEYS) do
        redis.call('SET', key, ARGV[1])
    end
    return 'got'
end
local cycle = redis.retry{ordered = true, timeout = tonumber(ARGV[2]), again = again,
                          owner = ARGV[1], holders = holders}
return cycle or 'busy'
"""


def runs(client):
    """Returns how often one of these scripts has run."""
    for line in client.call("INFO", "commandstats").split(b"\r\n"):
        if line.startswith(b"cmdstat_echo:"):
            return int(line.split(b"calls=")[1].split(b",")[0])
    return 0


class Waiter:
    """A client whose request is expected to wait."""

    def __init__(self, server, admin, *request):
        self.client = server.connect()
        before = info(admin, "blocked_clients")
        self.client.send(*request)
        if not wait_until(lambda: info(admin, "blocked_clients") == before + 1):
            raise AssertionError(f"it does not wait: {self.client.read()}")

    def reply(self):
        return self.client.read()

    def waits(self):
        self.client.socket.settimeout(0.05)
        try:
            self.client.read()
            return False
        except TimeoutError:
            return True
        finally:
            self.client.socket.settimeout(60)

    def close(self):
        self.client.close()


def lock(*words):
    """A request for locks: keys, then owner, and perhaps a timeout and when to look again."""
    keys = [w for w in words if isinstance(w, str) and w.startswith("lock")]
    rest = [w for w in words if w not in keys]
    rest += ["", ""][len(rest) - 1:]
    return ["EVAL", LOCK, len(keys), *keys, *rest]


def test_a_change(check, server, admin):
    waiter = Waiter(server, admin, "EVAL", TAKE, 1, "key", "")
    check.equal(admin.call("EXISTS", "half", "attempts"), 0, "what it did is undone")
    admin.call("SET", "another", 1)
    check.true(waiter.waits(), "other keys do not concern it")
    admin.call("SADD", "key", "x")
    check.starts(waiter.reply(), b"WRONGTYPE", "any change does, and its errors are its reply")
    check.equal(admin.call("EXISTS", "half", "attempts"), 0, "which undo it")
    admin.call("DEL", "key")
    waiter = Waiter(server, admin, "EVAL", TAKE, 1, "key", "")
    admin.call("SET", "key", "value")
    check.equal(waiter.reply(), b"value", "it goes on")
    check.equal(admin.call("MGET", "key", "half", "attempts"), [None, None, b"1"],
                "as if it had run once")
    check.equal(info(admin, "blocked_clients"), 0, "nobody waits")


def test_all_are_run(check, server, admin):
    script = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then redis.retry() end return ARGV[1]"
    waiters = [Waiter(server, admin, "EVAL", script, 1, "which", i) for i in range(4)]
    for i in (2, 0, 3, 1):
        admin.call("SET", "which", i)
        check.equal(waiters[i].reply(), b"%d" % i, "the one that can goes on")
    check.equal(info(admin, "blocked_clients"), 0, "the others did when they could")


def test_some_keys(check, server, admin):
    script = "return redis.call('GET', KEYS[2]) or redis.retry{keys = tonumber(ARGV[1])}"
    first = Waiter(server, admin, "EVAL", script, 2, "one", "two", 1)
    both = Waiter(server, admin, "EVAL", script, 2, "one", "two", 2)
    none = Waiter(server, admin, "EVAL", script, 2, "one", "two", 0)
    admin.call("SET", "two", 2)
    check.equal(both.reply(), b"2", "one that waits for both goes on")
    check.true(first.waits() and none.waits(), "the others have not looked")
    admin.call("SET", "one", 1)
    check.equal(first.reply(), b"2", "now this one")
    check.true(none.waits(), "one that waits for none does not look")
    none.close()
    wait_until(lambda: info(admin, "blocked_clients") == 0)


def test_time(check, server, admin):
    check.equal(admin.call("EVAL", TAKE, 1, "key", "0"), Status(b"GONE"), "no time to wait")
    check.equal(admin.call("EVAL", TAKE, 1, "key", "-1"), Status(b"GONE"), "less than none")
    check.equal(admin.call("EVAL", TAKE, 1, "key", "20"), Status(b"GONE"), "its time passes")
    check.equal(admin.call("MGET", "half"), [b"done"], "it has run to its end then")
    script = "redis.call('INCR', KEYS[1]) redis.retry{timeout = 10} return 'at last'"
    check.equal(admin.call("EVAL", script, 1, "own"), b"at last", "what it does is done then")
    check.equal(admin.call("GET", "own"), b"1", "once, to what it has waited for")
    script = """
        local now = redis.call('TIME')
        now = now[1] * 1e6 + now[2]
        if now < tonumber(ARGV[1]) then redis.retry{again = (ARGV[1] - now) / 1000} end
        return 'later'"""
    now = admin.call("TIME")
    then = int(now[0]) * 1000000 + int(now[1]) + 30000
    check.equal(admin.call("EVAL", script, 0, then), b"later", "it looks again by itself")
    check.equal(admin.call("EVAL", "return redis.retry{timeout = 0/0, again = -1}", 0), None,
                "no number is no time")


def test_where_it_cannot_wait(check, server, admin):
    admin.call("DEL", "key", "half")
    admin.call("MULTI")
    admin.call("EVAL", TAKE, 1, "key", "")
    check.equal(admin.call("EXEC"), [Status(b"GONE")], "in a transaction")
    reply = admin.call("SCRIPT", "DRYRUN", TAKE, 1, "key", "")
    check.equal(reply[1], Status(b"GONE"), "in a dry run")
    script = "pcall(redis.retry) return 'caught'"
    waiter = Waiter(server, admin, "EVAL", script, 1, "key")
    check.true(waiter.waits(), "nothing catches it")
    waiter.close()
    check.true(wait_until(lambda: info(admin, "blocked_clients") == 0), "who goes waits no more")


def test_functions(check, server, admin):
    admin.call("FUNCTION", "LOAD", f"""#!lua name=waits
        redis.register_function('take', function(KEYS, ARGV) {TAKE} end)""")
    digest = admin.call("SCRIPT", "LOAD", TAKE)
    for request in (["FCALL", "take"], ["EVALSHA", digest]):
        waiter = Waiter(server, admin, *request, 1, "key", "")
        admin.call("SET", "key", "value")
        check.equal(waiter.reply(), b"value", "it goes on")
    script = "return redis.call('GET', KEYS[1]) or redis.retry()"
    waiter = Waiter(server, admin, "EVAL_RO", script, 1, "key")
    admin.call("SET", "key", "value")
    check.equal(waiter.reply(), b"value", "it goes on")


def test_client_unblock(check, server, admin):
    for how, expected in (("TIMEOUT", Status(b"GONE")),
                          ("ERROR", Error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK"))):
        admin.call("DEL", "key")
        waiter = server.connect()
        number = waiter.call("CLIENT", "ID")
        waiter.send("EVAL", TAKE, 1, "key", "")
        check.true(wait_until(lambda: info(admin, "blocked_clients") == 1), "it waits")
        check.equal(admin.call("CLIENT", "UNBLOCK", number, how), 1, how)
        check.equal(waiter.read(), expected, "its reply")
        waiter.close()


def test_order(check, server, admin):
    admin.call("FLUSHALL")
    check.equal(admin.call(*lock("lock", "a/1")), b"got", "it is free")
    waiters = [Waiter(server, admin, *lock("lock", f"{i}/1")) for i in range(20)]
    check.equal(admin.call("EVAL", "return redis.ahead()", 1, "lock"), 20, "so many are ahead")
    check.equal(admin.call("EVAL", "return redis.ahead()", 1, "other"), 0, "of this nobody is")
    told = admin.call("EVAL", "return redis.waiters(KEYS[1], 3)", 1, "lock")
    check.equal([w[0] for w in told], [b"0/1", b"1/1", b"2/1"], "it is told who they are")
    check.true(all(abs(w[1] - time.time() * 1000) < 60000 for w in told), "and since when")
    check.equal(len(admin.call("EVAL", "return redis.waiters(KEYS[1])", 1, "lock")), 20, "all")
    check.equal(admin.call("EVAL", "return redis.waiters(KEYS[1])", 1, "other"), [], "or none")
    for i, waiter in enumerate(waiters):
        before = runs(admin)
        admin.call("DEL", "lock")
        check.equal(waiter.reply(), b"got", "the oldest gets it")
        check.equal(runs(admin) - before, 2 if i < 19 else 1, "the next looks, nobody else")
    check.equal(admin.call("DEL", "lock"), 1, "nobody has it")


def test_who_goes(check, server, admin):
    admin.call("SET", "lock", "x/1")
    first, second, third = (Waiter(server, admin, *lock("lock", f"{i}/1")) for i in range(3))
    second.close()
    check.true(wait_until(lambda: info(admin, "blocked_clients") == 2), "one goes")
    admin.call("DEL", "lock")
    check.equal(first.reply(), b"got", "the first is served")
    fourth = Waiter(server, admin, *lock("lock", "4/1"))
    # It is free, but for those who wait: the oldest of them goes at last.
    gone = Waiter(server, admin, *lock("lock-b", "lock", "5/1"))
    admin.call("SET", "lock-b", "x/1")
    admin.call("DEL", "lock")
    check.equal(third.reply(), b"got", "then the third")
    admin.call("DEL", "lock")
    check.equal(fourth.reply(), b"got", "the fourth")
    admin.call("DEL", "lock")
    check.true(gone.waits(), "one that needs another lock too waits on")
    last = Waiter(server, admin, *lock("lock", "6/1"))
    check.equal(admin.call(*lock("lock", "7/1", "0")), b"busy", "and nobody comes before it")
    gone.close()
    check.equal(last.reply(), b"got", "when it has gone it is the next one's turn")
    admin.call("DEL", "lock", "lock-b")


def test_time_in_order(check, server, admin):
    admin.call("SET", "lock", "x/1")
    started = time.monotonic()
    waiters = [Waiter(server, admin, *lock("lock", f"{i}/1", "", "10")) for i in range(10)]
    before = runs(admin)
    time.sleep(0.2)
    spent = (time.monotonic() - started) / 0.01
    check.true(runs(admin) - before <= spent + 10, "only the oldest looks again")
    brief = Waiter(server, admin, *lock("lock", "brief/1", "20"))
    check.equal(brief.reply(), b"busy", "one behind whose time is up goes")
    admin.call("DEL", "lock")
    check.equal(waiters[0].reply(), b"got", "the oldest is served")
    for waiter in waiters:
        waiter.close()
    admin.call("DEL", "lock")
    check.true(wait_until(lambda: info(admin, "blocked_clients") == 0), "nobody waits")


def test_several_keys(check, server, admin):
    admin.call("MSET", "lock1", "x/1", "lock2", "y/1")
    both = Waiter(server, admin, *lock("lock1", "lock2", "both/1"))
    one = Waiter(server, admin, *lock("lock1", "one/1"))
    two = Waiter(server, admin, *lock("lock2", "two/1"))
    admin.call("DEL", "lock1")
    check.true(both.waits() and one.waits(), "it is kept for the oldest")
    admin.call("DEL", "lock2")
    check.equal(both.reply(), b"got", "who gets all at once")
    admin.call("DEL", "lock2")
    check.equal(two.reply(), b"got", "then the others")
    admin.call("DEL", "lock1")
    check.equal(one.reply(), b"got", "in their turns")
    admin.call("FLUSHALL")


def test_deadlock(check, server, admin):
    admin.call("MSET", "lock-a", "A/1", "lock-b", "B/1", "lock-c", "C/1")
    one = Waiter(server, admin, *lock("lock-b", "A/2"))
    check.equal(admin.call(*lock("lock-a", "B/2")),
                b"B/2 -> lock-a -> A/1 -> lock-b -> B/1", "of two")
    check.equal(admin.call(*lock("lock-b", "B/2")), b"B/2 -> lock-b -> B/1", "with oneself")
    two = Waiter(server, admin, *lock("lock-c", "B/2"))
    check.equal(admin.call(*lock("lock-a", "C/2")),
                b"C/2 -> lock-a -> A/1 -> lock-b -> B/1 -> lock-c -> C/1", "of three")
    check.equal(admin.call(*lock("lock-x", "lock-a", "C/2"))[:3], b"C/2", "with one of several")
    other = Waiter(server, admin, *lock("lock-a", "D/1"))
    check.equal(admin.call(*lock("lock-a", "C/2"))[:3], b"C/2", "behind somebody else")
    admin.call("DEL", "lock-b")
    check.equal(one.reply(), b"got", "the circle is broken")
    three = Waiter(server, admin, *lock("lock-a", "C/2"))
    check.true(two.waits() and other.waits() and three.waits(), "now it is a queue")
    for waiter in (one, two, three, other):
        waiter.close()
    check.true(wait_until(lambda: info(admin, "blocked_clients") == 0), "nobody waits")
    admin.call("FLUSHALL")


def test_deadlock_of_queues(check, server, admin):
    admin.call("MSET", "lock-a", "A/1", "lock-b", "B/1")
    both = Waiter(server, admin, *lock("lock-a", "lock-b", "C/1"))
    one = Waiter(server, admin, *lock("lock-b", "D/1"))
    # It would wait behind one that waits for what it holds.
    check.equal(admin.call(*lock("lock-b", "A/2"))[:3], b"A/2", "a queue is waited for as well")
    both.close()
    check.true(wait_until(lambda: info(admin, "blocked_clients") == 1), "it goes")
    two = Waiter(server, admin, *lock("lock-b", "A/2"))
    admin.call("DEL", "lock-b")
    check.equal(one.reply(), b"got", "the first")
    check.equal(admin.call(*lock("lock-a", "D/2")),
                b"D/2 -> lock-a -> A/1 -> lock-b -> D/1", "who holds it now counts")
    two.close()
    admin.call("FLUSHALL")


def test_many(check, server, admin):
    rng = random.Random(seed())
    admin.call("SET", "lock", "x/1")
    alive = []
    for i in range(200 * SOAK):
        alive.append(Waiter(server, admin, *lock("lock", f"{i}/1")))
        if rng.random() < 0.3:
            alive.pop(rng.randrange(len(alive))).close()
            wait_until(lambda: info(admin, "blocked_clients") == len(alive))
        if rng.random() < 0.5 and alive:
            admin.call("DEL", "lock")
            check.equal(alive.pop(0).reply(), b"got", "the oldest gets it")
    while alive:
        admin.call("DEL", "lock")
        check.equal(alive.pop(0).reply(), b"got", "the oldest gets it")
    check.equal(info(admin, "blocked_clients"), 0, "nobody waits")


def main():
    check = Check()
    with Server() as server, server.connect() as admin:
        for test in (test_a_change, test_all_are_run, test_some_keys, test_time, test_where_it_cannot_wait,
                     test_functions, test_client_unblock, test_order, test_who_goes,
                     test_time_in_order, test_several_keys, test_deadlock,
                     test_deadlock_of_queues, test_many):
            with check.part(test.__name__):
                test(check, server, admin)
    check.finish()


main()
