#!/usr/bin/python3
"""redis-py, as it comes with Debian (python3-redis), against our server."""

import threading
import time
import unittest

import cases
import redis
from redis.exceptions import (
    ConnectionError,
    DataError,
    ExecAbortError,
    LockError,
    LockNotOwnedError,
    NoScriptError,
    ResponseError,
    WatchError,
)


class Case(unittest.TestCase):
    def setUp(self):
        self.client = self.connect(decode_responses=True)
        self.client.flushall()

    def connect(self, **options):
        client = redis.Redis(port=cases.server.port, **options)
        self.addCleanup(client.close)
        return client

    def at_once(self, count, work):
        """Runs work(0), work(1), … in threads of their own, and raises what one raised."""
        errors = []

        def guard(number):
            try:
                work(number)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=guard, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in errors:
            raise error


class Values(Case):
    def test_set_takes_all_its_options(self):
        self.assertTrue(self.client.set("k", "1", nx=True))
        self.assertIsNone(self.client.set("k", "2", nx=True))
        self.assertTrue(self.client.set("k", "3", xx=True, px=60000))
        self.assertGreater(self.client.pttl("k"), 50000)
        self.assertEqual(self.client.set("k", "4", get=True, keepttl=True), "3")
        self.assertGreater(self.client.ttl("k"), 50)
        self.assertIsNone(self.client.set("k2", "x", xx=True))
        self.assertTrue(self.client.set("k", "5", exat=int(time.time()) + 100))
        self.assertGreater(self.client.ttl("k"), 90)
        self.assertTrue(self.client.set("k", "6"))
        self.assertEqual(self.client.ttl("k"), -1)

    def test_getex_and_getdel(self):
        self.client.set("k", "v")
        self.assertEqual(self.client.getex("k", ex=100), "v")
        self.assertGreater(self.client.ttl("k"), 90)
        self.assertEqual(self.client.getex("k", persist=True), "v")
        self.assertEqual(self.client.ttl("k"), -1)
        self.assertEqual(self.client.getdel("k"), "v")
        self.assertIsNone(self.client.getdel("k"))

    def test_bytes_and_text(self):
        raw = self.connect()
        every_byte = bytes(range(256))
        self.assertTrue(raw.set(b"\x00key\xff", every_byte))
        self.assertEqual(raw.get(b"\x00key\xff"), every_byte)
        self.client.set("ключ", "значение")
        self.assertEqual(self.client.get("ключ"), "значение")
        self.assertEqual(raw.get("ключ"), "значение".encode())

    def test_numbers(self):
        self.assertEqual(self.client.incr("n", 5), 5)
        self.assertEqual(self.client.decr("n"), 4)
        self.assertEqual(self.client.incrbyfloat("n", 0.5), 4.5)
        self.assertEqual(self.client.hincrby("h", "f", 3), 3)
        self.assertEqual(self.client.hincrbyfloat("h", "f", 0.25), 3.25)

    def test_hashes_and_sets(self):
        self.assertEqual(self.client.hset("h", mapping={"a": 1, "b": 2}), 2)
        self.assertEqual(self.client.hgetall("h"), {"a": "1", "b": "2"})
        self.assertEqual(self.client.hmget("h", ["b", "c"]), ["2", None])
        self.assertEqual(self.client.sadd("s", *"abc"), 3)
        self.assertEqual(self.client.smembers("s"), set("abc"))
        self.assertEqual(self.client.smismember("s", ["a", "z"]), [1, 0])
        self.assertEqual(self.client.sinter("s", "s"), set("abc"))

    def test_errors_have_their_classes(self):
        self.client.set("k", "text")
        with self.assertRaisesRegex(ResponseError, "not an integer"):
            self.client.incr("k")
        with self.assertRaisesRegex(ResponseError, "WRONGTYPE"):
            self.client.sadd("k", "m")
        with self.assertRaisesRegex(ResponseError, "unknown command"):
            self.client.execute_command("NONSENSE")
        with self.assertRaises(DataError):
            self.client.set("k", None)


