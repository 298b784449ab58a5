"""Who is to be woken when: one instant for each key, the soonest first.

The rule: what is cancelled leaves nothing behind for long. A cancelled alarm stays in the heap until it comes up, or
until the heap is twice as long as what is left in it; so a wait of a week that took a millisecond costs no week of
memory. Pure: no clock; time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

SLACK = 32  # cancelled alarms that are not worth sweeping

K = TypeVar("K")


def soonest(instants: Iterable[float | None]) -> float | None:
    """The first of the instants; None: there is none. Asked in every turn of an actor, mostly about two or three."""
    first = None
    for at in instants:
        if at is not None and (first is None or at < first):
            first = at
    return first


class Alarms(Generic[K]):
    """Instants, in seconds of whatever clock the caller has."""

    def __init__(self) -> None:
        self._at: dict[K, tuple[float, int]] = {}  # instant and serial number
        self._heap: list[tuple[tuple[float, int], K]] = []  # what is not (any more) in ``_at`` is stale
        self._serials = count()

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: K, at: float) -> None:
        """Wake ``key`` at ``at`` (and not when it was to be woken so far)."""
        self._at[key] = (at, next(self._serials))
        heappush(self._heap, (self._at[key], key))
        if len(self._heap) > 2 * len(self._at) + SLACK:
            self._heap = [(alarm, key) for key, alarm in self._at.items()]
            heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Do not wake ``key``; nothing happens if nobody wanted to."""
        self._at.pop(key, None)

    def at(self, key: K) -> float | None:
        """When ``key`` is to be woken; None: never."""
        alarm = self._at.get(key)
        return None if alarm is None else alarm[0]

    def wakes_at(self) -> float | None:
        """The soonest instant."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0][0] if self._heap else None

    def due(self, now: float) -> K | None:
        """Take out the soonest one whose time has come; None if there is none."""
        at = self.wakes_at()
        if at is None or at > now:
            return None
        _, key = heappop(self._heap)
        del self._at[key]
        return key
