#!/usr/bin/python3
"""Locks and their like, as libraries like Redisson keep them by scripts: the protocols
follow what is documented of them. They go here as they do on redis-server, step by step.

A holder is a name and the number of a thread. The lock is a hash with how often each holder
has entered it, it expires with the lease, which a holder alive prolongs, and who gives it
back tells of that on a channel. Where a protocol uses a clock of the clients, it is given."""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import protocols

LEASE = 30000

# A lock that its holder may enter again. KEYS: lock. ARGV: lease, holder. Nothing, or how
# long it is held at the most.
ENTER = """
if redis.call('exists', KEYS[1]) == 0 or redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
    redis.call('hincrby', KEYS[1], ARGV[2], 1)
    redis.call('pexpire', KEYS[1], ARGV[1])
    return nil
end
return redis.call('pttl', KEYS[1])
"""
# KEYS: lock, channel. ARGV: lease, holder. Nothing to strangers; 0: still held; 1: free.
LEAVE = """
if redis.call('hexists', KEYS[1], ARGV[2]) == 0 then
    return nil
end
if redis.call('hincrby', KEYS[1], ARGV[2], -1) > 0 then
    redis.call('pexpire', KEYS[1], ARGV[1])
    return 0
end
redis.call('del', KEYS[1])
redis.call('publish', KEYS[2], 'free')
return 1
"""
RENEW = """
if redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
    redis.call('pexpire', KEYS[1], ARGV[1])
    return 1
end
return 0
"""
BREAK = """
if redis.call('del', KEYS[1]) == 1 then
    redis.call('publish', KEYS[2], 'free')
    return 1
end
return 0
"""


class Lock:
    """The lock of one player."""

    def __init__(self, player, lease=LEASE, thread=1):
        self.player = player
        self.arguments = [lease, f"{player.name}:{thread}"]

    def enter(self):
        return self.player.run(ENTER, ["lock"], self.arguments, about=True)

    def leave(self):
        return self.player.run(LEAVE, ["lock", "lock:free"], self.arguments)

    def renew(self):
        return self.player.run(RENEW, ["lock"], self.arguments)

    def break_open(self):
        return self.player.run(BREAK, ["lock", "lock:free"], self.arguments)


def a_lock_is_entered_and_left_as_often(stage):
    alice, bob = map(Lock, stage.players("alice", "bob"))
    for _ in range(3):
        alice.enter()
    bob.enter()
    for _ in range(2):
        alice.leave()
        bob.enter()
    alice.leave()
    bob.enter()
    alice.enter()


def threads_of_a_client_are_strangers(stage):
    alice = stage.player("alice")
    first, second = Lock(alice, thread=1), Lock(alice, thread=2)
    first.enter()
    second.enter()
    second.leave()
    second.renew()
    first.leave()
    first.leave()


def who_waits_for_a_lock_is_told(stage):
    alice, bob, listener = stage.players("alice", "bob", "listener")
    listener.subscribe("lock:free")
    Lock(alice).enter()
    Lock(bob).enter()
    Lock(alice).leave()
    listener.hear()
    Lock(bob).enter()
    Lock(alice).break_open()
    listener.hear()
    Lock(alice).break_open()
    Lock(bob).leave()


def a_lease_ends(stage):
    alice, bob = Lock(stage.player("alice"), lease=100), Lock(stage.player("bob"))
    alice.enter()
    stage.sleep(150)
    alice.renew()
    bob.enter()
    alice.leave()
    alice.enter()
    bob.leave()


def a_lease_is_prolonged_while_its_holder_lives(stage):
    alice, bob = Lock(stage.player("alice"), lease=1500), Lock(stage.player("bob"))
    alice.enter()
    for _ in range(6):
        stage.sleep(400)
        alice.renew()
        bob.enter()
    stage.sleep(1600)
    bob.enter()


