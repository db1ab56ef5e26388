"""Three servers and then five, clients that note what they see, and a nemesis.

    MOONLATCH_SERVER=build/moonlatch-server SECONDS=600 test/cluster/faults.py

While clients work on registers, counters, lists and locks, with strict reads, the nemesis
kills servers, stops them, cuts them off from each other in one direction or both, moves the
leadership, has snapshots taken, and replaces a server by an empty one. Five are also cut into
two groups, and into a ring in which each reaches only its two neighbors. The histories have to
be linearizable, all servers have to come to the same data, and writes have to go on.

Partitions need network namespaces; where those cannot be made, the other faults remain."""

import collections
import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parent)]
from cluster import Group, Network, enter_own_network
from history import Courier, Player, now_us, stop
from linearizable import check as check_history
from server import Check, seed

SECONDS = float(os.environ.get("SECONDS", "70"))
SHARES = {3: 0.7, 5: 0.3}  # How much of it each number of servers has.
PLAYERS = 10
REST_S = (0.5, 1.5)  # Between two faults.


class Nemesis:
    def __init__(self, group, network, rng):
        self.group = group
        self.network = network
        self.rng = rng
        self.counts = collections.Counter()
        self.leader_deaths = []

    def kinds(self):
        kinds = [self.kill_leader, self.kill_leader, self.kill_follower, self.kill_all,
                 self.stop_leader, self.stop_follower, self.transfer, self.snapshot]
        if SECONDS >= 300:
            kinds += [self.replace]
        if self.group.nodes[0].clock is not None:
            kinds += [self.move_clock]
        if self.network is not None:
            kinds += [self.cut_leader_off, self.cut_follower_off, self.cut_one_way]
        if self.network is not None and len(self.group.nodes) > 3:
            kinds += 2 * [self.cut_in_two, self.cut_to_a_ring]
        return kinds

    def strike(self):
        kind = self.rng.choice(self.kinds())
        self.counts[kind.__name__] += 1
        kind()

    def kill_and_start(self, nodes, down_s):
        for node in nodes:
            node.kill()
        time.sleep(down_s)
        for node in nodes:
            node.start()

    def kill_leader(self):
        leader = self.group.wait_for_leader()
        self.leader_deaths.append(now_us())
        self.kill_and_start([leader], self.rng.uniform(0.8, 2.5))

    def kill_follower(self):
        followers = self.group.followers()
        self.kill_and_start([self.rng.choice(followers)], self.rng.uniform(0, 2))

    def kill_all(self):
        self.kill_and_start(self.group.nodes, self.rng.uniform(0, 0.5))

    def pause(self, node):
        node.pause()
        time.sleep(self.rng.choice([0.3, 2, 2, 10 if SECONDS >= 300 else 3]))
        node.resume()

    def stop_leader(self):
        self.pause(self.group.wait_for_leader())

    def stop_follower(self):
        self.pause(self.rng.choice(self.group.followers()))

    def transfer(self):
        self.group.wait_for_leader().ask("RAFT", "TRANSFER", timeout=5)

    def snapshot(self):
        self.rng.choice(self.group.nodes).ask("RAFT", "SNAPSHOT", timeout=10)

    def replace(self):
        node = self.rng.choice(self.group.followers())
        self.group.remove(node)
        node.start()
        self.group.join(node)

    def move_clock(self):
        self.rng.choice(self.group.nodes).clock.move(self.rng.choice([-3600, 0, 3600]))

    def cut_leader_off(self):
        self.part(self.group.wait_for_leader())

    def cut_follower_off(self):
        self.part(self.rng.choice(self.group.followers()))

    def heal_later(self):
        time.sleep(self.rng.uniform(0.5, 3))
        self.network.heal()

    def part(self, node):
        others = [n.number for n in self.group.nodes if n is not node]
        self.network.part([node.number], others)
        self.heal_later()

    def cut_one_way(self):
        one, other = self.rng.sample(self.group.nodes, 2)
        self.network.cut(one.number, other.number)
        self.heal_later()

    def shuffled(self):
        numbers = [node.number for node in self.group.nodes]
        return self.rng.sample(numbers, len(numbers))

    def cut_in_two(self):
        numbers = self.shuffled()
        few = len(numbers) // 2
        self.network.part(numbers[:few], numbers[few:])
        self.heal_later()

    def cut_to_a_ring(self):
        numbers = self.shuffled()
        last = len(numbers) - 1
        for i, number in enumerate(numbers):
            apart = [numbers[j] for j in range(i - 1) if (j, i) != (0, last)]
            self.network.part([number], apart)
        self.heal_later()


