#!/usr/bin/python3
"""Scripts that are called again and again take no more memory than the first time.

A thousand different scripts (texts for EVAL, loaded ones, functions) are called in
rounds, each in an order of its own; most are those of the corpus, and some fail. There are
more texts than the server remembers, so that it forgets some all the time. Then the same
again with scripts among them that are ended by a limit, which takes the VM with them.
Behind the first round neither the memory in use, nor what is resident, nor the mappings may
grow.

    footprint.py [--rounds N]
"""

import argparse
import os
import pathlib
import random
import re
import shlex
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import SOAK, Check, Error, Server, Status, info, wait_until

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "corpus"

TEXTS, LOADED, FUNCTIONS = 600, 200, 200
FUNCTIONS_IN_LIBRARY = 4

# They replace the body of a library's function.
BODIES = [
    "return redis.call('INCR', keys[1])",
    "redis.call('HSET', keys[1], args[1], #args) return redis.call('HGETALL', keys[1])",
    "for i = 1, 20 do redis.call('RPUSH', keys[1], i) end return redis.call('DEL', keys[1])",
    "return cjson.decode(cjson.encode({args, keys}))",
    "local t = {} for i = 1, 500 do t[i] = ('x'):rep(i) end return #table.concat(t)",
    "redis.call('SET', keys[1], 'x') error({err = 'FAILED as it should'})",
    "return {pcall(redis.call, 'HSET', keys[1]), redis.pcall('NOSUCH').err}",
    "return coroutine.wrap(function() return cmsgpack.pack(args) end)()",
]

# Each is ended by a limit, after it has written.
ENDED = [
    "redis.call('SET', 'a', 1) local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end",
    "redis.call('SET', 'a', 1) while true do redis.call('SET', 'a', ('x'):rep(1e5)) end",
    "redis.call('SET', 'a', 1) local function f() string.gsub('x', 'x', f) end f()",
]


def read_corpus():
    """Returns the scripts of the corpus that are no libraries, with KEYS and ARGV of their
    first case."""
    scripts = []
    for path in sorted(CORPUS.glob("*.lua")):
        text = path.read_text()
        words = {"KEYS": [], "ARGV": []}
        comment = re.match(r"(?:#.*\n)?((?:--.*\n)+)", text).group(1)
        for line in comment.partition("-- < ")[0].splitlines():
            for name in words:
                if line.startswith(f"-- {name} "):
                    words[name] = shlex.split(line[len(f"-- {name} "):])
        if "-- FUNCTION " not in comment:
            scripts.append((text, words["KEYS"], words["ARGV"]))
    return scripts


def library(number):
    functions = "\n".join(
        f"redis.register_function('f{i}', function(keys, args) {BODIES[i % len(BODIES)]} end)"
        for i in range(number * FUNCTIONS_IN_LIBRARY, (number + 1) * FUNCTIONS_IN_LIBRARY))
    return f"#!lua name=library{number}\n{functions}\n"


def make_requests(client):
    """Loads what is to be loaded, and returns a request for each script."""
    corpus = read_corpus()
    requests = []
    for i in range(TEXTS + LOADED):
        text, keys, arguments = corpus[i % len(corpus)]
        text += f"-- {i}\n"
        if i < TEXTS:
            requests.append(["EVAL", text, len(keys), *keys, *arguments])
        else:
            sha = client.call("SCRIPT", "LOAD", text)
            requests.append(["EVALSHA", sha, len(keys), *keys, *arguments])
    for number in range(FUNCTIONS // FUNCTIONS_IN_LIBRARY):
        client.call("FUNCTION", "LOAD", library(number))
    for i in range(FUNCTIONS):
        requests.append(["FCALL", f"f{i}", 1, f"key{i % 50}", "a", "b"])
    return requests


class Test:
    def __init__(self, server, seed):
        self.server = server
        self.check = Check()
        self.client = server.connect()
        self.rand = random.Random(seed)
        self.requests = make_requests(self.client)
        self.errors = 0
        self.calls = 0

    def run_round(self, ended):
        self.rand.shuffle(self.requests)
        for start in range(0, len(self.requests), 50):
            replies = self.client.call_many(self.requests[start:start + 50])
            self.errors += sum(isinstance(reply, Error) for reply in replies)
        self.calls += len(self.requests)
        for script in ended:
            reply = self.client.call("EVAL", script, 0)
            self.check.starts(reply, b"ERR Script ", f"ended by a limit: {script}")
        self.check.equal(self.client.call("FLUSHALL"), Status(b"OK"), "the data go")

    def footprint(self):
        wait_until(lambda: info(self.client, "lazyfree_pending_objects") == 0)
        return {
            "KiB used": info(self.client, "used_memory") // 1024,
            "KiB resident": self.server.resident_kib(),
            "mappings": self.server.mappings(),
        }

    def do_not_grow(self, rounds, ended, slack_kib):
        footprints = []
        self.errors = self.calls = 0
        started = time.monotonic()
        for _ in range(rounds):
            self.run_round(ended)
            footprints.append(self.footprint())
        took_s = time.monotonic() - started
        print(f"{self.calls} calls of {len(self.requests)} scripts in {took_s:.0f} s, "
              f"{self.errors} of which failed, and {rounds * len(ended)} that were ended:",
              flush=True)
        # While a VM lives it has garbage, now more, now less: the least of many tells.
        for what, allowed in {"KiB used": slack_kib, "KiB resident": 8000, "mappings": 20}.items():
            series = [footprint[what] for footprint in footprints]
            half = (rounds + 1) // 2
            before, after = min(series[1:half] or series), min(series[-half:])
            print(f"    {what}: {series[0]} after the first round, at most {max(series)} in all; "
                  f"at least {before} in the first half, {after} in the second", flush=True)
            self.check.true(after - before < allowed, f"{what} do not grow")
            self.check.true(max(series) < 2 * series[0], f"{what} do not double")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, help="with scripts that are ended")
    rounds = parser.parse_args().rounds or 50 * SOAK
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))

    print(f"SEED={seed}", flush=True)
    # What is freed must go back, for the sanitizers' build to show what is not.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
    with Server(script_memory_limit="8mb", script_undo_limit="8mb") as server:
        test = Test(server, seed)
        with test.check.part("rounds of scripts"):
            test.do_not_grow(2 * rounds, ended=[], slack_kib=1000)
            test.do_not_grow(rounds, ended=ENDED, slack_kib=100)
        test.client.close()
    test.check.finish()


if __name__ == "__main__":
    main()
