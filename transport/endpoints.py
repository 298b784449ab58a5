"""Addresses on the network: ``tcp://HOST:PORT`` and multicast groups, from texts to what ``connect`` and ``bind`` take.

The rule: a text is taken as it is meant or refused with a sentence, and it can be printed back. A literal IPv6 address
stands in brackets before its port; after ``%`` stands the interface, which a link-local address needs. A name that
resolves to several addresses is all of them, in the order of the system's resolver.

Nothing here is loaded by a command that stays on this machine.

Source: RFC 3986 (brackets), RFC 4007 (scopes), RFC 4291 (IPv4-mapped), man 3 getaddrinfo; FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import _socket

from .errors import InvalidSetting
from .frozen import Frozen

SCHEME = "tcp://"
HIGHEST_PORT = 65535
MAPPED = bytes(10) + b"\xff\xff"  # what an IPv4-mapped IPv6 address begins with
FORBIDDEN = frozenset("/[]%@?# \t\r\n\0")


class Tcp(Frozen):
    """A host and a port (0: one that the system chooses), or a multicast group and its port.

    ``interface`` is "" if none was named.
    """

    host: str
    port: int
    interface: str = ""

    def __str__(self) -> str:
        return self.where if is_multicast(self.host) else SCHEME + self.where

    @property
    def where(self) -> str:
        """The same without ``tcp://``, which a group never has."""
        host = f"{self.host}%{self.interface}" if self.interface else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


# --- from texts -------------------------------------------------------------------------------------------------------


def parse(text: str, key: str = "") -> Tcp:
    """Read ``tcp://HOST:PORT`` or ``tcp://[V6%scope]:PORT``; the scheme may be missing.

    Args:
        key: the setting, for the error.

    Raises:
        InvalidSetting: it is neither.
    """
    host, port = _split(text.strip().removeprefix(SCHEME), text, key)
    if port is None:
        raise _invalid(text, "its port is missing", key)
    return _tcp(host, port, text, key)


def parse_group(text: str, default_port: int, key: str = "") -> Tcp:
    """Read ``239.255.0.1``, ``239.255.0.1:PORT``, ``ff15::1``, ``[ff15::1]:PORT``, each also with ``%scope``.

    Raises:
        InvalidSetting: it is none of them, or no multicast address.
    """
    word = text.strip().removeprefix(SCHEME)
    if word.count(":") > 1 and not word.startswith("["):
        word = f"[{word}]"
    host, port = _split(word, text, key)
    group = _tcp(host, default_port if port is None else port, text, key)
    if not is_multicast(group.host):
        raise InvalidSetting(
            f"{text!r} is not a multicast group; they go from 224.0.0.0 to 239.255.255.255, or begin with ff", key=key
        )
    if not group.port:
        raise _invalid(text, "a group has no port 0", key)
    return group


def _split(word: str, text: str, key: str) -> tuple[str, int | None]:
    """The host with its scope, and the port if there is one."""
    if word.startswith("["):
        host, bracket, rest = word[1:].partition("]")
        if not bracket or not _packed(host.partition("%")[0], _socket.AF_INET6) or rest[:1] not in ("", ":"):
            raise _invalid(text, "an IPv6 address is expected in the brackets, and a port behind them", key)
        return host, _port(rest[1:], text, key) if rest else None
    host, colon, port = word.partition(":")
    if ":" in port:
        raise _invalid(text, "an IPv6 address needs brackets", key)
    return host, _port(port, text, key) if colon else None


def _port(word: str, text: str, key: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= HIGHEST_PORT):
        raise _invalid(text, f"its port is not a number from 0 to {HIGHEST_PORT}", key)
    return int(word)


def _tcp(host: str, port: int, text: str, key: str) -> Tcp:
    host, percent, interface = host.partition("%")
    if not host:
        raise _invalid(text, "its host is missing", key)
    if percent and not interface:
        raise _invalid(text, "an interface is expected after %", key)
    if FORBIDDEN & {*host, *interface} or not host.isprintable() or not interface.isprintable():
        raise _invalid(text, "no host has such a name", key)
    return Tcp(host, port, interface)


def _invalid(text: str, why: str, key: str) -> InvalidSetting:
    return InvalidSetting(
        f"{text!r} is not an address such as tcp://host:28015 or tcp://[fe80::1%eth0]:28015: {why}", key=key
    )


# --- what they are ----------------------------------------------------------------------------------------------------


