"""A registry among actors that tell what the test says: no socket, no process, the test's own clock."""

from __future__ import annotations

from dataclasses import replace

from holdfast.actors.door import Session
from holdfast.actors.feeds import Connect, Disconnect, ToFeed
from holdfast.actors.process import Effect
from holdfast.actors.registry import Registry
from holdfast.actors.watched import LIFE, Watched
from holdfast.transport.messages import Changes, Serving, Watch, Welcome
from holdfast.transport.picture import Picture, Scene
from holdfast.transport.records import Member, Record, Tally, key
from people import somebody
from scenes import INCUBATOR

LOCKER_BEACON = 0.04


class Source:
    """An actor that is watched; it keeps what the test puts there."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[Record, float]] = {}
        self.watched = Watched(self._record, LOCKER_BEACON)
        self.session = somebody(1)
        self.open = True

    def _record(self, name: str, now: float) -> Record | None:
        if name not in self.records:
            return None
        record, at = self.records[name]
        return record if isinstance(record, Tally) else replace(record, age=record.age + now - at)

    def put(self, now: float, *records: Record) -> None:
        for record in records:
            self.records[key(record)] = (record, now)
            self.watched.touch(key(record), now)

    def take(self, now: float, *records: Record) -> None:
        for record in records:
            del self.records[key(record)]
            self.watched.drop(key(record), now)


class Daemon:
    """A registry, the actors that it watches, and those who watch it."""

    def __init__(self, *, now: float = 100.0) -> None:
        self.now = now
        self.sources = {0: Source()}
        self.pictures: dict[Session, Picture] = {}
        self.applied: list[Changes] = []
        self.told: list[Effect] = []  # whatever is neither for an actor nor for a watcher
        self.seen: list[Scene] = []  # what the registry wrote
        self.restart()
        self.sources[0].put(now, INCUBATOR)

    def restart(self) -> None:
        """Another registry; nobody is connected to it yet."""
        for source in self.sources.values():
            source.watched.left(source.session)
            source.session = somebody(1)
        self.pictures.clear()
        self.registry = Registry("/d/daemon.sock", lambda name: f"/d/{name}", self.write, self.now)
        self.carry_out(self.registry.open())
        for number in self.sources.keys() - {0}:
            self.carry_out(self.registry.told(Serving(number, f"locker-{number}"), self.now))

    def write(self, scene: Scene, now: float) -> str:
        self.seen.append(scene)
        return "/d/picture"

    def start(self, number: int, *records: Record) -> Source:
        """A locker is started, and the registry is told of it."""
        source = self.sources[number] = Source()
        source.put(self.now, *records)
        self.sources[0].put(self.now, Member(number, "locker", 1000 + number, 0.0, 0))
        self.carry_out(self.registry.told(Serving(number, f"locker-{number}"), self.now))
        return source

    def end(self, number: int) -> None:
        """A locker dies."""
        self.sources[0].take(self.now, Member(number, "locker", 1000 + number, 0.0, 0))
        self.carry_out(self.registry.told(Serving(number, ""), self.now))

    def cut(self, number: int) -> None:
        """An actor's connection ends; it lives."""
        source = self.sources[number]
        source.watched.left(source.session)
        self.carry_out(self.registry.heard(number, None, self.now))

    def open(self, number: int) -> None:
        """Its connection is opened again."""
        self.sources[number].session = somebody(1)
        self.carry_out(self.registry.heard(number, Welcome(bytes(16), 1, 1), self.now))

    def follow(self) -> Picture:
        """Somebody begins to watch the registry."""
        session = somebody(2)
        self.pictures[session] = Picture()
        self.carry_out(self.registry.handle(session, Watch(0, LIFE), self.now))
        return self.pictures[session]

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Connect(number):
                    if self.sources[number].open:
                        self.carry_out(self.registry.heard(number, Welcome(bytes(16), 1, 1), self.now))
                case Disconnect(number):
                    del self.sources[number]
                    self.carry_out(self.registry.heard(number, None, self.now))
                case ToFeed(number, Watch() as watch):
                    source = self.sources[number]
                    self.deliver(number, source.watched.watch(source.session, watch, self.now))
                case (Session() as session, Changes() as changes):
                    self.applied.append(changes)
                    self.pictures[session].apply(changes, self.now)
                    again = Watch(changes.number, LIFE)
                    self.carry_out(self.registry.handle(session, again, self.now))
                case _:
                    self.told.append(effect)

    def deliver(self, number: int, answers: list[tuple[Session, Changes]]) -> None:
        for _, changes in answers:
            self.carry_out(self.registry.heard(number, changes, self.now))

    def sleep(self, seconds: float) -> None:
        """Let time pass; everybody does what is due, when it is due."""
        until = self.now + seconds
        while True:
            sleepers = [self.registry, *(source.watched for source in self.sources.values() if source.open)]
            wakes = [at for sleeper in sleepers if (at := sleeper.wakes_at()) is not None and at <= until]
            if not wakes:
                self.now = until
                return
            self.now = max(self.now, min(wakes))
            for number, source in list(self.sources.items()):
                if source.open:
                    self.deliver(number, source.watched.answers(self.now))
            if (at := self.registry.wakes_at()) is not None and at <= self.now:
                self.carry_out(self.registry.tick(self.now))

    def expected(self) -> set[str]:
        return {name for source in self.sources.values() for name in source.records}


def keys(picture: Picture | Scene) -> set[str]:
    """The keys of everything that a picture shows, ended resources' counters left out."""
    scene = picture.scene() if isinstance(picture, Picture) else picture
    found: list[Record] = [view.member for view in scene.members]
    found += [view.claim for view in scene.parked]
    for view in scene.resources:
        found += [view.resource, *view.tallies]
        found += [claim.claim for claim in (*view.holders, *view.waiters)]
    return {key(record) for record in found}
