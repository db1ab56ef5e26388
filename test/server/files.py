#!/usr/bin/python3
"""The directory of a log: what is damaged is refused with the place, what is torn is cut
off, --check and --export tell what is there, and an old file of data becomes a log's."""

import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from data import compare, populate
from server import (PATIENCE_S, SOAK, Check, Client, Error, Server, Status, free_port, info, seed,
                    wait_until)

OK = Status(b"OK")
REDIS = "redis-server"
PROGRAM = str(pathlib.Path(shutil.which(os.environ["MOONLATCH_SERVER"])
                           or os.environ["MOONLATCH_SERVER"]).absolute())
IMPORTS = 8 * SOAK  # That are killed.


class Home:
    """A directory, and the server that is at work in it, or not."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="moonlatch-files-"))
        self.raft = self.directory / "raft"
        self.process = None
        self.log = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory)

    def start(self, **options):
        """Starts a server. Returns whether it gets as far as to answer anything."""
        self.port = free_port()
        arguments = [PROGRAM, "--port", str(self.port), "--dir", str(self.directory), "--logfile",
                     str(self.directory / "log.txt"), "--durability", "strict"]
        (self.directory / "log.txt").unlink(missing_ok=True)
        for name, value in options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.connect().close()
                return True
            time.sleep(0.005)
        return False

    def connect(self):
        return Client(("127.0.0.1", self.port))

    def wait_until_ready(self):
        """Waits for a server that has loaded, and leads."""
        def writes():
            with contextlib.suppress(OSError), self.connect() as client:
                return not isinstance(client.call("DEL", "no such key"), Error)
            return self.process.poll() is not None
        return wait_until(writes) and self.process.poll() is None

    def run(self, **options):
        """Starts a server that must start."""
        if not self.start(**options) or not self.wait_until_ready():
            raise AssertionError(f"the server does not start:\n{self.read_log()}")

    def read_log(self):
        return (self.directory / "log.txt").read_text(errors="replace")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return status

    def refuses(self):
        """Starts a server that should not start. Returns the log, or None if it serves."""
        if self.start() and self.wait_until_ready():
            self.kill()
            return None
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return self.read_log() if status == 1 else f"status {status}\n{self.read_log()}"

    def check(self):
        """Runs --check. Returns its status and what it prints."""
        done = subprocess.run([PROGRAM, "--check", str(self.directory)], capture_output=True,
                              text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout

    def content(self):
        return {path.name: hashlib.sha1(path.read_bytes()).hexdigest()
                for path in self.raft.iterdir()}


def digest(client):
    return client.call("DEBUG", "DIGEST").decode()


def fill(home, rng):
    """Makes a log with a snapshot and entries behind it. Returns the digest of its data."""
    home.run(raft_log_size="1gb")
    with home.connect() as client:
        populate(client, rng)
        client.call("SELECT", 0)
        client.call("FUNCTION", "LOAD", "#!lua name=kept\nredis.register_function('f', print)")
        assert client.call("RAFT", "SNAPSHOT") == OK
        for number in range(200):
            client.call("SET", f"behind:{number}", "x" * rng.randrange(400))
        return digest(client)


# Damages: what is done, and the name of the file that is to be blamed.


def flip(path, rng, start=0, end=None):
    content = bytearray(path.read_bytes())
    content[rng.randrange(start, end or len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def newest(home, pattern):
    return max(home.raft.glob(pattern), key=lambda path: path.name)


def damage_data(home, rng):
    path = newest(home, "data-*.rdb")
    flip(path, rng, 100)
    return path.name


def cut_data(home, rng):
    path = newest(home, "data-*.rdb")
    os.truncate(path, rng.randrange(path.stat().st_size))
    return path.name


def lose_data(home, rng):
    path = newest(home, "data-*.rdb")
    path.unlink()
    return path.name


def damage_manifest(home, rng):
    path = max(p for p in home.raft.glob("snapshot-*") if p.suffix != ".meta")
    flip(path, rng)
    return path.name


def lose_meta(home, rng):
    path = newest(home, "snapshot-*.meta")
    path.unlink()
    return path.name


def last_segment(home):
    return max((p for p in home.raft.iterdir() if re.fullmatch(r"\d+-\d+", p.name)),
               key=lambda path: path.name)


def damage_segment(home, rng):
    path = last_segment(home)
    flip(path, rng)
    return path.name


def cut_segment(home, rng):
    path = last_segment(home)
    os.truncate(path, rng.randrange(path.stat().st_size))
    return path.name


def lose_segment(home, rng):
    last_segment(home).unlink()
    return ""


def lose_metadata(home, rng):
    for path in home.raft.glob("metadata?"):
        path.unlink()
    return "metadata1"


def damage_metadata(home, rng):
    flip(home.raft / "metadata1", rng, 0, 16)
    return "metadata"  # Either: they do not fit.


def lose_identity(home, rng):
    (home.raft / "identity").unlink()
    return "identity"


def damage_mark(home, rng):
    (home.raft / "mark").write_bytes(rng.randbytes(8192))
    return "mark"


DAMAGES = [damage_data, damage_data, cut_data, lose_data, damage_manifest, lose_meta,
           damage_segment, damage_segment, cut_segment, cut_segment, lose_segment, lose_metadata,
           damage_metadata, lose_identity, damage_mark]


def restore(home, copy):
    shutil.rmtree(home.raft)
    shutil.copytree(copy, home.raft)


def test_damages(check, rng):
    with Home() as home, tempfile.TemporaryDirectory() as elsewhere:
        copy = pathlib.Path(elsewhere, "copy")
        before = fill(home, rng)
        home.stop()
        shutil.copytree(home.raft, copy)
        for damage in DAMAGES * SOAK:
            what = damage.__name__
            restore(home, copy)
            blamed = damage(home, rng)
            content = home.content()
            status, told = home.check()
            check.true(status == 1 and f"/{blamed}" in told, f"{what}: --check tells:\n{told}")
            check.equal(home.content(), content, f"{what}: --check changes nothing")
            log = home.refuses()
            if not check.true(log is not None, f"{what}: the server starts with {blamed}"):
                continue
            check.true(f"/{blamed}" in log and "backup" in log,
                       f"{what}: the log does not blame {blamed}, or say what to do:\n{log}")
            if damage is not damage_data:  # That comes to light later.
                check.equal(home.content(), content, f"{what}: nothing is changed")
        restore(home, copy)
        home.run()
        with home.connect() as client:
            check.equal(digest(client), before, "what was not damaged is whole")


# What was torn.


def open_segment(home):
    """Returns the segment that is written to, and where it ends."""
    for path in home.raft.glob("open-*"):
        content = path.read_bytes().rstrip(b"\0")
        if content:
            return path, (len(content) + 7) // 8 * 8
    raise AssertionError("there is no open segment")


def test_torn(check, rng):
    with Home() as home:
        before = fill(home, rng)
        home.kill()
        path, end = open_segment(home)
        with open(path, "r+b") as file:
            file.seek(end)
            file.write(rng.randbytes(5000))
        status, told = home.check()
        check.true(status == 0 and f"'{path.name}'" in told and "torn" in told,
                   f"--check of a torn end tells:\n{told}")
        home.run()
        check.true(re.search(rf"{path.name}' ends in the middle .* bytes at byte {end}",
                             home.read_log()), f"a torn end is reported:\n{home.read_log()}")
        with home.connect() as client:
            check.equal(digest(client), before, "all before a torn end is there")
        home.kill()


def test_mark(check, rng):
    """Without the mark a server starts, and says what that means."""
    with Home() as home:
        before = fill(home, rng)
        home.kill()
        (home.raft / "mark").unlink()
        home.run()
        check.true("mark' is missing" in home.read_log(), "a missing mark is reported")
        with home.connect() as client:
            check.equal(digest(client), before, "all is there without a mark")


# --check and --export.


def test_check(check, rng):
    with Home() as home:
        before = fill(home, rng)
        status, told = home.check()
        check.true(status == 1 and "a server is at work" in told, "--check at a server at work")
        home.kill()
        content = home.content()
        status, told = home.check()
        check.true(status == 0 and before in told, f"--check tells the digest {before}:\n{told}")
        check.equal(home.content(), content, "--check changes nothing")
        empty = subprocess.run([PROGRAM, "--check", str(home.directory / "none")],
                               capture_output=True, text=True, timeout=PATIENCE_S)
        check.equal(empty.returncode, 1, "--check of nothing")


def load_in_redis(file):
    redis = Server(REDIS, dbfilename=file.name)
    shutil.copy(file, redis.directory)
    redis.process.kill()
    redis.process.wait()
    assert redis.start(), redis.log()
    return redis


def test_export(check, rng):
    with Home() as home:
        fill(home, rng)
        home.kill()
        file = home.directory / "exported.rdb"
        done = subprocess.run([PROGRAM, "--export", str(file), str(home.raft)],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        check.equal(done.returncode, 0, f"--export:\n{done.stdout}")
        home.run()
        with load_in_redis(file) as redis, redis.connect() as theirs, home.connect() as ours:
            compare(check, ours, theirs, "exported, and loaded by redis-server")
        home.stop()
        damaged = damage_segment(home, rng)
        done = subprocess.run([PROGRAM, "--export", str(file), str(home.raft)],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        check.true(done.returncode == 1 and damaged in done.stdout and
                   "before the damage" in done.stdout, f"--export of damage:\n{done.stdout}")
        with load_in_redis(file) as redis, redis.connect() as theirs:
            check.true(info(theirs, "loading") == 0 and theirs.call("DBSIZE") > 0,
                       "what comes before the damage is loaded by redis-server")


# Importing.


def make_dump(home, keys):
    with Server(REDIS) as redis, redis.connect() as client:
        for number in range(keys):
            client.call("SET", f"key:{number}", number)
        client.call("HSET", "hash", "field", "value")
        client.call("SAVE")
        shutil.copy(pathlib.Path(redis.directory, "dump.rdb"), home.directory)


def test_import(check, rng):
    keys = 2000
    with Home() as home:
        make_dump(home, keys)
        for _ in range(IMPORTS):
            home.start(key_load_delay=50, rdb_key_save_delay=50)
            time.sleep(rng.uniform(0, 0.5))
            home.kill()
        home.run()
        with home.connect() as client:
            check.equal(client.call("DBSIZE"), keys + 1, "all keys of a dump are there")
            check.equal(client.call("GET", "key:7"), b"7", "a key of it")
            client.call("SET", "new", "1")
        home.kill()
        (home.directory / "dump.rdb").unlink()
        home.run()
        with home.connect() as client:
            check.equal(client.call("DBSIZE"), keys + 2, "they are in the log as well")
            client.call("FLUSHALL")
            client.call("RAFT", "SNAPSHOT")
        home.kill()
        make_dump(home, 10)
        home.run()
        with home.connect() as client:
            check.equal(client.call("DBSIZE"), 0, "a log that is in use imports nothing")


def test_used_log(check):
    """A log whose keys are all gone has been used, even without a snapshot."""
    with Home() as home:
        home.run()
        with home.connect() as client:
            client.call("SET", "a", "1")
            client.call("DEL", "a")
        home.kill()
        make_dump(home, 10)
        home.run()
        with home.connect() as client:
            check.equal(client.call("DBSIZE"), 0, "a log that has been used imports nothing")


# Loading.


def is_loading(client):
    return re.search(rb"loading_loaded_bytes:[1-9]", client.call("INFO", "persistence"))


def test_loading(check, durability):
    keys = 3000
    with Home() as home:
        home.run(durability=durability, rdbcompression="no")
        with home.connect() as client:
            client.call("DEBUG", "POPULATE", keys, "key", 500)
            check.equal(client.call("RAFT", "SNAPSHOT") if durability != "none"
                        else client.call("SAVE"), OK, "saved")
        home.kill()
        home.start(durability=durability, key_load_delay=300)
        with home.connect() as client:
            wait_until(lambda: is_loading(client))
            check.starts(client.call("GET", "key:1"), b"LOADING", "a read while it loads")
            check.starts(client.call("SET", "a", "b"), b"LOADING", "a write while it loads")
            check.starts(client.call("EVAL", "return 1", 0), b"LOADING", "a script while it loads")
            text = client.call("INFO", "persistence").decode()
            check.true("loading:1" in text, "INFO tells that it loads")
            for name in ["loading_start_time", "loading_total_bytes", "loading_loaded_bytes",
                         "loading_loaded_perc", "loading_eta_seconds"]:
                check.true(re.search(rf"{name}:\d", text), f"INFO tells {name}")
            check.true(0 < info(client, "loading_loaded_bytes")
                       <= info(client, "loading_total_bytes"), "and how far it is")
            check.true(client.call("CONFIG", "GET", "maxmemory"), "CONFIG while it loads")
        home.wait_until_ready()
        with home.connect() as client:
            check.equal(client.call("DBSIZE"), keys, "all keys are there then")
            check.true("loading_" not in client.call("INFO", "persistence").decode(),
                       "INFO tells no more of it")
        home.kill()
        home.start(durability=durability, key_load_delay=300)
        with home.connect() as client:
            client.send("SHUTDOWN", "NOSAVE")
            check.true(client.is_closed(5), "SHUTDOWN while it loads")
        check.equal(home.process.wait(PATIENCE_S), 0, "its status")
        home.process = None


def main():
    check = Check()
    rng = random.Random(seed())
    tests = [(test_damages, check, rng), (test_torn, check, rng), (test_mark, check, rng),
             (test_check, check, rng), (test_import, check, rng), (test_used_log, check),
             (test_loading, check, "strict"), (test_loading, check, "none")]
    if shutil.which(REDIS):
        tests.append((test_export, check, rng))
    else:
        check.skip("exports", "there is no redis-server")
    for test, *arguments in tests:
        with check.part(test.__name__):
            test(*arguments)
    check.finish()


main()
