#!/usr/bin/python3
"""Queues of jobs and their limits, as libraries like Sidekiq keep them by scripts: the
protocols follow what is documented of them. They go here as they do on redis-server.

A job is a JSON object with an id. A queue is a list, what is to be done later stands in a
sorted set by its time, and the clock is that of the clients: it is given with each call."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import protocols


def job(number, queue="default", **more):
    return json.dumps({"jid": f"job-{number}", "queue": queue, **more})


# KEYS: schedule. ARGV: now. Takes out the first job whose time has come.
TAKE_DUE = """
local jobs = redis.call('zrangebyscore', KEYS[1], '-inf', ARGV[1], 'limit', 0, 1)
if jobs[1] then
    redis.call('zrem', KEYS[1], jobs[1])
    return jobs[1]
end
"""
# KEYS: schedule. ARGV: now, how many. Puts what is due into its queues. How many it was.
ENQUEUE_DUE = """
local jobs = redis.call('zrangebyscore', KEYS[1], '-inf', ARGV[1], 'limit', 0, ARGV[2])
for _, text in ipairs(jobs) do
    local job = cjson.decode(text)
    job.enqueued_at = tonumber(ARGV[1])
    redis.call('zrem', KEYS[1], text)
    redis.call('sadd', 'queues', job.queue)
    redis.call('lpush', 'queue:' .. job.queue, job.jid .. '@' .. job.enqueued_at)
end
return #jobs
"""


def what_is_due_is_taken_in_its_order(stage):
    alice, bob = stage.players("alice", "bob")
    for number, due in enumerate([30, 10, 20, 40]):
        alice.call("ZADD", "schedule", due, job(number))
    for poller, now in (alice, 5), (alice, 10), (bob, 35), (alice, 35), (bob, 35), (alice, 50):
        poller.run(TAKE_DUE, ["schedule"], [now])


def what_is_due_goes_to_its_queue(stage):
    alice = stage.player("alice")
    for number in range(10):
        alice.call("ZADD", "schedule", number * 10, job(number, "abc"[number % 3]))
    for now, most in (5, 100), (45, 2), (45, 100), (45, 100), (1000, 100):
        alice.run(ENQUEUE_DUE, ["schedule"], [now, most])


def no_job_is_taken_twice(stage):
    taken = []
    stage.player("alice", noted=False).call(
        "ZADD", "schedule", *[word for n in range(300) for word in (n, job(n))])

    def act(player, number):
        while (text := player.run(TAKE_DUE, ["schedule"], [1000])) is not None:
            taken.append(json.loads(text)["jid"])

    stage.crowd(6, act)
    stage.note("taken", sorted(taken))


# KEYS: running, retries, dead. ARGV: job, now, most tries, most dead, seconds they are kept.
FAIL = """
local job = cjson.decode(ARGV[1])
local now = tonumber(ARGV[2])
redis.call('lrem', KEYS[1], 1, ARGV[1])
job.retry_count = (job.retry_count or -1) + 1
if job.retry_count < tonumber(ARGV[3]) then
    local delay = job.retry_count ^ 4 + 15
    redis.call('zadd', KEYS[2], now + delay, job.jid .. ':' .. job.retry_count)
    return {'retry', delay}
end
redis.call('zadd', KEYS[3], now, job.jid)
redis.call('zremrangebyscore', KEYS[3], '-inf', now - ARGV[5])
redis.call('zremrangebyrank', KEYS[3], 0, -ARGV[4] - 1)
return {'dead', redis.call('zcard', KEYS[3])}
"""


def what_fails_is_tried_later_and_dies(stage):
    alice = stage.player("alice")
    keys = ["running", "retry", "dead"]
    for number in range(6):
        alice.call("RPUSH", "running", job(number))
        for count in None, 0, 1, 2:
            more = {} if count is None else {"retry_count": count}
            alice.run(FAIL, keys, [job(number, **more), number * 100, 3, 3, 250])


# One job of a kind at a time. KEYS: lock. ARGV: job's id, seconds. Who has it.
CLAIM = """
local holder = redis.call('get', KEYS[1])
if holder then
    return holder
