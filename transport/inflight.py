"""What this process waits for and holds at this moment, and for how long: for a program that seems to stand still.

The rule: nobody is asked and nothing is waited for, neither daemon nor thread; so a signal's handler may look in the
middle of anything, and the list is what this process has heard so far.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO

from .errors import UsageError
from .locks import all_locks
from .messages import Mode
from .phrases import visible
from .session import Session, State

OVER = frozenset({State.AWAY, State.ATTACHED, State.RELEASING})
ASKS = getattr(signal, "SIGINFO", signal.SIGUSR1)  # ^T, where the system has it


@dataclass(frozen=True, slots=True)
class InFlight:
    """A lock that is waited for or held."""

    resource: str
    mode: Mode
    quantity: int
    state: str  # "waiting" or "held"
    age: float  # seconds that it has been so
    waited: float  # seconds that it was waited for in all, or has been until now
    element: str  # what a set, a sequence or a timestamp handed out
    token: int  # 0 while it is waited for
    thread: int  # which one asked for it, as ``threading.get_ident`` names it


def inflight() -> list[InFlight]:
    """Every lock that this process waits for or holds, that of the largest age first. Any thread may ask."""
    found = [entry for lock in all_locks() if (entry := lock.inflight()) is not None]
    return sorted(found, key=lambda entry: -entry.age)


def seen(session: Session, thread: int, now: float) -> InFlight | None:
    """What another thread sees of a lock's session; None if it is neither waited for nor held."""
    state, granted = session.state, session.granted
    if state in OVER:
        return None
    ask, asked_for = session.ask, max(0.0, now - session.asked_at)
    if state is not State.HELD or granted is None:
        return InFlight(ask.resource, ask.mode, ask.quantity, "waiting", asked_for, asked_for, "", 0, thread)
    age = max(0.0, now - session.granted_at)
    return InFlight(
        *(ask.resource, ask.mode, ask.quantity, "held", age, asked_for - age, granted.element, granted.token, thread)
    )


def in_words() -> str:
    """``inflight`` as text, a line each."""
    lines = [f"  {_verb(entry)} {_in_words(entry)} for {_span(entry.age)}\n" for entry in inflight()]
    return "In-flight locks:\n" + ("".join(lines) or "  none\n")


def _verb(entry: InFlight) -> str:
    return "holding" if entry.state == "held" else "waiting for"


def _in_words(entry: InFlight) -> str:
    mode = "" if entry.mode is Mode.EX else entry.mode.name
    units = f"{entry.quantity} units" if entry.quantity > 1 else ""
    more = ", ".join(filter(None, (mode, units, visible(entry.element))))
    return f'"{visible(entry.resource)}"' + (f" ({more})" if more else "")


def _span(seconds: float) -> str:
    """``1h2m34.00s``, ``1m34.00s``, ``47.26s``: finer than elsewhere, because two such lists are compared."""
    hundredths = round(seconds * 100)
    minutes, hundredths = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    told = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{told}{hundredths / 100:.2f}s"


class _Dump:
    """The handler: writes the list, then does what was done before."""

    def __init__(self, file: IO[str] | None, before: Callable[[int, FrameType | None], object] | None) -> None:
        self._file = file
        self.before = before

    def __call__(self, number: int, frame: FrameType | None) -> None:
        text = in_words().encode(errors="replace")
        with suppress(OSError):
            os.write(self._descriptor(), text)
        if self.before is not None:
            self.before(number, frame)

    def _descriptor(self) -> int:
        """Of the file; of standard error as it is now; 2, if that is none of the system's files."""
        try:
            return (sys.stderr if self._file is None else self._file).fileno()
        except (AttributeError, OSError, ValueError):
            return 2


def install_signal_dump(signum: int = ASKS, file: IO[str] | None = None) -> None:
    """Write what is in flight whenever a signal comes; what is waited for goes on being waited for.

    A handler in Python that the signal had before is called afterwards.

    Args:
        signum: which signal: SIGINFO where there is one, else SIGUSR1.
        file: where to; None: standard error. It must be a real file (``fileno``).

    Raises:
        UsageError: not said in the main thread, no handler can be had for that signal, or the file is none.
    """
    _check_file(file)
    try:
        before = signal.getsignal(signum)
        if isinstance(before, _Dump):
            before = before.before
        signal.signal(signum, _Dump(file, before if callable(before) else None))
    except (OSError, TypeError, ValueError) as error:
        raise UsageError(f"no handler for signal {signum!r} can be installed here: {error}") from error


def _check_file(file: object) -> None:
    if file is None:
        return
    try:
        descriptor = file.fileno()  # type: ignore[attr-defined]  # what has none is refused
    except (AttributeError, OSError, TypeError, ValueError):
        descriptor = None
    if not isinstance(descriptor, int):
        raise UsageError(f"{file!r} is no file to which a signal's handler can write: it has no descriptor")
