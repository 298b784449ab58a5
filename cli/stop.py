"""``holdfast stop``: end the daemon, when it is idle or now."""

from __future__ import annotations

import os

import click

from ..transport.control import stop_daemon
from ..transport.settings import load
from ..transport.stderr import say
from .where import daemon_options


@click.command()
@click.option("--now", is_flag=True, help="At once: waiting commands fail, holders lose their locks.")
@daemon_options
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
def stop(now: bool, config: str | None, **where: str | None) -> None:
    """End the daemon: when the last lock is released, or now.

    With --now no process of the daemon is left when the command returns.
    """
    pid = stop_daemon(load("holdfast", where, os.environ, config).settings, os.environ, now=now)
    say(f"the daemon (process {pid}) has ended" if now else f"the daemon (process {pid}) ends when it is idle")
