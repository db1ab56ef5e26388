#!/usr/bin/python3
"""Checks every #include in src/ against tools/layers.txt. Run by `meson test`.

The rules are kept in layers.txt, which says how to read them. Two more hold
everywhere: a project's own header is named with its folder, and a unit test
(*_test.c) may also include test/lib/.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\b\s*(?:([<"])([^>"]+)[>"])?')


class Rules:
    """layers.txt: what a folder may include, and who may include a header."""

    def __init__(self, path):
        self.folders = {}
        self.reserved = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            head, colon, tail = line.partition("#")[0].partition(":")
            who, what = head.split(), tail.split()
            if not who and not colon:
                continue
            if not who or not colon:
                sys.exit(f"{path}:{number}: no rule: {line}")
            if who[0] == "only":
                self.reserved.append((who[1:], what))
            else:
                self.add_folder(f"{path}:{number}", who, what)

    def add_folder(self, place, who, below):
        """Takes only folders that are defined already, so no circle can arise."""
        unknown = [folder for folder in below if folder not in self.folders]
        if len(who) != 1 or who[0] in self.folders or unknown:
            sys.exit(f"{place}: every folder has one line, below those it names")
        self.folders[who[0]] = below

    def problem(self, name, quote, header):
        """Says what is wrong with an #include of the file `name`, or None."""
        folder = name.partition("/")[0]
        target = header.partition("/")[0]
        for who, what in self.reserved:
            if covers(what, header) and not covers(who, name):
                return f"only {' '.join(who)} may include it"
        if quote == "<" or name.endswith("_test.c") and header.startswith("test/lib/"):
            return None
        if "/" not in header or ".." in header:
            return "a header of ours is named with its folder"
        if target != folder and target not in self.folders[folder]:
            return f"{folder}/ may include {' '.join(self.folders[folder]) or 'no other folder'}"
        return None


def covers(patterns, name):
    """Whether a name is one of the patterns, or lies below one that ends in a slash."""
    return any(name.startswith(p) if p.endswith("/") else name == p for p in patterns)


def file_problems(rules, path, name):
    """Yields each bad #include of a file as (line number, header, what is wrong)."""
    if name.partition("/")[0] not in rules.folders:
        yield 1, name, "its folder has no line in tools/layers.txt"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if header is None:
            yield number, line.strip(), "an #include names its header literally"
            continue
        problem = rules.problem(name, quote, header)
        if problem:
            yield number, header, problem


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parent.parent
    rules = Rules(root / "tools/layers.txt")
    files = sorted((root / "src").rglob("*.[ch]"))
    problems = 0
    for path in files:
        name = path.relative_to(root / "src").as_posix()
        for number, header, problem in file_problems(rules, path, name):
            print(f"src/{name}:{number}: {header}: {problem}")
            problems += 1
    if not files:
        sys.exit(f"{root}/src has no source file")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