def resumed_ms(deaths, writes):
    """Returns how long it took from each death of a leader to the next acknowledged write."""
    writes = sorted(writes)
    found = []
    for death in deaths:
        later = [w for w in writes if w > death + 20_000]  # Not those that were under way.
        if later:
            found.append((later[0] - death) / 1000)
    return found


def play(check, group, network, rng, run_seed, seconds):
    addresses = [node.address for node in group.nodes]
    players = [Player(i, Courier(addresses, start=i % len(addresses)), run_seed) for i in range(PLAYERS)]
    nemesis = Nemesis(group, network, rng)
    for player in players:
        player.start()
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends:
            time.sleep(rng.uniform(*REST_S))
            nemesis.strike()
            group.wait_for_leader()
    finally:
        time.sleep(1)
        history = stop(players)
    report(check, group, nemesis, players, history)


def report(check, group, nemesis, players, history):
    outcomes = sum((p.outcomes for p in players), collections.Counter())
    took = resumed_ms(nemesis.leader_deaths, [w for p in players for w in p.writes])
    print(f"{len(group.nodes)} servers, {nemesis.counts.total()} faults: {dict(nemesis.counts)}")
    print(f"{outcomes.total()} operations: {dict(outcomes)}")
    if took:
        print(f"writes go on after the death of a leader in {statistics.median(took):.0f} ms "
              f"(median of {len(took)}), {max(took):.0f} ms at the longest")
    if not check.true(group.wait_until_equal(20), "all servers come to have the same data"):
        print([group.state(node) for node in group.nodes])
        group.tell()
    strange = sorted({s for p in players for s in p.strange})
    check.equal(strange, [], "no other errors")
    verdict = check_history(history)
    print(f"{verdict.objects} objects, {verdict.operations} operations checked, "
          f"{len(verdict.violations)} violations, {len(verdict.undecided)} undecided")
    check.true(outcomes["ok"] > 100, "something was done")
    check.equal(len(verdict.violations), 0, "the histories are linearizable")
    for violation in verdict.violations[:3]:
        print(violation)


def move_clocks(check, group):
    """A lease is as long as it was, wherever wall clocks go and whoever leads."""
    LEASE_MS = 1000_000
    leader = group.wait_for_leader()
    leader.ask("SET", "lease", "x", "PX", LEASE_MS)
    for node, hours in zip(group.nodes, (1, -1, 2)):
        node.clock.move(hours * 3600)
    leader.ask("SET", "other", "x")
    check.true(leader.ask("PTTL", "lease") > LEASE_MS // 2, "the leader's clock was moved")
    group.wait_until_equal()
    leader.kill()
    follower = group.wait_for_leader()
    rest_ms = follower.ask("PTTL", "lease")
    check.true(LEASE_MS // 2 < rest_ms <= LEASE_MS,
               f"another server, with another clock, leads; there are {rest_ms} ms left")
    leader.start()
    check.true(group.wait_until_equal(), "the killed one comes to have the same data")


def main():
    check = Check()
    problem = enter_own_network()
    run_seed = seed()
    rng = random.Random(run_seed)
    if problem is not None:
        check.skip("partitions", problem)
    network = Network(max(SHARES)) if problem is None else None
    for count, share in SHARES.items():
        with check.part(f"{count} servers"), Group(
                count, network, read_consistency="strict", raft_log_size="256kb") as group:
            play(check, group, network, rng, run_seed, share * SECONDS)
            if group.nodes[0].clock is None:
                check.skip("moving wall clocks", "the library for it is not there")
            else:
                move_clocks(check, group)
    check.finish()


if __name__ == "__main__":
    main()
