"""Datagrams to a multicast group: who looks for its daemon asks here, and its daemon listens.

The rule: a socket hears its own group only (it is bound to it, and the kernel's ``MULTICAST_ALL`` is off, without which
each socket on a port hears all groups that anybody on the machine joined). Only an answer with the nonce of one of our
questions counts, and of those only what can be true (``hearsay.py``). What the network refuses becomes a sentence: who
cannot ask must not believe that nobody is there.

Where no interface is named, the routing table says by which one a question goes out, and where it knows none, all go;
a daemon listens on all. ``Search`` is pure, the rest is the sockets.

Source: man 7 ip, man 7 ipv6, RFC 3493; ``docs/protocol.md``, Discovery. (``_socket``: the standard library's own module
around it costs a command 15 ms.)
"""

from __future__ import annotations

import _socket
import errno
import struct
from dataclasses import replace
from math import inf
from os import urandom
from select import POLLIN, poll
from time import monotonic

from . import interfaces
from .endpoints import Tcp
from .errors import InvalidSetting, RemoteProtocolError, Unreachable
from .found import SETTLED, YOUNG, Found, eldest_first
from .hearsay import credible
from .messages import Here, Mismatch, Seek
from .wire import decode, encode

TYPE_CHECKING = False  # importing it costs every command 2 ms; checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1000  # daemons that one search remembers: whoever forges answers shall not fill our memory
LEAST = 0.01  # seconds that a second answer is waited for
LAST = 2.0  # seconds that a last question waits for its answers at most; a new daemon waits longer for a client
PADDING = "." * 192  # so that there is room for an answer with a long address and a key, which may be twice as large
LONGEST_POLL = 3600.0  # seconds; the kernel counts milliseconds in an int
LARGEST = 2048  # bytes of a datagram that we read; no question or answer of ours is larger
BUFFER = 1 << 18  # bytes that a daemon may leave unread while hundreds of commands ask at once

# What Python's module does not name (linux/in.h, linux/in6.h).
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29

NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN)


# --- the search: what is asked, what counts as an answer --------------------------------------------------------------


class Search:
    """The questions of one search, and who answered.

    Args:
        timeout: seconds that one question waits for its first answer; negative: for ever.
        thorough: it waits as long for all others, too.
        nonce: makes 16 bytes that nobody can guess.
    """

    def __init__(self, timeout: float, *, thorough: bool, nonce: Callable[[], bytes]) -> None:
        self.until = inf  # when the question that was asked last has waited long enough
        self.other_version: Mismatch | None = None
        self._timeout = timeout if timeout >= 0 else inf
        self._thorough = thorough
        self._nonce = nonce
        self._asked: dict[bytes, float] = {}  # nonce -> when
        self._asked_at = -inf  # the last question
        self._found: dict[bytes, Found] = {}  # by daemon

    def ask(self, now: float) -> bytes:
        """The next question, as a datagram."""
        nonce = self._nonce()
        self._asked[nonce] = self._asked_at = now
        self.until = now + (min(self._timeout, LAST) if self._found else self._timeout)
        return encode(Seek(nonce, PADDING))

    def ask_again_at(self) -> float | None:
        """When to ask once more, because one that started beside the eldest may not have heard us; None: no need."""
        if not self._found:
            return None
        heard_by_all_at = self._first_start() + YOUNG
        return heard_by_all_at if self._asked_at < heard_by_all_at else None

    def _first_start(self) -> float:
        return min(one.started_at for one in self._found.values())

    def hear(self, datagram: bytes, source: str, now: float) -> Found | None:
        """Take in ``datagram`` from the host ``source``.

        Returns:
            A daemon that was not heard before, if it is the answer of one.
        """
        try:
            message = decode(datagram)
        except RemoteProtocolError:
            return None
        if isinstance(message, Mismatch):
            self.other_version = message
        if not isinstance(message, Here) or message.nonce not in self._asked or not credible(message, source):
            return None
        started_at = now - max(0.0, message.age)
        known = self._found.get(message.daemon)
        if known is not None:
            self._found[known.daemon] = replace(known, started_at=min(known.started_at, started_at))
        if known is not None or len(self._found) >= MOST:
            return None
        took = now - self._asked[message.nonce]
        address = _with_scope_of(source, message.address) if message.address else source
        found = Found(message.daemon, message.age, address, message.port, message.key, took, started_at)
        if not self._found and not self._thorough:
            wait = max(took, LEAST) if message.age >= SETTLED else LAST
            self.until = now + min(wait, self._timeout)
        self._found[found.daemon] = found
        return found

    def found(self) -> list[Found]:
        """Who answered, the eldest first."""
        return eldest_first(self._found.values())


def _with_scope_of(source: str, address: str) -> str:
    """A link-local address is told without its interface, which has another name at our end: the one it came by."""
    _, percent, scope = source.partition("%")
    return f"{address}%{scope}" if percent and address.lower().startswith("fe") and ":" in address else address


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
