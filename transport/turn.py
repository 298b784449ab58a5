"""One thread at a time, in one process: whoever comes second is told, and never waits.

The rule: two threads that share a ``Lock`` are a mistake of their program, and so is a forked child that goes on with
its parent's; both get a ``UsageError`` at once (trio's "busy resource").
"""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

from .errors import UsageError


class Turn:
    """Held with ``with`` while a verb runs.

    Args:
        resource: whose lock it is, for the sentence.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._lock = allocate_lock()
        self._user = 0  # the thread whose turn it is, or was
        self._pid = os.getpid()

    @property
    def forked(self) -> bool:
        """Whether we are in a child of the process that made this."""
        return os.getpid() != self._pid

    def __enter__(self) -> None:
        if self.forked:
            raise self._wrong("belongs to the process that forked this one; make a Lock of your own")
        if not self._lock.acquire(False):
            raise self._wrong("is in use by another thread; make a Lock for each")
        self._user = get_ident()

    def __exit__(self, *error: object) -> None:
        if self._lock.locked():  # not so if a signal's handler took it back meanwhile
            self._lock.release()

    def take_back(self) -> None:
        """End a turn of this same thread that was interrupted, if there is one.

        Raises:
            UsageError: it is another thread's turn.
        """
        if self._lock.locked():
            if self._user != get_ident():
                raise self._wrong("is in use by another thread; make a Lock for each")
            self._lock.release()

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"this Lock on {self._resource} {what}", resource=self._resource)
