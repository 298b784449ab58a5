"""A timestamp, ``_t_%Y%m%d.%H%M%S#ff[2]``: each grant the text of a new instant, at most so many in use at once.

Time is cut into ticks as fine as the format tells (aligned to the epoch); a tick is given once, and only ticks later
than the last one given. The text is the daemon's local time; the first longest of ``#f`` … ``#ffffff`` becomes a dot
and that many digits of the second, cut off; the rest is strftime's. Source: FLoM 1.7.2, with ``%%`` read as strftime
reads it.

``strftime`` depends on LC_TIME, which is C unless a program calls ``locale.setlocale``, and a daemon never does. The
local time zone is the only thing here that is not an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import localtime, strftime

from ...transport.messages import Acquire, Refusal, Refused
from ...transport.names import Kind, Name, invalid
from .line import Hold

_SECOND = 1_000_000  # everything here is counted in µs
_RETRY = 1.0  # seconds; the wall clock may be set while somebody waits
_TICKS = (("crsSTX", _SECOND), ("MR", 60 * _SECOND), ("HI", 3600 * _SECOND))  # directives and what they change with


class Timestamp:
    """One text per tick.

    Args:
        name: the resource's name.
        wall: Unix time in seconds at the monotonic instant given.

    Raises:
        InvalidName: the text of this format changes less often than every hour.
    """

    in_turn = True

    def __init__(self, name: Name, wall: Callable[[float], float]) -> None:
        self._text = name.text
        self._slots = name.capacity
        self._format = name.format
        self._digits = _digits(name.format)
        self._tick = _tick(name, self._digits)
        self._wall = wall
        self._used = 0
        self._last = -1  # the tick given last

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
        """All compete for the ticks."""
        return True

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Is a slot free, the ancestors' among them, and this tick not given yet?"""
        return self._used - len(inside) < self._slots and self._micros(now) // self._tick > self._last

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """This instant as text."""
        self._used += 1
        micros = self._micros(now)
        self._last = micros // self._tick
        seconds, rest = divmod(micros, _SECOND)
        fraction = f".{rest:06d}"[: self._digits + 1]
        pattern = self._format.replace("#" + "f" * self._digits, fraction, 1) if self._digits else self._format
        return strftime(pattern, localtime(seconds))

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """Free the slot; the tick stays given."""
        self._used -= 1

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Would they fill the slots?"""
        return len(holds) - len(inside) >= self._slots

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """The first tick that was not given yet, if a slot is free."""
        if self._used - len(inside) >= self._slots:
            return None
        ahead = (self._last + 1) * self._tick - self._micros(now)
        return now + min(max(ahead, 0) / _SECOND, _RETRY)

    def _micros(self, now: float) -> int:
        return int(self._wall(now) * _SECOND)


def _digits(text: str) -> int:
    """How many digits of the second the format shows."""
    return next((count for count in range(6, 0, -1) if "#" + "f" * count in text), 0)


def _tick(name: Name, digits: int) -> int:
    """How long, in µs, the text stays the same at most."""
    if digits:
        return _SECOND // int(10**digits)
    directives = {part[:1] for part in name.format.replace("%%", "").split("%")[1:]}
    for letters, tick in _TICKS:
        if directives & set(letters):
            return tick
    raise invalid(name.text, "its format has nothing that changes at least every hour", Kind.TIMESTAMP)
