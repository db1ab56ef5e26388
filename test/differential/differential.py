#!/usr/bin/python3
"""Random requests to us and to redis-server 7.0.15 side by side: the replies are the
same, byte for byte, and so are all keys every now and then.

    MOONLATCH_SERVER=build/moonlatch-server test/differential/differential.py --seconds 60

A difference is printed with its seed, and with the few requests that still make it.
The data of both servers are made equal again where they may differ: after members
that were picked at random, and after scripts that failed in the middle, of which
we keep nothing and Redis keeps what was written before. One test is a thousand requests.
"""

import argparse
import pathlib
import random
import re
import select
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import grammar
import replies
import scripts
import values
from grammar import Request
from server import PATIENCE_S, SOAK, Server, encode, seed

# What may differ, and why. Before two replies are called different, what matches in
# them is replaced in both; they begin with their kinds.
EXCEPTIONS = [
    # (reason, pattern, replacement)
    ("Redis holds a string as it was made, and we by what it is",
     re.compile(rb"\A\$(int|embstr|raw)\Z"), b"string"),
    ("in a line we replace all control characters, and Redis drops the last line break",
     re.compile(rb"\A[-+].*\Z", re.DOTALL),
     lambda match: re.sub(rb"[\x00-\x1f\x7f]", b" ", match[0]).rstrip()),
    ("SORT leaves a small sorted set in Redis's other encoding",
     re.compile(rb"\A\$(listpack|skiplist)\Z"), b"packed or not"),
    ("Redis keeps the sign of a zero in a big sorted set, and we in none",
     re.compile(rb"\A([$,])-0\Z"), rb"\g<1>0"),
    ("LuaJIT has other words for a missing argument",
     re.compile(rb"\((\w+ expected, got )?no value\)"), b"(value expected)"),
    ("a timeout that is too long overflows in Redis, and is negative then",
     re.compile(rb"timeout is (negative|out of range)"), b"timeout is refused"),
    ("LuaJIT does not write the sign of what is not a number", re.compile(rb" *-?nan *"), b"nan"),
]

UNIT = 1000  # Requests that make one test.
COMMANDS = 20 * UNIT  # Of one seed.
SECONDS = 20 * SOAK
CONNECTIONS = 3
CARED_FOR = (grammar.POP, grammar.RECKLESS, grammar.WALK)  # Requests that end a step.
CONTROL = CONNECTIONS  # Another one, of this program itself.
DATABASES = [0, 1, 2, 15]  # Those that a request may choose.
ENCODING = 1  # Of the answers about a key.
MANY_KEYS = 100  # With more the keys hardly meet: then we start anew.
TOLERANCE_MS = 3000
MARK = b"end of the step"
MARK_REPLY = b"$%d\r\n%s\r\n" % (len(MARK), MARK)
PARTS = 4  # Of the keys, of which one at a time is exchanged between the servers.
SHOWN = 3000  # Characters of a result.
FAILURES = 10  # With so many, we do not look for more.


class Difference(Exception):
    """The servers do not agree: about what, and in which way."""

    def __init__(self, subject, results):
        super().__init__(f"{subject}\n{results}")
        self.subject = subject
        self.results = results


# Comparing.


def excuse(reply):
    """Replaces in a reply what may differ."""
    text = reply[0] + (reply[1] or b"")
    for _, pattern, replacement in EXCEPTIONS:
        text = pattern.sub(replacement, text)
    return text


def is_empty_read(reply):
    """Whether a reply names streams that nothing was read from: Redis answers XREAD BLOCK
    so if an entry came and was trimmed at once, where we go on to wait."""
    pairs = reply[1] if replies.is_list(reply) else []
    pairs = [pair if isinstance(pair[0], tuple) else pair[1] for pair in pairs]
    return pairs != [] and all(len(pair) == 2 and pair[1] == (b"*", []) for pair in pairs)


def alike(ours, theirs):
    """Returns whether two replies, or pairs of them, are equal but for exceptions."""
    if ours == theirs:
        return True
    if ours[1] is None and is_empty_read(theirs):
        return True
    if isinstance(ours[0], tuple):
        return all(map(alike, ours, theirs))
    if replies.is_list(ours) and replies.is_list(theirs):
        same = ours[0] == theirs[0] and len(ours[1]) == len(theirs[1])
        return same and all(map(alike, ours[1], theirs[1]))
    if isinstance(ours[1], bytes) and isinstance(theirs[1], bytes):
        return excuse(ours) == excuse(theirs)
    return False


