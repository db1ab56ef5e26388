#!/usr/bin/python3
"""The checker of linearizable.py finds what is not linearizable, and nothing else.

Histories written by hand; random ones of a handful of operations, of which trying all
orders must say the same; long ones, made by clients of a real object, that must be found
good; and those with a mistake put in, which must be found bad.
"""

import itertools
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from linearizable import IMPOSSIBLE, MODELS, NEVER, Operation, check
from server import SOAK, Check, seed

SHORT_HISTORIES = 1500 * SOAK
LONG_HISTORIES = 20 * SOAK
LONG = 200  # Operations of one.

# Written by hand: whether it is good, the model, and (name, argument, result, called, returned).
BY_HAND = {
    "a read sees the write before it": (True, "register", [
        ("write", 1, None, 0, 1), ("read", None, 1, 2, 3)]),
    "a read sees nothing of a write that has returned": (False, "register", [
        ("write", 1, None, 0, 1), ("read", None, None, 2, 3)]),
    "a read sees a write that is under way": (True, "register", [
        ("write", 1, None, 0, 9), ("read", None, 1, 2, 3), ("read", None, 1, 4, 5)]),
    "a read sees a write come and go": (False, "register", [
        ("write", 1, None, 0, 9), ("read", None, 1, 2, 3), ("read", None, None, 4, 5)]),
    "two reads see two writes in two orders": (False, "register", [
        ("write", 1, None, 0, 9), ("write", 2, None, 0, 9),
        ("read", None, 1, 10, 15), ("read", None, 2, 10, 15)]),
    "a write of unknown outcome has taken effect late": (True, "register", [
        ("write", 1, None, 0, NEVER), ("read", None, None, 2, 3), ("read", None, 1, 4, 5)]),
    "a write of unknown outcome is taken back": (False, "register", [
        ("write", 1, None, 0, NEVER), ("read", None, 1, 2, 3), ("read", None, None, 4, 5)]),
    "a write that had not been called is seen": (False, "register", [
        ("read", None, 1, 0, 1), ("write", 1, None, 2, NEVER)]),
    "a cas replaces what a cas of unknown outcome has written": (True, "register", [
        ("write", 1, None, 0, 1), ("cas", (1, 2), None, 2, NEVER), ("cas", (2, 3), 2, 4, 5),
        ("read", None, 3, 6, 7)]),
    "two cas replace the same": (False, "register", [
        ("write", 1, None, 0, 1), ("cas", (1, 2), 1, 2, 5), ("cas", (1, 3), 1, 2, 5)]),
    "an increment is lost": (False, "counter", [
        ("incr", 1, 1, 0, 1), ("incr", 1, 1, 2, 3)]),
    "an increment of unknown outcome has counted": (True, "counter", [
        ("incr", 1, None, 0, NEVER), ("incr", 1, 2, 2, 3), ("read", None, 2, 4, 5)]),
    "an increment of unknown outcome has counted twice": (False, "counter", [
        ("incr", 1, None, 0, NEVER), ("incr", 1, 2, 2, 3), ("incr", 1, 4, 4, 5)]),
    "a counter goes back": (False, "counter", [
        ("incr", 1, 1, 0, 5), ("read", None, 1, 1, 2), ("read", None, 0, 3, 4)]),
    "appends are read in their order": (True, "list", [
        ("append", "a", 1, 0, 1), ("append", "b", None, 0, NEVER), ("read", None, ("a",), 2, 3),
        ("append", "c", 3, 2, 5), ("read", None, ("a", "b", "c"), 4, 7)]),
    "two reads see appends in two orders": (False, "list", [
        ("append", "a", 1, 0, 9), ("append", "b", 2, 0, 9), ("read", None, ("a", "b"), 0, 9),
        ("read", None, ("b", "a"), 0, 9)]),
    "an append is taken back": (False, "list", [
        ("append", "a", None, 0, NEVER), ("read", None, ("a",), 2, 3), ("read", None, (), 4, 5)]),
    "an append is made twice": (False, "list", [
        ("append", "a", None, 0, NEVER), ("read", None, ("a", "a"), 2, 3)]),
    "a lock goes from one to the other": (True, "lock", [
        ("acquire", "a", 1, 0, 1), ("acquire", "b", None, 2, 3), ("release", "a", True, 4, 7),
        ("acquire", "b", 2, 5, 6)]),
    "two have a lock": (False, "lock", [
        ("acquire", "a", 1, 0, 1), ("acquire", "b", 2, 2, 3), ("release", "a", True, 4, 5)]),
    "a token is given twice": (False, "lock", [
        ("acquire", "a", 1, 0, 1), ("release", "a", True, 2, 3), ("acquire", "b", 1, 4, 5)]),
    "a lock of unknown outcome is released": (True, "lock", [
        ("acquire", "a", None, 0, NEVER), ("release", "a", True, 2, 3), ("acquire", "b", 2, 4, 5)]),
    "a lock is released that nobody had": (False, "lock", [
        ("release", "a", True, 0, 1), ("acquire", "a", 1, 2, 3)]),
}


