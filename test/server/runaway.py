#!/usr/bin/python3
"""Nothing that a script does can hold the server.

Every kind of runaway script here has written something before it runs away. It is
ended by script-time-limit (or another limit, if it comes to that first), and
then once more by SCRIPT KILL, from a connection that is opened only when the script
already runs. Each time, what it wrote is undone and the server answers right after;
until then, others are told that it is busy.

Then many of them are ended in a row, and neither memory nor mappings may grow:

    runaway.py [--kills N]
"""

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import SOAK, Check, Error, Server, Status, info

# Nothing takes as long as this; it is a bound against hanging, on a slow machine.
BOUND_S = 5

TIME_LIMIT_MS = 100
BUSY_MS = 20

# Every one of these would run for ever, or for hours.
RUNAWAYS = {
    "loop": "while true do end",
    "numeric loop": "for i = 1, 1e18 do end",
    "step of zero": "for i = 1, 2, 0 do end",
    "goto": "::again:: goto again",
    "loop in pcall": "while true do pcall(function() while true do end end) end",
    "loop in nested pcalls": """
        local function shield(f) return function() while true do pcall(f) end end end
        local f = function() while true do end end
        for i = 1, 20 do f = shield(f) end
        f()""",
    "loop in the handler of xpcall":
        "xpcall(function() error('x') end, function() while true do end end)",
    "handlers in handlers": """
        local function handler() xpcall(error, handler) while true do end end
        while true do xpcall(error, handler) end""",
    "coroutines made and run":
        "while true do coroutine.wrap(function() local x = {} end)() end",
    "coroutine that yields": """
        local c = coroutine.wrap(function() while true do coroutine.yield() end end)
        while true do c() end""",
    "loop in a coroutine in pcall": """
        while true do
            local c = coroutine.create(function() while true do end end)
            pcall(coroutine.resume, c)
        end""",
    "string.find that backtracks": "string.find(string.rep('a', 5000), '.-.-.-.-.-b')",
    "string.match that backtracks": "string.match(string.rep('a', 5000), 'a*a*a*a*a*b')",
    "string.gsub that backtracks": "string.gsub(string.rep('a', 5000), 'a*a*a*a*b', '')",
    "string.gmatch that backtracks":
        "for x in string.gmatch(string.rep('a', 5000), '.-.-.-.-.-b') do end",
    "balanced match, again and again": """
        local s = string.rep('(', 20000)
        while true do string.find(s, '%b()') end""",
    "plain find of nearly the same": """
        local s = string.rep('a', 2e6)
        while true do string.find(s, string.rep('a', 1e6) .. 'b', 1, true) end""",
    "string.rep": "while true do local s = string.rep('x', 1e6) end",
    "concatenation": "while true do local s = 'x' for i = 1, 20 do s = s .. s end end",
    "string.reverse": "local s = string.rep('x', 1e6) while true do s = s:reverse() end",
    "string.format": "while true do string.format('%99.99f %q', 1e308, 'x') end",
    "string.byte and char":
        "local s = string.rep('x', 200) while true do string.char(s:byte(1, -1)) end",
    "table.concat": """
        local t = {} for i = 1, 1e5 do t[i] = 'x' end
        while true do table.concat(t) end""",
    "table.sort with a comparison that loops":
        "table.sort({3, 2, 1}, function() while true do end end)",
    "table.sort with a comparison that counts": """
        local t = {} for i = 1, 3e5 do t[i] = (i * 7919) % 300007 end
        while true do
            pcall(table.sort, t, function(a, b) for i = 1, 500 do end return a < b end)
        end""",
    "table.insert in front": """
        local t = {} for i = 1, 1e5 do t[i] = i end
        while true do table.insert(t, 1, 0) table.remove(t) end""",
    "unpack":
        "local t = {} for i = 1, 5000 do t[i] = i end while true do select('#', unpack(t)) end",
    "next over a big table": """
        local t = {} for i = 1, 1e5 do t['k' .. i] = i end
        while true do for k, v in pairs(t) do end end""",
    "cjson.encode": "while true do cjson.encode({1, {a = 'b'}, 'x'}) end",
    "cjson.encode of much": """
        local t = {} for i = 1, 2e5 do t[i] = 'some text' end
        while true do cjson.encode(t) end""",
    "cjson.decode": "while true do cjson.decode('[1, {\"a\": [true, null]}, 1e5]') end",
    "cjson.decode of much": """
        local s = '[' .. string.rep('{\"a\":[1]},', 1e5) .. '0]'
        while true do cjson.decode(s) end""",
    "cmsgpack": "while true do cmsgpack.unpack(cmsgpack.pack({1, {a = 'b'}, 'x'})) end",
    "cmsgpack of much": """
        local t = {} for i = 1, 2e5 do t[i] = 'some text' end
        while true do cmsgpack.pack(t, {t}) end""",
    "cmsgpack.unpack of much": """
        local s = '\\221\\0\\1\\134\\160' .. string.rep('\\129\\161a\\145\\1', 1e5)
        while true do cmsgpack.unpack(s) end""",
    "struct": "while true do struct.unpack('>hds', struct.pack('>hds', 1, 2, 'x')) end",
    "struct with a long format": """
        local f = string.rep('x', 1e6)
        while true do struct.unpack(f, struct.pack(f)) struct.size(f) end""",
    "redis.call": "while true do redis.call('INCR', KEYS[1]) end",
    "redis.call of much": """
        local s = string.rep('x', 1e6)
        while true do redis.call('SET', KEYS[1], s) redis.call('GET', KEYS[1]) end""",
    "redis.call that adds keys":
        "local i = 0 while true do i = i + 1 redis.call('SET', 'many:' .. i % 1e4, i) end",
    "redis.pcall that fails": "while true do redis.pcall('INCR') end",
    "redis.call that fails in pcall": "while true do pcall(redis.call, 'NOSUCH') end",
    "redis.sha1hex": "local s = string.rep('x', 1e6) while true do redis.sha1hex(s) end",
    "redis.log": "while true do redis.log(redis.LOG_DEBUG, 'x') end",
    "replies made": "while true do redis.error_reply('x y') redis.status_reply('x') end",
    "tostring and tonumber": "while true do tonumber(tostring(1 / 3)) tostring({}) end",
    "metamethods": """
        local m = {} m.__index = function(t, k) return k end
        m.__add = function() return 1 end m.__concat = m.__add m.__lt = function() return true end
        m.__eq = m.__lt m.__call = m.__add m.__unm = m.__add
        local a, b = setmetatable({}, m), setmetatable({}, m)
        while true do local x = a.x, a + b, a .. b, a < b, a == b, a(), -a end""",
    "metamethod that never answers": """
        local t = setmetatable({}, {__index = function(t, k) while true do end end})
        while true do pcall(function() return t.x end) end""",
    "recursion": """
        local function f() return 1 + f() end
        while true do pcall(f) end""",
    "recursion by tail calls": "local function f() return f() end f()",
    "recursion through pcall": "local function f() pcall(f) pcall(f) end f() while true do end",
    "recursion through table.sort": """
        local function f() table.sort({3, 2, 1}, f) return false end
        while true do pcall(f) end""",
    "recursion through __index": """
        local m = {} m.__index = function(t, k) return t[k .. 'x'] end
        while true do pcall(function() return setmetatable({}, m).x end) end""",
    "loadstring": "while true do loadstring('local a = 1 return a + 1')() end",
    "loadstring of much": """
        local s = string.rep('local a = {1, 2, 3} ', 150)
        while true do loadstring(s) end""",
    "load that is never given an end": "load(function() return ' ' end)",
    "error": "while true do pcall(error, 'x') end",
    "error with a table": "while true do pcall(error, {err = 'X y'}) end",
    "garbage": "while true do local t = {{}, {}, function() end} end",
    "collectgarbage": "while true do collectgarbage() end",
    "growing tables, dropped":
        "while true do local t = {} for i = 1, 1e5 do t[i] = i end end",
    "numbers": "while true do local x = math.random() + math.sin(bit.bxor(1, 2)) end",
}

