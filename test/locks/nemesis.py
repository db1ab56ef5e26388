"""Who stops and kills players and servers, by dice, and writes down when."""

import collections
import heapq
import itertools
import mmap
import multiprocessing
import os
import signal
import time

from cluster import die_with_parent
from player import HOLDS, WAITS, Player
from record import S, now

# A pause that is longer than the lease, by how much.
BEYOND_TTL = (1.1, 2.5)


class Setup:
    """What all players of a run share."""

    def __init__(self, seed, directory, addresses, specs, texts, players, **more):
        self.seed = seed
        self.directory = directory
        self.addresses = addresses
        self.specs = specs
        self.texts = texts
        self.players = players
        self.resource = None
        self.together = []  # Names that multi-locks are made of.
        self.blocks = True  # Whether the server keeps requests that have to wait,
        self.has_library = True  # and knows the scripts by name.
        self.rest_ms = 4
        self.copies = True  # Whether late copies of requests arrive.
        self.late = ("renew", "release", "none")
        self.program = None  # A player that uses libmoonlatch; every other player is of that kind.
        vars(self).update(more)
        self.numbers = os.memfd_create("players", 0)
        os.ftruncate(self.numbers, 8 * players)
        self.states = memoryview(mmap.mmap(self.numbers, 8 * players)).cast("q")

    def arguments(self, name, number):
        """Returns the arguments of player.c."""
        specs = [f"{s['kind']}:{s['ttl']}:{s.get('delay', 0)}:{s.get('capacity', 1)}:"
                 + ",".join(s["names"]) for s in self.specs]
        servers = ",".join("%s:%d" % address for address in self.addresses)
        return [name, str(number), str(self.seed), str(self.directory), servers, self.resource,
                str(self.numbers), *specs]

    @property
    def longest_ttl_ms(self):
        return max(spec["ttl"] for spec in self.specs)


