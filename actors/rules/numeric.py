"""A numeric resource, ``name[12]``: so many units, of which each request takes some.

Nested requests use the units of their ancestors first: a hold counts for its own units or for what is held inside it,
whichever is more. When an ancestor ends, what is held inside it counts for the ancestor above, or for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...transport.messages import Acquire, Refusal, Refused
from .line import Hold, Owner


class _Share:
    """The units of one hold and of those inside it."""

    __slots__ = ("inner", "nested", "units", "within")

    def __init__(self, units: int, within: _Share | None) -> None:
        self.units = units
        self.within = within  # the share of the innermost ancestor that still holds
        self.inner: dict[Owner, _Share] = {}
        self.nested = 0  # what those in ``inner`` count for

    def counts(self) -> int:
        """What it counts for."""
        return max(self.units, self.nested)


class Numeric:
    """So many units.

    Args:
        text: the resource's name, for sentences.
        capacity: units.
    """

    in_turn = True

    def __init__(self, text: str, capacity: int) -> None:
        self._text = text
        self._capacity = capacity
        self._used = 0
        self._shares: dict[Owner, _Share] = {}

    def refuses(self, ask: Acquire) -> Refused | None:
        """More units than there are, or none."""
        if ask.quantity < 1:
            return Refused(Refusal.INVALID, f"{ask.quantity} units asked; ask for 1 or more")
        if ask.quantity > self._capacity:
            return Refused(Refusal.IMPOSSIBLE, f"{ask.quantity} units asked, {self._text} has {self._capacity}")
        return None

    def place(self, ask: Acquire) -> tuple[str, ...]:
        """There is one."""
        return ()

    def key(self, ask: Acquire) -> int:
        """The same number of units."""
        return ask.quantity

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """All compete for the units."""
        return True

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Are so many units left, the ancestors' among them?"""
        if not inside:
            return self._used + ask.quantity <= self._capacity
        more, share = ask.quantity, self._within(inside)
        while share is not None:
            more = max(share.units, share.nested + more) - share.counts()
            share = share.within
        return self._used + more <= self._capacity

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """Use its units up."""
        within = self._within(inside)
        share = self._shares[hold.owner] = _Share(hold.ask.quantity, within)
        if within is not None:
            within.inner[hold.owner] = share
        self._add(within, hold.ask.quantity)
        return ""

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """Free its units; those held inside it stay used."""
        share = self._shares.pop(hold.owner)
        within = share.within
        if within is not None:
            del within.inner[hold.owner]
            within.inner.update(share.inner)
        for inner in share.inner.values():
            inner.within = within
        self._add(within, share.nested - share.counts())

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Count the units again, as if only ``holds`` were left."""
        left = {hold.owner: hold for hold in holds}
        nested = dict.fromkeys((self._shares[owner] for owner in left), 0)
        used = 0
        more, share = ask.quantity, self._within(inside)
        for hold in [None, *sorted(holds, key=lambda one: -one.token)]:  # the newest first: nothing is nested in it
            if hold is not None:
                share = self._shares[hold.owner]
                more, share = max(share.units, nested[share]), share.within
            while share is not None and share not in nested:
                share = share.within
            if share is None:
                used += more
            else:
                nested[share] += more
        return used > self._capacity

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """Time changes nothing."""
        return None

    def _within(self, inside: Sequence[Hold]) -> _Share | None:
        return self._shares[inside[-1].owner] if inside else None

    def _add(self, within: _Share | None, more: int) -> None:
        """``more`` (or less) is held inside ``within``, or inside nobody."""
        while within is not None and more:
            before = within.counts()
            within.nested += more
            more = within.counts() - before
            within = within.within
        self._used += more
