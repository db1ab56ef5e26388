#!/usr/bin/python3
"""Makes the C source of the lock scripts' texts, or of the library that is built into the server.

    tools/locktexts.py scripts|library lua OUTPUT

A script as it is sent by EVAL is the text of common.lua and its own. In the library all are made
once, when it is loaded; the last line of each, which runs what is asked for, becomes a function."""

import hashlib
import pathlib
import sys

SCRIPTS = ("mutex", "fair", "rw", "semaphore", "multi", "election", "guard", "renew")
SERVER_ONLY = ("locks",)


def literal(text):
    """Returns a text as a C string, a line each."""
    lines = text.split("\n")
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return "\n".join(f'    "{line}\\n"' for line in quoted)


def stripped(text):
    """Returns a text without comments and indentation: it is sent, and hashed, and not read."""
    kept = []
    for line in text.split("\n"):
        code = line.strip()
        comment = code.find(" -- ")
        if comment >= 0 and "'" not in code[comment:]:
            code = code[:comment].rstrip()
        if code and not code.startswith("--"):
            kept.append(code)
    return "\n".join(kept) + "\n"


def script(lua, name):
    """Returns the text of a script, as it is sent."""
    return stripped((lua / "common.lua").read_text() + (lua / f"{name}.lua").read_text())


def scripts(lua):
    yield '#include "lua/texts.h"\n\nconst struct lock_script lock_scripts[] = {'
    for name in SCRIPTS:
        text = script(lua, name)
        sha = hashlib.sha1(text.encode()).hexdigest()
        yield f'{{"{name}",\n{literal(text[:-1])},\n    "{sha}"}},'
    yield "{0},\n};"


def part_of_library(name, text):
    """Returns the part of the library that a script makes. Others see what it runs as lock_NAME."""
    body, last = text.rstrip().rsplit("\n", 1)
    table = last.removeprefix("return run(").removesuffix(", KEYS, ARGV)")
    assert last == f"return run({table}, KEYS, ARGV)", f"{name}.lua: its last line runs something else"
    function = name if name in SERVER_ONLY else f"lock_{name}"
    parts = [f"local lock_{name}", "do", body, f"lock_{name} = {table}",
             f"local function call(KEYS, ARGV) {last} end"]
    if name not in SERVER_ONLY:
        parts.append(f"redis.register_function('{function}', call)")
        function += "_ro"
    parts += [f"redis.register_function{{function_name = '{function}', callback = call, "
              "flags = {'no-writes'}}", "end"]
    return "\n".join(parts)


def library(lua):
    parts = [(lua / "common.lua").read_text()]
    parts += [part_of_library(name, (lua / f"{name}.lua").read_text())
              for name in SCRIPTS + SERVER_ONLY]
    text = "#!lua name=moonlatch\n" + stripped("\n".join(parts))
    yield '#include "lua/texts.h"\n\nconst char lock_library[] ='
    yield literal(text[:-1]) + ";"
    yield "const size_t lock_library_len = sizeof lock_library - 1;"


def main():
    what, lua, output = sys.argv[1:]
    parts = {"scripts": scripts, "library": library}[what](pathlib.Path(lua))
    pathlib.Path(output).write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
