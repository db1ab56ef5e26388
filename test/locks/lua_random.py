#!/usr/bin/python3
"""Random requests for locks, to the scripts on our server and on redis-server, and to a model of
what they are to do (lua_oracle.py): each answer is to be the model's, and so is what is held then.

No lease passes by itself here. That it does is written into the keys, so that a run is the same
each time, however slow the machine is."""

import pathlib
import random
import shutil
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parents[2] / "tools"), str(HERE.parent)]
import locktexts
import lua_oracle
import scripts
from place import fields_of, told
from server import SOAK, Check, Error, Server, info, seed, wait_until

LUA = HERE.parents[2] / "lua"
TTL_MS = 3_600_000
STEPS = 400 * SOAK

# Where the server can have clients wait, it is made to look like one that cannot: its queues are
# then in keys, as on Redis.
CANNOT_WAIT = """
local redis = {call = redis.call, pcall = redis.pcall, error_reply = redis.error_reply}
"""


def text_of(kind, blocks):
    """Returns the script, with waiters whose leases last."""
    text = locktexts.script(LUA, kind)
    assert text.count("local CHECK_MS = 500") == 1
    text = text.replace("local CHECK_MS = 500", f"local CHECK_MS = {TTL_MS}")
    return text if blocks else CANNOT_WAIT + text


class Keys:
    """The keys of a lock at a server, and what time does to them."""

    def __init__(self, client, kind, blocks, by_function=False):
        self.client = client
        self.kind = kind
        self.keys = scripts.keys_of(kind, ["x"])
        self.queue = next((key for key in self.keys if key.endswith(":queue")), None)
        if by_function:
            self.how = ["FCALL", f"lock_{kind}"]
        else:
            self.how = ["EVALSHA", client.call("SCRIPT", "LOAD", text_of(kind, blocks))]

    def request(self, *args):
        return [*self.how, len(self.keys), *self.keys, *args]

    def ask(self, *args):
        return told(self.client.call(*self.request(*args)))

    def edit_record(self, **words):
        record = self.client.call("GET", self.keys[0])
        if record is not None:
            names = "kind token owner rid count ttl deadline since delay".split()
            record = dict(zip(names, record.decode().split()), **words)
            self.client.call("SET", self.keys[0], " ".join(map(str, record.values())), "KEEPTTL")

    def expire(self, owner):
        record = self.client.call("GET", self.keys[0]) or b"- - -"
        # As if it were just over: a lock-delay begins then.
        seconds, us = self.client.call("TIME")
        then = int(seconds) * 1_000_000 + int(us) - 1
        if record.split()[2] == owner.encode() and record.split()[4] != b"0":
            self.edit_record(deadline=then)
        if self.kind in ("rw", "semaphore"):
            for place in self.client.call("ZRANGE", self.keys[1], 0, -1):
                if place.split()[0] == owner.encode():
                    self.client.call("ZADD", self.keys[1], then, place)
            self.edit_record()  # Whoever waits looks again.

    def let_waiter_die(self, owner, rid):
        name = f"{owner} {rid}"
        ticket = self.client.call("HGET", self.queue, name).decode()
        self.client.call("HSET", self.queue, f"#{ticket}", f"{name} 1")

    def holders(self):
        """Returns who holds it, how often, and by which token."""
        fields = fields_of(self.ask("status"))
        held = {}
        for holder in map(fields_of, fields.get("holders", [])):
            held[holder["owner"]] = tuple(int(holder[f]) for f in ("count", "token", "permits"))
        if fields.get("owner"):
            held[fields["owner"]] = int(fields["count"]), int(fields["token"]), 1
        return held


def essence_of(reply):
    """Returns what a model can tell of an answer: no times, no tickets."""
    if isinstance(reply, Error):
        return (reply,)
    status, *rest = reply
    rest = [int(part) if part.isdigit() else part for part in rest]
    if status == "OK" and len(rest) == 4:
        rest = [rest[0], rest[3] or None]  # A grant; the lease that was over.
    elif status == "OK" and len(rest) == 3:
        rest = rest[:1]
    elif status == "BUSY":
        rest = [rest[0], rest[2]]
    elif status in ("WAIT", "DELAY"):
        rest = []
    return status, *rest


