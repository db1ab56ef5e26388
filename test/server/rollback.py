#!/usr/bin/python3
"""What fails leaves no trace, and scripts that succeed do what they say.

A script makes random calls, valid or not, over several databases, and is then
ended in one of all the ways there are. Before and after it, the digest and a full
dump must be the same: every value, its order, its encoding and its expiry. A client
that watches keys must not notice either. Plain requests that are answered with an
error, or refused for want of memory, may have changed nothing as well.

Between them are scripts that succeed. The same calls are sent as plain requests to
a second server: replies and dumps must be the same.

The calls are those of the differential test's grammar; a command that writes and is
not in it fails this test. A failing round prints its script. SEED= repeats a run.
"""

import pathlib
import random
import sys
import time

TEST = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST / "lib"), str(TEST / "differential")]
import grammar
import replies
import values
from server import SOAK, Check, Error, Server, Status, info, seed

ROUNDS = 400 * SOAK
DATABASES = [0, 1, 2, 15]  # Those that a request may choose.
KEYS = [*grammar.ALL_KEYS, *grammar.bits.COUNTERS, *grammar.sorted_sets.EQUAL_SCORES]
FIRST_CALLS = 200  # Make something for scripts to work on.
PLAIN_CALLS = 30
KILL_PATIENCE_S = 30
NEAR = [b"-1", b"0", b"1"]  # Times at which a key expires soon.

# Commands that write and have no place in the grammar.
LEFT_OUT = {
    "migrate": "it needs another server",
    "restore-asking": "it is RESTORE, for clusters",
}


# Calls.


class Calls(grammar.Arguments):
    """Makes random calls: requests of the grammar, but for those about a client."""

    def __init__(self, rand, commands):
        super().__init__(rand, commands)
        self.may_expire = False  # Whether keys may be made that soon expire.

    def time(self, future):
        if self.may_expire and self.chance(0.3):
            return [self.choose(NEAR)]
        return super().time(future)

    def is_wanted(self, command):
        """Of those that only read, some."""
        about_data = grammar.PLAIN not in command.uses or command.words[0] in SWEEPING
        return about_data and (grammar.READS not in command.uses or self.chance(0.3))

    def is_certain(self, command):
        """Whether it does and replies the same wherever it is called."""
        return (self.is_wanted(command) and command.compare in SETTLED
                and grammar.BLOCKS not in command.uses and command.words[0] not in NOT_IN_SCRIPTS)

    def call(self):
        if self.chance(0.03):  # What is picked at random must come back.
            return [b"SPOP", *self.set(), *self.choose([[], [b"1"], [b"3"], [b"100"]])]
        return self.request(self.is_wanted).args

    def waitless_call(self):
        return self.request(lambda c: self.is_wanted(c) and grammar.BLOCKS not in c.uses).args


SWEEPING = ("FCALL", "FLUSHALL", "FLUSHDB", "FUNCTION", "SELECT", "SWAPDB")

NOT_IN_SCRIPTS = ("FCALL", "FUNCTION")

# How the replies of two servers become comparable.
SETTLED = {
    grammar.EXACT: replies.settle,
    grammar.MEMBERS: replies.settle_members,
    grammar.PAIRS: replies.settle_pairs,
    grammar.PENDING: replies.settle_pending,
    grammar.AGES: replies.settle_ages,
}


def writers(client):
    """Returns the names of the commands that write, as the server tells them."""
    names = []
    for command in client.call("COMMAND"):
        for part in command[9] or [command]:
            if b"write" in part[2]:
                names.append(part[0].decode())
    return names


def in_grammar(name):
    words = name.upper().split("|")
    return any(command.words[: len(words)] == words for command in grammar.COMMANDS)


# Scripts.


def lua_string(data):
    """Returns a Lua literal for any bytes."""
    plain = [chr(c) if chr(c).isalnum() and c < 128 else f"\\{c:03d}" for c in data]
    return '"' + "".join(plain) + '"'


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
    ("cmsgpack.unpack('\\193')", b"ERR user_script:"),
    ("struct.unpack('i', 'x')", b"ERR user_script:"),
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


def dump(client):
    """Returns what is in the databases, by database and key. Leaves database 0 selected."""
    keys, requests, found = [], [], {}
    for database in DATABASES:
        client.call("SELECT", database)
        keys += [(database, name) for name in sorted(client.call("KEYS", "*"))]
    for database, name in keys:
        requests += [[b"SELECT", database], *values.requests(name)]
    answers = replies.parse_all(client.call_many_raw([*requests, [b"SELECT", 0]]))
    size = len(values.ABOUT) + 1
    for i, key in enumerate(keys):
        found[key] = values.settle(answers[size * i + 1 : size * (i + 1)])
    return found


def same_values(mine, other):
    """Compares two values of dumps, of which the last is an expiry. Those relative to
    the time of each server differ a little."""
    if mine is None or other is None or mine[:-1] != other[:-1]:
        return False
    return abs(int(mine[-1][1]) - int(other[-1][1])) < 60_000


def difference(before, after, same=lambda a, b: a == b):
    """Returns what differs between two dumps, or an empty text."""
    parts = [
        f"{key}:\n{values.show_difference(after.get(key), before.get(key), 800)}"
        for key in sorted(before.keys() | after.keys())
        if not same(before.get(key), after.get(key))
    ]
    return "\n".join(parts)[:3000]


def digest(client):
    return client.call("DEBUG", "DIGEST")


# The test.


