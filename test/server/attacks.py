#!/usr/bin/python3
"""Scripts and requests that nobody honest would send.

lua_attacks.tsv is a list of scripts. The server must survive each, and the next
script must find everything as it was. What is expected of the script itself:

    error      it does not get what it wants: an error, or nil or false
    absent     what it asks for is not there
    readonly   it may think that it has changed something; the next script sees nothing
    budget     it is ended by the time limit, or ends by itself, but holds nobody
    memlimit   it is ended by an error
    noleak     it learns no address
    value      it gets an answer, which begins as what stands behind a colon
    any-alive  anything

What it has written must be gone, unless the row also says "commits", or "may-commit"
if a slow machine may end it before.

resp_attacks.tsv is a list of bytes to send, with the replies as regular expressions,
and whether the connection is then open, closed, or waits for more without taking up
memory. A row is sent once as a whole and once byte by byte.

Rows that need what is not there yet name it in the last column.

Then the scripts are mutated, for some seconds, or as long as is asked for:

    MOONLATCH_SERVER=build/moonlatch-server test/server/attacks.py --fuzz 600

What a mutant does is not known, but a script that failed, or was only tried, has changed
nothing, and the next one finds everything as it was. One that breaks something is shown with the seed,
which gives the same mutants again: --seed.
"""

import argparse
import contextlib
import hashlib
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import mutants
from server import SOAK, Check, Client, Error, Server, Status, seed, shorten

HERE = pathlib.Path(__file__).resolve().parent
REPEAT = re.compile(r"\{\{rep:(.*?):(\d+)\}\}", re.DOTALL)
ADDRESS = re.compile(rb"0x[0-9a-f]{9,}")  # Names have numbers of 32 bits.
ESCAPE = re.compile(r"\\(r|n|x[0-9a-f]{2})")
TIME_LIMIT_MS = 500
BOUND_S = 20  # Against hanging; no row takes as long, not even with the sanitizers.

# Everything that a script could have changed for the next one, as a list of texts.
CANARY = r"""
local seen = {}
local function see(...)
    for i = 1, select('#', ...) do
        local value = select(i, ...)
        seen[#seen + 1] = type(value) .. ' ' .. tostring(value)
    end
end
local function names(t)
    local list = {}
    for name, value in pairs(t) do list[#list + 1] = tostring(name) .. ':' .. type(value) end
    table.sort(list)
    return table.concat(list, ' ')
end

see(#KEYS, #ARGV, KEYS[1], ARGV[1])
see(names(_G))
for _, library in ipairs({'string', 'table', 'math', 'bit', 'coroutine', 'cjson', 'cmsgpack',
                          'struct', 'redis', 'os'}) do
    see(library, names(_G[library]))
end
math.randomseed(1)
see(math.random(), math.random(1000))

see(('x').y, ('x').upper == string.upper, string.upper('x'))
see(('%d'):format(7), type(getmetatable('')))
see(pcall(function() return ('x')() end))
see(pcall(function() return 'a' + 1 end))
see(pcall(function() return nothing end))
see(pcall(function() something = 1 end))
see(pcall(rawset, _G, 'something', 1))

local deep = {}
for i = 1, 100 do deep = {deep} end
see(#cjson.encode(deep), cjson.encode({1, 'x', {a = true}}), cjson.decode('[1, 2]')[2])
see(pcall(cjson.encode, {0 / 0}))
see(pcall(cjson.encode, {[1] = 1, [1000] = 2}))
see(getmetatable(cjson.decode('[]')), cjson.decode_array_with_array_mt())
see(tostring({}), coroutine.running(), rawequal(server, redis))

see(redis.call('PING').ok, redis.pcall('NOSUCH').err, redis.error_reply('a b').err)
see(type(redis.call('GET', 'none')), redis.sha1hex('x'))
return seen
"""


def rows(name):
    """Reads a table: a list of dicts by the names in its first line."""
    lines = (HERE / name).read_text().splitlines()
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"))) for line in lines[1:]]


def repeated(text):
    return REPEAT.sub(lambda match: match[1] * int(match[2]), text)


def unescaped(text):
    """Returns the bytes of a payload: \\r, \\n and \\xHH stand for a byte."""
    def byte(match):
        return {"r": "\r", "n": "\n"}.get(match[1]) or chr(int(match[1][1:], 16))

    return repeated(ESCAPE.sub(byte, text)).encode("latin-1")


# Scripts.