class Iterators(Case):
    def test_scan_iter(self):
        self.client.mset({f"key:{i}": i for i in range(3000)})
        self.client.sadd("other", 1)
        found = list(self.client.scan_iter())
        self.assertEqual(len(found), 3001)
        self.assertEqual(set(found), {f"key:{i}" for i in range(3000)} | {"other"})
        matching = set(self.client.scan_iter(match="key:1?", count=500))
        self.assertEqual(matching, {f"key:1{i}" for i in range(10)})
        self.assertEqual(list(self.client.scan_iter(_type="set")), ["other"])

    def test_scan_iter_while_keys_come_and_go(self):
        self.client.mset({f"stays:{i}": i for i in range(1000)})
        found = set()
        for number, key in enumerate(self.client.scan_iter(count=20)):
            found.add(key)
            self.client.set(f"comes:{number}", number)
            if number % 2 == 0:
                self.client.delete(f"comes:{number // 2}")
        self.assertLessEqual({f"stays:{i}" for i in range(1000)}, found)

    def test_hscan_iter_and_sscan_iter(self):
        for count in (10, 1000):
            fields = {f"field:{i}": str(i) for i in range(count)}
            self.client.delete("h", "s")
            self.client.hset("h", mapping=fields)
            self.client.sadd("s", *fields)
            self.assertEqual(dict(self.client.hscan_iter("h")), fields)
            self.assertEqual(dict(self.client.hscan_iter("h", match="field:7")), {"field:7": "7"})
            self.assertEqual(sorted(self.client.sscan_iter("s")), sorted(fields))


class Scripts(Case):
    def test_registered_script_is_loaded_when_it_is_missing(self):
        script = self.client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        self.assertEqual(script(keys=["n"], args=[2]), 2)
        self.client.script_flush()
        self.assertEqual(self.client.script_exists(script.sha), [False])
        with self.assertRaises(NoScriptError):
            self.client.evalsha(script.sha, 1, "n", 2)
        self.assertEqual(script(keys=["n"], args=[3]), 5)
        self.assertEqual(self.client.script_exists(script.sha), [True])

    def test_registered_script_in_a_pipeline(self):
        script = self.client.register_script("return {KEYS[1], ARGV[1]}")
        self.client.script_flush()
        with self.client.pipeline() as pipe:
            pipe.set("k", 1)
            script(keys=["k"], args=["a"], client=pipe)
            self.assertEqual(pipe.execute(), [True, ["k", "a"]])

    def test_replies(self):
        script = "return {1, 2.9, 'text', false, {true, redis.status_reply('FINE')}, nil, 3}"
        self.assertEqual(self.client.eval(script, 0), [1, 2, "text", None, [1, "FINE"]])

    def test_failing_script_leaves_nothing(self):
        with self.assertRaisesRegex(ResponseError, "on purpose"):
            self.client.eval("redis.call('SET', 'k', 1) error('on purpose')", 0)
        self.assertFalse(self.client.exists("k"))

    def test_read_only_script_may_not_write(self):
        self.assertEqual(self.client.eval_ro("return redis.call('EXISTS', KEYS[1])", 1, "k"), 0)
        with self.assertRaisesRegex(ResponseError, "(?i)write commands are not allowed"):
            self.client.eval_ro("return redis.call('SET', KEYS[1], 1)", 1, "k")
        self.assertFalse(self.client.exists("k"))

    def test_runaway_script_is_killed_and_undone(self):
        outcome = []

        def run_away():
            script = "redis.call('SET', KEYS[1], 1) while true do end"
            try:
                outcome.append(self.connect().eval(script, 1, "k"))
            except ResponseError as error:
                outcome.append(error)

        runaway = threading.Thread(target=run_away)
        runaway.start()
        self.kill_script()
        runaway.join()
        self.assertIn("SCRIPT KILL", str(outcome[0]))
        self.assertFalse(self.client.exists("k"))

    def kill_script(self):
        """Kills the script that runs, as soon as one does."""
        deadline = time.monotonic() + 4
        while True:
            try:
                return self.client.script_kill()
            except ResponseError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)


