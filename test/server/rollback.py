#!/usr/bin/python3
"""Random scripts that fail leave no trace, and those that succeed do what they say.

A script makes random calls, valid or not, over several databases, and is then
ended in one of all the ways there are. Before and after it, the digest and a full
dump must be the same: every value, its order, its encoding and its expiry. A client
that watches keys must not notice either.

Between them are scripts that succeed. The same calls are sent as plain requests to
a second server: replies and dumps must be the same.

A failing round prints its script. SEED= repeats a run.
"""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import SOAK, Check, Error, Server, Status, info, seed

ROUNDS = 400 * SOAK
DATABASES = 4  # Of the sixteen: so few that they meet.
KEYS = [f"k{i}" for i in range(12)]
KILL_PATIENCE_S = 30

FAR_S = 1_000_000  # Expiries that stay are so far away that nothing expires in the test.
NEAR_MS = 1


# Calls.


class Calls:
    """Makes random calls: lists of arguments."""

    def __init__(self, rand):
        self.rand = rand
        self.may_expire = False  # Whether keys may be made that soon expire.
        self.now_s = int(time.time())
        self.kinds = [
            self.set, self.set, self.string, self.string, self.number, self.several,
            self.key, self.key, self.expiry, self.expiry, self.database,
            self.hash, self.hash, self.hash_many, self.set_one, self.set_one, self.set_many,
            self.set_store, self.read, self.read, self.wrong,
        ]

    def call(self):
        return [str(arg) for arg in self.rand.choice(self.kinds)()]

    def some_key(self):
        return self.rand.choice(KEYS)

    def some_database(self):
        return self.rand.randrange(DATABASES)

    def some_value(self):
        pick = self.rand.random
        if pick() < 0.4:
            return self.rand.randint(-1000, 1000)
        if pick() < 0.2:
            return self.rand.choice(["", "1.5", "9223372036854775807", " 1", "nan", "a\r\nb\0c"])
        if pick() < 0.1:
            return "long" * self.rand.randint(50, 3000)
        return self.rand.choice("abcdefgh") * self.rand.randint(1, 80)

    def some_member(self):
        if self.rand.random() < 0.5:
            return self.rand.randint(0, 30)
        return "m" * self.rand.choice([1, 1, 1, 70]) + str(self.rand.randint(0, 10))

    def some_seconds(self):
        if self.may_expire and self.rand.random() < 0.3:
            return self.rand.choice([-1, 0, 1])
        return FAR_S + self.rand.randrange(FAR_S)

    def some_moment(self):
        """Returns an absolute time in seconds."""
        return self.now_s + self.some_seconds()

    def set(self):
        options = []
        pick = self.rand.random()
        if pick < 0.15:
            options = ["EX", self.some_seconds()]
        elif pick < 0.3:
            options = ["PXAT", self.some_moment() * 1000]
        elif pick < 0.35 and self.may_expire:
            options = ["PX", NEAR_MS]
        elif pick < 0.5:
            options = ["KEEPTTL"]
        options += self.rand.choice([[], [], ["NX"], ["XX"], ["GET"], ["NX", "GET"]])
        return ["SET", self.some_key(), self.some_value(), *options]

    def string(self):
        key, value = self.some_key(), self.some_value()
        return self.rand.choice([
            ["SETNX", key, value], ["SETEX", key, self.some_seconds(), value],
            ["PSETEX", key, self.some_seconds() * 1000, value], ["GETSET", key, value],
            ["GETDEL", key], ["GETEX", key, "PERSIST"],
            ["GETEX", key, "EXAT", self.some_moment()], ["APPEND", key, value],
            ["SETRANGE", key, self.rand.choice([0, 1, 5, 100, -1, 2000]), value],
        ])

    def number(self):
        key, by = self.some_key(), self.rand.randint(-50, 50)
        return self.rand.choice([
            ["INCR", key], ["DECR", key], ["INCRBY", key, by], ["DECRBY", key, by],
            ["INCRBY", key, 2**63 - 1], ["INCRBYFLOAT", key, by / 8],
        ])

    def several(self):
        pairs = []
        for _ in range(self.rand.randint(1, 5)):
            pairs += [self.some_key(), self.some_value()]
        return [self.rand.choice(["MSET", "MSETNX"]), *pairs]

    def key(self):
        key, other = self.some_key(), self.some_key()
        return self.rand.choice([
            ["DEL", key, other], ["UNLINK", key], ["RENAME", key, other], ["RENAMENX", key, other],
            ["COPY", key, other], ["COPY", key, other, "REPLACE"],
            ["COPY", key, other, "DB", self.some_database(), "REPLACE"],
            ["MOVE", key, self.some_database()], ["TOUCH", key], ["PERSIST", key],
        ])

    def expiry(self):
        condition = self.rand.choice([[], [], ["NX"], ["XX"], ["GT"], ["LT"], ["NX", "GT"]])
        name, when = self.rand.choice([
            ("EXPIRE", self.some_seconds()), ("PEXPIRE", self.some_seconds() * 1000),
            ("EXPIREAT", self.some_moment()), ("PEXPIREAT", self.some_moment() * 1000),
        ])
        return [name, self.some_key(), when, *condition]

    def database(self):
        if self.rand.random() < 0.7:
            return ["SELECT", self.some_database()]
        return self.rand.choice([
            ["SWAPDB", self.some_database(), self.some_database()], ["FLUSHDB"],
            ["FLUSHDB", "ASYNC"], ["SELECT", 99], ["SWAPDB", 0, "x"], ["FLUSHALL"],
        ])

    def hash(self):
        key, field = self.some_key(), self.some_member()
        return self.rand.choice([
            ["HSET", key, field, self.some_value(), self.some_member(), self.some_value()],
            ["HSET", key, field, self.some_value()], ["HSETNX", key, field, self.some_value()],
            ["HMSET", key, field, self.some_value()], ["HDEL", key, field, self.some_member()],
            ["HINCRBY", key, field, self.rand.randint(-9, 9)], ["HINCRBYFLOAT", key, field, 0.5],
        ])

    def hash_many(self):
        start, count = self.rand.randint(0, 50), self.rand.choice([5, 20, 200, 600])
        numbers = range(start, start + count)
        if self.rand.random() < 0.5:
            return ["HSET", self.some_key(), *(x for n in numbers for x in (f"f{n}", n))]
        return ["HDEL", self.some_key(), *(f"f{n}" for n in numbers)]

    def set_one(self):
        key, member = self.some_key(), self.some_member()
        return self.rand.choice([
            ["SADD", key, member, self.some_member()], ["SREM", key, member, self.some_member()],
            ["SPOP", key], ["SPOP", key, self.rand.choice([0, 1, 3, 100, 2000])],
            ["SMOVE", key, self.some_key(), member],
        ])

    def set_many(self):
        start, count = self.rand.randint(0, 50), self.rand.choice([5, 20, 200, 600])
        prefix = self.rand.choice(["", "m"])
        name = self.rand.choice(["SADD", "SREM"])
        return [name, self.some_key(), *(f"{prefix}{n}" for n in range(start, start + count))]

    def set_store(self):
        name = self.rand.choice(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"])
        return [name, self.some_key(), *(self.some_key() for _ in range(self.rand.randint(1, 3)))]

    def read(self):
        key = self.some_key()
        return self.rand.choice([
            ["GET", key], ["STRLEN", key], ["EXISTS", key, self.some_key()], ["TYPE", key],
            ["HGETALL", key], ["HLEN", key], ["HGET", key, self.some_member()], ["SMEMBERS", key],
            ["SCARD", key], ["SISMEMBER", key, self.some_member()], ["PEXPIRETIME", key],
            ["DBSIZE"], ["MGET", key, self.some_key()], ["OBJECT", "ENCODING", key],
        ])

    def wrong(self):
        key = self.some_key()
        return self.rand.choice([
            ["GET"], ["SET", key], ["NOSUCH", key], ["INCRBY", key, "x"], ["HSET", key, "f"],
            ["EXPIRE", key, "x"], ["SPOP", key, -1], ["MSET", key], ["SET", key, 1, "EX", 0],
            ["SETRANGE", key, 2**40, "x"], ["COPY", key, key, "DB", 99], ["MULTI"], ["EVAL", "", 0],
            ["SINTERSTORE", key], ["RENAME", "none", key], ["HINCRBY", key, "f", "x"],
        ])


# Scripts.


def lua_string(text):
    """Returns a Lua literal for any text."""
    return '"' + "".join(
        c if c.isalnum() or c in " ._-" else "".join(f"\\{b:03d}" for b in c.encode())
        for c in text) + '"'


def lua_arguments(call):
    """Lua compiles no call with more arguments than registers; a table has room."""
    literals = ", ".join(map(lua_string, call))
    return literals if len(call) < 50 else f"unpack({{{literals}}})"


def lua_call(name, call):
    return f"redis.{name}({lua_arguments(call)})"


def shielded(rand, call):
    """Returns statements that make a call, of which an error does not end the script."""
    pattern = rand.choice([
        "{pcall}",
        "{pcall}",
        "pcall(function() {call} end)",
        "pcall(redis.call, {arguments})",
        "pcall(function() {pcall} {call} error('inner') end)",
        "pcall(pcall, function() {pcall} error({{err='INNER x'}}) end)",
        "xpcall(function() {call} end, function(e) {pcall} return e end)",
        "coroutine.wrap(function() {pcall} end)()",
        "coroutine.resume(coroutine.create(function() {call} end))",
        "string.gsub('x', 'x', function() {pcall} end)",
    ])
    return pattern.format(call=lua_call("call", call), pcall=lua_call("pcall", call),
                          arguments=lua_arguments(call))


def failing_body(rand, calls):
    return [shielded(rand, calls.call()) for _ in range(rand.randint(1, 15))]


# Ends that come from inside, and how the reply begins.
ENDS = [
    ("error('boom')", b"ERR user_script:"),
    ("error('boom', 0)", b"ERR boom"),
    ("error({err='MYERR of mine'})", b"MYERR of mine"),
    ("error({err='MYERR of mine', source='x', line=7})", b"MYERR of mine"),
    ("error()", b"ERR"),
    ("error({})", b"ERR"),
    ("error(redis.error_reply('OTHER mine'))", b"OTHER mine"),
    ("redis.call('NOSUCH')", b"ERR"),
    ("redis.call('GET')", b"ERR"),
    ("redis.call('SET', 'k0', 'a') redis.call('SADD', 'k0', 'a')", b"WRONGTYPE"),
    ("redis.call('SET', 'k1', 'x') redis.call('INCR', 'k1')", b"ERR"),
    ("redis.call('SET', 'k1', {})", b"ERR"),
    ("redis.call('DEL', 'k2') redis.call('RENAME', 'k2', 'k3')", b"ERR"),
    ("redis.call()", b"ERR"),
    ("local t = nil; return t.x", b"ERR user_script:"),
    ("return {} + 1", b"ERR user_script:"),
    ("return {} < {}", b"ERR user_script:"),
    ("local f = nil; f()", b"ERR user_script:"),
    ("nothing()", b"ERR user_script:"),
    ("something = 1", b"ERR user_script:"),
    ("string.rep()", b"ERR"),
    ("assert(false)", b"ERR"),
    ("coroutine.wrap(function() error('in there') end)()", b"ERR"),
    ("string.gsub('x', 'x', function() error('in there') end)", b"ERR"),
    ("table.sort({3, 2, 1}, function() redis.pcall('INCR', 'k1') error('x') end)", b"ERR"),
    ("local ok, e = pcall(error, {err='AGAIN x'}) error(e, 0)", b"ERR AGAIN x"),
    ("cjson.decode('[')", b"ERR"),
    ("local function f() return f() + 1 end f()", b"ERR"),
    ("local t = {} for i = 1, 5000 do t = {t} end return t", b"ERR reached lua stack limit"),
]

# Ends that only force can bring about.
LOOPS = [
    "while true do end",
    "while true do redis.call('INCR', 'loop') end",
    "while true do redis.pcall('SADD', 'k0', 'x') redis.pcall('HSET', 'k1', 'f', 'x') end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(error, function() while true do end end) end",
    "string.find(string.rep('a', 5000), '.-.-.-.-b')",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "while true do coroutine.wrap(function() redis.call('SET', 'k3', 'x') end)() end",
    "local i = 0 while true do i = i + 1 redis.call('SET', 'loop:' .. i, i) end",
]
GROWTHS = [
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "while true do pcall(string.rep, 'x', 1e9) end",
    "redis.call('SET', 'big', string.rep('x', 1e6)) "
    "local t = {} for i = 1, 1000 do t[i] = redis.call('GET', 'big') .. i end",
]
OVERFLOWS = [
    "local function f() return coroutine.wrap(f)() end f()",
    "local function f() redis.call('INCR', 'deep') return coroutine.wrap(f)() end f()",
    "local function f() return pcall(coroutine.wrap(f)) end f() error('not so deep')",
]
FILLING = "for i = 1, 1000 do redis.call('SET', 'fill:' .. i, string.rep('x', 100000)) end"


# What a server holds.


def dump_requests(name):
    """Returns what to ask of a key for all that a client can see of it."""
    return [
        ["TYPE", name], ["PEXPIRETIME", name], ["OBJECT", "ENCODING", name],
        ["GET", name], ["HGETALL", name], ["SMEMBERS", name],
    ]


def dump_key(name, replies):
    """A big hash or set has no order that anybody may rely on."""
    kind, expires_ms, encoding, text, fields, members = replies
    content = {b"string": text, b"hash": fields, b"set": members}[kind]
    if encoding == b"hashtable" and kind == b"set":
        content = sorted(content)
    elif encoding == b"hashtable":
        content = sorted(zip(content[::2], content[1::2]))
    return name, kind, encoding, expires_ms, content


def dump(client):
    """Returns all that is in the databases, in order. Leaves database 0 selected."""
    found = []
    for database in range(16):
        client.call("SELECT", database)
        names = sorted(client.call("KEYS", "*"))
        replies = client.call_many([r for name in names for r in dump_requests(name)])
        for i, name in enumerate(names):
            found.append((database, *dump_key(name, replies[6 * i : 6 * i + 6])))
    client.call("SELECT", 0)
    return found


def digest(client):
    return client.call("DEBUG", "DIGEST")


def difference(before, after):
    """Returns what two dumps do not share, in short."""
    lost = [row for row in before if row not in after]
    new = [row for row in after if row not in before]
    return f"missing {str(lost)[:600]}\n    instead {str(new)[:600]}"


# The test.


class Test:
    def __init__(self, rand, server, model):
        self.rand = rand
        self.check = Check()
        self.calls = Calls(rand)
        self.server = server
        self.client = server.connect()
        self.killer = server.connect()
        self.watcher = server.connect()
        self.model = model.connect()
        self.ends = [
            (self.end_inside, 30), (self.end_in_transaction, 4), (self.end_by_time, 1),
            (self.end_by_kill, 1), (self.end_by_memory, 1), (self.end_by_stack, 1),
            (self.end_by_maxmemory, 1),
        ]
        self.slowest_kill_s = 0

    def configure(self, **options):
        for name, value in options.items():
            reply = self.client.call("CONFIG", "SET", name.replace("_", "-"), value)
            assert reply == b"OK", reply

    def run(self, script):
        """Runs a script in one of the ways there are."""
        if self.rand.random() < 0.3:
            sha = self.client.call("SCRIPT", "LOAD", script)
            if not isinstance(sha, Error):
                return self.client.call("EVALSHA", sha, 0)
        return self.client.call("EVAL", script, 1, "k1", "argument")

    # Each of these adds an end to a script, runs it, and returns the script, the
    # reply and how that should begin.

    def end_inside(self, body):
        end, reply = self.rand.choice(ENDS)
        script = "\n".join([*body, end])
        return script, self.run(script), reply

    def end_in_transaction(self, body):
        """What else is in the transaction stands."""
        end, reply = self.rand.choice(ENDS)
        script = "\n".join([*body, end])
        replies = self.client.call_many([
            ["MULTI"], ["SET", "kept", 1], ["EVAL", script, 0], ["INCR", "kept"], ["EXEC"],
            ["GETDEL", "kept"]])[-2:]
        self.check.equal(replies[1], b"2", "the rest of a transaction stands")
        return script, replies[0][1], reply

    def end_by_time(self, body):
        script = "\n".join([*body, self.rand.choice(LOOPS)])
        self.configure(script_time_limit=50)
        reply = self.run(script)
        self.configure(script_time_limit=0)
        return script, reply, b"ERR Script exceeded script-time-limit"

    def end_by_kill(self, body):
        script = "\n".join([*body, self.rand.choice(LOOPS)])
        self.client.send("EVAL", script, 0)
        deadline = time.monotonic() + KILL_PATIENCE_S
        while self.killer.call("SCRIPT", "KILL") != b"OK" and time.monotonic() < deadline:
            time.sleep(0.001)
        killed = time.monotonic()
        reply = self.client.read()
        self.slowest_kill_s = max(self.slowest_kill_s, time.monotonic() - killed)
        return script, reply, b"ERR Script killed by user"

    def end_by_memory(self, body):
        script = "\n".join([*body, self.rand.choice(GROWTHS)])
        self.configure(script_memory_limit="8mb")
        reply = self.run(script)
        self.configure(script_memory_limit="64mb")
        return script, reply, b"ERR Script exceeded script-memory-limit"

    def end_by_stack(self, body):
        script = "\n".join([*body, self.rand.choice(OVERFLOWS)])
        return script, self.run(script), b"ERR"

    def end_by_maxmemory(self, body):
        script = "\n".join([*body, FILLING])
        before = info(self.client, "used_memory")
        self.configure(maxmemory=before + 4_000_000)
        reply = self.run(script)
        self.configure(maxmemory=0)
        self.check.true(info(self.client, "used_memory") < before + 3_000_000, "memory goes back")
        return script, reply, b"OOM"

    def prepare(self, client):
        """Makes something for scripts to work on."""
        self.calls.may_expire = False
        for _ in range(60):
            call = self.calls.call()
            if call[0] not in ("FLUSHALL", "SWAPDB", "MULTI", "SPOP"):
                client.call(*call)
        client.call("SELECT", 0)

    def end_somehow(self, body):
        ends, weights = zip(*self.ends)
        return self.rand.choices(ends, weights)[0](body)

    def fail(self):
        """A script fails: nothing has changed."""
        before, before_digest = dump(self.client), digest(self.client)
        self.calls.may_expire = True
        body = failing_body(self.rand, self.calls)
        watched = self.rand.random() < 0.5
        if watched:
            self.watcher.call("WATCH", *KEYS)

        script, reply, expected = self.end_somehow(body)
        ok = self.check.starts(reply, expected, "a script fails as it was made to")
        ok &= self.check.equal(digest(self.client), before_digest, "the digest is as before")
        if watched:
            replies = self.watcher.call_many([["MULTI"], ["EXEC"]])
            ok &= self.check.equal(replies[1], [], "a watching client notices nothing")
        after = dump(self.client)
        if not ok or after != before:
            print(f"the script was:\n{script[:4000]}\n", flush=True)
        self.check.true(after == before, f"the dump is as before: {difference(before, after)}")

    def send_to_model(self, call, reply):
        """Does what the script's call did. What SPOP chose is not for us to say."""
        if call[0] == "SPOP" and isinstance(reply, (bytes, list)) and not isinstance(reply, Error):
            popped = reply if isinstance(reply, list) else [reply]
            if popped:
                self.model.call("SREM", call[1], *popped)
            return reply
        return self.model.call(*call)

    def succeed(self):
        """A script succeeds: it has done what its calls would do by themselves."""
        self.calls.may_expire = False
        calls = [self.calls.call() for _ in range(self.rand.randint(1, 15))]
        lines = [f"r[{i + 1}] = {lua_call('pcall', call)}" for i, call in enumerate(calls)]
        script = "\n".join(["local r = {}", *lines, "return r"])
        replies = self.client.call("EVAL", script, 0)
        if not self.check.true(
                not isinstance(replies, Error) and len(replies) == len(calls),
                f"a script succeeds: {replies!r:.400}\n{script[:4000]}"):
            return
        for call, reply in zip(calls, replies):
            if call[0] not in ("MULTI", "EVAL"):  # Scripts may not; others may.
                self.check.true(
                    same_reply(call, reply, self.send_to_model(call, reply)),
                    f"{call!r:.200} replies as to a plain request: {reply!r:.200}")
        self.model.call("SELECT", 0)
        mine, others = dump(self.client), dump(self.model)
        if not self.check.true(
                same_dump(mine, others),
                f"the data is what plain requests make it: {difference(others, mine)}"):
            print(f"the script was:\n{script[:4000]}\n", flush=True)
            self.start_over()

    def start_over(self):
        """Gives both servers the same new data."""
        self.calls.may_expire = False
        for client in self.client, self.model:
            client.call("FLUSHALL")
        state = self.rand.getstate()
        self.prepare(self.client)
        self.rand.setstate(state)
        self.prepare(self.model)

    def go(self):
        # Keys that have expired but are still there must also be as before.
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.configure(script_time_limit=0, busy_reply_threshold=20)
        for i in range(ROUNDS):
            if i % 40 == 0:
                self.start_over()
            self.fail()
            if i % 2 == 0:
                self.succeed()
        for client in self.client, self.killer, self.watcher, self.model:
            client.close()


def same_reply(call, mine, other):
    """Errors of dispatch are worded differently for scripts. What is in a set has no
    order, and may have been popped by chance."""
    if isinstance(mine, Error) or isinstance(other, Error):
        return isinstance(mine, Error) and isinstance(other, Error) and \
            mine.split()[0] == other.split()[0]
    if call[0] in ("SMEMBERS", "HGETALL"):
        return sorted(mine) == sorted(other)
    if call[0] == "PEXPIRETIME":
        return abs(mine - other) < 60_000
    if isinstance(mine, int) and abs(mine) >= 2**53:  # More than a number of Lua can hold.
        return mine == -(2**63) or float(mine) == float(other)
    return mine == other


def same_dump(mine, others):
    """Expiries relative to the time of each server differ a little."""
    def without_expiry(rows):
        return [(*row[:4], *row[5:]) for row in rows]

    return without_expiry(mine) == without_expiry(others) and all(
        abs(a[4] - b[4]) < 60_000 for a, b in zip(mine, others))


def main():
    rand = random.Random(seed())
    with Server() as server, Server() as model:
        test = Test(rand, server, model)
        with test.check.part("the rounds"):
            test.go()
    print(f"the slowest kill took {test.slowest_kill_s * 1000:.0f} ms")
    test.check.finish()


if __name__ == "__main__":
    main()
