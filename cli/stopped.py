"""Is a client stopped (^Z, SIGSTOP)? It keeps what it holds, and its place, so whoever waits for it should know.

The rule: only the kernel of the client's own machine knows, so of a client that came over the network, or from a
container that calls itself another host, nothing is said. Nor if /proc does not show us other people's processes.

Source: man 5 proc, /proc/PID/stat, field 3: T is stopped, t is stopped by a debugger.
"""

from __future__ import annotations

import os

from ..transport.records import Claim

LOCAL = "localhost/"  # how FLoM names the other end of a UNIX socket


def is_stopped(claim: Claim) -> bool:
    """Is the process of ``claim`` stopped, as far as this machine can tell?"""
    if not claim.pid or claim.peer != LOCAL or claim.host != os.uname().nodename:
        return False
    try:
        with open(f"/proc/{claim.pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False
