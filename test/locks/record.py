"""What happened in an audit of locks, as it is written down and read again.

Each player writes a file of its own, a JSON object a line, and what it is about to do before it
does it: so a player that was killed has told all that it had begun. Times are CLOCK_MONOTONIC in
nanoseconds, of one machine: what returned before another was called did so for all.

    {"t": 1, "e": "call", "n": 7, "op": "acquire", "lock": "a", "kind": "fair", "owner": "p/1/1", "rid": 3, ...}
    {"t": 2, "e": "reply", "n": 7, "r": ["OK", "1700000000000000", "500", "1700000000000000", ""]}
    {"t": 3, "e": "held", "lock": "a", "owner": "p/1/1", "token": 1700000000000000, "until": 9}
    {"t": 4, "e": "left", "lock": "a", "owner": "p/1/1", "token": 1700000000000000}

A call without a reply has an unknown outcome. `held` is the client's claim: what its library
vouches for, from `t` to `until`; `left` ends it early, before a release is sent or when a loss is
told of. Both say `shared` of who has become a reader under its writer's token. The nemesis writes `kill` and `fault`, the guarded resource `read` and `write` in the order
in which it has served them, and whoever looks at several records at one instant writes `sight`.
"""

import json
import math
import os
import pathlib
import time

NEVER = math.inf

MS = 1_000_000  # In nanoseconds.
S = 1000 * MS


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Recorder:
    """Writes one file. Each line is one write, of which a kill tears the last at most."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.calls = 0

    def write(self, event, **more):
        at = now()
        line = json.dumps({"t": at, "e": event, **more}, separators=(",", ":"))
        os.write(self.file, line.encode() + b"\n")
        return at

    def call(self, op, **more):
        self.calls += 1
        self.write("call", n=self.calls, op=op, **more)
        return self.calls

    def reply(self, number, reply):
        self.write("reply", n=number, r=reply)


class Call:
    """One request for a lock. Its `names` are what it locks: several, if it is a multi-lock."""

    __slots__ = ("player", "op", "lock", "names", "kind", "owner", "rid", "token", "ttl", "wait",
                 "delay", "mode", "permits", "capacity", "seen", "invoked", "returned", "ended", "reply")

    def __init__(self, player, invoked, op, lock, kind="mutex", owner="", rid=0, token=0, ttl=0,
                 wait=0, delay=0, mode="", permits=1, capacity=1, names=None, seen=(),
                 returned=NEVER, reply=None):
        self.player = player
        self.op = op
        self.lock = lock
        self.names = tuple(names) if names else (lock,)
        self.kind = kind
        self.owner = owner
        self.rid = rid
        self.token = token
        self.ttl = ttl
        self.wait = wait
        self.delay = delay
        self.mode = mode
        self.permits = permits
        self.capacity = capacity
        self.seen = seen  # The owners who were seen to wait for the lock before this was called.
        self.invoked = invoked
        self.returned = returned  # NEVER, if nothing is known of its outcome.
        self.ended = returned  # When the client no longer waited for it.
        self.reply = reply

    def __repr__(self):
        outcome = "no reply" if self.reply is None else " ".join(map(str, self.reply))
        return (f"{self.player}: {self.op} {self.owner} rid {self.rid} token {self.token} -> "
                f"{outcome} [{self.invoked / S:.6f}, {self.returned / S:.6f}]")

    @property
    def status(self):
        return self.reply[0] if self.reply else None

    @property
    def asks(self):
        """Whether it asks for the lock, or for more of it."""
        return self.op in ("acquire", "upgrade")

    @property
    def is_granted(self):
        return self.asks and self.status == "OK"

    @property
    def granted(self):
        """The token that it was given."""
        return int(self.reply[1])

    @property
    def is_exclusive(self):
        return self.kind != "semaphore" and self.mode != "read"


class Claim:
    """A time for which a client's library vouches that it has the lock."""

    __slots__ = ("player", "lock", "owner", "token", "shared", "begin", "end")

    def __init__(self, player, lock, owner, token, shared, begin, end):
        self.player = player
        self.lock = lock
        self.owner = owner
        self.token = token
        self.shared = shared
        self.begin = begin
        self.end = end

    def __repr__(self):
        return (f"{self.player}: {self.owner} has token {self.token} "
                f"[{self.begin / S:.6f}, {self.end / S:.6f}]")


class Fault:
    """What was done to whom. Whoever it breaks a connection of may have to wait anew."""

    __slots__ = ("kind", "target", "begin", "end")

    def __init__(self, kind, target, begin, end):
        self.kind = kind
        self.target = target
        self.begin = begin
        self.end = end

    def __repr__(self):
        return f"{self.kind} {self.target} [{self.begin / S:.6f}, {self.end / S:.6f}]"


class History:
    def __init__(self):
        self.calls = []
        self.claims = []
        self.uses = []  # Of the guarded resources, as written by them.
        self.sights = []
        self.faults = []
        self.end = 0  # When the last line was written.

    def locks(self):
        """Returns the calls of each lock, by its name; a multi-lock is among those of each of
        its names."""
        found = {}
        for call in self.calls:
            for name in call.names:
                found.setdefault(name, []).append(call)
        return found


class Reader:
    """Makes a history of lines. Ends of claims are known only when all lines are."""

    def __init__(self):
        self.history = History()
        self.leavings = {}  # When a claim was given up: by player, lock, owner and token.
        self.kills = {}

    def read(self, player, lines):
        open_calls = {}
        for line in lines:
            getattr(self, line.pop("e"))(player, open_calls, line)

    def call(self, player, open_calls, line):
        at, number = line.pop("t"), line.pop("n")
        call = Call(player, at, **line)
        open_calls[number] = call
        self.history.calls.append(call)
        self.saw(at)

    def reply(self, player, open_calls, line):
        call = open_calls.pop(line["n"])
        call.reply = line["r"]
        call.ended = line["t"]
        if call.reply is not None:
            call.returned = line["t"]
        self.saw(line["t"])

    def held(self, player, open_calls, line):
        self.history.claims.append(Claim(player, line["lock"], line["owner"], line["token"],
                                         line.get("shared", False), line["t"], line["until"]))

    def left(self, player, open_calls, line):
        key = (player, line["lock"], line["owner"], line["token"], line.get("shared", False))
        self.leavings[key] = min(line["t"], self.leavings.get(key, NEVER))

    def use(self, player, open_calls, line):
        self.history.uses.append(line)

    def sight(self, player, open_calls, line):
        self.history.sights.append(line)

    def kill(self, player, open_calls, line):
        self.kills[line["player"]] = line["t"]

    def fault(self, player, open_calls, line):
        self.history.faults.append(Fault(line["kind"], line["target"], line["begin"], line["t"]))

    def saw(self, at):
        self.history.end = max(self.history.end, at)

    def finish(self):
        claims = []
        for claim in self.history.claims:
            key = (claim.player, claim.lock, claim.owner, claim.token, claim.shared)
            claim.end = min(claim.end, self.leavings.get(key, NEVER),
                            self.kills.get(claim.player, NEVER))
            if claim.begin < claim.end:
                claims.append(claim)
        self.history.claims = claims
        for call in self.history.calls:
            call.ended = min(call.ended, self.kills.get(call.player, self.history.end))
        return self.history


def read_directory(directory):
    """Reads the history that the files of a directory tell; their names are the players'."""
    reader = Reader()
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        with open(path, encoding="utf-8") as file:
            reader.read(path.stem, (json.loads(line) for line in file if line.endswith("\n")))
    return reader.finish()
