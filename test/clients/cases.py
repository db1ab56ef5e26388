"""What the tests of other people's clients share: unittest, a server for each
program, and the closing line that tools/tally.py counts. Importing this also puts
test/lib into the path of modules."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Server

server = None


def run():
    """Runs the test cases of the calling program against a server that lives as
    long, and exits. A server that does not end well is a failure."""
    global server
    with Server() as server:
        result = unittest.main(module="__main__", exit=False, verbosity=2).result
        failed = len(result.failures) + len(result.errors)
        try:
            server.stop()
        except AssertionError as error:
            print(error)
            failed += 1
    print(f"{result.testsRun - len(result.failures) - len(result.errors)} passed, {failed} failed")
    sys.exit(failed > 0)
