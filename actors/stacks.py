"""Everybody's Python stack in the log, one process after the other.

The rule: a stack is written by the process itself, in many small pieces, so a second process is asked only when the
first one has had ``PAUSE`` seconds; and a stack does not say whose it is, so the line before it does. One that is
stopped writes later, and is waited for by nobody. Pure: no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .log import event
from .process import AskStack, Effect
from .staff import Child

PAUSE = 0.02  # seconds for one process to write


class Stacks:
    """Who is still to be asked."""

    def __init__(self) -> None:
        self._next: deque[Child] = deque()
        self._at = 0.0  # the next one's time

    def ask(self, children: Iterable[Child], now: float) -> None:
        """Ask these, as soon as the others that are asked already have had their time."""
        if not self._next:
            self._at = now + PAUSE  # the incubator itself is writing
        self._next += children

    def wakes_at(self) -> float | None:
        """When the next one is to be asked."""
        return self._at if self._next else None

    def tick(self, now: float) -> list[Effect]:
        """Ask the next one, if it is time."""
        if not self._next or now < self._at:
            return []
        child = self._next.popleft()
        self._at = now + PAUSE
        event("HFD042I", role=child.role, pid=child.pid)
        return [AskStack(child.number)]
