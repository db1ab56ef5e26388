#!/usr/bin/python3
"""Libraries that use each other, by redis.library(): they come in any order and from
anywhere, follow each other when one is replaced, and one that cannot be loaded waits for
what it lacks.

Each library here has a function of its own name, which returns a sum that was made when the
library was loaded: its own number and the sums of all that it uses. So a sum tells what a
library has been loaded with."""

import itertools
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from hostile import crc64
from server import Check, Error, Server, Status

OK = Status(b"OK")
NOT_FOUND = Error(b"ERR Function not found")
IN_CIRCLE = Error(b"ERR Error registering functions: libraries must not use each other in a circle")
SHARES_NOTHING = Error(b"ERR Error registering functions: ERR the library returns nothing that it "
                       b"could share")


def library(name, number, *uses, shares=True):
    sums = "".join(f" + redis.library('{used}').sum" for used in uses)
    return (f"#!lua name={name}\n"
            f"local sum = {number}{sums}\n"
            f"redis.register_function('{name}', function() return sum end)\n"
            + "return {sum = sum}" * shares)


# a uses b and c, b uses c, and c uses nothing.
A, B, C = library("a", 100, "b", "c"), library("b", 10, "c"), library("c", 1)
SUMS = {"a": 112, "b": 11, "c": 1}


class Libraries:
    """The libraries of a server."""

    def __init__(self, server, client):
        self.server = server
        self.client = client
        self.version = client.call("FUNCTION", "DUMP")[-10:-8]

    def load(self, text):
        return self.client.call("FUNCTION", "LOAD", text)

    def replace(self, text):
        return self.client.call("FUNCTION", "LOAD", "REPLACE", text)

    def restore(self, texts, *policy):
        """Restores libraries that lie in the payload in this order."""
        body = b"".join(b"\xf5\x80" + struct.pack(">I", len(text)) + text.encode()
                        for text in texts) + self.version
        return self.client.call("FUNCTION", "RESTORE", body + struct.pack("<Q", crc64(body)),
                                *policy)

    def begin(self, *texts):
        """Makes these the only libraries."""
        self.client.call("FUNCTION", "FLUSH")
        for text in texts:
            reply = self.load(text)
            assert not isinstance(reply, Error), reply

    def sum(self, name):
        return self.client.call("FCALL", name, 0)

    def sums(self):
        """The sum of each library; None for one that has no function."""
        rows = [dict(zip(row[::2], row[1::2])) for row in self.client.call("FUNCTION", "LIST")]
        names = {row[b"library_name"].decode(): row[b"functions"] for row in rows}
        return {name: self.sum(name) if functions else None for name, functions in names.items()}

    def forget(self):
        """Has the server compile all that it holds anew, as behind a restart."""
        self.client.call("SAVE")
        self.client.call("FUNCTION", "FLUSH")
        assert self.sums() == {}
        self.client.call("DEBUG", "RELOAD", "NOSAVE")

    def complaints(self):
        return self.server.log().count("A library that is kept cannot be compiled")


def end_script(libraries):
    """Ends a script, which takes the VM with it."""
    reply = libraries.client.call("EVAL", "#!lua timeout=20ms\nwhile true do end", 0)
    assert isinstance(reply, Error), reply


# RESTORE.


def restore_in_any_order(check, libraries):
    older = [library("c", 2), library("b", 20, "c"), library("a", 200, "b", "c")]
    user = library("user", 1000, "a")
    for texts in itertools.permutations([A, B, C]):
        order = "".join(text[len("#!lua name=")] for text in texts)
        libraries.begin()
        check.equal(libraries.restore(texts), OK, f"{order} are restored")
        check.equal(libraries.sums(), SUMS, f"{order} are there")
        libraries.begin(*older, user)
        check.equal(libraries.restore(texts, "REPLACE"), OK, f"{order} replace older ones")
        check.equal(libraries.sums(), {**SUMS, "user": 1112}, f"{order} are in place of those")
        libraries.begin(*older, user)
        check.equal(libraries.restore(texts, "FLUSH"), OK, f"{order} come in place of all")
        check.equal(libraries.sums(), SUMS, f"{order} are the only ones")


def restore_beside_others(check, libraries):
    libraries.begin(C)
    check.equal(libraries.restore([B], "APPEND"), OK, "a library uses one that is there")
    check.equal(libraries.sums(), {"b": 11, "c": 1}, "it has been loaded with that")
    check.equal(libraries.restore([A, library("c", 5)]), Error(b"ERR Library c already exists"),
                "one that is there is not replaced unasked")
    check.equal(libraries.sums(), {"b": 11, "c": 1}, "nothing has changed by that")
    check.equal(libraries.restore([library("c", 5)], "REPLACE"), OK, "it is when asked")
    check.equal(libraries.sums(), {"b": 15, "c": 5}, "who uses it follows")


