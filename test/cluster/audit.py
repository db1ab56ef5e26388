"""Writers who keep books, and the audit that compares those with what a server has.

Whatever is acknowledged is written to a file before the next request is made: a file for
each writer. The audit believes nothing but those files, and what the writers have tried.
"""

import os
import random
import threading

from history import FAILED, OK, Courier
from server import Error

ACCOUNTS = 24
MONEY = 1000  # In each account at the beginning.
COUNTERS = 4
KEYS = 40  # Of each writer, which are written again and again.

ACCOUNT = "account:%d"
BEGUN, ENDED = "scripts:begun", "scripts:ended"

# Takes from the first account and gives to each of the others, whose number is KEYS - 4, and
# fails, if it is told to, when something has been taken that has not been given yet.
MOVE = """
local accounts, amount = #KEYS - 3, tonumber(ARGV[2])
redis.call('INCR', KEYS[#KEYS - 2])
for i = 2, accounts do
    redis.call('DECRBY', KEYS[1], amount)
    if ARGV[3] == 'fail' and i > accounts / 2 then
        error('half-way')
    end
    redis.call('INCRBY', KEYS[i], amount)
end
redis.call('RPUSH', KEYS[#KEYS], ARGV[1])
redis.call('INCR', KEYS[#KEYS - 1])
return 'moved'"""


class Writer:
    """Writes as long as somebody answers. What it has tried it remembers; what has been
    acknowledged is in its file."""

    def __init__(self, number, directory, seed, can_fail=True):
        self.number = number
        self.path = directory / f"writer{number}"
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.read_to = 0
        self.rng = random.Random(f"{seed} writer {number}")
        self.can_fail = can_fail  # Whether the server takes back what a script has done.
        self.cycle = 0
        self.tried = {}  # The last value of each key.
        self.increments = {i: 0 for i in range(COUNTERS)}
        self.moves = {}  # By number: (accounts, amount).
        self.acknowledged = 0
        self.strange = []

    @property
    def ledger(self):
        return f"ledger:{self.number}"

    def note(self, *words):
        os.write(self.file, (" ".join(map(str, words)) + "\n").encode())

    def acknowledge(self, *words):
        self.note(*words)
        self.acknowledged += 1

    def write_until(self, stops, courier):
        """Writes until `stops` is set. Nothing is tried again: what is lost sight of stays so."""
        while not stops.is_set():
            kind = self.rng.random()
            act = self.set if kind < 0.4 else self.increment if kind < 0.6 else self.move
            if not act(courier):
                stops.wait(0.002)
        courier.close()

    def set(self, courier):
        """Each key has numbers that grow; one key in each cycle is never written again."""
        key = self.key_of_cycle()
        if key in self.tried:
            key = f"w{self.number}:{self.rng.randrange(KEYS)}"
        value = self.tried.get(key, 0) + 1
        self.tried[key] = value
        outcome, reply = courier.bring("SET", key, value)
        if outcome == OK and self.is_fine(reply):
            self.acknowledge("set", key, value)
        return outcome == OK

    def key_of_cycle(self):
        return f"w{self.number}:cycle{self.cycle}"

    def is_of_the_past(self, key):
        """Returns whether a key is no more written."""
        return ":cycle" in key and key != self.key_of_cycle()

    def increment(self, courier):
        counter = self.rng.randrange(COUNTERS)
        self.increments[counter] += 1
        outcome, reply = courier.bring("INCR", f"counter:{counter}")
        if outcome == FAILED:
            self.increments[counter] -= 1
        if outcome == OK and self.is_fine(reply):
            self.acknowledge("incr", counter, reply)
        return outcome == OK

    def move(self, courier):
        accounts = self.rng.sample(range(ACCOUNTS), self.rng.choice([2, 3, 5, 5]))
        amount = self.rng.randint(1, 20)
        fails = self.can_fail and len(accounts) == 5 and self.rng.random() < 0.4
        number = len(self.moves)
        self.moves[number] = (accounts, amount)
        keys = [ACCOUNT % a for a in accounts] + [BEGUN, ENDED, self.ledger]
        outcome, reply = courier.bring("EVAL", MOVE, len(keys), *keys, number, amount,
                                       "fail" if fails else "")
        if outcome == OK and fails and isinstance(reply, Error) and b"half-way" in reply:
            self.note("fail", number)
        elif outcome == FAILED and reply is not None:
            self.note("fail", number)
        elif outcome == OK and self.is_fine(reply):
            self.acknowledge("move", number)
        return outcome == OK

    def is_fine(self, reply):
        if isinstance(reply, Error):
            self.strange.append(reply.decode(errors="replace"))
        return not isinstance(reply, Error)

    def new_lines(self):
        """Returns what has been acknowledged since this was last asked for."""
        with open(self.path) as file:
            file.seek(self.read_to)
            lines = file.read().splitlines()
            self.read_to = file.tell()
        return [line.split(" ") for line in lines]


