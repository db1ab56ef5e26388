#!/usr/bin/python3
"""Requests for locks that arrive once more: at once, when the lock has been released, and when its
lease is over. (Rows 3 and 7 of what goes wrong elsewhere: a lost reply makes the count 2; what has
expired comes to life again.)"""

import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parent)]
import scripts
from server import Check, Server

# What follows the numbers of an acquire.
MORE = {"rw read": ["read", 0], "rw write": ["write", 0], "semaphore": [2, 3, 0],
        "election": [0, "x"], "fair": [0], "mutex": [], "multi": []}


class Lock:
    def __init__(self, client, what):
        self.client = client
        self.kind = what.split()[0]
        self.more = MORE[what]
        tag = what.replace(" ", "-")
        names = [f"{{{tag}}}a", f"{{{tag}}}b"] if self.kind == "multi" else [tag]
        self.keys = scripts.keys_of(self.kind, names)
        self.text = scripts.texts()[self.kind]

    def ask(self, *args):
        return self.client.call("EVAL", self.text, len(self.keys), *self.keys, *args)

    def acquire(self, owner, rid, ttl_ms=60_000):
        return self.ask("acquire", owner, rid, ttl_ms, 0, 0, 1, *self.more)


def check_released(check, what, lock):
    reply = lock.acquire("p", 1)
    check.equal(reply[0], b"OK", f"{what}: it is granted: {reply}")
    token = reply[1]
    check.equal(lock.acquire("p", 1)[:2], [b"OK", token], f"{what}: a copy has the same token")
    check.equal(lock.ask("release", "p", token), [b"OK", b"0"], f"{what}: it was held once")
    check.equal(lock.acquire("p", 1), [b"STALE"], f"{what}: a late copy gets nothing")
    check.equal(lock.ask("release", "p", token), [b"OK", b"0"], f"{what}: a copy of the release")
    check.equal(lock.ask("renew", "p", token, 1000), [b"LOST"], f"{what}: nothing to be renewed")
    check.equal(lock.acquire("p", 2)[0], b"OK", f"{what}: a new request is granted")
    check.equal(lock.ask("cancel", "p", 2), [b"OK"], f"{what}: it is cancelled")
    check.equal(lock.acquire("p", 2), [b"STALE"], f"{what}: it comes after its cancel")


def check_expired(check, what, lock):
    token = lock.acquire("q", 1, ttl_ms=20)[1]
    time.sleep(0.05)
    check.equal(lock.acquire("q", 1), [b"STALE"], f"{what}: a copy after the lease is over")
    check.equal(lock.ask("renew", "q", token, 1000), [b"LOST"], f"{what}: a late renewal")
    check.equal(lock.ask("release", "q", token), [b"LOST"], f"{what}: a late release")
    check.equal(lock.acquire("q", 2)[0], b"OK", f"{what}: the same owner once more")


def check_changed(check, lock):
    """A writer becomes a reader, and a reader the writer."""
    token = lock.acquire("p", 1)[1]
    for _ in range(2):
        check.equal(lock.ask("downgrade", "p", token)[:2], [b"OK", token], "it reads on")
    check.equal(lock.acquire("q", 1)[0], b"BUSY", "nobody else writes meanwhile")
    for _ in range(2):
        check.equal(lock.ask("release", "p", token), [b"OK", b"0"], "who has written leaves")
    check.equal(lock.acquire("q", 2)[0], b"OK", "it has left")
    check.equal(lock.ask("cancel", "q", 2), [b"OK"], "and so has that one")
    lock.more = MORE["rw read"]
    token = lock.acquire("r", 1)[1]
    found = [lock.ask("upgrade", "r", 2, token, 1000)[1] for _ in range(2)]
    check.true(found[0] == found[1] > token, "it writes, with one higher token")
    check.equal(lock.acquire("s", 1)[0], b"BUSY", "nobody else reads meanwhile")
    check.equal(lock.ask("release", "r", token), [b"OK", b"0"], "as a reader it has left")
    check.equal(lock.ask("release", "r", found[0]), [b"OK", b"0"], "as the writer too")
    check.equal(lock.acquire("s", 2)[0], b"OK", "others come in")


def check_server(check, program=None):
    with Server(program) as server, server.connect() as client:
        check_changed(check, Lock(client, "rw write"))
        for what in MORE:
            client.call("FLUSHALL")
            check_released(check, what, Lock(client, what))
            client.call("FLUSHALL")
            check_expired(check, what, Lock(client, what))
            check.true(all(client.call("PTTL", key) > 0 for key in client.call("KEYS", "*")),
                       f"{what}: all keys go away")


def main():
    check = Check()
    check_server(check)
    if shutil.which("redis-server") is None:
        check.skip("redis-server", "it is not installed")
    else:
        check_server(check, "redis-server")
    check.finish()


if __name__ == "__main__":
    main()