end
redis.call('set', KEYS[1], ARGV[1], 'ex', ARGV[2])
return ARGV[1]
"""
UNCLAIM = """
if redis.call('get', KEYS[1]) == ARGV[1] then
    return redis.call('del', KEYS[1])
end
return 0
"""
# KEYS: lock, queue, ARGV: the job's id, seconds, job.
ENQUEUE_ONCE = """
if not redis.call('set', KEYS[1], ARGV[1], 'nx', 'ex', ARGV[2]) then
    return redis.error_reply('DUPLICATE of ' .. redis.call('get', KEYS[1]))
end
redis.call('sadd', 'queues', string.match(KEYS[2], ':(.*)'))
return redis.call('lpush', KEYS[2], ARGV[3])
"""


def a_job_is_unique_until_it_is_done(stage):
    alice, bob = stage.players("alice", "bob")
    alice.run(CLAIM, ["unique:mail:7"], ["job-1", 60])
    alice.run(CLAIM, ["unique:mail:7"], ["job-1", 60])
    bob.run(CLAIM, ["unique:mail:7"], ["job-2", 60])
    bob.run(UNCLAIM, ["unique:mail:7"], ["job-2"])
    alice.run(UNCLAIM, ["unique:mail:7"], ["job-1"])
    bob.run(CLAIM, ["unique:mail:7"], ["job-2", 1])
    stage.sleep(1100)
    alice.run(CLAIM, ["unique:mail:7"], ["job-3", 60])
    bob.run(UNCLAIM, ["unique:mail:7"], ["job-2"])


def of_equal_jobs_one_is_enqueued(stage):
    alice, bob = stage.players("alice", "bob")
    keys = ["unique:mail:7", "queue:mail"]
    alice.run(ENQUEUE_ONCE, keys, ["job-1", 60, job(1, "mail")])
    bob.run(ENQUEUE_ONCE, keys, ["job-2", 60, job(2, "mail")])

    def act(player, number):
        for n in range(30):
            player.run(ENQUEUE_ONCE, [f"unique:{n}", "queue:many"], [f"job-{n}", 60, job(n)])

    stage.crowd(6, act)
    stage.note("enqueued", len(alice.client.call("LRANGE", "queue:many", 0, -1)))
    alice.client.call("DEL", "queue:many")  # Who was first differs,
    alice.client.call("DEL", *[f"unique:{n}" for n in range(30)])


# A job that is worked on stands in a list of its process, so that nobody loses it.
# KEYS: private list, queues ...
FETCH = """
for i = 2, #KEYS do
    local job = redis.call('lmove', KEYS[i], KEYS[1], 'right', 'left')
    if job then
        return {KEYS[i], job}
    end
