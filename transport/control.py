"""Ask a daemon to end, or to write down everything that it knows.

The rule: ``stop_daemon`` with ``now`` returns when no process of that daemon is left. The process to wait for is taken
from the kernel's word about the socket before anything is said, so it cannot be somebody else who has the number by
then; it ends last of all its processes.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from . import discover
from .errors import Unreachable
from .messages import Dump, Dumped, Stop, Stopping
from .question import ask, ask_to_stop, not_a_daemon
from .settings import Settings
from .target import target
from .zmtp import Closed, Wire

DUMPS = 1  # minor version of the protocol in which there are dumps
END = 15.0  # seconds for all processes to end; children are killed after 5


def stop_daemon(settings: Settings, environ: Mapping[str, str], *, now: bool) -> int:
    """Tell the daemon that ``settings`` mean to end.

    Args:
        now: at once, whoever holds or waits; else when the last client has left and the last resource is idle.

    Returns:
        Its process id.

    Raises:
        Unreachable: there is none, or it does not answer, or did not end in time.
        HoldfastError: it refused, and why.
    """
    wire = _find(settings)
    if not isinstance(wire.place, str):
        return _stop_there(wire, environ, now=now)
    try:
        pid = pid_behind(wire.fileno())
        process = _open_process(pid, wire.path)
        try:
            answered = ask_to_stop(wire, environ, now=now)
            if (now or not answered) and not select.select([process], [], [], END)[0]:
                raise Unreachable(f"the daemon (process {pid}) was told to end and has not in {END:g}s")
        finally:
            os.close(process)
    finally:
        wire.close()
    return pid


def _stop_there(wire: Wire, environ: Mapping[str, str], *, now: bool) -> int:
    """The same over the network, where the end of the connection is all that can be seen of the daemon's."""
    try:
        answer = ask(wire, environ, Stop(now))
        if not isinstance(answer, Stopping):
            raise not_a_daemon()
        if now:
            _wait_closed(wire, answer.pid)
        return answer.pid
    except Closed:
        raise Unreachable(f"the daemon at {wire.path} ended before it answered") from None
    finally:
        wire.close()


def _wait_closed(wire: Wire, pid: int) -> None:
    until = monotonic() + END
    try:
        while wire.receive(max(0.0, until - monotonic())) is not None:
            pass
    except Closed:
        return
    raise Unreachable(f"the daemon (process {pid} there) was told to end and has not in {END:g}s")


def _open_process(pid: int, path: str) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise Unreachable(f"no daemon is running at {path}; the last one has just ended") from None


def write_dump(settings: Settings, environ: Mapping[str, str]) -> str:
    """Let the daemon that ``settings`` mean write down everything that its processes know.

    Returns:
        The path of the file, on the daemon's machine.

    Raises:
        Unreachable: there is none, it is too old to know how, it does not answer, or it ended meanwhile.
        HoldfastError: it refused, or could not write it, and why.
    """
    wire = _find(settings)
    try:
        answer = ask(wire, environ, Dump(), since=DUMPS, lacks="writes no dumps")
    except Closed:
        raise Unreachable("the daemon ended before it had written anything") from None
    finally:
        wire.close()
    if isinstance(answer, Dumped):
        return answer.path
    raise not_a_daemon()


def _find(settings: Settings) -> Wire:
    """The daemon; if it is on this host, by its UNIX socket, where the kernel says who we are and who it is."""
    meant, wire = target(settings), None
    if meant.tcp is not None:
        with suppress(Unreachable):
            wire = discover.find_here(meant.place)
    wire = wire or discover.find(settings)
    if wire is None:
        raise Unreachable(discover.none_runs(meant))
    return wire


def pid_behind(descriptor: int) -> int:
    """The process that listens at the other end of a UNIX socket."""
    pid, _ = credentials(descriptor)
    if pid == 0:
        raise Unreachable("the daemon runs in another process namespace; stop it from there")
    return pid


def credentials(descriptor: int) -> tuple[int, int]:
    """Process (0: in another namespace) and user at the other end of a UNIX socket (man 7 unix, SO_PEERCRED)."""
    with socket.socket(fileno=os.dup(descriptor)) as connected:
        pid, uid, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