class Locks(Case):
    def test_lock_excludes(self):
        mine = self.client.lock("lock", timeout=10)
        yours = self.client.lock("lock", timeout=10)
        self.assertTrue(mine.acquire())
        self.assertTrue(mine.locked() and mine.owned())
        self.assertFalse(yours.acquire(blocking=False))
        self.assertFalse(yours.owned())
        mine.release()
        self.assertFalse(mine.locked())
        self.assertTrue(yours.acquire(blocking=False))
        yours.release()

    def test_lock_as_a_context(self):
        with self.client.lock("lock", timeout=10) as lock:
            self.assertTrue(lock.owned())
        self.assertFalse(self.client.exists("lock"))

    def test_waiting_ends_with_the_timeout(self):
        self.assertTrue(self.client.lock("lock", timeout=10).acquire())
        started = time.monotonic()
        self.assertFalse(self.client.lock("lock", blocking_timeout=0.3, sleep=0.02).acquire())
        self.assertGreaterEqual(time.monotonic() - started, 0.25)
        with self.assertRaises(LockError):
            with self.client.lock("lock", blocking_timeout=0.05):
                self.fail("somebody else has this lock")

    def test_waiting_ends_with_a_release(self):
        mine = self.client.lock("lock", timeout=10, thread_local=False)
        mine.acquire()
        threading.Timer(0.2, mine.release).start()
        yours = self.client.lock("lock", timeout=10, blocking_timeout=20, sleep=0.02)
        self.assertTrue(yours.acquire())

    def test_lock_expires(self):
        mine = self.client.lock("lock", timeout=0.1)
        self.assertTrue(mine.acquire())
        yours = self.client.lock("lock", timeout=10, blocking_timeout=20, sleep=0.02)
        self.assertTrue(yours.acquire())
        self.assertFalse(mine.owned())
        with self.assertRaises(LockNotOwnedError):
            mine.release()
        self.assertTrue(yours.owned())

    def test_extend_adds_to_the_time_or_replaces_it(self):
        lock = self.client.lock("lock", timeout=100)
        lock.acquire()
        self.assertTrue(lock.extend(100))
        self.assertTrue(190000 < self.client.pttl("lock") <= 200000)
        self.assertTrue(lock.extend(50, replace_ttl=True))
        self.assertTrue(40000 < self.client.pttl("lock") <= 50000)

    def test_reacquire_starts_the_time_anew(self):
        lock = self.client.lock("lock", timeout=100)
        lock.acquire()
        self.client.pexpire("lock", 1000)
        self.assertTrue(lock.reacquire())
        self.assertTrue(90000 < self.client.pttl("lock") <= 100000)

    def test_lost_lock_cannot_be_used(self):
        lock = self.client.lock("lock", timeout=10)
        lock.acquire()
        self.client.set("lock", "somebody else's")
        for use in (lambda: lock.extend(10), lock.reacquire, lock.release):
            with self.assertRaises(LockNotOwnedError):
                use()
        self.assertEqual(self.client.get("lock"), "somebody else's")

    def test_lock_scripts_survive_a_flush(self):
        lock = self.client.lock("lock", timeout=10)
        lock.acquire()
        self.client.script_flush()
        self.assertTrue(lock.extend(10))
        self.client.script_flush()
        lock.release()
        self.assertFalse(self.client.exists("lock"))

    def test_one_at_a_time_holds_it(self):
        holding = []

        def work(_):
            client = self.connect()
            for _ in range(5):
                with client.lock("lock", timeout=60, sleep=0.002):
                    holding.append(1)
                    self.assertEqual(len(holding), 1)
                    client.set("n", int(client.get("n") or 0) + 1)
                    holding.pop()

        self.at_once(5, work)
        self.assertEqual(self.client.get("n"), "25")