def alike_or_none(our, their):
    """Compares answers about a key, which are None where they were errors."""
    if our is None or their is None or isinstance(our, bytes):
        return our == their
    return alike(our, their)


def settled(settle):
    return lambda _, ours, theirs: alike(settle(ours), settle(theirs))


def same_time(args, ours, theirs):
    if ours[0] != b":" or theirs[0] != b":":
        return alike(ours, theirs)
    ours, theirs = int(ours[1]), int(theirs[1])
    tolerance = TOLERANCE_MS if args[0].upper().startswith(b"P") else TOLERANCE_MS // 1000
    return ours == theirs or (min(ours, theirs) >= 0 and abs(ours - theirs) <= tolerance)


def same_script(args, ours, theirs):
    """With RESP3 a script gets maps and sets, which have no order that it could keep."""
    settle = replies.settle_deep if b"setresp(3)" in args[1] else replies.settle
    return alike(settle(ours), settle(theirs))


def same_shape(_, ours, theirs):
    return alike(ours, theirs) if replies.is_error(ours) else ours[0] == theirs[0]


def same_pick(_, ours, theirs):
    """Which are members is checked against the next reply, by check_picks()."""
    if not replies.is_list(ours) or not replies.is_list(theirs):
        return same_shape(_, ours, theirs)
    return ours[0] == theirs[0] and len(ours[1]) == len(theirs[1])


def as_number(text):
    """Long scores, and the sign of a zero, are written in a way that depends on how Redis
    holds a sorted set."""
    try:
        return repr(float(text) + 0.0).encode()
    except ValueError:
        return text


def settle_scores(reply):
    kind, content = replies.settle_pairs(reply)
    return kind, [(member, (b"$", as_number(score[1]))) for member, score in content]


def same_step(settle):
    """A cursor, and what the walk has come by."""
    def same(args, ours, theirs):
        if not replies.is_list(ours) or not replies.is_list(theirs):
            return alike(ours, theirs)
        settled = settle_scores if args[0].upper() == b"ZSCAN" else settle
        found = [settled(reply[1][1]) for reply in (ours, theirs)]
        return ours[1][0] == theirs[1][0] and alike(*found)
    return same


def same_numbers(_, ours, theirs):
    """In Redis, a number that was out of range earlier, in whatever, may make SORT fail."""
    return theirs == (b"-", b"ERR One or more scores can't be converted into double") or \
        alike(ours, theirs)


def same_order(args, ours, theirs):
    """What GET gets does not show which members have a NUL."""
    gets = any(word.upper() == b"GET" for word in args)
    if gets or any(b"\0" in text for text in replies.leaves(theirs) - {None}):
        return alike(replies.settle_members(ours), replies.settle_members(theirs))
    return alike(ours, theirs)


def same_hello(_, ours, theirs):
    if not replies.is_list(ours) or not replies.is_list(theirs):
        return alike(ours, theirs)
    return ours[0] == theirs[0] and len(ours[1]) == len(theirs[1])


SAME = {
    grammar.EXACT: settled(replies.settle),
    grammar.SCRIPT: same_script,
    grammar.RECKLESS: same_script,
    grammar.DEEP: settled(replies.settle_deep),
    grammar.MEMBERS: settled(replies.settle_members),
    grammar.PAIRS: settled(replies.settle_pairs),
    grammar.TIME: same_time,
    grammar.NUMBERS: same_numbers,
    grammar.SORTED: same_order,
    grammar.PENDING: settled(replies.settle_pending),
    grammar.AGES: settled(replies.settle_ages),
    grammar.SHAPE: same_shape,
    grammar.PICK: same_pick,
    grammar.POP: same_pick,
    grammar.SCANNED: same_step(replies.settle_members),
    grammar.SCANNED_PAIRS: same_step(replies.settle_pairs),
    grammar.WALK: same_shape,
    grammar.HELLO: same_hello,
    grammar.WAIT: settled(replies.settle),
}


def show(args):
    return " ".join(a.decode() if re.fullmatch(rb"[\w:.-]+", a) else repr(a)[1:] for a in args)


def check(request, ours, theirs):
    if not SAME[request.compare](request.args, ours, theirs):
        raise Difference(
            show(request.args),
            f"  ours:   {replies.show(ours)[:SHOWN]}\n  theirs: {replies.show(theirs)[:SHOWN]}")


