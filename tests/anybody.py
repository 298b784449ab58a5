"""Somebody who listens at a port of this host, and a port at which nobody does."""

from __future__ import annotations

import socket
import threading

from holdfast.transport import zmtp
from holdfast.transport.endpoints import Tcp

LIMIT = 30.0  # seconds; nothing here should ever take so long
GREETING = zmtp._GREETING + zmtp.frame_bytes(zmtp._READY, 4)


class Daemon:
    """Whatever listens at a port of this host."""

    def __init__(self, says: bytes = GREETING) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.accepted: list[socket.socket] = []
        self._says = says
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        try:
            while True:
                connection = self.listener.accept()[0]
                connection.sendall(self._says)
                self.accepted.append(connection)
        except OSError:
            return

    @property
    def tcp(self) -> Tcp:
        return Tcp(*self.address)

    def end(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT)
        self.listener.close()
        for connection in self.accepted:
            connection.close()


def nobody() -> Tcp:
    """A port of this host at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        return Tcp(*once.getsockname())
