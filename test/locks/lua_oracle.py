"""What the lock scripts are to do, written once more: in Python, without leases, clocks or keys.

A lease is over when expire() says so. Tokens are those that the server has given: the model knows
which are new, not what they are. Whoever waits is in one queue; who is first in it gets what it
wants by asking again, which the server does by itself or not (`blocks`)."""

NEW = "new"  # A token that is higher than all before.


class Hold:
    """What one owner has: as the only one, or a share."""

    def __init__(self, owner, rid, token, places=1, count=1):
        self.owner = owner
        self.rid = rid
        self.is_undone = False
        self.token = token
        self.places = places
        self.count = count
        self.is_live = True
        self.is_delayed = False  # Over, and others are kept out for a while.
        self.delays = False

    def is_stale(self, rid):
        return rid < self.rid or (rid == self.rid and (self.is_undone or not self.is_live))


class Request:
    """An acquire. `mode` is read or write of a read-write lock; `places` are permits."""

    def __init__(self, owner, rid, most=1, waits=False, delays=False, mode="", places=1,
                 max_waiters=0):
        self.owner = owner
        self.rid = rid
        self.most = most
        self.waits = waits
        self.delays = delays
        self.mode = mode
        self.places = places
        self.max_waiters = max_waiters

    @property
    def name(self):
        return self.owner, self.rid


