"""What happened at a resource, mode by mode: counters, and how long waits and holds took.

The rule: each request ends in exactly one of granted, refused, timed out and withdrawn; each grant in exactly one of
released, failed, vanished and lost. Ongoing ones are not counted here: whoever shows a tally knows their ages.

A histogram counts in powers of two of microseconds and grows as far as it must. What a resource leaves behind when it
ends is added to that of those before it. Pure; on the path of every grant, so there is no more in it than additions.
"""

from __future__ import annotations

from enum import IntEnum

from ..transport.messages import Mode
from ..transport.records import Tally


class Parting(IntEnum):
    """How a grant ended."""

    RELEASED = 0  # given back
    FAILED = 1  # given back, rolled back
    VANISHED = 2  # the connection ended
    LOST = 3  # taken away


class Times:
    """How long something took that has ended: sum, longest, histogram."""

    __slots__ = ("counts", "longest", "sum")

    def __init__(self) -> None:
        self.sum = 0.0
        self.longest = 0.0
        self.counts: list[int] = []

    def add(self, seconds: float) -> None:
        """One more."""
        self.sum += seconds
        if seconds > self.longest:
            self.longest = seconds
        entry = int(seconds * 1e6).bit_length()
        if entry >= len(self.counts):
            self._grow(entry)
        self.counts[entry] += 1

    def fold(self, other: Times) -> None:
        """All of ``other``."""
        self.sum += other.sum
        self.longest = max(self.longest, other.longest)
        self._grow(len(other.counts) - 1)
        for entry, count in enumerate(other.counts):
            self.counts[entry] += count

    def _grow(self, entry: int) -> None:
        self.counts += [0] * (entry + 1 - len(self.counts))


class Count:
    """What happened in one mode."""

    __slots__ = ("grants", "holds", "partings", "refused", "requests", "timed_out", "waits", "withdrawn")

    def __init__(self) -> None:
        self.requests = 0
        self.grants = 0
        self.refused = 0
        self.timed_out = 0
        self.withdrawn = 0
        self.partings = [0] * len(Parting)
        self.waits = Times()
        self.holds = Times()

    def fold(self, other: Count) -> None:
        """All of ``other``."""
        self.requests += other.requests
        self.grants += other.grants
        self.refused += other.refused
        self.timed_out += other.timed_out
        self.withdrawn += other.withdrawn
        for parting in Parting:
            self.partings[parting] += other.partings[parting]
        self.waits.fold(other.waits)
        self.holds.fold(other.holds)


class Tallies:
    """The counts of one resource, and of all before it that have ended."""

    def __init__(self) -> None:
        self._counts = [Count() for _ in Mode]
        self._ended = [Count() for _ in Mode]

    def requested(self, mode: Mode) -> None:
        """Somebody asks."""
        self._counts[mode].requests += 1

    def granted(self, mode: Mode, waited: float) -> None:
        """It was granted after so many seconds."""
        count = self._counts[mode]
        count.grants += 1
        count.waits.add(waited)

    def refused(self, mode: Mode) -> None:
        """It was refused, and not for time."""
        self._counts[mode].refused += 1

    def timed_out(self, mode: Mode) -> None:
        """Its time was over."""
        self._counts[mode].timed_out += 1

    def withdrawn(self, mode: Mode) -> None:
        """Whoever asked does not wait any more."""
        self._counts[mode].withdrawn += 1

    def parted(self, mode: Mode, how: Parting, held: float) -> None:
        """A grant ended after so many seconds."""
        count = self._counts[mode]
        count.partings[how] += 1
        count.holds.add(held)

    def fold(self) -> list[Mode]:
        """The resource has ended: count on from nothing.

        Returns:
            The modes in which anything happened.
        """
        modes = [mode for mode in Mode if self._counts[mode].requests]
        for mode in modes:
            self._ended[mode].fold(self._counts[mode])
            self._counts[mode] = Count()
        return modes

    def tally(self, actor: int, place: int, mode: Mode) -> Tally:
        """The record; ``place`` 0 is of those that have ended."""
        count = (self._counts if place else self._ended)[mode]
        return Tally(
            actor=actor,
            place=place,
            mode=mode,
            requests=count.requests,
            grants=count.grants,
            refused=count.refused,
            timed_out=count.timed_out,
            withdrawn=count.withdrawn,
            released=count.partings[Parting.RELEASED],
            failed=count.partings[Parting.FAILED],
            vanished=count.partings[Parting.VANISHED],
            lost=count.partings[Parting.LOST],
            wait_sum=count.waits.sum,
            wait_max=count.waits.longest,
            waits=tuple(count.waits.counts),
            hold_sum=count.holds.sum,
            hold_max=count.holds.longest,
            holds=tuple(count.holds.counts),
        )