# These come to an end by memory, or by the C stack, if nobody ends them before.
GROWTHS = {
    "a string": "local s = 'x' while true do s = s .. s end",
    "a table": "local t = {} while true do t[#t + 1] = 1 end",
    "tables": "local t while true do t = {t} end",
    "strings": "local t = {} for i = 1, 1e9 do t[i] = string.rep('x', 1000) .. i end",
    "coroutines": "local t = {} while true do t[#t + 1] = coroutine.create(pairs) end",
    "one big string": "return #string.rep('x', 1e9)",
    "pcall around it": "while true do pcall(string.rep, 'x', 1e9) end",
    "json": "local t = {} for i = 1, 1e5 do t[i] = 'x' end t = {t, t, t, t, t, t, t, t, t, t} "
            "return #cjson.encode({t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t})",
    "replies of calls": "redis.call('SET', 'big', string.rep('x', 1e6)) "
                        "local t = {} for i = 1, 1e9 do t[i] = redis.call('GET', 'big') .. i end",
    "a reply": "local t, s = {}, string.rep('x', 1e6) for i = 1, 1e4 do t[i] = s end return t",
    "coroutines in coroutines": "local function f() return coroutine.wrap(f)() end f()",
    "gsubs in gsubs":
        "local function f() return string.gsub('a', 'a', f) end while true do pcall(f) end",
}