class Crew:
    """Writers at work, each in a thread of its own."""

    def __init__(self, writers, addresses):
        self.stops = threading.Event()
        self.threads = [
            threading.Thread(target=w.write_until, args=(self.stops, Courier(
                addresses, start=w.number % len(addresses)))) for w in writers]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stops.set()
        for thread in self.threads:
            thread.join()


class Audit:
    """Compares what is there with what was acknowledged and tried, ever since the first time."""

    def __init__(self, writers):
        self.writers = writers
        self.sets = {}
        self.counts = {i: set() for i in range(COUNTERS)}
        self.moved = {w.number: [] for w in writers}
        self.failed = {w.number: set() for w in writers}
        self.looked_up = {w.number: 0 for w in writers}  # How many of those that have moved.
        self.balance = [MONEY] * ACCOUNTS
        self.booked = {w.number: 0 for w in writers}  # How much of each ledger is in there.
        self.lost = 0
        self.half = 0
        self.extra = 0
        self.told = []

    @staticmethod
    def open_accounts(client):
        for i in range(ACCOUNTS):
            client.call("SET", ACCOUNT % i, MONEY)

    def finds(self, kind, what):
        """Counts something that should not be: lost, half or extra."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.told) < 20:
            self.told.append(f"{kind}: {what}")

    def read_books(self):
        for writer in self.writers:
            for kind, what, *value in writer.new_lines():
                if kind == "set":
                    self.sets[what] = int(value[0])
                elif kind == "incr":
                    self.count(int(what), int(value[0]))
                elif kind == "move":
                    self.moved[writer.number].append(int(what))
                else:
                    self.failed[writer.number].add(int(what))

    def count(self, counter, value):
        if value in self.counts[counter]:
            self.finds("lost", f"counter {counter} has been {value} twice")
        self.counts[counter].add(value)

    def run(self, client, everything=False):
        """Audits the server of the client. Keys that were not written since the last time
        are looked at only if everything is to be."""
        self.read_books()
        self.audit_keys(client, everything)
        self.audit_counters(client)
        for writer in self.writers:
            self.audit_ledger(client, writer, everything)
        self.audit_accounts(client)

    def audit_keys(self, client, everything):
        for writer in self.writers:
            keys = [k for k in writer.tried if everything or not writer.is_of_the_past(k)]
            for key, found in zip(keys, client.call("MGET", *keys) if keys else []):
                found = int(found or 0)
                if found < self.sets.get(key, 0):
                    self.finds("lost", f"{key} is {found}, and {self.sets[key]} was acknowledged")
                elif found > writer.tried[key]:
                    self.finds("extra", f"{key} is {found}; nobody has tried that")

    def audit_counters(self, client):
        for counter, seen in self.counts.items():
            found = int(client.call("GET", f"counter:{counter}") or 0)
            tried = sum(w.increments[counter] for w in self.writers)
            if found < max(seen, default=0) or found < len(seen):
                self.finds("lost", f"counter {counter} is {found}; {max(seen)} and {len(seen)} "
                           "increments were acknowledged")
            elif found > tried:
                self.finds("extra", f"counter {counter} is {found}, after {tried} increments")

    def audit_ledger(self, client, writer, everything):
        """A ledger has the numbers of the scripts that have run, in order."""
        start = 0 if everything else self.booked[writer.number]
        numbers = list(map(int, client.call("LRANGE", writer.ledger, start, -1)))
        for number in numbers[self.booked[writer.number] - start:]:
            self.book(*writer.moves[number])
        self.booked[writer.number] = start + len(numbers)
        if sorted(set(numbers)) != numbers:
            self.finds("extra", f"{writer.ledger} has scripts twice, or out of order")
        moved = self.moved[writer.number]
        missing = set(moved[0 if everything else self.looked_up[writer.number]:]) - set(numbers)
        self.looked_up[writer.number] = len(moved)
        if missing:
            self.finds("lost", f"{writer.ledger} lacks {sorted(missing)[:5]}")
        if self.failed[writer.number].intersection(numbers):
            self.finds("half", f"{writer.ledger} has scripts that have failed")

    def book(self, accounts, amount):
        self.balance[accounts[0]] -= amount * (len(accounts) - 1)
        for account in accounts[1:]:
            self.balance[account] += amount

    def audit_accounts(self, client):
        found = list(map(int, client.call("MGET", *(ACCOUNT % i for i in range(ACCOUNTS)))))
        if sum(found) != ACCOUNTS * MONEY:
            self.finds("half", f"there is money of {sum(found)}, and was of {ACCOUNTS * MONEY}")
        elif found != self.balance:
            self.finds("half", f"accounts have {found}, and should have {self.balance}")
        begun, ended = client.call("MGET", BEGUN, ENDED)
        if begun != ended or int(begun or 0) != sum(self.booked.values()):
            self.finds("half", f"{begun} scripts have begun, {ended} have ended, and "
                       f"{sum(self.booked.values())} are in the ledgers")
