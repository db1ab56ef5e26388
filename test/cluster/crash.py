"""What is acknowledged survives kill -9: of a server alone, and of any in a group of three.

    MOONLATCH_SERVER=build/moonlatch-server CYCLES=3000 test/cluster/crash.py

Writers set keys, count, and move money between accounts by scripts, some of which fail
half-way. After a moment the server, the leader, a follower or all of them are killed and
started again, and what is there is compared with what was acknowledged: see audit.py."""

import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "lib"), str(HERE.parent)]
from audit import Audit, Crew, Writer
from cluster import Group
from server import Check, seed

CYCLES = int(os.environ.get("CYCLES", "0"))
ALONE = CYCLES or 100  # In CI: as many as there is time for.
TOGETHER = max(CYCLES // 10, 20)
LONGEST_S = float(os.environ.get("SECONDS", "0")) or (3600 if CYCLES else 45)  # Of each.
WRITERS = 8


def victims(group, rng):
    """Returns which of the nodes are to be killed."""
    leader = group.leader()
    kind = rng.choice(["leader", "leader", "follower", "all"])
    if len(group.nodes) == 1 or kind == "all" or leader is None:
        return list(group.nodes)
    return [leader] if kind == "leader" else [rng.choice(group.followers() or group.nodes)]


def one_cycle(group, writers, audit, rng):
    """Returns how long the servers took to write again."""
    crew = Crew(writers, [node.address for node in group.nodes])
    time.sleep(rng.uniform(0.02, 0.3))
    killed = victims(group, rng)
    for node in killed:
        node.kill()
    crew.stop()
    began = time.monotonic()
    for node in killed:
        node.start()
    leader = group.wait_for_leader()
    while leader is None or leader.wait_until_it_writes(1) is None:
        leader = group.leader()
    took_s = time.monotonic() - began
    with leader.connect() as client:
        audit.run(client)
    for writer in writers:
        writer.cycle += 1
    return took_s


def kill_again_and_again(check, rng, nodes, cycles, run_seed):
    with Group(nodes, raft_log_size="1mb") as group:
        writers = [Writer(i, group.directory, run_seed) for i in range(WRITERS)]
        audit = Audit(writers)
        with group.leader().connect() as client:
            audit.open_accounts(client)
        ends = time.monotonic() + LONGEST_S
        took = []
        while len(took) < cycles and time.monotonic() < ends:
            took.append(one_cycle(group, writers, audit, rng))
        check.true(group.wait_until_equal(), "all servers come to have the same data")
        with group.wait_for_leader().connect() as client:
            audit.run(client, everything=True)
        acknowledged = sum(w.acknowledged for w in writers)
        strange = sorted({s for w in writers for s in w.strange})
    print(f"{nodes} node(s): {len(took)} cycles, {acknowledged} acknowledgements, "
          f"{audit.lost} lost, {audit.half} half scripts, {audit.extra} out of nowhere; until it "
          f"writes again: median {statistics.median(took) * 1000:.0f} ms, "
          f"longest {max(took) * 1000:.0f} ms", flush=True)
    for line in audit.told:
        print(line)
    check.true(acknowledged > len(took), "something was acknowledged")
    check.equal(audit.lost, 0, f"{nodes} node(s): what was acknowledged is there")
    check.equal(audit.half, 0, f"{nodes} node(s): no script has happened in part")
    check.equal(audit.extra, 0, f"{nodes} node(s): nothing is there that nobody has written")
    check.equal(strange, [], f"{nodes} node(s): no other errors")


def main():
    check = Check()
    run_seed = seed()
    rng = random.Random(run_seed)
    for nodes, cycles in ((1, ALONE), (3, TOGETHER)):
        with check.part(f"{nodes} node(s)"):
            kill_again_and_again(check, rng, nodes, cycles, run_seed)
    check.finish()


if __name__ == "__main__":
    main()
