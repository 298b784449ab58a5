"""The other end of a TCP connection: who it is, how one is made, and how its death is noticed.

The rule: every wait is bounded. A connection that is made waits no longer than its caller says; one that stands is
probed by the kernel when nothing comes, and given up when what we sent is not acknowledged, both within the time of all
probes (``time + interval * probes``). A job that is stopped still holds its lock, so it is the kernel that answers the
probes and not the program.

Source: man 7 tcp; FLoM 1.7.2, its manual (60 s, 10 s, 6 probes; there the daemon's side alone).
"""

from __future__ import annotations

import _socket
import os
import select
from errno import EINPROGRESS, EINVAL, ENETUNREACH

from .endpoints import HIGHEST_PORT, Tcp
from .errors import RemoteProtocolError, Unreachable
from .frozen import Frozen, altered

MOST_SECONDS, MOST_PROBES = 32_767, 127  # what the kernel takes
MOST_MILLISECONDS = 2**31 - 1

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from .keys import ClientKeys

ASK_AGAIN = 0.5  # seconds for the question which mechanism is spoken
GREETING = 64  # bytes of a ZMTP greeting
OPENING = b"\xff" + bytes(8) + b"\x7f\3"  # of one: after so much the other side says all of its own
MECHANISM = slice(12, 32)  # in it


class Unanswered(Unreachable):
    """Nothing at all came back from there: nobody is there, or what we sent is dropped on the way."""


class Keepalive(Frozen):
    """When a silent connection is probed, how often again, and how many unanswered probes mean that it is dead.

    Durations are in seconds. What the kernel would refuse (less than 1, more than 32767 s or 127 probes) is cut here,
    for all who use it: libzmq lets the process die of a refusal, or the connection fail.
    """

    time: int = 60
    interval: int = 10
    probes: int = 6

    def __new__(cls, time: int = 60, interval: int = 10, probes: int = 6) -> Self:
        most = (MOST_SECONDS, MOST_SECONDS, MOST_PROBES)
        return super().__new__(cls, *(max(1, min(each)) for each in zip((time, interval, probes), most, strict=True)))

    def apply(self, connection: _socket.socket) -> None:
        """Let the kernel watch over ``connection``."""
        tcp = _socket.IPPROTO_TCP
        connection.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, 1)
        connection.setsockopt(tcp, _socket.TCP_KEEPIDLE, self.time)
        connection.setsockopt(tcp, _socket.TCP_KEEPINTVL, self.interval)
        connection.setsockopt(tcp, _socket.TCP_KEEPCNT, self.probes)
        connection.setsockopt(tcp, _socket.TCP_USER_TIMEOUT, self.unacknowledged)

    @property
    def unacknowledged(self) -> int:
        """Milliseconds until a peer is given up that does not acknowledge what it was sent."""
        return min((self.time + self.interval * self.probes) * 1000, MOST_MILLISECONDS)


class Peer(Frozen):
    """One address of a daemon, as ``connect`` takes it."""

    family: int
    sockaddr: tuple[object, ...]
    keepalive: Keepalive = Keepalive()
    keys: ClientKeys | None = None  # then it is spoken to under CURVE

    def __str__(self) -> str:
        scope = self.sockaddr[3] if len(self.sockaddr) > 3 else 0
        return str(Tcp(str(self.sockaddr[0]), int(str(self.sockaddr[1])), str(scope or "")))

    def beside(self, address: str) -> Peer:
        """Another port of the same host, in decimal digits.

        Raises:
            RemoteProtocolError: it is none.
        """
        if not (address.isascii() and address.isdigit() and len(address) <= 5 and 0 < int(address) <= HIGHEST_PORT):
            raise RemoteProtocolError(f"the daemon at {self} names a locker at no port: {address!r}")
        return altered(self, sockaddr=(self.sockaddr[0], int(address), *self.sockaddr[2:]))

    def connect(self, connection: _socket.socket, patience: float) -> None:
        """Connect ``connection``, which does not block any more then.

        Args:
            patience: seconds.

        Raises:
            OSError: nobody listens there, or no way leads there.
            Unanswered: no answer has come in time.
        """
        connection.setblocking(False)
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.keepalive.apply(connection)
        error = connection.connect_ex(self.sockaddr)
        if error == EINPROGRESS:
            poll = select.poll()
            poll.register(connection.fileno(), select.POLLOUT)
            if not poll.poll(patience * 1000):
                raise Unanswered(f"{self} has not answered for {patience:.2g}s")
            error = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if error == EINVAL:  # a route says that nothing may go there (man 8 ip-route, blackhole)
            raise OSError(ENETUNREACH, "no way leads there")
        if error:
            raise OSError(error, os.strerror(error))
        if connection.getsockname() == connection.getpeername():  # a free port of our own, which met itself
            raise ConnectionRefusedError(f"nobody listens at {self}")

    def mechanism(self) -> str:
        """The security mechanism of ZMTP that is spoken there, "" if another protocol is.

        ZeroMQ ends a connection whose mechanism is not its own without a word; this asks once more, and says none.

        Raises:
            OSError: nobody listens there.
            Unreachable: no answer has come in time.
        """
        from contextlib import suppress  # only who was not let in pays for it

        asking = _socket.socket(self.family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            self.connect(asking, ASK_AGAIN)
            asking.settimeout(ASK_AGAIN)
            said = b""
            with suppress(OSError):  # what was said until then is enough, or is no greeting
                asking.send(OPENING)
                while len(said) < GREETING and (more := asking.recv(GREETING - len(said))):
                    said += more
        finally:
            asking.close()
        if len(said) < GREETING or said[9] != OPENING[9]:
            return ""
        return said[MECHANISM].rstrip(b"\0").decode("ascii", "replace")