def operations_of(model, rows):
    return [Operation(i, model, "k", *row) for i, row in enumerate(rows)]


def by_hand(checks):
    for what, (good, model, rows) in BY_HAND.items():
        verdict = check(operations_of(model, rows))
        checks.equal(verdict.is_linearizable, good, what)


# Objects that are what the models describe, written independently of them.


class RealRegister:
    def __init__(self):
        self.value = None

    def read(self, _):
        return self.value

    def write(self, value):
        self.value = value

    def cas(self, values):
        found = self.value
        if found == values[0]:
            self.value = values[1]
        return found


class RealCounter:
    def __init__(self):
        self.value = 0

    def read(self, _):
        return self.value

    def incr(self, by):
        self.value += by
        return self.value


class RealList:
    def __init__(self):
        self.values = []

    def read(self, _):
        return tuple(self.values)

    def append(self, value):
        self.values.append(value)
        return len(self.values)


class RealLock:
    def __init__(self):
        self.holder = None
        self.token = 0

    def acquire(self, owner):
        if self.holder is not None:
            return None
        self.holder = owner
        self.token += 1
        return self.token

    def release(self, owner):
        if self.holder != owner:
            return False
        self.holder = None
        return True


REAL = {"register": RealRegister, "counter": RealCounter, "list": RealList, "lock": RealLock}


class Crowd:
    """Clients of one real object. What they do takes effect somewhere between its call and
    its return; some lose sight of an operation, which then takes effect whenever it likes."""

    def __init__(self, rng, model, clients, unknown):
        self.rng = rng
        self.model = model
        self.clients = clients
        self.unknown = unknown  # How likely a client loses sight.
        self.object = REAL[model]()
        self.now = 0
        self.fresh = itertools.count(1)
        self.busy = {}  # The operation of each client, and whether it has taken effect.
        self.adrift = []
        self.owns = {}
        self.history = []

    def request(self, client):
        if self.model == "register":
            name = self.rng.choice(["read", "write", "cas"])
            old = self.object.value if self.rng.random() < 0.7 else self.rng.randint(1, 5)
            argument = {"read": None, "write": next(self.fresh), "cas": (old, next(self.fresh))}
            return name, argument[name]
        if self.model == "counter":
            return self.rng.choice([("read", None), ("incr", 1), ("incr", 1)])
        if self.model == "list":
            return self.rng.choice([("read", None), ("append", f"v{next(self.fresh)}")])
        if client in self.owns:
            return "release", self.owns.pop(client)
        self.owns[client] = f"owner{next(self.fresh)}"
        return "acquire", self.owns[client]

    def call(self, client):
        name, argument = self.request(client)
        op = Operation(client, self.model, "k", name, argument, None, self.now, NEVER)
        self.history.append(op)
        self.busy[client] = [op, False]

    def take_effect(self, op):
        op.result = getattr(self.object, op.name)(op.argument)

    def go_on(self, client):
        op, is_done = self.busy[client]
        if self.rng.random() < self.unknown:
            del self.busy[client]
            if not is_done:
                self.adrift.append(op)
        elif is_done:
            del self.busy[client]
            op.returned = self.now
        else:
            self.take_effect(op)
            self.busy[client][1] = True

    def step(self, can_call):
        self.now += self.rng.randint(0, 2)
        if self.adrift and self.rng.random() < 0.1:
            op = self.adrift.pop(self.rng.randrange(len(self.adrift)))
            if self.rng.random() < 0.5:
                self.take_effect(op)
        idle = [c for c in range(self.clients) if c not in self.busy]
        if can_call and idle and self.rng.random() < 0.5:
            self.call(self.rng.choice(idle))
        elif self.busy:
            self.go_on(self.rng.choice(list(self.busy)))

    def run(self, count):
        """Returns the history of so many operations."""
        while len(self.history) < count:
            self.step(True)
        while self.busy:
            self.step(False)
        for op in self.history:
            if not op.is_known:
                op.result = None
        return self.history


