"""Says, in a thread of its own, what those have to say who have a lock to give back.

The rule: whoever has something to tell never waits for whoever is to read it. A terminal that was stopped (^S), or a
pipe that nobody reads, would else keep the lock from everybody as long as it pleases. Who could wait looks now and then
whether we are ``behind``, and waits then, so what is not read yet stays short.
"""

from __future__ import annotations

from _thread import allocate_lock

from ..transport.stderr import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections import deque
    from collections.abc import Callable
else:
    from _collections import deque

MANY = 100  # pieces of news


class Teller:
    """A line of what is to be told, in its order.

    Args:
        clear: makes room for a sentence where something else is shown.
    """

    def __init__(self, clear: Callable[[], object] = lambda: None) -> None:
        self._clear = clear
        self._news: deque[Callable[[], object]] = deque()
        self._some = allocate_lock()  # free when there may be news
        self._some.acquire()

    @property
    def behind(self) -> bool:
        """Is so much not told yet that who has more to tell should wait?"""
        return len(self._news) > MANY

    def say(self, sentence: str) -> None:
        """Have ``sentence`` said as ``stderr.say`` does."""
        self.do(self._clear)
        self.do(lambda: say(sentence))

    def do(self, act: Callable[[], object]) -> None:
        """Have something done that may take as long as whoever looks on pleases."""
        self._news.append(act)
        try:
            self._some.release()
        except RuntimeError:  # it is free already
            return

    def mark(self) -> LockType:
        """A lock that can be had when all is told that was to be told until now."""
        told = allocate_lock()
        told.acquire()
        self.do(told.release)
        return told

    def run(self) -> None:
        """Tell, for ever: what a thread does that is not waited for."""
        while True:
            self._some.acquire()
            while self._news:
                try:
                    self._news[0]()
                except (OSError, ValueError):  # a terminal that is gone
                    pass
                finally:
                    self._news.popleft()