def a_lock_outlives_its_holder_by_the_lease(stage):
    alice, bob = stage.players("alice", "bob")
    Lock(alice, lease=300).enter()
    alice.dies()
    Lock(bob).enter()
    stage.sleep(400)
    Lock(bob).enter()


def one_at_a_time_is_inside(stage):
    """A counter is read and written again inside the lock: none of the sums is lost."""
    inside = threading.Semaphore()

    def act(player, number):
        lock = Lock(player)
        for _ in range(20):
            while lock.enter() is not None:
                stage.sleep(1)
            assert inside.acquire(blocking=False)
            count = int(player.call("GET", "count") or 0)
            player.call("SET", "count", count + 1)
            inside.release()
            assert lock.leave() == 1

    stage.crowd(8, act)


# A lock that is given in the order of asking. KEYS: lock, queue, timeouts. ARGV: lease,
# holder, now, patience. Who waits stands in a list, and in a sorted set with when it is
# taken to have gone. Nothing, or how long it may take.
PURGE = """
while true do
    local first = redis.call('lindex', KEYS[2], 0)
    if not first then
        break
    end
    local timeout = redis.call('zscore', KEYS[3], first)
    if timeout and tonumber(timeout) > tonumber(ARGV[3]) then
        break
    end
    redis.call('zrem', KEYS[3], first)
    redis.call('lpop', KEYS[2])
end
"""
QUEUE = PURGE + """
local first = redis.call('lindex', KEYS[2], 0)
if redis.call('exists', KEYS[1]) == 0 and (not first or first == ARGV[2]) then
    if first then
        redis.call('lpop', KEYS[2])
        redis.call('zrem', KEYS[3], ARGV[2])
    end
    redis.call('hset', KEYS[1], ARGV[2], 1)
    redis.call('pexpire', KEYS[1], ARGV[1])
    return nil
end
if redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
    redis.call('hincrby', KEYS[1], ARGV[2], 1)
    redis.call('pexpire', KEYS[1], ARGV[1])
    return nil
end
local mine = redis.call('zscore', KEYS[3], ARGV[2])
if mine then
    return mine - ARGV[3]
end
local last = redis.call('zrange', KEYS[3], -1, -1, 'withscores')[2]
local timeout = math.max(tonumber(last or 0), tonumber(ARGV[3])) + ARGV[4]
redis.call('zadd', KEYS[3], timeout, ARGV[2])
redis.call('rpush', KEYS[2], ARGV[2])
return timeout - ARGV[3]
"""
# Tells the next of those who wait, on a channel of its own.
PASS_ON = PURGE + """
if redis.call('hexists', KEYS[1], ARGV[2]) == 0 then
    return nil
end
if redis.call('hincrby', KEYS[1], ARGV[2], -1) > 0 then
    return 0
end
redis.call('del', KEYS[1])
local first = redis.call('lindex', KEYS[2], 0)
if first then
    redis.call('publish', 'lock:next:' .. first, 'free')
end
return 1
"""
GIVE_UP = """
if redis.call('zrem', KEYS[3], ARGV[2]) == 1 then
    redis.call('lrem', KEYS[2], 0, ARGV[2])
    return 1
end
return 0
"""


class FairLock:
    KEYS = ["lock", "lock:queue", "lock:timeouts"]

    def __init__(self, player):
        self.player = player

    def do(self, script, now):
        return self.player.run(script, self.KEYS, [LEASE, self.player.name, now, 5000])


def a_fair_lock_goes_round_in_order(stage):
    listener = stage.player("listener")
    listener.subscribe("lock:next:bob", "lock:next:carol")
    alice, bob, carol = map(FairLock, stage.players("alice", "bob", "carol"))
    for lock in alice, alice, bob, carol, bob:
        lock.do(QUEUE, 1000)
    alice.do(PASS_ON, 1100)
    alice.do(PASS_ON, 1200)
    listener.hear()
    for lock in alice, carol, bob:
        lock.do(QUEUE, 1300)
    bob.do(PASS_ON, 1400)
    listener.hear()
    carol.do(QUEUE, 1500)
    bob.do(PASS_ON, 1600)
    alice.do(QUEUE, 1700)


