#!/usr/bin/python3
"""A server that is to join a group: until it has, it answers nothing that needs data."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cluster import Group, wait_until
from server import Check, Error, Status, free_port

OK = Status(b"OK")


def answers(node):
    return wait_until(lambda: node.is_running() and node.ask("PING") == b"PONG")


def check_waiting(check, node, what):
    check.true(answers(node), f"{what}: it is there")
    for request in (["GET", "key"], ["SET", "key", "other"], ["EVAL", "return 1", 0]):
        check.starts(node.ask(*request), b"CLUSTERDOWN", f"{what}: {request[0]}")
    check.equal(node.ask("ROLE")[0], b"slave", f"{what}: it leads nobody")
    check.equal(node.info()["raft_voters"], "0", f"{what}: it is of no group")


def restart(node, port=None):
    node.kill()
    if port is not None:
        node.address = (node.address[0], port)
    node.start()


def test_join(check, group):
    first, second = group.nodes
    first.start()
    check.true(first.wait_until_it_writes(), "the first begins a group")
    check.equal(first.ask("SET", "key", "value"), OK, "a write to the first")
    second.start()
    check_waiting(check, second, "at first")
    restart(second)
    check_waiting(check, second, "started again")
    restart(second, free_port())
    check_waiting(check, second, "at another address")
    reply = second.ask("RAFT", "JOIN", "127.0.0.1:1", timeout=30)
    check.true(isinstance(reply, Error), f"who is not there cannot be joined: {reply}")
    check_waiting(check, second, "still")
    group.join(second)
    check.true(group.wait_until_equal(), "both have the same data")
    restart(second)
    check.true(group.wait_until_equal(), "as after a restart")


def test_alone(check, group):
    """One that has waited may begin a group after all."""
    _, node = group.nodes
    node.start()
    check_waiting(check, node, "one that waits")
    check.equal(node.ask("RAFT", "BOOTSTRAP", timeout=30), OK, "RAFT BOOTSTRAP")
    check.true(node.wait_until_it_writes(), "it is a group of its own")
    check.equal(node.ask("SET", "key", "value"), OK, "a write")
    restart(node)
    check.true(node.wait_until_it_writes(), "after a restart")
    check.equal(node.ask("GET", "key"), b"value", "the write is there")


def test_option(check, group):
    """It waits no more if it is started without the option."""
    _, node = group.nodes
    node.start()
    check_waiting(check, node, "with the option")
    node.begins = True
    restart(node)
    check.true(node.wait_until_it_writes(), "without it")


def main():
    check = Check()
    for test in (test_join, test_alone, test_option):
        with check.part(test.__name__), Group(2, forms=False) as group:
            test(check, group)
    check.finish()


main()
