#!/usr/bin/python3
"""What we and redis-server 7.0.15 tell of the same requests: keyspace notifications.

    MOONLATCH_SERVER=build/moonlatch-server SOAK=20 test/server/events.py

The requests are random ones of the grammar of test/differential, alone, in transactions
and in scripts. Expiry by itself comes when it comes, and is a test of its own.
"""

import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "differential")]
import grammar
from server import SOAK, Check, Server, seed

CLASSES = "KEA"
STEPS = 4000 * SOAK
STEPS_BETWEEN_FLUSHES = 200
FAILURES = 10
CALL_ALL = ("local replies = {} for i, a in ipairs(ARGV) do "
            "replies[i] = redis.pcall(unpack(cjson.decode(a))) end")

# Requests of which the outcome is not the same on both: what is popped by chance, what
# waits, and what concerns the connection.
LEFT_OUT = (grammar.POP, grammar.WALK, grammar.WAIT, grammar.SCANNED, grammar.SCANNED_PAIRS,
            grammar.SHAPE, grammar.HELLO, grammar.SCRIPT, grammar.RECKLESS)


class Side:
    """A server, who sends requests to it, and who listens."""

    def __init__(self, server):
        self.client = server.connect()
        self.listener = server.connect()
        self.client.call("CONFIG", "SET", "notify-keyspace-events", CLASSES)
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        self.listener.call("PSUBSCRIBE", "__key*__:*")
        self.marks = 0

    def events(self):
        """Returns what has been told since the last time."""
        self.marks += 1
        mark = b"mark %d" % self.marks
        self.listener.send("PING", mark)
        events = []
        while (message := self.listener.read()) != [b"pong", mark]:
            events.append((message[2], message[3]))
        return [e for e in events if b"expired" not in e[0] + e[1]]

    def run(self, requests):
        self.client.call_many(requests)
        return self.events()


def is_usable(command):
    return (command.compare not in LEFT_OUT and grammar.BLOCKS not in command.uses and
            grammar.PLAIN not in command.uses and command.words[0] not in ("SELECT", "SWAPDB"))


def quoted(args):
    """Returns arguments as JSON; None if they are no text."""
    if any(not arg.isascii() or not arg.decode().isprintable() for arg in args):
        return None
    texts = (arg.decode().replace("\\", "\\\\").replace('"', '\\"') for arg in args)
    return ("[" + ",".join(f'"{text}"' for text in texts) + "]").encode()


def step(generator):
    """Returns the requests of one step: one, a transaction, or a script."""
    requests = [[arg if isinstance(arg, bytes) else arg.encode()
                 for arg in generator.request(is_usable).args]
                for _ in range(generator.choose([1, 1, 1, 2, 3, 4]))]
    if len(requests) == 1:
        return requests
    calls = list(filter(None, map(quoted, requests)))
    if generator.chance(0.5) and calls:
        return [["EVAL", CALL_ALL, "0", *calls]]
    return [["MULTI"], *requests, ["EXEC"]]


def compare_random(check, ours, theirs):
    names = set(ours.client.call("COMMAND", "LIST")) & set(theirs.client.call("COMMAND", "LIST"))
    generator = grammar.Arguments(random.Random(seed()), grammar.available(names))
    for number in range(STEPS):
        requests = step(generator)
        if number % STEPS_BETWEEN_FLUSHES == 0:
            requests = [["FLUSHALL"]]
        if not check.equal(ours.run(requests), theirs.run(requests), f"events of {requests}"):
            if check.failed == FAILURES:
                return


def expect(check, side, events, what):
    """Waits for events that come in their own time."""
    got = []
    deadline = time.monotonic() + 10
    while len(got) < len(events) and time.monotonic() < deadline:
        message = side.listener.read()
        got.append((message[2], message[3]))
    check.equal(got, events, what)


def expiry(check, server):
    side = Side(server)
    side.client.call("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    side.client.call("FLUSHALL")
    side.client.call("SET", "k", "v", "PX", "5")
    expect(check, side, [
        (b"__keyspace@0__:k", b"set"), (b"__keyevent@0__:set", b"k"),
        (b"__keyspace@0__:k", b"expire"), (b"__keyevent@0__:expire", b"k"),
        (b"__keyspace@0__:k", b"expired"), (b"__keyevent@0__:expired", b"k"),
    ], "a key that expires")


def rollback(check, server):
    """What did not happen is not told of."""
    side = Side(server)
    side.client.call("FLUSHALL")
    check.equal(side.run([["EVAL", "redis.call('set', 'k', 'v'); error('x')", "0"]]), [],
                "a script that fails")
    check.equal(side.run([["EVAL", "redis.pcall('lpush', 'k'); redis.call('set', 'k', 'v')", "0"]]),
                [(b"__keyspace@0__:k", b"set"), (b"__keyevent@0__:set", b"k")],
                "a script in which one call fails")


def classes(check, server):
    side = Side(server)
    for given, shown in [("KEA", b"AKE"), ("Kx", b"xK"), ("gn", b"gn"), ("Kmnd", b"dnKm"),
                         ("g$lshzxetd", b"A"), ("K$lstxeg", b"g$lsxetK"), ("", b"")]:
        side.client.call("CONFIG", "SET", "notify-keyspace-events", given)
        check.equal(side.client.call("CONFIG", "GET", "notify-keyspace-events")[1], shown,
                    f"the classes {given}")
    check.starts(side.client.call("CONFIG", "SET", "notify-keyspace-events", "KQ"),
                 b"ERR CONFIG SET failed", "a class that there is not")
    for given, events in [
            ("", []), ("K", []), ("g", []), ("Kg", []),
            ("K$", [(b"__keyspace@0__:c", b"set")]), ("E$", [(b"__keyevent@0__:set", b"c")]),
            ("En", []), ("Em", [])]:
        side.client.call("CONFIG", "SET", "notify-keyspace-events", given)
        side.client.call("SET", "c", "old")
        side.events()
        check.equal(side.run([["SET", "c", "v"]]), events, f"a SET with the classes {given}")
    side.client.call("CONFIG", "SET", "notify-keyspace-events", "Enm")
    check.equal(side.run([["DEL", "c"], ["GET", "c"], ["SET", "c", "v"]]),
                [(b"__keyevent@0__:keymiss", b"c"), (b"__keyevent@0__:new", b"c")],
                "a key that is missed, and new")
    side.client.call("CONFIG", "SET", "notify-keyspace-events", CLASSES)


def main():
    check = Check()
    with Server() as ours, Server("redis-server", enable_debug_command="yes") as theirs:
        compare_random(check, Side(ours), Side(theirs))
    with Server() as server:
        for part in (rollback, classes, expiry):
            with check.part(part.__name__):
                part(check, server)
    check.finish()


if __name__ == "__main__":
    main()
