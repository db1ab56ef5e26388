"""The servers that are compared: how they are started, asked and looked at."""

import contextlib
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = "moonlatch"
SAME_FOR_ALL = "--port {port} --dir {dir} --bind 127.0.0.1 --save ''"
COMMAND_LINES = {
    # Scripts fill the keys, with millions of writes each.
    OURS: f"{{program}} {SAME_FOR_ALL} --durability none --script-undo-limit 0",
    "redis": f"{{program}} {SAME_FOR_ALL} --appendonly no",
    "valkey": f"{{program}} {SAME_FOR_ALL} --appendonly no",
}
# Enough to keep a server busy, and little enough for the sockets' buffers to hold, so
# that neither side waits for the other to read.
BATCH = 500


class Refused(Exception):
    """An error that a server has answered."""


class Connection:
    """A client that sends many commands at once and reads RESP2."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.input = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.socket.close()

    def ask(self, *words):
        """Sends one command and returns its reply."""
        self.socket.sendall(encode(words))
        return self.read()

    def send_all(self, commands):
        """Sends the encoded commands at once and reads the replies; none may be an error."""
        self.socket.sendall(b"".join(commands))
        for _ in commands:
            self.read()

    def read(self):
        """Reads a reply: bytes, an int, None or a list of these. Raises Refused."""
        line = self.input.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.input.read(int(rest) + 2)[:-2]
        return [self.read() for _ in range(int(rest))]

    def info(self, section):
        """Returns a section of INFO as a dict, an empty one if there is no INFO."""
        try:
            lines = self.ask("INFO", section).decode().splitlines()
        except Refused:
            return {}
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Server:
    """A running server with an empty directory of its own, on one CPU, or on any if
    `cpu` is None."""

    def __init__(self, name, words, cpu, directory):
        self.name = name
        self.port = free_port()
        self.log = pathlib.Path(directory, "log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [word.format(port=self.port, dir=directory) for word in words],
                stdout=log, stderr=log,
                preexec_fn=cpu is not None and (lambda: os.sched_setaffinity(0, {cpu})) or None)

    def connect(self):
        return Connection(self.port)

    def wait_until_ready(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                with self.connect() as connection:
                    return connection.ask("PING")
            except (OSError, Refused) as problem:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.name} does not start ({problem}):\n"
                                     f"{self.log.read_text()}") from problem
            time.sleep(0.02)

    def cpu_ns(self):
        """The CPU time that all of its threads have used. The scheduler counts it in
        nanoseconds, where stat has only ticks of 10 ms."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in tasks)

    def rss_bytes(self):
        """Its resident memory, counted page by page: the sum in status lags behind."""
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(rollup.partition("\nRss:")[2].split()[0]) * 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def encode(words):
    """A command as a client sends it."""
    parts = [f"*{len(words)}\r\n"]
    for word in words:
        parts.append(f"${len(word)}\r\n{word}\r\n")
    return "".join(parts).encode("ascii")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program():
    """Our server, or what is named by MOONLATCH_SERVER."""
    return os.environ.get("MOONLATCH_SERVER", str(ROOT / "build/moonlatch-server"))


def wait_for(holds, problem, seconds=20):
    """Waits until holds() is true; ends the program if it does not become that."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(problem)
        time.sleep(0.05)


def contestants():
    """The command lines, by name, of all there is to compare: ours first.

    MOONLATCH_SERVER names another program of ours, or gives a whole command line
    with {port} and, if it likes, {dir} in it."""
    programs = {
        OURS: program(),
        "redis": shutil.which("redis-server"),
        "valkey": shutil.which("valkey-server"),
    }
    lines = {}

    if programs["redis"] is None:
        raise SystemExit("redis-server is not installed; tools/setup.sh bench installs it")
    for name, program in programs.items():
        if program is not None and "{port}" in program:
            lines[name] = shlex.split(program)
        elif program is not None:
            template = shlex.split(COMMAND_LINES[name])
            lines[name] = [program if word == "{program}" else word for word in template]
    return lines


def start(stack, name, words, cpu, disk=None, kind=Server):
    """Starts a server in a new directory, on that disk if one is named; the stack stops
    it, and removes the directory, in the end."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=disk))

    try:
        server = kind(name, words, cpu, directory)
    except OSError as problem:
        raise SystemExit(f"{name} does not start: {problem}") from problem
    stack.callback(server.stop)
    return server


@contextlib.contextmanager
def running(lines, cpu):
    """Starts one server for each command line, on that CPU, and stops them in the end."""
    with contextlib.ExitStack() as stack:
        servers = [start(stack, name, words, cpu) for name, words in lines.items()]
        for server in servers:
            server.wait_until_ready()
        yield servers


def versions(servers):
    """Which servers these are, in one line."""
    words = []

    for server in servers:
        with server.connect() as connection:
            info = connection.info("server")
        version = info.get(f"{server.name}_version", info.get("redis_version", "?"))
        words.append(f"{server.name} {version}")
    return ", ".join(words)


def cpus():
    """The CPU for the servers and the one for whoever asks them: two, if there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


class Machine:
    """Tells how much of the machine others have used: what is measured beside much
    of that is only good for ratios."""

    def __init__(self):
        self.start = self.counters()

    @staticmethod
    def counters():
        """The seconds there were, that all processes used, and that we and our
        children used. A child counts once it has ended."""
        ticks = [int(number) for number in
                 pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        second = os.sysconf("SC_CLK_TCK")
        return sum(ticks) / second, (sum(ticks) - idle) / second, sum(os.times()[:4])

    def others(self):
        total, busy, own = (now - then for now, then in zip(self.counters(), self.start))
        return max(0, busy - own) / total
