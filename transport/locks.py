"""All the locks of this process: which are in flight, and what is waited for at its end.

The rule: a ``Lock`` that nobody has any more is none of ours (only weak references are kept), and whoever looks may be
any thread, or a signal's handler in the middle of anything: so there is nothing here that one of them could wait for.
The dict is copied in one step of the interpreter.
"""

from __future__ import annotations

import atexit
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import Lock


def remember(lock: Lock) -> None:
    """Count ``lock`` in as long as it lives."""
    key = id(lock)
    _known[key] = ref(lock, lambda _: _known.pop(key, None))


def all_locks() -> list[Lock]:
    """Those that live, the oldest first."""
    return [lock for known in list(_known.values()) if (lock := known()) is not None]


_known: dict[int, ref[Lock]] = {}


def _wait_all() -> None:
    """Do not let the interpreter end before the daemon has read what was released."""
    for lock in all_locks():
        lock.wait_released()


atexit.register(_wait_all)
