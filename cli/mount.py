"""``holdfast mount``: show the picture of a daemon that runs already as files.

The files are served by a process of their own (``vfs/files_process.py``), which ends, and unmounts, when that daemon
has ended. It is started as a program, so that this command needs nothing of ``vfs/``; it returns when the files are
there, or with a sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from ..transport import launch, mountpoint
from ..transport.errors import Unreachable
from ..transport.phrases import quoted
from ..transport.settings import Settings, load
from ..transport.target import Target, target
from .where import daemon_options

MODULE = "holdfast.vfs.files_process"


@click.command()
@click.argument("directory", metavar="DIR")
@click.option("-f", "--foreground", is_flag=True, help="Do not return before the files are gone.")
@daemon_options
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
def mount(directory: str, foreground: bool, config: str | None, **where: str | None) -> None:
    """Show who holds what as files in DIR, an empty directory of yours.

    They are gone when the daemon ends, or by: holdfast umount DIR
    """
    settings = load("holdfast", where, os.environ, config).settings
    path = mountpoint.place(directory)
    mountpoint.check(path)
    if foreground:
        os.execve(sys.executable, _command(settings, path), launch.environment(os.environ))
    said = launch.launch(lambda pipe: [*_command(settings, path), f"ready={pipe}"], os.environ)
    if said != "ready":
        raise Unreachable(
            said or f"the files ended before they were shown; to see why: holdfast mount -f {quoted(path)}"
        )


def _where(meant: Target) -> Mapping[str, str]:
    """The daemon, so that the files' process finds the same one."""
    if meant.tcp is not None:
        return {"endpoint": str(meant.tcp)}
    if meant.group is not None:
        return {"group": str(meant.group)}
    return {"rundir": meant.place.run_dir} if meant.place.run_dir else {"socket": meant.place.socket}


def _keys(settings: Settings) -> Mapping[str, str]:
    """Where ours and the daemon's are; that process begins in another directory."""
    server = settings.curve_server
    if server is not None and os.path.exists(server):
        server = os.path.abspath(server)
    named = (("curvekey", settings.curve_key and os.path.abspath(settings.curve_key)), ("curveserver", server))
    return {word: value for word, value in named if value is not None}


def _command(settings: Settings, path: str) -> list[str]:
    words = {**_where(target(settings)), **_keys(settings), "mount": path}
    return [sys.executable, "-P", "-m", MODULE, *(f"{key}={value}" for key, value in words.items())]