# Mistakes that no order can explain. Each changes a history, or returns False if there is
# no place for it.


def pick(rng, candidates):
    candidates = list(candidates)
    return rng.choice(candidates) if candidates else None


def known(history, name):
    return [op for op in history if op.is_known and op.name == name]


def pair(rng, ops):
    """Picks two of which the first had returned when the second was called."""
    return pick(rng, [(a, b) for a in ops for b in ops if a.returned < b.called])


def read_the_past(rng, history):
    """A read finds what was overwritten before it was called."""
    chosen = pair(rng, known(history, "write"))
    read = chosen and pick(rng, [r for r in known(history, "read")
                                 if chosen[1].returned < r.called])
    if not read:
        return False
    read.result = chosen[0].argument
    return True


def read_of_nothing(rng, history):
    """A read finds what nobody has written."""
    op = pick(rng, known(history, "read"))
    if op is None:
        return False
    op.result = -1
    return True


def count_twice_the_same(rng, history):
    """Two increments return the same."""
    ops = known(history, "incr")
    if len(ops) < 2:
        return False
    a, b = rng.sample(ops, 2)
    a.result = b.result
    return True


def forget_an_increment(rng, history):
    """A read finds less than an increment had returned before."""
    chosen = pick(rng, [(a, r) for a in known(history, "incr") for r in known(history, "read")
                        if a.returned < r.called])
    if chosen is None:
        return False
    chosen[1].result = chosen[0].result - 1
    return True


def forget_an_append(rng, history):
    """A read does not find what had been appended before."""
    chosen = pick(rng, [(a, r) for a in known(history, "append") for r in known(history, "read")
                        if a.returned < r.called])
    if chosen is None:
        return False
    append, read = chosen
    read.result = tuple(v for v in read.result if v != append.argument)
    return True


def append_twice(rng, history):
    """A read finds a value two times."""
    read = pick(rng, [r for r in known(history, "read") if r.result])
    if read is None:
        return False
    at = rng.randint(0, len(read.result))
    read.result = (*read.result[:at], rng.choice(read.result), *read.result[at:])
    return True


def swap_appends(rng, history):
    """A read finds two values in the order in which they were not appended."""
    chosen = pair(rng, known(history, "append"))
    reads = chosen and [r for r in known(history, "read")
                        if {chosen[0].argument, chosen[1].argument} <= set(r.result)]
    if not reads:
        return False
    a, b = chosen[0].argument, chosen[1].argument
    read = rng.choice(reads)
    read.result = tuple({a: b, b: a}.get(v, v) for v in read.result)
    return True


def grant_twice_the_same(rng, history):
    """Two get the same token."""
    granted = [op for op in known(history, "acquire") if op.result]
    if len(granted) < 2:
        return False
    a, b = rng.sample(granted, 2)
    a.result = b.result
    return True


def grant_backwards(rng, history):
    """The later one gets the smaller token."""
    chosen = pair(rng, [op for op in known(history, "acquire") if op.result])
    if chosen is None:
        return False
    a, b = chosen
    a.result, b.result = b.result, a.result
    return True


def grant_what_is_held(rng, history):
    """Somebody gets the lock while another one has it."""
    releases = {op.argument: op.called for op in history if op.name == "release"}
    acquires = known(history, "acquire")
    chosen = pick(rng, [(a, b) for a in acquires if a.result for b in acquires if not b.result
                        and a.returned < b.called and b.returned < releases.get(a.argument, NEVER)])
    if chosen is None:
        return False
    chosen[1].result = chosen[0].result + 1
    return True


