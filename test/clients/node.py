#!/usr/bin/python3
"""Runs a file of tests for a Node.js client against our server.

    test/clients/node.py ioredis.js
    test/clients/node.py discovery.js cluster_enabled=yes       with options of the server

Without the clients, which tools/setup.sh installs, the tests are skipped; CI must
not be without them.
"""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import Server

HERE = pathlib.Path(__file__).resolve().parent

# What meson takes for a test that was skipped.
SKIPPED = 77


def main():
    if shutil.which("node") is None or not (HERE / "node_modules/.package-lock.json").exists():
        print("Node.js or its clients are missing; tools/setup.sh test installs them")
        sys.exit(1 if os.environ.get("CI") == "true" else SKIPPED)

    options = dict(word.split("=", 1) for word in sys.argv[2:])
    with Server(**options) as server:
        environment = {**os.environ, "PORT": str(server.port)}
        suite = subprocess.run(["node", HERE / "suite.js", HERE / sys.argv[1]], env=environment)
    sys.exit(suite.returncode)


if __name__ == "__main__":
    main()
