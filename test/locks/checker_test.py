#!/usr/bin/python3
"""The checker of checker.py finds what is wrong with a history of locks, and nothing else.

Histories by hand, in pairs where that makes sense: one that is good, and the same with a mistake;
and long ones, made by a model of a lock, of which each is good and then spoilt.
"""

import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parent)]
from checker import Checker
from record import MS, S, Reader
from server import SOAK, Check, seed

TTL = 100  # Of all leases here, in milliseconds, as all times are.


def granted(token, now="0"):
    return ["OK", str(token), str(TTL), now, ""]


def acquire(owner, token, begin, end, rid=1, reply=None, **more):
    """Returns what an acquire leaves: a token, a whole reply, or, for an end of None, no reply."""
    call = {"op": "acquire", "owner": owner, "rid": rid, "ttl": TTL, "wait": -1, **more}
    return [(begin, end, call, reply or granted(token))]


def renew(owner, token, begin, end, status="OK"):
    reply = granted(token) if status == "OK" else [status]
    return [(begin, end, {"op": "renew", "owner": owner, "token": token, "ttl": TTL}, reply)]


def release(owner, token, begin, end, reply=("OK", "0")):
    return [(begin, end, {"op": "release", "owner": owner, "token": token}, list(reply))]


def cancel(owner, rid, begin, end):
    return [(begin, end, {"op": "cancel", "owner": owner, "rid": rid}, ["OK"])]


def busy(owner, token, holder, begin, end):
    return acquire(owner, 0, begin, end, reply=["BUSY", str(token), "50", holder])


def held(owner, token, begin, until, lock="a"):
    return [(begin, {"e": "held", "lock": lock, "owner": owner, "token": token,
                     "until": until * MS})]


def left(owner, token, at, lock="a"):
    return [(at, {"e": "left", "lock": lock, "owner": owner, "token": token})]


def reads_on(owner, token, begin, until):
    return [(begin, {"e": "held", "lock": "a", "owner": owner, "token": token, "until": until * MS,
                     "shared": True})]


def kill(player, at):
    return [(at, {"e": "kill", "player": player})]


def fault(kind, target, begin, end):
    return [(end, {"e": "fault", "kind": kind, "target": target, "begin": begin * MS})]


def use(op, token, value, at, accepted=True, guarded=True):
    return [(at, {"e": "use", "resource": "r", "guarded": guarded, "op": op, "token": token,
                  "value": value, "accepted": accepted})]


def sight(live, at):
    return [(at, {"e": "sight", "names": ["a", "b"], "live": live})]


MULTI = {"lock": "a+b", "kind": "multi", "names": ["a", "b"]}
READ = {"kind": "rw", "mode": "read"}
WRITE = {"kind": "rw", "mode": "write"}
FAIR = {"kind": "fair"}


def permits(count):
    return {"kind": "semaphore", "permits": count, "capacity": 3}


