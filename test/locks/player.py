"""A client that takes locks through the scripts, notes all that it does, and uses what it has.

It is a small libmoonlatch, with less care: it also asks for what a good client would not, as a
packet that was delayed on its way does, and renews and releases what it has lost. It must be told
so, and nobody may be hurt by it.

A player is a process, forked by audit.py, that is stopped and killed at any moment.
"""

import random
import secrets
import time

import guarded
from history import FAILED, OK, Courier
from record import MS, S, Recorder, now
from scripts import keys_of, name_of, sha_of
from server import Error

# What a clock of ours may be wrong by, as libmoonlatch has it.
DRIFT = 0.01
MARGIN_NS = 2 * MS  # A server looks at its clock once in a millisecond.

# What a player is about, for the nemesis.
IDLE, WAITS, HOLDS = range(3)

IN_ORDER = ("fair", "election")

# How long a lock is held; now and then for a whole lease, which has to be renewed.
HOLDS_MS = (0, 0, 0, 0, 1, 2, 10)

# How long a request may take, beyond what it waits for.
REQUEST_S = 1.5

# For one lock, with all repetitions; then it is cancelled.
GIVE_UP_S = 8


class Wire(Courier):
    """Brings requests, and knows how a server's clock and ours compare, which is a matter of
    the connection."""

    # Not TIME itself, which any server answers: one that comes to lead after all have been down
    # sets its clock. Who has a key to read it asks the leader.
    TIME = ["EVAL_RO", "return redis.call('TIME')", 1, "lock:{time}"]

    def __init__(self, addresses, start, calibrates):
        super().__init__(addresses, start, timeout=REQUEST_S)
        self.calibrates = calibrates
        self.clock = None

    def connect(self):
        is_new = self.client is None
        return super().connect() and (not is_new or not self.calibrates or self.calibrate())

    def calibrate(self):
        """Asks for the time: what the server then says was not before we asked."""
        before = now()
        try:
            reply = self.client.call(*self.TIME)
        except (OSError, ValueError):
            reply = Error(b"")
        if isinstance(reply, Error):
            self.move_on(reply)
            return False
        self.clock = before, int(reply[0]) * 1_000_000 + int(reply[1])
        return True

    def bring_waiting(self, wait_ms, *request):
        """As bring(), for a request that the server may keep for so long."""
        if not self.connect():
            return FAILED, None
        self.client.socket.settimeout(REQUEST_S + wait_ms / 1000)
        outcome, reply = self.bring(*request)
        if self.client is not None:
            self.client.socket.settimeout(REQUEST_S)
        if isinstance(reply, Error) and reply.startswith(b"UNBLOCKED"):
            self.move_on(reply)  # It no longer leads.
            return FAILED, reply
        return outcome, reply


class Handle:
    """What one lock is to this player."""

    def __init__(self, spec, owner):
        self.spec = spec
        self.names = spec["names"]
        self.lock = "+".join(self.names)
        self.owner = owner
        self.rid = 0
        self.token = 0
        self.deadline = 0  # Until when it is held for certain.
        self.shared = False  # Whether a writer has become a reader.

    @property
    def is_held(self):
        return now() < self.deadline


