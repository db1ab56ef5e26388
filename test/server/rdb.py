#!/usr/bin/python3
"""Files and payloads: what redis-server has saved is loaded here, and the other way
round; what is damaged is refused; and whatever happens while the data are saved, there
is a whole file."""

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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from data import KEYS, compare, describe, element, keys_of, populate, score
from server import PATIENCE_S, SOAK, Check, Error, Server, Status, info, seed, wait_until

OK = Status(b"OK")
REDIS = "redis-server"
DAMAGED = 40 * SOAK  # Files.

# Settings that make redis-server write other encodings, and us as well.
VARIANTS = [
    ({}, {}),
    ({"hash_max_listpack_entries": 0, "zset_max_listpack_entries": 0,
      "set_max_intset_entries": 0, "rdbcompression": "no"}, {}),
    ({"hash_max_listpack_entries": 100000, "zset_max_listpack_entries": 100000,
      "hash_max_listpack_value": 100000, "zset_max_listpack_value": 100000,
      "set_max_intset_entries": 100000, "list_max_listpack_size": -5},
     {"hash_max_listpack_entries": 0, "zset_max_listpack_entries": 0,
      "set_max_intset_entries": 0, "rdbcompression": "no"}),
    ({"list_max_listpack_size": 2, "stream_node_max_entries": 3, "list_compress_depth": 1},
     {"hash_max_listpack_entries": 100000, "zset_max_listpack_entries": 100000,
      "hash_max_listpack_value": 100000, "zset_max_listpack_value": 100000}),
    ({"rdbchecksum": "no"}, {"rdbchecksum": "no"}),
]


# Both directions.


def test_dumps(check, redis, ours, what):
    """Has each value restored by the other server, and read there."""
    for db, key in keys_of(redis):
        redis.call("SELECT", db)
        ours.call("SELECT", 10)
        if not check.equal(ours.call("RESTORE", "copy", 0, redis.call("DUMP", key), "REPLACE"), OK,
                           f"{what}: RESTORE here of {key!r}"):
            continue
        payload = ours.call("DUMP", "copy")
        check.equal(redis.call("RESTORE", "copy back", 0, payload, "REPLACE"), OK,
                    f"{what}: RESTORE there of {key!r}")
        check.equal(describe(redis, "copy back")[2], describe(redis, key)[2],
                    f"{what}: {key!r} and back")
        redis.call("DEL", "copy back")
    ours.call("DEL", "copy")


def test_exchange(check, rng, number, redis_options, our_options):
    """redis-server saves, we load and save, and redis-server loads that."""
    what = f"variant {number}"
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="moonlatch-rdb-"))
        first = stack.enter_context(Server(REDIS, **redis_options))
        redis = stack.enter_context(first.connect())
        populate(redis, rng)
        redis.call("SAVE")
        shutil.copy(pathlib.Path(first.directory, "dump.rdb"), home)

        server = stack.enter_context(Server(dir=home, **our_options))
        ours = stack.enter_context(server.connect())
        check.equal(ours.call("DEBUG", "CHECK"), OK, f"{what}: what we loaded is sound")
        digest = ours.call("DEBUG", "DIGEST")
        check.equal(ours.call("DEBUG", "RELOAD"), OK, f"{what}: DEBUG RELOAD")
        check.equal(ours.call("DEBUG", "DIGEST"), digest, f"{what}: the digest behind it")
        check.equal(ours.call("DEBUG", "LOADAOF"), OK, f"{what}: DEBUG LOADAOF")
        check.equal(ours.call("DEBUG", "DIGEST"), digest, f"{what}: the digest behind it")
        check.equal(ours.call("SAVE"), OK, f"{what}: SAVE")

        second = stack.enter_context(Server(REDIS, dir=home, **redis_options))
        other = stack.enter_context(second.connect())
        compare(check, redis, other, what)
        test_dumps(check, redis, ours, what)


# Damage.