def restore_around_others(check, libraries):
    """One that is kept stands between two that come."""
    for number, texts in {7: [A, library("c", 7)], 8: [library("c", 8), A]}.items():
        libraries.begin(C, B)
        check.equal(libraries.restore(texts, "REPLACE"), OK, "what is used comes with a user")
        check.equal(libraries.sum("a"), 110 + 2 * number, "the new user uses both as they are now")
        check.equal(libraries.sum("b"), 10 + number, "the one that is kept follows")


def restore_what_lacks_another(check, libraries):
    lacks = Error(b"ERR Error registering functions: there is no library 'c'")
    libraries.begin(C)
    check.equal(libraries.restore([B, A], "FLUSH"), lacks, "what will be gone cannot be used")
    check.equal(libraries.sums(), {"c": 1}, "nothing has changed by that")
    libraries.begin()
    check.equal(libraries.restore([B, A]), lacks, "what is not there cannot be used")
    circle = [library("a", 1, "b"), library("b", 1, "c"), library("c", 1, "a")]
    check.equal(libraries.restore(circle), IN_CIRCLE, "a circle cannot be restored")
    check.equal(libraries.sums(), {}, "nothing of them is there")


def restore_in_vain(check, libraries):
    """What is kept is not loaded with one that then does not come."""
    libraries.begin(C, B)
    end_script(libraries)
    reply = libraries.restore([library("c", 5), A, library("bad", 0, "nosuch")], "REPLACE")
    check.starts(reply, b"ERR Error registering functions: there is no library 'nosuch'",
                 "one of three cannot be loaded")
    check.equal(libraries.sum("b"), 11, "what is kept uses what is kept")


def restore_what_shares_state(check, libraries):
    counter = ("#!lua name=counter\nlocal count = 0\n"
               "local function next() count = count + 1 return count end\n"
               "redis.register_function('next', next)\nreturn next")
    user = ("#!lua name=user\nlocal next = redis.library('counter')\n"
            "redis.register_function('next_of_user', function() return next() end)")
    for texts in [counter, user], [user, counter]:
        check.equal(libraries.restore(texts, "FLUSH"), OK, "a library comes with one that uses it")
        check.equal([libraries.sum("next"), libraries.sum("next_of_user"), libraries.sum("next")],
                    [1, 2, 3], "each is loaded once")


# What follows from a change.


def follow_from_afar(check, libraries):
    libraries.begin(library("c", 1), library("b", 10, "c"), library("a", 100, "b"))
    check.equal(libraries.sum("a"), 111, "a chain has been loaded")
    libraries.replace(library("c", 2))
    check.equal(libraries.sum("a"), 112, "its head follows its tail")
    libraries.replace(library("c", 3))
    check.equal(libraries.sum("b"), 13, "its middle follows")
    check.equal(libraries.sum("a"), 113, "and its head behind that")


def follow_what_is_gone(check, libraries):
    """What is in the VM still, but no longer in the data, is not used."""
    lacks = Error(b"ERR Error registering functions: there is no library 'c'")
    libraries.begin(C)
    libraries.client.call("FUNCTION", "FLUSH")
    check.equal(libraries.replace(B), lacks, "a library that is gone is not used")
    libraries.begin(C)
    libraries.client.call("FUNCTION", "FLUSH")
    check.equal(libraries.restore([B], "REPLACE"), lacks, "nor by one that is restored")
    check.equal(libraries.sums(), {}, "nothing has come of that")


def follow_a_rollback(check, libraries):
    client = libraries.client
    libraries.begin(C)
    client.call("CONFIG", "SET", "transaction-rollback", "yes")
    client.call_many([("MULTI",), ("FUNCTION", "LOAD", "REPLACE", library("c", 5)),
                      ("FCALL", "nosuch", 0)])
    check.starts(client.call("EXEC"), b"EXECABORT", "a transaction is rolled back")
    client.call("CONFIG", "SET", "transaction-rollback", "no")
    check.equal(libraries.replace(B), b"b", "a library is loaded behind it")
    check.equal(libraries.sums(), {"b": 11, "c": 1}, "it uses what came back")


def follow_a_new_vm(check, libraries):
    libraries.begin(C, B, A)
    for name, expected in SUMS.items():
        end_script(libraries)
        check.equal(libraries.sum(name), expected, f"{name} is loaded into a new VM")


def follow_a_file(check, libraries):
    libraries.begin(C, B, A)
    libraries.client.call("DEBUG", "RELOAD")
    check.equal(libraries.sums(), SUMS, "they are there when the data have been read back")
    libraries.replace(library("c", 2))
    libraries.client.call("DEBUG", "RELOAD", "NOSAVE")
    check.equal(libraries.sums(), SUMS, "they are those of the file")
    libraries.forget()
    check.equal(libraries.sums(), SUMS, "they are found again when nothing was left of them")