def check_picks(request, reply, universe):
    """Checks that what was picked is among all there is, if that could be listed."""
    if replies.is_list(universe) and not replies.is_error(reply):
        strangers = replies.leaves(reply) - replies.leaves(universe) - {None}
        if strangers:
            all_there_is = replies.show(universe)[:SHOWN]
            raise Difference(show(request.args), f"  picked {strangers} of {all_there_is}")


class Transaction:
    """Follows MULTI through a step, so that each result of EXEC is compared as the
    request that gave it."""

    def __init__(self):
        self.queue = None

    def check(self, request, ours, theirs):
        name = request.args[0].upper()
        done = name == b"EXEC" and replies.is_list(ours) and replies.is_list(theirs)
        if done and len(ours[1]) == len(theirs[1]):
            for queued, our, their in zip(self.queue, ours[1], theirs[1]):
                check(queued, our, their)
        elif self.queue is None:
            check(request, ours, theirs)
        else:
            check(request._replace(compare=grammar.EXACT), ours, theirs)
        self.follow(request, name, ours)

    def follow(self, request, name, reply):
        if self.queue is not None and reply[1] == b"QUEUED":
            self.queue.append(request)
        elif name == b"MULTI" and reply == (b"+", b"OK"):
            self.queue = []
        elif name in (b"EXEC", b"DISCARD", b"RESET") and len(request.args) == 1:
            self.queue = None


def check_step(requests, ours, theirs):
    """Compares the replies of a step."""
    transaction = Transaction()

    if len(ours) != len(requests) or len(theirs) != len(requests):
        raise Difference("how many replies", f"{len(ours)} and {len(theirs)} to {len(requests)}")
    for i, request in enumerate(requests):
        transaction.check(request, ours[i], theirs[i])
        if request.compare == grammar.PICK and transaction.queue is None:
            check_picks(request, ours[i], ours[i + 1])


# Drawing.


def is_silent(request):
    """Whether Redis may not tell who waits for a stream that there is something to read
    now, or tell of what has gone again."""
    words = [word.upper() for word in request.args]
    if words[0] == b"XADD":
        return b"MAXLEN" in words or b"MINID" in words
    return words[0] in (b"XTRIM", b"XSETID") or words[:2] == [b"XGROUP", b"SETID"]


STORES = re.compile(rb"\b(Z\w+|GEOSEARCH)STORE\b")
STORES_SOMEWHERE = re.compile(STORES.pattern + rb"|\bSTORE\b")


def heard(request):
    """Returns what is sent for a request in a step in which others wait. Redis does not tell
    them of what is stored over a value of another type: such a key is deleted first, and a
    request of which we do not know the key is left out, as are those that are silent."""
    words = [word.upper() for word in request.args]
    if len(words) > 1 and STORES.fullmatch(words[0]):
        return [Request([b"DEL", request.args[1]], grammar.EXACT), request]
    if is_silent(request) or STORES_SOMEWHERE.search(b" ".join(words)):
        return []
    return [request]


