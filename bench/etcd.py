"""etcd, as far as it is compared: three members, and a load generator.

The generator speaks etcd's own protocol, gRPC, by hand: a request is the same headers each
time, written without a table of them, and a message of two fields; of an answer it looks
for the end. That takes some 15 us of its CPU time, a fraction of what etcd needs for it.
"""

import json
import random
import select
import shutil
import socket
import struct
import time
import urllib.error
import urllib.request

import servers as farm

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WIDE = 2**31 - 1 - 65535  # All that may be added to the window: it is never used up.


def literal(name, value):
    """A header whose name is written out, or has a number in HPACK's table of names."""
    if isinstance(name, str):
        start = bytes([0, len(name)]) + name.encode()
    else:
        start = bytes([name]) if name < 15 else bytes([15, name - 15])
    return start + bytes([len(value)]) + value.encode()


REQUEST = (b"\x83\x86"  # POST, http
           + literal(4, "/etcdserverpb.KV/Put") + literal(1, "127.0.0.1")
           + literal(31, "application/grpc") + literal("te", "trailers"))


def frame(kind, flags, stream, content=b""):
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def put_message(key, value):
    """A PutRequest, as gRPC sends it."""
    content = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return struct.pack(">BI", 0, len(content)) + content


class Client:
    """A connection that has one request under way."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0)
                            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDE)))
        self.stream = -1
        self.input = b""
        self.sent_at = 0

    def send(self, message):
        self.stream += 2
        self.sent_at = time.perf_counter()
        self.socket.sendall(frame(HEADERS, END_HEADERS, self.stream, REQUEST)
                            + frame(DATA, END_STREAM, self.stream, message))

    def receive(self):
        """Reads what has come. Returns whether the request has been answered."""
        ended = False

        self.input += self.socket.recv(65536)
        while len(self.input) >= 9:
            size = int.from_bytes(self.input[:3], "big")
            if len(self.input) < 9 + size:
                break
            ended |= self.take(self.input[3], self.input[4], self.input[9:9 + size])
            self.input = self.input[9 + size:]
        return ended

    def take(self, kind, flags, content):
        if kind in (RST_STREAM, GOAWAY):
            raise farm.Refused("etcd has ended the request")
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.socket.sendall(frame(kind, ACK, 0, content if kind == PING else b""))
        return kind in (DATA, HEADERS) and flags & END_STREAM != 0


def put_all(port, clients, requests, keys, value):
    """Makes so many puts by so many clients. Returns how long that took, and each one's
    time, in seconds."""
    epoll = select.epoll()
    by_number = {}
    times = []

    for client in (Client(port) for _ in range(clients)):
        by_number[client.socket.fileno()] = client
        epoll.register(client.socket, select.EPOLLIN)
    start = time.perf_counter()
    for client in by_number.values():
        client.send(put_message(b"key:%012d" % random.randrange(keys), value))
    sent = clients
    while len(times) < requests:
        for number, _ in epoll.poll():
            client = by_number[number]
            if client.receive():
                times.append(time.perf_counter() - client.sent_at)
                if sent < requests:
                    client.send(put_message(b"key:%012d" % random.randrange(keys), value))
                    sent += 1
    took = time.perf_counter() - start
    epoll.close()
    for client in by_number.values():
        client.socket.close()
    return took, times


class Member(farm.Server):
    """One of a cluster."""

    def wait_until_ready(self):
        deadline = time.monotonic() + 20
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"etcd does not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"{self.url()}/health", timeout=5) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, urllib.error.URLError):
            return False

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def post(self, path, body):
        with urllib.request.urlopen(f"{self.url()}/v3/{path}", json.dumps(body).encode()) as answer:
            return json.load(answer)

    def leads(self):
        status = self.post("maintenance/status", {})
        return status["leader"] == status["header"]["member_id"]

    def revision(self):
        """How many puts there have been, and one."""
        return int(self.post("kv/range", {"key": "AA=="})["header"]["revision"])


def start_cluster(stack, cpu, disk):
    """Starts three members with etcd's own settings. Returns None if it is not installed."""
    program = shutil.which("etcd")
    ports = [(farm.free_port(), farm.free_port()) for _ in range(3)]
    cluster = ",".join(f"m{i}=http://127.0.0.1:{peer}" for i, (_, peer) in enumerate(ports))
    members = []

    if program is None:
        return None
    for i, (port, peer) in enumerate(ports):
        words = [program, "--name", f"m{i}", "--data-dir", "{dir}/data",
                 "--listen-client-urls", f"http://127.0.0.1:{port}",
                 "--advertise-client-urls", f"http://127.0.0.1:{port}",
                 "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                 "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                 "--initial-cluster", cluster]
        members.append(farm.start(stack, "etcd", words, cpu, disk, Member))
        members[-1].port = port
    for member in members:
        member.wait_until_ready()
    return members
