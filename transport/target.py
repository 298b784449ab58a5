"""Which daemon the settings mean: the one of this machine, one at an address, or whoever answers a group.

The rule: every daemon has its place on its host, whatever else it listens on: a UNIX socket and a directory beside it.
One that is on the network has a place named after its endpoint or its group, so that several may run side by side. An
endpoint is always unicast; a group beside it only says what a daemon that is started answers.

FLoM's settings (unicast and multicast address and port, interface) mean the same as ``endpoint`` and ``group``.
"""

from __future__ import annotations

import os

from . import addresses
from .addresses import Address
from .frozen import Frozen, altered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .endpoints import Tcp
    from .settings import Settings


class Target(Frozen):
    """Where the daemon is.

    ``tcp`` and ``group`` None: on this machine, at ``place``. ``tcp``: at that address. ``group`` alone: found by it.
    ``place`` is where it is, or would be started, on its own host.
    """

    place: Address
    tcp: Tcp | None = None
    group: Tcp | None = None

    def __str__(self) -> str:
        if self.tcp is not None:
            return str(self.tcp)
        return self.place.socket if self.group is None else f"the group {self.group.where}"


def target(settings: Settings) -> Target:
    """The daemon that this process's user means by ``settings``; nothing is created, asked or looked at.

    Raises:
        InvalidSetting: a path or an address that no daemon can have.
    """
    tcp, group = _endpoint(settings), _group(settings)
    return Target(place(settings, tcp, group), tcp, group)


def place(settings: Settings, tcp: Tcp | None, group: Tcp | None) -> Address:
    """Where on its host a daemon is that listens at ``tcp``, or (None) answers ``group``; a named socket goes first.

    Raises:
        InvalidSetting: no socket can be there.
    """
    listens = tcp or group
    if settings.socket is not None or listens is None:
        return addresses.address(settings.run_dir, settings.socket, os.geteuid())
    host = f"{listens.host}%{listens.interface}" if listens.interface else listens.host
    kind = "group" if tcp is None else "tcp"
    return addresses.networked(settings.run_dir, f"{kind}-{host}", listens.port, os.geteuid())


def shown_command_lines(settings: Settings) -> str:
    """How much of our command line is told: over the network, where anybody could read it, no more than its name.

    Under CURVE nobody reads it on the way.
    """
    if settings.curve_key is not None:
        return settings.command_lines
    networked = settings.endpoint or settings.group or settings.unicast_address or settings.multicast_address
    return "name" if networked and settings.command_lines == "full" else settings.command_lines


def _endpoint(settings: Settings) -> Tcp | None:
    if settings.endpoint is not None:
        return _with_interface(settings.endpoint, settings)
    if not settings.unicast_address:
        return None
    from .endpoints import Tcp

    host, _, interface = settings.unicast_address.strip("[]").partition("%")
    return _with_interface(Tcp(host, settings.unicast_port, interface), settings)


def _group(settings: Settings) -> Tcp | None:
    if settings.group is not None:
        return _with_interface(settings.group, settings)
    if not settings.multicast_address:
        return None
    from .endpoints import parse_group

    group = parse_group(settings.multicast_address, settings.multicast_port, "multicast_address")
    return _with_interface(group, settings)


def _with_interface(tcp: Tcp, settings: Settings) -> Tcp:
    if tcp.interface or not settings.network_interface:
        return tcp
    return altered(tcp, interface=settings.network_interface)
