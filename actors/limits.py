"""Who waits only for so many seconds, and until when."""

from __future__ import annotations

from .alarms import Alarms
from .rules.line import Owner


class Limits:
    """The ends of waits. Whoever is not in here waits for ever."""

    def __init__(self) -> None:
        self._given: dict[Owner, float] = {}
        self._alarms: Alarms[Owner] = Alarms()

    def __len__(self) -> int:
        return len(self._given)

    def set(self, owner: Owner, given: float, now: float) -> None:
        """``owner`` waits for ``given`` seconds from now."""
        self._given[owner] = given
        self._alarms.set(owner, now + given)

    def cancel(self, owner: Owner) -> None:
        """``owner`` does not wait any more; nothing happens if it had no limit."""
        if self._given.pop(owner, None) is not None:
            self._alarms.cancel(owner)

    def at(self, owner: Owner) -> float | None:
        """When the wait of ``owner`` ends; None: never."""
        return self._alarms.at(owner)

    def wakes_at(self) -> float | None:
        """The soonest end."""
        return self._alarms.wakes_at()

    def due(self, now: float) -> tuple[Owner, float] | None:
        """Take out the one whose wait is over first, with what it was given; None if there is none."""
        owner = self._alarms.due(now)
        return None if owner is None else (owner, self._given.pop(owner))
