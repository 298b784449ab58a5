"""Where a daemon would be: real mailboxes, with actors behind them that do what the test says."""

from __future__ import annotations

import os
from contextlib import closing
from mailbox import Actor

from holdfast.actors.door import Session
from holdfast.actors.process import Effect
from holdfast.actors.watched import Watched
from holdfast.transport.follow import Follower
from holdfast.transport.messages import Located, Observe, Watch
from holdfast.transport.records import Record, key
from holdfast.transport.settings import Settings, load
from holdfast.transport.wire import Message
from scenes import INCUBATOR, holder, resource


class Desk(Actor):
    """An incubator that only says where the registry is: the first answer once each, the last one always."""

    def __init__(self, path: str, *answers: Message | None) -> None:
        self.answers = list(answers)
        self.asked = 0
        super().__init__(path)

    def answer(self, session: Session, message: Message, now: float) -> list[Effect]:
        assert message == Observe()
        self.asked += 1
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [] if said is None else [(session, said)]


class Teller(Actor):
    """A registry that tells what the test puts there."""

    def __init__(self, path: str, *records: Record) -> None:
        self.records = {key(record): record for record in records}
        self.watched = Watched(lambda name, now: self.records.get(name), 0.001)
        for name in self.records:
            self.watched.touch(name, 0.0)
        self.coming: list[Record] = []
        self.going: list[Record] = []
        self.mute = False
        self.looks_at = 0.0
        super().__init__(path)

    def answer(self, session: Session, message: Message, now: float) -> list[Effect]:
        assert isinstance(message, Watch)
        return [] if self.mute else [*self.watched.watch(session, message, now)]

    def left(self, session: Session, now: float) -> list[Effect]:
        self.watched.left(session)
        return []

    def wakes_at(self) -> float | None:
        return self.looks_at

    def tick(self, now: float) -> list[Effect]:
        self.looks_at = now + 0.002  # to see what the test puts there
        while self.coming:
            record = self.coming.pop()
            self.records[key(record)] = record
            self.watched.touch(key(record), now)
        while self.going:
            record = self.going.pop()
            del self.records[key(record)]
            self.watched.drop(key(record), now)
        return [*self.watched.answers(now)]


BUSY = (INCUBATOR, resource("printer"), holder("a"))


class Place:
    """Where a daemon would be."""

    def __init__(self, home: str) -> None:
        self.socket = f"{home}/s"
        os.mkdir(f"{home}/s.d", 0o700)
        self.settings: Settings = load("holdfast", {"socket": self.socket}, {}, None).settings
        self.actors: list[Actor] = []

    def desk(self, *answers: Message | None) -> Desk:
        desk = Desk(self.socket, *(answers or (Located("r1", 0),)))
        self.actors.append(desk)
        return desk

    def teller(self, *records: Record, name: str = "r1") -> Teller:
        teller = Teller(f"{self.socket}.d/{name}", *records)
        self.actors.append(teller)
        return teller

    def follow(self) -> closing[Follower]:
        return closing(Follower(self.settings, {}))
