"""A hierarchical resource, ``/a/b/c``: whoever holds a node keeps others from it, from all above and from all below.

Two requests meet if one node is the other or above it, and conflict then as two modes do; siblings are independent. A
node exists while something is held at it or below.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...transport.messages import Acquire, Mode, Refusal, Refused
from ...transport.names import InvalidName, parse
from .line import Hold
from .modes import CONFLICTS


@lru_cache(1024)
def _path(text: str) -> tuple[str, ...]:
    """The path that ``text`` names, () if it names something else. Remembered, because a line asks again and again."""
    return parse(text).path


class _Node:
    """How many hold it in each mode, and how many below; its children."""

    __slots__ = ("below", "children", "here")

    def __init__(self) -> None:
        self.here = [0] * len(Mode)
        self.below = [0] * len(Mode)
        self.children: dict[str, _Node] = {}


class Tree:
    """All nodes below one root, ``/a``."""

    in_turn = False

    def __init__(self, root: tuple[str, ...]) -> None:
        self._root = root
        self._top = _Node()

    def refuses(self, ask: Acquire) -> Refused | None:
        """A path that is none, or another root's."""
        try:
            path = _path(ask.resource)
        except InvalidName as error:
            return Refused(Refusal.INVALID, str(error))
        if path[:1] != self._root:
            return Refused(Refusal.INVALID, f"{ask.resource} is not below {'/'.join(('', *self._root))}")
        return None

    def place(self, ask: Acquire) -> tuple[str, ...]:
        """The path."""
        return _path(ask.resource)

    def key(self, ask: Acquire) -> Mode:
        """At one node the mode says it all."""
        return ask.mode

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """One node is the other or above it, and the modes may not be held side by side."""
        if ask.mode not in CONFLICTS[other.mode]:
            return False
        mine, theirs = ask.resource + "/", other.resource + "/"
        return mine.startswith(theirs) or theirs.startswith(mine)

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Are all that conflict, above, here and below, its ancestors?"""
        count = self._conflicts(ask)
        return count == 0 or count == sum(self.conflict(ask, hold.ask) for hold in inside)

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """Count it in at its node, and as below all above."""
        mode, node = hold.ask.mode, self._top
        for part in self.place(hold.ask):
            node.below[mode] += 1
            child = node.children.get(part)
            if child is None:
                child = node.children[part] = _Node()
            node = child
        node.here[mode] += 1
        return ""

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """Count it out, and forget nodes that nobody holds any more."""
        mode, node = hold.ask.mode, self._top
        for part in self.place(hold.ask):
            node.below[mode] -= 1
            child = node.children[part]
            if sum(child.here) + sum(child.below) == 1:  # this hold alone: the nodes further down go with it
                del node.children[part]
                return
            node = child
        node.here[mode] -= 1

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Every conflicting hold must end."""
        return any(self.conflict(ask, hold.ask) for hold in holds if hold not in inside)

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """Time changes nothing."""
        return None

    def _conflicts(self, ask: Acquire) -> int:
        """How many hold what ``ask`` may not be beside."""
        modes, node, count = CONFLICTS[ask.mode], self._top, 0
        for part in self.place(ask):
            child = node.children.get(part)
            if child is None:
                return count
            node = child
            for mode in modes:
                count += node.here[mode]
        for mode in modes:
            count += node.below[mode]
        return count
