#!/usr/bin/python3
"""Runs a file of tests for a Node.js client against our server.

    test/clients/node.py ioredis.js
    test/clients/node.py discovery.js cluster_enabled=yes       with options of the server
    test/clients/node.py --group failover.js                    three servers that are one group

Without the clients, which tools/setup.sh installs, the tests are skipped; CI must
not be without them.
"""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from group import Group
from server import Server

HERE = pathlib.Path(__file__).resolve().parent

# What meson takes for a test that was skipped.
SKIPPED = 77


def run(file, **variables):
    """Runs a file of tests, and returns their status."""
    environment = {**os.environ, **variables}
    return subprocess.run(["node", HERE / "suite.js", HERE / file], env=environment).returncode


def main():
    if shutil.which("node") is None or not (HERE / "node_modules/.package-lock.json").exists():
        print("Node.js or its clients are missing; tools/setup.sh test installs them")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)

    arguments = sys.argv[1:]
    is_group = arguments[0] == "--group"
    file, *words = arguments[is_group:]
    options = dict(word.split("=", 1) for word in words)
    if is_group:
        with Group(**options) as group:
            sys.exit(run(file, PORTS=",".join(map(str, group.ports))))
    with Server(**options) as server:
        status = run(file, PORT=str(server.port))
    sys.exit(status)


if __name__ == "__main__":
    main()
