"""The network interfaces of this machine, for who sends to a multicast group or listens to one.

The rule: an interface is known by the kernel's number, because names change; which there are is asked anew each time.

Source: man 7 netdevice.
"""

from __future__ import annotations

import _socket
import struct
from fcntl import ioctl

from .errors import InvalidSetting

# What Python's module does not name (linux/sockios.h, linux/if.h).
SIOCGIFFLAGS = 0x8913
IFF_UP, IFF_LOOPBACK, IFF_MULTICAST = 0x1, 0x8, 0x1000


def number(name: str) -> int:
    """The number of an interface, which may be named by it.

    Raises:
        InvalidSetting: there is no such interface.
    """
    try:
        return int(name) if name.isascii() and name.isdigit() else _socket.if_nametoindex(name)
    except OSError as error:
        raise InvalidSetting(f"this machine has no network interface {name}") from error


def outward() -> list[int]:
    """Those by which a multicast leads somewhere; where there is none, the one that leads to ourselves."""
    return _up(IFF_MULTICAST, IFF_MULTICAST | IFF_LOOPBACK) or _up(IFF_LOOPBACK, IFF_LOOPBACK)


def inward() -> list[int]:
    """Those by which a multicast may come, ourselves included."""
    return _up(IFF_LOOPBACK, IFF_LOOPBACK) + _up(IFF_MULTICAST, IFF_MULTICAST | IFF_LOOPBACK)


def _up(wanted: int, looked_at: int) -> list[int]:
    """Those that are up and whose flags, as far as they are looked at, are the wanted ones."""
    asking = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        flags = {each: _flags(asking, name) for each, name in _socket.if_nameindex()}
    finally:
        asking.close()
    return [each for each, flag in flags.items() if flag & IFF_UP and flag & looked_at == wanted]


def _flags(asking: _socket.socket, name: str) -> int:
    """What an interface is; 0 if it is gone."""
    try:
        answer = ioctl(asking.fileno(), SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
    except OSError:
        return 0
    flags: int = struct.unpack("16sH14x", answer)[1]
    return flags
