"""``holdfast serve``: the daemon in the foreground, for systemd, containers, and whoever wants to watch it.

It logs on stderr. TERM means: end when idle; a second TERM, or INT: now. With NOTIFY_SOCKET set it tells systemd that
it is ready (man 3 sd_notify; three lines of socket, so no library for it).
"""

from __future__ import annotations

import os
import socket as sockets
from typing import TYPE_CHECKING

import click

from ..transport import addresses, mountpoint
from ..transport.errors import InvalidSetting, Unreachable
from ..transport.frozen import altered
from ..transport.settings import load
from ..transport.stderr import say
from ..transport.target import target
from ..transport.values import MULTICAST_PORT
from .daemon import serve as be_daemon
from .plan import MetricsPlan, Plan, locker_ports

if TYPE_CHECKING:
    from ..transport.keys import DaemonKeys
    from ..transport.settings import Settings
    from ..transport.target import Target

MOST_NAMES = 100_000  # that may become labels; each is a dozen series


@click.command()
@click.option("--socket", metavar="PATH", help="The public socket.")
@click.option("--bind", metavar="ENDPOINT", help="Listen on the network too, at tcp://ADDRESS:PORT (0: any).")
@click.option("--discover", "group", metavar="GROUP[:PORT]", help="Let commands find it by this multicast group.")
@click.option("--locker-ports", "ports", metavar="LOW-HIGH", help="Ports for what is not the endpoint itself.")
@click.option("--curve-key", metavar="FILE", help="Its secret key, as holdfast keygen makes it.")
@click.option("--curve-clients", metavar="DIR", help="The public keys of those who are let in by the network.")
@click.option("--insecure", is_flag=True, help="Whoever can reach the endpoint may use and stop it.")
@click.option("--lifespan", metavar="DURATION", help="End after so long without clients (default: forever).")
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
@click.option("-v", "verbose", is_flag=True, help="Log everything.")
@click.option("--mount", metavar="DIR", help="Show the picture as files there.")
@click.option("--metrics", metavar="ADDRESS:PORT", help="Serve metrics for Prometheus there.")
@click.option("--metrics-resources", metavar="N", help="So many resource names at most become labels (default: 200).")
def serve(
    socket: str | None,
    bind: str | None,
    group: str | None,
    ports: str | None,
    curve_key: str | None,
    curve_clients: str | None,
    insecure: bool,
    lifespan: str | None,
    config: str | None,
    verbose: bool,
    mount: str | None,
    metrics: str | None,
    metrics_resources: str | None,
) -> int:
    """Be the daemon, in the foreground.

    TERM ends it when it is idle, a second TERM or INT ends it now.
    """
    given = {
        name: value
        for name, value in (
            ("socket", socket),
            ("lifespan", lifespan),
            ("mount_point", mount),
            ("curve_key", curve_key),
            ("curve_clients", curve_clients),
        )
        if value is not None
    }
    loaded = load("holdfast", given, os.environ, config)
    for warning in loaded.warnings:
        say(warning)
    settings = loaded.settings if bind is group is None else _bound(loaded.settings, bind, group, socket)
    meant = target(settings)
    place = meant.place
    keys = _keys(settings, meant, asked=curve_key is not None or curve_clients is not None)
    _check_address(meant)
    if keys is None and not insecure:
        _check_loopback(meant)
    if meant.group is not None and _only_here(meant):
        say(
            f"who finds this daemon by the group {meant.group.where} can use it on this host only, "
            f"because {meant.tcp} is this host's alone"
        )
    addresses.prepare(place)
    plan = Plan(
        socket=place.socket,
        directory=place.directory,
        lifespan=settings.lifespan if lifespan is not None else -1.0,
        pool=settings.pool,
        verbose=verbose,
        mount=_mount(settings.mount_point),
        metrics=_metrics(metrics, metrics_resources),
        tcp="" if meant.tcp is None else str(meant.tcp),
        locker_ports=_locker_ports(ports, meant),
        keepalive=(settings.tcp_keepalive_time, settings.tcp_keepalive_intvl, settings.tcp_keepalive_probes),
        insecure=insecure,
        group="" if meant.group is None else str(meant.group),
        keys=keys,
    )
    return be_daemon(plan, ready=_ready, check=lambda: _check_alone(meant, settings))


def _bound(settings: Settings, bind: str | None, group: str | None, socket: str | None) -> Settings:
    """``settings``, of a daemon that is on the network where the command line says, and nowhere else."""
    from ..transport.endpoints import parse, parse_group

    return altered(
        settings,
        endpoint=None if bind is None else parse(bind, "bind"),
        group=None if group is None else parse_group(group, MULTICAST_PORT, "group"),
        socket=settings.socket if socket is not None else None,
        unicast_address=None,
        multicast_address=None,
    )


