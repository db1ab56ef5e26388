#!/usr/bin/python3
"""libmoonlatch at real servers, and what may happen to those: each kind of lock on Moonlatch and on
redis-server; a server that is killed again and again; a group whose leaders are killed and stopped;
replies that are lost.

    MOONLATCH_SERVER=build/moonlatch-server MOONLATCH_LIBRARY=build/test/test/library test/locks/library.py
"""

import contextlib
import os
import pathlib
import random
import select
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cluster import Group
from server import Check, Server, seed

LIBRARY = os.environ["MOONLATCH_LIBRARY"]
LOOP_S = 8
PLAYERS = 4


def name_of(address):
    return "%s:%d" % address


def visit(*arguments):
    """Runs the program to its end. Returns whether it is content."""
    run = subprocess.run([LIBRARY, *arguments], capture_output=True, text=True, timeout=240)
    print(*arguments, run.stdout.strip()[-2000:], run.stderr.strip()[-2000:], flush=True)
    return run.returncode == 0


def begin_loops(servers, *more):
    return [subprocess.Popen([LIBRARY, "loop", servers, str(LOOP_S), f"lock{i // 2}", *more],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for i in range(PLAYERS)]


def end_loops(check, what, loops):
    for loop in loops:
        output, _ = loop.communicate(timeout=120)
        print(f"{what}: {output.strip()[-2000:]}", flush=True)
        check.true(loop.returncode == 0, f"{what}: all is as it may be")


class Thief:
    """Stands between clients and a server, and now and then swallows a reply, and breaks the
    connection: the request has been done, and nobody has heard of it."""

    def __init__(self, address, rng, share):
        self.address = address
        self.rng = rng
        self.share = share
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = name_of(self.listener.getsockname())
        self.stolen = 0
        threading.Thread(target=self.listen, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def listen(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError), socket.create_connection(self.address) as server:
            while True:
                readable, _, _ = select.select([client, server], [], [])
                for source in readable:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if source is server and self.rng.random() < self.share:
                        self.stolen += 1
                        client.sendall(data[: self.rng.randrange(len(data))])
                        return
                    (client if source is server else server).sendall(data)


def check_kinds(check):
    with Server() as server:
        check.true(visit("all", name_of(server.address)), "every kind of lock on Moonlatch")
    if shutil.which("redis-server"):
        with Server("redis-server") as server:
            check.true(visit("all", name_of(server.address)), "every kind of lock on redis-server")
    with Server(requirepass="open sesame") as server:
        os.environ["MOONLATCH_PASSWORD"] = "open sesame"
        check.true(visit("all", name_of(server.address)), "with a password")
        del os.environ["MOONLATCH_PASSWORD"]


def check_lost_replies(check, rng):
    for program in [None, "redis-server"]:
        if program is not None and not shutil.which(program):
            continue
        with Server(program) as server, Thief(server.address, rng, 0.1) as thief:
            loops = begin_loops(thief.name)
            end_loops(check, "replies are lost", loops)
            check.true(thief.stolen > 50, "replies were lost")
            with server.connect() as client:
                records = [client.call("GET", f"lock:{{lock{i}}}") for i in range(PLAYERS // 2)]
            check.true(all(r is None or r.split()[4] == b"0" for r in records),
                       f"nobody has a lock who does not know: {records}")


def check_kills(check):
    """One server, whose log keeps what it has granted."""
    with Group(1, durability="strict") as group:
        node = group.nodes[0]
        loops = begin_loops(node.name)
        ends = time.monotonic() + LOOP_S - 2
        while time.monotonic() < ends:
            time.sleep(1)
            node.kill()
            node.start()
            node.wait_until_it_writes()
        end_loops(check, "the server is killed", loops)


def check_group(check, rng, *more):
    with Group(3) as group:
        loops = begin_loops(",".join(node.name for node in group.nodes), *more)
        ends = time.monotonic() + LOOP_S - 2
        while time.monotonic() < ends:
            leader = group.wait_for_leader()
            if rng.random() < 0.5:
                leader.kill()
                time.sleep(1)
                leader.start()
            else:
                leader.pause()
                time.sleep(1.2)
                leader.resume()
            group.wait_for_leader()
        end_loops(check, f"leaders are killed and stopped {more}", loops)


def main():
    check = Check()
    rng = random.Random(seed())
    check_kinds(check)
    check_lost_replies(check, rng)
    check_kills(check)
    check_group(check, rng)
    check_group(check, rng, "mymaster")
    check.finish()


if __name__ == "__main__":
    main()
