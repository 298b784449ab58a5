"""Lock servers of others, each with the Python client that its users take: Redis, ZooKeeper, etcd.

Redis keeps nothing on disk; ZooKeeper and etcd do, because that is what they are for, in a temporary directory.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .system import Handle, free_port, lacks, listens, server

LEASE = 60  # seconds, for clients that must name one; longer than any round
PROBE = 0.5  # seconds after which ZooKeeper, once asked, will not answer any more
ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar"  # where Debian's package has it
AGAIN = 0.1  # seconds between two attempts of a client that has no waiting of its own; redis-py's own value


class RedisHandle:
    """redis-py's Lock, with its own defaults: it asks again every 0.1 s."""

    def __init__(self, port: str, resource: str) -> None:
        import redis

        self._client = redis.Redis(port=int(port))
        lock = self._client.lock(resource, timeout=LEASE)
        self.acquire, self.release = lock.acquire, lock.release

    def close(self) -> None:
        self._client.close()


class Redis:
    """A real redis-server."""

    name = "redis-py"
    how = (
        f"`Redis().lock(name, timeout={LEASE})`, else its own defaults: a lease of {LEASE} s that nobody renews;"
        " who waits asks again every 0.1 s; the server saves nothing"
    )
    modules: Sequence[str] = ("redis",)

    def missing(self) -> str:
        return lacks(modules=self.modules, programs=["redis-server"])

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        port = free_port()
        words = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(directory)]
        with server(words, directory, lambda: listens(port)):
            yield str(port)

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return RedisHandle(address, resource)


class ZooKeeperHandle:
    """kazoo's lock recipe: a fair line of nodes, each watching the one before."""

    def __init__(self, port: str, resource: str, *, shared: bool) -> None:
        from kazoo.client import KazooClient

        self._client = KazooClient(hosts=f"127.0.0.1:{port}", timeout=LEASE)
        self._client.start(timeout=LEASE)
        path = f"/locks/{resource}"
        lock = self._client.ReadLock(path) if shared else self._client.Lock(path)
        self.acquire, self.release = lock.acquire, lock.release

    def close(self) -> None:
        self._client.stop()
        self._client.close()


class ZooKeeper:
    """A real ZooKeeper, one server."""

    name = "kazoo"
    how = f"`Lock(path)` in a session of {LEASE} s; one server, which writes to disk as it comes"
    modules: Sequence[str] = ("kazoo.client",)

    def missing(self) -> str:
        return lacks(modules=self.modules, programs=["java"], files=[ZOOKEEPER_JAR])

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        port = free_port()
        config = directory / "zoo.cfg"
        config.write_text(
            f"tickTime=2000\ndataDir={directory}/data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
            "maxClientCnxns=0\nmaxSessionTimeout=120000\nadmin.enableServer=false\n"
        )
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        with server(["java", "-cp", ZOOKEEPER_JAR, main, str(config)], directory, lambda: _serves(port)):
            yield str(port)

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return ZooKeeperHandle(address, resource, shared=shared)


def _serves(port: int) -> bool:
    """Has ZooKeeper begun to serve? It listens long before, and never answers who comes so early."""
    try:
        with socket.create_connection(("127.0.0.1", port), PROBE) as one:
            one.sendall(b"srvr")
            return b"Mode:" in one.makefile("rb").read()
    except OSError:
        return False


class EtcdHandle:
    """etcd3gw's Lock, which only tries: whoever wants to wait tries again."""

    def __init__(self, port: str, resource: str) -> None:
        from etcd3gw.client import Etcd3Client

        client = Etcd3Client(host="127.0.0.1", port=int(port), api_path="/v3/")
        self._session = client.session
        self._lock = client.lock(resource, ttl=LEASE)

    def acquire(self) -> None:
        while not self._lock.acquire():
            time.sleep(AGAIN)

    def release(self) -> None:
        self._lock.release()

    def close(self) -> None:
        self._session.close()


class Etcd:
    """A real etcd, one server."""

    name = "etcd3gw"
    how = (
        f"`lock(name, ttl={LEASE})`, whose `acquire` only tries: who was refused tries again every {AGAIN} s;"
        " one server, which writes to disk as it comes"
    )
    modules: Sequence[str] = ("etcd3gw.client",)

    def missing(self) -> str:
        return lacks(modules=self.modules, programs=["etcd"])

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        with etcd(directory) as port:
            yield port

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return EtcdHandle(address, resource)


@contextmanager
def etcd(directory: Path) -> Iterator[str]:
    """One etcd; its port for clients."""
    client, peer = free_port(), free_port()
    here, there = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    words = ["etcd", "--data-dir", f"{directory}/data", "--listen-client-urls", here, "--advertise-client-urls", here]
    words += ["--listen-peer-urls", there, "--initial-advertise-peer-urls", there]
    words += ["--initial-cluster", f"default={there}", "--log-level", "error"]
    with server(words, directory, lambda: listens(client)):
        yield str(client)


class Etcdctl:
    """``etcdctl lock``."""

    name = "etcdctl lock"
    how = "`etcdctl lock NAME COMMAND`; one server, which writes to disk as it comes"

    def missing(self) -> str:
        return lacks(programs=["etcd", "etcdctl"])

    serving = staticmethod(etcd)

    def words(self, address: str, resource: str) -> list[str]:
        return ["etcdctl", "--endpoints", f"127.0.0.1:{address}", "lock", resource]

    def environ(self, address: str) -> dict[str, str]:
        return {"ETCDCTL_API": "3"}
