"""A simple resource, ``name``: one thing, in six modes."""

from __future__ import annotations

from collections.abc import Sequence

from ...transport.messages import Acquire, Mode, Refused
from .line import Hold
from .modes import CONFLICTS


class Simple:
    """One thing in six modes: how many hold it in each."""

    in_turn = False

    def __init__(self) -> None:
        self._held = [0] * len(Mode)

    def refuses(self, ask: Acquire) -> Refused | None:
        """Never."""
        return None

    def place(self, ask: Acquire) -> tuple[str, ...]:
        """There is one."""
        return ()

    def key(self, ask: Acquire) -> Mode:
        """The mode says it all."""
        return ask.mode

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """Modes that may not be held side by side."""
        return ask.mode in CONFLICTS[other.mode]

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Are all that conflict its ancestors?"""
        held = self._held
        conflicts = CONFLICTS[ask.mode]
        count = 0
        for mode in conflicts:
            count += held[mode]
        return count == 0 or (bool(inside) and count == sum(hold.ask.mode in conflicts for hold in inside))

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """One more in its mode."""
        self._held[hold.ask.mode] += 1
        return ""

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """One less."""
        self._held[hold.ask.mode] -= 1

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Every conflicting hold must end."""
        return any(self.conflict(ask, hold.ask) for hold in holds if hold not in inside)

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """Time changes nothing."""
        return None
