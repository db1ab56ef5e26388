#!/usr/bin/python3
"""Adds up the tests of the last `meson test` in each given build directory.

Prints 'N passed, N failed' (and ', N skipped' if any were) alone on a line, and
exits with 1 if one failed. A test program counts for as many tests as it says:
by cmocka's summary, or by a line such as the one printed here. A program that
says nothing counts for one.
"""

import json
import pathlib
import re
import sys

CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) +\] (\d+) test\(s\)", re.MULTILINE)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL")


def count_said(output):
    """Counts the tests (passed, failed, skipped) that a program says it ran."""
    counts = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for what, number in CMOCKA.findall(output):
        counts[what] += int(number)
    for numbers in PLAIN.findall(output):
        for what, number in zip(counts, numbers):
            counts[what] += int(number or 0)
    return tuple(counts.values())


def count_test(test):
    """Counts the tests of one program of meson's log. Its exit status has the
    last word: one that failed, though all it said was good, is a failure more."""
    passed, failed, skipped = count_said(test.get("stdout", "") + test.get("stderr", ""))
    if test["result"] == "SKIP":
        return passed, failed, max(skipped, 1)
    if test["result"] not in GOOD:
        return passed, max(failed, 1), skipped
    if passed + failed + skipped == 0:
        return 1, 0, 0
    return passed, failed, skipped


def count_build(build):
    """Counts the tests of a build directory. One whose tests did not come to run
    is a failure."""
    log = pathlib.Path(build) / "meson-logs/testlog.json"
    if not log.exists():
        print(f"{build}: no test ran", file=sys.stderr)
        return 0, 1, 0
    tests = [count_test(json.loads(line)) for line in log.read_text().splitlines()]
    return tuple(map(sum, zip((0, 0, 0), *tests)))


def main():
    passed, failed, skipped = map(sum, zip((0, 0, 0), *map(count_build, sys.argv[1:])))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
