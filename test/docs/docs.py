#!/usr/bin/python3
"""Does what the documents say, and compares what they show.

    docs.py [DOCUMENT ...]

Each document is tried on a fresh server, from top to bottom. What is looked at:

* a block of code behind a line that is a file's name, "`name.lua`:": it becomes that file;
* a block in which lines begin with "> " or "$ ": a session. Behind "> " stands what is
  typed into redis-cli, behind "$ " what is typed into a shell; the lines below it are
  what must come out. Requests that follow each other have one connection.

"..." in what is shown stands for anything, and for any lines if it is alone in one. Of a
number above 1000, the first digit and the number of digits must be right: times are not
the same twice. How long something took, as "(5.01s)", is passed over.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/lib"))
from server import Check, Server

DOCUMENTS = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
FILE_NAME = re.compile(r"^`([\w.-]+\.\w+)`:$")
ELAPSED = re.compile(r"^\(\d+\.\d+s\)$")
BIG_NUMBER = re.compile(r"\b([1-9])(\d{3,})\b")
BOUND_S = 60


class Block:
    """A block of code, and what stands before it."""

    def __init__(self, number, before):
        self.number = number  # Of its first line in the document.
        self.before = before  # The last line of prose.
        self.lines = []


def blocks_of(text):
    """Yields the fenced blocks of a document, and those that are indented by four."""
    block, fenced, before = None, False, ""
    for number, line in enumerate(text.splitlines() + [""], 1):
        if line.startswith("```"):
            if fenced:
                yield block
                block, fenced, before = None, False, ""
            else:
                block, fenced = Block(number + 1, before), True
        elif fenced:
            block.lines.append(line)
        elif line.startswith("    ") and (block is not None or before == ""):
            block = block or Block(number, before)
            block.lines.append(line[4:])
        else:
            if block is not None:
                yield block
                block = None
            before = line if line else before if FILE_NAME.match(before) else ""


class Step:
    """Something that is typed in, and what must come out."""

    def __init__(self, number, kind, typed):
        self.number, self.kind = number, kind
        self.typed = [typed]
        self.shown = []


def steps_of(block):
    steps = []
    for number, line in enumerate(block.lines, block.number):
        if line == "$ redis-cli":  # The requests below are for it.
            continue
        if line[:2] in ("> ", "$ "):
            steps.append(Step(number, line[0], line[2:]))
        elif steps and not ELAPSED.match(line):
            steps[-1].shown.append(line)
    return steps


def joined(steps):
    """Makes one step of requests that follow each other: they have one connection."""
    result = []
    for step in steps:
        if result and step.kind == ">" and result[-1].kind == ">":
            result[-1].typed += step.typed
            result[-1].shown += step.shown
        else:
            result.append(step)
    return result


def pattern_of(line):
    """Returns the regular expression that a line of the output must match."""
    def number(match):
        return f"{match[1]}\\d{{{len(match[2])}}}"

    parts = [BIG_NUMBER.sub(number, re.escape(part)) for part in line.split("...")]
    return ".*".join(parts)


def matches(shown, got):
    """Whether the output is what is shown. A line "..." stands for any number of lines."""
    patterns = [r"(?:.*\n)*" if line == "..." else pattern_of(line) + r"\n" for line in shown]
    return re.fullmatch("".join(patterns), "".join(line + "\n" for line in got)) is not None


class Document:
    def __init__(self, name, check):
        self.name, self.check = name, check
        self.steps = 0

    def run_step(self, step):
        if step.kind == ">":
            command, given = ["redis-cli"], "\n".join(step.typed) + "\n"
        else:
            command, given = ["bash", "-c", step.typed[0]], ""
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=BOUND_S,
            cwd=self.directory, env=self.environment)
        got = [line.rstrip() for line in (done.stdout + done.stderr).splitlines() if line and not ELAPSED.match(line)]
        self.steps += len(step.typed)
        self.check.true(
            matches(step.shown, got),
            "\n".join([f"{self.name}:{step.number}: " + " ; ".join(step.typed), "    shown:",
                       *step.shown, "    got:", *got]))

    def run_block(self, block):
        name = FILE_NAME.match(block.before)
        if name:
            (self.directory / name[1]).write_text("\n".join(block.lines) + "\n")
            return
        for step in joined(steps_of(block)):
            self.run_step(step)

    def prepare(self, server, directory):
        """Has redis-cli talk to the server as it would to a person."""
        self.directory = pathlib.Path(directory)
        client = self.directory / "bin" / "redis-cli"
        client.parent.mkdir()
        client.write_text(
            f'#!/bin/sh\nexec /usr/bin/redis-cli -p {server.port} --no-raw "$@"\n')
        client.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}"}

    def run(self):
        text = (ROOT / self.name).read_text()
        with Server() as server, tempfile.TemporaryDirectory() as directory:
            self.prepare(server, directory)
            for block in blocks_of(text):
                self.run_block(block)


def main():
    check = Check()
    for name in sys.argv[1:] or DOCUMENTS:
        document = Document(name, check)
        document.run()
        print(f"{name}: {document.steps} requests")
    check.finish()


if __name__ == "__main__":
    main()
