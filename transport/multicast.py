"""Datagrams to a multicast group: who looks for its daemon asks here, and its daemon listens.

The rule: a socket hears its own group only (it is bound to it, and the kernel's ``MULTICAST_ALL`` is off, without which
each socket on a port hears all groups that anybody on the machine joined). What the network refuses becomes a
sentence: who cannot ask must not believe that nobody is there.

Where no interface is named, the routing table says by which one a question goes out, and where it knows none, all go;
a daemon listens on all. Here are the sockets; what is asked, and what counts as an answer, is in ``search.py``.

Source: man 7 ip, man 7 ipv6, RFC 3493; ``docs/protocol.md``, Discovery. (``_socket``: the standard library's own module
around it costs a command 15 ms.)
"""

from __future__ import annotations

import _socket
import errno
import struct
from math import inf
from os import urandom
from select import POLLIN, poll
from time import monotonic

from . import interfaces
from .endpoints import Tcp
from .errors import InvalidSetting, Unreachable
from .search import Search

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .found import Found

LONGEST_POLL = 3600.0  # seconds; the kernel counts milliseconds in an int
LARGEST = 2048  # bytes of a datagram that we read; no question or answer of ours is larger
BUFFER = 1 << 18  # bytes that a daemon may leave unread while hundreds of commands ask at once

# What Python's module does not name (linux/in.h, linux/in6.h).
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29

NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN)


# --- asking ---------------------------------------------------------------------------------------------------------


def seek(
    group: Tcp,
    *,
    attempts: int,
    timeout: float,
    ttl: int,
    patience: float = inf,
    thorough: bool = False,
    heard: Callable[[Found], object] = lambda found: None,
) -> list[Found]:
    """Who answers to ``group``, the eldest first; nobody if it is empty. It takes longer where they have just started.

    Args:
        attempts: questions at most.
        timeout: seconds for each; negative: for ever.
        ttl: routers that it may pass, plus 1.
        patience: seconds for the whole.
        thorough: ask all questions and wait for all answers; else only a moment longer than for the first answer.
        heard: is told of each daemon when it answers.

    Raises:
        InvalidSetting: there is no such interface.
        Unreachable: nothing can be sent there, or only a daemon of another version answered.
    """
    search = Search(timeout, thorough=thorough, nonce=lambda: urandom(16))
    give_up_at = monotonic() + patience
    try:
        asking = _asking_socket(group, ttl)
        try:
            for _ in range(attempts):
                _send(asking, group, search.ask(monotonic()))
                _listen(asking, search, give_up_at, heard)
                answered = search.found() or search.other_version
                if monotonic() >= give_up_at or (answered and not thorough):
                    break
            while (again_at := search.ask_again_at()) is not None and monotonic() < give_up_at:
                search.until = again_at
                _listen(asking, search, give_up_at, heard)
                _send(asking, group, search.ask(monotonic()))
                _listen(asking, search, give_up_at, heard)
        finally:
            asking.close()
    except OSError as error:
        raise Unreachable(
            f"the group {group.where} cannot be asked: {error.strerror}; is there a network, and a route to it?"
        ) from error
    theirs = search.other_version
    if theirs is not None and not search.found():
        raise Unreachable(
            f"the daemon of the group {group.where} speaks another protocol, {theirs.major}.{theirs.minor}; "
            "end it with `holdfast stop` of the version that started it"
        )
    return search.found()


def _listen(asking: _socket.socket, search: Search, give_up_at: float, heard: Callable[[Found], object]) -> None:
    poller = poll()
    poller.register(asking.fileno(), POLLIN)
    while (left := min(search.until, give_up_at) - monotonic()) > 0:
        if poller.poll(min(left, LONGEST_POLL) * 1000):
            datagram, source = asking.recvfrom(LARGEST)
            found = search.hear(datagram, _host(source), monotonic())
            if found is not None:
                heard(found)


def _host(source: tuple[object, ...]) -> str:
    """The host of a sender, with the interface if it is one of the link."""
    scope = source[3] if len(source) > 3 else 0
    return f"{source[0]}%{_socket.if_indextoname(scope)}" if isinstance(scope, int) and scope else str(source[0])


