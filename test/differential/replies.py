"""Replies as the differential test compares them.

A reply is a tuple (kind, content): the kind is the byte that it begins with, so that
nils and numbers of different kinds are different. The content is bytes, None, or
a list of replies; of a map, a list of pairs.
"""

import re

LINES = b"+-:,#_("
BULKS = b"$=!"
UNORDERED = b"~"
PAIRED = b"%"

# What is said of a stream, its groups and consumers, under these names, hangs on the
# time, or on how a server stores it. Numbers in that range are times of these years.
AGES = {b"idle", b"inactive", b"seen-time", b"active-time", b"radix-tree-keys", b"radix-tree-nodes"}
A_TIME = b"a time"
THESE_YEARS_MS = range(1_600_000_000_000, 10_000_000_000_000)


# What an error of a script tells here behind what Redis says.
CONSEQUENCES = re.compile(rb" \[(in \S+)?(, )?(\d+ writes? rolled back)?\]$")


def parse(data, at=0):
    """Returns the reply at `at`, and where the next one begins."""
    end = data.index(b"\r\n", at)
    kind, content = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    if kind == b"-" and b" script: " in content:
        content = CONSEQUENCES.sub(b"", content)
    if kind in LINES:
        return (kind, content if kind != b"_" else None), at
    length = int(content)
    if length < 0:
        return (kind, None), at
    if kind in BULKS:
        return (kind, data[at : at + length]), at + length + 2
    items = []
    for _ in range(length * 2 if kind == PAIRED else length):
        item, at = parse(data, at)
        items.append(item)
    if kind == PAIRED:
        items = list(zip(items[::2], items[1::2]))
    return (kind, items), at


def parse_all(data):
    replies, at = [], 0
    while at < len(data):
        reply, at = parse(data, at)
        replies.append(reply)
    return replies


def is_error(reply):
    return reply[0] == b"-"


def is_list(reply):
    return isinstance(reply[1], list)


def sort(items):
    """Sorts replies; their kinds may not be comparable."""
    return sorted(items, key=repr)


def settle(reply):
    """Returns the reply with what RESP3 says to be unordered in one order."""
    kind, content = reply
    if not is_list(reply):
        return reply
    if kind == PAIRED:
        return kind, sort((settle(key), settle(value)) for key, value in content)
    items = [settle(item) for item in content]
    return kind, sort(items) if kind == UNORDERED else items


def settle_members(reply):
    """Settles a reply that lists the members of something unordered."""
    kind, content = settle(reply)
    return kind, sort(content) if isinstance(content, list) else content


def settle_pairs(reply):
    """Settles a reply that lists the fields of a hash, each before its value."""
    kind, content = settle(reply)
    if kind == b"*" and content is not None:
        content = sort(zip(content[::2], content[1::2]))
    return kind, content


def settle_deep(reply):
    """Settles a reply of which nothing is known to be ordered."""
    kind, content = settle(reply)
    if not isinstance(content, list) or kind == PAIRED:
        return kind, content
    return kind, sort(settle_deep(item) for item in content)


def settle_pending(reply):
    """Settles the entries that are pending: what they are, whose, how long, how often."""
    kind, content = settle(reply)
    if not isinstance(content, list):
        return kind, content
    rows = [row[1] for row in content if isinstance(row[1], list) and len(row[1]) == 4]
    return kind, [(*row[:2], *row[3:]) for row in rows] if len(rows) == len(content) else content


def settle_ages(reply):
    """Settles what is said of a stream."""
    kind, content = settle(reply)
    if kind == b":" and int(content) in THESE_YEARS_MS:
        return kind, A_TIME
    if not isinstance(content, list):
        return kind, content
    if kind == PAIRED:
        return kind, [(name, None if name[1] in AGES else settle_ages(v)) for name, v in content]
    names = [None] + [item[1] if item[0] in BULKS else None for item in content]
    return kind, [None if name in AGES else settle_ages(item)
                  for name, item in zip(names, content)]


def leaves(reply):
    """Returns the set of all contents in a reply."""
    if not is_list(reply):
        return {reply[1]}
    items = [part for pair in reply[1] for part in pair] if reply[0] == PAIRED else reply[1]
    return set().union(*map(leaves, items))


def show(reply):
    """Describes a reply for people."""
    kind, content = reply
    if kind == PAIRED:
        return "%{" + ", ".join(f"{show(k)}: {show(v)}" for k, v in content) + "}"
    if is_list(reply):
        return kind.decode() + "[" + ", ".join(map(show, content)) + "]"
    return kind.decode() + (repr(content)[1:] if content is not None else "nil")
