"""Ask a daemon to end.

The rule: ``now`` returns when no process of that daemon is left. The process to wait for is taken from the kernel's
word about the socket before anything is said, so it cannot be somebody else who has the number by then; it ends last
of all its processes.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Mapping

from . import addresses, discover, identity
from .errors import HoldfastError, Unreachable
from .messages import Echo, Fault, Mismatch, Stop, Stopping, Welcome
from .settings import Settings
from .wire import ID_SIZE, Message, decode, encode
from .zmtp import Closed, Wire

PATIENCE = 5.0  # seconds for each answer
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
    place = addresses.address_of(settings)
    wire = discover.find(place)
    if wire is None:
        raise Unreachable(f"no daemon is running at {place.socket}")
    try:
        pid = pid_behind(wire.fileno())
        process = _open_process(pid, place.socket)
        try:
            answered = _ask(wire, identity.hello(os.urandom(ID_SIZE), environ), now=now)
            if (now or not answered) and not select.select([process], [], [], END)[0]:
                raise Unreachable(f"the daemon (process {pid}) was told to end and has not in {END:g} s")
        finally:
            os.close(process)
    finally:
        wire.close()
    return pid


def _open_process(pid: int, path: str) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise Unreachable(f"no daemon is running at {path}; the last one has just ended") from None


def _ask(wire: Wire, who: Message, *, now: bool) -> bool:
    """Say Stop; False if the connection ended before the answer: so does the daemon, then."""
    try:
        wire.send(encode(who))
        welcome = _hear(wire)
        if isinstance(welcome, Welcome):
            wire.send(encode(Echo(welcome.nonce)), encode(Stop(now)))
            if isinstance(_hear(wire), Stopping):
                return True
    except Closed:
        return False
    raise Unreachable("the daemon did not answer as one would; it may be of another version")


def _hear(wire: Wire) -> Message:
    frame = wire.receive(PATIENCE)
    if frame is None:
        raise Unreachable(f"the daemon at {wire.path} has not answered for {PATIENCE:g} s")
    message = decode(frame)
    if isinstance(message, Fault | Mismatch):
        raise HoldfastError(message.sentence)
    return message


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
