"""The listening socket below an actor's mailbox, on a port, and who is at the other end of a connection to it.

The rule is that of ``listeners.py``: it can *pause*, and who connects meanwhile waits. A port cannot change hands as a
path can; so a filter on its socket lets the kernel drop what comes, and the newcomer's kernel asks again (after 1, 2,
4 … s). Connections that stand have sockets, and filters, of their own.

A port is more than the way in: who has it is the daemon of that address, whatever the address is called. So it can be
*kept* by a process that inherited the socket and listens there no longer (``keep_port``).

Source: man 7 socket (SO_ATTACH_FILTER), Linux' Documentation/networking/filter.rst.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass, replace

from .errors import Unreachable
from .keys import DaemonKeys
from .listeners import BACKLOG
from .peers import Keepalive

DROP = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: let 0 bytes of each packet through
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h; Python has no names for them
AGAIN = 0.02  # seconds until a port that is kept is tried again
KNOCK = 0.5  # seconds for somebody who listens on this host to be connected with
MAPPED = "::ffff:"  # what an IPv4 address begins with at an IPv6 socket


@dataclass(frozen=True, slots=True)
class TcpPlace:
    """Where a process is to listen on TCP, and how it finds out that a peer is gone.

    ``sockaddr`` is what ``bind`` takes. ``ports``: the lowest and the highest of those of which the first free one is
    taken; None: the one of ``sockaddr``.
    """

    family: int
    sockaddr: tuple[object, ...]
    ports: tuple[int, int] | None = None
    keepalive: Keepalive = Keepalive()  # noqa: RUF009  # frozen
    keys: DaemonKeys | None = None  # without them everybody is let in

    def elsewhere(self, ports: tuple[int, int] | None) -> TcpPlace:
        """The same address, but one of ``ports``, or (None) a port that the system chooses."""
        return replace(self, sockaddr=(self.sockaddr[0], 0, *self.sockaddr[2:]), ports=ports)


class TcpListener:
    """A listening socket on a port.

    Args:
        patience: seconds that a port which is taken, though nobody answers there, has to become free.

    Raises:
        Unreachable: nobody can listen there, or no port of the range is free.
    """

    def __init__(self, place: TcpPlace, *, patience: float = 0.0) -> None:
        self.place = place
        self._socket = _listen_when_free(place, patience)
        self._given = False

    def share(self) -> int:
        """Another descriptor of the socket, the caller's own; the port is taken as long as one is open anywhere."""
        return os.dup(self._socket.fileno())

    @property
    def port(self) -> int:
        """On which it listens."""
        return int(self._socket.getsockname()[1])

    def __str__(self) -> str:
        return named(self._socket.getsockname(), self.port)

    @property
    def endpoint(self) -> str:
        """As libzmq calls it: it has its own descriptor, so any address that it can read will do."""
        return f"tcp://127.0.0.1:{self.port}"

    def limit_queue(self, backlog: int) -> None:
        """Let so many connections wait in the kernel."""
        self._socket.listen(backlog)

    def resume(self) -> int | None:
        """See ``listeners.Listener``."""
        with suppress(FileNotFoundError):  # there is no filter
            self._socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        if self._given:
            return None
        self._given = True
        return os.dup(self._socket.fileno())

    def pause(self) -> bool:
        """Let the kernel drop what comes from newcomers."""
        program = array("B", DROP)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", 1, program.buffer_info()[0]))
        return True

    def close(self) -> None:
        """Let nobody new in; libzmq's copy of the descriptor keeps the port until its end."""
        self.pause()
        self._socket.close()


def keep_port(descriptor: int) -> None:
    """Let nobody in at a listening socket any more, which is refused at once, and let nobody else have its port.

    A socket that no longer listens still has the port that it was bound to. Others may take it nevertheless as long as
    both allow it (SO_REUSEADDR); so this one forbids it, before it ceases to listen.

    Args:
        descriptor: one of a ``TcpListener``; the port is kept until each of them is closed in each process.
    """
    with socket.socket(fileno=os.dup(descriptor)) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        with suppress(OSError):  # another process has done it
            kept.shutdown(socket.SHUT_RD)


def _listen_when_free(place: TcpPlace, patience: float) -> socket.socket:
    until = time.monotonic() + patience
    while True:
        try:
            return _first_free(place)
        except Unreachable:
            raise
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE and not _answers(place):
                if time.monotonic() < until:
                    time.sleep(AGAIN)
                    continue
                why = "the port is taken, and nobody answers there; a daemon that died has it until its locks are free"
            where = named(place.sockaddr, int(str(place.sockaddr[1])))
            raise Unreachable(f"cannot listen at {where}: {why}") from error


def _answers(place: TcpPlace) -> bool:
    """Does somebody listen where we want to?"""
    with socket.socket(place.family, socket.SOCK_STREAM) as probe:
        probe.settimeout(KNOCK)
        return probe.connect_ex(place.sockaddr) != errno.ECONNREFUSED


def _first_free(place: TcpPlace) -> socket.socket:
    if place.ports is None:
        return _listen_tcp(place, int(str(place.sockaddr[1])))
    low, high = place.ports
    for port in range(low, high + 1):
        try:
            return _listen_tcp(place, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise Unreachable(f"no port is free in {low}-{high}")


def _listen_tcp(place: TcpPlace, port: int) -> socket.socket:
    if not port:  # one that the system chose is only kept (see keep_port) if it is asked for by its number
        with _bind_tcp(place, 0) as chosen:
            return _listen_tcp(place, chosen.getsockname()[1])
    listener = _bind_tcp(place, port)
    try:
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _bind_tcp(place: TcpPlace, port: int) -> socket.socket:
    bound = socket.socket(place.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was closed lately is free
        if place.family == socket.AF_INET6:
            host = str(place.sockaddr[0])
            both = host == "::" or host.startswith(MAPPED)  # IPv4 comes by it too
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        bound.bind((place.sockaddr[0], port, *place.sockaddr[2:]))
    except OSError:
        bound.close()
        raise
    return bound


def named(sockaddr: tuple[object, ...], port: int) -> str:
    """An address as people write it, ``192.0.2.7:28015`` or ``[fe80::1%eth0]:28015``."""
    host = str(sockaddr[0])
    if len(sockaddr) > 3 and sockaddr[3] and "%" not in host:
        host += f"%{socket.if_indextoname(int(str(sockaddr[3])))}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_of(descriptor: int) -> str:
    """FLoM's name of the other end of a TCP connection; "" if it is gone."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            host, port = copy.getpeername()[:2]
    except (OSError, ValueError):
        return ""
    if host.startswith(MAPPED) and "." in host:
        host = host.removeprefix(MAPPED)
    return f"{host}/{port}"