class Test:
    def __init__(self, rand, server, model):
        self.rand = rand
        self.check = Check()
        self.server = server
        self.client = server.connect()
        self.killer = server.connect()
        self.watcher = server.connect()
        self.model = model.connect()
        self.calls = Calls(rand, grammar.available(self.client.call("COMMAND", "LIST")))
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
                reply = self.client.call("EVALSHA", sha, 0)
                self.client.call("SCRIPT", "FLUSH")  # Its text was kept.
                return reply
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
        for _ in range(FIRST_CALLS):
            call = self.calls.request(self.calls.is_certain).args
            if call[0].upper() not in (b"FLUSHALL", b"FLUSHDB", b"SWAPDB"):
                client.call(*call)
        client.call("SELECT", 0)

    def end_somehow(self, body):
        ends, weights = zip(*self.ends)
        return self.rand.choices(ends, weights)[0](body)

    def fail(self):
        """A script fails: nothing has changed."""
        watched = self.rand.random() < 0.5
        if watched:  # That drops keys which have expired: they are no part of the trace.
            self.watcher.call("WATCH", *KEYS)
        before, before_digest = dump(self.client), digest(self.client)
        self.calls.may_expire = True
        body = [shielded(self.rand, self.calls.call()) for _ in range(self.rand.randint(1, 15))]

        script, reply, expected = self.end_somehow(body)
        ok = self.check.starts(reply, expected, "a script fails as it was made to")
        ok &= self.check.equal(digest(self.client), before_digest, "the digest is as before")
        if watched:
            replies = self.watcher.call_many([["MULTI"], ["EXEC"]])
            ok &= self.check.equal(replies[1], [], "a watching client notices nothing")
        self.check.equal(self.client.call("DEBUG", "CHECK"), Status(b"OK"), "all is sound")
        found = difference(before, dump(self.client))
        if not ok or found:
            print(f"the script was:\n{script[:4000]}\n", flush=True)
        self.check.true(not found, f"the dump is as before: {found}")

    def refuse(self):
        """Plain requests that fail, by themselves or for want of memory: nothing has changed."""
        self.calls.may_expire = True
        self.configure(maxmemory=self.rand.choice([0, 0, 1]))
        before = digest(self.client)
        for _ in range(PLAIN_CALLS):
            call = self.calls.waitless_call()
            reply = self.client.call(*call)
            after = digest(self.client)
            if isinstance(reply, Error):
                self.check.equal(after, before, f"{call!r:.300} is refused without a trace")
            before = after
        self.client.call("SELECT", 0)
        self.configure(maxmemory=0)

    def succeed(self):
        """A script succeeds: it has done what its calls would do by themselves."""
        self.calls.may_expire = False
        requests = [
            self.calls.request(self.calls.is_certain) for _ in range(self.rand.randint(1, 15))]
        lines = [f"r[{i + 1}] = {lua_call('pcall', r.args)}" for i, r in enumerate(requests)]
        script = "\n".join(["local r = {}", *lines, "return r"])
        kind, answers = replies.parse_all(self.client.call_many_raw([["EVAL", script, 0]]))[0]
        if not self.check.true(
                kind == b"*" and len(answers) == len(requests),
                f"a script succeeds: {answers!r:.400}\n{script[:4000]}"):
            return
        plain = replies.parse_all(self.model.call_many_raw([r.args for r in requests]))
        for request, mine, others in zip(requests, answers, plain):
            self.check.true(
                same_reply(request, mine, others),
                f"{request.args!r:.200} replies as to a plain request\n"
                f"    expected: {replies.show(others):.400}\n"
                f"    got:      {replies.show(mine):.400}")
        self.model.call("SELECT", 0)
        found = difference(dump(self.model), dump(self.client), same_values)
        if not self.check.true(not found, f"the data is what plain requests make it: {found}"):
            print(f"the script was:\n{script[:4000]}\n", flush=True)
            self.start_over()

    def start_over(self):
        """Gives both servers the same new data."""
        self.calls.may_expire = False
        for client in self.client, self.model:
            client.call("FLUSHALL")
        state, entries = self.rand.getstate(), self.calls.entries
        self.prepare(self.client)
        self.rand.setstate(state)
        self.calls.entries = entries
        self.prepare(self.model)

    def count_writers(self):
        """Checks that none that writes is forgotten."""
        for name in writers(self.client):
            self.check.true(
                in_grammar(name) or name in LEFT_OUT, f"{name} writes, and is in the grammar")

    def go(self):
        self.count_writers()
        # Keys that have expired but are still there must also be as before.
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.configure(script_time_limit=0, busy_reply_threshold=20)
        for i in range(ROUNDS):
            if i % 40 == 0:
                self.start_over()
            self.fail()
            if i % 2 == 0:
                self.succeed()
            if i % 8 == 0:
                self.refuse()
                self.start_over()
        for client in self.client, self.killer, self.watcher, self.model:
            client.close()


def same_reply(request, mine, others):
    """Errors of dispatch are worded differently for scripts, and of a number they
    have only what a number of Lua can hold."""
    if replies.is_error(mine) and replies.is_error(others):
        return mine[1].split()[0] == others[1].split()[0]
    settle = SETTLED[request.compare]
    return rounded(settle(mine)) == rounded(settle(others))


def rounded(reply):
    """Nils of all kinds are one to a script, and so are long numbers."""
    kind, content = reply
    if kind == b":" and content != replies.A_TIME:
        number = float(content)
        return kind, number if number < 2.0**63 else -(2.0**63)
    if content is None:
        return b"$", None
    if isinstance(content, list):
        return kind, [rounded(item) if item and isinstance(item[0], bytes) else item
                      for item in content]
    return reply


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