def resolve(tcp: Tcp) -> list[tuple[int, tuple[object, ...]]]:
    """The families and addresses that ``tcp`` stands for, the best one first; asks the system's resolver.

    Where an interface is given, names are looked up as IPv6 only (on a literal IPv4 address it has no effect), and
    link-local addresses get its number.

    Raises:
        InvalidSetting: the name is not known, or a link-local address has no interface.
    """
    inet = bool(_packed(tcp.host, _socket.AF_INET))
    family = _socket.AF_INET6 if tcp.interface and not inet else _socket.AF_UNSPEC
    try:
        found = _socket.getaddrinfo(tcp.host, tcp.port, family, _socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no host has such a name"
        raise InvalidSetting(f"the address of {tcp} cannot be found: {why}") from error
    return list(dict.fromkeys((each[0], _scoped(each[4], tcp)) for each in found))


def _scoped(sockaddr: tuple[object, ...], tcp: Tcp) -> tuple[object, ...]:
    """A link-local address with the number of its interface."""
    host, scope = str(sockaddr[0]).partition("%")[0], sockaddr[3] if len(sockaddr) > 3 else None
    packed = _packed(host, _socket.AF_INET6)
    of_one_host, of_a_group = (
        packed[:1] == b"\xfe" and packed[1] >> 6 == 2,
        packed[:1] == b"\xff" and packed[1] & 15 == 2,
    )
    if scope != 0 or not (of_one_host or of_a_group):
        return sockaddr
    if not tcp.interface:
        raise InvalidSetting(
            f"{host} means another host on each interface; name the interface, such as tcp://[{host}%eth0]:{tcp.port}"
        )
    try:
        number = int(tcp.interface) if tcp.interface.isdigit() else _socket.if_nametoindex(tcp.interface)
    except OSError as error:
        raise InvalidSetting(f"this machine has no network interface {tcp.interface}") from error
    return (*sockaddr[:3], number)


def is_ours(family: int, sockaddr: tuple[object, ...]) -> bool:
    """Whether this host has that address: it can be bound, to a port that the system chooses."""
    if is_multicast(str(sockaddr[0])):
        return False
    with _Probe(family) as probe:
        if family == _socket.AF_INET6 and _mapped(str(sockaddr[0])):
            probe.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((sockaddr[0], 0, *sockaddr[2:]))
        except OSError:
            return False
    return True


def address_to_bind(tcp: Tcp) -> tuple[int, tuple[object, ...]] | None:
    """The family and address at which a daemon of ``tcp`` listens: the first one that this host has; None if none is.

    Whoever asks whether one may be started, or who could reach it, asks here, too.

    Raises:
        InvalidSetting: as ``resolve``.
    """
    return next((each for each in resolve(tcp) if is_ours(*each)), None)


class _Probe(_socket.socket):
    """A socket that is closed at the end of a block; that of the standard library costs 15 ms to import."""

    def __init__(self, family: int) -> None:
        super().__init__(family, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)

    def __enter__(self) -> _Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_loopback(sockaddr: tuple[object, ...]) -> bool:
    """Whether only this host can reach that address."""
    host = str(sockaddr[0]).partition("%")[0]
    packed = _packed(host, _socket.AF_INET) or _mapped(host)
    return packed[0] == 127 if packed else _packed(host, _socket.AF_INET6) == bytes(15) + b"\1"


def is_multicast(host: str) -> bool:
    """Whether ``host`` is the literal address of a group."""
    host = host.partition("%")[0]
    packed = _packed(host, _socket.AF_INET)
    return 224 <= packed[0] <= 239 if packed else _packed(host, _socket.AF_INET6)[:1] == b"\xff"


def is_unicast(host: str) -> bool:
    """Whether ``host`` is the literal address of one host: neither a name, nor a group, nor all or any of them."""
    packed = _packed(host, _socket.AF_INET) or _mapped(host)
    if packed:
        return any(packed) and packed[0] < 224
    packed = _packed(host, _socket.AF_INET6)
    return any(packed) and packed[0] != 0xFF


def _mapped(host: str) -> bytes:
    """The IPv4 address in an IPv4-mapped one, else b""."""
    packed = _packed(host.partition("%")[0], _socket.AF_INET6)
    return packed[12:] if packed.startswith(MAPPED) else b""


def _packed(host: str, family: int) -> bytes:
    """The bytes of a literal address, b"" if it is none."""
    try:
        return _socket.inet_pton(family, host)
    except (OSError, ValueError):
        return b""
