"""What is asked of a key to see all of it."""

import replies

# What is asked, where KEY stands, and what makes the answers comparable. Most of them are
# errors, since the key has another type. The last tells a time.
KEY = None
ABOUT = [
    ([b"TYPE", KEY], replies.settle),
    ([b"OBJECT", b"ENCODING", KEY], replies.settle),
    ([b"GET", KEY], replies.settle),
    ([b"HGETALL", KEY], replies.settle_pairs),
    ([b"SMEMBERS", KEY], replies.settle_members),
    ([b"LRANGE", KEY, b"0", b"-1"], replies.settle),
    ([b"ZRANGE", KEY, b"0", b"-1", b"WITHSCORES"], replies.settle),
    ([b"XINFO", b"STREAM", KEY, b"FULL", b"COUNT", b"0"], replies.settle_ages),
    ([b"PEXPIRETIME", KEY], replies.settle),
]


def requests(key):
    return [[key if word is KEY else word for word in words] for words, _ in ABOUT]


def settle(answers):
    """Returns what is comparable of the answers to requests(), as many as they are."""
    return [None if replies.is_error(reply) else settle_one(reply)
            for reply, (_, settle_one) in zip(answers, ABOUT)]


def show_difference(ours, theirs, length=3000):
    """Shows the answers that are not the same; either may be None, without a key."""
    if ours is None or theirs is None:
        return f"  ours:   {ours}"[:length] + f"\n  theirs: {theirs}"[:length]
    parts = []
    for (words, _), our, their in zip(ABOUT, ours, theirs):
        if our != their:
            name = b" ".join(word for word in words if word is not KEY).decode()
            parts += [f"  ours:   {name} {our}"[:length], f"  theirs: {name} {their}"[:length]]
    return "\n".join(parts)