def use_all_others(check, libraries):
    """There are more ways from one library to another than could be gone."""
    names = [f"l{i}" for i in range(40)]
    libraries.begin()
    for i, name in enumerate(names):
        libraries.load(library(name, 1, *names[:i]))
    check.equal(libraries.sum(names[-1]), 2 ** 39, "a library uses 39 others, which do likewise")
    libraries.replace(library(names[0], 2))
    check.equal(libraries.sum(names[-1]), 3 * 2 ** 38,
                "all are loaded anew when the first has changed")
    check.true(b"circle" in libraries.replace(library(names[0], 1, names[-1])),
               "the first cannot use the last")


# What cannot be loaded.


def begin_broken(libraries):
    """Makes a library that uses one which shares nothing, and one that uses it."""
    libraries.begin(library("c", 1), library("b", 10, "c"), library("a", 100, "b"))
    libraries.replace(library("c", 1, shares=False))


def fail_until_replaced(check, libraries):
    begin_broken(libraries)
    for name in "a", "b":
        check.equal(libraries.sum(name), SHARES_NOTHING, f"{name} tells what it lacks")
    libraries.replace(library("c", 2))
    check.equal(libraries.sums(), {"a": 112, "b": 12, "c": 2}, "all work when that is there")


def wait_while_broken(check, libraries):
    """What cannot be compiled is told of once, until something changes."""
    begin_broken(libraries)
    before = libraries.complaints()
    libraries.forget()
    for _ in range(3):
        check.equal(libraries.sums(), {"a": None, "b": None, "c": 1}, "two have no functions")
        check.equal(libraries.sum("a"), NOT_FOUND, "they cannot be called")
    check.equal(libraries.complaints() - before, 2, "the log tells of each once")
    libraries.client.call("DEBUG", "RELOAD")
    check.equal(libraries.sums(), {"a": None, "b": None, "c": 1}, "they are kept in files")


def revive(check, libraries):
    mended = {"a": 112, "b": 12, "c": 2}
    for what, how in {
        "FUNCTION LOAD REPLACE": lambda: libraries.replace(library("c", 2)),
        "FUNCTION RESTORE REPLACE": lambda: libraries.restore([library("c", 2)], "REPLACE"),
    }.items():
        begin_broken(libraries)
        libraries.forget()
        check.equal(libraries.sum("a"), NOT_FOUND, "a library waits")
        libraries.load(library("other", 0))
        check.equal(libraries.sum("a"), NOT_FOUND, "another one is no help")
        libraries.client.call("FUNCTION", "DELETE", "other")
        how()
        check.equal(libraries.sum("a"), 112, f"{what} revives who waits for it")
        check.equal(libraries.sums(), mended, f"{what} revives all")
        libraries.forget()
        check.equal(libraries.sums(), mended, "they stay so")


def revive_by_load(check, libraries):
    """Nobody uses what a broken library names, so that may be deleted."""
    begin_broken(libraries)
    libraries.forget()
    check.equal(libraries.client.call("FUNCTION", "DELETE", "c"), OK, "what shares nothing goes")
    check.equal(libraries.sums(), {"a": None, "b": None}, "two wait")
    check.equal(libraries.load(library("c", 2, "a")), IN_CIRCLE, "it must not use who waits for it")
    check.equal(libraries.load(library("c", 2)), b"c", "it is loaded again")
    check.equal(libraries.sums(), {"a": 112, "b": 12, "c": 2}, "they need not wait any longer")


def leave_functions_to_their_owner(check, libraries):
    """A library that comes back does not take a function that another one has meanwhile."""
    begin_broken(libraries)
    libraries.forget()
    owner = library("owner", 7).replace("('owner'", "('A'")
    check.equal(libraries.load(owner), b"owner", "another library has a function of that name")
    libraries.replace(library("c", 2))
    check.equal(libraries.sum("a"), 7, "it is called still")
    check.equal(libraries.sum("b"), 12, "other functions are revived")
    check.equal(libraries.client.call("FUNCTION", "DELETE", "owner"), OK, "its owner goes")
    check.equal(libraries.sums(), {"a": 112, "b": 12, "c": 2}, "now the name is free")


PARTS = [restore_in_any_order, restore_beside_others, restore_around_others,
         restore_what_lacks_another, restore_in_vain, restore_what_shares_state, follow_from_afar,
         follow_what_is_gone, follow_a_rollback, follow_a_new_vm, follow_a_file, use_all_others,
         fail_until_replaced, wait_while_broken, revive, revive_by_load,
         leave_functions_to_their_owner]


def main():
    check = Check()
    with Server(enable_debug_command="yes") as server, server.connect() as client:
        libraries = Libraries(server, client)
        for part in PARTS:
            with check.part(part.__name__):
                part(check, libraries)
    check.finish()


if __name__ == "__main__":
    main()