# What it shows: the rules that are broken, and the history.
BY_HAND = {
    "one after the other": ([], acquire("p", 1, 0, 1) + release("p", 1, 5, 6)
                            + acquire("q", 2, 2, 7) + release("q", 2, 8, 9)),
    "a lease that is over": ([], acquire("p", 1, 0, 1) + acquire("q", 2, 2, 101)),
    "who is killed has nothing": ([], acquire("p", 1, 0, 1) + held("p", 1, 1, 99) + kill("p", 50)
                                  + acquire("q", 2, 2, 105) + held("q", 2, 60, 150)),
    "got again under the same token": ([], acquire("p", 1, 0, 1) + acquire("p", 1, 2, 3, rid=2)
                                       + release("p", 1, 4, 5, ("OK", "1"))
                                       + release("p", 1, 6, 7)),
    "the same request again": ([], acquire("p", 1, 0, None) + acquire("p", 1, 5, 6)),

    "A1: one token for two": (["A1"], acquire("p", 1, 0, 9) + release("p", 1, 10, 11)
                              + acquire("q", 1, 8, 12)),
    "A1: readers share theirs": ([], acquire("p", 1, 0, 1, **READ)
                                 + acquire("q", 1, 2, 3, **READ)),
    "A1: a reader has the last writer's": ([], acquire("p", 1, 0, 1, **WRITE)
                                           + release("p", 1, 2, 3) + acquire("q", 1, 4, 5, **READ)),
    "A1: two writers share one": (["A1"], acquire("p", 1, 0, 9, **WRITE)
                                  + release("p", 1, 9, 10) + acquire("q", 1, 8, 12, **WRITE)),
    "A2: a writer has a reader's": (["A2"], acquire("p", 1, 0, 1, **READ)
                                       + release("p", 1, 2, 3) + acquire("q", 1, 4, 5, **WRITE)),
    "A2: a token goes back": (["A2"], acquire("p", 2, 0, 1, **permits(1))
                              + acquire("q", 1, 4, 5, **permits(1))),
    "A2: under way at the same time": ([], acquire("p", 2, 0, 5) + acquire("q", 1, 4, 9)
                                       + release("q", 1, 10, 11, ("LOST",))
                                       + cancel("q", 1, 4, 5)),
    "A2: tokens begin anew": (["A2", "A2"],
        acquire("p", 7, 0, 1, **permits(1)) + acquire("q", 8, 2, 3, **permits(1))
        + acquire("r", 1, 4, 5, **permits(1)) + acquire("s", 2, 6, 7, **permits(1))),
    "A3: two claims": (["A3"], acquire("p", 1, 0, 1) + held("p", 1, 1, 99)
                       + acquire("q", 2, 0, 105) + held("q", 2, 98, 150)),
    "A3: a claim ends with the release": ([], acquire("p", 1, 0, 1) + held("p", 1, 1, 99)
                                          + left("p", 1, 40) + release("p", 1, 41, 42)
                                          + acquire("q", 2, 0, 43) + held("q", 2, 43, 99)),
    "A3: a claim that was renewed": (["A3"], acquire("p", 1, 0, 1) + held("p", 1, 1, 99)
                                     + held("p", 1, 90, 189)
                                     + acquire("q", 2, 0, 120) + held("q", 2, 120, 150)),
    "A3: a long claim hides behind a short one": (["A3", "A3"],
        acquire("p", 1, 0, 1) + held("p", 1, 1, 99) + held("p", 1, 2, 50)
        + acquire("q", 2, 0, 130) + held("q", 2, 60, 70)
        + acquire("r", 3, 0, 250) + held("r", 3, 80, 150)),
    "A3: a multi-lock and one of its names": (["A3"], acquire("p", 1, 0, 1, **MULTI)
        + held("p", 1, 1, 99, "a+b") + acquire("q", 2, 0, 120, lock="b")
        + held("q", 2, 90, 150, "b")),
    "A4: before the lease is over": (["A4"], acquire("p", 1, 0, 1) + acquire("q", 2, 2, 90)),
    "A4: before a renewed lease is over": (["A4"], acquire("p", 1, 0, 1) + renew("p", 1, 60, 61)
                                           + acquire("q", 2, 2, 150)),
    "A4: to ask again does not renew": ([], acquire("p", 1, 0, 1) + acquire("p", 1, 60, 61)
                                        + acquire("q", 2, 2, 105)),
    "A4: to get it again does": (["A4"], acquire("p", 1, 0, 1) + acquire("p", 1, 60, 61, rid=2)
                                 + acquire("q", 2, 2, 105)),
    "A4: a renewal that nobody knows of": ([], acquire("p", 1, 0, 1) + renew("p", 1, 60, None)
                                           + acquire("q", 2, 2, 150)),
    "A4: within the delay after an expiry": (["A4"], acquire("p", 1, 0, 1, delay=50)
                                             + acquire("q", 2, 2, 140, delay=50)),
    "A4: after the delay": ([], acquire("p", 1, 0, 1, delay=50)
                            + acquire("q", 2, 2, 151, delay=50)),
    "A4: no delay after a release": ([], acquire("p", 1, 0, 1, delay=50) + release("p", 1, 3, 4)
                                     + acquire("q", 2, 2, 9, delay=50)),
    "A4: another's release": (["A4"], acquire("p", 1, 0, 1) + release("r", 0, 3, 4)
                              + acquire("q", 2, 2, 9)),
    "A4: a release that was refused ends nothing": (["A4"], acquire("p", 1, 0, 1)
        + release("p", 1, 3, 4, ("LOST",)) + acquire("q", 2, 2, 9)),
    "A4: a release of unknown outcome may end it": ([], acquire("p", 1, 0, 1)
        + release("p", 1, 3, None) + acquire("q", 2, 2, 9)),
    "A4: a cancel ends it": ([], acquire("p", 1, 0, 1) + cancel("p", 1, 3, 4)
                             + acquire("q", 2, 2, 9)),
    "A4: a multi-lock before one of its names is free": (["A4"], acquire("p", 1, 0, 1, lock="b")
        + acquire("q", 2, 2, 9, **MULTI)),
    "A4: a chain of three, each of which fits the next": (["A4"],
        acquire("p", 1, 0, 100) + acquire("q", 2, 0, 150) + acquire("r", 3, 0, 190)),
    "A4: busy": ([], acquire("p", 1, 0, 1) + busy("q", 1, "p", 2, 3)),
    "A4: busy long after the release": (["A4"], acquire("p", 1, 0, 1) + release("p", 1, 2, 3)
                                        + busy("q", 1, "p", 4, 5)),
    "A4: busy by nobody": (["A4"], busy("q", 1, "p", 4, 5) + acquire("p", 1, 6, 7)),
    "A4: busy by one whose grant is not known": ([], acquire("p", 1, 0, None)
                                                 + busy("q", 1, "p", 4, 5)),
    "A4: busy by another's token": (["A4"], acquire("p", 1, 0, 1) + acquire("r", 0, 0, None)
                                    + busy("q", 1, "r", 4, 5)),
    "A5: in turn": ([], acquire("p", 1, 0, 1, **FAIR) + acquire("q", 2, 2, 31, **FAIR)
                    + release("p", 1, 30, 31)
                    + acquire("r", 3, 4, 51, seen=["q"], **FAIR) + release("q", 2, 50, 51)),
    "A5: overtaken": (["A5"], acquire("p", 1, 0, 1, **FAIR) + acquire("q", 3, 2, 51, **FAIR)
                      + release("p", 1, 30, 31)
                      + acquire("r", 2, 4, 41, seen=["q"], **FAIR) + release("r", 2, 40, 41)),
    "A5: nobody knows who came first": ([], acquire("p", 1, 0, 1, **FAIR)
        + acquire("q", 3, 2, 51, **FAIR) + release("p", 1, 30, 31)
        + acquire("r", 2, 4, 41, **FAIR) + release("r", 2, 40, 41)),
    "A5: it had a ticket": (["A5"], acquire("p", 1, 0, 1, **FAIR)
        + acquire("q", 0, 2, 3, reply=["WAIT", "7", "1", "40"], **FAIR)
        + acquire("q", 3, 45, 51, **FAIR) + release("p", 1, 30, 31)
        + acquire("r", 2, 4, 41, **FAIR) + release("r", 2, 40, 41)),
    "A5: its connection was cut": ([], acquire("p", 1, 0, 1, **FAIR)
        + acquire("q", 3, 2, 51, **FAIR) + release("p", 1, 30, 31)
        + acquire("r", 2, 4, 41, seen=["q"], **FAIR) + release("r", 2, 40, 41)
        + fault("kick", "all", 10, 11)),
    "A5: somebody else was paused": (["A5"], acquire("p", 1, 0, 1, **FAIR)
        + acquire("q", 3, 2, 51, **FAIR) + release("p", 1, 30, 31)
        + acquire("r", 2, 4, 41, seen=["q"], **FAIR) + release("r", 2, 40, 41)
        + fault("pause player", "r", 10, 11)),
    "A5: a mutex has no turns": ([], acquire("p", 1, 0, 1) + acquire("q", 3, 2, 51)
        + release("p", 1, 30, 31) + acquire("r", 2, 4, 41, seen=["q"])
        + release("r", 2, 40, 41)),
    "A6: guarded": ([], use("read", 1, 0, 0) + use("read", 2, 0, 1) + use("write", 2, 1, 2)
                    + use("write", 1, 1, 3, accepted=False)),
    "A6: a token after a higher one": (["A6"], use("read", 2, 0, 1) + use("read", 1, 0, 2)),
    "A6: a lost update": (["A6", "A6"], use("read", 1, 0, 0) + use("read", 2, 0, 1)
                          + use("write", 2, 1, 2) + use("write", 3, 1, 3)),
    "A6: none is lost to those who are not guarded": ([], use("write", 2, 1, 2, guarded=False)
                                                      + use("write", 1, 1, 3, guarded=False)),
    "A7: nobody gets it": (["A7"], acquire("p", 1, 0, 1) + acquire("q", 2, 2, 61_000)),
    "A7: nobody wants it": ([], acquire("p", 1, 0, 1) + acquire("q", 2, 60_000, 61_000)),
    "A7: a waiter is dead": ([], acquire("p", 1, 0, 1) + acquire("q", 0, 2, None) + kill("q", 50)
                             + acquire("r", 2, 60_000, 61_000)),
    "A8: renewed after it was lost": (["A8"], acquire("p", 1, 0, 1)
                                      + renew("p", 1, 120, 121, "LOST") + renew("p", 1, 122, 123)),
    "A8: renewed after its release": (["A8"], acquire("p", 1, 0, 1) + release("p", 1, 2, 3)
                                      + renew("p", 1, 4, 5)),
    "A8: the release is asked for again": ([], acquire("p", 1, 0, 1) + release("p", 1, 2, 3)
                                           + release("p", 1, 4, 5)),
    "A8: released after it was lost": (["A8"], acquire("p", 1, 0, 1)
        + renew("p", 1, 120, 121, "LOST") + release("p", 1, 122, 123)),
    "A8: a late duplicate revives it": (["A8"], acquire("p", 1, 0, 1) + release("p", 1, 2, 3)
                                        + acquire("p", 1, 4, 5)),
    "A9: a late duplicate is granted": (["A9"], acquire("p", 1, 0, 1) + release("p", 1, 2, 3)
                                        + acquire("p", 2, 4, 120)),
    "A9: a late duplicate is granted, since another was there meanwhile": ([],
        acquire("p", 1, 0, 1) + release("p", 1, 2, 3) + acquire("q", 2, 4, 5)
        + release("q", 2, 6, 7) + acquire("p", 3, 8, 120)),
    "A10: readers": ([], acquire("p", 1, 0, 1, **READ) + held("p", 1, 1, 99)
                     + acquire("q", 1, 2, 3, **READ) + held("q", 1, 3, 99)),
    "A10: a writer among readers": (["A10"], acquire("p", 1, 0, 1, **READ) + held("p", 1, 1, 99)
                                    + acquire("q", 2, 2, 3, **WRITE) + held("q", 2, 3, 99)),
    "A10: a reader behind a writer": (["A10"], acquire("p", 1, 0, 1, **WRITE)
        + held("p", 1, 1, 99) + acquire("q", 2, 2, 3, **READ) + held("q", 2, 3, 99)),
    "A10: a writer reads on": ([], acquire("p", 1, 0, 1, **WRITE) + held("p", 1, 1, 99)
                               + left("p", 1, 50) + reads_on("p", 1, 52, 150)
                               + acquire("q", 1, 0, 54, **READ) + held("q", 1, 54, 150)),
    "A10: another writes meanwhile": (["A10"], acquire("p", 1, 0, 1, **WRITE)
        + held("p", 1, 1, 99) + left("p", 1, 50) + reads_on("p", 1, 52, 150)
        + acquire("q", 2, 0, 120, **WRITE) + held("q", 2, 120, 150)),
    "A10: permits": ([], acquire("p", 1, 0, 1, **permits(2)) + held("p", 1, 1, 99)
                     + held("p", 1, 50, 150) + acquire("q", 2, 2, 3, **permits(1))
                     + held("q", 2, 3, 99) + left("q", 2, 60) + release("q", 2, 61, 62)
                     + acquire("r", 3, 2, 65, **permits(1)) + held("r", 3, 65, 99)),
    "A10: too many permits": (["A10"], acquire("p", 1, 0, 1, **permits(2)) + held("p", 1, 1, 99)
                              + acquire("q", 2, 2, 3, **permits(2)) + held("q", 2, 3, 99)),
    "A10: all names": ([], acquire("p", 1, 0, 1, **MULTI) + sight({"a": 1, "b": 1}, 2)),
    "A10: some names": (["A10"], acquire("p", 1, 0, 1, **MULTI) + sight({"a": 1}, 2)),
    "A10: one name alone": ([], acquire("p", 1, 0, 1, lock="a") + sight({"a": 1}, 2)),
}


