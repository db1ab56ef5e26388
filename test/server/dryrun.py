#!/usr/bin/python3
"""A dry run leaves nothing, and tells the truth.

Random scripts, which succeed or fail in all the ways there are, are run dry. Before and
after, the digest, a full dump and the libraries must be the same, and neither who
watches keys nor who waits for them may notice.

Where the lines of a dry run are real commands, they are then sent to a second server,
and the script is run for good on the first: the two must hold the same.

The calls are those of rollback.py. SEED= repeats a run.
"""

import random
import re

import rollback
from rollback import difference, digest, dump, lua_call, shielded
from server import SOAK, Error, Server, Status, seed, wait_until

ROUNDS = 300 * SOAK
LISTED = 10000

# Keys that somebody waits for, and so must not be there.
WAITED = [b"waited:1", b"waited:2"]

WORD = re.compile(rb'\s*("(?:[^"\\]|\\.)*"|[^\s"]+)')
ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL)
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}

# What the end of a line may say that is no part of a command.
REMARK = re.compile(rb" \((?:(?P<count>\d+) in all(?:, expires at (?P<time>\d+))?|seen at \d+)\)$")

# What is no command of Redis, or shows less than there is. A trim of one entry is told as
# XDEL, of which a stream remembers more.
NOT_REAL = re.compile(rb'\.\.\.|\bLINSERT|\bLREM|\bXDEL|\(in place of|\(as |, groups|, the first expires')


def unescape(match):
    what = match.group(1)
    if len(what) == 3:
        return bytes([int(what[1:], 16)])
    return ESCAPED.get(what, what)


def words(line):
    found = [match.group(1) for match in WORD.finditer(line)]
    return [ESCAPE.sub(unescape, word[1:-1]) if word[:1] == b'"' else word for word in found]


def commands(line):
    """Returns the database of a line, or None, and the requests that do what it says;
    None if it is not of that kind."""
    if NOT_REAL.search(line):
        return None
    database = re.match(rb"\[db (\d+)\] ", line)
    line = line[database.end():] if database else line
    remark = REMARK.search(line)
    request = words(line[: remark.start()] if remark else line)
    requests = [request]
    if remark and remark["count"]:  # It takes the place of all that was there.
        requests = [[b"DEL", request[1]], request]
        if remark["count"] == b"0":
            requests[1:] = [[b"XGROUP", b"CREATE", request[1], b"x", b"0", b"MKSTREAM"],
                            [b"XGROUP", b"DESTROY", request[1], b"x"]]
        if remark["time"]:
            requests.append([b"PEXPIREAT", request[1], remark["time"]])
    return int(database.group(1)) if database else None, requests


def same_contents(mine, other):
    """As rollback.same_values(), but for encodings: a line does not tell them."""
    if mine is None or other is None:
        return mine == other
    return rollback.same_values([mine[0], *mine[2:]], [other[0], *other[2:]])


