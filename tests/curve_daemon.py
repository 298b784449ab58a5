"""A daemon's side of CURVE, for the tests of the client's."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import zmq

from holdfast.transport import curve, keys
from holdfast.transport.keys import ClientKeys, DaemonKeys
from holdfast.transport.peers import Peer
from holdfast.transport.zap import Doorkeeper

LIMIT = 30.0  # seconds; nothing here should ever take so long
HOST = "127.0.0.1"


class Daemon:
    """A ROUTER behind CURVE whose doorkeeper works in a thread of the test, while the test does something else."""

    def __init__(self, where: Path, *, curve: bool = True, host: str = HOST) -> None:
        self.secret = keys.read_pair(keys.create(str(where), "daemon")[1])
        self.admitted = where / "admitted"
        self.admitted.mkdir()
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.ipv6 = True
        self.router.linger = 0
        self.router.rcvtimeo = self.router.sndtimeo = int(LIMIT * 1000)
        self.doorkeeper = Doorkeeper(self.context, DaemonKeys(self.secret, str(self.admitted)))
        if curve:
            self.doorkeeper.guard(self.router)
        self.port = self.router.bind_to_random_port(f"tcp://{host}")
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        poller = zmq.Poller()
        poller.register(self.doorkeeper.zap_socket, zmq.POLLIN)
        poller.register(self._end[0], zmq.POLLIN)
        while self._end[0] not in dict(poller.poll()):
            self.doorkeeper.answer_some()

    def admit(self, client: str) -> None:
        """Admit who has the secret file ``client``."""
        public = Path(client).with_suffix(".key")
        (self.admitted / public.name).write_bytes(public.read_bytes())

    def close(self) -> None:
        os.write(self._end[1], b"x")
        self._thread.join(LIMIT)
        for end in self._end:
            os.close(end)
        self.doorkeeper.stop()
        self.router.close(0)
        self.context.term()


def wire_to(port: int, own: str, server: bytes, patience: float = LIMIT) -> curve.Wire:
    """A connection of who has the secret file ``own``."""
    return curve.Wire(place_of(port, ClientKeys(keys.read_pair(own), server)), patience)


def place_of(port: int, known: ClientKeys | None) -> Peer:
    """Where the daemon is that listens at ``port``."""
    return Peer(socket.AF_INET, (HOST, port), keys=known)