def lines_of(events):
    """Makes the files of the players of events like those above."""
    files = {}
    for number, event in enumerate(events):
        if len(event) == 2:
            at, line = event
            files.setdefault(line.get("owner", "nemesis"), []).append({**line, "t": at * MS})
            continue
        begin, end, call, reply = event
        file = files.setdefault(call["owner"], [])
        file.append({"e": "call", "n": number, "t": begin * MS, "lock": "a", **call})
        if end is not None:
            file.append({"e": "reply", "n": number, "t": end * MS, "r": reply})
    return {player: sorted(lines, key=lambda l: l["t"]) for player, lines in files.items()}


def history_of(events):
    reader = Reader()
    for player, lines in lines_of(events).items():
        reader.read(player, lines)
    return reader.finish()


def check_by_hand(check):
    for what, (expected, events) in BY_HAND.items():
        found = Checker(history_of(events)).violations
        check.equal(sorted(v.rule for v in found), expected, f"{what}: {found}")
    broken = {rule for expected, _ in BY_HAND.values() for rule in expected}
    rules = {f"A{i}" for i in range(1, 11)}
    check.equal(broken, rules, "each rule is broken by some history")


def play(rng, count):
    """Returns what clients of a lock see that is as it should be: some die, some are late."""
    events, at, token = [], 0, 0
    for number in range(count):
        token += rng.randint(1, 5)
        owner = f"p{rng.randrange(10)}/{number}"
        call = at - rng.randint(0, 300)
        back = at + rng.randint(1, 10)
        events += acquire(owner, token, call, back)
        events += held(owner, token, back, at + TTL)
        gone = at + TTL
        for _ in range(rng.choice([0, 0, 1, 3])):
            sent = gone - rng.randint(40, 80)
            events += renew(owner, token, max(sent, back), max(sent, back) + 3)
            gone = max(sent, back) + TTL
            events += held(owner, token, max(sent, back) + 3, gone)
        if rng.random() < 0.8:
            end = back + rng.randint(0, gone - back - 3)
            last = max(e[1] for e in events[-8:] if len(e) == 4 and e[2]["owner"] == owner)
            end = max(end, last)
            events += left(owner, token, end) + release(owner, token, end, end + 2)
            gone = end + 2
        at = gone + rng.randint(0, 4) + 4
    return events


def spoil(rng, events):
    """Makes one mistake: a grant that is not the first returns before the first was called."""
    grants = [i for i, e in enumerate(events) if len(e) == 4 and e[2]["op"] == "acquire"]
    i = rng.choice(grants[1:])
    _, _, call, reply = events[i]
    return [*events[:i], (-10_000, -9_000, call, reply), *events[i + 1:]]


def check_long(check, run_seed):
    rng = random.Random(run_seed)
    for _ in range(20 * SOAK):
        events = play(rng, 200)
        check.equal(Checker(history_of(events)).violations, [], "a good history is good")
        check.true(Checker(history_of(spoil(rng, events))).violations, "a spoilt one is not")


def check_time(check):
    """A long history takes about a second: what is compared pair by pair would take minutes."""
    events = play(random.Random(1), 20_000)
    history = history_of(events)
    begun = time.monotonic()
    checker = Checker(history)
    print(f"{checker.grants} grants are checked in {time.monotonic() - begun:.1f} s")
    check.equal(checker.violations, [], "a long history is good")


def main():
    check = Check()
    check_by_hand(check)
    check_long(check, seed())
    check_time(check)
    check.finish()


if __name__ == "__main__":
    main()
