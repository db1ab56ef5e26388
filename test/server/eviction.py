#!/usr/bin/python3
"""Memory that runs short: which values go, under each policy, and which stay."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Error, Server, Status, info

VALUE = "x" * 1000
VOLATILE = ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"]
ALL = ["allkeys-lru", "allkeys-lfu", "allkeys-random"]
OUT_OF_MEMORY = Error(b"OOM command not allowed when used memory > 'maxmemory'.")


def start(client, policy, **options):
    """Empties the server, whose memory has no limit then."""
    client.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", policy)
    for name, value in options.items():
        client.call("CONFIG", "SET", name.replace("_", "-"), value)
    client.call("FLUSHALL")
    client.call("CONFIG", "RESETSTAT")


def limit(client, spare):
    """Allows for so many bytes more than are used now."""
    client.call("CONFIG", "SET", "maxmemory", info(client, "used_memory") + spare)


def there(client, names):
    return sum(client.call_many([("EXISTS", name) for name in names]))


def test_limit_holds(check, client, policy):
    check.part(f"the limit under {policy}")
    start(client, policy)
    limit(client, 500_000)
    replies = client.call_many([("SET", f"k{i}", VALUE, "EX", 1000 + i) for i in range(3000)])
    used, most = info(client, "used_memory"), info(client, "maxmemory")
    check.true(all(reply == Status(b"OK") for reply in replies), "all is written")
    check.true(used < most + 100_000, "memory stays within its limit")
    check.true(100 < client.call("DBSIZE") < 600, "what fits is kept")
    evicted = info(client, "evicted_keys")
    check.equal(evicted + client.call("DBSIZE"), 3000, "all that went is counted")


def test_many_samples(check, client):
    check.part("more samples than there are values")
    start(client, "allkeys-lru", maxmemory_samples=2147483647)
    client.call_many([("SET", f"k{i}", VALUE) for i in range(100)])
    limit(client, -20_000)
    check.equal(client.call("SET", "k", "v"), Status(b"OK"), "are not looked for")
    client.call("CONFIG", "SET", "maxmemory", "0", "maxmemory-samples", "5")


def test_others_stay(check, client, policy):
    check.part(f"keys that do not expire under {policy}")
    start(client, policy)
    stay = [f"stays{i}" for i in range(200)]
    client.call_many([("SET", name, VALUE) for name in stay])
    client.call_many([("SET", f"goes{i}", VALUE, "EX", 1000) for i in range(200)])
    limit(client, 1000)
    client.call_many([("SET", f"more{i}", VALUE, "EX", 1000) for i in range(200)])
    check.equal(there(client, stay), 200, "they stay")
    check.true(info(client, "evicted_keys") > 100, "others go")
    client.call_many([("PERSIST", name.decode()) for name in client.call("KEYS", "*")])
    client.call("CONFIG", "SET", "maxmemory", "100kb")
    check.equal(client.call("SET", "k", "v"), OUT_OF_MEMORY, "nothing is left that may go")


def test_order(check, client):
    check.part("what goes first")
    start(client, "volatile-ttl")
    client.call_many([("SET", f"k{i}", VALUE, "EX", 1000 + i) for i in range(400)])
    limit(client, -200_000)
    client.call("PING")
    left = [int(name[1:]) for name in client.call("KEYS", "*")]
    check.equal(sorted(left), list(range(400 - len(left), 400)), "what expires first")

    start(client, "allkeys-lfu", maxmemory_samples=30, lfu_log_factor=1)
    names = [f"k{i}" for i in range(400)]
    client.call_many([("SET", name, VALUE) for name in names])
    client.call_many([("GET", name) for name in names[:100]] * 50)
    uses = sum(client.call("OBJECT", "FREQ", name) for name in names[:100])
    check.true(uses > 10 * 100, "uses are counted")  # By chance: one key alone may have few.
    check.equal(client.call("OBJECT", "FREQ", "k399"), 5, "and begin above 0")
    check.starts(client.call("OBJECT", "IDLETIME", "k0"), b"ERR An LFU maxmemory policy is sel",
                 "idle times are not known")
    limit(client, -200_000)
    client.call("PING")
    check.true(there(client, names[:100]) > 95, "what is used often stays")
    check.true(there(client, names[100:]) < 200, "the others go")


def test_touching(check, server, client):
    check.part("uses that leave no trace")
    start(client, "allkeys-lfu", lfu_log_factor=0)
    client.call("SET", "k", "v")
    with server.connect() as quiet:
        quiet.call("CLIENT", "NO-TOUCH", "ON")
        quiet.call_many([("GET", "k")] * 10)
        check.equal(client.call("OBJECT", "FREQ", "k"), 5, "reads")
        quiet.call("TOUCH", "k")
        check.equal(client.call("OBJECT", "FREQ", "k"), 6, "but TOUCH does")
    client.call("GET", "k")
    check.equal(client.call("OBJECT", "FREQ", "k"), 7, "and so do others")


def test_scripts(check, client):
    check.part("scripts")
    start(client, "allkeys-random")
    client.call_many([("SET", f"k{i}", VALUE) for i in range(200)])
    limit(client, 200_000)
    script = "for i = 1, 1000 do redis.call('SET', 's' .. i, ARGV[1]) end"
    check.starts(client.call("EVAL", script, 0, VALUE), b"OOM ", "a script that takes too much fails")
    check.equal(client.call("DBSIZE"), 200, "nothing was evicted for it")
    check.equal(info(client, "evicted_keys"), 0, "nothing at all")


def ask_in_transaction(server, client, request, name, value):
    """Returns the reply of EXEC to a transaction with a request in it, if an option has
    another value then than when it was queued."""
    with server.connect() as other:
        other.call("MULTI")
        assert other.call(*request) == b"QUEUED"
        client.call("CONFIG", "SET", name, value)
        reply = other.call("EXEC")
        client.call("CONFIG", "SET", name, 0)
    return reply


def test_flags(check, server, client):
    """A script that has said what it does is refused before it runs, or is not."""
    check.part("the flags of scripts")
    start(client, "noeviction")
    no_replicas = Error(b"NOREPLICAS Not enough good replicas to write.")
    client.call("FUNCTION", "LOAD", """#!lua name=flags
        redis.register_function('writes', function() return 1 end)
        redis.register_function{
            function_name='reads', callback=function() return 1 end, flags={'no-writes'}}""")
    for option, error in {"maxmemory": OUT_OF_MEMORY,
                          "min-replicas-to-write": no_replicas}.items():
        requests = {
            ("EVAL", "#!lua\nreturn 1", 0): error,
            ("EVAL", "#!lua flags=no-writes\nreturn 1", 0): 1,
            ("EVAL", "return 1", 0): 1,
            ("EVALSHA_RO", client.call("SCRIPT", "LOAD", "#!lua\n return 1"), 0): error,
            ("FCALL", "writes", 0): error,
            ("FCALL_RO", "reads", 0): 1,
        }
        for request, reply in requests.items():
            client.call("CONFIG", "SET", option, 1)
            check.equal(client.call(*request), reply, f"{request} with {option}")
            client.call("CONFIG", "SET", option, 0)
            later = Error(b"EXECABORT Transaction discarded because of: " + reply) if (
                reply == error) else [reply]
            check.equal(ask_in_transaction(server, client, request, option, 1), later,
                        f"{request}, queued before there was {option}")
    client.call("MULTI")
    client.call("CONFIG", "SET", "maxmemory", 1)
    check.equal(client.call("EXEC"), [Status(b"OK")], "EXEC may be what takes memory")
    client.call("MULTI")
    check.equal(client.call("GET", "x"), OUT_OF_MEMORY, "a transaction takes memory")
    client.call("DISCARD")
    client.call("CONFIG", "SET", "maxmemory", 0)


def main():
    check = Check()
    with Server() as server, server.connect() as client:
        for policy in VOLATILE + ALL:
            test_limit_holds(check, client, policy)
        for policy in VOLATILE:
            test_others_stay(check, client, policy)
        test_many_samples(check, client)
        test_order(check, client)
        test_touching(check, server, client)
        test_scripts(check, client)
        test_flags(check, server, client)
    check.finish()


if __name__ == "__main__":
    main()
