"""Servers that form a group, and what may happen to them: they are killed, stopped, cut off
from each other, and come back.

    with Group(3) as group:
        leader = group.leader()
        leader.kill()
        group.wait_for_leader()
        leader.start()
        group.wait_until_equal()

A node keeps its directory and its ports from one life to the next. With a Network each node
has an address of its own, and any direction between two of them can be cut.
"""

import contextlib
import ctypes
import mmap
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from server import PATIENCE_S, Client, Error, flags_of

SECRET = "what the servers of a test prove that they know"
OPTIONS = {"save": "", "protected-mode": "no", "enable-debug-command": "yes",
           "raft-secret": SECRET}

LOOPBACK = "127.0.0.1"
PEER_OFFSET = 10000

# How often a server is asked that may not be there yet.
POLL_S = 0.002


def wait_until(holds, within_s=PATIENCE_S, every_s=0.01):
    """Waits until holds() returns something true, and returns that; or None if it does not."""
    deadline = time.monotonic() + within_s
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(every_s)


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count):
    """Returns ports that are free, as are the ones for peers above them."""
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 30000)
        if port not in found and is_free(port) and is_free(port + PEER_OFFSET):
            found.append(port)
    return found


class WallClock:
    """The wall clock of one node, which can be set. A library that is loaded into its server
    (wallclock.c) adds to the time what this says; None if it has not been built."""

    LIBRARY = os.environ.get("MOONLATCH_WALLCLOCK")

    def __init__(self, path):
        self.path = path
        pathlib.Path(path).write_bytes(struct.pack("q", 0))

    def environment(self):
        return {"LD_PRELOAD": self.LIBRARY, "MOONLATCH_WALLCLOCK_FILE": str(self.path)}

    def move(self, seconds):
        with open(self.path, "r+b") as file, mmap.mmap(file.fileno(), 8) as offset:
            offset[:8] = struct.pack("q", int(seconds * 1e9))


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """A server must not outlive the test that has started it: the thread of it, says the
    kernel, so that only the main thread may start servers."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    """A server, in a directory of its own. The first one begins the group; others, and whichever
    takes the place of one that was removed, wait until they are told to join."""

    def __init__(self, number, directory, address, network=None, program=None, **options):
        self.number = number
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.address = address
        self.network = network
        program = program or os.environ["MOONLATCH_SERVER"]
        self.program = str(pathlib.Path(shutil.which(program) or program).absolute())
        self.is_ours = "moonlatch" in pathlib.Path(self.program).name
        self.options = options
        self.log_path = self.directory / "log.txt"
        self.clock = WallClock(self.directory / "clock") if WallClock.LIBRARY else None
        self.begins = number == 1
        self.process = None
        self.paused = False
        self.started = 0

    def __repr__(self):
        return f"node {self.number}"

    @property
    def name(self):
        """Where clients connect, as text."""
        return "%s:%d" % self.address

    def command(self):
        own = {"port": self.address[1], "dir": self.directory}
        if self.is_ours:
            own |= OPTIONS | ({} if self.begins else {"raft-bootstrap": "no"})
        if self.network is not None:
            own |= {"bind": self.address[0], "raft-announce": self.address[0]}
        command = [self.program, *flags_of({**own, **self.options})]
        return command if self.network is None else self.network.command(self.number, command)

    def start(self):
        """Starts the server, and does not wait for it."""
        assert self.process is None, f"{self} runs already"
        environment = {**os.environ, **(self.clock.environment() if self.clock else {})}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, preexec_fn=die_with_parent)
        self.started = time.monotonic()
        self.paused = False

    def is_running(self):
        """Returns whether there is a process. One that has ended by itself is a failure."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"{self} has ended, with status {self.process.returncode}; "
                                 f"its log ends:\n{self.log()[-8000:]}")
        return self.process is not None

    def kill(self):
        """Ends it as the kernel does that runs out of memory."""
        self.is_running()
        self.process.kill()
        self.process.wait()
        self.process = None
        self.paused = False

    def stop(self):
        """Ends it as an operator does, and checks that it ends well."""
        if not self.is_running():
            return
        self.resume()
        self.process.terminate()
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "none: it did not end"
        self.process = None
        if status != 0:
            raise AssertionError(f"exit status of {self}: {status}; its log ends:\n"
                                 f"{self.log()[-8000:]}")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def forget(self):
        """Removes all that it had on its disk. It has to be down."""
        assert self.process is None
        self.begins = False
        shutil.rmtree(self.directory)
        self.directory.mkdir()
        if self.clock:
            self.clock = WallClock(self.directory / "clock")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def connect(self, timeout=PATIENCE_S):
        return Client(self.address, timeout)

    def ask(self, *request, timeout=1):
        """Sends one request on a connection of its own. Returns None if nothing comes back."""
        with contextlib.suppress(OSError), self.connect(timeout) as client:
            return client.call(*request)
        return None

    def info(self):
        """Returns what INFO raft tells, all of it text; {} if it does not answer."""
        reply = self.ask("INFO", "raft")
        if not isinstance(reply, bytes) or isinstance(reply, Error):
            return {}
        pairs = (line.split(":", 1) for line in reply.decode().split("\r\n") if ":" in line)
        return dict(pairs)

    def id(self):
        return int(self.info()["raft_node_id"])

    def leads(self):
        reply = self.ask("ROLE")
        return isinstance(reply, list) and reply[0] == b"master"

    def wait_until_it_writes(self, within_s=PATIENCE_S):
        """Waits until it has acknowledged a write. Returns how many seconds it took since
        it was started, or None."""
        def writes():
            if not self.is_running():
                return False
            reply = self.ask("SET", "probe", "x", timeout=PATIENCE_S)
            return reply is not None and not isinstance(reply, Error)
        if wait_until(writes, within_s, POLL_S):
            return time.monotonic() - self.started
        return None