MISTAKES = {
    "register": [read_the_past, read_of_nothing],
    "counter": [count_twice_the_same, forget_an_increment],
    "list": [forget_an_append, append_twice, swap_appends],
    "lock": [grant_twice_the_same, grant_backwards, grant_what_is_held],
}


def mix_results(rng, history):
    """Gives an operation the result of another one of its name: a mistake, or not."""
    name = rng.choice([op.name for op in history])
    ops = known(history, name)
    if len({op.result for op in ops}) < 2:
        return False
    a = rng.choice(ops)
    a.result = rng.choice([op.result for op in ops if op.result != a.result])
    return True


# The tests.


def is_linearizable_by_force(model, operations):
    """Tries all orders of what is known with whatever of the rest. For a handful only."""
    certain = [op for op in operations if op.is_known]
    unknown = [op for op in operations if not op.is_known]
    return any(is_an_order(model, order)
               for count in range(len(unknown) + 1)
               for chosen in itertools.combinations(unknown, count)
               for order in itertools.permutations([*certain, *chosen]))


def is_an_order(model, order):
    state = model.initial
    latest_call = -NEVER
    for op in order:
        latest_call = max(latest_call, op.called)
        state = model.step(state, op)
        if op.returned < latest_call or state is IMPOSSIBLE:
            return False
    return True


def agrees_with_force(checks, rng):
    """Short histories, half of them mixed up: trying all orders says the same."""
    good = 0
    for i in range(SHORT_HISTORIES):
        model = rng.choice(list(MODELS))
        history = Crowd(rng, model, clients=3, unknown=0.15).run(rng.randint(2, 6))
        if i % 2:
            mix_results(rng, history)
        expected = is_linearizable_by_force(MODELS[model], history)
        good += expected
        if not checks.equal(check(history).is_linearizable, expected, f"a short {model}"):
            print(*history, sep="\n")
    print(f"{SHORT_HISTORIES} short histories, of which {good} are linearizable")


def finds_mistakes(checks, rng):
    """Long histories are good, and are not with a mistake in them."""
    caught = {}
    mixed = mixed_caught = 0
    for model in list(MODELS) * LONG_HISTORIES:
        start = rng.random()

        def history(start=start, model=model):
            return Crowd(random.Random(start), model, clients=6, unknown=0.01).run(LONG)

        verdict = check(history())
        checks.true(verdict.is_linearizable, f"a history of a real {model}: "
                    f"{[*map(str, verdict.violations), *verdict.undecided]}")
        for mistake in MISTAKES[model]:
            changed = history()
            if mistake(rng, changed):
                found = bool(check(changed).violations)
                checks.true(found, f"{model}: {mistake.__doc__}")
                count, of = caught.get(mistake.__name__, (0, 0))
                caught[mistake.__name__] = (count + found, of + 1)
        changed = history()
        if mix_results(rng, changed):
            mixed += 1
            mixed_caught += bool(check(changed).violations)
    for name, (count, of) in caught.items():
        print(f"{name.replace('_', ' ')}: {count} of {of} caught")
    print(f"a result of another operation, which may be as good: {mixed_caught} of {mixed} caught")


def tells_how_fast(checks, rng):
    """A run's worth of operations. The time is printed, and not tested."""
    history = []
    for i in range(200):
        model = list(MODELS)[i % len(MODELS)]
        for op in Crowd(rng, model, clients=8, unknown=0.01).run(125):
            op.key = i
            history.append(op)
    start = time.perf_counter()
    verdict = check(history)
    print(f"{verdict.operations} operations on {verdict.objects} objects: "
          f"{time.perf_counter() - start:.2f} s, {verdict.steps} states")
    checks.true(verdict.is_linearizable, "a run of real objects")


def has_a_budget(checks):
    """A search that does not come to an end is no success."""
    rows = [("write", i, None, 0, 99) for i in range(40)] + [("read", None, -1, 100, 101)]
    verdict = check(operations_of("register", rows), budget=1000)
    checks.true(verdict.undecided and not verdict.is_linearizable, "a search is given up")


def main():
    checks = Check()
    rng = random.Random(seed())
    by_hand(checks)
    has_a_budget(checks)
    agrees_with_force(checks, rng)
    finds_mistakes(checks, rng)
    tells_how_fast(checks, rng)
    checks.finish()


if __name__ == "__main__":
    main()