class Scripts:
    def __init__(self, server, check):
        self.server = server
        self.check = check
        self.client = server.connect()
        self.pristine = self.canary("")
        check.true(isinstance(self.pristine, list), f"the canary sings: {self.pristine!r}")
        self.empty = self.client.call("DEBUG", "DIGEST")

    def canary(self, comment):
        """A script that is new, so that it is compiled now."""
        return self.client.call("EVAL", CANARY + comment, 1, "key", "argument")

    def expect(self, row, reply, took_s):
        what = f"{row['id']} {row['script'][:200]}"
        kind, _, answer = row["expect"].split()[0].partition(":")
        failed = isinstance(reply, Error)
        self.check.true(took_s < BOUND_S, f"{what}: it held the server for {took_s:.1f} s")
        if kind == "error":
            self.check.true(
                failed or reply in (None, b"nil", b"false"), f"{what}: got {shorten(reply)}")
        elif kind == "absent":
            self.check.true(
                failed or re.fullmatch(b"(nil|false|noos)+", reply),
                f"{what}: got {shorten(reply)}")
        elif kind == "memlimit":
            self.check.true(failed, f"{what}: got {shorten(reply)}")
        elif kind == "noleak":
            self.check.true(not ADDRESS.search(reply), f"{what}: got {shorten(reply)}")
        elif kind == "value":
            self.check.true(
                str(reply).startswith(answer) if not isinstance(reply, bytes)
                else reply.startswith(answer.encode()), f"{what}: got {shorten(reply)}")
        else:
            assert kind in ("readonly", "budget", "any-alive"), kind

    def run(self, row):
        started = time.monotonic()
        reply = self.client.call("EVAL", repeated(row["script"]), 0)
        self.expect(row, reply, time.monotonic() - started)

        # Had the reply contained a line of the script's making, this would be it.
        self.check.equal(self.client.call("PING"), Status(b"PONG"), f"alive after {row['id']}")
        digest = self.client.call("DEBUG", "DIGEST")
        if "may-commit" not in row["expect"]:
            self.check.equal(
                digest != self.empty, "commits" in row["expect"], f"{row['id']} has written")
        if digest != self.empty:
            self.client.call("FLUSHALL")
        for comment in "", f"-- after {row['id']}":
            self.check.equal(
                self.canary(comment), self.pristine,
                f"scripts find all as it was after {row['id']}")

    def run_all(self):
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        for row in rows("lua_attacks.tsv"):
            if row["later"]:
                self.check.skip(row["id"], row["later"])
            else:
                self.run(row)
        self.client.close()


# Mutants.


FUZZ_S = 10 * SOAK
FUZZ_TIME_LIMIT_MS = 50
FUZZ_MEMORY_KIB = 512 << 10  # A server takes up less, whatever the scripts do.
EACH = 100  # How often memory is looked at.


# Arrays in arrays, of which scripts may return 1000, are read by recursion.
sys.setrecursionlimit(20000)


class Fuzzing:
    """Runs mutants one after the other, all of a seed in one server."""

    def __init__(self, server, check, number):
        self.server = server
        self.check = check
        scripts = [row["script"] for row in rows("lua_attacks.tsv")]
        scripts = [script for script in scripts if not REPEAT.search(script)]
        self.mutants = mutants.Mutants(number, scripts)
        self.client = server.connect()
        self.pristine = self.canary()
        self.empty = self.client.call("DEBUG", "DIGEST")
        self.count = 0

    def canary(self):
        """On a busy machine the limit may end it as well."""
        for _ in range(20):
            reply = self.client.call("EVAL", CANARY, 1, "key", "argument")
            if not isinstance(reply, Error) or b"script-time-limit" not in reply:
                break
        return reply

    def evaluate(self, text):
        """Runs a script. Returns the reply, and whether the script has failed; one that
        returns an error has not."""
        name = hashlib.sha1(text).hexdigest().encode()
        reply = self.client.call("EVAL", text, 1, "key", "argument")
        return reply, isinstance(reply, Error) and name in reply

    def dry_run(self, text):
        return self.client.call("SCRIPT", "DRYRUN", text, 1, "key", "argument"), True

    def call_function(self, text):
        code = b"#!lua name=mutant\nredis.register_function('mutant', function(KEYS, ARGV) %s\nend)"
        loaded = self.client.call("FUNCTION", "LOAD", "REPLACE", code % text)
        self.empty = self.client.call("DEBUG", "DIGEST")
        if isinstance(loaded, Error):
            return loaded, True
        reply = self.client.call("FCALL", "mutant", 1, "key", "argument")
        return reply, isinstance(reply, Error) and b"script: mutant" in reply

    def load_library(self, text):
        reply = self.client.call("FUNCTION", "LOAD", b"#!lua name=other\n" + text)
        return reply, isinstance(reply, Error)

    def run(self, text):
        what = f"mutant {self.count}: {text!r}"
        way = self.mutants.choice(
            [self.evaluate] * 7 + [self.dry_run, self.call_function, self.load_library])
        self.client.call("FLUSHALL")
        self.client.call("FUNCTION", "FLUSH")
        self.empty = self.client.call("DEBUG", "DIGEST")
        reply, failed = way(text)
        good = self.check.equal(self.client.call("PING"), Status(b"PONG"), f"alive after {what}")
        if failed:
            digest = self.client.call("DEBUG", "DIGEST")
            good &= self.check.equal(digest, self.empty, f"{shorten(reply)} undid {what}")
        good &= self.check.equal(
            self.canary(), self.pristine, f"scripts find all as it was after {what}")
        if self.count % EACH == 0:
            good &= self.check.true(
                self.server.is_sanitized() or self.server.resident_kib() < FUZZ_MEMORY_KIB,
                f"{self.server.resident_kib()} KiB are resident after {what}")
        return good

    def run_for(self, seconds):
        deadline = time.monotonic() + seconds
        good = True
        while good and time.monotonic() < deadline:
            text = self.mutants.script().encode("latin-1")
            self.count += 1
            try:
                good = self.run(text)
            except (OSError, ValueError, AssertionError) as error:
                good = self.check.true(False, f"{error!r} at mutant {self.count}: {text!r}")
        print(f"{self.count} mutants")


