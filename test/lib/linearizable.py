"""Is a history of concurrent operations linearizable?

It is, if one can give each operation a moment between its call and its return at which it
takes effect all at once, such that what they returned is what a single copy of the object
would have returned, one after the other. An operation whose outcome is unknown may take
effect at any moment after its call, or never.

The search is that of

    J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects.
        Journal of Parallel and Distributed Computing 17, 1993.
    G. Lowe: Testing for Linearizability.
        Concurrency and Computation: Practice and Experience 29(4), 2017.
        (What has been visited is remembered: which operations are done, and the state.)
    A. Horn, D. Kroening: Faster Linearizability Checking via P-Compositionality.
        FORTE 2015. (A history over many objects is checked object by object.)

To it we add how unknown outcomes stay cheap: they are tried last; those that nobody can
tell apart are tried in one order only; and those that change nothing are not tried.

A history is a list of Operation. Models are at the end; each is a class with

    initial             the state of a new object,
    step(state, op)     the state after the operation, or IMPOSSIBLE if it could not have
                        returned that; an unknown one (op.returned is NEVER) always can,
    prepare(ops)        returns those of the operations that can matter,
    likeness(op, ops)   of an unknown one: equal for those that nobody can tell apart.
"""

import collections
import math

NEVER = math.inf

IMPOSSIBLE = object()
UNSEEN = object()

# How many states are looked at for one object, before the answer is that we do not know.
BUDGET = 2_000_000


class Operation:
    """What one client has asked of one object. Times are of a clock that all share; a
    `returned` of NEVER says that the outcome is unknown."""

    __slots__ = ("client", "model", "key", "name", "argument", "result", "called", "returned")

    def __init__(self, client, model, key, name, argument, result, called, returned):
        self.client = client
        self.model = model
        self.key = key
        self.name = name
        self.argument = argument
        self.result = result
        self.called = called
        self.returned = returned

    @property
    def is_known(self):
        return self.returned != NEVER

    def __repr__(self):
        argument = "" if self.argument is None else repr(self.argument)
        result = shorten(self.result) if self.is_known else "?"
        return (f"[{self.called} .. {self.returned}] client {self.client}: "
                f"{self.name}({argument}) -> {result}")


def shorten(value):
    """Returns a value as text; of a long one its end, which is what can be wrong."""
    text = repr(value)
    return text if len(text) <= 300 else f"({text.count(',') + 1} values) ...{text[-270:]}"


class Violation:
    """Says which object is not linearizable, and where the search got stuck."""

    def __init__(self, model, key, done, state, stuck):
        self.model = model
        self.key = key
        self.done = done
        self.state = state
        self.stuck = stuck

    def __str__(self):
        lines = [f"{self.model} {self.key!r} is not linearizable. These come last of the "
                 "longest order that is possible:"]
        lines += [f"    {op!r}" for op in self.done[-8:]]
        lines.append(f"  which leads to {shorten(self.state)}, and none of these can be next:")
        lines += [f"    {op!r}" for op in self.stuck]
        return "\n".join(lines)


class Search:
    """The search for an order of the operations of one object."""

    def __init__(self, model, operations):
        operations = model.prepare(operations)
        by_call = sorted(operations, key=lambda op: op.called)
        known = [op for op in by_call if op.is_known]
        unknown = [op for op in by_call if not op.is_known]
        self.model = model
        self.ops = known + unknown
        self.count_known = count = len(known)
        self.links(count)
        self.alike = self.predecessors(unknown, operations)
        self.visited = set()
        self.deepest = None

    def links(self, count):
        """Links what is not done yet, in the order of the calls; `count` is both ends."""
        self.next = [*range(1, count + 1), 0]
        self.previous = [count, *range(count)]

    def predecessors(self, unknown, operations):
        """Returns for each unknown operation which one has to be done before, or None."""
        last = {}
        before = []
        for i, op in enumerate(unknown):
            kind = self.model.likeness(op, operations)
            before.append(last.get(kind))
            last[kind] = self.count_known + i
        return before

    def lift(self, i):
        self.next[self.previous[i]] = self.next[i]
        self.previous[self.next[i]] = self.previous[i]

    def put_back(self, i):
        self.next[self.previous[i]] = i
        self.previous[self.next[i]] = i

    def candidates(self, done):
        """Returns which operations can be next: those that were called before any that is
        not done had returned."""
        end = self.count_known
        i = self.next[end]
        horizon = NEVER
        found = []
        while i != end and self.ops[i].called <= horizon:
            found.append(i)
            horizon = min(horizon, self.ops[i].returned)
            i = self.next[i]
        while found and self.ops[found[-1]].called > horizon:
            found.pop()
        for i, alike in enumerate(self.alike, self.count_known):
            if self.ops[i].called > horizon:
                break
            if not done >> i & 1 and (alike is None or done >> alike & 1):
                found.append(i)
        return found

    def advance(self, frame):
        """Returns (operation, state, done) of the next branch of a frame, or None."""
        state, done, branches = frame
        for i in branches:
            op = self.ops[i]
            after = self.model.step(state, op)
            if after is IMPOSSIBLE or (i >= self.count_known and after == state):
                continue
            position = (done | 1 << i, after)
            if position not in self.visited:
                self.visited.add(position)
                return i, after, position[0]
        return None

    def note_deepest(self, remaining, order, frame):
        """Keeps the longest order that could not be gone on with, for who has to read it."""
        state, done, _ = frame
        if self.deepest is None or remaining < self.deepest[0]:
            self.deepest = (remaining, list(order), state, self.candidates(done))

    def run(self, budget):
        """Returns True if there is an order, False if there is none, and None if the
        budget was too small to tell."""
        state, done = self.model.initial, 0
        frames = [(state, done, iter(self.candidates(done)))]
        order = []
        remaining = self.count_known
        while remaining > 0:
            branch = self.advance(frames[-1])
            if branch is not None:
                i, state, done = branch
                if i < self.count_known:
                    self.lift(i)
                    remaining -= 1
                order.append(i)
                frames.append((state, done, iter(self.candidates(done))))
                if len(self.visited) > budget:
                    return None
                continue
            self.note_deepest(remaining, order, frames[-1])
            frames.pop()
            if not frames:
                return False
            i = order.pop()
            if i < self.count_known:
                self.put_back(i)
                remaining += 1
        return True

    def violation(self, name, key):
        _, order, state, stuck = self.deepest
        return Violation(name, key, [self.ops[i] for i in order], state,
                         [self.ops[i] for i in stuck])