end
return false
"""
# KEYS: processes, heartbeats, crashes, dead. ARGV: now, seconds of silence, most crashes.
# Puts back what processes have that are not heard of. What it has done with each job.
RECOVER = """
local outcome = {}
for _, process in ipairs(redis.call('smembers', KEYS[1])) do
    local heard = tonumber(redis.call('hget', KEYS[2], process) or 0)
    if heard + tonumber(ARGV[2]) < tonumber(ARGV[1]) then
        local own = 'private:' .. process
        for _ = 1, redis.call('llen', own) do
            local text = redis.call('rpop', own)
            local job = cjson.decode(text)
            local crashes = redis.call('hincrby', KEYS[3], job.jid, 1)
            if crashes >= tonumber(ARGV[3]) then
                redis.call('hdel', KEYS[3], job.jid)
                redis.call('zadd', KEYS[4], ARGV[1], text)
                outcome[#outcome + 1] = {job.jid, 'dead'}
            else
                redis.call('rpush', 'queue:' .. job.queue, text)
                outcome[#outcome + 1] = {job.jid, crashes}
            end
        end
        redis.call('srem', KEYS[1], process)
        redis.call('hdel', KEYS[2], process)
    end
end
return outcome
"""
# KEYS: private list, crashes. ARGV: job, its id.
DONE = """
redis.call('hdel', KEYS[2], ARGV[2])
return redis.call('lrem', KEYS[1], -1, ARGV[1])
"""
RECOVERY = ["processes", "heartbeats", "crashes", "dead"]


def nothing_is_lost_with_a_process(stage):
    alice, bob = stage.players("alice", "bob")

    def starts(player, now):
        player.call("SADD", "processes", player.name)
        player.call("HSET", "heartbeats", player.name, now)

    def fetch(player):
        player.run(FETCH, [f"private:{player.name}", "queue:urgent", "queue:default"])

    for number in range(4):
        alice.call("LPUSH", "queue:default", job(number))
    alice.call("LPUSH", "queue:urgent", job(9, "urgent"))
    starts(alice, 100)
    starts(bob, 100)
    for player in alice, alice, bob, alice:
        fetch(player)
    alice.run(DONE, ["private:alice", "crashes"], [job(9, "urgent"), "job-9"])
    bob.run(RECOVER, RECOVERY, [150, 60, 3])
    starts(bob, 200)
    bob.run(RECOVER, RECOVERY, [200, 60, 3])
    for _ in range(4):
        fetch(bob)
    bob.run(DONE, ["private:bob", "crashes"], [job(0), "job-0"])


def a_job_that_takes_its_process_along_dies(stage):
    alice = stage.player("alice")
    alice.call("LPUSH", "queue:default", job(1))
    for now in 100, 200, 300, 400:
        alice.call("SADD", "processes", "victim")
        alice.call("HSET", "heartbeats", "victim", now)
        alice.run(FETCH, ["private:victim", "queue:default"])
        alice.run(RECOVER, RECOVERY, [now + 99, 60, 3])


def each_job_is_done_once_while_processes_die(stage):
    done = []
    stage.player("alice", noted=False).call("LPUSH", "queue:default", *map(job, range(60)))

    def act(player, number):
        life = 0
        while len(done) < 60:
            process = f"{number}-{life}"
            life += 1
            player.call("HSET", "heartbeats", process, 1000)  # First, or it seems to be dead.
            player.call("SADD", "processes", process)
            fetched = player.run(FETCH, [f"private:{process}", "queue:default"])
            if fetched and life % 2:
                name = json.loads(fetched[1])["jid"]
                done.append(name)
                player.run(DONE, [f"private:{process}", "crashes"], [fetched[1], name])
            player.call("HSET", "heartbeats", process, 100)
            player.run(RECOVER, RECOVERY, [1000, 60, 1000000])

    stage.crowd(4, act)
    stage.note("done", sorted(done))


# At most so many at once. KEYS: holders. ARGV: now, most, seconds until one is taken to be
# lost, id. Whether it may.
CONCURRENT = """
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1])
local free = redis.call('zcard', KEYS[1]) < tonumber(ARGV[2])
if free or redis.call('zscore', KEYS[1], ARGV[4]) then
    redis.call('zadd', KEYS[1], ARGV[1] + ARGV[3], ARGV[4])
    return 1
end
return 0
"""
# So many from one stroke of the clock to the next. KEYS: limiter. ARGV: now, most, seconds.
# 0, or how long to wait.
BUCKET = """
local number = math.floor(ARGV[1] / ARGV[3])
local key = KEYS[1] .. ':' .. number
if redis.call('incr', key) > tonumber(ARGV[2]) then
    redis.call('decr', key)
    return tostring((number + 1) * ARGV[3] - ARGV[1])
