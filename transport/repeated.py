"""A lock that one thread takes again and again.

The rule: between two turns everybody who waited has had theirs, because the release stands before the request; but both
travel in one write and are answered in one, so the next turn costs one way there and back.
"""

from __future__ import annotations

from time import monotonic

from .client import Lock
from .session import State


class Repeated(Lock):
    """A ``Lock`` that is given back and wanted again at once."""

    def again(self, *, rolled_back: bool = False) -> None:
        """Give the lock back, and wait in line until it is ours once more.

        Args:
            rolled_back: the work failed; a transactional sequence takes its number back.

        Raises:
            As ``release`` and ``acquire``.
        """
        if self._transactional:  # whether the number was taken back must be known
            self.release(rolled_back=rolled_back)
            self.acquire()
            return
        with self._turn:
            whole = False
            try:
                self._make_sure()
                self._session.release(rolled_back=rolled_back)
                self._waiting = None
                self._session.acquire(self.timeout, monotonic())
                self._take_steps()
                whole = self._session.state is State.ATTACHED  # as in acquire
                self._raise_what_went_wrong()
                whole = True
            finally:
                if not whole:
                    self._drop()
