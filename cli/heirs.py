"""The sessions whose connection a process has inherited, and with it their locks (``--hold``).

The rule: the daemon knows of a connection only who opened it, so whoever asks about a process that inherited one is
answered by what the process was started with. Where /proc does not show that, nothing is said.

Source: man 5 proc, /proc/PID/environ and /proc/PID/fd.
"""

from __future__ import annotations

import os

from ..transport.identity import inherited
from ..transport.records import public_name
from .hold import DESCRIPTOR


def inherited_by(pid: int) -> set[str]:
    """The public names of the sessions that process ``pid`` may hold by; empty if none, or nobody can see it."""
    try:
        with open(f"/proc/{pid}/environ", encoding="utf-8", errors="replace") as file:
            environ = dict(entry.split("=", 1) for entry in file.read().split("\0") if "=" in entry)
        opened = os.readlink(f"/proc/{pid}/fd/{environ.get(DESCRIPTOR, 'none')}")
    except OSError:
        return set()
    return {public_name(one) for one in inherited(environ)} if opened.startswith("socket:") else set()
