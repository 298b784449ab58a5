"""Everything that the daemon's processes know, put together for somebody who looks for a fault.

The rule: a dump comes within ``PATIENCE`` seconds whatever is wrong. Each child is asked, and who has not answered by
then (it is stopped, or busy, or dead) stands there with ``no answer``. Who asks while a dump is under way gets that
one. A dump that cannot be written is a line in the log and a sentence to who asked, never more. Pure: what writes the
file is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from ..transport.messages import Dumped, Fault, Report
from .door import Session
from .log import event
from .process import Effect
from .staff import REGISTRY, Child

PATIENCE = 1.0  # seconds for the children to report
NO_ANSWER = "no answer"

Facts = dict[str, object]  # what JSON can say


class Files(Protocol):
    """Where dumps go."""

    def write(self, actors: Sequence[Facts], picture: str) -> str:
        """Write a dump.

        Args:
            actors: one entry for each process.
            picture: path of the registry's picture, which is taken into the dump; "" if there is none.

        Returns:
            The path of the dump.

        Raises:
            OSError: it cannot be written.
        """

    def discard(self, picture: str) -> None:
        """Remove a picture that came too late."""


class Dumps:
    """The dump that is under way, if one is."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._askers: dict[Session, None] = {}
        self._actors: list[Facts] = []
        self._owed: dict[int, Facts] = {}  # child -> its entry in ``_actors``
        self._ends_at: float | None = None  # None: nothing is under way
        self._picture = ""

    def begin(self, asker: Session | None, own: Facts, children: Sequence[Child], now: float) -> list[Effect]:
        """Ask everybody.

        Args:
            asker: who is told where the dump is, if anybody.
            own: the incubator's entry.
        """
        if asker is not None:
            self._askers[asker] = None
        if self._ends_at is not None:
            return []
        self._ends_at = now + PATIENCE
        self._actors = [own]
        for child in children:
            entry = _entry(child)
            self._actors.append(entry)
            if child.pid:
                self._owed[child.number] = entry
        effects: list[Effect] = [(number, Report()) for number in self._owed]
        return effects + self._write_if_complete()

    def reported(self, child: Child, text: str) -> list[Effect]:
        """A child has answered, in time or not."""
        facts = _facts(text)
        picture = str(facts.pop("picture", "")) if child.role == REGISTRY else ""
        entry = self._owed.pop(child.number, None)
        if entry is None:
            if picture:
                self._files.discard(picture)
            return []
        entry["statistics"] = facts
        self._picture = picture or self._picture
        return self._write_if_complete()

    def died(self, number: int) -> list[Effect]:
        """A child is gone, and will not answer."""
        return self._write_if_complete() if self._owed.pop(number, None) is not None else []

    def left(self, session: Session) -> None:
        """``session`` is gone."""
        self._askers.pop(session, None)

    def wakes_at(self) -> float | None:
        """When we wait no longer."""
        return self._ends_at

    def tick(self, now: float) -> list[Effect]:
        """Write what there is, if it is time."""
        return self._write() if self._ends_at is not None and self._ends_at <= now else []

    def _write_if_complete(self) -> list[Effect]:
        return [] if self._owed else self._write()

    def _write(self) -> list[Effect]:
        answer: Dumped | Fault
        try:
            path = self._files.write(self._actors, self._picture)
        except OSError as error:
            event("HFD041W", error=error)
            answer = Fault(f"the dump cannot be written: {error}")
        else:
            event("HFD040I", path=path)
            answer = Dumped(path)
        effects: list[Effect] = [(session, answer) for session in self._askers]
        self._askers.clear()
        self._owed.clear()
        self._actors = []
        self._ends_at = None
        self._picture = ""
        return effects


def _entry(child: Child) -> Facts:
    return {"role": child.role, "pid": child.pid, "number": child.number, "statistics": NO_ANSWER}


def _facts(text: str) -> Facts:
    """What a child reported; a text that is no JSON object is shown as it is: it is our bug, and no reason to fail."""
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {"unreadable": text}
