"""An actor's own log of changes, and those who watch it.

The rule: being watched costs an actor next to nothing while it works. A change only notes its key; the record is made
when somebody is told, as it is by then, and nobody is told more often than once a *beacon*, which grows with how much
there was to tell. What came and went in between leaves nothing behind.

Numbers are given when somebody begins to be told: each key that changed takes the next one and moves to the end of the
log, so the log is always in the order of its numbers. What a watcher is told in several parts is fixed when the first
part is made; whatever changes meanwhile comes with the next numbers. So there is an end to it, however fast things
change, and what was gone through is whole.

Of keys that are gone the log keeps so many. Who asks for changes from before the oldest of these begins afresh.

Pure: time comes in as an argument. Source: docs/protocol.md, "Watching".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from ..transport.messages import Changes, Watch
from ..transport.records import Record, by_kind
from .door import Session

if TYPE_CHECKING:
    from .process import Effect

LIFE = 10.0  # seconds until a watcher is told, if need be nothing
PAGE = 64  # records, and keys that are gone, in one answer
PAGE_SIZE = 60_000  # bytes of one answer, of the 65,536 that a frame may have
OVERHEAD = 300  # bytes of a record besides its text and its histograms
REMEMBERED = 1024  # keys that are gone


@dataclass(slots=True)
class _Part:
    """What goes into one answer."""

    records: list[Record] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """There is no room for another one."""
        return len(self.records) == PAGE or len(self.gone) == PAGE


@dataclass(eq=False, slots=True)
class _Watcher:
    """Somebody who watches."""

    since: int = 0  # it knows everything up to this change
    asked: bool = False  # it waits for an answer ...
    asked_at: float = 0.0  # ... since then
    ends_at: float = 0.0  # ... at the latest until then
    rests_until: float = -inf  # not before, if there is a choice
    rest: list[tuple[str, int, float]] = field(default_factory=list)  # what it is to be told yet; the next one last
    upto: int = 0  # the number that it knows everything up to, once that is told
    told: int = 0  # how much it was told since it rested


class Watched:
    """What changed, in numbers, and who wants to know.

    Args:
        record: makes the record of a key as it is now; None: it is gone after all.
        beacon: seconds between two answers to one watcher, at least.
    """

    def __init__(self, record: Callable[[str, float], Record | None], beacon: float) -> None:
        self.number = 1  # of the last change; the first one is that there is anything at all
        self._record = record
        self._beacon = beacon
        self._floor = 1  # we can tell what changed after this one, or a later one
        self._log: dict[str, tuple[int, float]] = {}  # key -> number and instant of its change; by number
        self._gone: OrderedDict[str, None] = OrderedDict()  # those of the log that are gone, by number
        self._pending: dict[str, float] = {}  # what changed and has no number for it yet -> since when
        self._dropped: set[str] = set()  # those of ``_pending`` that are gone
        self._watchers: dict[Session, _Watcher] = {}

    # --- what changes -----------------------------------------------------------------------------------------------

    def touch(self, key: str, now: float) -> None:
        """``key`` is new, or what it stands for has changed."""
        if key not in self._pending:
            self._pending[key] = now
        elif self._dropped:
            self._dropped.discard(key)

    def drop(self, key: str, now: float) -> None:
        """``key`` is gone. Nothing happens if nobody can have been told of it."""
        if key not in self._log:
            self._pending.pop(key, None)
        elif key not in self._gone or key in self._pending:
            self._pending.setdefault(key, now)
            self._dropped.add(key)

    def clear(self, now: float) -> None:
        """Everything is gone."""
        for key in [*self._pending, *self._log]:
            self.drop(key, now)

    # --- who watches ------------------------------------------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Does anybody watch?"""
        return bool(self._watchers)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def watch(self, session: Session, message: Watch, now: float) -> list[Effect]:
        """``session`` wants to know what changed; replaces what it asked before."""
        watcher = self._watchers.setdefault(session, _Watcher())
        if message.since != watcher.since:
            watcher.since = message.since
            watcher.rest.clear()
        watcher.asked, watcher.asked_at = True, now
        watcher.ends_at = now + (min(message.patience, LIFE) if message.patience >= 0 else LIFE)
        return self._answer_if_due(session, watcher, now)

    def left(self, session: Session) -> None:
        """``session`` watches no more, if it did."""
        self._watchers.pop(session, None)

    def answers(self, now: float) -> list[Effect]:
        """To all watchers whose time has come."""
        effects: list[Effect] = []
        for session, watcher in self._watchers.items():
            if watcher.asked:
                effects += self._answer_if_due(session, watcher, now)
        return effects

    def last_words(self, now: float) -> list[Effect]:
        """To all watchers, even if they do not ask: whatever they were not told yet. For an actor that ends."""
        effects: list[Effect] = []
        for session, watcher in self._watchers.items():
            while watcher.rest or self._pending or watcher.since != self.number:
                effects.append((session, self._answer(watcher, now)))
        return effects

    def wakes_at(self) -> float | None:
        """When ``answers`` may have something to say."""
        soonest = None
        for watcher in self._watchers.values():  # asked in each turn, mostly about one or nobody
            if watcher.asked:
                at = self._due_at(watcher)
                if soonest is None or at < soonest:
                    soonest = at
        return soonest

    # --- how --------------------------------------------------------------------------------------------------------

    def _due_at(self, watcher: _Watcher) -> float:
        if watcher.rest:
            return -inf
        if self._pending or watcher.since != self.number:
            return min(watcher.rests_until, watcher.ends_at)
        return watcher.ends_at

    def _answer_if_due(self, session: Session, watcher: _Watcher, now: float) -> list[Effect]:
        return [(session, self._answer(watcher, now))] if self._due_at(watcher) <= now else []

    def _answer(self, watcher: _Watcher, now: float) -> Changes:
        fresh = False
        if not watcher.rest:
            self._give_numbers()
            fresh = not self._floor <= watcher.since <= self.number
            watcher.rest = self._all() if fresh else self._after(watcher.since)
            watcher.upto = self.number
        changes = self._next_part(watcher, now, fresh)
        watcher.asked = False
        watcher.since = changes.number
        if not changes.more:
            watcher.rests_until = now + self._beacon * max(1.0, watcher.told / PAGE)
            watcher.told = 0
        return changes

    def _give_numbers(self) -> None:
        for key, at in self._pending.items():
            self.number += 1
            self._log.pop(key, None)
            self._log[key] = (self.number, at)
            self._gone.pop(key, None)
            if key in self._dropped:
                self._gone[key] = None
        self._pending.clear()
        self._dropped.clear()
        while len(self._gone) > REMEMBERED:
            oldest, _ = self._gone.popitem(last=False)
            self._floor, _ = self._log.pop(oldest)

    def _all(self) -> list[tuple[str, int, float]]:
        return [(key, number, at) for key, (number, at) in reversed(self._log.items()) if key not in self._gone]

    def _after(self, since: int) -> list[tuple[str, int, float]]:
        found = []
        for key, (number, at) in reversed(self._log.items()):
            if number <= since:
                break
            found.append((key, number, at))
        return found

    def _next_part(self, watcher: _Watcher, now: float, fresh: bool) -> Changes:
        part = _Part()
        rest = watcher.rest
        number, oldest = watcher.since, now
        while rest and not part.full:
            key, changed, at = rest[-1]
            if not self._fill(part, key, now):
                break
            rest.pop()
            number, oldest = changed, min(oldest, at)
        watcher.told += len(part.records) + len(part.gone)
        return Changes(
            number if rest else watcher.upto,
            fresh,
            bool(rest),
            0.0 if fresh else now - oldest,
            *by_kind(part.records),
            tuple(part.gone),
            now - watcher.asked_at,
        )

    def _fill(self, part: _Part, key: str, now: float) -> bool:
        """Put what ``key`` is by now into ``part``; False if there is no room for it."""
        record = None
        if self._lives(key):
            record = self._record(key, now)
            if record is None:
                self.drop(key, now)
        size = text_size(key) if record is None else record_size(record)
        if part.size and part.size + size > PAGE_SIZE:
            return False
        part.size += size
        if record is None:
            part.gone.append(key)
        else:
            part.records.append(record)
        return True

    def _lives(self, key: str) -> bool:
        """Is it there, and in the log? If not, it is told to be gone: what is only pending has its turn to come."""
        return key in self._log and key not in (self._dropped if key in self._pending else self._gone)


def record_size(record: Record) -> int:
    """How many bytes ``record`` takes in a frame, at most."""
    size = OVERHEAD
    for name in record.__match_args__:
        value = getattr(record, name)
        if isinstance(value, str):
            size += text_size(value)
        elif isinstance(value, tuple):
            size += sum(text_size(one) if isinstance(one, str) else 9 for one in value)
    return size


def text_size(text: str) -> int:
    """How many bytes ``text`` takes in a frame, at most."""
    return 5 + (len(text) if text.isascii() else 4 * len(text))
