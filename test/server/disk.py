#!/usr/bin/python3
"""Disk trouble: while the disk is full, writes are refused, reads go on, and it heals by
itself; what the disk does not take is not acknowledged, and a write that has failed ends
the process. What was acknowledged is there afterwards, always."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from server import PATIENCE_S, SOAK, Check, Client, Error, Status, free_port, wait_until

OK = Status(b"OK")
PROGRAM = str(pathlib.Path(shutil.which(os.environ["MOONLATCH_SERVER"])
                           or os.environ["MOONLATCH_SERVER"]).absolute())
CYCLES = 50 * SOAK
SIZE = 100 << 20  # Of the disk: a log alone takes half of it.
VALUE = b"x" * 90000


def enter_own_mounts():
    """Nobody else is to see what is mounted here: who copies our mounts, as `unshare` does, would
    hold on to a device that we are done with. Where that is not allowed, nothing can be mounted."""
    CLONE_NEWNS = 0x20000
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)


class LoopDevice:
    """A device whose blocks are in a file; see linux/loop.h."""

    SET, GET, SIZE, LIMIT_AT = 0x4C04, 0x4C05, 232, 32

    def __init__(self, path):
        self.path = path

    def limit(self, size):
        """Has the device end there, 0: with its file. What is behind that fails with EIO."""
        with open(self.path, "rb", buffering=0) as device:
            info = bytearray(self.SIZE)
            fcntl.ioctl(device, self.GET, info)
            struct.pack_into("<Q", info, self.LIMIT_AT, size)
            fcntl.ioctl(device, self.SET, bytes(info))


class Disk:
    """A small disk: in memory, or, `device`, a file system on a device that can be made to
    fail, and whose blocks are in memory.

    A device of which there is less than it says, a file with holes on a full disk, will not
    do: the kernel's loop driver tells of success when only a part of a write has found room."""

    def __init__(self, device=False):
        self.mounts = []
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="moonlatch-disk-"))
        self.path = self.top / "disk"
        self.path.mkdir()
        try:
            if device:
                (self.top / "memory").mkdir()
                self.mount("-t", "tmpfs", "-o", f"size={SIZE}", "none", self.top / "memory")
                self.image = self.top / "memory" / "image"
                with open(self.image, "wb") as file:
                    file.truncate(SIZE * 9 // 10)
                subprocess.run(["mkfs.ext4", "-q", self.image], check=True, capture_output=True)
                self.mount_image()
            else:
                self.mount("-t", "tmpfs", "-o", f"size={SIZE}", "none", self.path)
        except BaseException:
            self.close()
            raise

    def mount(self, *arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)
        self.mounts.append(arguments[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def unmount(self):
        path = self.mounts.pop()
        wait_until(lambda: subprocess.run(["umount", path], capture_output=True).returncode == 0)

    def mount_image(self):
        self.mount("-o", "loop", self.image, self.path)
        mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
        device, = [line.split()[0] for line in mounts if line.split()[1] == str(self.path)]
        self.device = LoopDevice(device)

    def fail(self):
        """Has the device fail, but for its first blocks."""
        self.device.limit(1 << 20)

    def repair(self):
        """Has it work again, and does what is to be done then to its file system."""
        self.device.limit(0)
        self.unmount()
        subprocess.run(["fsck.ext4", "-fy", self.image], capture_output=True)
        self.mount_image()

    def close(self):
        while self.mounts:
            self.unmount()
        shutil.rmtree(self.top, ignore_errors=True)

    def fill(self, but=0):
        """Takes all the room that there is, but for some bytes."""
        self.filler = self.path / "filler"
        with open(self.filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        os.truncate(self.filler, self.filler.stat().st_size - but)

    def free(self):
        self.filler.unlink()


class Home:
    """A server in a directory. What it logs is kept here, not on its disk."""

    def __init__(self, path, **options):
        self.path = path
        self.options = {"durability": "strict", "save": "", "raft_log_size": "1gb", **options}
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        self.port = free_port()
        arguments = [PROGRAM, "--port", str(self.port), "--dir", str(self.path)]
        for name, value in self.options.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        self.lines = []
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.lines.extend, args=[self.process.stdout])
        self.reader.start()
        return wait_until(self.answers)

    def answers(self):
        with contextlib.suppress(OSError):
            self.connect().close()
            return True
        return self.process.poll() is not None

    def run(self):
        self.start()
        assert wait_until(self.writes), self.log()

    def writes(self):
        with contextlib.suppress(OSError), self.connect() as client:
            return client.call("SET", "whether", "it writes") == OK
        return False

    def connect(self):
        return Client(("127.0.0.1", self.port))

    def log(self):
        return "".join(self.lines)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE_S)
        self.reader.join()
        self.process = None
        return status

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()


class Writer:
    """Writes until it is told that it may not, and remembers what was acknowledged."""

    def __init__(self, home):
        self.home = home
        self.acknowledged = {}
        self.number = 0

    def write(self):
        """Returns the first reply that is no OK, or None if the connection ends."""
        with contextlib.suppress(OSError), self.home.connect() as client:
            while True:
                self.number += 1
                key, value = f"key:{self.number % 40}", b"%d" % self.number
                reply = client.call("SET", key, value + VALUE)
                if reply != OK:
                    return reply
                self.acknowledged[key] = value
        return None

    def check(self, check, what):
        with self.home.connect() as client:
            lost = []
            for key, value in self.acknowledged.items():
                reply = client.call("GET", key)
                found = -1 if reply is None or isinstance(reply, Error) else int(reply.rstrip(b"x"))
                if found < int(value):
                    lost.append((key, value, reply and reply[:30]))
        check.equal(lost, [], f"{what}: what was acknowledged is there")


def test_full(check, disk):
    with Home(disk.path) as home:
        home.run()
        writer = Writer(home)
        slowest_s = 0
        for cycle in range(CYCLES):
            what = f"cycle {cycle}"
            disk.fill()
            check.starts(writer.write(), b"MISCONF The log cannot be written", what)
            check.starts(writer.write(), b"MISCONF", f"{what}: and the next")
            writer.check(check, what)
            disk.free()
            start = time.monotonic()
            check.true(wait_until(home.writes), f"{what}: it heals")
            slowest_s = max(slowest_s, time.monotonic() - start)
            with home.connect() as client:  # Or the log would be all that there is.
                check.equal(client.call("RAFT", "SNAPSHOT"), OK, f"{what}: a snapshot")
        check.true("disk is full" in home.log(), "the log tells of a full disk")
        print(f"{CYCLES} times full: it healed within {slowest_s * 1000:.0f} ms")
        home.kill()
        home.run()
        writer.check(check, "after a restart")


def test_start(check, disk):
    """A server that starts without room for more of its log waits for some."""
    with Home(disk.path) as home:
        home.run()
        writer = Writer(home)
        with home.connect() as client:
            client.call("SET", "key:1", "1")
            writer.acknowledged["key:1"] = b"1"
        home.stop()
        disk.fill(but=1 << 20)
        home.start()
        check.true(wait_until(lambda: "there is no room" in home.log()), "it tells that it waits")
        with home.connect() as client:
            check.starts(client.call("SET", "a", "b"), b"LOADING", "a write while it waits")
        disk.free()
        check.true(wait_until(home.writes), "it goes on when there is room")
        writer.check(check, "behind a start on a full disk")


def test_snapshot(check, disk):
    """A snapshot for which there is no room is tried again, and does no harm."""
    with Home(disk.path, raft_log_size="1mb", rdbcompression="no") as home:
        home.run()
        writer = Writer(home)
        disk.fill()
        check.starts(writer.write(), b"MISCONF", "the disk is full")
        check.true(wait_until(lambda: "Background saving error: No space left" in home.log()),
                   "the snapshot has no room")
        writer.check(check, "without a snapshot")
        disk.free()
        check.true(wait_until(home.writes), "it heals")
        check.true(wait_until(lambda: "is stored" in home.log()), "the snapshot is taken then")
        writer.check(check, "with a snapshot")
        home.kill()
        check.equal(list((disk.path / "raft").glob("*.saving")), [], "nothing is left over")
        home.run()
        writer.check(check, "after a restart")


# What has failed.


def expect_failure(check, home, writer, what):
    reply = writer.write()
    check.true(reply is None or isinstance(reply, Error), f"{what}: no acknowledgement: {reply}")
    check.equal(home.wait(), 1, f"{what}: the exit status")
    check.true("The log has failed" in home.log() and f"{home.path}/raft" in home.log(),
               f"{what}: the log says where:\n{home.log()}")


def test_failed_write(check):
    """The kernel refuses to let files grow: every write to them fails."""
    with tempfile.TemporaryDirectory(prefix="moonlatch-disk-") as path, Home(path) as home:
        home.run()
        writer = Writer(home)
        timer = threading.Timer(0.3, resource.prlimit,
                                [home.process.pid, resource.RLIMIT_FSIZE, (4096, 4096)])
        timer.start()
        expect_failure(check, home, writer, "a failed write")
        home.run()
        writer.check(check, "after a failed write")


def test_device(check):
    """A device that fails with EIO, and works again later."""
    with Disk(device=True) as disk, Home(disk.path) as home:
        home.run()
        writer = Writer(home)
        timer = threading.Timer(0.3, disk.fail)
        timer.start()
        expect_failure(check, home, writer, "a failing device")
        timer.join()
        disk.repair()
        home.run()
        writer.check(check, "after a failing device")


def on_disk(check, test, *arguments):
    with Disk() as disk, check.part(test.__name__):
        test(check, disk, *arguments)


def main():
    check = Check()
    enter_own_mounts()
    with check.part("failed writes"):
        test_failed_write(check)
    try:
        Disk().close()
    except (OSError, subprocess.CalledProcessError) as error:
        check.skip("full disks", f"nothing can be mounted: {error}")
        check.finish()
    for test in [test_full, test_start, test_snapshot]:
        on_disk(check, test)
    try:
        Disk(device=True).close()
    except (OSError, subprocess.CalledProcessError) as error:
        check.skip("failing devices", f"no device can be made of a file: {error}")
    else:
        with check.part("failing devices"):
            test_device(check)
    check.finish()


main()