end
redis.call('expire', key, ARGV[3] * 2)
return '0'
"""
# So many in any such time. KEYS: limiter. ARGV: now, most, seconds, id.
WINDOW = """
redis.call('zremrangebyscore', KEYS[1], '-inf', ARGV[1] - ARGV[3])
if redis.call('zcard', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('zadd', KEYS[1], ARGV[1], ARGV[4])
    redis.call('expire', KEYS[1], ARGV[3])
    return '0'
end
local first = redis.call('zrange', KEYS[1], 0, 0, 'withscores')
return tostring(first[2] + ARGV[3] - ARGV[1])
"""
# A bucket with a hole. KEYS: limiter. ARGV: now, size, seconds in which it runs empty, drops.
LEAKY = """
local state = redis.call('hmget', KEYS[1], 'level', 'at')
local level, at = tonumber(state[1] or 0), tonumber(state[2] or ARGV[1])
local now, size, drops = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local rate = size / ARGV[3]
level = math.max(0, level - (now - at) * rate)
if level + drops > size then
    redis.call('hset', KEYS[1], 'level', level, 'at', now)
    return string.format('%.3f', (level + drops - size) / rate)
end
redis.call('hset', KEYS[1], 'level', level + drops, 'at', now)
redis.call('expire', KEYS[1], ARGV[3])
return '0'
"""
# Points that come back with time, and of which a job may give back or owe some behind it.
# KEYS: limiter. ARGV: now, most, a second, estimate or the correction, whether it is one.
POINTS = """
local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local points = tonumber(redis.call('hget', KEYS[1], 'points') or most)
local at = tonumber(redis.call('hget', KEYS[1], 'at') or now)
points = math.min(most, points + (now - at) * ARGV[3])
local want = tonumber(ARGV[4])
local enough = points >= want or ARGV[5] == 'correction'
if enough then
    points = points - want
end
redis.call('hset', KEYS[1], 'points', points, 'at', now)
return {enough and 1 or 0, tostring(points)}
"""


def so_many_work_at_once(stage):
    alice = stage.player("alice")
    for now, name in (10, "a"), (11, "b"), (12, "c"), (13, "a"), (41, "c"), (42, "d"), (44, "e"):
        alice.run(CONCURRENT, ["holders"], [now, 2, 30, name])
    alice.call("ZREM", "holders", "c")
    alice.run(CONCURRENT, ["holders"], [45, 2, 30, "f"])


def so_many_start_in_a_minute_of_the_clock(stage):
    alice = stage.player("alice")
    for now in 100, 110, 119.5, 119.75, 120, 150, 160, 179, 180, 3600:
        alice.run(BUCKET, ["limiter"], [now, 2, 60])


def so_many_start_within_a_minute(stage):
    alice = stage.player("alice")
    for number, now in enumerate((100, 110, 150, 160, 160.5, 169, 170.5, 171, 300)):
        alice.run(WINDOW, ["limiter"], [now, 2, 60, number])


def a_bucket_leaks(stage):
    alice = stage.player("alice")
    for now, drops in ((0, 1), (0, 4), (0, 1), (3, 1), (3, 1), (8, 2), (8.25, 1), (100, 5),
                       (100, 6)):
        alice.run(LEAKY, ["limiter"], [now, 5, 10, drops])


def points_are_settled_afterwards(stage):
    alice = stage.player("alice")
    for now, want, kind in (
            (0, 60, "estimate"), (0, 60, "estimate"), (1, -20, "correction"), (2, 50, "estimate"),
            (2, 80, "correction"), (5, 1, "estimate"), (20, 10, "estimate"), (500, 100, "estimate")):
        alice.run(POINTS, ["limiter"], [now, 100, 5, want, kind])


def limits_hold_when_all_come_at_once(stage):
    passed = {name: [] for name in ("window", "bucket", "leaky", "concurrent")}

    def act(player, number):
        for n in range(20):
            name = f"{number}-{n}"
            if player.run(WINDOW, ["window"], [100, 7, 60, name]) == b"0":
                passed["window"].append(name)
            if player.run(BUCKET, ["bucket"], [100, 8, 60]) == b"0":
                passed["bucket"].append(name)
            if player.run(LEAKY, ["leaky"], [100, 9, 60, 1]) == b"0":
                passed["leaky"].append(name)
            if player.run(CONCURRENT, ["concurrent"], [100, 10, 60, name]) == 1:
                passed["concurrent"].append(name)

    stage.crowd(6, act)
    stage.note("passed", {name: len(names) for name, names in passed.items()})
    stage.player("alice", noted=False).call("DEL", "window", "concurrent")  # Whose names differ.


# A batch tells once that all of its jobs have been done, and that all have succeeded.
# KEYS: batch, its pending jobs, its failed ones. ARGV: job's id, whether it has succeeded.
SETTLE = """
local told = {}
local function tell(event)
    if redis.call('hsetnx', KEYS[1], event, 1) == 1 then
        redis.call('lpush', 'queue:callbacks', KEYS[1] .. ':' .. event)
        told[#told + 1] = event
    end
end
if ARGV[2] == 'yes' then
    if redis.call('srem', KEYS[2], ARGV[1]) == 1 then
        redis.call('hincrby', KEYS[1], 'pending', -1)
    end
    redis.call('srem', KEYS[3], ARGV[1])
else
    redis.call('sadd', KEYS[3], ARGV[1])
end
local pending = redis.call('scard', KEYS[2])
if pending == redis.call('scard', KEYS[3]) then
    tell('complete')
end
if pending == 0 then
    tell('success')
    redis.call('expire', KEYS[1], 86400)
end
return {pending, unpack(told)}
"""
BATCH = ["batch", "batch:pending", "batch:failed"]


def open_batch(player, count):
    player.call("HSET", "batch", "total", count, "pending", count)
    player.call("SADD", "batch:pending", *[f"job-{number}" for number in range(count)])


def a_batch_calls_back_once(stage):
    alice = stage.player("alice")
    open_batch(alice, 3)
    for number, succeeded in ((0, "yes"), (1, "no"), (1, "no"), (2, "yes"), (1, "no"), (1, "yes"),
                              (2, "yes")):
        alice.run(SETTLE, BATCH, [f"job-{number}", succeeded])


def a_batch_calls_back_once_when_all_end_at_once(stage):
    open_batch(stage.player("alice", noted=False), 100)

    def act(player, number):
        for n in range(number, 100, 3):
            player.run(SETTLE, BATCH, [f"job-{n}", "no"])
            player.run(SETTLE, BATCH, [f"job-{n}", "yes"])
            player.run(SETTLE, BATCH, [f"job-{n}", "yes"])

    stage.crowd(6, act)
    alice = stage.player("alice", noted=False)
    alice.call("HDEL", "batch", "complete")  # It depends on the order whether it comes to that.
    alice.call("LREM", "queue:callbacks", 0, "batch:complete")


# One process leads, and says so again before its time is over. KEYS: leader. ARGV: process,
# milliseconds.
LEAD = """
local leader = redis.call('get', KEYS[1])
if not leader then
    redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2], 'nx')
    return 'elected'