# What these change takes more and more memory to undo.
CHANGES = {
    "small writes": "for i = 1, 1e9 do redis.call('INCR', KEYS[1]) end",
    "keys that are overwritten":
        "local s = string.rep('x', 1e5) while true do redis.call('SET', KEYS[1], s) end",
    "keys that are deleted": """
        local s = string.rep('x', 1e5)
        while true do redis.call('APPEND', KEYS[1], s) redis.call('DEL', KEYS[1]) end""",
    "databases that are flushed": """
        local s = string.rep('x', 1e5)
        while true do redis.call('SET', KEYS[1], s) redis.call('FLUSHALL') end""",
    "lists that are trimmed": """
        local s = string.rep('x', 1e4)
        while true do
            redis.call('RPUSH', KEYS[1], 1, s, s, s, s, s, s) redis.call('LTRIM', KEYS[1], 0, 0)
        end""",
    "streams that are trimmed": """
        local s = string.rep('x', 1e4)
        while true do
            redis.call('XADD', KEYS[1], '*', 'f', s) redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
        end""",
    "hashes that lose fields": """
        local s = string.rep('x', 1e5)
        while true do
            redis.call('HSET', KEYS[1], 'f', s) redis.call('HEXPIRE', KEYS[1], 1e6, 'FIELDS', 1, 'f')
            redis.call('HDEL', KEYS[1], 'f')
        end""",
    "writes in pcall": """
        local s = string.rep('x', 1e5)
        while true do pcall(redis.call, 'SET', KEYS[1], s) redis.pcall('SET', KEYS[1], s) end""",
}

# The sanitizer has a memcmp of its own, in which a script cannot be left.
NOT_SANITIZED = "plain find of nearly the same"


