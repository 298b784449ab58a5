"""A set, ``red.green.blue``: each request gets one element, in turn.

The search for a free element begins one further at each grant, whichever element was given (FLoM 1.7.2): with ``x``
held for long in ``x.y.z`` the others get y z y y z. Two elements may have one name; they are two nevertheless. A nested
request gets a free element, else the nearest ancestor's that nobody but its ancestors uses.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...transport.messages import Acquire, Refused
from .line import Hold, Owner


class Set:
    """Elements, each for one at a time (and those nested inside that one)."""

    in_turn = True

    def __init__(self, elements: tuple[str, ...]) -> None:
        self._elements = elements
        self._users: list[set[Owner]] = [set() for _ in elements]
        self._index: dict[Owner, int] = {}
        self._free = len(elements)
        self._turn = 0

    def refuses(self, ask: Acquire) -> Refused | None:
        """Never: there is at least one element."""
        return None

    def place(self, ask: Acquire) -> tuple[str, ...]:
        """There is one."""
        return ()

    def key(self, ask: Acquire) -> None:
        """All are alike."""
        return

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """All compete for the elements."""
        return True

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Is one free, or an ancestor's?"""
        return self._free > 0 or (bool(inside) and self._shared(inside) is not None)

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """The first free one from this turn's on, else an ancestor's."""
        if self._free:
            size = len(self._elements)
            index = self._turn
            while self._users[index]:
                index = (index + 1) % size
            self._turn = (self._turn + 1) % size
            self._free -= 1
        else:
            shared = self._shared(inside)
            assert shared is not None  # it fitted
            index = shared
        self._users[index].add(hold.owner)
        self._index[hold.owner] = index
        return self._elements[index]

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """It is free when the last of its users has left."""
        users = self._users[self._index.pop(hold.owner)]
        users.remove(hold.owner)
        self._free += not users

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Would each element still be used by somebody else than its ancestors?"""
        left = {hold.owner for hold in holds} - {hold.owner for hold in inside}
        return all(users & left for users in self._users)

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """Time changes nothing."""
        return None

    def _shared(self, inside: Sequence[Hold]) -> int | None:
        """The nearest ancestor's element that nobody but ancestors uses."""
        owners = {hold.owner for hold in inside}
        for hold in reversed(inside):
            index = self._index[hold.owner]
            if self._users[index] <= owners:
                return index
        return None