def by_object(history):
    """Returns the operations of each object, by its model and key."""
    objects = collections.defaultdict(list)
    for op in history:
        objects[op.model, op.key].append(op)
    return objects


class Verdict:
    """What has come out: how many objects there were, the violations, and the objects of
    which the search did not come to an end."""

    def __init__(self):
        self.objects = 0
        self.operations = 0
        self.steps = 0
        self.violations = []
        self.undecided = []

    @property
    def is_linearizable(self):
        return not self.violations and not self.undecided


def check(history, budget=BUDGET):
    """Checks a history, object by object."""
    verdict = Verdict()
    for (name, key), operations in by_object(history).items():
        search = Search(MODELS[name], operations)
        found = search.run(budget)
        verdict.objects += 1
        verdict.operations += len(operations)
        verdict.steps += len(search.visited)
        if found is None:
            verdict.undecided.append((name, key))
        elif not found:
            verdict.violations.append(search.violation(name, key))
    return verdict


# Models.


class Register:
    """read() returns the value, write(value) nothing, and cas((from, to)) the value that
    it has found, which it has replaced if that was `from`."""

    initial = None

    @staticmethod
    def step(state, op):
        if op.name == "write":
            return op.argument
        if op.is_known and op.result != state:
            return IMPOSSIBLE
        if op.name == "cas" and state == op.argument[0]:
            return op.argument[1]
        return state

    @staticmethod
    def prepare(operations):
        """Drops unknown reads, and unknown writes of values that nobody has seen: whatever
        order there is with them, there is one without."""
        seen = {op.result for op in operations if op.is_known and op.name != "write"}
        unknown = [op for op in operations if not op.is_known and op.name == "cas"]
        while True:
            steps = {op.argument[0] for op in unknown if op.argument[1] in seen}
            if steps <= seen:
                break
            seen |= steps
        return [op for op in operations
                if op.is_known or (op.name != "read" and Register.value(op) in seen)]

    @staticmethod
    def value(op):
        return op.argument if op.name == "write" else op.argument[1]

    @staticmethod
    def likeness(op, _):
        return op.name, op.argument


class Counter:
    """read() returns the value, and incr(by) the new one."""

    initial = 0

    @staticmethod
    def step(state, op):
        after = state + op.argument if op.name == "incr" else state
        return IMPOSSIBLE if op.is_known and op.result != after else after

    @staticmethod
    def prepare(operations):
        return [op for op in operations if op.is_known or op.name == "incr"]

    @staticmethod
    def likeness(op, _):
        return op.argument


class AppendList:
    """append(value) returns the new length, and read() all values. No value is appended
    twice."""

    initial = ()

    @staticmethod
    def step(state, op):
        if op.name == "append":
            after = (*state, op.argument)
            return IMPOSSIBLE if op.is_known and op.result != len(after) else after
        return IMPOSSIBLE if op.is_known and op.result != state else state

    @staticmethod
    def prepare(operations):
        return [op for op in operations if op.is_known or op.name == "append"]

    @staticmethod
    def likeness(append, operations):
        """Of those that nobody has seen, only the number can matter."""
        reads = (op.result for op in operations if op.is_known and op.name == "read")
        return append.argument if any(append.argument in read for read in reads) else UNSEEN


class Lock:
    """acquire(owner) returns a token, or None if somebody has the lock; release(owner)
    whether that owner had it. Each token is by one greater than the last."""

    initial = (None, 0)

    @staticmethod
    def step(state, op):
        holder, token = state
        if op.name == "release":
            has = holder == op.argument
            if op.is_known and op.result != has:
                return IMPOSSIBLE
            return (None, token) if has else state
        granted = token + 1 if holder is None else None
        if op.is_known and op.result != granted:
            return IMPOSSIBLE
        return state if granted is None else (op.argument, granted)

    @staticmethod
    def prepare(operations):
        return operations

    @staticmethod
    def likeness(op, _):
        return op.name, op.argument


MODELS = {"register": Register, "counter": Counter, "list": AppendList, "lock": Lock}
