"""A sequence, ``_s_name[3]`` or ``_S_name[3]``: each grant a new number, at most so many in use at once.

1, 2, 3 … 4294967295, 1 …; 0 is never given. In a transactional one (``_S_``) the number of failed work comes back, and
numbers that came back are given first, oldest first (FLoM 1.7.2: 1 fails while 2 and 3 are held, next come 1 and 4). A
nested request gets a number of its own; its ancestors' slots count as free for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence as Ordered

from ...transport.messages import Acquire, Refusal, Refused
from .line import Hold

_LAST = 2**32 - 1


class Sequence:
    """Numbers in a row.

    Args:
        text: the resource's name, for sentences.
        slots: how many numbers may be in use at once.
        transactional: failed work gives its number back.
    """

    in_turn = True

    def __init__(self, text: str, slots: int, *, transactional: bool) -> None:
        self._text = text
        self._slots = slots
        self._transactional = transactional
        self._used = 0
        self._last = 0
        self._returned: deque[str] = deque()

    def refuses(self, ask: Acquire) -> Refused | None:
        """If it has no slot at all."""
        return (
            None if self._slots else Refused(Refusal.IMPOSSIBLE, f"{self._text} can never be granted: it has 0 slots")
        )

    def place(self, ask: Acquire) -> tuple[str, ...]:
        """There is one."""
        return ()

    def key(self, ask: Acquire) -> None:
        """All are alike."""
        return

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """All compete for the slots."""
        return True

    def fits(self, ask: Acquire, now: float, *, inside: Ordered[Hold]) -> bool:
        """Is a slot free, the ancestors' among them?"""
        return self._used - len(inside) < self._slots

    def take(self, hold: Hold, now: float, *, inside: Ordered[Hold]) -> str:
        """The number that came back first, else the next one."""
        self._used += 1
        if self._returned:
            return self._returned.popleft()
        self._last = self._last % _LAST + 1
        return str(self._last)

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """Free the slot; take the number back if the work failed."""
        self._used -= 1
        if rolled_back and self._transactional:
            self._returned.append(hold.element)

    def stuck(self, ask: Acquire, holds: Ordered[Hold], *, inside: Ordered[Hold]) -> bool:
        """Would they fill the slots?"""
        return len(holds) - len(inside) >= self._slots

    def wakes_at(self, now: float, *, inside: Ordered[Hold]) -> float | None:
        """Time changes nothing."""
        return None