def _keys(settings: Settings, meant: Target, *, asked: bool) -> DaemonKeys | None:
    """The daemon's keys; the environment may hold a client's, which are not meant here.

    Raises:
        InvalidSetting: they cannot be used, or there is nothing that they could guard.
    """
    if meant.tcp is meant.group is None:
        if asked:
            raise InvalidSetting(
                "keys guard what listens on the network; on this machine the kernel says who comes: give --bind, "
                "or leave out --curve-key and --curve-clients",
                key="curve_key",
            )
        return None
    if settings.curve_clients is None and not asked:
        return None
    from ..transport.keys import Admitted, daemon_keys

    keys = daemon_keys(settings.curve_key, settings.curve_clients)
    if keys is not None:
        for complaint in Admitted(keys.clients).look():
            say(f"it admits nobody: {complaint}")
    return keys


def _locker_ports(ports: str | None, meant: Target) -> tuple[int, int] | None:
    """The range of ports for lockers and registry.

    Raises:
        InvalidSetting: it is none, or nothing listens on the network.
    """
    if ports is None:
        return None
    if meant.tcp is meant.group is None:
        raise InvalidSetting("--locker-ports has a meaning only with --bind or --discover", key="locker_ports")
    return locker_ports(ports)


def _check_address(meant: Target) -> None:
    """Make sure that somebody can connect with it.

    Raises:
        InvalidSetting: it is a group's, at which a socket may listen, and never hears of a connection.
    """
    from ..transport.endpoints import is_multicast

    if meant.tcp is not None and is_multicast(meant.tcp.host):
        raise InvalidSetting(
            f"nobody can connect with {meant.tcp.host}, which is a multicast group: "
            "give --bind an address of this host, and --discover the group",
            key="bind",
        )


def _check_loopback(meant: Target) -> None:
    """What a whole network can reach must know who comes.

    Raises:
        InvalidSetting: others than this machine can reach it.
    """
    if (meant.tcp or meant.group) is not None and not _only_here(meant):
        raise InvalidSetting(
            f"anybody who can reach {meant} could take and hold any lock, and stop this daemon: "
            "give --curve-key and --curve-clients, or say --insecure",
            key="bind" if meant.tcp is not None else "group",
        )


def _check_alone(meant: Target, settings: Settings) -> None:
    """Make sure that no other daemon answers the group; two would grant the same locks.

    Raises:
        Unreachable: one does, or the group cannot be asked.
    """
    if meant.group is None:
        return
    from ..transport.multicast import seek

    found = seek(
        meant.group,
        attempts=settings.discovery_attempts,
        timeout=settings.discovery_timeout,
        ttl=settings.discovery_ttl,
    )
    if found:
        raise Unreachable(
            f"a daemon answers to the group {meant.group.where} already, at {found[0].tcp.where}, and two would grant "
            f"the same locks; to end that one: holdfast stop --endpoint {found[0].tcp}"
        )


def _only_here(meant: Target) -> bool:
    """Whether it listens on the network where nobody but this machine can reach it."""
    from ..transport.endpoints import address_to_bind, is_loopback

    listens = None if meant.tcp is None else address_to_bind(meant.tcp)
    return listens is not None and is_loopback(listens[1])


def _mount(path: str | None) -> str:
    """Where the files are to be shown.

    Raises:
        InvalidSetting: it can be seen at once that they cannot be.
    """
    if path is None:
        return ""
    found = mountpoint.place(path)
    mountpoint.check(found)
    return found


def _metrics(place: str | None, names: str | None) -> MetricsPlan | None:
    """Where metrics are to be served, and how many names they may have.

    Raises:
        InvalidSetting: that is no place, or no number.
    """
    if place is None:
        if names is not None:
            raise InvalidSetting("--metrics-resources has a meaning only with --metrics", key="metrics_resources")
        return None
    host, colon, port = place.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and host and _number(port, 65535)) or (":" in host) != place.startswith("["):
        raise InvalidSetting(
            f"metrics: {place!r} is not an address and a port, such as 127.0.0.1:9464 or [::1]:9464", key="metrics"
        )
    if names is not None and names != "0" and not _number(names, MOST_NAMES):
        raise InvalidSetting(
            f"metrics resources: {names!r} is not a number from 0 to {MOST_NAMES}", key="metrics_resources"
        )
    return MetricsPlan(host, int(port)) if names is None else MetricsPlan(host, int(port), int(names))


def _number(text: str, most: int) -> bool:
    """Is it a number from 1 to ``most``?"""
    return text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most


def _ready(endpoint: str) -> None:
    if endpoint:
        click.echo(endpoint)
    _notify()


def _notify() -> None:
    """Nobody need listen: the variable may be left over from whoever started our shell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        try:
            with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as notify:
                notify.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            say(f"nobody hears at NOTIFY_SOCKET={address} that we are ready: {error.strerror or error}")
