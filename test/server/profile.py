#!/usr/bin/python3
"""SCRIPT PROFILE tells on which lines scripts spend their time.

Samples are taken by the clock, so nothing here is about how many there are: a script is
run again until enough have been seen, and then its line must be the first."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Error, Server, Status, info, wait_until

OK = Status(b"OK")
ENOUGH = 20

SPINS = """-- Nothing here.
local sum = 0
for i = 1, ARGV[1] do sum = sum + i % 7 end
return sum
"""
CALLS = """local key = KEYS[1]
for i = 1, ARGV[1] do
    redis.call('BITCOUNT', key)
end
"""
# A function of Lua's own is counted with the instruction behind it.
SEARCHES = """local text = ('a'):rep(5000)
for i = 1, ARGV[1] do text:find('.-b') end
"""
IN_COROUTINE = """local spin = coroutine.wrap(function(n)
    for i = 1, n do local x = i % 7 end
end)
spin(ARGV[1])
"""
LIBRARY = """#!lua name=profiled
local function inner(n)
    for i = 1, n do local x = i % 7 end
end
redis.register_function('spin', function(keys, args) inner(args[1]) end)
"""


def rows(client, *name):
    """The rows of a profile, as dicts."""
    return [dict(zip((field.decode() for field in row[::2]), row[1::2]))
            for row in client.call("SCRIPT", "PROFILE", "GET", *name)]


def load(client, text):
    return client.call("SCRIPT", "LOAD", text).decode()


def sampled(client, name, *request):
    """Runs a request until there are samples enough of it, and returns the rows."""
    def seen():
        client.call(*request)
        return sum(row["samples"] for row in rows(client, name)) >= ENOUGH

    return rows(client, name) if wait_until(seen) else []


def check_first(check, found, line, text, what):
    first = found[0] if found else {}
    check.equal(first.get("line"), line, f"the line of {what}")
    check.equal(first.get("text"), text, f"what stands in the line of {what}")
    check.true(sum(row["samples"] for row in found) >= ENOUGH, f"samples of {what}")
    check.equal(found, sorted(found, key=lambda row: -row["samples"]), f"the order of {what}")


def check_lines(check, client):
    client.call("SETRANGE", "bits", 1_000_000, "x")
    sha = load(client, SPINS)
    check_first(check, sampled(client, sha, "EVALSHA", sha, 0, 200_000), 3,
                b"for i = 1, ARGV[1] do sum = sum + i % 7 end", "a loop")
    sha = load(client, SEARCHES)
    check_first(check, sampled(client, sha, "EVALSHA", sha, 0, 5), 2,
                b"for i = 1, ARGV[1] do text:find('.-b') end", "a search")
    sha = load(client, IN_COROUTINE)
    check_first(check, sampled(client, sha, "EVALSHA", sha, 0, 200_000), 2,
                b"for i = 1, n do local x = i % 7 end", "a coroutine")


def check_commands(check, client):
    sha = load(client, CALLS)
    found = sampled(client, sha, "EVALSHA", sha, 1, "bits", 20)
    check_first(check, found, 3, b"redis.call('BITCOUNT', key)", "a call")
    check.true(found and found[0]["in_commands"] > found[0]["samples"] / 2,
               f"time in commands: {found}")


def check_functions(check, client):
    client.call("FUNCTION", "LOAD", LIBRARY)
    found = sampled(client, "spin", "FCALL", "spin", 0, 200_000)
    check_first(check, found, 3, b"for i = 1, n do local x = i % 7 end", "a function")
    check.equal(rows(client, "SPIN"), found, "a function by its name in capitals")


def check_ends(check, client):
    """What is ended from outside is in the profile as well."""
    sha = load(client, "while true do end")
    check.true(isinstance(client.call("EVALSHA", sha, 0), Error), "a script that is ended")
    found = rows(client, sha)
    check.equal(found[0]["line"], 1, "the line of a script that was ended")


def check_switch(check, client):
    check.equal(info(client, "script_profiling"), 0, "off at first")
    check.equal(rows(client), [], "nothing at first")
    check.equal(client.call("SCRIPT", "PROFILE", "ON"), OK, "on")
    check.equal(client.call("SCRIPT", "PROFILE", "on"), OK, "on twice")
    check.equal(info(client, "script_profiling"), 1, "on")


def check_off(check, client):
    check.equal(client.call("SCRIPT", "PROFILE", "OFF"), OK, "off")
    before = rows(client)
    client.call("EVAL", SPINS, 0, 2_000_000)
    check.equal(rows(client), before, "off: nothing is added, nothing forgotten")
    check.true(len(before) > 0, "there is something")
    check.equal(client.call("SCRIPT", "PROFILE", "RESET"), OK, "reset")
    check.equal(rows(client), [], "nothing behind reset")


def check_words(check, client):
    for words in (["MAYBE"], ["ON", "x"], ["RESET", "x"], ["GET", "a", "b"]):
        reply = client.call("SCRIPT", "PROFILE", *words)
        check.true(isinstance(reply, Error), f"{words}: {reply!r}")
    reply = client.call("SCRIPT", "PROFILE")
    check.starts(reply, b"ERR wrong number of arguments for 'script|profile'", "no word")


def main():
    check = Check()
    with Server(script_time_limit=2000) as server, server.connect() as client:
        for part in (check_switch, check_words, check_lines, check_commands, check_functions,
                     check_ends, check_off):
            part(check, client)
    check.finish()


if __name__ == "__main__":
    main()
