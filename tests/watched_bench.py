"""An actor's log of changes without the actor: what it keeps, what it tells, and a clock that only we move."""

from __future__ import annotations

from holdfast.actors.door import Session
from holdfast.actors.watched import Watched
from holdfast.transport.messages import Changes, Watch
from holdfast.transport.records import Member, Record, key
from people import somebody

BEACON = 0.04
A, B = somebody(1), somebody(2)
FOR_EVER = -1.0


def records(changes: Changes) -> tuple[Record, ...]:
    return (*changes.claims, *changes.resources, *changes.tallies, *changes.members)


class Followed:
    """An actor that keeps members, what it tells, and a clock that only we move."""

    def __init__(self) -> None:
        self.there: dict[str, Record] = {}
        self.log = Watched(lambda name, now: self.there.get(name), BEACON)
        self.now = 100.0

    def put(self, number: int, version: int = 0) -> None:
        member = Member(number, "locker", version, 0.0, 0)
        self.there[key(member)] = member
        self.log.touch(key(member), self.now)

    def take(self, number: int) -> None:
        self.there.pop(f"member/{number}", None)
        self.log.drop(f"member/{number}", self.now)

    def watch(self, since: int, patience: float = FOR_EVER, session: Session = A) -> Changes | None:
        answers = self.log.watch(session, Watch(since, patience), self.now)
        return self.only(answers, session)

    def wait(self, seconds: float, session: Session = A) -> Changes | None:
        """Let time pass; what ``session`` is told at the first instant at which anybody is told."""
        until = self.now + seconds
        while (at := self.log.wakes_at()) is not None and at <= until:
            self.now = max(at, self.now)
            answers = self.log.answers(self.now)
            if answers:
                return self.only(answers, session)
        self.now = until
        return None

    @staticmethod
    def only(answers: list[tuple[Session, Changes]], session: Session) -> Changes | None:
        told = [changes for to, changes in answers if to is session]
        assert len(told) <= 1
        return told[0] if told else None


def some(changes: Changes | None) -> Changes:
    assert changes is not None
    return changes
