"""Is a client stopped (^Z, SIGSTOP), or dead while others keep what it held? Whoever waits for it should know.

The rule: only the kernel of the client's own machine knows, so of a client that came over the network, or from a
container that calls itself another host, nothing is said. Nor if /proc does not show us other people's processes.

Source: man 5 proc, /proc/PID/stat, field 3: T is stopped, t is stopped by a debugger.
/proc may hide other people's processes, so who is missing there is asked for by signal 0 (man 2 kill). A holder whose
process has ended is one whose connection others have inherited (``--hold``), or one of whom we shall hear at once.
"""

from __future__ import annotations

import os

from ..transport.enums import Standing
from ..transport.records import Claim

LOCAL = "localhost/"  # how FLoM names the other end of a UNIX socket


def condition(claim: Claim) -> str:
    """``stopped`` or ``ended``, as far as this machine can tell; else "". Who waits is never said to have ended."""
    if not claim.pid or claim.peer != LOCAL or claim.host != os.uname().nodename:
        return ""
    state = _state(claim.pid)
    if claim.standing is Standing.HOLDS and (state == b"Z" or not _exists(claim.pid)):
        return "ended"
    return "stopped" if state in (b"T", b"t") else ""


def _state(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return b""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True
