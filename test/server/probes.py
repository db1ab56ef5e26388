#!/usr/bin/python3
"""What a script can see of the server, next to what redis-server 7.0.15 shows it: each
request of probes.txt is made to both, with RESP2 and with RESP3, and the bytes of the
replies are compared.

In probes.txt a line is

    = EXPRESSION     Lua, whose values, or whose error, are told with their types
    @ SCRIPT         what EVAL runs; \\n is a line break
    > WORD...        any request; a word may stand in quotes, as redis-cli takes it
    == TITLE         the beginning of a part; all data, scripts and functions are gone
    # COMMENT

and behind a request to which we have another answer

    < REPLY          the beginning of our reply, \\ being written for what does not print;
    ! REASON         and why. When the answers agree, that is a failure as well.

What differs everywhere is in the table RULES.
"""

import itertools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Check, Server

PROBES = pathlib.Path(__file__).resolve().parent / "probes.txt"
SHOWN = 2000  # Characters of a reply.

# (reason, pattern, replacement): applied to both replies before they are compared.
RULES = [
    ("our errors tell more, in brackets at the end", re.compile(rb"(?m)^(-.*) \[.*\]\r$"),
     rb"\g<1>\r"),
    ("LuaJIT has other words for a missing argument",
     re.compile(rb"\((\w+ expected, got (no value|nil)|value expected|no value)\)"), b"(missing)"),
    # The length of a text that had one of these in it.
    ("and so the lengths differ", re.compile(rb"\$\d+\r\n(.*\(missing\).*)"), rb"$\g<1>"),
]

# Tells of values with their types, in a text. The order of a table's fields is that of
# their names. It stands on the first line of the script, so that errors are of line 1.
SHOW = " ".join(line.strip() for line in """
    local tostring, type, format = tostring, type, string.format
    local function text(v, depth)
        if type(v) == 'string' then return '"' .. v .. '"' end
        if type(v) == 'number' then return v ~= v and 'nan' or format('%.17g', v) end
        if type(v) == 'boolean' or v == nil then return tostring(v) end
        if type(v) ~= 'table' or depth > 3 then return type(v) end
        local names, parts = {}, {}
        for name in pairs(v) do names[#names + 1] = name end
        table.sort(names, function(a, b)
            if type(a) == type(b) then return a < b end
            return type(a) < type(b)
        end)
        for i, name in ipairs(names) do
            parts[i] = (name == i and '' or text(name, depth) .. '=') .. text(v[name], depth + 1)
        end
        return '{' .. table.concat(parts, ' ') .. '}'
    end
    local function show(ok, ...)
        local parts = {ok and 'values' or 'error'}
        for i = 1, select('#', ...) do parts[i + 1] = text((select(i, ...)), 1) end
        return table.concat(parts, ' ')
    end
    local function keep(...) return ... end
    """.splitlines())
TELLING = SHOW + " return show(pcall(function() return keep(EXPRESSION) end))"


class Probe:
    def __init__(self, line, args):
        self.line = line
        self.args = args
        self.ours = None  # How our reply begins, and
        self.reason = None  # why it is another one.


def words_of(text):
    """Splits a request into words as redis-cli does."""
    words = []
    for word in re.findall(r'"(?:\\.|[^"\\])*"|\S+', text):
        if word.startswith('"'):
            word = word[1:-1].encode("utf-8").decode("unicode_escape").encode("latin-1")
        words.append(word)
    return words


def request_of(kind, text):
    if kind == "=":
        return ["EVAL", TELLING.replace("EXPRESSION", text), 0]
    if kind == "@":
        return ["EVAL", text.replace("\\n", "\n"), 0]
    return words_of(text)


def read_probes():
    """Returns the parts of the file: their titles, and their probes."""
    parts = []
    for number, line in enumerate(PROBES.read_text().splitlines(), 1):
        kind, _, text = line.partition(" ")
        if kind == "==":
            parts.append((text, []))
        elif kind in ("=", "@", ">"):
            parts[-1][1].append(Probe(f"line {number}: {text}", request_of(kind, text)))
        elif kind == "<":
            parts[-1][1][-1].ours = text
        elif kind == "!":
            parts[-1][1][-1].reason = text
        else:
            assert kind in ("", "#"), f"line {number} of {PROBES}: {line}"
    return parts


def settled(reply):
    for _, pattern, replacement in RULES:
        reply = pattern.sub(replacement, reply)
    return reply


def printable(reply):
    """Returns a reply on one line."""
    text = re.sub(rb"[^ -~]", lambda match: b"\\x%02x" % ord(match[0]),
                  reply.replace(b"\r\n", b" "))
    return text.decode().rstrip()


class Comparison:
    def __init__(self, check, version, clients):
        self.check = check
        self.version = version
        self.clients = clients

    def forget(self):
        for client, command in itertools.product(self.clients, ["FLUSHALL", "FUNCTION FLUSH",
                                                                "SCRIPT FLUSH"]):
            client.call(*command.split())

    def run(self, probe):
        ours, theirs = [settled(client.call_raw(*probe.args)) for client in self.clients]
        what = f"RESP{self.version}, {probe.line}"
        shown = f"\n    ours:   {printable(ours)[:SHOWN]}\n    theirs: {printable(theirs)[:SHOWN]}"
        if probe.reason is None:
            self.check.true(ours == theirs, f"{what}{shown}")
        elif self.check.true(ours != theirs, f"{what} is no exception any more{shown}"):
            self.check.true(printable(ours).startswith(probe.ours), f"{what}{shown}")

    def run_all(self, parts):
        for client in self.clients:
            client.call("HELLO", self.version)
        for _, probes in parts:
            self.forget()
            for probe in probes:
                self.run(probe)


def main():
    check = Check()
    parts = read_probes()
    with check.part("probes"), Server() as ours, Server(program="redis-server") as theirs:
        for version in (2, 3):
            with ours.connect() as our, theirs.connect() as their:
                Comparison(check, version, [our, their]).run_all(parts)
    check.finish()


if __name__ == "__main__":
    main()
