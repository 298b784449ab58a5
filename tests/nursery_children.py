"""What the children of a nursery under test do."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from typing import NoReturn

from holdfast.actors.nursery import ChildSpec, Nursery


def tell(number: int, end: socket.socket, *arguments: object) -> None:
    """Tell what was given, and each descriptor beyond the standard ones with what it leads to."""
    with os.scandir("/proc/self/fd") as entries:
        found = [(entry.name, os.readlink(entry.path)) for entry in entries if int(entry.name) > 2]
    opened = [f"{name} {where}" for name, where in found if not where.startswith("/proc/")]
    end.sendall("\n".join([str(number), repr(arguments), *opened]).encode())


def wait(number: int, end: socket.socket) -> None:
    """Say so, and live until the other end is closed."""
    end.sendall(b"!")
    end.recv(1)


def fail(number: int, end: socket.socket) -> None:
    """Raise."""
    raise ValueError(number)


def leave(number: int, end: socket.socket, code: int) -> None:
    """Leave by the interpreter's door."""
    sys.exit(code)


def endure(number: int, end: socket.socket) -> None:
    """Live until a signal."""
    signal.pause()


def be_a_parent(told: socket.socket) -> NoReturn:
    """Have a nursery and a child, tell who they are, and live until a signal."""
    nursery = Nursery({"endures": ChildSpec("endures", endure, ())}, preload=[])
    nursery.order(1, "endures", told)
    select.select([nursery], [], [])
    (answer,) = nursery.answers()
    told.sendall(f"{nursery.pid} {answer.pid}".encode())
    while True:
        signal.pause()
