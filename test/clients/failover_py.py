#!/usr/bin/python3
"""redis-py at a group of three servers whose leader changes: it asks Sentinels, or is a
client of a cluster."""

import time
import unittest

import cases
import redis
from group import Group
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError, ReadOnlyError, ResponseError
from redis.sentinel import MasterNotFoundError, Sentinel
from server import wait_until

# What a client gets meanwhile, and may try again after.
TRANSIENT = (ConnectionError, ReadOnlyError, MasterNotFoundError)


def tried_again(work):
    """Returns whether it works once, or will if it is tried again and again."""

    def works():
        try:
            return work() or True
        except TRANSIENT:
            return False
        except ResponseError as error:
            if str(error).startswith(("UNCERTAIN", "CLUSTERDOWN", "No leader is known")):
                return False
            raise

    return wait_until(works)


class BySentinel(unittest.TestCase):
    def setUp(self):
        self.group = Group()
        self.addCleanup(self.group.__exit__)
        addresses = [("127.0.0.1", port) for port in self.group.ports]
        self.sentinel = Sentinel(addresses, min_other_sentinels=2, socket_timeout=5)
        self.master = self.sentinel.master_for("mymaster", decode_responses=True)

    def leader_of(self, address):
        return address == ("127.0.0.1", self.group.leader().port)

    def test_all_agree_on_the_leader(self):
        for port in self.group.ports:
            with redis.Redis(port=port, decode_responses=True) as client:
                self.assertTrue(self.leader_of(tuple(
                    client.sentinel_get_master_addr_by_name("mymaster"))))
                self.assertEqual(len(client.sentinel_sentinels("mymaster")), 2)
        self.assertEqual(len(self.sentinel.discover_slaves("mymaster")), 2)

    def test_a_transfer_is_followed_and_told(self):
        self.master.set("k", "1")
        leader = self.group.leader()
        other = [one for one in self.group.servers if one is not leader][0]
        news = redis.Redis(port=other.port, decode_responses=True).pubsub()
        news.subscribe("+switch-master")
        news.get_message(timeout=5)
        self.group.transfer()
        self.assertTrue(tried_again(lambda: self.master.set("k", "2")))
        self.assertTrue(self.leader_of(self.sentinel.discover_master("mymaster")))
        told = news.get_message(timeout=5)["data"].split()
        self.assertEqual(told[:3], ["mymaster", "127.0.0.1", str(leader.port)])
        self.assertEqual(told[3:], ["127.0.0.1", str(self.group.leader().port)])

    def test_a_dead_leader_is_followed(self):
        self.master.set("k", "1")
        self.group.kill_leader()
        started = time.monotonic()
        self.assertTrue(tried_again(lambda: self.master.set("k", "2")))
        print(f"{time.monotonic() - started:.2f} s without a leader")
        self.assertEqual(self.master.get("k"), "2")
        self.assertEqual(self.master.wait(1, 5000), 1)

    def test_replicas_answer_whoever_takes_any_past(self):
        self.master.set("k", "1")
        self.assertEqual(self.master.wait(2, 5000), 2)
        replica = self.sentinel.slave_for("mymaster", decode_responses=True)
        with self.assertRaises(ReadOnlyError):
            replica.get("k")
        for port in self.group.ports:
            with redis.Redis(port=port, decode_responses=True) as client:
                self.assertTrue(client.config_set("read-consistency", "any"))
        self.assertTrue(wait_until(lambda: replica.get("k") == "1"))


class ByCluster(unittest.TestCase):
    def setUp(self):
        self.group = Group(cluster_enabled="yes")
        self.addCleanup(self.group.__exit__)
        nodes = [ClusterNode("127.0.0.1", port) for port in self.group.ports]
        self.client = RedisCluster(startup_nodes=nodes, decode_responses=True,
                                   read_from_replicas=True)

    def test_a_transfer_is_followed(self):
        self.client.set("k", "1")
        self.group.transfer()
        self.assertTrue(tried_again(lambda: self.client.set("k", "2")))
        self.assertTrue(wait_until(lambda: {self.client.get("k") for _ in range(6)} == {"2"}))


if __name__ == "__main__":
    cases.run()