class Test:
    def __init__(self, server):
        self.server = server
        self.check = Check()
        self.client = server.connect()
        self.old = server.connect()  # Connected before any script runs.
        self.runaways = dict(RUNAWAYS)
        if server.is_sanitized():
            self.check.skip(NOT_SANITIZED, "it takes too long under a sanitizer")
            del self.runaways[NOT_SANITIZED]
        self.slowest_s = {"limit": 0.0, "kill": 0.0}

    def configure(self, **options):
        for name, value in options.items():
            reply = self.client.call("CONFIG", "SET", name.replace("_", "-"), value)
            assert reply == b"OK", reply

    def begin(self, body):
        script = f"redis.call('SET', 'dirty', 1) redis.call('HSET', 'hash', 'f', 1) {body}"
        self.client.send("EVAL", script, 1, "key")

    def note(self, by, what, started):
        took_s = time.monotonic() - started
        self.slowest_s[by] = max(self.slowest_s[by], took_s)
        self.check.true(took_s < BOUND_S, f"{what} ends soon: it took {took_s:.2f} s")

    def check_undone(self, what):
        """The server is right there, and nothing of the script is."""
        self.check.equal(self.old.call("PING"), Status(b"PONG"), f"answers after {what}")
        self.check.equal(self.old.call("DBSIZE"), 0, f"nothing is left of {what}")
        self.check.equal(
            self.client.call("EVAL", "return {string.upper('x'), cjson.encode({1})}", 0),
            [b"X", b"[1]"], f"scripts run as ever after {what}")

    def end_by_limit(self, what, body):
        self.begin(body)
        started = time.monotonic()
        self.check.starts(self.client.read(), b"ERR Script ", f"{what} is ended by a limit")
        self.note("limit", what, started)
        self.check_undone(what)

    def wait_until_busy(self, what):
        """A client that was there before is told that the server is busy. Its request
        may also have come first."""
        reply = None
        deadline = time.monotonic() + BOUND_S
        while not isinstance(reply, Error) and time.monotonic() < deadline:
            reply = self.old.call("GET", "dirty")
        self.check.starts(reply, b"BUSY ", f"others are told BUSY during {what}")

    def end_by_kill(self, what, body):
        self.begin(body)
        self.wait_until_busy(what)
        with self.server.connect() as late:
            self.check.starts(late.call("PING"), b"BUSY ", f"a new client is, too, during {what}")
            started = time.monotonic()
            self.check.equal(
                late.call("SCRIPT", "KILL"), Status(b"OK"), f"SCRIPT KILL is served during {what}")
            self.check.starts(
                self.client.read(), b"ERR Script killed by user", f"{what} is ended by SCRIPT KILL")
            self.note("kill", what, started)
            self.check.starts(late.call("SCRIPT", "KILL"), b"NOTBUSY ", "nothing is left to kill")
        self.check_undone(what)

    def all_by_limit(self):
        self.configure(script_time_limit=TIME_LIMIT_MS, busy_reply_threshold=0)
        for what, body in (self.runaways | GROWTHS).items():
            with self.check.part(what):
                self.end_by_limit(what, body)

    def all_by_kill(self):
        self.configure(script_time_limit=0, busy_reply_threshold=BUSY_MS)
        for what, body in self.runaways.items():
            with self.check.part(what):
                self.end_by_kill(what, body)

    def answers_from_before(self):
        """A request may come just before a script, so that both are found at once: its
        answer does not wait for the end of the script."""
        self.configure(script_time_limit=0, busy_reply_threshold=BUSY_MS)
        self.server.process.send_signal(signal.SIGSTOP)
        self.old.send("PING")
        self.begin("while true do end")
        self.server.process.send_signal(signal.SIGCONT)
        reply = self.old.read()
        self.check.true(reply == b"PONG" or reply.startswith(b"BUSY "),
                        f"who came with a script is answered during it: {reply!r}")
        self.wait_until_busy("it")
        self.old.call("SCRIPT", "KILL")
        self.check.starts(self.client.read(), b"ERR Script killed", "and the script is ended")

    def shielded_growth(self):
        """Who runs out of memory, or of the C stack, is not asked by pcall."""
        self.configure(
            script_time_limit=1000 * BOUND_S, busy_reply_threshold=0, script_memory_limit="4mb")
        for what, body in GROWTHS.items():
            if "return t" in body:  # It is the reply that is too big.
                continue
            with self.check.part(what):
                self.begin(f"pcall(function() {body} end) while true do end")
                reply = self.client.read()
                self.check.true(
                    b"exceeded script-memory-limit" in reply or b"overflowed" in reply,
                    f"{what} is ended by memory, not {reply!r}")
                self.check_undone(what)
        self.configure(script_memory_limit="64mb")

    def changes_without_end(self):
        """What it takes to undo a script is bounded."""
        self.configure(
            script_time_limit=1000 * BOUND_S, busy_reply_threshold=0, script_undo_limit="8mb")
        for what, body in CHANGES.items():
            with self.check.part(what):
                before = info(self.client, "used_memory")
                self.begin(body)
                self.check.starts(
                    self.client.read(),
                    b"ERR Script exceeded script-undo-limit (8388608 bytes): not enough memory.",
                    f"{what} are ended by what it takes to undo them")
                grown = info(self.client, "used_memory") - before
                self.check.true(grown < 2_000_000, f"{what} leave {grown} bytes")
                self.check_undone(what)
        self.configure(script_undo_limit="256mb")

    def big_deletions(self):
        """What was there before a script, and goes, does not make memory grow."""
        self.configure(script_undo_limit="1mb", script_time_limit=5000)
        for command in "DEL", "UNLINK", "SET", "FLUSHALL":
            self.client.call("SET", "big", b"x" * 10_000_000)
            self.client.call("RPUSH", "list", *[b"x" * 10_000] * 300)
            reply = self.client.call(
                "EVAL", "redis.call('LTRIM', 'list', 0, 0) return redis.call(unpack(ARGV))",
                0, command, *{"SET": ["big", "x"], "FLUSHALL": []}.get(command, ["big"]))
            self.check.true(not isinstance(reply, Error), f"{command} of much: {reply!r}")
            self.client.call("FLUSHALL")
        self.configure(script_undo_limit="256mb")

    # Growth.

    def end_many(self, count):
        """Ends scripts of all kinds, a hundred by limits, a hundred by SCRIPT KILL."""
        endless = [*self.runaways.values()]
        growing = [GROWTHS["coroutines in coroutines"], GROWTHS["a string"]]
        self.configure(busy_reply_threshold=1)
        for i in range(count):
            by_limit = i % 200 < 100
            bodies = endless + growing if by_limit else endless
            if i % 100 == 0:
                self.configure(script_time_limit=2 if by_limit else 0)
            self.begin(bodies[i % len(bodies)])
            while not by_limit and self.old.call("SCRIPT", "KILL") != b"OK":
                pass
            reply = self.client.read()
            if not isinstance(reply, Error):
                self.check.true(False, f"a script ends by force: {reply!r}")

    def footprint(self):
        """What is used is exact; what is resident, the allocator rounds up."""
        self.client.call("SCRIPT", "FLUSH")
        return {
            "KiB used": info(self.client, "used_memory") // 1024,
            "KiB resident": self.server.resident_kib(),
            "mappings": self.server.mappings(),
        }

    def do_not_leak(self, kills):
        warm_up = 200
        self.end_many(warm_up)
        before = self.footprint()
        started = time.monotonic()
        self.end_many(kills)
        took_s = time.monotonic() - started
        after = self.footprint()
        print(f"{kills} kills in {took_s:.0f} s:", flush=True)
        for what, allowed in {"KiB used": 500, "KiB resident": 20_000, "mappings": 20}.items():
            print(f"    {what}: {before[what]} before, {after[what]} after", flush=True)
            self.check.true(after[what] - before[what] < allowed, f"{what} do not grow")
        self.check_undone("many kills")

    def close(self):
        self.client.close()
        self.old.close()