def fuzz(check, seconds, number):
    with check.part("mutants"), Server(
            script_time_limit=FUZZ_TIME_LIMIT_MS, script_memory_limit="16mb",
            script_undo_limit="16mb", maxmemory="64mb") as server:
        Fuzzing(server, check, number).run_for(seconds)


# Requests.


class Requests:
    def __init__(self, server, check):
        self.server = server
        self.check = check
        self.admin = server.connect()

    def connect(self, row):
        return self.server.connect() if row["authed"] == "1" else Client(self.server.address)

    def send(self, client, payload, size):
        """Sends a payload in pieces. The server may close before it has read it all."""
        with contextlib.suppress(ConnectionError):
            for i in range(0, len(payload), size):
                client.send_raw(payload[i : i + size])

    def replies(self, client, expected):
        """Receives until the replies are as expected, or no more come."""
        pattern = re.compile(expected)
        client.socket.settimeout(0.1 if expected == "" else BOUND_S)
        text = ""
        with contextlib.suppress(OSError):
            while expected == "" or not pattern.fullmatch(text):
                client.receive()
                text = client.input.decode("latin-1").replace("\r\n", "\n")
        client.input.clear()
        client.socket.settimeout(BOUND_S)
        return text

    def run(self, row, payload, size):
        what = f"{row['id']} {row['payload'][:100]} in pieces of {size}"
        with self.connect(row) as client:
            resident_kib = self.server.resident_kib()
            self.send(client, payload, size)
            text = self.replies(client, row["replies"])
            self.check.true(re.fullmatch(row["replies"], text), f"{what}: got {shorten(text)}")
            if row["then"] == "waits":
                self.check.true(
                    self.server.resident_kib() - resident_kib < 1024, f"{what}: memory grows")
            elif row["then"] == "closed":
                self.check.true(client.is_closed(BOUND_S), f"{what}: the connection is closed")
            else:
                client.send_raw(b"PING\r\n")
                self.check.true(
                    client.read().startswith((b"PONG", b"NOAUTH")), f"{what}: the connection lives")
        self.check.equal(self.admin.call("PING"), Status(b"PONG"), f"alive after {row['id']}")
        self.admin.call("FLUSHALL")

    def run_all(self):
        for row in rows("resp_attacks.tsv"):
            payload = unescaped(row["payload"])
            if row["later"]:
                self.check.skip(row["id"], row["later"])
                continue
            self.run(row, payload, len(payload))
            if len(payload) < 4096:
                self.run(row, payload, 1)
        self.admin.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fuzz", type=float, metavar="SECONDS", help="run nothing but mutants")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    number = options.seed if options.seed is not None else seed()
    check = Check()
    if options.fuzz:
        fuzz(check, options.fuzz, number)
        check.finish()
    with check.part("scripts"), Server(
            script_time_limit=TIME_LIMIT_MS, maxmemory="256mb") as server:
        Scripts(server, check).run_all()
    with check.part("requests"), Server(requirepass="secret") as server:
        Requests(server, check).run_all()
    fuzz(check, FUZZ_S, number)
    check.finish()


if __name__ == "__main__":
    main()