class Group:
    """Servers that share one log. The first starts alone, and the others join it."""

    def __init__(self, count, network=None, forms=True, **options):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="moonlatch-group-"))
        self.network = network
        self.options = options
        self.nodes = []
        ports = free_ports(count)
        for i in range(count):
            self.add_node(ports[i])
        if forms:
            try:
                self.form()
            except BaseException:
                self.end()
                raise

    def add_node(self, port):
        number = len(self.nodes) + 1
        host = self.network.host(number) if self.network else LOOPBACK
        node = Node(number, self.directory / f"node{number}", (host, port), self.network,
                    **self.options)
        self.nodes.append(node)
        return node

    def __enter__(self):
        return self

    def __exit__(self, exception_type, *_):
        if exception_type is not None:
            self.tell()
        try:
            self.end()
        except AssertionError as error:
            if exception_type is None:
                raise
            print(error)

    def tell(self):
        """Prints how it stands with the nodes, for who has to find out what went wrong."""
        for node in self.nodes:
            print(f"{node}, {node.name}: running: {node.process is not None}, {node.info()}; its "
                  f"log ends:\n{node.log()[-3000:]}", flush=True)

    def end(self):
        """Ends all nodes, and checks that they end well."""
        problems = []
        for node in self.nodes:
            try:
                node.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        shutil.rmtree(self.directory, ignore_errors=True)
        if problems:
            raise AssertionError("\n".join(problems))

    # Membership.

    def form(self):
        first, *others = self.nodes
        first.start()
        if first.wait_until_it_writes() is None:
            raise AssertionError(f"{first} does not start:\n{first.log()}")
        for node in others:
            node.start()
            self.join(node)

    def join(self, node):
        """Has a node that is new become a voter of the group."""
        if not wait_until(lambda: node.is_running() and node.ask("PING") == b"PONG"):
            raise AssertionError(f"{node} does not start:\n{node.log()}")
        leader = wait_until(lambda: self.leader(but=node))
        reply = node.ask("RAFT", "JOIN", leader.name, timeout=PATIENCE_S)
        if isinstance(reply, Error) or reply is None:
            raise AssertionError(f"{node} cannot join: {reply!r}")
        if not wait_until(lambda: self.votes(node), 5):
            self.leader_does("RAFT", "PROMOTE", node.id())
            if not wait_until(lambda: self.votes(node)):
                raise AssertionError(f"{node} does not become a voter")

    def votes(self, node):
        """Returns whether the leader says that a node is a voter."""
        leader = self.leader(but=node)
        if leader is None:
            return False
        told = leader.info()
        own = node.info().get("raft_node_id")
        return any(name.startswith("raft_peer") and f"id={own}," in text and "role=voter" in text
                   for name, text in told.items())

    def leader_does(self, *request, done=b"-"):
        """Has whoever leads do something. Leadership may move on meanwhile, and what was
        asked for may have been done before: that is what an error that begins so says."""
        reply = None

        def is_done():
            nonlocal reply
            leader = self.leader()
            reply = leader.ask(*request, timeout=PATIENCE_S) if leader else None
            return reply is not None and (not isinstance(reply, Error) or reply.startswith(done))

        if not wait_until(is_done, 20, 0.1):
            raise AssertionError(f"{request}: {reply!r}")
        return reply

    def remove(self, node):
        """Removes a node from the group, ends it, and removes its data."""
        self.leader_does("RAFT", "REMOVE", node.id(), done=b"ERR There is no server")
        if node.is_running():
            node.kill()
        node.forget()

    # Leaders.

    def running(self):
        return [n for n in self.nodes if n.is_running() and not n.paused]

    def leader(self, but=None):
        """Returns the node that leads: of those that believe so, the one of the latest term.
        One that has not joined yet leads itself, and is not meant."""
        leaders = [n for n in self.running() if n is not but and n.leads()]
        if len(leaders) > 1:
            leaders.sort(key=lambda n: int(n.info().get("raft_term", 0)))
        return leaders[-1] if leaders else None

    def wait_for_leader(self, within_s=PATIENCE_S):
        leader = wait_until(self.leader, within_s)
        if leader is None:
            raise AssertionError("the group has no leader")
        return leader

    def followers(self):
        leader = self.leader()
        return [n for n in self.running() if n is not leader]

    # Data.

    def state(self, node):
        """Returns (index, digest) of a node, of the same moment; None if it is busy."""
        before = node.info().get("raft_applied_index")
        digest = node.ask("DEBUG", "DIGEST", timeout=PATIENCE_S)
        after = node.info().get("raft_applied_index")
        is_digest = isinstance(digest, bytes) and not isinstance(digest, Error)
        return (before, digest) if is_digest and before is not None and before == after else None

    def are_equal(self):
        states = [self.state(node) for node in self.running()]
        return None not in states and len(set(states)) == 1

    def wait_until_equal(self, within_s=PATIENCE_S):
        """Waits until all nodes that run have the same data at the same index: nobody may
        write meanwhile. Returns whether they come to that."""
        return bool(wait_until(self.are_equal, within_s, 0.05))


