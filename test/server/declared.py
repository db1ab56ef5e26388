#!/usr/bin/python3
"""script-strict-keys warn: a script that uses a key which it has not declared goes on, and
the log tells of it once."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Server, Status

OK = Status(b"OK")

GET = "return redis.call('GET', ARGV[1])"
SET = "return redis.call('SET', ARGV[1], 'x')"
LIBRARY = """#!lua name=declares
redis.register_function('get', function(keys, args) return redis.call('GET', args[1]) end)
redis.register_function('del', function(keys, args) return redis.call('DEL', args[1]) end)
"""


class Log:
    """What a server has written to its log since it was last asked."""

    def __init__(self, server):
        self.server = server
        self.seen = len(server.log())

    def warnings(self):
        """Returns the script and the key of each warning."""
        new = self.server.log()[self.seen:]
        self.seen += len(new)
        before, between = " # script ", " uses a key that it has not declared: "
        return [tuple(line.partition(before)[2].split(between))
                for line in new.splitlines() if between in line]


def check_scripts(check, client, log):
    get, set_ = (client.call("SCRIPT", "LOAD", text).decode() for text in (GET, SET))
    check.equal(client.call("EVALSHA", get, 1, "a", "a"), None, "a declared key can be used")
    check.equal(log.warnings(), [], "the log says nothing of it")
    check.equal(client.call("EVALSHA", get, 0, "a"), None, "another one can be used as well")
    check.equal(log.warnings(), [(get, "'a'")], "the log tells of it")
    for key in "a", "b":
        check.equal(client.call("EVAL", GET, 0, key), None, "it can be used again")
    check.equal(log.warnings(), [], "the log has told of this script already")
    check.equal(client.call("EVALSHA", set_, 2, "b", "c", "a"), OK, "another script writes to it")
    check.equal(log.warnings(), [(set_, "'a'")], "the log tells of another script")


def check_functions(check, client, log):
    client.call("FUNCTION", "LOAD", LIBRARY)
    check.equal(client.call("FCALL", "get", 1, "a", "a"), b"x", "a function uses a declared key")
    check.equal(log.warnings(), [], "the log says nothing of it")
    for key in "a", "a", "b":
        client.call("FCALL", "get", 0, key)
    check.equal(log.warnings(), [("get", "'a'")], "the log tells of a function once")
    check.equal(client.call("FCALL", "del", 0, "a"), 1, "another function of the library uses it")
    check.equal(log.warnings(), [("del", "'a'")], "the log tells of that as well")


def check_keys(check, client, log):
    """The log shows the beginning of a key, on one line."""
    for number, (key, shown) in enumerate([("k" * 64, "k" * 64), ("k" * 65, "k" * 64),
                                           ("a\nb\x01", "a?b?"), ("", "")]):
        client.call("EVAL", f"{GET} -- {number}", 0, key)
        check.equal([key for _, key in log.warnings()], [f"'{shown}'"], f"the key {key!r} is shown")


def check_other_policies(check, client, log):
    for policy in "no", "yes":
        client.call("CONFIG", "SET", "script-strict-keys", policy)
        client.call("EVAL", f"{GET} -- {policy}", 0, "a")
        check.equal(log.warnings(), [], f"the log says nothing when script-strict-keys is {policy}")


def main():
    check = Check()
    with Server() as server, server.connect() as client:
        log = Log(server)
        check.equal(client.call("CONFIG", "SET", "script-strict-keys", "warn"), OK, "it can be set")
        for part in check_scripts, check_functions, check_keys, check_other_policies:
            with check.part(part.__name__):
                part(check, client, log)
    check.finish()


if __name__ == "__main__":
    main()
