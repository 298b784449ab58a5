"""The line between a parent and its child: packets on a UNIX socket pair.

Not ZeroMQ: a socket pair cannot be spoken to by anybody else, needs no address, and its end is the end of the process
at the other side. Sending never blocks: what a stopped child does not read is kept here, so that one stopped process
cannot stop its parent.
"""

from __future__ import annotations

import socket
from collections import deque

from .quick import decode, encode
from .wire import Message


class Pipe:
    """One end. Both ends are made by ``pipe_pair``.

    Args:
        end: a connected SOCK_SEQPACKET socket, owned by the pipe from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._unsent: deque[bytes] = deque()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_send(self) -> bool:
        """True while something is kept that the other side did not take: call ``flush`` when the descriptor is
        writable."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Send, or keep until it can be sent. What is sent to a process that ended is dropped: its end is told
        elsewhere."""
        self._unsent.append(encode(message))
        self.flush()

    def flush(self) -> None:
        """Send what was kept, as far as the other side takes it."""
        while self._unsent:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._unsent.clear()
                return
            self._unsent.popleft()

    def receive(self) -> Message | None:
        """The next message, None if there is none now.

        Raises:
            EOFError: the other side ended.
            RemoteProtocolError: the other side speaks another version; an actor fails loudly then.
        """
        try:
            frame = self._socket.recv(65536)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            frame = b""
        if not frame:
            raise EOFError
        return decode(frame)

    def close(self) -> None:
        self._socket.close()


def pipe_pair() -> tuple[Pipe, socket.socket]:
    """The parent's end, and the socket for the child's end (a socket can be handed to a process, a ``Pipe`` is made
    there)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Pipe(ours), theirs
