"""Were locks what they promise to be? Checks a history (record.py) against these rules, all of
them in O(n log n): tokens give the order of the grants, so nothing has to be searched for.

    A1  One token has one owner.
    A2  A grant that returned before another was called has the lower token.
    A3  What clients claim to hold does not overlap.
    A4  The grants, in the order of their tokens, can be given moments between call and return such
        that each comes after the end of the one before. BUSY names somebody who may have held it.
    A5  Who was seen to wait comes before who called later: first in, first out.
    A6  A guarded resource accepts no token after a higher one, and loses no update.
    A7  Who waits gets the lock in the end, whoever has died.
    A8  A token that was lost or released is never good again.
    A9  One (owner, rid) has one token, however often it is asked for.
    A10 Writers exclude all, permits do not exceed the capacity, a multi-lock has all names or none.

(A11, that no key is left, is asked of the server; A12 is about the program `moonlatch`.)
"""

import bisect
import collections

from record import MS, NEVER, S

# How much shorter a lease may be by the server's clock than by ours: log time is slewed.
DRIFT = 0.01

# Beyond the lease: elections, restarts, and that the machine is slow. Nothing is timed by it.
PATIENCE_NS = 30 * S

# A waiter that asks again and again has a lease in the queue of a second at least.
QUEUE_LEASE_NS = 0.9 * S

IN_ORDER = ("fair", "election")
PLAIN = ("mutex", "fair", "election", "multi")

Violation = collections.namedtuple("Violation", "rule lock what")


class Hold:
    """From a grant to its end, which is not known, only bounded. Several grants are one hold if
    its owner has got it again, under the same token."""

    __slots__ = ("token", "owner", "grants", "calls", "called", "at")

    def __init__(self, token, owner):
        self.token = token
        self.owner = owner
        self.grants = []  # First the one that has begun it: of the lowest rid.
        self.calls = []  # Its releases and renewals.
        self.called = 0  # When the grant was first asked for.
        self.at = 0

    @property
    def first(self):
        return self.grants[0]

    @property
    def returned(self):
        return min(grant.returned for grant in self.grants)

    def is_released_before(self, moment):
        return any(c.returned < moment and ends(c) for c in self.calls)

    def earliest_end(self):
        """Returns when it can have ended at the earliest so that another may have it, if it was
        granted at `at`: by a release, or with the lease that was last confirmed."""
        released = min((c.invoked for c in self.calls if may_end(c)), default=NEVER)
        begun = [self.at] + [c.invoked for c in self.grants if c.rid != self.first.rid]
        begun += [c.invoked for c in self.calls if c.op == "renew" and c.status == "OK"]
        lease_ns = (self.first.ttl + self.first.delay) * MS * (1 - DRIFT)
        return max(self.at, min(released, max(begun) + lease_ns))


def ends(call):
    """Returns whether a call has certainly ended the hold that it is about."""
    if call.op == "release":
        return call.status == "OK" and int(call.reply[1]) == 0
    return call.op == "cancel" and call.status == "OK"


def may_end(call):
    return call.op in ("release", "cancel") and (call.reply is None or ends(call))


def holds_of(calls):
    """Returns the holds that the calls of one lock tell of, in the order of their tokens."""
    holds, by_request = {}, {}
    for call in sorted((c for c in calls if c.is_granted), key=lambda c: (c.rid, c.returned)):
        key = (call.granted, call.owner)
        holds.setdefault(key, Hold(*key)).grants.append(call)
        by_request[call.owner, call.rid] = holds[key]
    for call in calls:
        hold = holds.get((call.token, call.owner))
        if call.op == "cancel":
            hold = by_request.get((call.owner, call.rid))
        if hold is not None and not call.asks:
            hold.calls.append(call)
    return sorted(holds.values(), key=lambda h: (h.token, h.returned))


def requests_of(calls):
    """Returns the attempts of each request, first to last, by its owner and rid."""
    requests = collections.defaultdict(list)
    for call in sorted(calls, key=lambda c: c.invoked):
        if call.asks:
            requests[call.owner, call.rid].append(call)
    return requests