class Transactions(Case):
    def test_pipeline_with_and_without_a_transaction(self):
        for transaction in (True, False):
            with self.client.pipeline(transaction=transaction) as pipe:
                pipe.set("k", "a").append("k", "b").get("k").delete("k").exists("k")
                self.assertEqual(pipe.execute(), [True, 2, "ab", 1, 0])

    def test_error_in_a_pipeline_does_not_stop_it(self):
        with self.client.pipeline() as pipe:
            pipe.set("k", "text").incr("k").set("after", 1)
            done, error, after = pipe.execute(raise_on_error=False)
        self.assertTrue(done and after)
        self.assertIsInstance(error, ResponseError)
        self.assertEqual(self.client.get("after"), "1")

    def test_bad_command_aborts_the_transaction(self):
        with self.client.pipeline() as pipe:
            pipe.set("k", 1).execute_command("GET")
            with self.assertRaises((ExecAbortError, ResponseError)):
                pipe.execute()
        self.assertFalse(self.client.exists("k"))

    def test_watch_sees_a_change(self):
        with self.client.pipeline() as pipe:
            pipe.watch("k")
            self.assertIsNone(pipe.get("k"))
            self.client.set("k", "changed")
            pipe.multi()
            pipe.set("k", "mine")
            with self.assertRaises(WatchError):
                pipe.execute()
        self.assertEqual(self.client.get("k"), "changed")

    def test_watch_does_not_see_what_was_rolled_back(self):
        self.client.set("k", "a")
        with self.client.pipeline() as pipe:
            pipe.watch("k")
            with self.assertRaises(ResponseError):
                self.client.eval("redis.call('SET', 'k', 'b') error('no')", 0)
            pipe.multi()
            pipe.append("k", "c")
            self.assertEqual(pipe.execute(), [2])

    def test_transactions_that_retry_lose_no_increment(self):
        def increment(pipe):
            number = int(pipe.get("n") or 0)
            pipe.multi()
            pipe.set("n", number + 1)

        def work(_):
            client = self.connect()
            for _ in range(10):
                client.transaction(increment, "n")

        self.at_once(4, work)
        self.assertEqual(self.client.get("n"), "40")


class Connections(Case):
    def test_pool_serves_twenty_threads(self):
        pool = redis.BlockingConnectionPool(port=cases.server.port, max_connections=8, timeout=60)
        client = redis.Redis(connection_pool=pool)

        def work(number):
            for i in range(50):
                client.set(f"k:{number}", i)
                self.assertEqual(int(client.get(f"k:{number}")), i)
                client.incr("all")

        self.at_once(20, work)
        self.assertEqual(int(client.get("all")), 1000)
        pool.disconnect()

    def test_client_list_and_names(self):
        named = self.connect(client_name="somebody", decode_responses=True, db=3)
        self.assertEqual(named.client_getname(), "somebody")
        listed = {client["id"]: client for client in self.client.client_list()}
        entry = listed[str(named.client_id())]
        self.assertEqual((entry["name"], entry["db"]), ("somebody", "3"))
        self.assertIn(str(self.client.client_id()), listed)
        self.assertEqual(named.client_info()["name"], "somebody")

    def test_killed_connection_is_made_anew(self):
        other = self.connect(single_connection_client=True)
        before = other.client_id()
        self.assertEqual(self.client.client_kill_filter(_id=str(before)), 1)
        with self.assertRaises(ConnectionError):
            for _ in range(2):
                other.connection.send_command("PING")
                other.connection.read_response()
        self.assertNotEqual(other.client_id(), before)

    def test_databases_are_apart(self):
        other = self.connect(db=7, decode_responses=True)
        other.set("k", "there")
        self.assertIsNone(self.client.get("k"))
        self.assertEqual(other.dbsize(), 1)
        self.client.set("k", "here")
        other.flushdb()
        self.assertEqual(self.client.get("k"), "here")

    def test_large_values(self):
        text = "x" * (8 << 20)
        self.client.set("k", text)
        self.assertEqual(self.client.get("k"), text)


