"""What ZeroMQ tells of the connections of a ROUTER: who came, who went, and who came to nothing, and why.

The rule: it is asked, and never tells by itself. A connection is known by its descriptor's number, which is used again
once it went; so what is told must be taken in its order.

Its queue has no limit (RCVHWM 0): 2,000 unread events would block the I/O thread.

Source: man 3 zmq_socket_monitor.
"""

from __future__ import annotations

from collections import Counter
from struct import Struct

import zmq

NOT_ADMITTED = "is not admitted"
FAILURES = {
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL: "ended amid the handshake",
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL: "does not speak the protocol",
    zmq.Event.HANDSHAKE_FAILED_AUTH: NOT_ADMITTED,
}
_TOLD = Struct("=Hi")  # event and value; pyzmq's own function for it would import asyncio and ssl
_WATCHED = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | sum(FAILURES)  # each is one bit


class Monitor:
    """Watches over ``router``, which does not listen yet.

    Args:
        context: of this process.
        failures: in which connections that came to nothing are counted, by what was wrong with them.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], router: zmq.Socket[bytes], failures: Counter[str]
    ) -> None:
        self._router = router
        self._failures = failures
        address = f"inproc://monitor-{id(self)}"
        router.monitor(address, _WATCHED)
        self.socket = context.socket(zmq.PAIR)  # readable when there is something to tell
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)

    def next(self) -> tuple[int, bool] | None:
        """The next connection that came (True) or went, by its descriptor; None: there is none."""
        while True:
            try:
                told, _ = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            event, value = _TOLD.unpack(told)
            if event not in FAILURES:
                return value, event == zmq.Event.ACCEPTED
            self._failures[FAILURES[event]] += 1

    def close(self) -> None:
        """Watch no longer."""
        self._router.disable_monitor()
        self.socket.close(0)
