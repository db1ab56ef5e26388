"""Random data of all types, and comparing what two servers have."""

KEYS = 120


# Random data.


def element(rng):
    kind = rng.randrange(6)
    if kind < 2:
        return b"%d" % rng.randrange(-1 << rng.randrange(1, 64), 1 << rng.randrange(1, 63))
    if kind == 2:
        return bytes([rng.randrange(97, 100)]) * rng.randrange(300)
    if kind == 3 and rng.random() < 0.05:
        return rng.randbytes(rng.randrange(20000))
    return rng.randbytes(rng.randrange(20))


def count(rng):
    return rng.choice([1, 2, 5, 20, 130, 600])


def score(rng):
    return rng.choice([b"0", b"inf", b"-inf", b"1.5", b"1e300", b"%d" % rng.randrange(1000),
                       repr(rng.uniform(-1e6, 1e6)).encode()])


def make_string(client, key, rng):
    client.call("SET", key, element(rng))


def make_list(client, key, rng):
    client.call("RPUSH", key, *(element(rng) for _ in range(count(rng))))


def make_set(client, key, rng):
    if rng.random() < 0.4:
        width = rng.choice([100, 1 << 20, 1 << 40])
        client.call("SADD", key, *(rng.randrange(-width, width) for _ in range(count(rng))))
    else:
        client.call("SADD", key, *(element(rng) for _ in range(count(rng))))


def make_zset(client, key, rng):
    pairs = [(score(rng), element(rng)) for _ in range(count(rng))]
    client.call("ZADD", key, *(part for pair in pairs for part in pair))


def make_hash(client, key, rng):
    client.call("HSET", key, *(element(rng) for _ in range(2 * count(rng))))


def make_stream(client, key, rng):
    names = [element(rng) for _ in range(3)]
    ids = []
    for i in range(count(rng)):
        fields = [(rng.choice(names), element(rng)) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.7:
            fields = [(name, element(rng)) for name in names]
        ids.append(b"%d-%d" % (i // 3 * 1000 + 5, i + 1))
        client.call("XADD", key, ids[-1], *(part for pair in fields for part in pair))
    for entry in rng.sample(ids, len(ids) // 4):
        client.call("XDEL", key, entry)
    for group in range(rng.randrange(3)):
        client.call("XGROUP", "CREATE", key, f"group{group}", rng.choice([b"0", b"$", *ids]))
        client.call("XGROUP", "CREATECONSUMER", key, f"group{group}", "idle")
        for consumer in range(rng.randrange(4)):
            client.call("XREADGROUP", "GROUP", f"group{group}", f"consumer{consumer}", "COUNT",
                        rng.randrange(1, 20), "STREAMS", key, ">")
        if ids:
            client.call("XACK", key, f"group{group}", *rng.sample(ids, len(ids) // 3))


MAKERS = [make_string, make_list, make_set, make_zset, make_hash, make_stream]


def populate(client, rng):
    for number in range(KEYS):
        db = rng.choice([0, 0, 0, 5, 15])
        key = b"key:%d" % number if rng.random() < 0.8 else element(rng) + b"%d" % number
        client.call("SELECT", db)
        rng.choice(MAKERS)(client, key, rng)
        if rng.random() < 0.2:
            client.call("PEXPIRE", key, rng.randrange(1000000, 1 << 40))


# What is in a database.


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def describe_stream(client, key):
    """Returns what XINFO tells, but for how the entries are kept."""
    told = pairs(client.call("XINFO", "STREAM", key, "FULL", "COUNT", "0"))
    del told[b"radix-tree-keys"], told[b"radix-tree-nodes"]
    told[b"groups"] = [pairs(group) for group in told[b"groups"]]
    return told


READERS = {
    b"string": lambda client, key: client.call("GET", key),
    b"list": lambda client, key: client.call("LRANGE", key, 0, -1),
    b"set": lambda client, key: sorted(client.call("SMEMBERS", key)),
    b"zset": lambda client, key: client.call("ZRANGE", key, 0, -1, "WITHSCORES"),
    b"hash": lambda client, key: pairs(client.call("HGETALL", key)),
    b"stream": describe_stream,
}


def describe(client, key):
    kind = client.call("TYPE", key)
    return kind, client.call("PEXPIRETIME", key), READERS[bytes(kind)](client, key)


def keys_of(client):
    """Returns (database, key) of all keys."""
    found = []
    for db in range(16):
        client.call("SELECT", db)
        found += [(db, key) for key in client.call("KEYS", "*")]
    return sorted(found)


def compare(check, a, b, what):
    """Checks that two servers have the same data."""
    keys = keys_of(a)
    check.equal(keys_of(b), keys, f"{what}: the keys")
    for db, key in keys:
        a.call("SELECT", db)
        b.call("SELECT", db)
        check.equal(describe(b, key), describe(a, key), f"{what}: {key!r} in database {db}")