class Test(rollback.Test):
    def __init__(self, rand, server, model):
        super().__init__(rand, server, model)
        self.waiter = server.connect()
        self.replayed = 0

    def body(self):
        self.calls.may_expire = True
        return [shielded(self.rand, self.calls.call()) for _ in range(self.rand.randint(1, 15))]

    def end(self):
        """Returns the end of a script, and a setting that it needs."""
        kind = self.rand.random()
        if kind < 0.4:
            return "return redis.call('PING')", {}
        if kind < 0.9:
            return self.rand.choice(rollback.ENDS)[0], {}
        if kind < 0.94:
            return self.rand.choice(rollback.LOOPS), {"script_time_limit": 50}
        if kind < 0.97:
            return self.rand.choice(rollback.GROWTHS), {"script_memory_limit": "8mb"}
        return self.rand.choice(rollback.OVERFLOWS), {}

    def try_script(self, script):
        """Runs a script dry, by its text, its SHA-1 or as a function."""
        how = self.rand.random()
        if how < 0.6:
            return self.client.call("SCRIPT", "DRYRUN", script, 1, "k1", "argument")
        if how < 0.8:
            sha = self.client.call("SCRIPT", "LOAD", script)
            if not isinstance(sha, Error):
                reply = self.client.call("SCRIPT", "DRYRUN", sha, 1, "k1", "argument")
                self.client.call("SCRIPT", "FLUSH")
                return reply
        library = f"#!lua name=tried\nredis.register_function('tried', function()\n{script}\nend)"
        self.client.call("FUNCTION", "LOAD", "REPLACE", library)
        reply = self.client.call("FUNCTION", "DRYRUN", "tried", 1, "k1", "argument")
        self.client.call("FUNCTION", "DELETE", "tried")
        return reply

    def is_whole(self, reply):
        return (isinstance(reply, list) and len(reply) == 4
                and reply[::2] == [b"reply", b"changes"]
                and all(isinstance(line, bytes) and line for line in reply[3]))

    def leave_nothing(self):
        self.watcher.call("WATCH", *rollback.KEYS)
        before = dump(self.client), digest(self.client), self.client.call("FUNCTION", "LIST")
        end, settings = self.end()
        waited = lua_call("call", [b"RPUSH", self.rand.choice(WAITED), b"x"])
        script = "\n".join([waited, *self.body(), end])

        self.configure(**settings)
        reply = self.try_script(script)
        self.configure(script_time_limit=0, script_memory_limit="64mb")
        after = dump(self.client), digest(self.client), self.client.call("FUNCTION", "LIST")
        ok = self.check.true(self.is_whole(reply), f"a dry run tells what it has to: {reply!r:.300}")
        ok &= self.check.equal(after[1:], before[1:], "digest and libraries are as before")
        ok &= self.check.equal(self.watcher.call_many([["MULTI"], ["EXEC"]])[1], [],
                               "a watching client notices nothing")
        ok &= self.check.equal(self.client.call("DEBUG", "CHECK"), Status(b"OK"), "all is sound")
        found = difference(before[0], after[0])
        if not self.check.true(ok and not found, f"the dump is as before: {found}"):
            print(f"the script was:\n{script[:4000]}\n", flush=True)

    def kill(self):
        """A dry run can be killed."""
        before = digest(self.client)
        self.client.send("SCRIPT", "DRYRUN", self.rand.choice(rollback.LOOPS), 0)
        wait_until(lambda: self.killer.call("SCRIPT", "KILL") == b"OK")
        reply = self.client.read()
        self.check.true(self.is_whole(reply), "a dry run that was killed tells what it did")
        self.check.starts(reply[1], b"ERR Script killed by user", "and that it was killed")
        self.check.equal(digest(self.client), before, "a dry run that was killed leaves nothing")

    def replay(self, lines):
        """Does on the model what lines say."""
        for database, requests in lines:
            self.model.call("SELECT", database or 0)
            for request in requests:
                reply = self.model.call(*request)
                self.check.true(not isinstance(reply, Error), f"{request!r:.200} makes sense: {reply}")
        self.model.call("SELECT", 0)

    def tell_the_truth(self):
        self.calls.may_expire = False
        requests = [
            self.calls.request(self.calls.is_certain).args for _ in range(self.rand.randint(1, 6))]
        script = "\n".join([*(lua_call("pcall", r) for r in requests), "return 1"])
        reply = self.client.call("SCRIPT", "DRYRUN", script, 0)
        lines = [commands(line) for line in reply[3]]
        if None in lines:
            return
        self.replayed += 1
        self.replay(lines)
        self.client.call("EVAL", script, 0)
        found = difference(dump(self.model), dump(self.client), same_contents)
        if not self.check.true(not found, f"the lines do what the script does: {found}"):
            print(f"the script was:\n{script[:4000]}\n", *reply[3], sep="\n", flush=True)
            self.start_over()

    def list_many(self):
        script = f"for i = 1, {LISTED + 3} do redis.call('RPUSH', 'many', i) end"
        lines = self.client.call("SCRIPT", "DRYRUN", script, 0)[3]
        self.check.equal(len(lines), LISTED + 1, "so many lines are listed")
        self.check.equal(lines[-2:], [b'RPUSH many "%d"' % LISTED, b"... and 3 more"],
                         "and the others are counted")

    def tell_of_events(self):
        """Events are told behind a batch: of a dry run, none."""
        self.configure(notify_keyspace_events="KEA")
        with self.server.connect() as listener:
            listener.call("PSUBSCRIBE", "*")
            self.client.call("SCRIPT", "DRYRUN", "redis.call('SET', 'told', 1)", 0)
            self.client.call("SET", "told:2", 1)
            self.check.equal(listener.read()[2], b"__keyspace@0__:told:2", "only what was is told")
        self.client.call("DEL", "told:2")
        self.configure(notify_keyspace_events="")

    def go(self):
        self.client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.configure(script_time_limit=0, busy_reply_threshold=20)
        self.list_many()
        self.tell_of_events()
        self.waiter.send("BLPOP", *WAITED, 0)
        for i in range(ROUNDS):
            if i % 30 == 0:
                self.start_over()
            self.leave_nothing()
            self.tell_the_truth()
            if i % 30 == 0:
                self.kill()
        self.client.call("RPUSH", WAITED[0], "for you")
        self.check.equal(self.waiter.read(), [WAITED[0], b"for you"], "who waits is served in the end")
        self.check.true(self.replayed > ROUNDS / 4, f"{self.replayed} dry runs were replayed")
        for client in self.client, self.killer, self.watcher, self.waiter, self.model:
            client.close()


def main():
    rand = random.Random(seed())
    with Server() as server, Server() as model:
        test = Test(rand, server, model)
        with test.check.part("the rounds"):
            test.go()
    print(f"{test.replayed} dry runs were replayed")
    test.check.finish()


if __name__ == "__main__":
    main()
