"""What tests in Python share: servers, clients, counted checks, seeds.

A test program starts with

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
    from server import Check, Server

and runs by itself: MOONLATCH_SERVER=build/moonlatch-server test/server/NAME.py
"""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# How many times longer than in CI a random test is to run.
SOAK = int(os.environ.get("SOAK", "1"))

# What servers are started with, unless a test says otherwise. Most tests are about what
# requests do, and need no log; MOONLATCH_DURABILITY=strict gives them one all the same.
DEFAULTS = {"save": "", "durability": os.environ.get("MOONLATCH_DURABILITY", "none")}

# A bound against hanging for ever; nothing is measured by it. The sanitizers, and
# a machine that has much else to do, may slow a server down tenfold.
PATIENCE_S = 60


def seed():
    """Returns the seed of this run, and prints it, so that a failure can be had again."""
    value = int(os.environ.get("SEED") or random.SystemRandom().getrandbits(32))
    print(f"SEED={value}", flush=True)
    return value


# Replies. Bulks are bytes, integers int, nil is None, arrays list; what else there
# is has a type of its own, so that two replies are equal only if the bytes were.


class Status(bytes):
    """A simple string: +OK."""


class Error(bytes):
    """An error reply. It is given back like any other, not raised."""


class Verbatim(bytes):
    """A verbatim string, with its format before the colon."""


class BigNumber(bytes):
    """A number that is too big for an integer."""


class Map(list):
    """A map, as a list of pairs in their order."""


class Set(list):
    """A set, as a list in its order."""


class Push(list):
    """What the server sends unasked."""


class Attributes(list):
    """What is said about the reply that follows."""


AGGREGATES = {ord("*"): list, ord("~"): Set, ord(">"): Push}
PAIRED = {ord("%"): Map, ord("|"): Attributes}
SIMPLE = {ord("+"): Status, ord("-"): Error, ord("("): BigNumber}


def encode(args):
    """Returns a request as a client sends it."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        if not isinstance(arg, bytes):
            arg = str(arg).encode("utf-8", "surrogateescape")
        parts += (b"$%d\r\n" % len(arg), arg, b"\r\n")
    return b"".join(parts)


class Client:
    """A connection that sends what it is told to, and nothing else."""

    def __init__(self, address, timeout=PATIENCE_S):
        """Connects to (host, port), or to the path of a Unix socket."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = bytearray()
        self.at = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *args):
        self.send_raw(encode(args))

    def call(self, *args):
        """Sends one request and returns its reply."""
        self.send(*args)
        return self.read()

    def call_many(self, requests):
        """Sends requests in one go and returns their replies."""
        self.send_raw(b"".join(map(encode, requests)))
        return [self.read() for _ in requests]

    def receive(self):
        """Receives some bytes. Raises ConnectionError if there will be none."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        self.input += data

    def take(self, count):
        """Returns the next `count` bytes."""
        while len(self.input) - self.at < count:
            self.receive()
        self.at += count
        return bytes(self.input[self.at - count : self.at])

    def take_line(self):
        """Returns the next line without its end."""
        while (end := self.input.find(b"\r\n", self.at)) < 0:
            self.receive()
        line = bytes(self.input[self.at : end])
        self.at = end + 2
        return line

    def take_bulk(self, length):
        if length < 0:
            return None
        content = self.take(length + 2)
        assert content.endswith(b"\r\n"), "a bulk is not as long as it says"
        return content[:-2]

    def parse(self):
        line = self.take_line()
        kind, rest = line[0], line[1:]
        if kind in SIMPLE:
            return SIMPLE[kind](rest)
        if kind == ord(":"):
            return int(rest)
        if kind == ord("$"):
            return self.take_bulk(int(rest))
        if kind == ord("="):
            return Verbatim(self.take_bulk(int(rest)))
        if kind == ord("_"):
            return None
        if kind == ord("#"):
            return {b"t": True, b"f": False}[rest]
        if kind == ord(","):
            return float(rest)
        if kind in AGGREGATES:
            length = int(rest)
            return None if length < 0 else AGGREGATES[kind](self.parse() for _ in range(length))
        if kind in PAIRED:
            return PAIRED[kind]((self.parse(), self.parse()) for _ in range(int(rest)))
        raise ValueError(f"this is no reply: {line[:80]!r}")

    def read(self):
        """Returns the next reply. Raises ConnectionError if there is none, and
        TimeoutError if none comes."""
        reply = self.parse()
        if self.at > 1 << 16 or self.at == len(self.input):
            del self.input[: self.at]
            self.at = 0
        return reply

    def read_raw(self):
        """Returns the bytes of the next reply."""
        start = self.at
        self.parse()
        raw = bytes(self.input[start : self.at])
        del self.input[: self.at]
        self.at = 0
        return raw

    def call_raw(self, *args):
        self.send(*args)
        return self.read_raw()

    def call_many_raw(self, requests):
        """Sends requests in one go and returns the bytes of their replies."""
        mark = b"behind the last of them"
        end = b"$%d\r\n%s\r\n" % (len(mark), mark)
        self.send_raw(b"".join(map(encode, [*requests, ["ECHO", mark]])))
        while not self.input.endswith(end):
            self.receive()
        raw = bytes(self.input[self.at : -len(end)])
        self.input.clear()
        self.at = 0
        return raw

    def read_to_end(self):
        """Returns all that comes until the server closes the connection."""
        with contextlib.suppress(ConnectionError):
            while True:
                self.receive()
        rest = bytes(self.input[self.at :])
        self.input.clear()
        self.at = 0
        return rest

    def is_closed(self, within_s=PATIENCE_S):
        """Returns whether the server closes the connection within that time.
        What it sends before that is dropped."""
        self.socket.settimeout(within_s)
        try:
            self.read_to_end()
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(PATIENCE_S)


def info(client, name):
    """Returns a number that INFO tells."""
    for line in client.call("INFO").split(b"\r\n"):
        if line.startswith(name.encode() + b":"):
            return int(line.split(b":")[1])
    raise ValueError(f"INFO does not tell {name}")


def wait_until(holds):
    """Waits until something holds that must come to hold. Returns whether it does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# Servers.


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def flags_of(options):
    """Makes flags of options: maxclients=10 is --maxclients 10, and '_' is a '-'."""
    flags = []
    for name, value in options.items():
        flags += ["--" + name.replace("_", "-"), str(value)]
    return flags