class Queues(Case):
    def test_lists(self):
        self.assertEqual(self.client.rpush("l", "a", "b", "c"), 3)
        self.assertEqual(self.client.lrange("l", 0, -1), ["a", "b", "c"])
        self.assertEqual(self.client.lmove("l", "m", "LEFT", "RIGHT"), "a")
        self.assertEqual(self.client.lpos("l", "c"), 1)
        self.assertEqual(self.client.lpop("l", 5), ["b", "c"])
        self.assertEqual(self.client.exists("l"), 0)

    def test_who_waits_first_is_served_first(self):
        got = []
        order = threading.Lock()

        def take(number):
            client = self.connect(decode_responses=True)
            with order:
                waiting = self.client.info("clients")["blocked_clients"]
                thread = threading.Thread(
                    target=lambda: got.append((number, client.blpop(["q", "r"], timeout=60))))
                thread.start()
                while self.client.info("clients")["blocked_clients"] == waiting:
                    time.sleep(0.001)
            return thread

        threads = [take(i) for i in range(3)]
        for i in range(3):
            self.client.rpush("r", f"job {i}")
            threads[i].join()
        self.assertEqual(got, [(i, ("r", f"job {i}")) for i in range(3)])

    def test_waiting_ends(self):
        self.assertIsNone(self.client.blpop("none", timeout=0.01))
        self.assertIsNone(self.client.bzpopmin("none", timeout=0.01))
        self.assertIsNone(self.client.blmove("none", "other", timeout=0.01))

    def test_sorted_sets(self):
        self.assertEqual(self.client.zadd("z", {"a": 1, "b": 2.5, "c": "inf"}), 3)
        self.assertEqual(self.client.zrange("z", 0, -1, withscores=True),
                         [("a", 1.0), ("b", 2.5), ("c", float("inf"))])
        self.assertEqual(self.client.zrangebyscore("z", "(1", "+inf", start=0, num=1), ["b"])
        self.assertEqual(self.client.zincrby("z", 2, "a"), 3.0)
        self.assertEqual(self.client.zrevrank("z", "a"), 1)
        self.assertEqual(self.client.bzpopmin("z", timeout=1), ("z", "b", 2.5))

    def test_places(self):
        self.client.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"))
        self.assertAlmostEqual(self.client.geodist("g", "Palermo", "Catania", "km"), 166.2742)
        self.assertEqual(self.client.geosearch(
            "g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC"),
            ["Catania", "Palermo"])


class Streams(Case):
    def test_entries(self):
        first = self.client.xadd("s", {"name": "a"})
        second = self.client.xadd("s", {"name": "b"}, maxlen=10, approximate=True)
        self.assertEqual(self.client.xrange("s"), [(first, {"name": "a"}), (second, {"name": "b"})])
        self.assertEqual(self.client.xread({"s": first}), [["s", [(second, {"name": "b"})]]])
        self.assertEqual(self.client.xinfo_stream("s")["length"], 2)

    def test_groups(self):
        self.client.xgroup_create("s", "g", id="0", mkstream=True)
        entry = self.client.xadd("s", {"job": "1"})
        self.assertEqual(self.client.xreadgroup("g", "one", {"s": ">"}),
                         [["s", [(entry, {"job": "1"})]]])
        self.assertEqual(self.client.xpending("s", "g")["pending"], 1)
        self.assertEqual(self.client.xclaim("s", "g", "two", 0, [entry]), [(entry, {"job": "1"})])
        self.assertEqual(self.client.xack("s", "g", entry), 1)
        self.assertEqual(self.client.xpending("s", "g")["pending"], 0)

    def test_waiting_for_entries(self):
        found = []
        client = self.connect(decode_responses=True)
        thread = threading.Thread(
            target=lambda: found.extend(client.xread({"s": "$"}, block=60000)))
        thread.start()
        while self.client.info("clients")["blocked_clients"] == 0:
            time.sleep(0.001)
        entry = self.client.xadd("s", {"a": "b"})
        thread.join()
        self.assertEqual(found, [["s", [(entry, {"a": "b"})]]])