def starts_with(home):
    """Runs a server on a file. Returns its exit status and log; the status is None if
    it would have gone on."""
    process = subprocess.Popen(
        [os.environ["MOONLATCH_SERVER"], "--port", "0", "--dir", home, "--durability", "none"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    log = b""
    for line in process.stdout:
        log += line
        if b"Ready to accept" in line:
            process.terminate()
            process.stdout.read()
            return (None if process.wait(PATIENCE_S) == 0 else process.returncode), log
    return process.wait(PATIENCE_S), log


def damage(file, rng):
    if rng.random() < 0.5:
        return file[: rng.randrange(len(file))]
    changed = bytearray(file)
    for _ in range(rng.randrange(1, 4)):
        changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
    return bytes(changed)


def test_damage(check, rng):
    with Server() as server, server.connect() as client, tempfile.TemporaryDirectory() as home:
        for number in range(30):
            client.call("SET", f"key:{number}", element(rng))
            client.call("HSET", f"hash:{number}", "f", element(rng), "g", element(rng))
            client.call("ZADD", f"zset:{number}", score(rng), element(rng))
        client.call("SAVE")
        file = pathlib.Path(server.directory, "dump.rdb").read_bytes()
        target = pathlib.Path(home, "dump.rdb")
        target.write_bytes(file)
        check.equal(starts_with(home)[0], None, "the file as it is")
        for number in range(DAMAGED):
            target.write_bytes(damage(file, rng))
            status, log = starts_with(home)
            check.equal(status, 1, f"damaged file {number}: {log[-2000:]!r}")
            check.true(b"'dump.rdb'" in log and b"at byte" in log, f"the log names it: {log!r}")
        target.write_bytes(file.replace(b"REDIS0010", b"REDIS0099"))
        status, log = starts_with(home)
        check.true(status == 1 and b"version is 99" in log, f"a version to come: {log!r}")


# Saving.


def test_kill(check):
    """A server that is killed while it saves leaves the file that there was."""
    server = Server(rdb_key_save_delay=1000)
    file = pathlib.Path(server.directory, "dump.rdb")
    with server.connect() as client:
        client.call("SET", "key", "old")
        client.call("SAVE")
        before = file.read_bytes()
        client.call("DEBUG", "POPULATE", 10000)
        check.equal(client.call("BGSAVE"), Status(b"Background saving started"), "BGSAVE")
        check.starts(client.call("BGSAVE"), b"ERR Background save already in progress", "two")
        check.starts(client.call("SAVE"), b"ERR Background save already in progress", "and SAVE")
        check.true(wait_until(lambda: pathlib.Path(server.directory, "dump.rdb.saving").exists()),
                   "the new file is begun")
    children = pathlib.Path(f"/proc/{server.pid}/task")
    children = [int(child) for task in children.iterdir()
                for child in (task / "children").read_text().split()]
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    check.equal(len(children), 1, "there was one child")
    check.true(wait_until(lambda: not any(is_running(child) for child in children)),
               "the child ends with its parent")
    check.equal(file.read_bytes(), before, "the file is the old one")
    server.process = None
    server.remove()


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_failing(check):
    """While the data cannot be saved, writes are refused, and the server does not end."""
    with Server(save="3600 1") as server, server.connect() as client:
        obstacle = pathlib.Path(server.directory, "dump.rdb.saving")
        obstacle.mkdir()
        client.call("SET", "key", "1")
        client.call("BGSAVE")
        check.true(wait_until(lambda: info(client, "rdb_bgsave_in_progress") == 0), "it ends")
        check.true(b"rdb_last_bgsave_status:err" in client.call("INFO", "persistence"), "INFO")
        for refused in (("SET", "key", "2"), ("DEL", "key")):
            check.starts(client.call(*refused), b"MISCONF ", f"{refused}")
        check.equal(client.call("GET", "key"), b"1", "reading goes on")
        check.starts(client.call("EVAL", "return redis.call('set', 'key', '2')", 0), b"MISCONF ",
                     "a script's writes")
        check.starts(client.call("SHUTDOWN"), b"ERR Errors trying to SHUTDOWN", "SHUTDOWN")
        os.kill(server.pid, signal.SIGTERM)
        time.sleep(0.3)
        check.equal(client.call("PING"), Status(b"PONG"), "it did not end by SIGTERM either")
        client.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        check.equal(client.call("SET", "key", "3"), OK, "writes are allowed by an option")
        obstacle.rmdir()
        check.equal(client.call("SAVE"), OK, "SAVE")
        check.true(b"rdb_last_bgsave_status:ok" in client.call("INFO", "persistence"), "INFO")


def test_restart(check):
    """What is saved at the end is there at the start."""
    with tempfile.TemporaryDirectory() as home:
        for options, saved in (({"save": "3600 1"}, True), ({}, False)):
            for how in (("SIGTERM",), ("SHUTDOWN",), ("SHUTDOWN", "SAVE"), ("SHUTDOWN", "NOSAVE")):
                pathlib.Path(home, "dump.rdb").unlink(missing_ok=True)
                server = Server(dir=home, **options)
                with server.connect() as client:
                    client.call("SET", "key", "value")
                    if how[0] == "SHUTDOWN":
                        client.send(*how)
                        client.read_to_end()
                        server.wait()
                    else:
                        server.stop()
                expected = how[-1] == "SAVE" or (saved and how[-1] != "NOSAVE")
                with Server(dir=home) as again, again.connect() as client:
                    check.equal(client.call("EXISTS", "key"), int(expected), f"{how}, {options}")


def test_points(check):
    with Server(save="1 3") as server, server.connect() as client:
        client.call_many([("SET", "key", str(i)) for i in range(2)])
        time.sleep(1.3)
        check.equal(info(client, "rdb_saves"), 0, "too few changes")
        check.equal(info(client, "rdb_changes_since_last_save"), 2, "changes")
        client.call("SET", "key", "3")
        check.true(wait_until(lambda: info(client, "rdb_saves") == 1), "enough of them")
        check.equal(info(client, "rdb_changes_since_last_save"), 0, "none is left")
        check.true(abs(client.call("LASTSAVE") - time.time()) < 60, "LASTSAVE")
        client.call("MULTI")
        client.call("SET", "key", "4")
        client.call("BGSAVE")
        check.equal(client.call("EXEC")[1], Status(b"Background saving scheduled"), "in EXEC")
        check.true(wait_until(lambda: info(client, "rdb_saves") == 2), "behind EXEC")
        check.starts(client.call("BGSAVE", "now"), b"ERR syntax error", "BGSAVE now")
        check.equal(client.call("BGSAVE", "SCHEDULE"), Status(b"Background saving started"), "again")


def test_reload(check):
    with Server() as server, server.connect() as client:
        client.call("SET", "a", "1")
        client.call("SAVE")
        client.call("SET", "b", "2")
        check.starts(client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"), b"ERR Error trying to load",
                     "a key is there already")
        check.equal(client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE"), OK, "MERGE")
        check.equal(client.call("DBSIZE"), 2, "both are there")
        check.equal(client.call("DEBUG", "RELOAD", "NOSAVE"), OK, "NOSAVE")
        check.equal(client.call("KEYS", "*"), [b"a"], "what had been saved")
        pathlib.Path(server.directory, "dump.rdb").write_bytes(b"REDIS0010 nonsense")
        check.starts(client.call("DEBUG", "RELOAD", "NOSAVE"), b"ERR Error trying to load", "damage")
        check.equal(client.call("KEYS", "*"), [b"a"], "nothing has changed")
        check.starts(client.call("DEBUG", "RELOAD", "SOON"), b"ERR DEBUG RELOAD only supports", "?")


def test_texts(check):
    """Libraries of functions go with the data in both directions; loaded scripts stay ours."""
    code = "#!lua name={0}\nredis.register_function('{0}_f', function() return '{0}' end)"
    with tempfile.TemporaryDirectory(prefix="moonlatch-rdb-") as home:
        with Server(REDIS, dir=home) as redis, redis.connect() as client:
            client.call("FUNCTION", "LOAD", code.format("one"))
            client.call("SAVE")
        with Server(dir=home) as server, server.connect() as client:
            check.equal(client.call("FCALL", "one_f", "0"), b"one", "theirs is loaded")
            client.call("FUNCTION", "LOAD", code.format("two"))
            digest = client.call("SCRIPT", "LOAD", "return 7")
            check.equal(client.call("DEBUG", "RELOAD"), OK, "DEBUG RELOAD")
            check.equal(client.call("EVALSHA", digest, "0"), 7, "the script behind it")
            check.starts(client.call("DEBUG", "RELOAD", "NOFLUSH"), b"ERR Error trying to load",
                         "a library is there already")
            client.call("FUNCTION", "DELETE", "two")
            check.equal(client.call("DEBUG", "RELOAD", "NOSAVE"), OK, "NOSAVE")
            check.equal(client.call("FCALL", "two_f", "0"), b"two", "what had been saved")
            client.call("SAVE")
        with Server(dir=home) as server, server.connect() as client:
            check.equal(client.call("EVALSHA", digest, "0"), 7, "the script of a former process")
        with Server(REDIS, dir=home) as redis, redis.connect() as client:
            check.equal(client.call("FCALL", "two_f", "0"), b"two", "ours is loaded")


# MIGRATE.


def test_migrate_to(check, client, other, port, what):
    def migrate(key, *options):
        return client.call("MIGRATE", "127.0.0.1", port, key, 9, 5000, *options)

    other.call("SELECT", 9)
    other.call("FLUSHALL")
    check.equal(migrate("nothing"), Status(b"NOKEY"), f"{what}: no key")
    client.call("RPUSH", "list", *range(1000))
    client.call("EXPIRE", "list", 100)
    check.equal(migrate("list", "COPY"), OK, f"{what}: COPY")
    check.equal(client.call("EXISTS", "list"), 1, f"{what}: a copy stays")
    check.equal(other.call("LLEN", "list"), 1000, f"{what}: the copy")
    check.true(90 < other.call("TTL", "list") <= 100, f"{what}: it expires")
    check.starts(migrate("list"), b"ERR Target instance replied with error: BUSYKEY", f"{what}: busy")
    check.equal(client.call("EXISTS", "list"), 1, f"{what}: nothing is lost")
    check.equal(migrate("list", "REPLACE"), OK, f"{what}: REPLACE")
    check.equal(client.call("EXISTS", "list"), 0, f"{what}: it has moved")
    client.call("MSET", "a", 1, "b", 2, "list", 3)
    check.starts(migrate("", "KEYS", "a", "list"), b"ERR Target", f"{what}: one of two is busy")
    check.equal(client.call("EXISTS", "a", "list"), 2, f"{what}: both stay")
    check.equal(migrate("", "REPLACE", "KEYS", "a", "b", "nothing", "a"), OK, f"{what}: several")
    check.equal(client.call("EXISTS", "a", "b"), 0, f"{what}: all have moved")
    check.equal(other.call("MGET", "a", "b"), [b"1", b"2"], f"{what}: there they are")
    check.starts(migrate("list", "AUTH", "secret"), b"ERR Target instance replied with error: ",
                 f"{what}: AUTH")
    other.call("CONFIG", "SET", "requirepass", "secret")
    check.starts(migrate("list", "REPLACE"), b"ERR Target instance replied with error: NOAUTH",
                 f"{what}: without AUTH")
    check.equal(migrate("list", "REPLACE", "AUTH", "secret"), OK, f"{what}: AUTH")
    client.call("SET", "a", "1")
    check.equal(migrate("a", "REPLACE", "AUTH2", "default", "secret"), OK, f"{what}: AUTH2")
    other.call("CONFIG", "SET", "requirepass", "")


def test_migrate_errors(check, client):
    def migrate(*rest):
        return client.call("MIGRATE", "127.0.0.1", *rest)

    client.call("SET", "a", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check.starts(migrate(silent.getsockname()[1], "a", 0, 100), b"IOERR error or timeout reading",
                     "nobody answers")
    check.starts(migrate(1, "a", 0, 100), b"IOERR error or timeout writing", "nobody is there")
    check.starts(migrate(1, "a", 0, "soon"), b"ERR value is not an integer", "a timeout")
    check.starts(migrate(1, "a", "x", 100), b"ERR value is not an integer", "a database")
    check.starts(migrate(1, "a", 0, 100, "KEYS", "b"), b"ERR When using MIGRATE KEYS", "KEYS")
    for options in (("MOVE",), ("AUTH",), ("AUTH2", "user")):
        check.starts(migrate(1, "a", 0, 100, *options), b"ERR syntax error", f"{options}")
    check.equal(client.call("GET", "a"), b"1", "the key is still there")


def test_migrate(check):
    with Server() as server, server.connect() as client:
        for program in (None, REDIS):
            with Server(program) as target, target.connect() as other:
                test_migrate_to(check, client, other, target.port, f"to {program or 'ours'}")
        test_migrate_errors(check, client)


def main():
    rng = random.Random(seed())
    check = Check()
    for number, (redis_options, our_options) in enumerate(VARIANTS):
        with check.part(f"variant {number}"):
            test_exchange(check, rng, number, redis_options, our_options)
    for test in (test_kill, test_failing, test_restart, test_points, test_reload,
                 test_texts, test_migrate):
        with check.part(test.__name__):
            test(check)
    with check.part("damage"):
        test_damage(check, rng)
    check.finish()


main()