def who_does_not_come_back_is_passed_over(stage):
    alice, bob, carol, dave = map(FairLock, stage.players("alice", "bob", "carol", "dave"))
    for lock in alice, bob, carol, dave:
        lock.do(QUEUE, 1000)
    carol.do(GIVE_UP, 1500)
    carol.do(GIVE_UP, 1500)
    alice.do(PASS_ON, 2000)
    dave.do(QUEUE, 2000)
    dave.do(QUEUE, 7000)
    bob.do(QUEUE, 7000)
    dave.do(PASS_ON, 100000)
    bob.do(QUEUE, 100000)


def all_have_their_turn_at_a_fair_lock(stage):
    turns = []

    def act(player, number):
        lock = FairLock(player)
        for _ in range(5):
            while lock.do(QUEUE, 1000) is not None:
                stage.sleep(1)
            turns.append(number)
            assert lock.do(PASS_ON, 1000) == 1

    stage.crowd(6, act)
    stage.note("turns", sorted(turns))


# Many may read, or one may write, who may read as well. KEYS: lock. ARGV: lease, holder.
READ = """
local mode = redis.call('hget', KEYS[1], 'mode')
if not mode then
    redis.call('hset', KEYS[1], 'mode', 'read')
elseif mode == 'write' and redis.call('hexists', KEYS[1], ARGV[2] .. ':write') == 0 then
    return redis.call('pttl', KEYS[1])
end
redis.call('hincrby', KEYS[1], ARGV[2], 1)
if redis.call('pttl', KEYS[1]) < tonumber(ARGV[1]) then
    redis.call('pexpire', KEYS[1], ARGV[1])
end
return nil
"""
WRITE = """
local mode = redis.call('hget', KEYS[1], 'mode')
local field = ARGV[2] .. ':write'
if mode and (mode == 'read' or redis.call('hexists', KEYS[1], field) == 0) then
    return redis.call('pttl', KEYS[1])
end
redis.call('hset', KEYS[1], 'mode', 'write')
redis.call('hincrby', KEYS[1], field, 1)
redis.call('pexpire', KEYS[1], ARGV[1])
return nil
"""
# KEYS: lock, channel. ARGV: lease, field. What is left is for readers.
END = """
local count = redis.call('hget', KEYS[1], ARGV[2])
if not count then
    return nil
end
if tonumber(count) > 1 then
    redis.call('hincrby', KEYS[1], ARGV[2], -1)
    return 0
end
redis.call('hdel', KEYS[1], ARGV[2])
if redis.call('hlen', KEYS[1]) > 1 then
    if string.sub(ARGV[2], -6) == ':write' then
        redis.call('hset', KEYS[1], 'mode', 'read')
        redis.call('publish', KEYS[2], 'read')
    end
    return 0
end
redis.call('del', KEYS[1])
redis.call('publish', KEYS[2], 'free')
return 1
"""


class ReadWriteLock:
    def __init__(self, player, lease=LEASE):
        self.player = player
        self.lease = lease

    def begin(self, script):
        return self.player.run(script, ["lock"], [self.lease, self.player.name], about=True)

    def end(self, writer=False):
        field = self.player.name + (":write" if writer else "")
        return self.player.run(END, ["lock", "lock:free"], [self.lease, field])


def many_read_and_one_writes(stage):
    listener = stage.player("listener")
    listener.subscribe("lock:free")
    alice, bob, carol = map(ReadWriteLock, stage.players("alice", "bob", "carol"))
    for lock in alice, bob, bob:
        lock.begin(READ)
    carol.begin(WRITE)
    alice.begin(WRITE)
    carol.end(writer=True)
    for lock in alice, bob, bob, bob:
        lock.end()
    listener.hear()
    carol.begin(WRITE)
    carol.begin(WRITE)
    alice.begin(READ)
    bob.begin(WRITE)
    carol.begin(READ)
    carol.end(writer=True)
    carol.end(writer=True)
    listener.hear()
    alice.begin(READ)
    bob.begin(WRITE)
    carol.end()
    alice.end()
    listener.hear()


