"""A mutex and a semaphore in a few lines, and random requests to them and to the scripts.

What has passed by when depends on the time at which a script has run, which is between two
TIMEs; what it says has to be right for one of both, and what may be so is kept in mind."""

import copy
import itertools
import pickle
import random
import time

from place import Lock
from server import SOAK, seed

OWNERS = ("a", "b", "c")


class Hold:
    def __init__(self, owner, rid, token, ttl, now, delay=0, permits=None):
        self.owner, self.rid, self.token, self.ttl, self.delay = owner, rid, token, ttl, delay
        self.permits = permits or 1
        self.is_share = permits is not None
        self.count = 1
        self.undone = False
        self.until = now + ttl * 1000

    def is_stale(self, rid):
        return rid < self.rid or (rid == self.rid and self.undone)

    def enter(self, rid, ttl, most, now):
        """Another request of the one who holds it."""
        if self.is_stale(rid):
            return ["STALE"]
        if rid > self.rid:
            if self.count >= most:
                return ["LIMIT", str(self.count)]
            self.rid, self.undone = rid, False
            self.count += 1
        self.ttl = max(self.ttl, ttl)
        self.until = max(self.until, now + (self.ttl if self.is_share else ttl) * 1000)
        return ["OK", str(self.token), str(ttl), str(now), ""]

    def undo(self, rid):
        """Returns whether it is given up altogether."""
        if self.is_stale(rid):
            return False
        if rid == self.rid:
            self.count -= 1
        self.rid, self.undone = rid, True
        return self.count == 0


class Model:
    """Holds, and of each owner what it has had last: a rid, and the token if it has released."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.holds = {}
        self.past = {}
        self.token = 0

    def taken(self):
        return sum(hold.permits for hold in self.holds.values())

    def drop(self, hold, released):
        del self.holds[hold.owner]
        self.past[hold.owner] = (hold.rid, hold.token if released else 0)

    def pass_time(self, now):
        for hold in [hold for hold in self.holds.values() if hold.until <= now]:
            self.drop(hold, False)

    def release(self, owner, token, now):
        hold = self.holds.get(owner)
        if not hold or hold.token != token:
            return ["OK", "0"] if self.past.get(owner, (0, 0))[1] == token else ["LOST"]
        hold.count -= 1
        if hold.count == 0:
            self.drop(hold, True)
        return ["OK", str(hold.count)]

    def renew(self, owner, token, ttl, now):
        hold = self.holds.get(owner)
        if not hold or hold.token != token:
            return ["LOST"]
        hold.ttl, hold.until = ttl, now + ttl * 1000
        return ["OK", str(token), str(ttl), str(now)]

    def cancel(self, owner, rid, now):
        hold = self.holds.get(owner)
        if hold and hold.undo(rid):
            self.drop(hold, True)
        elif not hold:
            self.cancel_past(owner, rid)
        return ["OK"]

    def grant(self, hold, now, over=""):
        self.token = hold.token
        self.holds[hold.owner] = hold
        return ["OK", str(hold.token), str(hold.ttl), str(now), over]


class Semaphore(Model):
    def acquire(self, owner, rid, ttl, delay, most, permits, now):
        if owner in self.holds:
            return self.holds[owner].enter(rid, ttl, most, now)
        if rid <= self.past.get(owner, (0, 0))[0]:
            return ["STALE"]
        if self.taken() + permits > self.capacity:
            return ["BUSY", str(self.token)]
        token = max(self.token + 1, now)
        return self.grant(Hold(owner, rid, token, ttl, now, 0, permits), now)

    def cancel_past(self, owner, rid):
        pass


class Mutex(Model):
    """It knows of the last holder only, and of that one if it has expired."""

    def __init__(self):
        super().__init__(1)
        self.expired = None

    def drop(self, hold, released):
        super().drop(hold, released)
        self.past = {hold.owner: self.past[hold.owner]}
        self.expired = None if released else hold

    def acquire(self, owner, rid, ttl, delay, most, permits, now):
        if owner in self.holds:
            return self.holds[owner].enter(rid, ttl, most, now)
        if rid <= self.past.get(owner, (0, 0))[0]:
            return ["STALE"]
        if self.holds:
            return ["BUSY", str(self.token)]
        if self.expired and self.expired.until + self.expired.delay * 1000 > now:
            return ["DELAY"]
        over = str(self.expired.token) if self.expired else ""
        self.expired, self.past = None, {}
        return self.grant(Hold(owner, rid, max(self.token + 1, now), ttl, now, delay), now, over)

    def cancel_past(self, owner, rid):
        if owner in self.past and rid > self.past[owner][0]:
            self.past[owner] = (rid, self.past[owner][1])


def seen(reply):
    """Returns what of a reply does not depend on when exactly it was made."""
    return {"BUSY": reply[:2], "DELAY": reply[:1]}.get(reply[0], reply)


class Game:
    """Random requests of a few owners to one lock."""

    def __init__(self, place, rng, kind):
        self.lock = Lock(place, kind)
        self.rng = rng
        self.is_mutex = kind == "mutex"
        self.models = [Mutex() if self.is_mutex else Semaphore(3)]
        self.rids = dict.fromkeys(OWNERS, 0)
        self.tokens = dict.fromkeys(OWNERS, 1)

    def next_request(self):
        owner = self.rng.choice(OWNERS)
        token = self.tokens[self.rng.choice(OWNERS) if self.rng.random() < 0.1 else owner]
        ttl = self.rng.choice((2, 5, 10, 60_000))
        what = self.rng.choices(("acquire", "release", "renew", "cancel"), (6, 3, 2, 1))[0]
        if what == "release":
            return what, (owner, token)
        if what == "renew":
            return what, (owner, token, ttl)
        if self.rng.random() < 0.7:
            self.rids[owner] += 1
        rid = max(1, self.rids[owner] - (self.rng.random() < 0.1))
        if what == "cancel":
            return what, (owner, rid)
        return what, (owner, rid, ttl, self.rng.choice((0, 0, 5)), self.rng.choice((1, 3)),
                      self.rng.choice((1, 1, 2, 3)))

    def send(self, what, args):
        if what == "acquire":
            owner, rid, ttl, delay, most, permits = args
            more = [] if self.is_mutex else [permits, 3, 0]
            return self.lock.acquire(owner, rid, ttl=ttl, delay=delay, most=most, more=more)
        return self.lock.ask(what, *args)

    def step(self):
        """Returns None, or what was wrong."""
        what, args = self.next_request()
        before = self.lock.place.now_us()
        reply = self.send(what, args)
        after = self.lock.place.now_us()
        if reply[0] == "OK" and what == "acquire":
            self.tokens[args[0]] = int(reply[1])
        times = [int(reply[3])] if len(reply) > 3 and reply[0] == "OK" else [before, after]
        expected, possible = [], {}
        for now, model in itertools.product(times, self.models):
            model = copy.deepcopy(model)
            model.pass_time(now)
            expected.append(getattr(model, what)(*args, now))
            if seen(reply) == expected[-1]:
                possible[pickle.dumps(model)] = model
        self.models = list(possible.values())
        return None if possible else f"{what} {args}: {reply}, not {expected}"


def run(place, check):
    rng = random.Random(seed())
    for kind in ("mutex", "semaphore"):
        place.call("FLUSHALL")
        game = Game(place, rng, kind)
        for _ in range(1000 * SOAK):
            problem = game.step()
            if not check.true(problem is None, f"{place.what}: {kind}: {problem}"):
                break
            if rng.random() < 0.1:
                time.sleep(rng.random() * 0.006)