def hold(server, client):
    """Makes a server busy with a script that does not end."""
    client.call("CONFIG", "SET", "script-time-limit", 0)
    client.call("CONFIG", "SET", "busy-reply-threshold", BUSY_MS)
    client.send("EVAL", "redis.call('SET', 'dirty', 1) while true do end", 0)
    with server.connect() as other:
        while not isinstance(other.call("GET", "x"), Error):
            pass


def end_busy_server(check, how):
    """A busy server can be ended as well as an idle one."""
    with Server() as server, server.connect() as client:
        hold(server, client)
        how(server)
        server.wait()
        check.true(True, "a busy server ends")


def end_deaf_server(check):
    """Without any limit nobody is served during a script, but a signal ends it."""
    with Server() as server, server.connect() as client:
        client.call("CONFIG", "SET", "script-time-limit", 0)
        client.call("CONFIG", "SET", "busy-reply-threshold", 0)
        client.send("EVAL", "while true do end", 0)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        server.wait()
        check.true(True, "a deaf server ends")


# Nests callbacks of gsub and then comparators of sort, whose frames on the C stack are
# smaller, and stays there for a while.
AT_THE_END_OF_THE_STACK = """
local deep, more, spin_s = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function spin()
    local start = os.clock()
    while os.clock() - start < spin_s do end
end
local function sorts(n)
    if n == 0 then return spin() end
    table.sort({2, 1}, function(a, b) sorts(n - 1) return a < b end)
end
local function gsubs(n)
    if n == 0 then sorts(more) return 'x' end
    return (string.gsub('a', 'a', function() return gsubs(n - 1) end))
end
return gsubs(deep)
"""


