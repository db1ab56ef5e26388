#!/usr/bin/python3
"""No request, however hostile, harms the server.

The server is asked for its commands and their syntax, and is sent random requests
made from them, with arguments that are empty, binary, huge, no numbers, of the wrong
type, too many, repeated, contradicting or out of place; by themselves, in
transactions, from scripts, in RESP2 and RESP3; with clients that wait, track,
subscribe and monitor; with little memory. After each round the data must be sound,
the server quick, and, when all is flushed and everybody gone, its memory back.

A request that costs too much or ends the server is printed with those around it.
SEED= repeats a run.
"""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import hostile
from server import PATIENCE_S, SOAK, Check, Client, Error, Server, Status, encode, info, seed

DURATION_S = 30 * SOAK
BATCHES = 60  # Of a round.
ACTORS = 6
MARK = b"behind the batch"

# What a batch may cost the server, in seconds of its processor.
COST_S = 1
SANITIZERS_COST = 12  # How many times as much under the sanitizers.
SPARE_BYTES = 1_000_000  # Beyond the first round: room that is kept for the next request.

FLUSHES = [
    ["FLUSHALL"], ["SCRIPT", "FLUSH"], ["FUNCTION", "FLUSH"], ["SLOWLOG", "RESET"],
    ["LATENCY", "RESET"], ["CONFIG", "RESETSTAT"],
]


class Actor:
    """A client that sends batches and does not care what becomes of it."""

    def __init__(self, server):
        self.server = server
        self.client = None

    def close(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def play(self, batch, control, rude):
        """Sends the batch. A rude client goes without reading replies."""
        if self.client is None:
            self.client = Client(self.server.address, timeout=PATIENCE_S)
        try:
            self.client.socket.settimeout(PATIENCE_S)
            self.client.send_raw(batch)
            if rude:
                self.close()
                return
            self.client.send("ECHO", MARK)
            self.await_mark(control)
        except OSError:  # It has been closed, or waits, and others go on.
            self.close()

    def await_mark(self, control):
        """Reads until the mark comes. If none does though the server answers others, the
        client waits for something, hears no replies any more or is not served."""
        control.ping()
        self.client.socket.settimeout(0.005)
        while self.client.read() != MARK:
            pass


class Control:
    """A client that always gets through, anew if somebody has killed it."""

    def __init__(self, server):
        self.server = server
        self.client = server.connect()

    def call(self, *args):
        """A script that takes long is ended first."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            reply = self.call_once(*args)
            if not isinstance(reply, Error) or not reply.startswith(b"BUSY"):
                return reply
            if time.monotonic() > deadline:
                raise AssertionError("a script cannot be ended")
            self.call_once("SCRIPT", "KILL")
            self.call_once("FUNCTION", "KILL")
            time.sleep(0.01)

    def call_once(self, *args):
        for _ in range(5):
            try:
                return self.client.call(*args)
            except ConnectionError:
                self.client.close()
                self.client = self.server.connect()
        raise AssertionError("the server keeps closing connections")

    def call_many(self, requests):
        self.ping()
        return self.client.call_many(requests)

    def ping(self):
        self.call("PING")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Test:
    def __init__(self, rand, server, check):
        self.rand, self.server, self.check = rand, server, check
        self.control = Control(server)
        self.requests = hostile.Requests(rand, self.control)
        self.initial = dict(self.config())
        self.cost_s = COST_S * (SANITIZERS_COST if server.is_sanitized() else 1)
        self.recent = []
        self.slowest = (0, None)
        self.played = 0

    def config(self):
        reply = self.control.call("CONFIG", "GET", "*")
        return zip(reply[::2], reply[1::2])

    # A round.

    def go(self):
        deadline = time.monotonic() + DURATION_S
        rounds = 0
        try:
            self.round()  # Makes what is made once.
            self.leave()
            before = info(self.control.client, "used_memory")
            while time.monotonic() < deadline:
                self.round()
                self.leave()
                rounds += 1
                self.check_memory(before)
        except (OSError, AssertionError, ValueError) as error:
            self.check.true(False, f"the server answers: {error!r}")
            self.show_recent()
        print(f"{rounds} rounds, {self.played} batches; "
              f"the dearest took {self.slowest[0]:.2f} s: {self.slowest[1]!r:.300}")

    def round(self):
        self.actors = [Actor(self.server) for _ in range(ACTORS)]
        self.restore_config()
        self.control.call_many(self.requests.setting() + self.requests.filling())
        for request in self.requests.watching():
            self.play(self.rand.choice(self.actors), [request])
        self.requests.look(self.control)
        for _ in range(BATCHES):
            self.play(self.rand.choice(self.actors), self.requests.batch())
        self.check.equal(self.control.call("DEBUG", "CHECK"), Status(b"OK"), "all is sound")

    def play(self, actor, batch):
        self.recent = [*self.recent[-20:], batch]
        before = cpu_s(self.server.pid)
        actor.play(b"".join(map(encode, batch)), self.control, self.rand.random() < 0.03)
        self.control.ping()
        cost = cpu_s(self.server.pid) - before
        self.played += 1
        if cost > self.slowest[0]:
            self.slowest = cost, batch
        if not self.check.true(cost < self.cost_s, f"a batch costs {cost:.2f} s"):
            print(f"the batch was: {hostile.shown(batch)}")

    def leave(self):
        """Everybody goes, and all is flushed."""
        for actor in self.actors:
            actor.close()
        self.restore_config()
        self.control.call("CLIENT", "KILL", "TYPE", "pubsub")
        for request in FLUSHES:
            self.control.call(*request)

    def restore_config(self):
        for name, value in self.config():
            if value != self.initial[name]:
                self.control.call("CONFIG", "SET", name, self.initial[name])

    def check_memory(self, before):
        deadline = time.monotonic() + 5
        while True:
            used = info(self.control.client, "used_memory")
            if used < before + SPARE_BYTES or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self.check.true(used < before + SPARE_BYTES,
                        f"memory is back: {before} at first, {used} now")

    def show_recent(self):
        for batch in self.recent:
            print(f"lately: {hostile.shown(batch)}", flush=True)


def main():
    rand = random.Random(seed())
    check = Check()
    with Server(enable_debug_command="yes") as server:
        Test(rand, server, check).go()
    check.finish()


if __name__ == "__main__":
    main()
