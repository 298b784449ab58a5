"""The registry's process from its start to its end: what surrounds the ``Registry``.

It ends with its parent, and at once when it is told to: nobody waits for it. TERM, INT and HUP go past it, as past a
locker; USR1 is for the incubator, and USR2 writes the Python stack to the log.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time

from ..transport import identity
from ..transport.addresses import registry_name
from ..transport.errors import Unreachable
from ..transport.messages import Hello, Ready
from ..transport.picture import Scene
from ..transport.pipe import Pipe
from ..transport.ports import TcpListener, TcpPlace
from ..transport.report import document
from ..transport.sockets import Router, raise_descriptor_limit
from ..transport.wire import ID_SIZE
from .feeds import Feeds
from .locker_process import begin
from .log import event
from .process import Process
from .registry import Registry

COMM = "holdfast-regist"  # as ps and pgrep show it; at most 15 characters


def main(
    number: int,
    end: socket.socket,
    incubator: str,
    directory: str,
    verbose: bool,
    tcp: TcpPlace | None = None,
) -> None:
    """Run the registry; the target of a ``ChildSpec``.

    Args:
        number: of this child; its socket is ``registry-NUMBER.sock`` in ``directory``.
        end: our end of the pipe to the incubator.
        incubator: path of the incubator's mailbox.
        tcp: where to listen besides.
    """
    begin("registry", COMM, verbose=verbose)
    address = registry_name(number)
    clear_predecessors(directory)
    pipe = Pipe(end)
    listener = listen(tcp)
    router = Router(os.path.join(directory, address), limit=raise_descriptor_limit(), tcp=listener)
    registry = Registry(
        incubator,
        lambda address: os.path.join(directory, address),
        lambda scene, now: write(directory, scene, now),
        time.monotonic(),
    )
    process = Process(registry, router, pipe=pipe, feeds=Feeds(introduction))
    process.carry_out(registry.open())
    pipe.send(Ready(address, os.getpid(), os.getppid(), listener.port if listener else 0))
    sys.exit(process.run())


def listen(tcp: TcpPlace | None) -> TcpListener | None:
    """Listen on TCP too, if the daemon does and a port is free; without one, those on this machine see all the same."""
    try:
        return None if tcp is None else TcpListener(tcp)
    except Unreachable as error:
        event("HFD035W", why=error)
        return None


def clear_predecessors(directory: str) -> None:
    """Remove the sockets of registries that were killed: there is one at a time, and now it is us."""
    for name in os.listdir(directory):
        if name.startswith("registry-"):
            os.unlink(os.path.join(directory, name))


def introduction() -> Hello:
    """How the registry introduces itself, each time as somebody new."""
    return identity.hello(os.urandom(ID_SIZE), {}, reason="registry")


def write(directory: str, scene: Scene, now: float) -> str:
    """Write ``scene`` to a new file in ``directory`` as one JSON document.

    Returns:
        The file's path; "" if it cannot be written (the disk is full, the directory gone).
    """
    path = ""
    try:
        descriptor, path = tempfile.mkstemp(prefix="picture-", suffix=".json", dir=directory)  # of mode 0600
        with open(descriptor, "w") as file:
            json.dump(document(scene, now, time.time()), file)
    except OSError:
        if path:
            os.unlink(path)
        return ""
    return path
