"""One picture of the whole daemon, assembled from what its actors tell.

It watches the incubator and every locker, and tells all that they tell to whoever watches it. It holds no truth: when
it dies, another one is started and asks everybody.

* What an actor tells in several parts is taken in when the last part is there, so that nobody is shown half of it.
* A new registry answers nobody before it has heard of everybody, or ``SETTLE`` has passed (an actor that is stopped
  cannot answer): who watched the last one goes on showing the old picture until the new one is whole.
* What a locker told vanishes when the incubator says that it is gone and everything it still said has been read; its
  counters are added to those of all that have ended. A connection that ends is no death: it is opened again.

Ages are kept with the instant at which they came, and told as they are by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from ..transport.frozen import altered
from ..transport.messages import FOREVER, Changes, End, Ended, Quiesce, Report, Reported, Serving, Watch, Welcome
from ..transport.picture import Picture, Questions, Scene, total
from ..transport.records import Claim, Member, Record, Resource, Tally, by_kind, key
from ..transport.wire import Message
from .door import Session
from .feeds import Connect, Disconnect, ToFeed
from .process import PARENT, UNEXPECTED, Effect, Finish
from .watched import Watched

BEACON = 0.01  # seconds between two answers to one watcher, at least
SETTLE = 1.0  # seconds for everybody to tell a new registry everything
PATIENCE = 10.0  # seconds that an actor may wait for something to tell us
INCUBATOR = 0  # its number as a feed, and in records
LOCKER = "locker"  # the role of those who also tell
TEXTS = 4096  # texts that are remembered, so that who has the same one shares it


class Kept(NamedTuple):
    """What an actor told."""

    name: str  # its key
    record: Record
    at: float  # when it came


@dataclass(eq=False, slots=True)
class _Source:
    """An actor that tells."""

    since: int = 0  # the number of the last change it told
    questions: Questions = field(default_factory=lambda: Questions(PATIENCE))
    parts: list[Changes] = field(default_factory=list)  # told, and not all of it yet
    kept: dict[str, Kept] = field(default_factory=dict)
    whole: bool = False  # it has told everything once
    ending: bool = False


class Registry:
    """The specific part of the registry's process.

    Args:
        incubator: path of the incubator's mailbox.
        path: completes the address of a locker.
        write: writes the picture to a file and returns its path; "" if it cannot.
        now: monotonic seconds.
    """

    def __init__(
        self, incubator: str, path: Callable[[str], str], write: Callable[[Scene, float], str], now: float
    ) -> None:
        self._incubator = incubator
        self._path = path
        self._write = write
        self._sources: dict[int, _Source] = {}
        self._ended: dict[str, Tally] = {}  # key -> all that happened at lockers that are gone
        self._texts: dict[str, str] = {}  # each by itself
        self._watched = Watched(self._record, BEACON)
        self._early: dict[Session, Watch] = {}  # watchers who came before we had heard of everybody
        self._settles_at: float | None = now + SETTLE

    def open(self) -> list[Effect]:
        """The registry begins: the incubator is asked first."""
        self._sources[INCUBATOR] = _Source()
        return [Connect(INCUBATOR, self._incubator)]

    # --- who watches ------------------------------------------------------------------------------------------------

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """Serve one message of a watcher."""
        if not isinstance(message, Watch):
            return [(session, UNEXPECTED)]
        if self._settles_at is not None:
            self._early[session] = message
            return []
        return [*self._watched.watch(session, message, now)]

    def left(self, session: Session, now: float) -> list[Effect]:
        """A watcher is gone."""
        self._early.pop(session, None)
        self._watched.left(session)
        return []

    def wakes_at(self) -> float | None:
        """When a watcher is to be told something, or those who came early."""
        return self._settles_at if self._settles_at is not None else self._watched.wakes_at()

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        if self._settles_at is not None:
            return self._settle(now) if self._settles_at <= now else []
        return [*self._watched.answers(now)]

    def _settle(self, now: float) -> list[Effect]:
        """Whoever was early is told now."""
        self._settles_at = None
        early, self._early = self._early, {}
        return [answer for session, watch in early.items() for answer in self._watched.watch(session, watch, now)]

    # --- what the parent says ---------------------------------------------------------------------------------------

    def told(self, message: Message, now: float) -> list[Effect]:
        """The incubator says who serves where, or wants something of us."""
        match message:
            case Serving(number, ""):
                if number not in self._sources:
                    return []
                self._sources[number].ending = True
                return [Disconnect(number)]
            case Serving(number, address):
                if number in self._sources:
                    return []
                self._sources[number] = _Source()
                return [Connect(number, self._path(address))]
            case Report():
                return [(PARENT, Reported(json.dumps(self._facts(now))))]
            case End():
                return [(PARENT, Ended("told to end")), Finish("told to end")]
            case Quiesce():
                return []
            case _:
                raise ValueError(f"the incubator said {message}")

    def _facts(self, now: float) -> dict[str, object]:
        return {
            "feeds": len(self._sources),
            "claims": sum(isinstance(kept.record, Claim) for kept in self._all_kept()),
            "watchers": self._watched.watchers + len(self._early),
            "picture": self._write(self._scene(now), now),
        }

    def _scene(self, now: float) -> Scene:
        """Everything as whoever begins to watch now would see it."""
        records = [*self._ended.values(), *(_aged(kept.record, now - kept.at) for kept in self._all_kept())]
        picture = Picture()
        picture.apply(
            Changes(
                self._watched.number,
                True,
                False,
                0.0,
                *by_kind(records),
                (),
                0.0,
            ),
            now,
        )
        return picture.scene()

    def _all_kept(self) -> chain[Kept]:
        return chain.from_iterable(source.kept.values() for source in self._sources.values())

    def orphaned(self, now: float) -> list[Effect]:
        """The incubator is gone, and all that there was to see with it."""
        return [Finish("the incubator is gone")]

    def failed(self) -> list[Effect]:
        """Our bug: another registry will do better, or not; so no ``Ended``, which would mean that we wanted to end."""
        return []

    # --- what the others tell ---------------------------------------------------------------------------------------

    def heard(self, number: int, message: Message | None, now: float) -> list[Effect]:
        """An actor let us in, told what changed, or ended the connection.

        Raises:
            ValueError: it said something else; then this is a mixture of versions, or a bug.
        """
        source = self._sources.get(number)
        if source is None:  # it ended, and we were told so, while ``Disconnect`` was on its way
            return []
        match message:
            case Welcome():
                source.parts.clear()
                return [ToFeed(number, source.questions.ask(source.since, now))]
            case Changes():
                self._take(number, source, message, now)
                return [ToFeed(number, source.questions.after(message, now)), *self._settle_if_whole(now)]
            case None:
                if source.ending:
                    self._bury(number, now)
                return self._settle_if_whole(now)
            case _:
                raise ValueError(f"actor {number} said {message}")

    def _settle_if_whole(self, now: float) -> list[Effect]:
        if self._settles_at is None or not self._sources[INCUBATOR].whole:
            return []
        members = (kept.record for kept in self._sources[INCUBATOR].kept.values() if isinstance(kept.record, Member))
        expected = {member.number for member in members if member.role == LOCKER} | self._sources.keys()
        heard_of = all(number in self._sources and self._sources[number].whole for number in expected)
        return self._settle(now) if heard_of else []

    def _take(self, number: int, source: _Source, changes: Changes, now: float) -> None:
        if changes.fresh:
            source.parts.clear()
        source.parts.append(changes)
        if changes.more:
            return
        parts, source.parts = source.parts, []
        began = now - max(part.age for part in parts)
        before: dict[str, Kept] = {}
        if parts[0].fresh:
            before, source.kept = source.kept, {}
        for part in parts:
            records: list[Record] = [*part.claims, *part.resources, *part.tallies, *part.members]
            for record in records:
                name = key(record)
                if (known := source.kept.get(name)) is not None:
                    name = known.name  # the same text again, and so no second copy of it
                source.kept[name] = Kept(name, self._shared(record), now)
                self._watched.touch(name, began)
            for name in part.gone:
                source.kept.pop(name, None)
                self._watched.drop(name, now)
        for name in before.keys() - source.kept.keys():
            self._watched.drop(name, now)
        source.since = changes.number
        source.whole = True

    def _bury(self, number: int, now: float) -> None:
        """What a dead actor told is no more, but what happened has happened."""
        for name, record, _ in self._sources.pop(number).kept.values():
            self._watched.drop(name, now)
            if isinstance(record, Tally):
                mine = altered(record, actor=INCUBATOR, place=0)
                ours = key(mine)
                self._ended[ours] = total([self._ended[ours], mine]) if ours in self._ended else mine
                self._watched.touch(ours, now)

    # --- records ----------------------------------------------------------------------------------------------------

    def _record(self, name: str, now: float) -> Record | None:
        """What is known by ``name``, as it is now."""
        if name in self._ended:
            return self._ended[name]
        teller = name.split("/", 2)[1] if not name.startswith("member/") else INCUBATOR
        source = self._sources.get(int(teller))
        kept = source.kept.get(name) if source is not None else None
        return None if kept is None else _aged(kept.record, now - kept.at)

    def _shared(self, record: Record) -> Record:
        """The same record; a text that others have too is kept once."""
        if not isinstance(record, Claim):
            return record
        if len(self._texts) > TEXTS:
            self._texts.clear()
        share = self._texts.setdefault
        return altered(
            record,
            resource=share(record.resource, record.resource),
            blockers=tuple(share(name, name) for name in record.blockers),
            inside=tuple(share(name, name) for name in record.inside),
            peer=share(record.peer, record.peer),
            host=share(record.host, record.host),
            user=share(record.user, record.user),
            command=share(record.command, record.command),
            job=share(record.job, record.job),
            reason=share(record.reason, record.reason),
        )


def _aged(record: Record, elapsed: float) -> Record:
    """``record`` as it is ``elapsed`` seconds after it was told."""
    match record:
        case Claim(left=left):
            left = FOREVER if left < 0 else max(0.0, left - elapsed)
            return altered(record, age=record.age + elapsed, left=left)
        case Resource() | Member():
            return altered(record, age=record.age + elapsed)
        case Tally():
            return record
