#!/usr/bin/python3
"""`moonlatch lock` and its relatives: exit statuses, streams, signals, processes, and that no
command lives when its lock can have passed on.

    MOONLATCH_SERVER=... MOONLATCH=build/moonlatch WRITER=... RUNS=500 test/locks/program.py

The last part is random: several programs take turns with one lock, while they, their commands,
their guards and the server are killed and stopped. Each command writes its token and the time to a
file every few milliseconds; no token may be written behind the first line of a later one."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "lib"))
from server import PATIENCE_S, SOAK, Check, Server, seed, wait_until

PROGRAM = os.environ["MOONLATCH"]
WRITER = os.environ["WRITER"]
RUNS = int(os.environ.get("RUNS", 30 * SOAK))

LOST, UNREACHABLE, NOT_OBTAINED, USAGE = 122, 123, 124, 125

# Short, so that a lease passes while one looks.
SHORT = ["--ttl", "1200ms", "--grace", "200ms"]


class Place:
    """A server, and a directory for files."""

    def __init__(self, server):
        self.server = server
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="moonlatch-program-"))

    @property
    def address(self):
        return f"127.0.0.1:{self.server.port}"

    def line(self, *words):
        return [PROGRAM, "-h", self.address, *map(str, words)]

    def run(self, *words, **options):
        return subprocess.run(self.line(*words), capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False, **options)

    def start(self, *words, **options):
        return subprocess.Popen(self.line(*words), text=True, **options)

    def waiters(self, name):
        return int(self.status(name).get("waiters", 0))

    def status(self, name):
        found = json.loads(self.run("status", "--json", name).stdout)
        return found[0] if found else {}

    def file(self, name):
        return self.directory / name


def lives(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def children_of(pid):
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []


def name_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def guard_of(pid):
    return next((p for p in children_of(pid) if name_of(p) == "moonlatch-guard"), None)


def command_of(pid):
    return next((p for p in children_of(pid) if not name_of(p).startswith("moonlatch")), None)


def holds(place, name):
    return place.status(name).get("state") == "held"


# What a user of flock(1), env(1) and timeout(1) expects.


def exit_statuses(check, place):
    table = [
        ("its own", 7, ["lock", "a", "--", "sh", "-c", "exit 7"]),
        ("none wrong", 0, ["lock", "a", "--", "true"]),
        ("a signal's", 128 + 9, ["lock", "a", "--", "sh", "-c", "kill -9 $$"]),
        ("a command that is not there", 127, ["lock", "a", "--", "/does/not/exist"]),
        ("one that cannot be run", 126, ["lock", "a", "--", "/etc/passwd"]),
        ("no command", USAGE, ["lock", "a"]),
        ("no name", USAGE, ["lock", "--", "true"]),
        ("an option that there is not", USAGE, ["lock", "--nothing", "a", "--", "true"]),
        ("no duration", USAGE, ["lock", "--ttl", "soon", "a", "--", "true"]),
        ("a lease too short for its grace", USAGE, ["lock", "--ttl", "4s", "a", "--", "true"]),
        ("locks that share no tag", USAGE, ["lock", "a", "b", "--", "true"]),
        ("locks that do", 0, ["lock", "{t}a", "{t}b", "--", "true"]),
        ("a subcommand that there is not", USAGE, ["look", "a"]),
        ("help", 0, ["lock", "--help"]),
        ("permits", 0, ["lock", "--permits", "2/3", "s", "--", "true"]),
        ("more permits than there are", USAGE, ["lock", "--permits", "4/3", "s", "--", "true"]),
        ("to read", 0, ["lock", "-s", "rw", "--", "true"]),
        ("to write", 0, ["lock", "-x", "rw", "--", "true"]),
        ("fair", 0, ["lock", "--fair", "f", "--", "true"]),
        ("a lock of another kind", USAGE, ["lock", "s", "--", "true"]),
        ("to lead", 0, ["elect", "e", "here", "--", "true"]),
    ]
    for what, expected, words in table:
        check.equal(place.run(*words).returncode, expected, f"exit status of {what}")
    nobody = subprocess.run([PROGRAM, "-h", "127.0.0.1:1", "--timeout", "200ms", "lock", "a", "--",
                             "true"], capture_output=True, check=False, timeout=PATIENCE_S)
    check.equal(nobody.returncode, UNREACHABLE, "exit status without a server")


def streams(check, place):
    done = place.run("lock", "a", "--", "sh", "-c", "cat; echo error >&2", input="in\n")
    check.equal((done.stdout, done.stderr), ("in\n", "error\n"), "streams pass through, and no more")
    done = place.run("lock", "{t}a", "{t}b", "--", "env")
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    check.equal(told["MOONLATCH_LOCK_NAME"], "{t}a {t}b", "the names")
    check.true(int(told["MOONLATCH_LOCK_TOKEN"]) > 0, "the token")
    check.equal(told["MOONLATCH_LOCK_TTL_MS"], "30000", "the lease")
    check.equal(told["MOONLATCH_LOCK_OWNERS"], f" {told['MOONLATCH_LOCK_OWNER']} ", "the owner")


def waiting(check, place):
    holder = place.start("lock", "w", "--", "sleep", "60")
    check.true(wait_until(lambda: holds(place, "w")), "somebody has it")
    check.equal(place.run("lock", "-n", "w", "--", "true").returncode, NOT_OBTAINED, "-n")
    check.equal(place.run("lock", "-w", "0.1", "w", "--", "true").returncode, NOT_OBTAINED, "-w")
    check.equal(place.run("lock", "-n", "-E", "3", "w", "--", "true").returncode, 3, "-E")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        waiter = place.start("lock", "w", "--", "true")
        check.true(wait_until(lambda: place.waiters("w") == 1), "it waits")
        waiter.send_signal(number)
        check.equal(waiter.wait(PATIENCE_S), 128 + number, f"{number.name} ends the wait")
        check.true(wait_until(lambda: place.waiters("w") == 0), "and it is in no queue")
    waiter = place.start("lock", "w", "--", "echo", "mine", stdout=subprocess.PIPE)
    check.true(wait_until(lambda: place.waiters("w") == 1), "it waits")
    holder.send_signal(signal.SIGTERM)
    check.equal(holder.wait(PATIENCE_S), 128 + signal.SIGTERM, "the command gets the signal")
    check.equal(waiter.communicate(timeout=PATIENCE_S)[0], "mine\n", "then the next has the lock")


def signals(check, place):
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
                   signal.SIGUSR2):
        script = f"trap 'echo got; exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
        holder = place.start("lock", "sig", "--", "sh", "-c", script, stdout=subprocess.PIPE)
        check.equal(holder.stdout.readline(), "ready\n", "it runs")
        holder.send_signal(number)
        check.equal(holder.stdout.readline(), "got\n", f"{number.name} is handed on")
        check.equal(holder.wait(PATIENCE_S), 9, "and its own status is the program's")
        holder.stdout.close()


def what_is_left(check, place):
    pid_file = place.file("left")
    script = f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 60' & sleep 0.2; exit 5"
    done = place.run("lock", "l", "--", "sh", "-c", script)
    check.equal(done.returncode, 5, "the command ends")
    left = pid_file.read_text().strip()
    check.true(not lives(left), "and with it what it has started, wherever that has gone")
    check.equal(place.status("l").get("state"), "free", "the lock is free")


# The lock is lost.


class Running:
    """A program whose command writes."""

    def __init__(self, place, name, *options, away=False, ms=60000):
        self.place = place
        self.path = place.file(f"{name}-{time.monotonic_ns()}")
        away = ["away"] if away else []
        self.process = place.start("lock", *SHORT, *options, name, "--", WRITER, self.path, ms, *away,
                                   stderr=subprocess.DEVNULL)
        self.owner = None

    def wait_until_it_writes(self):
        if not wait_until(lambda: self.path.exists() and self.path.stat().st_size > 0):
            raise AssertionError("its command does not write")
        token = self.path.read_text().split()[0]
        return token

    def ended(self):
        return self.process.wait(PATIENCE_S)

    def stands_still(self):
        size = self.path.stat().st_size
        time.sleep(0.1)
        return self.path.stat().st_size == size


def taken_away(check, place):
    running = Running(place, "t", away=True)
    token = running.wait_until_it_writes()
    check.equal(place.run("release", "--token", 1, "t").returncode, NOT_OBTAINED, "another token")
    check.equal(place.run("release", "--token", token, "t").returncode, 0, "its own")
    check.equal(running.ended(), LOST, "the program tells of the loss")
    check.true(running.stands_still(), "and the command is no more")


def killed(check, place):
    for number in (signal.SIGKILL, signal.SIGSTOP):
        running = Running(place, "k", away=True)
        running.wait_until_it_writes()
        running.process.send_signal(number)
        after = place.run("lock", *SHORT, "k", "--", "date")
        check.equal(after.returncode, 0, f"behind {number.name} the lock passes on")
        check.true(running.stands_still(), "and the command is no more by then")
        running.process.kill()
        running.process.wait()


def unguarded(check, place):
    running = Running(place, "u")
    token = running.wait_until_it_writes()
    check.true(wait_until(lambda: guard_of(running.process.pid) is not None), "there is a guard")
    os.kill(guard_of(running.process.pid), signal.SIGKILL)
    check.equal(place.run("release", "--token", token, "u").returncode, 0, "it is taken away")
    check.equal(running.ended(), LOST, "the program notices without its guard")
    check.true(running.stands_still(), "and the command is no more")


def server_gone(check, place):
    with Server(durability="none") as server:
        other = Place(server)
        running = Running(other, "g", "--lock-delay", "0s")
        running.wait_until_it_writes()
        os.kill(server.pid, signal.SIGSTOP)
        check.equal(running.ended(), LOST, "without a server the lease passes")
        check.true(running.stands_still(), "and the command is no more")
        os.kill(server.pid, signal.SIGCONT)
        shutil.rmtree(other.directory)


# A12.


def last_and_first(path):
    """Returns of each token when it was first and last written; in the order of tokens."""
    spans = {}
    for line in path.read_text().splitlines():
        token, us = map(int, line.split())
        first, last = spans.get(token, (us, us))
        spans[token] = (min(first, us), max(last, us))
    return sorted(spans.items())


def strike(rng, running):
    pid = running.pid
    victim = rng.choice([lambda: pid, lambda: command_of(pid), lambda: guard_of(pid)])()
    if victim is None:
        return "nobody"
    kind = rng.choice([signal.SIGKILL, signal.SIGSTOP])
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, kind)
    return f"{kind.name} of {name_of(victim) or 'nobody'}"


def take_turns(check, place):
    """Three programs at a time want one lock; whoever has it may be struck."""
    rng = random.Random(seed())
    path = place.file("turns")
    strikes, started, alive = {}, 0, []
    while started < RUNS or alive:
        while len(alive) < 3 and started < RUNS:
            alive.append(place.start("lock", *SHORT, "turns", "--", WRITER, path,
                                     rng.randrange(20, 400), stderr=subprocess.DEVNULL))
            started += 1
        time.sleep(rng.uniform(0.01, 0.3))
        holder = next((p for p in alive if command_of(p.pid)), None)
        if holder is not None and rng.random() < 0.3:
            what = strike(rng, holder)
            strikes[what] = strikes.get(what, 0) + 1
        for program in [p for p in alive if p.poll() is not None]:
            alive.remove(program)
        for program in alive:  # One that was stopped goes on some time, perhaps behind its lease.
            if rng.random() < 0.05:
                program.send_signal(signal.SIGCONT)
    spans = last_and_first(path)
    late = [(a, b) for a, b in zip(spans, spans[1:]) if a[1][1] >= b[1][0]]
    check.equal(late, [], "no token is written behind the first line of a later one")
    check.true(len(spans) > RUNS // 3, "most of them have had the lock")
    print(f"{started} programs, {len(spans)} holds, strikes: {strikes}")


def main():
    check = Check()
    with Server() as server:
        place = Place(server)
        for part in (exit_statuses, streams, waiting, signals, what_is_left, taken_away, killed,
                     unguarded, server_gone, take_turns):
            started = time.monotonic()
            with check.part(part.__name__):
                part(check, place)
            print(f"{part.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        shutil.rmtree(place.directory)
    check.finish()


main()