class Server:
    """A server process on a free port, in a directory of its own.

        with Server(script_time_limit=50) as server, server.connect() as client:
            client.call("PING")

    stop(), or the end of the with block, ends it, and raises an AssertionError with
    its log if it has not lived and ended well: crashes and what the sanitizers
    report surface there."""

    def __init__(self, program=None, **options):
        self.program = program or os.environ["MOONLATCH_SERVER"]
        self.program = shutil.which(self.program) or self.program
        self.program = str(pathlib.Path(self.program).absolute())
        self.options = options
        self.password = options.get("requirepass")
        self.directory = tempfile.mkdtemp(prefix="moonlatch-test-")
        self.log_path = pathlib.Path(self.directory, "log.txt")
        self.process = None
        for _ in range(5):  # Somebody else may take the port before we do.
            if self.start():
                return
        log = self.log()
        self.remove()
        raise AssertionError(f"the server does not start:\n{log}")

    def start(self):
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        arguments = [self.program, "--port", str(self.port), "--dir", self.directory]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                arguments + flags_of({**self.defaults(), **self.options}),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self.wait_until_it_answers()

    def defaults(self):
        """Returns the options that the test has not set: others' servers have no log."""
        is_ours = "moonlatch" in pathlib.Path(self.program).name
        return DEFAULTS if is_ours else {"save": ""}

    def wait_until_it_answers(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with Client(self.address) as client:
                    reply = client.call("PING")  # Perhaps that a password is missing.
                if not (isinstance(reply, Error) and reply.startswith(b"LOADING")):
                    return True
            except OSError:
                time.sleep(0.01)
        self.process.kill()
        self.process.wait()
        return False

    def __enter__(self):
        return self

    def __exit__(self, exception_type, *_):
        try:
            self.stop()
        except AssertionError as error:
            if exception_type is None:
                raise
            print(error)  # What went wrong first is on its way already.

    def connect(self):
        client = Client(self.address)
        if self.password:
            client.call("AUTH", self.password)
        return client

    @property
    def pid(self):
        return self.process.pid

    def is_sanitized(self):
        """Returns whether the program has been built with AddressSanitizer."""
        return b"__asan_init" in pathlib.Path(self.program).read_bytes()

    def is_alive(self):
        return self.process.poll() is None

    def resident_kib(self):
        """Returns how much memory of the process is resident."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def mappings(self):
        """Returns how many mappings the process has."""
        return len(pathlib.Path(f"/proc/{self.pid}/maps").read_text().splitlines())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        """Ends the server, if it still runs, and checks that it ends well."""
        if self.process is None:
            return
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        self.wait()

    def wait(self):
        """Waits for a server that has been told to end, and checks that it ends well."""
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = "none: it did not end"
            self.process.kill()
            self.process.wait()
        self.process = None
        log = self.log()
        self.remove()
        if status != 0:
            raise AssertionError(
                f"exit status of the server: {status}; its log ends:\n{log[-20000:]}")


# Checks.


class Check:
    """Counts checks that hold and that do not, and goes on after either."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0

    def true(self, condition, what):
        """Counts whether a condition holds. `what` says what does, or did not."""
        if condition:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}", flush=True)
        return bool(condition)

    def equal(self, got, expected, what):
        return self.true(
            got == expected and type(got) is type(expected),
            f"{what}\n    expected: {shorten(expected)}\n    got:      {shorten(got)}")

    def starts(self, got, prefix, what):
        """Checks that a reply is an error which begins so."""
        return self.true(
            isinstance(got, Error) and got.startswith(prefix),
            f"{what}\n    expected: an error {prefix!r}\n    got:      {shorten(got)}")

    def skip(self, what, reason):
        self.skipped += 1
        print(f"skipped: {what}: {reason}", flush=True)

    @contextlib.contextmanager
    def part(self, what):
        """Runs a part of a test, of which an exception is a failure."""
        try:
            yield
        except (AssertionError, OSError, ValueError) as error:
            self.true(False, f"{what}: {type(error).__name__}: {error}")

    def finish(self):
        """Prints the closing line, and exits."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        sys.exit(self.failed > 0)


def shorten(value, length=400):
    text = repr(value)
    return f"{type(value).__name__} " + (text if len(text) <= length else text[:length] + "...")
