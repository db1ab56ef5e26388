"""Three servers that are one group, for the tests of clients which look for its leader."""

import server
from server import Error, Server, wait_until


def address_of(one):
    """Returns both ports: the one for peers is 10000 above the other, or below it."""
    peer_port = one.port + 10000 if one.port + 10000 < 1 << 16 else one.port - 10000
    return f"127.0.0.1:{one.port}@{peer_port}"


class Group:
    """Ends its servers with the with block, whether they still live or not."""

    def __init__(self, **options):
        options = {"durability": "strict", "raft_secret": "known to all three", **options}
        self.servers = [Server(**options) for _ in range(3)]
        try:
            self.join()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.servers:
            one.process.kill()
            one.process.wait()
            one.remove()

    def join(self):
        first, *others = self.servers
        for one in others:
            with one.connect() as client:
                joined = client.call("RAFT", "JOIN", address_of(first))
                assert not isinstance(joined, Error), joined
        for one in self.servers:
            with one.connect() as client:
                assert wait_until(lambda: server.info(client, "raft_voters") == 3), "not all vote"
                assert wait_until(lambda: server.info(client, "raft_leader_id") != 0), "who leads?"

    @property
    def ports(self):
        return [one.port for one in self.servers]

    def living(self):
        return [one for one in self.servers if one.is_alive()]

    def leader(self):
        """Returns the server that leads, or None."""
        for one in self.living():
            with one.connect() as client:
                if client.call("ROLE")[0] == b"master":
                    return one
        return None

    def transfer(self):
        """Makes another server the leader."""
        with self.leader().connect() as client:
            done = client.call("RAFT", "TRANSFER")
        assert not isinstance(done, Error), done
        assert wait_until(self.leader)

    def kill_leader(self):
        leader = self.leader()
        leader.process.kill()
        leader.process.wait()
