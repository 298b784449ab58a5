"""``--hold``: how long the lock lasts. What is said with ``-v`` when it outlives us, and what the command finds of it.

The rule: nobody pays for this who has not asked for it; ``run.py`` loads this file only then.
"""

from __future__ import annotations

import os

from ..transport.lasting import CommandLock, TreeLock
from ..transport.stderr import say
from .child import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..transport.client import Lock
    from ..transport.settings import Settings

DESCRIPTOR = "HOLDFAST_FD"
NAMED = 8  # processes, at most


class TellingTreeLock(TreeLock):
    """Says with whom the lock stays."""

    def release(self, *, rolled_back: bool = False, wait: bool = False) -> None:
        """As ``TreeLock``."""
        try:
            others = [pid for pid in heirs(self.fileno()) if pid != os.getpid()]
        except OSError:  # no /proc, or no descriptor to read it with: what is told may be missing, the release may not
            others = []
        super().release(rolled_back=rolled_back, wait=wait)
        if others:
            named = ", ".join(f"{pid} ({_name(pid)})" for pid in others[:NAMED])
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            say(f"the lock stays until these have ended: {named}{more}")


def kind_of_lock(settings: Settings) -> type[Lock]:
    """What kind of lock lasts as long as ``settings`` say, which is not the usual time."""
    if settings.hold == "command":
        return CommandLock
    return TellingTreeLock if settings.verbose else TreeLock


def environment_with_descriptor(lock: Lock) -> dict[str, str]:
    """What a command finds in its environment: also the number of the descriptor that holds ``lock``."""
    assert isinstance(lock, CommandLock | TreeLock)
    return {**environment(lock), DESCRIPTOR: str(lock.inherited)}


def heirs(descriptor: int) -> list[int]:
    """The processes that have what is behind ``descriptor`` open, as far as we may see them."""
    wanted = os.readlink(f"/proc/self/fd/{descriptor}")
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and wanted in _open_in(pid)]


def _open_in(pid: str) -> set[str]:
    found = set[str]()
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            found.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    except OSError:  # it is somebody else's, or has just ended, or has closed one
        return found
    return found


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return "ended"
