#!/usr/bin/python3
"""Players take locks, a nemesis stops and kills players and servers, and the history of it all has
to be as locks promise to be.

    MOONLATCH_SERVER=build/moonlatch-server SECONDS=1800 test/locks/audit.py

First with one server, then with a group of three, with partitions where network namespaces can be
made, then with redis-server, where servers do not die, since it would lose locks; and then with
mutants of the scripts, which have to be caught: an audit that lets them pass is none. At last no
key may be left on the first server. `audit.py mutants` runs only those; likewise `one`, `three`
and `stock`.

A run is worth what has happened in it, so it is as long as it takes to have so many grants and
pauses; SECONDS is the least."""

import collections
import contextlib
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parents[1] / "cluster"), str(HERE.parent)]
import scripts
from checker import Checker
from cluster import Group, Network, enter_own_network, wait_until
from guarded import ResourceServer
from nemesis import ServerNemesis, Setup, Troupe
from record import MS, Recorder, read_directory
from server import Check, seed

SECONDS = float(os.environ.get("SECONDS", "68"))
PLAYERS = 18
ROUND_S = 40  # A history is checked when it is not longer than that.
REST_S = (0.1, 0.5)  # Between two faults.

TTL_MS = 250
RETENTION_S = 60  # Of the records of free locks.

PAUSES_PER_S = 0.3  # That have to have been longer than a lease, in all.

# How much of the time each part has, and what has to have been granted by its end for each second
# of that; those who ask again and again need more time for it.
SHARES = {"one": 0.35, "three": 0.55, "stock": 0.1}
GRANTS_PER_S = {"one": 330, "three": 330, "stock": 60}

# The faults of servers.
ON_ANY = ["flush_scripts", "cut_clients"]
ON_ONE = ON_ANY + ["kill_all", "pause_leader", "move_clock"]
ON_THREE = ON_ANY + ["kill_leader", "kill_leader", "kill_follower", "pause_leader",
                     "pause_follower", "transfer", "move_clock"]
ON_NETWORKS = ["cut_leader_off", "cut_follower_off", "cut_one_way"]


def spec(kind, *names, **more):
    return {"kind": kind, "names": list(names), "ttl": TTL_MS, **more}


TOGETHER = ["{m}a", "{m}b", "{m}c"]
SPECS = [spec("mutex", "m1"), spec("mutex", "m2"), spec("mutex", "m3"), spec("mutex", "m4"),
         spec("mutex", "slow", delay=100),
         spec("mutex", "{m}a"), spec("multi", *TOGETHER), spec("multi", *TOGETHER),
         spec("fair", "f1"), spec("fair", "f2"), spec("rw", "rw1"), spec("rw", "rw2"),
         spec("semaphore", "s", capacity=3), spec("election", "e")]


class Totals:
    """What has happened in all rounds of a part."""

    def __init__(self):
        self.begun = time.monotonic()
        self.grants = 0
        self.calls = 0
        self.kinds = collections.Counter()
        self.faults = collections.Counter()
        self.long_pauses = 0
        self.in_turn = 0
        self.lost_updates = 0
        self.resumed_ms = []
        self.violations = []

    def add(self, stage, keeps=True):
        """Checks what was played. What is wrong is kept, for who has to find out why."""
        history = stage.read()
        checker = Checker(history)
        if checker.violations and keeps:
            print(f"the history is kept in {stage.directory}")
        else:
            stage.remove()
        nemesis = stage.nemesis
        self.grants += checker.grants
        self.calls += len(history.calls)
        self.kinds += collections.Counter(c.kind for c in history.calls if c.is_granted)
        self.faults += nemesis.counts
        self.long_pauses += nemesis.long_pauses
        self.in_turn += checker.in_turn
        self.lost_updates += sum(checker.lost_updates.values())
        self.resumed_ms += resumed_ms(history)
        self.violations += checker.violations

    def tell_violations(self):
        for violation in self.violations[:5]:
            print(f"  {violation.rule} {violation.lock}: {violation.what}", flush=True)

    def tell(self, what):
        print(f"{what}, {time.monotonic() - self.begun:.0f} s: {self.calls} calls, "
              f"{self.grants} grants {dict(self.kinds)}, "
              f"{self.in_turn} known to have waited in line")
        print(f"  {self.faults.total()} faults {dict(self.faults)}, {self.long_pauses} pauses "
              f"longer than the lease, {self.lost_updates} updates lost without a guard")
        if self.resumed_ms:
            print(f"  grants go on in {statistics.median(self.resumed_ms):.0f} ms after a fault "
                  f"of a server (median of {len(self.resumed_ms)}), "
                  f"{max(self.resumed_ms):.0f} ms at the longest")
        print(f"  {len(self.violations)} violations "
              f"{dict(collections.Counter(v.rule for v in self.violations))}", flush=True)
        self.tell_violations()