class Messages(Case):
    def listen(self, channels=(), patterns=()):
        """Returns a client that has subscribed, and has been told so."""
        listener = self.client.pubsub()
        self.addCleanup(listener.close)
        if channels:
            listener.subscribe(*channels)
        if patterns:
            listener.psubscribe(*patterns)
        for _ in [*channels, *patterns]:
            self.assertIn("subscribe", listener.get_message(timeout=60)["type"])
        return listener

    def test_channels_and_patterns(self):
        listener = self.listen(["news"], ["w*"])
        self.assertEqual(self.client.publish("news", "hello"), 1)
        self.assertEqual(self.client.publish("weather", "rain"), 1)
        self.assertEqual(self.client.publish("sport", "none"), 0)
        messages = [listener.get_message(timeout=60) for _ in range(2)]
        self.assertEqual([(m["type"], m["channel"], m["data"]) for m in messages],
                         [("message", "news", "hello"), ("pmessage", "weather", "rain")])
        self.assertEqual(self.client.pubsub_numsub("news"), [("news", 1)])
        self.assertEqual(self.client.pubsub_numpat(), 1)

    def test_a_script_that_fails_has_published_nothing(self):
        listener = self.listen(["news"])
        with self.assertRaises(ResponseError):
            self.client.eval("redis.call('PUBLISH', 'news', 'never') error('no')", 0)
        self.client.eval("redis.call('PUBLISH', 'news', 'now')", 0)
        self.assertEqual(listener.get_message(timeout=60)["data"], "now")

    def test_changes_of_keys_are_told(self):
        before = self.client.config_get("notify-keyspace-events")["notify-keyspace-events"]
        self.client.config_set("notify-keyspace-events", "KEA")
        self.addCleanup(self.client.config_set, "notify-keyspace-events", before)
        listener = self.listen(patterns=["__keyspace@0__:*"])
        self.client.lpush("l", "a")
        self.client.lpop("l")
        events = [listener.get_message(timeout=60)["data"] for _ in range(3)]
        self.assertEqual(events, ["lpush", "lpop", "del"])


class Administration(Case):
    def test_info_is_parsed(self):
        self.client.set("k", "v", ex=100)
        info = self.client.info()
        self.assertRegex(info["redis_version"], r"^7\.")
        self.assertEqual(info["role"], "master")
        self.assertGreater(info["used_memory"], 0)
        self.assertGreaterEqual(info["connected_clients"], 1)
        self.assertEqual((info["db0"]["keys"], info["db0"]["expires"]), (1, 1))
        self.assertIn("uptime_in_seconds", self.client.info("server"))

    def test_config(self):
        before = self.client.config_get("maxmemory")
        self.assertEqual(list(before), ["maxmemory"])
        self.assertTrue(self.client.config_set("maxmemory", "100mb"))
        self.assertEqual(self.client.config_get("maxmemory"), {"maxmemory": str(100 << 20)})
        self.assertTrue(self.client.config_set("maxmemory", before["maxmemory"]))
        self.assertGreater(len(self.client.config_get("*")), 10)
        with self.assertRaises(ResponseError):
            self.client.config_set("no-such-option", "1")

    def test_commands_are_described(self):
        self.assertEqual(self.client.command_count(), len(self.client.command()))
        self.assertEqual(self.client.command_getkeys("MSET", "a", 1, "b", 2), ["a", "b"])

    def test_time_and_size(self):
        seconds, micros = self.client.time()
        self.assertLess(abs(seconds - time.time()), 60)
        self.assertTrue(0 <= micros < 1000000)
        self.client.mset({"a": 1, "b": 2})
        self.assertEqual(self.client.dbsize(), 2)
        self.assertEqual(self.client.echo("hello"), "hello")


if __name__ == "__main__":
    cases.run()