class Checker:
    """Checks a history when it is made. `violations` are what it has found."""

    def __init__(self, history, patience_ns=PATIENCE_NS):
        self.history = history
        self.patience_ns = patience_ns
        self.violations = []
        self.grants = 0
        self.in_turn = 0  # Waiters of whom it is known that they came before somebody.
        self.lost_updates = collections.Counter()
        self.claims = collections.defaultdict(list)
        for claim in history.claims:
            self.claims[claim.lock].append(claim)
        locks = history.locks()
        holds = {name: self.lock(name, calls) for name, calls in locks.items()}
        self.resources()
        self.sights(holds)

    def add(self, rule, lock, what, *witnesses):
        self.violations.append(Violation(rule, lock, "\n    ".join([what, *map(repr, witnesses)])))

    def lock(self, name, calls):
        requests = requests_of(calls)
        holds = holds_of(calls)
        for hold in holds:
            hold.called = requests[hold.owner, hold.first.rid][0].invoked
        self.grants += sum(hold.first.names[0] == name for hold in holds)
        self.one_owner(name, holds)
        self.one_token(name, requests, holds)
        self.order(name, holds)
        self.exclusion(name, holds, {call.lock for call in calls})
        self.placement(name, [h for h in holds if h.first.is_exclusive])
        self.busy(name, calls, holds, requests)
        self.turns(name, calls, requests)
        self.liveness(name, calls, holds)
        self.dead_tokens(name, holds)
        return holds

    # A1, A9, A2: tokens.

    def one_owner(self, name, holds):
        """Readers have the token of the last writer."""
        owners = {}
        for hold in (h for h in holds if h.first.mode != "read"):
            known = owners.setdefault(hold.token, hold)
            if known.owner != hold.owner:
                self.add("A1", name, "one token has two owners", known.first, hold.first)

    def one_token(self, name, requests, holds):
        """A record remembers its last holder, so that a copy of a request which comes when another
        has had the lock meanwhile is granted to nobody, until its lease is over."""
        tokens = sorted({hold.token for hold in holds})
        for calls in requests.values():
            granted = sorted((c for c in calls if c.is_granted), key=lambda c: c.granted)
            for call, again in zip(granted, granted[1:]):
                between = bisect.bisect_left(tokens, again.granted) - bisect.bisect(
                    tokens, call.granted)
                if again.granted != call.granted and between == 0:
                    self.add("A9", name, "one request has two tokens", call, again)

    def order(self, name, holds):
        """Of the grants that had returned before one was called only the highest matters."""
        returned = sorted(holds, key=lambda h: h.returned)
        highest, i = None, 0
        for hold in sorted(holds, key=lambda h: h.called):
            while i < len(returned) and returned[i].returned < hold.called:
                if highest is None or returned[i].token > highest.token:
                    highest = returned[i]
                i += 1
            if highest is not None and not may_follow(highest, hold):
                self.add("A2", name, "a later grant has no higher token",
                         highest.first, hold.first)

    # A3, A10: claims.

    def exclusion(self, name, holds, locks):
        of_claim = {(hold.token, hold.owner): hold.first for hold in holds}
        claims = [(claim, of_claim[claim.token, claim.owner])
                  for lock in locks for claim in self.claims[lock]
                  if (claim.token, claim.owner) in of_claim]
        claims.sort(key=lambda pair: pair[0].begin)
        if claims and claims[0][1].kind == "semaphore":
            self.permits(name, claims)
        else:
            self.overlaps(name, claims)

    def overlaps(self, name, claims):
        """No writer's claim begins within another's claim, and no reader's within a writer's."""
        last = last_writer = None  # Of those that end latest.
        for claim, grant in claims:
            is_writer = grant.is_exclusive and not claim.shared
            before = last if is_writer else last_writer
            if before is not None and before.end > claim.begin and (
                    (before.owner, before.token) != (claim.owner, claim.token)):
                rule = "A10" if grant.kind == "rw" else "A3"
                self.add(rule, name, "two claim to have it", before, claim)
            if last is None or claim.end > last.end:
                last = claim
            if is_writer and (last_writer is None or claim.end > last_writer.end):
                last_writer = claim

    def permits(self, name, claims):
        """Goes through all beginnings and ends. A holder that has renewed claims twice."""
        events = [(claim.begin, 1, claim, grant) for claim, grant in claims]
        events += [(claim.end, -1, claim, grant) for claim, grant in claims]
        events.sort(key=lambda e: (e[0], e[1]))
        claimed, taken = collections.Counter(), 0
        for _, change, claim, grant in events:
            had = claimed[claim.owner, claim.token] > 0
            claimed[claim.owner, claim.token] += change
            has = claimed[claim.owner, claim.token] > 0
            taken += (has - had) * grant.permits
            if has and not had and taken > grant.capacity:
                self.add("A10", name, f"{taken} of {grant.capacity} permits are claimed", claim)

    def sights(self, holds):
        """At one instant a multi-lock is seen to have all its names, or none."""
        of_token = {(name, hold.token): hold.first for name, found in holds.items()
                    for hold in found if len(hold.first.names) > 1}
        for sight in self.history.sights:
            live = sight["live"]  # Tokens of the locks that are held, by name.
            for name, token in live.items():
                grant = of_token.get((name, token))
                names = grant.names if grant is not None else ()
                if any(live.get(other) != token for other in names if other in sight["names"]):
                    self.add("A10", name, f"some names of a multi-lock are seen: {live}", grant)

    # A4.

    def placement(self, name, holds):
        """Each grant as early as may be: if that is too late for one, no other way does it."""
        before = None
        for hold in holds:
            hold.at = hold.called
            if before is not None:
                hold.at = max(hold.at, before.earliest_end())
            if hold.at > hold.returned:
                self.add("A4", name, "granted before the hold before it can have ended",
                         *before.grants, *before.calls, *hold.grants)
                hold.at = hold.returned
            before = hold

    def busy(self, name, calls, holds, requests):
        of_token = {hold.token: hold for hold in holds}
        asked = {}
        for (owner, _), attempts in requests.items():
            asked[owner] = min(attempts[0].invoked, asked.get(owner, NEVER))
        for call in calls:
            if call.status != "BUSY" or call.kind not in PLAIN or not call.reply[3]:
                continue
            if len(call.names) > 1 and call.reply[4:] != [name]:
                continue
            hold, owner = of_token.get(int(call.reply[1])), call.reply[3]
            if asked.get(owner, NEVER) > call.returned:
                self.add("A4", name, "busy by somebody who has not asked for it", call)
            elif hold is not None and (
                    hold.owner != owner or hold.is_released_before(call.invoked)):
                self.add("A4", name, "busy by somebody who does not have it", call, *hold.calls)

    # A5.

    def turns(self, name, calls, requests):
        """Whoever is known to wait gets a lower token than those who call then."""
        if calls[0].kind not in IN_ORDER:
            return
        known = self.known_waiters(calls, requests)
        highest, i = None, 0
        begun = sorted((r for r in requests.values() if granted_of(r)),
                       key=lambda r: r[0].invoked)
        for request in begun:
            while i < len(known) and known[i][0] <= request[0].invoked:
                if highest is None or known[i][1].granted > highest.granted:
                    highest = known[i][1]
                i += 1
            granted = granted_of(request)
            if highest is not None and granted.granted < highest.granted:
                self.add("A5", name, "overtaken by somebody who called later", highest, granted)
        self.in_turn += len(known)

    def known_waiters(self, calls, requests):
        """Returns (since when it is known to wait, its grant), in the order of the former."""
        seen = {}
        for call in calls:
            for owner in call.seen:
                seen.setdefault(owner, []).append(call.invoked)
        for moments in seen.values():
            moments.sort()
        found = []
        for (owner, _), request in requests.items():
            granted = granted_of(request)
            if granted is not None and not self.is_disturbed(request, granted):
                since = waits_since(request, seen.get(owner, ()))
                if since < granted.returned:
                    found.append((since, granted))
        return sorted(found, key=lambda pair: pair[0])

    def is_disturbed(self, request, granted):
        """Returns whether a waiter may have lost its place, which is not its fault."""
        polls = [c.invoked for c in request] + [granted.returned]
        if len(request) > 1 and max(b - a for a, b in zip(polls, polls[1:])) > QUEUE_LEASE_NS:
            return True
        begin, end = request[0].invoked, granted.returned
        return any(f.begin < end and f.end > begin and f.target in (granted.player, "all")
                   for f in self.history.faults)

    # A6.

    def resources(self):
        resources = collections.defaultdict(list)
        for use in self.history.uses:
            resources[use["resource"]].append(use)
        for name, uses in resources.items():
            accepted = [u for u in uses if u["accepted"]]
            values = [u["value"] for u in accepted if u["op"] == "write"]
            self.lost_updates[name] = len(values) - max(values, default=0)
            if uses[0]["guarded"]:
                self.guarded(name, accepted)

    def guarded(self, name, accepted):
        written = {}
        for before, use in zip(accepted, accepted[1:]):
            if use["token"] < before["token"]:
                self.add("A6", name, "a token is accepted after a higher one", before, use)
        for use in accepted:
            if use["op"] == "write":
                known = written.setdefault(use["value"], use)
                if known is not use:
                    self.add("A6", name, "two updates have the same beginning", known, use)
        if self.lost_updates[name] != 0:
            self.add("A6", name, f"{self.lost_updates[name]} updates are missing at the end")

    # A7.

    def liveness(self, name, calls, holds):
        """Looks for times without grants that are too long, and then for those who waited."""
        returned = sorted(hold.returned for hold in holds)
        moments = [min(c.invoked for c in calls), *returned, self.history.end]
        for begin, end in zip(moments, moments[1:]):
            if end - begin < self.patience_ns:
                continue
            for call in calls:
                waited_ns = min(call.ended, end) - max(call.invoked, begin)
                lease_ns = (call.ttl + call.delay) * MS * (1 + DRIFT)
                if call.op == "acquire" and waited_ns > lease_ns + self.patience_ns:
                    self.add("A7", name, f"nobody got it for {waited_ns / S:.0f} s", call)

    # A8.

    def dead_tokens(self, name, holds):
        for hold in holds:
            lost = min((c.returned for c in hold.calls if c.status == "LOST"), default=NEVER)
            ended = min((c.returned for c in hold.calls if ends(c)), default=NEVER)
            releases = [c.invoked for c in hold.calls if may_end(c)]
            for call in hold.grants + hold.calls:
                if call.status != "OK" or call.op == "cancel" or call.invoked <= min(lost, ended):
                    continue
                # A release that is asked for again is answered as it was.
                is_again = ends(call) and min(releases) < min(call.invoked, lost)
                if not is_again:
                    self.add("A8", name, "a dead token is good again",
                             *(c for c in hold.calls if c.returned <= call.invoked), call)


def may_follow(before, hold):
    """Returns whether the tokens of two grants, one after the other, are as they should be."""
    is_reader = hold.first.mode == "read"
    return before.token < hold.token or (is_reader and before.token == hold.token)


def granted_of(request):
    """Returns the first attempt of a request that was granted, or None."""
    return min((c for c in request if c.is_granted), key=lambda c: c.returned, default=None)


def waits_since(request, seen):
    """Returns since when a request is known to wait: it was told so, or somebody has seen it."""
    told = min((c.returned for c in request if c.status == "WAIT"), default=NEVER)
    i = bisect.bisect(seen, request[0].invoked)
    return min(told, seen[i] if i < len(seen) else NEVER)
