"""``holdfast dump``: have the daemon write down everything that its processes know, and say where it is."""

from __future__ import annotations

import os

import click

from ..transport.control import write_dump
from ..transport.settings import load
from .where import daemon_options
from .words import show


@click.command()
@daemon_options
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
def dump(config: str | None, **where: str | None) -> None:
    """Write everything that the daemon's processes know to a file, and print its path.

    For whoever looks for a fault; the same as SIGUSR1 to the daemon.
    """
    show(write_dump(load("holdfast", where, os.environ, config).settings, os.environ))
