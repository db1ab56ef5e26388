"""What locks are for: values that must not be written at the same time, served on a socket.

Those that are guarded refuse a token that is lower than one they have seen, at a read as at a
write, as lua/guard.lua does: whoever reads with 42 keeps 41 from writing what it read before. The
others accept everything, and lose updates when locks are only believed: without that a run has not
put the guard to the test. What is accepted is written down in the order in which it was served.
"""

import multiprocessing
import selectors
import socket

from record import Recorder


class Resources:
    def __init__(self, recorder):
        self.recorder = recorder
        self.values = {}
        self.highest = {}

    def answer(self, request):
        """Serves "read NAME TOKEN" or "write NAME TOKEN VALUE"; a name with a ! is guarded."""
        op, name, token, *value = request.split()
        guarded = name.endswith("!")
        accepted = not guarded or int(token) >= self.highest.get(name, 0)
        if accepted:
            self.highest[name] = int(token)
        if accepted and op == "write":
            self.values[name] = int(value[0])
        shown = int(value[0]) if value else self.values.get(name, 0)
        self.recorder.write("use", resource=name, guarded=guarded, op=op, token=int(token),
                            value=shown, accepted=accepted)
        return str(shown) if accepted else "refused"


def answer(connection, resources):
    """Serves one request. Returns whether there was one: its client may have been killed."""
    try:
        request = connection.recv(4096).decode()
        if request:
            connection.send(resources.answer(request).encode())
    except OSError:
        return False
    return request != ""


def serve(listener, recorder):
    resources = Resources(recorder)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            if not answer(key.fileobj, resources):
                selector.unregister(key.fileobj)
                key.fileobj.close()


class ResourceServer:
    """A process of its own, so that it serves whoever may be stopped."""

    def __init__(self, directory):
        self.path = str(directory / "resource")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(self.path)
        listener.listen(64)
        self.process = multiprocessing.get_context("fork").Process(
            target=serve, args=(listener, Recorder(directory / "resource.jsonl")), daemon=True)
        self.process.start()
        listener.close()

    def stop(self):
        self.process.kill()
        self.process.join()


class Resource:
    """A client of it. A request is a packet, so that a kill tears none."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(path)

    def ask(self, *words):
        """Returns a value, or None if it was refused."""
        self.socket.send(" ".join(map(str, words)).encode())
        reply = self.socket.recv(4096).decode()
        return None if reply == "refused" else int(reply)