def the_longest_lease_of_readers_counts(stage):
    alice = ReadWriteLock(stage.player("alice"), lease=20000)
    bob = ReadWriteLock(stage.player("bob"), lease=100)
    carol = ReadWriteLock(stage.player("carol"), lease=100)
    alice.begin(READ)
    bob.begin(READ)
    stage.sleep(150)
    carol.begin(WRITE)
    alice.end()
    bob.end()
    carol.begin(WRITE)
    stage.sleep(150)
    bob.begin(READ)


def nobody_writes_while_somebody_reads(stage):
    readers, writers, wrong = [], [], []

    def act(player, number):
        lock = ReadWriteLock(player)
        writes = number % 3 == 0
        mine = writers if writes else readers
        for _ in range(15):
            while lock.begin(WRITE if writes else READ) is not None:
                stage.sleep(1)
            mine.append(number)
            if len(writers) > 1 or (writers and readers):
                wrong.append((list(readers), list(writers)))
            mine.remove(number)
            lock.end(writer=writes)

    stage.crowd(6, act)
    stage.note("wrong", wrong)


# Permits without an end. KEYS: semaphore, channel. ARGV: how many.
TAKE = """
local free = tonumber(redis.call('get', KEYS[1]) or 0)
if free >= tonumber(ARGV[1]) then
    redis.call('decrby', KEYS[1], ARGV[1])
    return 1
end
return 0
"""
GIVE = """
local free = redis.call('incrby', KEYS[1], ARGV[1])
redis.call('publish', KEYS[2], free)
return free
"""
DRAIN = """
local free = redis.call('getset', KEYS[1], 0)
return tonumber(free or 0)
"""
PERMITS = ["permits", "permits:free"]


def a_semaphore_has_so_many_permits(stage):
    listener, alice, bob = stage.players("listener", "alice", "bob")
    listener.subscribe("permits:free")
    alice.run(TAKE, PERMITS, [1])
    alice.call("SET", "permits", 3, "NX")
    bob.call("SET", "permits", 5, "NX")
    alice.run(TAKE, PERMITS, [2])
    bob.run(TAKE, PERMITS, [2])
    bob.run(TAKE, PERMITS, [1])
    alice.run(GIVE, PERMITS, [2])
    listener.hear()
    bob.run(DRAIN, PERMITS)
    alice.run(TAKE, PERMITS, [1])


def no_more_than_the_permits_are_inside(stage):
    inside, most = [], []
    stage.player("alice").call("SET", "permits", 3)

    def act(player, number):
        for _ in range(15):
            while player.run(TAKE, PERMITS, [1]) == 0:
                stage.sleep(1)
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
            player.run(GIVE, PERMITS, [1])

    stage.crowd(8, act)
    stage.note("more than the permits", max(most) > 3)


# Permits that expire. KEYS: count, leases, channel. ARGV: now, lease, id. The id of the
# permit, or how long until the next is free.
EXPIRE_PERMITS = """
local expired = redis.call('zrangebyscore', KEYS[2], '-inf', ARGV[1])
if #expired > 0 then
    redis.call('zrem', KEYS[2], unpack(expired))
    local free = redis.call('incrby', KEYS[1], #expired)
    redis.call('publish', KEYS[3], free)
end
"""
BORROW = EXPIRE_PERMITS + """
if tonumber(redis.call('get', KEYS[1]) or 0) > 0 then
    redis.call('decr', KEYS[1])
    redis.call('zadd', KEYS[2], ARGV[1] + ARGV[2], ARGV[3])
    return ARGV[3]
end
local next = redis.call('zrange', KEYS[2], 0, 0, 'withscores')
return next[2] and ':' .. string.format('%d', next[2] - ARGV[1]) or nil
"""
BRING_BACK = EXPIRE_PERMITS + """
if redis.call('zrem', KEYS[2], ARGV[3]) == 0 then
    return 0
end
redis.call('publish', KEYS[3], redis.call('incr', KEYS[1]))
return 1
"""
PROLONG = EXPIRE_PERMITS + """
if not redis.call('zscore', KEYS[2], ARGV[3]) then
    return 0
end
redis.call('zadd', KEYS[2], 'xx', ARGV[1] + ARGV[2], ARGV[3])
return 1
"""
LOANS = ["permits", "permits:leases", "permits:free"]


