"""What came and was no client, or no question: counted, and told in the log, but not each time.

The rule: whatever comes, and however much of it, the log gets one line a kind and minute, with how often since the last
one; the first one comes at once. A port on a network hears scanners, browsers and lost greetings all day long, and so
does a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from .log import event

PAUSE = 60.0  # seconds between two lines of one kind
NOWHERE: Mapping[str, str] = {}  # no address is known


class Noise:
    """The lines that are told, from counts that only grow.

    Args:
        counts: of each kind; somebody else counts in them, and no kind stands in two.
        sources: of a kind, the address that the last one came from, where it is known; somebody else keeps them.
    """

    def __init__(self, *counts: Mapping[str, int], sources: Mapping[str, str] = NOWHERE) -> None:
        self._counts = counts
        self._sources = sources
        self._told: dict[str, int] = {}  # kind -> its count when it was last told
        self._next: dict[str, float] = {}  # kinds told lately -> when the next line may come

    def to_tell(self, now: float) -> list[tuple[str, int]]:
        """The kinds that may be told by now, each with how many are new; they count as told."""
        due = []
        for counts in self._counts:
            for kind, count in counts.items():
                new = count - self._told.get(kind, 0)
                if new and now >= self._next.get(kind, -inf):
                    self._told[kind] = count
                    self._next[kind] = now + PAUSE
                    due.append((kind, new))
        return due

    def tell(self, now: float) -> None:
        """Log what may be told by now."""
        for kind, new in self.to_tell(now):
            if source := self._sources.get(kind):
                event("HFD034W", kind=kind, count=new, last=source)
            else:
                event("HFD034W", kind=kind, count=new)

    def wakes_at(self) -> float | None:
        """When there is something to tell that may not be told before."""
        if not self._next:
            return None
        untold = (
            self._next[kind]
            for counts in self._counts
            for kind, count in counts.items()
            if kind in self._next and count > self._told[kind]
        )
        return min(untold, default=None)