class Player:
    def __init__(self, name, number, setup):
        self.name = name
        self.setup = setup
        self.rng = random.Random(f"{setup.seed} {name}")
        self.record = Recorder(setup.directory / f"{name}.jsonl")
        self.number = number
        self.wire = Wire(setup.addresses, number % len(setup.addresses), setup.blocks)
        self.resource = guarded.Resource(setup.resource)
        self.session = secrets.token_hex(16)
        self.handles = 0
        self.by_name = self.rng.random() < 0.5 and setup.has_library

    def run(self):
        while True:
            self.be(IDLE)
            self.rest(self.setup.rest_ms)
            self.play(self.rng.choice(self.setup.specs))

    def be(self, state):
        """Lets the nemesis see what it is about."""
        self.setup.states[self.number] = state

    def rest(self, most_ms):
        time.sleep(self.rng.uniform(0, most_ms) / 1000)

    def chance(self, probability):
        return self.rng.random() < probability

    def new_handle(self, spec):
        """Makes a handle for one choice of a lock: a multi-lock takes some of its names."""
        self.handles += 1
        names = spec["names"]
        if spec["kind"] == "multi":
            names = self.rng.sample(names, self.rng.randint(2, len(names)))
        spec = {"delay": 0, "mode": "", "permits": 1, "capacity": 1, **spec, "names": names}
        if spec["kind"] == "rw":
            spec["mode"] = "read" if self.chance(0.6) else "write"
        if spec["kind"] == "semaphore":
            spec["permits"] = self.rng.randint(1, spec["capacity"])
        return Handle(spec, f"{self.name}/{self.session}/{self.handles}")

    # Requests.

    def ask(self, handle, op, *args, wait_ms=0, **told):
        """Has a script run, and notes it. Returns its reply; None if there is none, though it
        may have run; or ["FAILED"] if it has not."""
        kind = handle.spec["kind"]
        number = self.record.call(op, lock=handle.lock, names=handle.names, kind=kind,
                                  owner=handle.owner, ttl=handle.spec["ttl"], **told)
        outcome, reply = self.call(kind, keys_of(kind, handle.names), [op, handle.owner, *args],
                                   wait_ms)
        if outcome == OK and isinstance(reply, Error):
            raise AssertionError(f"{op} {args}: {reply}")
        words = {OK: reply, FAILED: [b"FAILED"]}.get(outcome)
        if words is not None:
            words = [word.decode() for word in words]
            if words[0] == "BUSY" and len(words) > 4:
                words[4] = name_of(words[4])
        self.record.reply(number, words)
        return words

    def call(self, kind, keys, args, wait_ms):
        if self.by_name:
            return self.wire.bring_waiting(wait_ms, "FCALL", f"lock_{kind}", len(keys), *keys,
                                           *args)
        text = self.setup.texts[kind]
        found = self.wire.bring_waiting(wait_ms, "EVALSHA", sha_of(text), len(keys), *keys, *args)
        if isinstance(found[1], Error) and found[1].startswith(b"NOSCRIPT"):
            found = self.wire.bring_waiting(wait_ms, "EVAL", text, len(keys), *keys, *args)
        return found

    def insist(self, handle, op, *args, **told):
        """Asks until there is an answer, or for too long. Returns that, or None."""
        ends = now() + GIVE_UP_S * S
        while now() < ends:
            words = self.ask(handle, op, *args, **told)
            if words is not None and words[0] != "FAILED":
                return words
            self.rest(60)
        return None

    # A lock, from the beginning to the end.

    def play(self, spec):
        handle = self.new_handle(spec)
        self.be(WAITS)
        if not self.acquire(handle, self.rng.choice([0, 50, 1500, -1])):
            return
        self.be(HOLDS)
        if self.chance(0.05):
            self.ask_for(handle, 0)  # As a copy of the packet would.
        is_nested = spec["kind"] == "mutex" and self.chance(0.1) and self.acquire(handle, 0)
        self.use(handle)
        if spec["kind"] == "rw" and handle.is_held and self.chance(0.2):
            self.change(handle)
        if not handle.is_held:
            self.be_late(handle)
        elif not is_nested or self.leave_inner(handle):
            self.release(handle)
        if self.setup.copies and self.chance(0.05):
            self.ask_for(handle, 0)  # And a late copy.
        if spec["kind"] == "multi" or self.chance(0.05):
            self.look()

    def acquire(self, handle, wait_ms):
        """Returns whether it was granted; whether it is held yet is another question."""
        told = {}
        if handle.spec["kind"] in IN_ORDER and self.chance(0.3):
            told["seen"] = self.waiters(handle)
        handle.rid += 1
        first = now()
        ends = first + (GIVE_UP_S * S if wait_ms < 0 else wait_ms * MS + int(REQUEST_S * S))
        while now() < ends:
            words = self.ask_for(handle, wait_ms, **told)
            status = words[0] if words is not None else None
            if status == "OK":
                self.hold(handle, int(words[1]), self.begun(first, int(words[3]), wait_ms))
                return True
            if status not in (None, "FAILED", "WAIT") and (wait_ms == 0 or self.setup.blocks):
                return False
            time.sleep(self.rng.uniform(0.005, 0.03))
        self.insist(handle, "cancel", handle.rid, rid=handle.rid)
        return False

    def ask_for(self, handle, wait_ms, **told):
        spec = handle.spec
        return self.ask(
            handle, "acquire", handle.rid, spec["ttl"], wait_ms, spec["delay"], 2,
            *self.more(spec), wait_ms=GIVE_UP_S * 1000 if wait_ms < 0 else wait_ms,
            rid=handle.rid, delay=spec["delay"], wait=wait_ms, mode=spec["mode"],
            permits=spec["permits"], capacity=spec["capacity"], **told)

    def more(self, spec):
        return {"fair": [0], "rw": [spec["mode"], 0], "election": [0, self.name],
                "semaphore": [spec["permits"], spec["capacity"], 0]}.get(spec["kind"], [])

    def begun(self, first, granted_us, wait_ms):
        """Returns when a lease has begun at the earliest: not before it was first asked for; and
        if the request has waited in the server, that says when it was granted, by its clock."""
        if wait_ms == 0 or not self.setup.blocks:
            return first
        before, server_us = self.wire.clock
        since_ns = (granted_us - server_us) * 1000
        return max(first, before + int(since_ns * (1 - DRIFT if since_ns > 0 else 1 + DRIFT)))

    def hold(self, handle, token, begun):
        handle.token = token
        handle.deadline = begun + int(handle.spec["ttl"] * MS * (1 - DRIFT)) - MARGIN_NS
        if handle.is_held:
            self.record.write("held", lock=handle.lock, owner=handle.owner, token=handle.token,
                              until=handle.deadline, shared=handle.shared)

    def leave(self, handle):
        """From now on it is not used, whatever becomes of the release."""
        handle.deadline = 0
        self.record.write("left", lock=handle.lock, owner=handle.owner, token=handle.token,
                          shared=handle.shared)

    def use(self, handle):
        """Counts one up in a resource, slowly. The careful ask before they write whether they
        still have the lock; the others are the ones that a guard is for."""
        name = handle.names[0] + ("!" if self.chance(0.5) else "")
        counts = handle.spec["kind"] != "semaphore" and handle.spec["mode"] != "read"
        value = self.resource.ask("read", name, handle.token) if counts else None
        self.keep(handle, self.rng.choice(HOLDS_MS) if self.chance(0.97) else handle.spec["ttl"])
        if value is not None and (handle.is_held or self.chance(0.5)):
            self.resource.ask("write", name, handle.token, value + 1)

    def keep(self, handle, for_ms):
        """Holds it for so long, and renews it when a third of the lease is over."""
        ttl_ns = handle.spec["ttl"] * MS
        ends = now() + for_ms * MS
        while handle.is_held and now() < ends:
            time.sleep(0.002)
            if handle.deadline - now() < ttl_ns * 2 // 3:
                self.renew(handle)

    def renew(self, handle):
        """Returns whether the lease is longer now. Without an answer it is as it was."""
        sent = now()
        words = self.ask(handle, "renew", handle.token, handle.spec["ttl"], token=handle.token)
        if words is not None and words[0] == "OK":
            self.hold(handle, handle.token, sent)
        elif words is not None and words[0] == "LOST":
            self.leave(handle)
        return words is not None and words[0] == "OK"

    def change(self, handle):
        """A reader asks to write, a writer reads on. Until it has the answer it has nothing."""
        self.leave(handle)
        first = now()
        reads = handle.spec["mode"] == "read"
        if reads:
            handle.rid += 1
            words = self.insist(handle, "upgrade", handle.rid, handle.token, handle.spec["ttl"],
                                rid=handle.rid, mode="write")
        else:
            words = self.insist(handle, "downgrade", handle.token, token=handle.token)
        if words is not None and words[0] == "OK":
            handle.spec = {**handle.spec, "mode": "write"}
            handle.shared = not reads
            self.hold(handle, int(words[1]), first)
            self.keep(handle, 2)
        elif words is not None and reads:
            handle.rid -= 1  # What it has is what it had asked for before.

    def release(self, handle):
        self.leave(handle)
        self.insist(handle, "release", handle.token, token=handle.token)
        if self.chance(0.05):
            self.ask(handle, "release", handle.token, token=handle.token)

    def leave_inner(self, handle):
        """Releases one count of two. Without an answer nobody knows how many are left, and
        asking again might release both. Returns whether there is another to be released."""
        words = self.ask(handle, "release", handle.token, token=handle.token)
        if words is None or words[0] == "LOST":
            self.leave(handle)
        return words is None or words[0] != "LOST"

    def be_late(self, handle):
        """Its lease is over, so that what it asks for now has to be refused."""
        kind = self.rng.choice(self.setup.late)
        if kind == "renew" and self.renew(handle):
            self.use(handle)
            self.release(handle)
        elif kind == "release":
            self.release(handle)

    # What others can see.

    def waiters(self, handle):
        """Returns the owners who wait in order for a lock, as the server shows them."""
        if not self.setup.blocks:
            return []
        outcome, reply = self.wire.bring("EVAL_RO", WAITERS, 1, *keys_of("mutex", handle.names))
        return [owner.decode() for owner in reply] if outcome == OK else []

    def look(self):
        """Sees at one instant who has which of the names that are locked together."""
        names = self.setup.together
        outcome, reply = self.wire.bring("EVAL", LOOK, len(names), *keys_of("multi", names))
        if outcome == OK and not isinstance(reply, Error):
            live = {name: int(token) for name, token in zip(names, reply) if token}
            self.record.write("sight", names=names, live=live)


WAITERS = """
local owners = {}
for i, waiter in ipairs(redis.waiters(KEYS[1])) do
    owners[i] = waiter[1]
end
return owners"""

LOOK = """
local time = redis.call('TIME')
local now, found = time[1] * 1000000 + time[2], {}
for i, key in ipairs(KEYS) do
    local record = redis.call('GET', key)
    local _, token, _, _, count, _, deadline = string.match(record or '',
        '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)')
    found[i] = token and tonumber(count) > 0 and tonumber(deadline) > now and token or ''
end
return found"""