class Generator:
    """Draws steps: the number of a connection, and what is sent over it in one go.
    Of those requests that need care afterwards, a step has one, at its end."""

    def __init__(self, number, commands):
        self.commands = commands
        self.waiting = [c for c in commands if grammar.BLOCKS in c.uses]
        self.random = random.Random(number)
        self.arguments = grammar.Arguments(self.random, commands)
        self.scripts = scripts.Scripts(self.arguments)

    def is_plain(self, command):
        """Those that change all keys at once are rarer."""
        if grammar.BLOCKS in command.uses:
            return False
        sweeping = command.words[0] in ("FLUSHALL", "FLUSHDB", "SWAPDB")
        return not sweeping or self.random.random() < 0.2

    def is_queueable(self, command):
        return grammar.PLAIN not in command.uses and command.compare != grammar.PICK

    def single(self):
        """A request; one that picks has behind it what lists all there is."""
        request = self.arguments.request(self.is_plain)
        if request.compare != grammar.PICK:
            return [request]
        return [request, self.listing(request.args)]

    def listing(self, args):
        name, *rest = args
        if name.upper() == b"RANDOMKEY":
            return Request([b"KEYS", b"*"], grammar.MEMBERS)
        if name.upper() == b"HRANDFIELD":
            return Request([b"HGETALL", rest[0]], grammar.PAIRS)
        if name.upper() == b"ZRANDMEMBER":
            return Request([b"ZRANGE", rest[0], b"0", b"-1", b"WITHSCORES"], grammar.EXACT)
        return Request([b"SMEMBERS", rest[0]], grammar.MEMBERS)

    def transaction(self):
        requests = [Request([b"MULTI"], grammar.EXACT)]
        for _ in range(self.random.randint(0, 5)):
            if self.random.random() < 0.1:
                requests.append(Request(self.scripts.run(scripts.WRITER), grammar.SCRIPT))
            else:
                requests.append(self.arguments.request(self.is_queueable))
        if self.random.random() < 0.05:
            requests.append(Request([self.random.choice([b"MULTI", b"WATCH"])], grammar.EXACT))
        end = self.random.choice([b"EXEC"] * 6 + [b"DISCARD", b"RESET"])
        return requests + [Request([end], grammar.EXACT)]

    def script(self):
        pick = self.random.random()
        if pick < 0.1:
            return self.scripts.run_loaded()
        kind = scripts.READER if pick < 0.6 else scripts.WRITER
        return [Request(self.scripts.run(kind), grammar.SCRIPT)]

    def item(self):
        pick = self.random.random()
        if pick < 0.92:
            return self.single()
        return self.transaction() if pick < 0.95 else self.script()

    def last(self):
        pick = self.random.random()
        if pick < 0.4:
            return [Request(self.scripts.run(scripts.RECKLESS), grammar.RECKLESS)]
        if pick < 0.7:
            return self.pop()
        return self.walk()

    def walk(self):
        walks = [
            [b"SCAN"], [b"HSCAN", *self.arguments.hash()], [b"SSCAN", *self.arguments.set()],
            [b"ZSCAN", *self.arguments.zset()],
        ]
        known = [walk for walk in walks if walk[0].decode() in self.arguments.names]
        start = self.random.choice(known)
        options = self.random.choice([
            [], self.arguments.match_option(), [b"COUNT", b"1"], [b"COUNT", b"33"],
        ])
        return [Request([*start, b"0", *options], grammar.WALK)]

    def pop(self):
        key = self.arguments.set()
        count = self.random.choice([[], [], [b"1"], [b"3"], [b"10"], [b"400"]])
        return [
            Request([b"SMEMBERS", *key], grammar.MEMBERS),
            Request([b"SPOP", *key, *count], grammar.POP),
        ]

    def wait(self):
        """Requests that wait for what the others of the step do."""
        count = self.random.randint(1, CONNECTIONS - 1)
        return [self.arguments.waiting(self.waiting) for _ in range(count)]

    def step(self):
        requests = []
        if self.waiting and self.random.random() < 0.2:
            requests = self.wait()
            for _ in range(self.random.randint(1, 40)):
                requests += [sent for request in self.item() for sent in heard(request)]
            return self.random.randrange(CONNECTIONS), requests
        for _ in range(self.random.randint(1, 80)):
            requests += self.item()
        if self.random.random() < 0.5:
            requests += self.last()
        return self.random.randrange(CONNECTIONS), requests


# The two servers.


