"""Real mounts for tests: where there is no FUSE they are skipped, and none is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from floms_tree import floms
from holdfast.transport import mountpoint
from support import House, wait_until

FLOM = [sys.executable, "-m", "holdfast.cli.flom"]


def _missing() -> str:
    if not os.access(mountpoint.DEVICE, os.R_OK | os.W_OK):
        return f"no {mountpoint.DEVICE} that may be used here"
    if not (shutil.which("fusermount3") or shutil.which("fusermount")):
        return "no fusermount here"
    return ""


needs_fuse = pytest.mark.skipif(bool(_missing()), reason=_missing())


def is_mounted(path: Path) -> bool:
    return mountpoint.find(str(path)) is not None


def wait_mounted(path: Path) -> None:
    wait_until(lambda: is_mounted(path), f"a mount at {path}")


def wait_unmounted(path: Path) -> None:
    wait_until(lambda: not is_mounted(path), f"no mount at {path}")


@contextmanager
def mount_point(house: House, name: str = "files") -> Iterator[Path]:
    """A directory of this house to mount at; at the end the daemon is ended, and what is still mounted is a fault."""
    path = house.path / name
    path.mkdir()
    try:
        yield path
        if house.processes():
            house.run("stop", "--now")
        wait_unmounted(path)
    finally:
        while is_mounted(path):
            subprocess.run([shutil.which("fusermount3") or "fusermount", "-uz", path], check=True)


def read(path: Path) -> str:
    """What stands in a file, "" if it is not there now."""
    try:
        return path.read_text()
    except OSError:
        return ""


def listed(path: Path) -> list[str]:
    """What FLoM's ``find`` shows below ``path``: without our own additions."""
    found = subprocess.run(["find", path], check=True, capture_output=True, text=True).stdout.splitlines()
    return floms([line.removeprefix(str(path)) or "/" for line in found])


def server_of(path: Path) -> int:
    """The process that serves the files there."""
    return wait_until(lambda: mountpoint.server(str(path)), f"a server of {path}")
