#!/usr/bin/python3
"""What a server counts and notes: the same requests to us and to redis-server 7.0.15 give
the same counts of commands and errors; and what SLOWLOG, LATENCY, CLIENT PAUSE and
WAIT do in a real server."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Error, Server, Status, wait_until

OK = Status(b"OK")


def script(text, *keys):
    return ["EVAL", text, str(len(keys)), *keys]


# Each is a list of requests, behind which the counts are compared.
COUNTED = [
    [script("return redis.call('incr', 'text')")],
    [script("return redis.pcall('incr', 'text')")],
    [script("redis.pcall('incr', 'text') return 1")],
    [script("return redis.error_reply('MY thing')")],
    [script("return {err='ERR thing'}")],
    [script("error('x')")],
    [script("error({err='OTHER x'})")],
    [script("local ok, e = pcall(redis.call, 'incr', 'text') error(e)")],
    [script("return redis.call('nonexistent')")],
    [script("return redis.call('get')")],
    [script("return redis.call()")],
    [script("return redis.call('multi')")],
    [["EVAL_RO", "return redis.call('set', 'a', 'b')", "0"]],
    [script("no Lua at all")],
    [script("redis.call('set', 'a', '1') redis.call('get', 'a')")],
    [["EVALSHA", "x", "0"]],
    [["NONSENSE"]],
    [["GET"]],
    [["CLIENT", "NONSENSE"]],
    [["CLIENT", "KILL"]],
    [["INCR", "text"]],
    [["AUTH", "x"]],
    [["MULTI"], ["GET"], ["EXEC"]],
    [["MULTI"], ["INCR", "text"], ["EXEC"]],
    [["EXEC"]],
    [["SET", "a", "b"], ["GET", "a"], ["GET", "a"]],
    [["HELLO", "9"]],
    [["SELECT", "99"]],
    [["CONFIG", "SET", "x", "y"]],
]


def fields(client, section):
    text = client.call("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def counts(client):
    """What is counted but for time, and for what asks for it."""
    errors = fields(client, "errorstats")
    total = fields(client, "stats")["total_error_replies"]
    commands = {}
    for name, text in fields(client, "commandstats").items():
        parts = dict(part.split("=") for part in text.split(","))
        if name not in ("cmdstat_info", "cmdstat_config|resetstat"):
            commands[name] = parts["calls"], parts["rejected_calls"], parts["failed_calls"]
    return commands, errors, total


def count(client, requests):
    client.call("CONFIG", "RESETSTAT")
    for request in requests:
        client.call(*request)
    return counts(client)


def check_counts(check, ours):
    with Server("redis-server") as theirs, ours.connect() as a, theirs.connect() as b:
        for client in a, b:
            client.call("SET", "text", "x")
        for requests in COUNTED:
            check.equal(count(a, requests), count(b, requests), f"behind {requests}")


def check_latencies(check, ours):
    with ours.connect() as client:
        client.call("CONFIG", "RESETSTAT")
        client.call("DEBUG", "SLEEP", "0.05")
        usec = fields(client, "commandstats")["cmdstat_debug"].split(",")[1]
        check.true(50_000 <= int(usec[5:]) < 5_000_000, f"{usec} of a sleep of 50 ms")
        line = fields(client, "latencystats")["latency_percentiles_usec_debug"]
        check.true(line.startswith("p50="), line)
        check.true(float(line[4:].split(",")[0]) >= 50_000, line)
        histogram = client.call("LATENCY", "HISTOGRAM", "debug")
        check.equal(histogram[0], b"debug", "LATENCY HISTOGRAM")
        check.equal(histogram[1][:2], [b"calls", 1], "LATENCY HISTOGRAM")
        client.call("CONFIG", "SET", "latency-monitor-threshold", "20")
        client.call("DEBUG", "SLEEP", "0.05")
        client.call("CONFIG", "SET", "latency-monitor-threshold", "0")
        latest = client.call("LATENCY", "LATEST")
        check.equal(latest[0][0], b"command", "LATENCY LATEST")
        check.true(latest[0][2] >= 50, f"LATENCY LATEST: {latest}")
        check.true(len(client.call("LATENCY", "GRAPH", "command")) > 0, "LATENCY GRAPH")
        check.equal(client.call("LATENCY", "RESET"), 1, "LATENCY RESET")


def slow(client, *request):
    """Returns the newest arguments in the slow log behind a request."""
    client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
    client.call("SLOWLOG", "RESET")
    client.call(*request)
    client.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    return [entry[3] for entry in client.call("SLOWLOG", "GET", "-1")][0]


def check_slowlog(check, ours):
    with ours.connect() as client:
        check.equal(slow(client, "GET", "a"), [b"GET", b"a"], "a request")
        check.equal(slow(client, "GET", "a" * 200)[1], b"a" * 128 + b"... (72 more bytes)",
                    "a long argument")
        many = slow(client, "DEL", *"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")
        check.equal((len(many), many[-1]), (32, b"... (22 more arguments)"), "many arguments")
        check.equal(slow(client, "AUTH", "secret"), [b"AUTH", b"(redacted)"], "a password")
        text = slow(client, *script("redis.call('set', KEYS[1], '1') return redis.call('get', "
                                    "KEYS[1])", "a"))[-1]
        check.true(text.startswith(b"(2 calls, ") and text.endswith(b" bytes of undo)"),
                   f"a script: {text}")


def check_pause(check, ours):
    with ours.connect() as client, ours.connect() as other:
        check.equal(client.call("CLIENT", "PAUSE", "100000", "WRITE"), OK, "CLIENT PAUSE")
        other.send("SET", "a", "1")
        time.sleep(0.1)
        check.equal(fields(client, "clients")["blocked_clients"], "1", "blocked_clients")
        check.equal(client.call("CLIENT", "UNPAUSE"), OK, "CLIENT UNPAUSE")
        check.equal(other.read(), OK, "what was put off")
        client.call("CLIENT", "PAUSE", "200", "ALL")
        started = time.monotonic()
        check.equal(client.call("PING"), Status(b"PONG"), "PING in a pause")
        check.true(time.monotonic() - started > 0.15, "the pause lasts as long as was asked")
        started = time.monotonic()
        check.equal(client.call("WAIT", "1", "200"), 0, "WAIT")
        check.true(time.monotonic() - started > 0.15, "WAIT waits")
        check.equal(client.call("WAIT", "0", "0"), 0, "WAIT for nobody")


def check_unblock(check, ours):
    with ours.connect() as client, ours.connect() as other:
        number = str(other.call("CLIENT", "ID"))
        for reason, reply in (("TIMEOUT", 0), ("ERROR", Error(
                b"UNBLOCKED client unblocked via CLIENT UNBLOCK"))):
            other.send("WAIT", "1", "0")
            time.sleep(0.1)
            check.equal(client.call("CLIENT", "UNBLOCK", number, reason), 1, reason)
            check.equal(other.read(), reply, reason)
        check.equal(client.call("CLIENT", "UNBLOCK", number), 0, "who does not wait")


def check_log(check, _):
    with Server(durability="strict") as server, server.connect() as client:
        client.call_many([("SET", f"key:{i}", "value") for i in range(1000)])
        check.true(wait_until(lambda: int(fields(client, "raft")["raft_disk_writes"]) > 0),
                   "writes to the disk are counted")
        log = fields(client, "raft")
        entries, written = int(log["raft_entries"]), int(log["raft_entry_bytes"])
        check.true(0 < entries <= 1002, "a turn is one entry at the most")
        check.equal(int(log["raft_entry_bytes_mean"]), written // entries, "their size")
        check.equal(log["raft_entry_requests"], "1000", "who has written that")
        check.equal(log["raft_entry_requests_mean"], f"{1000 / entries:.2f}", "and shares an entry")
        latency = dict(part.split("=") for part in log["raft_commit_latency_us"].split(","))
        check.true(0 < float(latency["p50"]) <= float(latency["p99"]) <= float(latency["max"]),
                   "how long they take to be committed")
        writes = dict(part.split("=") for part in log["raft_disk_write_histogram_us"].split(","))
        check.equal(sum(map(int, writes.values())), int(log["raft_disk_writes"]), "and be written")
        check.true(int(log["raft_disk_write_us"]) > 0, "which takes time")
        check.equal(log["raft_held_clients"], "0", "nobody waits")


def main():
    check = Check()
    with Server(enable_debug_command="yes") as ours:
        for part in (check_counts, check_latencies, check_slowlog, check_pause, check_unblock,
                     check_log):
            with check.part(part.__name__):
                part(check, ours)
    check.finish()


if __name__ == "__main__":
    main()