class Side:
    """A server, our connections to it, and what is sent over one of them."""

    def __init__(self, server):
        self.server = server
        self.clients = [server.connect() for _ in range(CONNECTIONS + 1)]
        self.ids = [client.call(b"CLIENT", b"ID") for client in self.clients]
        self.listener = None

    def receive(self, connection):
        """Returns all replies before the mark."""
        client = self.clients[connection]
        while not client.input.endswith(MARK_REPLY):
            client.receive()
        data = bytes(client.input[: -len(MARK_REPLY)])
        client.input.clear()
        return data

    def call_many(self, requests, connection=CONTROL):
        self.clients[connection].send_raw(b"".join(map(encode, requests)) + encode([b"ECHO", MARK]))
        return replies.parse_all(self.receive(connection))

    def call(self, *args, connection=CONTROL):
        return self.call_many([args], connection)[0]

    def reset(self):
        for connection in range(CONNECTIONS + 1):
            self.call(b"RESET", connection=connection)
        self.call_many([[b"FLUSHALL"], [b"SCRIPT", b"FLUSH"], [b"FUNCTION", b"FLUSH"]])

    def listen(self):
        """Begins to hear of all that happens to keys, and of all that is published."""
        self.listener = self.server.connect()
        self.listener.call(b"PSUBSCRIBE", b"*")
        reply = self.call(b"CONFIG", b"SET", b"notify-keyspace-events", b"KEA")
        assert reply == (b"+", b"OK"), reply

    def messages(self):
        """Returns (channel, text) of the messages since the last time. When a key is found
        to have expired is left to each server."""
        if self.listener is None:
            return []
        found = []
        self.call(b"PUBLISH", MARK, b"")
        while not found or found[-1][0] != MARK:
            _, _, *message = self.listener.read()
            found.append(message)
        return [(channel, text) for channel, text in found[:-1]
                if text != b"expired" and not channel.endswith(b"__:expired")]

    def wait(self, connections, requests):
        """Sends requests that may have to wait, one after the other."""
        for count, (connection, request) in enumerate(zip(connections, requests)):
            self.clients[connection].send(*request.args)
            self.wait_until_it_waits(connections[: count + 1])

    def wait_until_it_waits(self, connections):
        """Waits until all of these wait or have been answered."""
        sockets = [self.clients[connection].socket for connection in connections]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            waiting = self.call(b"INFO", b"clients")[1].split(b"blocked_clients:")[1].split()[0]
            answered = select.select(sockets, [], [], 0)[0]
            if int(waiting) + len(answered) >= len(sockets):
                return
        raise Difference("blocked_clients", f"{self.server.program}: {waiting}")

    def end_wait(self, connections):
        """Returns the replies to what waited, which waits no more."""
        found = []
        for connection in connections:
            self.call(b"CLIENT", b"UNBLOCK", b"%d" % self.ids[connection])
        for connection in connections:
            self.clients[connection].send(b"ECHO", MARK)
            found += replies.parse_all(self.receive(connection))
        return found

    def keys(self):
        """Returns (database, key) of all keys."""
        found = []
        for database in DATABASES:
            found += [(database, key) for key in self.keys_of(database)]
        return found

    def keys_of(self, database):
        """DBSIZE counts expired keys as well, until they are dropped: that is soon."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.call(b"SELECT", b"%d" % database)
            keys, size = self.call_many([[b"KEYS", b"*"], [b"DBSIZE"]])
            if len(keys[1]) == int(size[1]):
                return [key for _, key in keys[1]]
            time.sleep(0.01)
        raise Difference(f"DBSIZE of {self.server.program}", f"{size}, and by KEYS {len(keys[1])}")

    def read_all(self):
        """Returns {(database, key): replies that tell all of it}."""
        keys = self.keys()
        requests, found = [], {}
        for database, key in keys:
            requests += [[b"SELECT", b"%d" % database], *values.requests(key)]
        answers = self.call_many(requests)
        size = len(values.ABOUT) + 1
        for i, key in enumerate(keys):
            found[key] = values.settle(answers[size * i + 1 : size * (i + 1)])
            found[key][ENCODING] = excuse(found[key][ENCODING])
        return found

    def walk(self, args, connection):
        """Makes a whole walk with a cursor. Returns the set of what it has come by."""
        at = 1 if args[0] == b"SCAN" else 2
        found = set()
        while True:
            reply = self.call(*args, connection=connection)
            if replies.is_error(reply):
                return reply
            cursor, items = (item[1] for item in reply[1])
            items = [item[1] for item in items]
            if args[0] == b"ZSCAN":
                found |= set(zip(items[::2], map(as_number, items[1::2])))
            elif args[0] == b"HSCAN":
                found |= set(zip(items[::2], items[1::2]))
            else:
                found |= set(items)
            if cursor == b"0":
                return found
            args = args[:at] + [cursor] + args[at + 1 :]


class Pair:
    """The two servers, which are to be the same."""

    def __init__(self, ours, theirs):
        self.ours = Side(ours)
        self.theirs = Side(theirs)
        self.sides = (self.ours, self.theirs)

    def both(self, *args, connection=CONTROL):
        return [side.call(*args, connection=connection) for side in self.sides]

    def commands(self):
        """Returns the names of the commands that both servers have."""
        return set.intersection(*[
            {name for _, name in reply[1]} for reply in self.both(b"COMMAND", b"LIST")])

    def listen(self):
        for side in self.sides:
            side.listen()

    def reset(self):
        for side in self.sides:
            side.reset()
            side.messages()

    def run(self, connection, requests):
        """Makes a step, and compares all of it."""
        waiting = [request for request in requests if request.compare == grammar.WAIT]
        waiters = [(connection + 1 + i) % CONNECTIONS for i in range(len(waiting))]
        requests = [request for request in requests if request.compare != grammar.WAIT]
        try:
            for side in self.sides:
                side.wait(waiters, waiting)
            self.run_requests(connection, requests)
        finally:
            ended = [side.end_wait(waiters) for side in self.sides]
        check_step(waiting, *ended)

    def run_requests(self, connection, requests):
        requests = requests + [Request([b"DISCARD"], grammar.EXACT)]
        data = b"".join(encode(request.args) for request in requests) + encode([b"ECHO", MARK])
        for side in self.sides:
            side.clients[connection].send_raw(data)
        ours, theirs = [side.receive(connection) for side in self.sides]
        ours, theirs = replies.parse_all(ours), replies.parse_all(theirs)
        check_step(requests, ours, theirs)
        last = requests[-2] if len(requests) > 1 else requests[-1]
        if last.compare != grammar.RECKLESS:
            self.check_messages()
        if last.compare in CARED_FOR:
            self.care(connection, last, ours[-2], theirs[-2])
            for side in self.sides:
                side.messages()

    def check_messages(self):
        ours, theirs = [side.messages() for side in self.sides]
        if ours != theirs:
            at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]),
                      min(len(ours), len(theirs)))
            raise Difference("the messages", f"  ours:   ... {ours[at : at + 10]}\n"
                                             f"  theirs: ... {theirs[at : at + 10]}")

    def care(self, connection, request, ours, theirs):
        """Does what the last request of a step needs."""
        if request.compare == grammar.POP and not replies.is_error(ours):
            self.undo_pop(connection, request.args[1], ours, theirs)
        elif request.compare == grammar.RECKLESS and replies.is_error(ours):
            self.make_equal()
        elif request.compare == grammar.WALK:
            found = [side.walk(request.args, connection) for side in self.sides]
            if found[0] != found[1]:
                raise Difference(show(request.args), f"  ours:   {found[0]}\n  theirs: {found[1]}")

    def undo_pop(self, connection, key, ours, theirs):
        """Takes the same members from both sets."""
        popped = [replies.leaves(reply) - {None} for reply in (ours, theirs)]
        if popped[0] == popped[1]:
            return
        for side, members in zip(self.sides, popped):
            side.call(b"SADD", key, *members, connection=connection)
        self.both(b"SREM", key, *popped[0], connection=connection)

    def differing(self):
        """Returns the keys that are not the same, with both values."""
        ours, theirs = (side.read_all() for side in self.sides)
        for key in sorted(set(ours) | set(theirs)):
            our, their = ours.get(key), theirs.get(key)
            if not our or not their or not all(map(alike_or_none, our[:-1], their[:-1])):
                yield key, our, their
            elif not same_time([b"PEXPIRETIME"], our[-1], their[-1]):
                yield key, our, their

    def make_equal(self):
        """Drops the keys that are not the same, for a reason that is known; clients
        that watch them would notice that on one side only."""
        for (database, key), _, _ in self.differing():
            self.both(b"SELECT", b"%d" % database)
            self.both(b"DEL", key)
        for connection in range(CONNECTIONS):
            self.both(b"UNWATCH", connection=connection)

    def check_keys(self):
        for key, ours, theirs in self.differing():
            raise Difference(f"key {key}", values.show_difference(ours, theirs))
        if len(self.ours.keys()) > MANY_KEYS:
            self.both(b"FLUSHALL")
            for side in self.sides:
                side.messages()


    def exchange(self, keys):
        """Restores values from what the other server has dumped."""
        requests = [[[b"SELECT", b"%d" % database], [b"DUMP", key]] for database, key in keys]
        payloads = [side.call_many(sum(requests, []))[1::2] for side in self.sides]
        for side, others in zip(self.sides, reversed(payloads)):
            for (database, key), (_, payload) in zip(keys, others):
                side.call(b"SELECT", b"%d" % database)
                reply = side.call(b"RESTORE", key, b"0", payload, b"REPLACE")
                if reply != (b"+", b"OK"):
                    raise Difference(f"RESTORE to {side.server.program}", f"  {reply} {payload}")
        for side in self.sides:
            side.messages()
        for key, ours, theirs in self.differing():
            raise Difference(f"restored key {key}", values.show_difference(ours, theirs))


# Making a failure small.


class Minimizer:
    """Finds a short list of requests that makes a difference on empty servers."""

    PATIENCE_S = 60

    def __init__(self, pair, steps, difference, exchanges):
        self.pair = pair
        self.exchanges = exchanges
        self.difference = difference
        self.requests = [
            (i, connection, request)
            for i, (connection, requests) in enumerate(steps) for request in requests
        ]
        self.deadline = time.monotonic() + self.PATIENCE_S

    def fails(self, requests):
        """Replays requests; neighbours of one step are sent together."""
        self.pair.reset()
        steps = []
        for i, connection, request in requests:
            if not steps or steps[-1][0] != i or steps[-1][2][-1].compare in CARED_FOR:
                steps.append((i, connection, []))
            steps[-1][2].append(request)
        try:
            for _, connection, step in steps:
                self.pair.run(connection, step)
            self.pair.check_keys()
            if self.exchanges:
                self.pair.exchange(self.pair.ours.keys())
        except Difference as difference:
            if difference.subject == self.difference.subject:
                self.difference = difference
                return True
        return False

    def shorten(self, requests):
        """Leaves parts out, ever smaller ones, while it still fails."""
        size = len(requests) // 2
        while size > 0:
            at = 0
            while at < len(requests) and time.monotonic() < self.deadline:
                shorter = requests[:at] + requests[at + size :]
                if shorter and self.fails(shorter):
                    requests = shorter
                else:
                    at += size
            size //= 2
        return requests

    def run(self):
        """Prints what it has found."""
        for count in (10, 100, 1000, len(self.requests)):
            last = self.requests[-count:]
            if self.fails(last):
                last = self.shorten(last)
                print("These requests make it, by their connections:")
                for _, connection, request in last:
                    print(f"  {connection}: {show(request.args)}")
                print(self.difference.results, flush=True)
                return
        print("It could not be made again with this seed's requests.", flush=True)


# The test.


class Test:
    def __init__(self, pair, options):
        self.pair = pair
        self.options = options
        self.commands = grammar.available(pair.commands())
        names = {command.words[0] for command in self.commands}
        self.exchanges = {"DUMP", "RESTORE"} <= names
        if {"PUBLISH", "SPUBLISH"} <= names:
            pair.listen()
        self.passed = 0
        self.failed = 0
        self.count = 0

    def run_seed(self, number):
        """Runs one seed up to its end, or to the first difference."""
        generator = Generator(number, self.commands)
        steps, done, unit = [], 0, 0

        self.pair.reset()
        try:
            while done < self.options.commands:
                steps.append(generator.step())
                self.pair.run(*steps[-1])
                done += len(steps[-1][1])
                if done // UNIT > unit:
                    self.pair.check_keys()
                    if self.exchanges:
                        self.pair.exchange(self.pair.ours.keys()[unit % PARTS :: PARTS])
                    self.passed += done // UNIT - unit
                    unit = done // UNIT
        except ConnectionError:
            print(f"\nSEED={number}, step {len(steps)}: a server has gone while it answered these:")
            for request in steps[-1][1]:
                print(f"  {steps[-1][0]}: {show(request.args)}")
            raise
        except Difference as difference:
            self.failed += 1
            print(f"\nSEED={number}, step {len(steps)}: {difference}", flush=True)
            Minimizer(self.pair, steps, difference, self.exchanges).run()
        self.count += done

    def run(self, first):
        began = time.monotonic()
        deadline = began + self.options.seconds
        number = first
        while number < first + self.options.seeds and time.monotonic() < deadline:
            self.run_seed(number)
            number += 1
            if self.failed == FAILURES:
                break
        took_s = time.monotonic() - began
        print(f"{self.count} requests, seeds {first} to {number - 1}, {took_s:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return self.failed == 0 and self.passed > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="the first seed (default: $SEED, or a random one)")
    parser.add_argument("--seeds", type=int, default=10**9, help="how many seeds at most")
    parser.add_argument("--commands", type=int, default=COMMANDS, help="requests of each seed")
    parser.add_argument("--seconds", type=float, default=SECONDS,
                        help="begin no other seed after these")
    options = parser.parse_args()
    first = seed() if options.seed is None else options.seed

    with Server() as ours, Server("redis-server") as theirs:
        ok = Test(Pair(ours, theirs), options).run(first)
    sys.exit(not ok)


if __name__ == "__main__":
    main()
