"""One thread at a time, in one process: whoever comes second is told, and never waits.

The rule: two threads that share a ``Lock`` are a mistake of their program, and so is a forked child that goes on with
its parent's; both get a ``UsageError`` at once (trio's "busy resource"). So does a signal's handler that comes into
the middle of a verb of its own thread. A verb that was interrupted on its very first or last step leaves its turn
behind; that one is over as soon as the verb is, and its thread goes on.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from .errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_OTHERS = "is in use by another thread; make a Lock for each"


class Turn:
    """Held with ``with`` while a verb runs.

    Args:
        resource: whose lock it is, for the sentence.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource
        # At most one entry: whose turn it is, the thread and its verb. One step of a dict sets or takes all of it,
        # and no exception can come in between.
        self._taken: dict[str, tuple[int, FrameType]] = {}
        self._pid = os.getpid()

    @property
    def forked(self) -> bool:
        """Whether we are in a child of the process that made this."""
        return os.getpid() != self._pid

    def __enter__(self) -> None:
        if self.forked:
            raise self._wrong("belongs to the process that forked this one; make a Lock of your own")
        mine = (get_ident(), sys._getframe(1))
        while (other := self._taken.setdefault("by", mine)) is not mine:
            thread, verb = other
            if thread != mine[0]:
                raise self._wrong(_OTHERS)
            if _runs(verb):
                raise self._wrong("is in use by what this signal interrupted; let that end first")
            self._taken.pop("by", None)

    def __exit__(self, *error: object) -> None:
        self._taken.pop("by", None)  # nothing is there if a signal's handler took it back meanwhile

    def take_back(self) -> None:
        """End a turn of this same thread that was interrupted, if there is one.

        Raises:
            UsageError: it is another thread's turn.
        """
        thread, _ = self._taken.get("by", (get_ident(), None))
        if thread != get_ident():
            raise self._wrong(_OTHERS)
        self._taken.pop("by", None)

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"this Lock on {self._resource} {what}", resource=self._resource)


def _runs(verb: FrameType) -> bool:
    """Whether ``verb`` is still running, further down in this thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not verb:
        frame = frame.f_back
    return frame is verb
