"""Where the lock scripts run, and how: by function or by text, on our server or another."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parents[2] / "tools"), str(HERE.parent)]
import locktexts
import scripts
from server import Error, info, wait_until

LUA = HERE.parents[2] / "lua"
LONG = 60_000  # A lease that does not pass within a test.

# What follows the numbers of an acquire.
MORE = {"mutex": [], "fair": [0], "rw": ["write", 0], "semaphore": [1, 1, 0],
        "election": [0, "value"], "multi": []}


def told(reply):
    """Returns a reply with texts for bulks."""
    if isinstance(reply, list):
        return [told(one) for one in reply]
    return reply.decode() if type(reply) is bytes else reply


def fields_of(flat):
    return dict(zip(flat[::2], flat[1::2]))


class Place:
    """A server, and one way to run the scripts on it."""

    def __init__(self, what, check, server, admin, by_function=False):
        self.what = what
        self.check = check
        self.server = server
        self.admin = admin
        self.by_function = by_function
        self.can_wait = what != "redis"
        self.shas = {} if by_function else {
            name: admin.call("SCRIPT", "LOAD", locktexts.script(LUA, name))
            for name in locktexts.SCRIPTS}

    def request(self, script, keys, *args):
        how = ["FCALL", f"lock_{script}"] if self.by_function else ["EVALSHA", self.shas[script]]
        return [*how, len(keys), *keys, *args]

    def ask(self, script, keys, *args):
        return told(self.admin.call(*self.request(script, keys, *args)))

    def call(self, *args):
        return told(self.admin.call(*args))

    def now_us(self):
        seconds, us = self.admin.call("TIME")
        return int(seconds) * 1_000_000 + int(us)

    def later(self, seconds):
        """Has all leases end so much earlier, as if that time had passed."""
        earlier = -1_000_000 * seconds
        for key in self.call("KEYS", "lock:*"):
            kind = self.admin.call("TYPE", key)
            if kind == b"string":
                words = self.call("GET", key).split(" ")
                if len(words) == 9:
                    words[6] = str(max(0, int(words[6]) + earlier))
                    self.call("SET", key, " ".join(words), "KEEPTTL")
            elif kind == b"zset":
                for member in self.call("ZRANGE", key, 0, -1):
                    self.call("ZINCRBY", key, earlier, member)
            elif kind == b"hash" and key.endswith(":queue"):
                self.queue_later(key, earlier)

    def queue_later(self, key, earlier):
        for field, value in fields_of(self.call("HGETALL", key)).items():
            if field.startswith("#"):
                owner, rid, until = value.split(" ")
                self.call("HSET", key, field, f"{owner} {rid} {int(until) + earlier}")

    def dump(self):
        """Returns all that is stored."""
        return {key: self.admin.call("DUMP", key) for key in self.admin.call("KEYS", "*")}

    def blocked(self):
        return info(self.admin, "blocked_clients")


class Lock:
    """A lock at a place. `kind` may be "rw read": then it is readers who ask."""

    def __init__(self, place, kind, *names, more=None):
        self.place = place
        self.kind, _, mode = kind.partition(" ")
        self.more = more or ([mode, 0] if mode else MORE[self.kind])
        names = names or (("{t}a", "{t}b") if kind == "multi" else ("a",))
        self.keys = scripts.keys_of(self.kind, names)
        self.what = kind

    def ask(self, *args):
        return self.place.ask(self.kind, self.keys, *args)

    def acquire_args(self, owner, rid=1, ttl=LONG, wait=0, delay=0, most=9, more=None):
        return ["acquire", owner, rid, ttl, wait, delay, most, *(self.more if more is None else more)]

    def acquire(self, owner, rid=1, **how):
        return self.ask(*self.acquire_args(owner, rid, **how))

    def take(self, owner, rid=1, **how):
        """Acquires what must be free, and returns the token."""
        reply = self.acquire(owner, rid, **how)
        if not isinstance(reply, list) or reply[0] != "OK":
            raise AssertionError(f"{self.what}: {owner} gets {reply}")
        return int(reply[1])

    def release(self, owner, token):
        return self.ask("release", owner, token)

    def renew(self, owner, token, ttl=LONG):
        return self.ask("renew", owner, token, ttl)

    def cancel(self, owner, rid):
        return self.ask("cancel", owner, rid)

    def status(self):
        reply = self.ask("status")
        if self.kind == "multi":
            reply = reply[3]  # Of the first one.
        return fields_of(reply)

    def holders(self):
        """Returns who holds it, and how often."""
        status = self.status()
        shared = [fields_of(holder) for holder in status.get("holders", [])]
        held = {holder["owner"]: int(holder["count"]) for holder in shared}
        if status.get("owner"):
            held[status["owner"]] = int(status["count"])
        return held


class Waiter:
    """A client whose request waits at the server."""

    def __init__(self, lock, owner, rid=1, wait=-1, **how):
        self.client = lock.place.server.connect()
        before = lock.place.blocked()
        self.client.send(*lock.place.request(
            lock.kind, lock.keys, *lock.acquire_args(owner, rid, wait=wait, **how)))
        if not wait_until(lambda: lock.place.blocked() == before + 1):
            raise AssertionError(f"{owner} does not wait: {self.client.read()}")

    def reply(self):
        reply = told(self.client.read())
        self.client.close()
        return reply

    def waits(self):
        self.client.socket.settimeout(0.02)
        try:
            self.client.read()
            return False
        except TimeoutError:
            return True
        finally:
            self.client.socket.settimeout(60)

    def close(self):
        self.client.close()


def run_case(check, where, function, *args):
    """Runs a case; a reply that has less in it than it ought to is a failure too."""
    failed = check.failed
    with check.part(where):
        try:
            function(*args)
        except LookupError as error:
            raise AssertionError(f"a reply is too short: {error}") from error
    if check.failed > failed:
        print(f"    in {where}", flush=True)


def is_error(reply, code):
    return isinstance(reply, Error) and reply.startswith(code)
