"""Clients that say what they know of each request: that it has happened, that it has not, or
neither; and that note it for the checker of histories.

All times are of one monotonic clock, in microseconds.
"""

import collections
import random
import re
import threading
import time

from linearizable import NEVER, Operation
from server import Client, Error

OK = "ok"
FAILED = "failed"  # It has not happened, and will not.
UNKNOWN = "unknown"  # It may have happened, or happen yet.

# Errors that say that nothing has happened.
REFUSALS = (b"READONLY", b"MOVED", b"CLUSTERDOWN", b"LOADING", b"MISCONF", b"NOREPLICAS")
LEADER = re.compile(rb"(?:leader is|MOVED \d+) ([^ ]+):(\d+)")

# How long a request may take: longer than an election.
TIMEOUT_S = 1.0

# Before another attempt, when nobody takes requests.
REST_S = 0.02


def now_us():
    return time.monotonic_ns() // 1000


class Courier:
    """Brings requests to a group, one at a time. It stays with the server that answers, goes
    where it is sent, and otherwise to the next one; or it insists on one of them."""

    def __init__(self, addresses, start=0, insists=False, timeout=TIMEOUT_S):
        self.addresses = list(addresses)
        self.at = start
        self.insists = insists
        self.timeout = timeout
        self.client = None

    def close(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def move_on(self, error=b""):
        """Turns to another server."""
        self.close()
        if self.insists:
            return
        found = LEADER.search(error)
        leader = found and (found[1].decode(), int(found[2]))
        if leader in self.addresses:
            self.at = self.addresses.index(leader)
        else:
            self.at = (self.at + 1) % len(self.addresses)

    def connect(self):
        """Returns whether there is a connection."""
        if self.client is None:
            try:
                self.client = Client(self.addresses[self.at], self.timeout)
            except OSError:
                self.move_on()
        return self.client is not None

    def bring(self, *request):
        """Returns (outcome, reply)."""
        if not self.connect():
            return FAILED, None
        try:
            reply = self.client.call(*request)
        except (OSError, ValueError):
            self.move_on()
            return UNKNOWN, None
        if isinstance(reply, Error) and reply.startswith(b"UNCERTAIN"):
            self.move_on(reply)
            return UNKNOWN, reply
        if isinstance(reply, Error) and reply.startswith(REFUSALS):
            self.move_on(reply)
            return FAILED, reply
        return OK, reply


# What the models of linearizable.py are made of.

CAS = """
local found = redis.call('GET', KEYS[1])
if found == ARGV[1] or (not found and ARGV[1] == '') then
    redis.call('SET', KEYS[1], ARGV[2])
end
return found"""

ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
    return false
end
local token = redis.call('INCR', KEYS[1] .. ':token')
redis.call('SET', KEYS[1], ARGV[1])
return token"""

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
return redis.call('DEL', KEYS[1])"""


def text(value):
    return None if value is None else value.decode()


class Player(threading.Thread):
    """A client that works on objects at random, and notes what it has done.

    All players turn to new objects every now and then, so that a history has many objects
    with some dozens of operations each, which are checked quickly; and objects that somebody
    has died on, a lock for example, are not waited for."""

    def __init__(self, number, courier, seed, window_s=1.5, objects=3, pause_s=0.008):
        super().__init__(name=f"player {number}")
        self.number = number
        self.courier = courier
        self.rng = random.Random(f"{seed} player {number}")
        self.window_s = window_s
        self.objects = objects  # Of each model, at a time.
        self.pause_s = pause_s
        self.history = []
        self.outcomes = collections.Counter()
        self.strange = []  # Errors that no request should get.
        self.writes = []  # When writes have been acknowledged.
        self.owns = {}
        self.seen = {}
        self.ends = False
        self.problem = None

    def run(self):
        try:
            while not self.ends:
                self.play()
                time.sleep(self.rng.uniform(0, 2 * self.pause_s))
        except Exception as problem:  # Another thread has to tell.
            self.problem = problem
        finally:
            self.courier.close()

    def play(self):
        model = self.rng.choice(["register", "counter", "list", "lock"])
        window = int(time.monotonic() / self.window_s)
        key = f"{model}:{window}:{self.rng.randrange(self.objects)}"
        getattr(self, model)(key)

    def fresh(self):
        """Returns a value that nobody has used."""
        return f"{self.number}.{len(self.history)}.{self.outcomes.total()}"

    def do(self, model, key, name, argument, request, result_of):
        """Makes a request and notes it. Returns whether it has happened, for all we know."""
        called = now_us()
        outcome, reply = self.courier.bring(*request)
        returned = now_us()
        if isinstance(reply, Error) and outcome == OK:
            self.strange.append(f"{name}: {reply.decode(errors='replace')}")
            outcome = UNKNOWN
        self.outcomes[outcome] += 1
        if outcome == FAILED:
            time.sleep(REST_S)
            return False
        result = result_of(reply) if outcome == OK else None
        self.history.append(Operation(
            self.number, model, key, name, argument, result, called,
            returned if outcome == OK else NEVER))
        if outcome == OK and name != "read":
            self.writes.append(returned)
        return outcome == OK

    def register(self, key):
        kind = self.rng.random()
        if kind < 0.4:
            self.do("register", key, "read", None, ["GET", key], text)
        elif kind < 0.7:
            value = self.fresh()
            self.do("register", key, "write", value, ["SET", key, value], lambda _: None)
        else:
            old, new = self.seen.get(key), self.fresh()
            self.do("register", key, "cas", (old, new), ["EVAL", CAS, 1, key, old or "", new],
                    text)
        if self.history and self.history[-1].key == key:
            self.remember(key, self.history[-1])

    def remember(self, key, op):
        """Keeps what the register may have now, for the next cas."""
        if op.name == "cas" and op.result != op.argument[0]:
            self.seen[key] = op.result
        else:
            self.seen[key] = {"read": op.result, "write": op.argument}.get(
                op.name, op.argument and op.argument[1])

    def counter(self, key):
        if self.rng.random() < 0.3:
            self.do("counter", key, "read", None, ["GET", key], lambda reply: int(reply or 0))
        else:
            self.do("counter", key, "incr", 1, ["INCR", key], int)

    def list(self, key):
        if self.rng.random() < 0.4:
            self.do("list", key, "read", None, ["LRANGE", key, 0, -1],
                    lambda reply: tuple(map(text, reply)))
        else:
            value = self.fresh()
            self.do("list", key, "append", value, ["RPUSH", key, value], int)

    def lock(self, key):
        if key in self.owns:
            owner = self.owns.pop(key)
            self.do("lock", key, "release", owner, ["EVAL", RELEASE, 1, key, owner], bool)
        else:
            owner = self.fresh()
            self.do("lock", key, "acquire", owner, ["EVAL", ACQUIRE, 1, key, owner],
                    lambda reply: reply)
            last = self.history[-1] if self.history else None
            if last is not None and last.argument == owner and (
                    last.result is not None or not last.is_known):
                self.owns[key] = owner  # It has the lock, or may have it.


def stop(players):
    """Ends the players, and returns all that they have noted."""
    for player in players:
        player.ends = True
    for player in players:
        player.join()
    problems = [p.problem for p in players if p.problem is not None]
    if problems:
        raise problems[0]
    return [op for player in players for op in player.history]