elseif leader == ARGV[1] then
    redis.call('pexpire', KEYS[1], ARGV[2])
    return 'confirmed'
end
return 'follows ' .. leader
"""
RESIGN = """
return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1]) or 0
"""


def one_process_leads(stage):
    alice, bob = stage.players("alice", "bob")
    alice.run(LEAD, ["leader"], ["alice", 1500])
    for _ in range(3):
        stage.sleep(600)
        alice.run(LEAD, ["leader"], ["alice", 1500])
        bob.run(LEAD, ["leader"], ["bob", 1500])
    bob.run(RESIGN, ["leader"], ["bob"])
    stage.sleep(1700)
    bob.run(LEAD, ["leader"], ["bob", 20000])
    alice.run(LEAD, ["leader"], ["alice", 1500])
    bob.run(RESIGN, ["leader"], ["bob"])
    alice.run(LEAD, ["leader"], ["alice", 20000])


if __name__ == "__main__":
    protocols.main([
        what_is_due_is_taken_in_its_order,
        what_is_due_goes_to_its_queue,
        no_job_is_taken_twice,
        what_fails_is_tried_later_and_dies,
        a_job_is_unique_until_it_is_done,
        of_equal_jobs_one_is_enqueued,
        nothing_is_lost_with_a_process,
        a_job_that_takes_its_process_along_dies,
        each_job_is_done_once_while_processes_die,
        so_many_work_at_once,
        so_many_start_in_a_minute_of_the_clock,
        so_many_start_within_a_minute,
        a_bucket_leaks,
        points_are_settled_afterwards,
        limits_hold_when_all_come_at_once,
        a_batch_calls_back_once,
        a_batch_calls_back_once_when_all_end_at_once,
        one_process_leads,
    ])
