#!/usr/bin/python3
"""What is acknowledged survives kill -9: of a server alone, and of any in a group of three.

    MOONLATCH_SERVER=build/moonlatch-server CYCLES=3000 test/cluster/crash.py [alone|group|restart]

That is for one server; a group has a tenth of it. SECONDS=3600 begins no other cycle then.

Writers set keys, count, and move money between accounts by scripts, some of which fail
half-way. After a moment the server, the leader, a follower or all of them are killed and
started again, and what is there is compared with what was acknowledged: see audit.py.

Last, a server with 100 MB of data is killed and started. How long things take is printed,
and not tested."""

import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parent)]
from audit import Audit, Crew, Writer
from cluster import Group, wait_until
from server import PATIENCE_S, Check, Error, seed

CYCLES = int(os.environ.get("CYCLES", "0"))
ALONE, TOGETHER = (CYCLES, max(CYCLES // 10, 1)) if CYCLES else (300, 30)
LONGEST_S = float(os.environ.get("SECONDS", "inf" if CYCLES else "150"))  # Of each.
WRITERS = 8
FULL_AUDIT = 50  # In how many cycles everything is looked at, and not what is new.

# So small that snapshots are taken, and servers killed while they are.
LOG_SIZE = os.environ.get("LOG_SIZE", "1mb")

# The default, unless one wants to see that the audit notices.
DURABILITY = os.environ.get("DURABILITY", "strict")


def told(times_s):
    """Returns some times as text."""
    return (f"median {statistics.median(times_s) * 1000:.0f} ms, "
            f"longest {max(times_s) * 1000:.0f} ms") if times_s else "never"


class Trial:
    """A group, those who write to it, and what has come out."""

    def __init__(self, check, group, rng, run_seed):
        self.check = check
        self.group = group
        self.rng = rng
        self.writers = [Writer(i, group.directory, run_seed) for i in range(WRITERS)]
        self.audit = Audit(self.writers)
        self.cycles = 0
        self.restarts_s = []
        self.resumed_s = []
        with group.wait_for_leader().connect() as client:
            self.audit.open_accounts(client)

    def acknowledged(self):
        return sum(w.acknowledged for w in self.writers)

    def crew(self):
        for writer in self.writers:
            writer.cycle = self.cycles
        return Crew(self.writers, [node.address for node in self.group.nodes])

    def look(self, everything=False):
        """Compares what a server has with the books."""
        with self.group.wait_for_leader().connect() as client:
            self.audit.run(client, everything or self.cycles % FULL_AUDIT == 0)

    def wait_for_writes(self):
        """Waits for acknowledgements: more of them than may have been on their way. Returns
        how long it took."""
        began = time.monotonic()
        count = self.acknowledged() + WRITERS
        if not wait_until(lambda: self.acknowledged() > count, PATIENCE_S, 0.002):
            raise AssertionError("nobody takes writes any more")
        return time.monotonic() - began

    def kill_the_one(self):
        """Kills and starts the only server."""
        node, = self.group.nodes
        crew = self.crew()
        time.sleep(0.01 * 30 ** self.rng.random())  # 0.3 s at the most, but mostly short.
        node.kill()
        crew.stop()
        node.start()
        took_s = node.wait_until_it_writes()
        if took_s is None:
            raise AssertionError(f"it does not start again:\n{node.log()[-8000:]}")
        self.restarts_s.append(took_s)
        self.look()

    def victims(self):
        """Returns which nodes are to be killed, and whether the others can go on."""
        leader = self.group.wait_for_leader()
        kind = self.rng.choice(["leader", "leader", "follower", "all"])
        followers = [node for node in self.group.nodes if node is not leader]
        return kind, {"leader": [leader], "follower": [self.rng.choice(followers)],
                      "all": self.group.nodes}[kind]

    def kill_some(self):
        """Kills some and starts them again, under writers who do not stop."""
        crew = self.crew()
        time.sleep(self.rng.uniform(0.1, 0.5))
        kind, nodes = self.victims()
        for node in nodes:
            node.kill()
        if kind == "leader":
            self.resumed_s.append(self.wait_for_writes())
        time.sleep(self.rng.uniform(0, 0.3))
        for node in nodes:
            node.start()
        took_s = self.wait_for_writes()
        if kind == "all":
            self.restarts_s.append(took_s)
        crew.stop()
        self.check.true(self.group.wait_until_equal(), "all servers come to have the same data")
        self.look()

    def run(self, cycle, count):
        began = time.monotonic()
        while self.cycles < count and time.monotonic() - began < LONGEST_S:
            self.cycles += 1
            cycle()
        self.look(everything=True)
        self.report(count, time.monotonic() - began)

    def report(self, count, took_s):
        nodes = len(self.group.nodes)
        few = f" (there was no time for {count})" if self.cycles < count else ""
        print(f"{nodes} node(s): {self.cycles} cycles{few} in {took_s:.0f} s, "
              f"{self.acknowledged()} acknowledgements, {self.audit.lost} lost, "
              f"{self.audit.half} half scripts, {self.audit.extra} out of nowhere")
        print(f"from the start of all to a write: {told(self.restarts_s)}")
        if nodes > 1:
            print(f"from the death of a leader to a write: {told(self.resumed_s)}", flush=True)
        for line in self.audit.told:
            print(line)
        check = self.check
        check.true(self.acknowledged() > self.cycles, "something was acknowledged")
        check.equal(self.audit.lost, 0, f"{nodes} node(s): what was acknowledged is there")
        check.equal(self.audit.half, 0, f"{nodes} node(s): no script has happened in part")
        check.equal(self.audit.extra, 0, f"{nodes} node(s): nothing is there that nobody wrote")
        strange = sorted({s for w in self.writers for s in w.strange})
        check.equal(strange, [], f"{nodes} node(s): no other errors")


def alone(check, rng, run_seed):
    with Group(1, raft_log_size=LOG_SIZE, durability=DURABILITY) as group:
        trial = Trial(check, group, rng, run_seed)
        trial.run(trial.kill_the_one, ALONE)


def together(check, rng, run_seed):
    with Group(3, raft_log_size=LOG_SIZE, durability=DURABILITY) as group:
        trial = Trial(check, group, rng, run_seed)
        trial.run(trial.kill_some, TOGETHER)


# A restart with much data.

MEGABYTES = 100
VALUE = 1000  # Bytes of one, which nothing can compress.
PIPELINE = 500


def fill(client, rng):
    for start in range(0, MEGABYTES * 1_000_000 // VALUE, PIPELINE):
        replies = client.call_many([["SET", f"key:{i}", rng.randbytes(VALUE)]
                                    for i in range(start, start + PIPELINE)])
        assert not any(isinstance(reply, Error) for reply in replies), replies[0]


def restart(check, rng, _):
    """Kills a server that has 100 MB of data: as a log, for the most part, and as a snapshot."""
    with Group(1, raft_log_size="1gb") as group:
        node, = group.nodes
        with node.connect() as client:
            fill(client, rng)
        for what in ("log", "snapshot"):
            if what == "snapshot":
                with node.connect() as client:
                    check.true(client.call("RAFT", "SNAPSHOT") == b"OK", "a snapshot is taken")
            times_s = []
            for _ in range(3):
                with node.connect() as client:
                    digest = client.call("DEBUG", "DIGEST")
                node.kill()
                node.start()
                times_s.append(node.wait_until_it_writes())
                with node.connect() as client:
                    check.equal(client.call("DEBUG", "DIGEST"), digest, "the data are the same")
            print(f"from the start to a write, {MEGABYTES} MB as a {what}: {told(times_s)}",
                  flush=True)


def main():
    check = Check()
    run_seed = seed()
    rng = random.Random(run_seed)
    parts = {"alone": alone, "group": together, "restart": restart}
    for name in sys.argv[1:] or parts:
        with check.part(name):
            parts[name](check, rng, run_seed)
    check.finish()


if __name__ == "__main__":
    main()