def _asking_socket(group: Tcp, ttl: int) -> _socket.socket:
    asking = _socket.socket(_family(group), _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        if _family(group) == _socket.AF_INET:
            asking.setsockopt(_socket.IPPROTO_IP, _socket.IP_MULTICAST_TTL, min(ttl, 255))
        else:
            asking.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_MULTICAST_HOPS, min(ttl, 255))
        if group.interface:
            _go_out_by(asking, interfaces.number(group.interface))
    except BaseException:
        asking.close()
        raise
    return asking


def _send(asking: _socket.socket, group: Tcp, question: bytes) -> None:
    """Send by the interface that was named or that the routing table names, and by all if it names none."""
    to = (group.host, group.port)
    try:
        asking.sendto(question, to)
        return
    except OSError as error:
        if group.interface or error.errno not in NO_WAY:
            raise
        refused = error
    sent = False
    for number in interfaces.outward():
        try:
            _go_out_by(asking, number)
            asking.sendto(question, to)
            sent = True
        except OSError as error:
            refused = error
    if not sent:
        raise refused


def _go_out_by(asking: _socket.socket, interface: int) -> None:
    if asking.family == _socket.AF_INET:
        asking.setsockopt(_socket.IPPROTO_IP, _socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"", b"", interface))
    else:
        asking.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_MULTICAST_IF, interface)


# --- the listening side -----------------------------------------------------------------------------------------------


def listen(group: Tcp) -> _socket.socket:
    """A socket that hears ``group`` and nothing else, once it is joined by a ``Membership``; it never blocks.

    Raises:
        InvalidSetting: nobody can listen there; the sentence says why.
    """
    try:
        listening = _socket.socket(_family(group), _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
        try:
            listening.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            listening.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, BUFFER)
            if listening.family == _socket.AF_INET:
                listening.setsockopt(_socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            else:
                listening.setsockopt(_socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            listening.bind(_bound_to(group))
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise InvalidSetting(f"nobody can listen to the group {group.where}: {error.strerror}") from error
    return listening


def _bound_to(group: Tcp) -> tuple[object, ...]:
    """The group; one that is another on each link, and on no certain one, cannot be bound: then membership decides."""
    scope = interfaces.number(group.interface) if group.interface else 0
    if _family(group) == _socket.AF_INET:
        return (group.host, group.port)
    on_each_link = _socket.inet_pton(_socket.AF_INET6, group.host)[1] & 0xF <= 2
    return ("::" if on_each_link and not scope else group.host, group.port, 0, scope)


class Membership:
    """The interfaces on which a socket hears its group: the named one, or all that there are.

    Args:
        listening: as ``listen`` makes it.
    """

    def __init__(self, listening: _socket.socket, group: Tcp) -> None:
        self.joined: set[int] = set()
        self._listening = listening
        self._group = group

    def renew(self) -> list[str]:
        """Join on the interfaces that are new, and forget those that are gone.

        Returns:
            Sentences about those that cannot be joined; they are tried again the next time.
        """
        wanted = self._wanted()
        self.joined &= set(wanted)
        refused = []
        for number in wanted:
            if number in self.joined:
                continue
            try:
                self._join(number)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    continue  # gone meanwhile, or without addresses of this family
                if error.errno != errno.EADDRINUSE:  # it was joined before
                    refused.append(f"interface {number}: {error.strerror}")
                    continue
            self.joined.add(number)
        return refused

    def _wanted(self) -> list[int]:
        if not self._group.interface:
            return interfaces.inward()
        try:
            return [interfaces.number(self._group.interface)]
        except InvalidSetting:
            return []

    def _join(self, interface: int) -> None:
        packed = _socket.inet_pton(_family(self._group), self._group.host)
        if len(packed) == 4:
            request = struct.pack("=4s4si", packed, b"", interface)
            self._listening.setsockopt(_socket.IPPROTO_IP, _socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = struct.pack("=16si", packed, interface)
            self._listening.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_JOIN_GROUP, request)


def _family(group: Tcp) -> int:
    return _socket.AF_INET6 if ":" in group.host else _socket.AF_INET