class Run:
    """Random requests for one lock."""

    OWNERS = "abcd"

    def __init__(self, check, rng, server, admin, what, blocks, by_function=False):
        self.check = check
        self.rng = rng
        self.server = server
        self.admin = admin
        self.what = what
        self.kind = what.split()[-1]
        self.capacity = rng.choice([1, 2, 5]) if self.kind == "semaphore" else 1
        self.model = lua_oracle.Lock(self.kind, self.capacity, blocks)
        self.keys = Keys(admin, self.kind, blocks, by_function)
        self.waiting = {}  # Connections, by the names of requests.
        self.dead = set()  # Requests that waited in a queue, and ask no more.
        self.rids = dict.fromkeys(self.OWNERS, 0)
        self.tokens = {owner: [1] for owner in self.OWNERS}
        self.done = []

    def run(self):
        self.admin.call("FLUSHALL")
        for _ in range(STEPS):
            step = self.rng.choices(*zip(*self.STEPS))[0]
            if not (step(self) and self.settle() and self.agree()):
                print("before that:", *self.done[-25:], sep="\n    ")
                break
        for client in self.waiting.values():
            client.close()
        wait_until(lambda: info(self.admin, "blocked_clients") == 0)

    # Requests.

    def owner(self):
        return self.rng.choice(self.OWNERS)

    def idle_owner(self):
        """An owner that does not wait inside of the server."""
        waiting = {owner for owner, _ in self.waiting}
        return self.rng.choice([o for o in self.OWNERS if o not in waiting] or [None])

    def rid_of(self, owner):
        """A new one, or one that was used before."""
        if self.rng.random() < 0.6:
            self.rids[owner] += 1
        return max(1, self.rids[owner] - self.rng.choice([0, 0, 0, 0, 0, 1, 2]))

    def token_of(self, owner):
        """One that it has had, or somebody else."""
        other = self.rng.random() < 0.05
        tokens = self.tokens[self.owner() if other else owner]
        return tokens[-1] if self.rng.random() < 0.8 else self.rng.choice(tokens)

    def acquire(self):
        owner = self.idle_owner()
        if owner is None:
            return True
        can_wait = self.model.blocks or self.kind != "mutex"
        request = lua_oracle.Request(
            owner, self.rid_of(owner), most=self.rng.choice([1, 2, 3]),
            waits=can_wait and self.rng.random() < 0.6, delays=self.rng.random() < 0.2,
            mode=self.rng.choice(["read", "write"]) if self.kind == "rw" else "",
            places=self.rng.randint(1, self.capacity),
            max_waiters=self.rng.choice([0, 0, 0, 1, 3]) if self.kind != "mutex" else 0)
        if request.name in self.dead:
            return True  # Whether it would have its old place depends on who has looked since.
        expected = self.model.acquire(request)
        if expected[0] == "WAIT" and self.model.blocks:
            return self.begin_to_wait(request)
        return self.is_answer(self.keys.ask(*self.arguments(request)), expected, owner, vars(request))

    def ask_once_more(self):
        """One that waits in the queue asks again."""
        if self.model.blocks or not self.model.queue:
            return True
        request = self.rng.choice([self.model.queue[0], self.rng.choice(self.model.queue)])
        expected = self.model.acquire(request)
        return self.is_answer(self.keys.ask(*self.arguments(request)), expected, request.owner,
                              vars(request))

    def arguments(self, request):
        more = {"mutex": [], "fair": [request.max_waiters], "election": [request.max_waiters, "v"],
                "rw": [request.mode, request.max_waiters],
                "semaphore": [request.places, self.capacity, request.max_waiters]}[self.kind]
        return ["acquire", request.owner, request.rid, TTL_MS, -1 if request.waits else 0,
                TTL_MS if request.delays else 0, request.most, *more]

    def release(self):
        owner = self.owner()
        token = self.token_of(owner)
        return self.is_answer(self.keys.ask("release", owner, token),
                              self.model.release(owner, token), owner, ("release", owner, token))

    def renew(self):
        owner = self.owner()
        token = self.token_of(owner)
        return self.is_answer(self.keys.ask("renew", owner, token, TTL_MS),
                              self.model.renew(owner, token), owner, ("renew", owner, token))

    def cancel(self):
        owner = self.owner()
        rid = self.rid_of(owner)
        return self.is_answer(self.keys.ask("cancel", owner, rid), self.model.cancel(owner, rid),
                              owner, ("cancel", owner, rid))

    def change_mode(self):
        owner = self.idle_owner()
        if self.kind != "rw" or owner is None:
            return True
        token = self.token_of(owner)
        if self.rng.random() < 0.5:
            rid = self.rid_of(owner)
            expected = self.model.upgrade(owner, rid, token)
            reply = self.keys.ask("upgrade", owner, rid, token, TTL_MS)
            return self.is_answer(reply, expected, owner, ("upgrade", owner, rid, token))
        return self.is_answer(self.keys.ask("downgrade", owner, token),
                              self.model.downgrade(owner, token), owner, ("downgrade", owner, token))

    # What else happens.

    def expire(self):
        holders = sorted(self.model.holders())
        if holders:
            owner = self.rng.choice(holders)
            self.note("expire", owner)
            self.model.expire(owner)
            self.keys.expire(owner)
        return True

    def pass_delay(self):
        self.note("the lock-delay passes")
        self.model.pass_delay()
        if not self.model.is_held():
            self.keys.edit_record(delay=0)
        return True

    def go(self):
        """One that waits dies."""
        if not self.model.queue:
            return True
        owner, rid = self.rng.choice(self.model.queue).name
        self.note("a waiter dies", owner, rid)
        self.model.leave((owner, rid))
        if not self.model.blocks:
            self.dead.add((owner, rid))
            self.keys.let_waiter_die(owner, rid)
            return True
        before = info(self.admin, "blocked_clients")
        self.waiting.pop((owner, rid)).close()
        return self.check.true(wait_until(lambda: info(self.admin, "blocked_clients") < before),
                               f"{self.what}: it goes")

    def lose_keys(self):
        """The keys go, as by an eviction, while nobody needs them: tokens rise all the same."""
        if not self.model.holders() and not self.model.queue:
            self.note("the keys are lost")
            self.model.forget()
            self.admin.call("FLUSHALL")
        return True

    STEPS = [(acquire, 40), (ask_once_more, 20), (release, 25), (renew, 5), (cancel, 8),
             (change_mode, 10), (expire, 5), (pass_delay, 4), (go, 4), (lose_keys, 4)]

    # Those who wait inside of the server.

    def begin_to_wait(self, request):
        self.note("waits", vars(request))
        before = info(self.admin, "blocked_clients")
        client = self.waiting[request.name] = self.server.connect()
        client.send(*self.keys.request(*self.arguments(request)))
        return self.check.true(
            wait_until(lambda: info(self.admin, "blocked_clients") > before), f"{self.what}: it waits")

    def settle(self):
        """Reads the answers of those who can go on now."""
        while (went_on := self.model.settle()) is not None:
            request, expected = went_on
            with self.waiting.pop(request.name) as client:
                if not self.is_answer(told(client.read()), expected, request.owner, vars(request)):
                    return False
        return True

    # Comparing.

    def note(self, *what):
        self.done.append(what)

    def is_answer(self, reply, expected, owner, request):
        """Checks an answer, and learns the token from it."""
        self.note(request, "->", reply)
        got = essence_of(reply)
        is_fine = got[0] == expected[0] and len(got) == len(expected) and all(
            self.is_part(*parts) for parts in zip(got[1:], expected[1:]))
        if is_fine and lua_oracle.NEW in expected:
            self.model.learn(got[1])
        if is_fine and got[0] == "OK" and len(got) == 3:
            self.tokens[owner].append(got[1])
        return self.check.true(is_fine, f"{self.what}: {request}\n    expected: {expected}\n"
                                        f"    got:      {reply}")

    def is_part(self, got, expected):
        if expected == lua_oracle.NEW:
            return got > self.model.token
        return got in expected if isinstance(expected, set) else got == expected

    def agree(self):
        return self.check.equal(self.keys.holders(), self.model.holders(), f"{self.what}: who has it")


KINDS = ("mutex", "fair", "rw", "semaphore", "election")


def check_redis(check, rng):
    with Server("redis-server") as server, server.connect() as admin:
        for kind in KINDS:
            Run(check, rng, server, admin, f"redis-server: {kind}", blocks=False).run()


def check_ours(check, rng):
    with Server(script_strict_keys="yes") as server, server.connect() as admin:
        for kind in KINDS:
            for blocks, by_function in ((False, False), (True, False), (True, True)):
                what = "a function" if by_function else "waiting inside" if blocks else "as on Redis"
                Run(check, rng, server, admin, f"{what}: {kind}", blocks, by_function).run()


def main():
    check = Check()
    rng = random.Random(seed())
    check_ours(check, rng)
    if shutil.which("redis-server") is None:
        check.skip("redis-server", "it is not installed")
    else:
        check_redis(check, rng)
    check.finish()


if __name__ == "__main__":
    main()