# Networks.


def enter_own_network():
    """Goes on, by starting the program again, in namespaces of its own for the network and
    for mounts, where it may do as it likes, and which go away with it. Returns why that is
    not possible, or None."""
    if os.environ.get("MOONLATCH_OWN_NETWORK") == "yes":
        return None
    for program in ("unshare", "ip"):
        if shutil.which(program, path=search_path()) is None:
            return f"there is no {program}"
    unshare = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
    trial = subprocess.run([*unshare, "sh", "-c", f"{PREPARE} && ip link add name br0 type bridge"],
                           env=own_environment(), capture_output=True)
    if trial.returncode != 0:
        return trial.stderr.decode().strip().split("\n")[-1]
    sys.stdout.flush()
    os.execvpe("unshare", [*unshare, "sh", "-c", f'{PREPARE} && exec "$@"', "sh",
                           sys.executable, *sys.argv], own_environment())


PREPARE = "mount -t tmpfs tmpfs /run && ip link set lo up"


def search_path():
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


def own_environment():
    return {**os.environ, "PATH": search_path(), "MOONLATCH_OWN_NETWORK": "yes"}


class Network:
    """A network namespace for each node, and a bridge that joins them and this process.

    A direction between two nodes is cut by telling the one a hardware address of the other
    that nobody has: its packets then go nowhere, silently."""

    PREFIX = "10.77.0."
    NOBODY = "02:00:00:00:00:99"

    def __init__(self, count):
        self.count = count
        self.cuts = set()
        self.ip("link add name br0 type bridge")
        self.ip(f"address add {self.PREFIX}254/24 dev br0")
        self.ip("link set br0 up")
        for i in range(1, count + 1):
            self.add(i)

    def ip(self, words):
        done = subprocess.run(["ip", *words.split()], capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"ip {words}: {done.stderr.decode().strip()}")

    def add(self, number):
        self.ip(f"netns add n{number}")
        self.ip(f"link add name v{number} type veth peer name eth0 netns n{number}")
        self.ip(f"link set v{number} master br0 up")
        self.ip(f"-n n{number} link set lo up")
        self.ip(f"-n n{number} address add {self.host(number)}/24 dev eth0")
        self.ip(f"-n n{number} link set eth0 up")

    def host(self, number):
        return f"{self.PREFIX}{number}"

    def command(self, number, command):
        return ["ip", "netns", "exec", f"n{number}", *command]

    def cut(self, one, other):
        """Has nothing from `one` reach `other`."""
        self.cuts.add((one, other))
        self.ip(f"-n n{one} neighbour replace {self.host(other)} lladdr {self.NOBODY} "
                "dev eth0 nud permanent")

    def part(self, ones, others):
        """Cuts both directions between any of those and any of these."""
        for one in ones:
            for other in others:
                self.cut(one, other)
                self.cut(other, one)

    def heal(self):
        for one, other in self.cuts:
            self.ip(f"-n n{one} neighbour del {self.host(other)} dev eth0")
        self.cuts.clear()
