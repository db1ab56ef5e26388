#!/usr/bin/python3
"""What a server tells of the scripts and functions it has run: SCRIPT STATS, FUNCTION
STATS, and INFO."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Map, Server, Status, info, wait_until

OK = Status(b"OK")

FIELDS = [b"calls", b"returned_errors", b"rollbacks", b"rollback_reasons", b"total_us", b"max_us",
          b"commands", b"changes", b"changes_undone", b"max_memory"]

LIBRARY = """#!lua name=costs
redis.register_function('add', function(keys, args)
    return redis.call('INCRBY', keys[1], args[1])
end)
redis.register_function('spin', function() while true do end end)
"""


def pairs(reply):
    """A map, of RESP3 or as an array, as a dict with strings for names."""
    if not isinstance(reply, Map):
        reply = zip(reply[::2], reply[1::2])
    return {name.decode(): value for name, value in reply}


def load(client, text):
    return client.call("SCRIPT", "LOAD", text).decode()


def stats(client, sha):
    return pairs(client.call("SCRIPT", "STATS", sha))


def reasons(client, sha):
    return pairs(stats(client, sha)["rollback_reasons"])


def function_stats(client, *arguments):
    return {name: pairs(value)
            for name, value in pairs(client.call("FUNCTION", "STATS", *arguments)).items()}


def check_figures(check, client):
    sha = load(client, "for i = 1, ARGV[1] do redis.call('INCR', KEYS[1]) end "
                       "if ARGV[2] then error(ARGV[2]) end return redis.call('GET', KEYS[1])")
    before = stats(client, sha)
    check.equal(list(before), [name.decode() for name in FIELDS], "the figures")
    check.equal([value for value in before.values() if value not in (0, [])], [],
                "of a script that was not called")
    client.call("EVALSHA", sha, "1", "a", "10")
    client.call("EVALSHA", sha.upper(), "1", "a", "5", "oops")
    client.call("MULTI")
    client.call("EVALSHA", sha, "1", "a", "2")
    client.call("EVALSHA", sha, "1", "a", "3")
    client.call("EXEC")
    got = stats(client, sha.upper())
    check.equal(got["calls"], 4, "calls")
    check.equal(got["rollbacks"], 1, "rollbacks")
    check.equal(got["rollback_reasons"], [b"error", 1], "reasons")
    check.equal(got["commands"], 11 + 5 + 3 + 4, "commands")
    check.equal(got["changes"], 15, "changes")
    check.equal(got["changes_undone"], 5, "changes undone")
    check.true(0 < got["max_us"] < got["total_us"], f"times: {got}")


def check_returned_errors(check, client):
    sha = load(client, "redis.call('SET', 'b', 1) return redis.error_reply('NOTE x')")
    client.call("EVALSHA", sha, "0")
    got = stats(client, sha)
    check.equal((got["returned_errors"], got["rollbacks"], got["changes"]), (1, 0, 1),
                "an error that is a value")
    client.call("SCRIPT", "DRYRUN", sha, "0")
    check.equal(stats(client, sha), got, "a dry run is not counted")


def check_memory(check, client):
    small = load(client, "return #ARGV")
    big = load(client, "return #string.rep('x', 4000000)")
    for _ in range(3):
        client.call("EVALSHA", big, "0")
        client.call("EVALSHA", small, "0")
    got = stats(client, big)["max_memory"]
    check.true(4_000_000 <= got < 40_000_000, f"a script that takes 4 MB: {got}")
    got = stats(client, small)["max_memory"]
    check.true(0 < got < 100_000, f"a script behind it that takes none: {got}")


def kill(client, other, sha):
    """Calls a script that runs for ever, and ends it."""
    other.send("EVALSHA", sha, "0")
    wait_until(lambda: client.call("SCRIPT", "KILL") == OK)
    other.read()


ENDED = [
    (b"error", "return nothing.there"),
    (b"error", "local t = {} t[1] = t return t"),
    (b"rollback", "redis.rollback('ENOUGH')"),
    (b"time_limit", "#!lua timeout=5ms\nwhile true do end"),
    (b"memory_limit", "#!lua memory=1mb\nreturn #string.rep('x', 10000000)"),
    (b"undo_limit", "for i = 1, 100 do redis.call('SET', 'x', ('x'):rep(100000)) end"),
    (b"stack", "local function f() return ('x'):gsub('x', f) end return f()"),
]


def check_reasons(check, client, other):
    client.call("CONFIG", "SET", "script-undo-limit", "1mb")
    client.call("CONFIG", "RESETSTAT")
    for reason, text in ENDED:
        sha = load(client, text)
        reply = client.call("EVALSHA", sha, "0")
        check.equal(reasons(client, sha), {reason.decode(): 1}, f"{text!r}: {reply}")
    client.call("CONFIG", "SET", "script-undo-limit", "0")
    sha = load(client, "redis.call('SET', 'c', 1) while true do end")
    kill(client, other, sha)
    got = stats(client, sha)
    check.equal(got["rollback_reasons"], [b"kill", 1], "a script that is killed")
    check.equal((got["commands"], got["changes"], got["changes_undone"]), (1, 0, 1), "its calls")
    check.equal(info(client, "scripts_run"), len(ENDED) + 1, "scripts_run")
    check.equal(info(client, "script_rollbacks"), len(ENDED) + 1, "script_rollbacks")
    check.equal(info(client, "script_rollbacks_error"), 2, "script_rollbacks_error")
    check.equal(info(client, "script_rollbacks_kill"), 1, "script_rollbacks_kill")
    client.call("CONFIG", "RESETSTAT")
    check.equal(info(client, "script_rollbacks"), 0, "behind RESETSTAT")
    check.equal(stats(client, sha)["calls"], 1, "of scripts, behind RESETSTAT")


def check_list(check, client):
    client.call("SCRIPT", "FLUSH")
    slow = load(client, "for i = 1, 1000000 do end")
    quick = load(client, "return 1")
    load(client, "return 'never called'")
    client.call("EVALSHA", slow, "0")
    client.call("EVALSHA", quick, "0")
    listed = pairs(client.call("SCRIPT", "STATS"))
    check.equal(list(listed), [slow, quick], "what was called, the most expensive first")
    check.equal(pairs(listed[quick])["calls"], 1, "figures in the list")
    check.equal(list(pairs(client.call("SCRIPT", "STATS", "COUNT", "1"))), [slow], "COUNT")
    check.equal(client.call("SCRIPT", "STATS", "RESET"), OK, "RESET")
    check.equal(client.call("SCRIPT", "STATS"), [], "behind it")
    check.equal(stats(client, slow)["calls"], 0, "of one script behind it")


def check_functions(check, client, other):
    check.equal(client.call("FUNCTION", "LOAD", LIBRARY), b"costs", "FUNCTION LOAD")
    check.equal(function_stats(client, "*"), {}, "functions that were not called")
    client.call("FCALL", "add", "1", "f", "5")
    client.call("FCALL", "ADD", "1", "f", "x")
    got = function_stats(client, "a*")["add"]
    check.equal((got["calls"], got["rollbacks"], got["commands"]), (2, 1, 2), "a function")
    other.send("FCALL", "spin", "0")
    wait_until(lambda: isinstance(client.call("PING"), bytes) and
               client.call("PING").startswith(b"BUSY"))
    check.equal(list(function_stats(client, "*")), ["add"], "while a function runs")
    wait_until(lambda: client.call("FUNCTION", "KILL") == OK)
    other.read()
    got = function_stats(client, "SPIN")["spin"]
    check.equal(got["rollback_reasons"], [b"kill", 1], "a function that is killed")
    client.call("FCALL", "add", "1", "f", "5")  # Is compiled anew: the VM has gone.
    check.equal(function_stats(client, "add")["add"]["calls"], 3, "in a new VM")
    check.equal(list(function_stats(client, "*", "COUNT", "1")), ["spin"], "COUNT")
    client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY)
    check.equal(function_stats(client, "add")["add"]["calls"], 3, "loaded again")
    client.call("FUNCTION", "LOAD", "REPLACE", LIBRARY + "\n")
    check.equal(function_stats(client, "*"), {}, "another text")
    client.call("FCALL", "add", "1", "f", "5")
    check.equal(client.call("FUNCTION", "STATS", "RESET"), OK, "RESET")
    check.equal(function_stats(client, "*"), {}, "behind it")
    check.equal(info(client, "number_of_functions"), 2, "number_of_functions")
    check.equal(info(client, "number_of_libraries"), 1, "number_of_libraries")
    check.true(info(client, "used_memory_functions") > len(LIBRARY), "used_memory_functions")


def check_eviction(check, client):
    client.call("SCRIPT", "FLUSH")
    before = info(client, "evicted_scripts")
    kept = load(client, "return 'kept'")
    client.call_many([["EVAL", f"return {i}", "0"] for i in range(600)])
    check.equal(info(client, "evicted_scripts") - before, 100, "evicted_scripts")
    check.equal(info(client, "number_of_cached_scripts"), 501, "number_of_cached_scripts")
    check.equal(client.call("SCRIPT", "EXISTS", kept), [1], "one that was loaded")
    check.equal(len(pairs(client.call("SCRIPT", "STATS"))), 500, "SCRIPT STATS")


def main():
    check = Check()
    with Server(busy_reply_threshold=20) as server:
        with server.connect() as client, server.connect() as other:
            for part in (check_figures, check_returned_errors, check_memory, check_list,
                         check_eviction):
                with check.part(part.__name__):
                    part(check, client)
            for part in (check_reasons, check_functions):
                with check.part(part.__name__):
                    part(check, client, other)
    check.finish()


if __name__ == "__main__":
    main()
