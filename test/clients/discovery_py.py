#!/usr/bin/python3
"""How redis-py finds the leader: by the Sentinel protocol, and as a cluster's master."""

import unittest

import cases
import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ResponseError
from redis.sentinel import MasterNotFoundError, Sentinel
from server import Server


class BySentinel(unittest.TestCase):
    def setUp(self):
        self.address = ("127.0.0.1", cases.server.port)
        self.sentinel = Sentinel([self.address])

    def test_finds_the_master_by_name(self):
        self.assertEqual(self.sentinel.discover_master("mymaster"), self.address)
        with self.assertRaises(MasterNotFoundError):
            self.sentinel.discover_master("other")

    def test_finds_the_address_that_it_came_by(self):
        sentinel = Sentinel([("localhost", cases.server.port)])
        self.assertEqual(sentinel.discover_master("mymaster"), self.address)

    def test_writes_to_the_master(self):
        master = self.sentinel.master_for("mymaster", decode_responses=True)
        self.assertTrue(master.set("k", "v"))
        self.assertEqual(master.get("k"), "v")
        with master.pipeline() as pipe:
            self.assertEqual(pipe.incr("n").incr("n").execute()[-1], int(master.get("n")))
        self.assertEqual(master.role()[0], "master")
        master.close()

    def test_has_no_replicas_to_read_from(self):
        self.assertEqual(self.sentinel.discover_slaves("mymaster"), [])
        replica = self.sentinel.slave_for("mymaster", decode_responses=True)
        master = self.sentinel.master_for("mymaster")
        master.set("k", "w")
        self.assertEqual(replica.get("k"), "w")  # The master's, where there is nothing else.
        replica.close()
        master.close()

    def test_commands_of_sentinels_are_understood(self):
        client = redis.Redis(port=cases.server.port, decode_responses=True)
        self.addCleanup(client.close)
        masters = client.sentinel_masters()
        self.assertEqual(list(masters), ["mymaster"])
        self.assertTrue(masters["mymaster"]["is_master"])
        self.assertFalse(masters["mymaster"]["is_sdown"])
        self.assertEqual(client.sentinel_master("mymaster")["port"], cases.server.port)
        self.assertEqual(client.sentinel_slaves("mymaster"), [])
        self.assertEqual(client.sentinel_sentinels("mymaster"), [])
        self.assertIn("OK 1 usable", client.execute_command("SENTINEL", "CKQUORUM", "mymaster"))
        with self.assertRaises(ResponseError):
            client.sentinel_master("other")


class ByCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cluster_enabled="yes")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        node = ClusterNode("127.0.0.1", self.server.port)
        self.client = RedisCluster(startup_nodes=[node], decode_responses=True)
        self.addCleanup(self.client.close)
        self.client.flushall()

    def test_all_slots_are_one_masters(self):
        self.assertEqual(len(self.client.get_primaries()), 1)
        self.assertEqual(self.client.get_replicas(), [])
        for key in ("a", "b", "{tag}c", ""):
            self.assertTrue(self.client.set(key, key))
            self.assertEqual(self.client.get(key), key)
        self.assertEqual(self.client.cluster_keyslot("foo"), 12182)
        self.assertEqual(self.client.cluster_countkeysinslot(self.client.keyslot("a")), 1)

    def test_keys_of_several_slots_go_together(self):
        self.assertTrue(self.client.mset_nonatomic({"a": 1, "b": 2}))
        self.assertEqual(self.client.mget_nonatomic("a", "b"), ["1", "2"])
        self.assertEqual(self.client.eval("return #KEYS", 2, "{t}a", "{t}b"), 2)
        with self.client.pipeline() as pipe:
            self.assertEqual(pipe.incr("n").incr("m").execute(), [1, 1])

    def test_the_cluster_describes_itself(self):
        self.assertEqual(self.client.cluster_info()["cluster_state"], "ok")
        (address, node), = self.client.cluster_nodes().items()
        self.assertEqual(address, f"127.0.0.1:{self.server.port}")
        self.assertEqual(node["flags"], "myself,master")
        self.assertEqual(node["slots"], [["0", "16383"]])


if __name__ == "__main__":
    cases.run()
