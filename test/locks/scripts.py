"""The lock scripts of lua/ as a client uses them, and the mutants: scripts with a mistake that the
audit has to notice."""

import hashlib
import pathlib

LUA = pathlib.Path(__file__).resolve().parents[2] / "lua"

KINDS = ("mutex", "fair", "rw", "semaphore", "multi", "election")
PARTS = {"mutex": [""], "multi": [""], "fair": ["", ":queue"],
         "rw": ["", ":readers", ":details", ":queue"],
         "semaphore": ["", ":permits", ":details", ":queue"],
         "election": ["", ":queue", ":value"]}


def key_of(name):
    return f"lock:{name}" if name.startswith("{") else f"lock:{{{name}}}"


def name_of(key):
    """The name of a lock, of its key."""
    name = key.removeprefix("lock:")
    return name[1:-1] if name.endswith("}") else name


def keys_of(kind, names):
    return [key_of(name) + part for name in names for part in PARTS[kind]]


def texts():
    """Returns the text of each kind's script, as it is sent."""
    common = (LUA / "common.lua").read_text()
    return {kind: common + (LUA / f"{kind}.lua").read_text() for kind in KINDS}


def sha_of(text):
    return hashlib.sha1(text.encode()).hexdigest()


class Mutant:
    """A mistake in the script of a mutex: what is replaced by what. It shows when what has lost
    its lease does `late`, or under further `faults`."""

    def __init__(self, *edits, late=("renew", "release", "none"), faults=(), rest_ms=1):
        self.edits = edits
        self.late = late
        self.faults = faults
        self.rest_ms = rest_ms  # Of players: a lock must be free for its record to be lost.


MUTANTS = {
    "none": Mutant(faults=["forget_free"], rest_ms=20),
    "renew without the token": Mutant(
        ("""
local function renew(key, kind, r, h, now)
    if not (r.live and is_held_by(r, h)) then""", """
local function renew(key, kind, r, h, now)
    if not r.live then"""), late=["renew"]),
    "release without the owner": Mutant(
        ("if not is_held_by(r, h) then", "if false then"), late=["release"]),
    "plain counter as token": Mutant(
        ("math.max(last + 1, now)", "last + 1"), late=["none"], faults=["forget_free"], rest_ms=40),
}


def mutated(mutant):
    """Returns the text of the mutant. An edit that no longer fits the script is an error."""
    text = texts()["mutex"]
    for old, new in mutant.edits:
        assert text.count(old) == 1, f"the script of the mutex has {text.count(old)} times {old!r}"
        text = text.replace(old, new)
    return {"mutex": text}