def tick_at_the_end_of_the_stack(check):
    """The signal that looks after a script has to find room below its frames."""
    with Server() as server, server.connect() as client:
        client.call("CONFIG", "SET", "busy-reply-threshold", 5)
        fits, overflows = 1, 100_000
        while overflows - fits > 1:
            middle = (fits + overflows) // 2
            if isinstance(client.call("EVAL", AT_THE_END_OF_THE_STACK, 0, middle, 0, 0), Error):
                overflows = middle
            else:
                fits = middle
        for more in range(0, 50, 2):
            client.call("EVAL", AT_THE_END_OF_THE_STACK, 0, fits, more, "0.03")
        check.equal(client.call("PING"), Status(b"PONG"), "the server lives")


def replies_before_the_script(check):
    """What was replied in the same turn of the loop as the script began is not held back."""
    with Server(enable_debug_command="yes") as server, server.connect() as sleeper, \
            server.connect() as client, server.connect() as runaway:
        client.call("CONFIG", "SET", "busy-reply-threshold", BUSY_MS)
        client.call("CONFIG", "SET", "script-time-limit", 0)
        runaway.call("PING")
        sleeper.send("DEBUG", "SLEEP", "0.3")
        time.sleep(0.1)
        client.send("PING")
        runaway.send("EVAL", "while true do end", "0")
        check.equal(client.read(), Status(b"PONG"), "a reply from before the script")
        check.equal(client.call("SCRIPT", "KILL"), Status(b"OK"), "SCRIPT KILL behind it")
        runaway.read()


def ask_to_shut_down(server):
    with server.connect() as other, contextlib.suppress(ConnectionError):
        other.call("SHUTDOWN", "NOSAVE")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, help="of the test for leaks")
    kills = parser.parse_args().kills or 300 * SOAK

    # What is freed must go back, for the sanitizers' build to show what is not.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
    with Server() as server:
        test = Test(server)
        with test.check.part("the kinds of runaway scripts"):
            test.all_by_limit()
            test.all_by_kill()
            test.answers_from_before()
            test.shielded_growth()
            test.changes_without_end()
            test.big_deletions()
            test.do_not_leak(kills)
        test.close()
    for by, slowest_s in test.slowest_s.items():
        print(f"the slowest end by {by} took {slowest_s * 1000:.0f} ms")

    with test.check.part("SHUTDOWN during a script"):
        end_busy_server(test.check, ask_to_shut_down)
    with test.check.part("SIGTERM during a script"):
        end_busy_server(test.check, lambda server: server.process.send_signal(signal.SIGTERM))
    with test.check.part("SIGTERM during a script that nothing limits"):
        end_deaf_server(test.check)
    with test.check.part("replies from before the script"):
        replies_before_the_script(test.check)
    with test.check.part("a signal at the end of the C stack"):
        tick_at_the_end_of_the_stack(test.check)
    test.check.finish()


if __name__ == "__main__":
    main()