class Lock:
    """One of any kind. What is answered is told as (status, what follows it...)."""

    def __init__(self, kind, capacity=1, blocks=False):
        self.kind = kind
        self.capacity = capacity
        self.blocks = blocks
        self.token = 0  # The last one.
        self.is_known = False  # To the server, too.
        self.last = None  # The holder, or the one before.
        self.shares = {}
        self.left = {}  # Who had a share last: the request, and its token if it was given back.
        self.queue = []

    # Asking.

    def acquire(self, request):
        return self.ask(request, before=bool(self.queue)) or self.wait(request)

    def ask(self, request, before):
        """Returns the answer; or None if the request has to wait, and may. `before` says whether
        others come first."""
        answer = self.ask_again(request)
        if answer:
            return answer
        if self.queue and self.queue[0].name == request.name and not self.blocks:
            before = False
        why = self.why_not(request)
        if not why and not before:
            return self.grant(request)
        return None if request.waits else why or ("BUSY", self.token, {""})

    def ask_again(self, request):
        share = self.shares.get(request.owner)
        alone = self.last if self.is_held_by(request.owner) else None
        is_shared = self.kind == "semaphore" or request.mode == "read"
        mine, other = (share, alone) if is_shared else (alone, share)

        if other:
            return "LIMIT", other.count  # It is upgraded or downgraded only by name.
        if mine:
            return self.enter_again(mine, request)
        return ("STALE",) if self.is_late(request) else None

    def is_late(self, request):
        """Returns whether the owner has gone on since, and has nothing now."""
        left = self.left.get(request.owner)
        was_last = self.last is not None and self.last.owner == request.owner
        return (left is not None and request.rid <= left[0]
                or was_last and self.last.is_stale(request.rid))

    def is_held_by(self, owner):
        return self.last is not None and self.last.owner == owner and self.is_held()

    def is_held(self):
        return self.last is not None and self.last.is_live and self.last.count > 0

    @staticmethod
    def enter_again(hold, request):
        if hold.is_stale(request.rid):
            return ("STALE",)
        if request.rid > hold.rid:
            if hold.count >= request.most:
                return "LIMIT", hold.count
            hold.rid, hold.is_undone = request.rid, False
            hold.count += 1
        return "OK", hold.token, None

    def why_not(self, request):
        if self.kind == "semaphore":
            taken = sum(share.places for share in self.shares.values())
            is_free = taken + request.places <= self.capacity
            return None if is_free else ("BUSY", self.token, set(self.shares))
        if self.is_held():
            return "BUSY", self.token, {self.last.owner}
        if self.last and self.last.is_delayed:
            return ("DELAY",)
        if self.shares and request.mode != "read":
            return "BUSY", self.token, set(self.shares)
        return None

    def grant(self, request):
        over = None

        self.leave(request.name)
        if self.last and self.last.count > 0 and not self.last.is_live:
            over = self.last.token
        if self.kind == "semaphore":
            return self.grant_share(request, NEW, None)
        if request.mode == "read":
            # What a writer has done who let its lease pass is not known.
            token = NEW if over or not self.is_known else self.token
            if over:
                self.last.count, self.last.token = 0, NEW
            return self.grant_share(request, token, over)
        self.last = Hold(request.owner, request.rid, NEW)
        self.last.delays = request.delays
        return "OK", NEW, over

    def grant_share(self, request, token, over):
        self.shares[request.owner] = Hold(request.owner, request.rid, token, request.places)
        return "OK", token, over

    def learn(self, token):
        """A new token has been given."""
        self.token = token
        self.is_known = True
        if self.last and self.last.token == NEW:
            self.last.token = token
        for share in self.shares.values():
            if share.token == NEW:
                share.token = token

    # Waiting.

    def wait(self, request):
        is_known = any(waiter.name == request.name for waiter in self.queue)
        if request.max_waiters and len(self.queue) >= request.max_waiters and not is_known:
            return ("FULL",)
        if not is_known:
            self.queue.append(request)
        return ("WAIT",)

    def leave(self, name):
        self.queue = [waiter for waiter in self.queue if waiter.name != name]

    def settle(self):
        """Has those go on who can, one after the other, where the server does that. Returns
        the next one and its answer; None if there is none."""
        if not (self.blocks and self.queue):
            return None
        first = self.queue[0]
        answer = self.ask(first, before=False)
        if answer is None:
            return None
        self.leave(first.name)
        return first, answer

    # Giving back.

    def release(self, owner, token):
        share, left = self.shares.get(owner), self.left.get(owner)

        if share and share.token == token:
            share.count -= 1
            if share.count > 0:
                return "OK", share.count
            self.leave_share(share, token)
            return "OK", 0
        if self.kind != "semaphore" and self.is_last(owner, token):
            # What it had last may have been a share, by the same token.
            is_over = self.last.count == 0 and left and left[0] >= self.last.rid
            if not is_over:
                return self.release_last()
        return ("OK", 0) if left and left[1] == token else ("LOST",)

    def is_last(self, owner, token):
        return self.last is not None and (self.last.owner, self.last.token) == (owner, token)

    def release_last(self):
        if self.last.count == 0:
            return "OK", 0
        if not self.last.is_live:
            return ("LOST",)
        self.last.count -= 1
        if self.last.count == 0:
            self.last.is_live = False
        return "OK", self.last.count

    def leave_share(self, share, token):
        del self.shares[share.owner]
        self.left[share.owner] = share.rid, token

    def renew(self, owner, token):
        share = self.shares.get(owner)
        is_held = self.is_held_by(owner) and self.last.token == token
        is_shared = share is not None and share.token == token
        return ("OK", token) if is_held or is_shared else ("LOST",)

    def cancel(self, owner, rid):
        if not self.blocks:
            self.leave((owner, rid))
        share = self.shares.get(owner)
        if share and self.undo(share, rid):
            self.leave_share(share, share.token)
        if self.kind != "semaphore" and self.last and self.last.owner == owner:
            if self.undo(self.last, rid):
                self.last.count, self.last.is_live = 0, False
        return ("OK",)

    @staticmethod
    def undo(hold, rid):
        """Undoes a request. Returns whether nothing is left of what was held."""
        if hold.is_stale(rid):
            return False
        if hold.rid == rid and hold.count == 1:
            return True
        if hold.rid == rid:
            hold.count -= 1
        hold.rid, hold.is_undone = rid, True
        return False

    # From one mode to the other.

    def upgrade(self, owner, rid, token):
        share = self.shares.get(owner)
        if self.is_held_by(owner) and self.last.rid == rid:
            return ("STALE",) if self.last.is_undone else ("OK", self.last.token, None)
        if not share or share.token != token:
            return ("LOST",)
        if len(self.shares) > 1:
            return "DEADLOCK", set(self.shares) - {owner}
        self.leave_share(share, token)
        self.last = Hold(owner, rid, NEW, count=share.count)
        return "OK", NEW, None

    def downgrade(self, owner, token):
        share = self.shares.get(owner)
        if share and share.token == token:
            return "OK", token
        if not (self.is_held_by(owner) and self.last.token == token):
            return ("LOST",)
        share = Hold(owner, self.last.rid, token, count=self.last.count)
        share.is_undone = self.last.is_undone
        self.shares[owner] = share
        self.last.count, self.last.is_live = 0, False
        return "OK", token

    # Time.

    def expire(self, owner):
        """The lease of an owner is over."""
        share = self.shares.pop(owner, None)
        if share:
            self.left[owner] = share.rid, 0
        elif self.is_held_by(owner):
            self.last.is_live = False
            self.last.is_delayed = self.last.delays

    def pass_delay(self):
        if self.last:
            self.last.is_delayed = False

    def forget(self):
        """The keys are lost while nobody has it or waits."""
        self.is_known = False
        self.last = None
        self.left = {}

    # Looking.

    def holders(self):
        held = {s.owner: (s.count, s.token, s.places) for s in self.shares.values()}
        if self.kind != "semaphore" and self.is_held():
            held[self.last.owner] = self.last.count, self.last.token, 1
        return held
