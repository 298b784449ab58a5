"""A locker process from its start to its end: what surrounds the ``Locker``.

Lockers ignore TERM and INT: systemd sends TERM to a whole group, and a ^C in a terminal where the daemon runs in the
foreground must not take locks away. They are told to end by their parent. USR1 is for the incubator, and USR2 writes
the Python stack to the log. The descriptors of the daemon's rights, to its directory and to its port, are kept open
here, so the kernel itself keeps a second daemon from starting while a locker of a dead one still serves.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from ..transport.addresses import locker_name
from ..transport.errors import Unreachable
from ..transport.messages import Ended, Ready
from ..transport.pipe import Pipe
from ..transport.ports import TcpListener, TcpPlace, keep_port
from ..transport.sockets import Router, raise_descriptor_limit
from . import log
from .locker import Locker
from .nursery import name_process
from .process import Process

COMM = "holdfast-locker"  # as ps and pgrep show it; at most 15 characters


def begin(role: str, comm: str, *, verbose: bool) -> None:
    """What every child of the daemon does first: ignore what the whole group is sent, take a name, log.

    Args:
        role: as the log shows it.
        comm: as ``name_process``.
    """
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(ignored, signal.SIG_IGN)
    log.stacks_on_signal()
    name_process(comm)
    log.configure(role, verbose=verbose)


def listen(tcp: TcpPlace | None, pipe: Pipe) -> TcpListener | None:
    """Listen on TCP too, if the daemon does.

    Raises:
        SystemExit: no port is to be had; the parent has been told so.
    """
    if tcp is None:
        return None
    try:
        return TcpListener(tcp)
    except Unreachable as error:
        pipe.send(Ended(str(error)))
        sys.exit(0)


def main(
    number: int,
    end: socket.socket,
    rights: tuple[int, ...],
    directory: str,
    verbose: bool,
    tcp: TcpPlace | None = None,
    port: int | None = None,
) -> None:
    """Run one locker; the target of a ``ChildSpec``.

    Args:
        number: of this child; its socket is ``locker-NUMBER.sock`` in ``directory``.
        end: our end of the pipe to the incubator.
        rights: descriptors by which its parent is the daemon; they stay open as long as this process lives.
        tcp: where to listen besides.
        port: descriptor of the socket at which its parent listens on TCP; kept likewise.
    """
    begin("locker", COMM, verbose=verbose)
    address = locker_name(number)
    note = os.path.join(directory, f"left-behind-{os.getpid()}")
    pipe = Pipe(end)
    listener = listen(tcp, pipe)
    router = Router(os.path.join(directory, address), limit=raise_descriptor_limit(), tcp=listener)
    pipe.send(Ready(address, os.getpid(), os.getppid(), listener.port if listener else 0))

    def outlive(sentence: str) -> None:
        if port is not None:
            keep_port(port)
        _write(note, sentence)

    locker = Locker(number, _unix_seconds, outlive)
    code = Process(locker, router, pipe=pipe).run()
    if os.path.exists(note):
        os.unlink(note)
    sys.exit(code)


def _unix_seconds(now: float) -> float:
    """``now`` (monotonic) as wall-clock time, by the clock as it is set at this moment."""
    return now + (time.time() - time.monotonic())


def _write(path: str, sentence: str) -> None:
    """Leave a note for whoever comes. It is a courtesy: on a full disk the lock is served all the same."""
    try:
        with open(path, "w") as file:
            file.write(sentence + "\n")
    except OSError as error:
        log.event("HFD033W", path=path, error=error)
