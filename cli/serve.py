"""``holdfast serve``: the daemon in the foreground, for systemd, containers, and whoever wants to watch it.

It logs on stderr. TERM means: end when idle; a second TERM, or INT: now. With NOTIFY_SOCKET set it tells systemd that
it is ready (man 3 sd_notify; three lines of socket, so no library for it).
"""

from __future__ import annotations

import os
import socket as sockets

import click

from ..transport import addresses
from ..transport.settings import load
from .daemon import Plan
from .daemon import serve as be_daemon
from .words import say


@click.command()
@click.option("--socket", metavar="PATH", help="The public socket.")
@click.option("--lifespan", metavar="DURATION", help="End after so long without clients (default: forever).")
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
@click.option("-v", "verbose", is_flag=True, help="Log everything.")
def serve(socket: str | None, lifespan: str | None, config: str | None, verbose: bool) -> int:
    """Be the daemon, in the foreground.

    TERM ends it when it is idle, a second TERM or INT ends it now.
    """
    given = {name: value for name, value in (("socket", socket), ("lifespan", lifespan)) if value is not None}
    loaded = load("holdfast", given, os.environ, config)
    for warning in loaded.warnings:
        say(warning)
    settings = loaded.settings
    place = addresses.address_of(settings)
    addresses.prepare(place)
    plan = Plan(
        socket=place.socket,
        directory=place.directory,
        lifespan=settings.lifespan if lifespan is not None else -1.0,
        pool=settings.pool,
        verbose=verbose,
    )
    return be_daemon(plan, ready=_notify)


def _notify() -> None:
    """Nobody need listen: the variable may be left over from whoever started our shell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        try:
            with sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as notify:
                notify.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            say(f"nobody hears at NOTIFY_SOCKET={address} that we are ready: {error.strerror or error}")
