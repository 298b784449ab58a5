"""A locker without a process around it: what it is told, and what it says to whom."""

from __future__ import annotations

from typing import Any

from holdfast.actors.door import Session
from holdfast.actors.locker import Locker
from holdfast.actors.process import Effect
from holdfast.transport.messages import (
    FOREVER,
    Assign,
    Changes,
    Conclude,
    Explain,
    Explained,
    Granted,
    Mode,
    Order,
    Place,
    Release,
    Watch,
)
from holdfast.transport.picture import Picture, Scene
from holdfast.transport.wire import Message
from people import session_id, somebody
from raw import acquire

EPOCH = 1000
NUMBER = 7  # the locker's child number
PLACE = 3  # the resource's number


class Bench:
    """A locker, the notes it writes, and a clock that only we move."""

    def __init__(self, resource: str = "printer", *, idle: float = 2.0, assigned: bool = True) -> None:
        self.notes: list[str] = []
        self.locker = Locker(NUMBER, lambda now: now, self.notes.append)
        self.now = 10.0
        self.resource = resource
        if assigned:
            self.assign(idle=idle)

    def assign(self, *, idle: float = 2.0, epoch: int = EPOCH) -> None:
        assert self.told(Assign(self.resource, epoch, idle, Order.FIFO, PLACE, self.resource)) == []

    def told(self, message: Message) -> list[Effect]:
        return self.locker.told(message, self.now)

    def ask(self, session: Session, **more: Any) -> list[Effect]:
        message = acquire(more.pop("resource", self.resource), more.pop("epoch", EPOCH), **more)
        return self.locker.handle(session, message, self.now)

    def release(self, session: Session, *, epoch: int = EPOCH) -> list[Effect]:
        return self.locker.handle(session, Release(epoch, False), self.now)

    def conclude(self, session: Session, *, rolled_back: bool = False, epoch: int = EPOCH) -> list[Effect]:
        return self.locker.handle(session, Conclude(epoch, rolled_back), self.now)

    def left(self, session: Session) -> list[Effect]:
        return self.locker.left(session, self.now)

    def place(self, name: int, *, timeout: float = FOREVER, quantity: int = 1, epoch: int = EPOCH) -> list[Effect]:
        return self.told(Place(epoch, session_id(name), self.resource, Mode.EX, quantity, timeout))

    def explain(self, session: Session, **more: Any) -> Explained:
        wanted = {"mode": Mode.EX, "quantity": 1, "nest": True, "resource": self.resource, "epoch": EPOCH, **more}
        [(to, answer)] = self.locker.handle(session, Explain(**wanted), self.now)  # type: ignore[misc]
        assert to is session
        assert isinstance(answer, Explained)
        return answer

    def watch(self, session: Session, since: int = 0, patience: float = 0.0) -> list[Changes]:
        """What a watcher is told at once."""
        effects = self.locker.handle(session, Watch(since, patience), self.now)
        return changes_for(session, effects)

    def look(self) -> Scene:
        """The picture, as somebody sees it who has never looked before."""
        picture, watcher, more = Picture(), somebody(999), True
        while more:
            [changes] = self.watch(watcher, picture.number)
            picture.apply(changes, self.now)
            more = changes.more
        assert self.left(watcher) == []
        return picture.scene()

    def orphan(self) -> list[Effect]:
        return self.locker.orphaned(self.now)

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass as the process does: a tick at each instant that the locker names."""
        until, effects = self.now + seconds, list[Effect]()
        while (at := self.locker.wakes_at()) is not None and at <= until:
            self.now = max(at, self.now)
            effects += self.locker.tick(self.now)
        self.now = until
        return effects

    def holder(self, name: int = 1) -> Session:
        session = somebody(name)
        [(_, answer)] = self.ask(session)  # type: ignore[misc]  # a tuple, or the test fails
        assert isinstance(answer, Granted)
        return session


A, B, C = (somebody(name) for name in (11, 12, 13))


def changes_for(session: Session, effects: list[Effect]) -> list[Changes]:
    """What ``session`` is told to have changed."""
    return [
        effect[1]
        for effect in effects
        if isinstance(effect, tuple) and effect[0] is session and isinstance(effect[1], Changes)
    ]


def kinds(effects: list[Effect]) -> list[object]:
    """Effects in short: whom it concerns, and the kind of message."""
    return [(effect[0], type(effect[1])) if isinstance(effect, tuple) else type(effect) for effect in effects]