def resumed_ms(history):
    """Returns how long it took from each fault of a server to a grant that was asked for later."""
    granted = sorted((c.invoked, c.returned) for c in history.calls if c.is_granted)
    found = []
    for fault in history.faults:
        later = [returned for invoked, returned in granted if invoked > fault.begin]
        if fault.target == "all" and later:
            found.append((min(later) - fault.begin) / MS)
    return found


class Stage:
    """A directory, a guarded resource, players and a nemesis, for one round."""

    def __init__(self, setup, nemesis_of):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="moonlatch-audit-"))
        setup.directory = self.directory
        self.resource = ResourceServer(self.directory)
        setup.resource = self.resource.path
        self.troupe = Troupe(setup)
        self.nemesis = nemesis_of(self.troupe, Recorder(self.directory / "nemesis.jsonl"))

    def play(self, rng, seconds, rest_s):
        """Has the nemesis strike for so long, and then lets everybody come to rest."""
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends:
                self.nemesis.rest(rng.uniform(*rest_s))
                self.nemesis.strike()
                self.troupe.check()
            self.nemesis.resume(all_of_them=True)
            self.nemesis.rest(min(2, seconds / 4))
        finally:
            self.troupe.end()
            self.resource.stop()

    def read(self):
        """Returns the history. The next one begins when no lease of this one is left."""
        time.sleep(3 * self.troupe.setup.longest_ttl_ms / 1000)
        return read_directory(self.directory)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def play(setup, rng, part, nemesis_of):
    """Plays rounds for as long as the part is to last, and until there were grants enough."""
    totals = Totals()
    seconds = SHARES[part] * SECONDS
    ends = time.monotonic() + seconds
    enough = GRANTS_PER_S[part] * seconds
    while time.monotonic() < ends or (
            totals.grants < enough and time.monotonic() < ends + 2 * seconds):
        stage = Stage(setup, nemesis_of)
        stage.play(rng, min(ROUND_S, max(ends - time.monotonic(), seconds / 4)), REST_S)
        totals.add(stage)
        if len(totals.violations) > 100:
            break
    totals.is_enough = totals.grants >= enough
    return totals


def has_library(node):
    """Returns whether a server knows the scripts by name."""
    reply = node.ask("FCALL_RO", "lock_mutex", 1, "lock:{moonlatch}", "status")
    return isinstance(reply, list)


def play_group(check, part, group, network, rng, run_seed, faults):
    node = group.wait_for_leader()
    faults = [f for f in faults if f != "move_clock" or node.clock is not None]
    setup = Setup(run_seed, None, [n.address for n in group.nodes], SPECS, scripts.texts(), PLAYERS,
                  together=TOGETHER, blocks=node.is_ours,
                  has_library=node.is_ours and has_library(node),
                  program=os.environ.get("MOONLATCH_PLAYER"))
    totals = play(setup, rng, part, lambda troupe, recorder: ServerNemesis(
        troupe, recorder, rng, group, network, faults))
    totals.tell(part)
    check.equal(len(totals.violations), 0, f"{part}: locks are what they promise to be")
    check.true(totals.is_enough, f"{part}: enough has been granted")
    return totals


def play_one(check, group, rng, run_seed):
    return play_group(check, "one", group, None, rng, run_seed, ON_ONE)