def permits_come_back_by_themselves(stage):
    listener, alice, bob = stage.players("listener", "alice", "bob")
    listener.subscribe("permits:free")
    alice.run(BORROW, LOANS, [1000, 500, "none"])
    alice.call("SET", "permits", 2)
    alice.run(BORROW, LOANS, [1000, 500, "a"])
    bob.run(BORROW, LOANS, [1100, 2000, "b"])
    bob.run(BORROW, LOANS, [1200, 2000, "c"])
    alice.run(PROLONG, LOANS, [1400, 500, "a"])
    bob.run(BORROW, LOANS, [1600, 2000, "c"])
    bob.run(BORROW, LOANS, [1900, 2000, "c"])
    listener.hear()
    alice.run(PROLONG, LOANS, [1900, 500, "a"])
    alice.run(BRING_BACK, LOANS, [1900, 0, "a"])
    bob.run(BRING_BACK, LOANS, [1950, 0, "b"])
    listener.hear()
    bob.run(BRING_BACK, LOANS, [9000, 0, "c"])
    listener.hear()


# A latch opens when it has been counted down. KEYS: latch, channel.
SET_LATCH = """
if redis.call('exists', KEYS[1]) == 1 then
    return 0
end
redis.call('set', KEYS[1], ARGV[1])
redis.call('publish', KEYS[2], 'closed')
return 1
"""
COUNT_DOWN = """
local left = redis.call('decr', KEYS[1])
if left <= 0 then
    redis.call('del', KEYS[1])
end
if left == 0 then
    redis.call('publish', KEYS[2], 'open')
end
return left
"""
LATCH = ["latch", "latch:channel"]


def a_latch_opens_once(stage):
    listener, alice, bob = stage.players("listener", "alice", "bob")
    listener.subscribe("latch:channel")
    alice.run(SET_LATCH, LATCH, [2])
    bob.run(SET_LATCH, LATCH, [5])
    listener.hear()
    alice.run(COUNT_DOWN, LATCH)
    bob.call("GET", "latch")
    bob.run(COUNT_DOWN, LATCH)
    listener.hear()
    alice.run(COUNT_DOWN, LATCH)
    bob.run(SET_LATCH, LATCH, [40])
    listener.hear()
    stage.crowd(8, lambda player, number: [player.run(COUNT_DOWN, LATCH) for _ in range(5)])
    listener.hear()


if __name__ == "__main__":
    protocols.main([
        a_lock_is_entered_and_left_as_often,
        threads_of_a_client_are_strangers,
        who_waits_for_a_lock_is_told,
        a_lease_ends,
        a_lease_is_prolonged_while_its_holder_lives,
        a_lock_outlives_its_holder_by_the_lease,
        one_at_a_time_is_inside,
        a_fair_lock_goes_round_in_order,
        who_does_not_come_back_is_passed_over,
        all_have_their_turn_at_a_fair_lock,
        many_read_and_one_writes,
        the_longest_lease_of_readers_counts,
        nobody_writes_while_somebody_reads,
        a_semaphore_has_so_many_permits,
        no_more_than_the_permits_are_inside,
        permits_come_back_by_themselves,
        a_latch_opens_once,
    ])
