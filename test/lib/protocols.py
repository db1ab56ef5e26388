"""Protocols that clients keep by scripts: a scenario is played on our server and on
redis-server, and each reply in it, and what is in the keys in the end, is the same.

A scenario is a function of a Stage, on which players act:

    def a_lock_is_free_again(stage):
        alice, bob = stage.players("alice", "bob")
        alice.run(LOCK, ["lock"], [30000, "alice"])
        bob.run(LOCK, ["lock"], [30000, "bob"], about=True)

What a player is answered is noted, and what a scenario finds out besides is noted by
stage.note(). Who acts at once with others, in a crowd, is not: then only the outcome is."""

import hashlib
import threading
import time

from server import Check, Client, Error, Server

NEAR_MS = 2000  # By how much times may differ that are measured and not given.


class About:
    """A time left, which may differ a little: no two scenarios take equally long."""

    def __init__(self, reply):
        self.reply = reply

    def __eq__(self, other):
        ours, theirs = self.reply, other.reply
        if type(ours) is int is type(theirs) and min(ours, theirs) > 0:
            return abs(ours - theirs) < NEAR_MS
        return ours == theirs

    def __repr__(self):
        return f"about {self.reply!r}"


def typed(reply, about=False):
    """A reply with what kind it is of, which == does not look at."""
    return type(reply).__name__, About(reply) if about else reply


class Player:
    """A client of a stage's server, with a name."""

    def __init__(self, stage, name, notes):
        self.name = name
        self.stage = stage
        self.notes = notes
        self.client = Client(stage.server.address)

    def call(self, *words, about=False):
        """Sends a command and returns the reply. `about` says that it is a time left."""
        reply = self.client.call(*words)
        if self.notes is not None:
            self.notes.append((self.name, *words, typed(reply, about)))
        return reply

    def run(self, script, keys=(), arguments=(), about=False):
        """Runs a script, by its name if the server has it, as clients do."""
        rest = [len(keys), *keys, *arguments]
        name = hashlib.sha1(script.encode()).hexdigest()
        reply = self.client.call("EVALSHA", name, *rest)
        if isinstance(reply, Error) and reply.startswith(b"NOSCRIPT"):
            reply = self.client.call("EVAL", script, *rest)
        if self.notes is not None:
            self.notes.append((self.name, *arguments, typed(reply, about)))
        return reply

    def subscribe(self, *channels):
        """Listens from now on, and does nothing else."""
        for channel in channels:
            self.client.call("SUBSCRIBE", channel)

    def hear(self):
        """Waits for a message and notes it."""
        message = self.client.read()
        self.notes.append((self.name, "hears", message))
        return message

    def dies(self):
        """Goes without a word."""
        self.client.close()


class Stage:
    """A server on which a scenario is played."""

    def __init__(self, server):
        self.server = server
        self.notes = []
        self.everybody = []

    def player(self, name, noted=True):
        self.everybody.append(Player(self, name, self.notes if noted else None))
        return self.everybody[-1]

    def players(self, *names):
        return [self.player(name) for name in names]

    def note(self, what, value):
        self.notes.append((what, value))

    def sleep(self, ms):
        time.sleep(ms / 1000)

    def crowd(self, count, act):
        """Has players act at once: act(player, number)."""
        problems = []

        def guard(player, number):
            try:
                act(player, number)
            except Exception as problem:
                problems.append(problem)

        players = [self.player(f"player {number}", noted=False) for number in range(count)]
        threads = [threading.Thread(target=guard, args=(player, number))
                   for number, player in enumerate(players)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]

    def data(self):
        """All keys with what they hold, and about when they expire."""
        with Client(self.server.address) as client:
            return [(key, content(client, key), About(client.call("PTTL", key)))
                    for key in sorted(client.call("KEYS", "*"))]

    def clear(self):
        for player in self.everybody:
            player.client.close()
        with Client(self.server.address) as client:
            client.call("FLUSHALL")
            client.call("SCRIPT", "FLUSH")


READ = {
    b"string": lambda client, key: client.call("GET", key),
    b"list": lambda client, key: client.call("LRANGE", key, 0, -1),
    b"hash": lambda client, key: pairs(client.call("HGETALL", key)),
    b"set": lambda client, key: sorted(client.call("SMEMBERS", key)),
    b"zset": lambda client, key: client.call("ZRANGE", key, 0, -1, "WITHSCORES"),
}


def pairs(flat):
    return sorted(zip(flat[::2], flat[1::2]))


def content(client, key):
    kind = client.call("TYPE", key)
    return bytes(kind), READ[bytes(kind)](client, key)


def play(scenario, server):
    """Returns what has been noted of a scenario, with the data at its end."""
    stage = Stage(server)
    try:
        scenario(stage)
        return [*stage.notes, ("data", stage.data())]
    finally:
        stage.clear()


def compare(check, scenario, servers):
    """Plays a scenario on all servers at once and checks that the notes are the same."""
    name = scenario.__name__.replace("_", " ")
    outcomes = {}

    def play_on(server):
        outcomes[server] = play(scenario, server)

    threads = [threading.Thread(target=play_on, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if check.equal(len(outcomes), len(servers), f"{name}: played to the end"):
        ours, theirs = (outcomes[server] for server in servers)
        check.equal(len(ours), len(theirs), f"{name}: steps")
        for step, (our, their) in enumerate(zip(ours, theirs)):
            check.equal(our, their, f"{name}: step {step}")


def main(scenarios):
    """Plays all scenarios and exits."""
    check = Check()
    with check.part("servers"), Server() as ours, Server("redis-server") as theirs:
        for scenario in scenarios:
            compare(check, scenario, [ours, theirs])
    check.finish()