def play(setup, name, number):
    """What a process does that is a player: in Python, or as a program that uses libmoonlatch."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if setup.program is not None and number % 2 == 0:
        os.execv(setup.program, [setup.program, *setup.arguments(name, number)])
    try:
        Player(name, number, setup).run()
    except AssertionError as problem:
        print(f"{name}: {problem}", flush=True)


class Troupe:
    """The players, of whom each has another name in each of its lives."""

    def __init__(self, setup):
        self.setup = setup
        self.lives = itertools.count(1)
        self.names = {}
        self.processes = {}
        self.paused = set()
        for number in range(setup.players):
            self.start(number)

    def start(self, number):
        name = f"p{number}-{next(self.lives)}"
        self.setup.states[number] = 0
        process = multiprocessing.get_context("fork").Process(
            target=play, args=(self.setup, name, number), daemon=True)
        process.start()
        self.names[number], self.processes[number] = name, process

    def check(self):
        """Nobody ends by himself: what has gone wrong is in his output."""
        for number, process in self.processes.items():
            if not process.is_alive():
                raise AssertionError(f"player {self.names[number]} has ended")

    def signal(self, number, kind):
        os.kill(self.processes[number].pid, kind)

    def kill(self, number):
        """Returns when it was still alive."""
        alive = now()
        self.processes[number].kill()
        self.processes[number].join()
        return alive

    def among(self, state):
        """Returns those who were in that state a moment ago, or whoever is not stopped."""
        free = [n for n in self.processes if n not in self.paused]
        return [n for n in free if self.setup.states[n] == state] or free

    def end(self):
        for number in self.processes:
            self.kill(number)


class Nemesis:
    """Strikes players, of whom several may be stopped at a time; servers.py strikes servers."""

    def __init__(self, troupe, recorder, rng):
        self.troupe = troupe
        self.recorder = recorder
        self.rng = rng
        self.counts = collections.Counter()
        self.long_pauses = 0  # Those of players that were longer than the leases.
        self.to_resume = []

    def kinds(self):
        return 4 * [self.pause_holder] + [self.pause_waiter, self.kill_holder, self.kill_waiter]

    def strike(self):
        kind = self.rng.choice(self.kinds())
        self.counts[kind.__name__] += 1
        kind()

    def fault(self, kind, target, begin):
        """Notes a fault that is over now. `target` is a player, or "all"."""
        self.recorder.write("fault", kind=kind, target=target, begin=begin)

    def pause_holder(self):
        self.pause(HOLDS)

    def pause_waiter(self):
        self.pause(WAITS)

    def pause(self, state):
        number = self.rng.choice(self.troupe.among(state))
        if len(self.troupe.paused) > self.troupe.setup.players // 3:
            return
        begin = now()
        self.troupe.signal(number, signal.SIGSTOP)
        self.troupe.paused.add(number)
        for_s = self.rng.uniform(*BEYOND_TTL) * self.troupe.setup.longest_ttl_ms / 1000
        heapq.heappush(self.to_resume, (begin + int(for_s * S), number, begin))

    def resume(self, all_of_them=False):
        """Lets those go on whose time has come."""
        while self.to_resume and (all_of_them or self.to_resume[0][0] <= now()):
            _, number, begin = heapq.heappop(self.to_resume)
            self.troupe.signal(number, signal.SIGCONT)
            self.troupe.paused.remove(number)
            self.fault("pause player", self.troupe.names[number], begin)
            self.long_pauses += now() - begin > self.troupe.setup.longest_ttl_ms * S // 1000

    def kill_holder(self):
        self.kill(HOLDS)

    def kill_waiter(self):
        self.kill(WAITS)

    def kill(self, state):
        free = [n for n in self.troupe.among(state) if n not in self.troupe.paused]
        number = self.rng.choice(free)
        name = self.troupe.names[number]
        alive = self.troupe.kill(number)
        self.recorder.write("kill", player=name, t=alive)
        self.fault("kill player", name, alive)
        self.troupe.start(number)

    def rest(self, for_s):
        """Waits, and lets players go on meanwhile."""
        ends = time.monotonic() + for_s
        while time.monotonic() < ends:
            self.resume()
            time.sleep(min(0.01, for_s))


class ServerNemesis(Nemesis):
    """Strikes a group of servers too, of which one is a group as well."""

    def __init__(self, troupe, recorder, rng, group, network=None, faults=()):
        super().__init__(troupe, recorder, rng)
        self.group = group
        self.network = network
        self.faults = [getattr(self, name) for name in faults]

    def kinds(self):
        """Players are struck more often than servers, whose faults strike everybody."""
        return 2 * super().kinds() + self.faults

    def with_fault(self, act, kind):
        begin = now()
        act()
        self.fault(kind, "all", begin)

    # What servers are asked for.

    def ask_all(self, *request):
        for node in self.group.running():
            node.ask(*request)

    def flush_scripts(self):
        self.with_fault(lambda: self.ask_all("SCRIPT", "FLUSH"), "flush scripts")

    def cut_clients(self):
        self.with_fault(lambda: self.ask_all("CLIENT", "KILL", "TYPE", "normal"), "cut clients")

    def transfer(self):
        self.with_fault(lambda: self.group.wait_for_leader().ask("RAFT", "TRANSFER", timeout=5),
                        "transfer")

    def move_clock(self):
        node = self.rng.choice(self.group.nodes)
        self.with_fault(lambda: node.clock.move(self.rng.choice([-3600, 0, 3600])), "move clock")

    def forget_free(self):
        """Has the server lose records of locks that nobody has, as by eviction. With them it
        forgets which requests it has answered, so that there must be no late copies."""
        self.with_fault(lambda: self.ask_all("EVAL", FORGET, 0), "forget")

    # What is done to processes.

    def kill_nodes(self, nodes, down_s, kind):
        begin = now()
        for node in nodes:
            node.kill()
        self.rest(down_s)
        for node in nodes:
            node.start()
        self.group.wait_for_leader()
        self.fault(kind, "all", begin)

    def kill_leader(self):
        self.kill_nodes([self.group.wait_for_leader()], self.rng.uniform(0.3, 1.5), "kill leader")

    def kill_follower(self):
        node = self.rng.choice(self.group.followers())
        self.kill_nodes([node], self.rng.uniform(0, 1), "kill follower")

    def kill_all(self):
        """How long no server was at work only wall clocks can tell: they must be right then."""
        for node in self.group.nodes:
            if node.clock is not None:
                node.clock.move(0)
        self.kill_nodes(self.group.nodes, self.rng.uniform(0, 0.5), "kill all")

    def pause_node(self, node, kind):
        begin = now()
        node.pause()
        self.rest(self.rng.choice([0.1, 0.5, 0.5, 2]))
        node.resume()
        self.fault(kind, "all", begin)

    def pause_leader(self):
        self.pause_node(self.group.wait_for_leader(), "pause leader")

    def pause_follower(self):
        self.pause_node(self.rng.choice(self.group.followers()), "pause follower")

    # What is done to the network.

    def cut_leader_off(self):
        self.part(self.group.wait_for_leader(), "cut leader off")

    def cut_follower_off(self):
        self.part(self.rng.choice(self.group.followers()), "cut follower off")

    def part(self, node, kind):
        """Cuts a server off from the others, and not from clients, who may believe it."""
        begin = now()
        others = [n.number for n in self.group.nodes if n is not node]
        self.network.part([node.number], others)
        self.heal_later(begin, kind)

    def cut_one_way(self):
        begin = now()
        one, other = self.rng.sample(self.group.nodes, 2)
        self.network.cut(one.number, other.number)
        self.heal_later(begin, "cut one way")

    def heal_later(self, begin, kind):
        self.rest(self.rng.uniform(0.5, 2))
        self.network.heal()
        self.group.wait_for_leader()
        self.fault(kind, "all", begin)


FORGET = """
for _, key in ipairs(redis.call('KEYS', 'lock:*')) do
    if redis.call('TYPE', key).ok == 'string' then
        local kind, count = string.match(redis.call('GET', key), '(%S+) %S+ %S+ %S+ (%S+)')
        if count == '0' and kind ~= 'semaphore' and kind ~= 'rw' then
            redis.call('DEL', key)
        end
    end
end"""