def play_three(check, network, rng, run_seed):
    faults = ON_THREE + (ON_NETWORKS if network else [])
    with Group(3, network) as group:
        totals = play_group(check, "three", group, network, rng, run_seed, faults)
        check.true(group.wait_until_equal(20), "all servers come to have the same data")
    return totals


def play_stock(check, rng, run_seed):
    if shutil.which("redis-server") is None:
        check.skip("redis-server", "it is not installed")
        return Totals()
    with Group(1, forms=False, program="redis-server", save="") as group:
        group.nodes[0].start()
        return play_group(check, "stock", group, None, rng, run_seed, ON_ANY + ["pause_leader"])


# Mutants.

MUTANT_TTL_MS = 100
MUTANT_ROUND_S = 3
MUTANT_ROUNDS = 8


def play_mutant(check, name, group, rng, run_seed):
    """Plays with a mutant until it is caught: many pauses, short leases, all about one lock."""
    mutant = scripts.MUTANTS[name]
    setup = Setup(run_seed, None, [group.nodes[0].address],
                  [{"kind": "mutex", "names": [name.replace(" ", "-")], "ttl": MUTANT_TTL_MS}],
                  scripts.mutated(mutant), 6, has_library=False,
                  rest_ms=mutant.rest_ms, late=mutant.late, copies=False)
    totals = Totals()
    for _ in range(MUTANT_ROUNDS if mutant.edits else 2):
        stage = Stage(setup, lambda troupe, recorder: MutantNemesis(
            troupe, recorder, rng, group, faults=mutant.faults))
        stage.play(rng, MUTANT_ROUND_S, (0, 0.05))
        totals.add(stage, keeps=not mutant.edits)
        if totals.violations:
            break
    found = collections.Counter(v.rule for v in totals.violations)
    print(f"mutant {name}: {totals.grants} grants, {totals.long_pauses} long pauses, {dict(found)}",
          flush=True)
    if mutant.edits:
        check.true(found, f"mutant {name} is caught")
    elif not check.true(not found, "what is no mutant is good"):
        totals.tell_violations()


class MutantNemesis(ServerNemesis):
    def kinds(self):
        return [self.pause_holder] + 4 * self.faults


def play_mutants(check, rng, run_seed):
    with Group(1, durability="none") as group:
        for name in scripts.MUTANTS:
            play_mutant(check, name, group, rng, run_seed)


# A11.

def wait_for_nothing(check, group):
    """Waits until leases are over, and what is kept of them: then nothing may be left."""
    node = group.nodes[0]
    node.ask("DEL", "probe")
    wait_until(lambda: node.ask("DBSIZE") == 0, RETENTION_S + 30, 0.2)
    check.equal(node.ask("KEYS", "*"), [], "no key is left of locks that nobody has")


def play_parts(check, parts, network):
    run_seed = seed()
    rng = random.Random(run_seed)
    played = []
    with contextlib.ExitStack() as stack:
        if "one" in parts:
            idle = stack.enter_context(Group(1))
            played.append(play_one(check, idle, rng, run_seed))
        if "three" in parts:
            played.append(play_three(check, network, rng, run_seed))
        if "stock" in parts:
            played.append(play_stock(check, rng, run_seed))
        if "mutants" in parts:
            play_mutants(check, rng, run_seed)
        if "one" in parts:
            wait_for_nothing(check, idle)
    return played


def main():
    check = Check()
    parts = sys.argv[1:] or ["one", "three", "stock", "mutants"]
    problem = enter_own_network()
    if problem is not None:
        check.skip("partitions", problem)
    network = Network(3) if problem is None else None
    with check.part("audit"):
        played = play_parts(check, parts, network)
        long_pauses = sum(totals.long_pauses for totals in played)
        print(f"{sum(totals.grants for totals in played)} grants, {long_pauses} pauses longer than "
              "the lease", flush=True)
        if played:
            check.true(long_pauses >= PAUSES_PER_S * SECONDS, "enough have slept through a lease")
            check.true(sum(totals.lost_updates for totals in played) > 0,
                       "without a guard updates are lost")
    check.finish()


if __name__ == "__main__":
    main()
