"""An actor's log of changes in random histories: who follows it knows what is there, and nothing is left behind."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.actors import watched
from holdfast.actors.door import Session
from holdfast.transport.messages import Changes, Watch
from holdfast.transport.records import Record, key
from people import somebody
from watched_bench import FOR_EVER, Followed, records


class Follower:
    """Applies what it is told, and asks for the rest."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.since = 0
        self.known: dict[str, Record] = {}
        self.coming: dict[str, Record] | None = None
        self.waits = False

    def apply(self, changes: Changes) -> None:
        assert self.waits, "answered without being asked"
        self.waits = False
        assert changes.fresh or changes.number >= self.since
        if changes.fresh:
            self.coming = {}
        target = self.known if self.coming is None else self.coming
        told = [key(record) for record in records(changes)]
        assert len({*told, *changes.gone}) == len(told) + len(changes.gone)
        target.update(zip(told, records(changes), strict=True))
        for name in changes.gone:
            target.pop(name, None)
        self.since = changes.number
        if not changes.more and self.coming is not None:
            self.known, self.coming = self.coming, None


class Histories(RuleBasedStateMachine):
    """Keys come, change and go; watchers come, ask, are slow and go; pages and memory are small."""

    @initialize(page=st.integers(1, 3), remembered=st.integers(0, 3))
    def build(self, page: int, remembered: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(watched, "PAGE", page)
        self.patch.setattr(watched, "REMEMBERED", remembered)
        self.actor = Followed()
        self.version = 0
        self.followers: dict[int, Follower] = {}

    def teardown(self) -> None:
        if not hasattr(self, "patch"):
            return
        self.everybody_catches_up()
        self.patch.undo()

    def deliver(self, answers: list[tuple[Session, Changes]]) -> None:
        for session, changes in answers:
            [follower] = [one for one in self.followers.values() if one.session is session]
            follower.apply(changes)

    @rule(number=st.integers(0, 7))
    def changes(self, number: int) -> None:
        self.version += 1
        self.actor.put(number, self.version)

    @rule(number=st.integers(0, 7))
    def goes(self, number: int) -> None:
        self.actor.take(number)

    @rule(number=st.integers(0, 7))
    def is_gone_after_all(self, number: int) -> None:
        if f"member/{number}" in self.actor.there:
            self.actor.log.touch(f"member/{number}", self.actor.now)
            del self.actor.there[f"member/{number}"]

    @rule()
    def all_go(self) -> None:
        self.actor.there.clear()
        self.actor.log.clear(self.actor.now)

    @rule(name=st.integers(0, 2), patience=st.sampled_from([0.0, 0.01, 1.0, FOR_EVER]))
    def asks(self, name: int, patience: float) -> None:
        follower = self.followers.setdefault(name, Follower(somebody(name)))
        follower.waits = True
        self.deliver(self.actor.log.watch(follower.session, Watch(follower.since, patience), self.actor.now))
        assert patience or not follower.waits

    @rule(name=st.integers(0, 2))
    def breaks_off(self, name: int) -> None:
        """It comes again by another connection, and knows what it knew."""
        follower = self.followers.get(name)
        if follower is not None:
            self.actor.log.left(follower.session)
            follower.session = somebody(name)
            follower.waits = False

    @rule(name=st.integers(0, 2))
    def forgets(self, name: int) -> None:
        follower = self.followers.pop(name, None)
        if follower is not None:
            self.actor.log.left(follower.session)

    @rule(seconds=st.floats(0, 0.1))
    def time_passes(self, seconds: float) -> None:
        self.actor.now += seconds
        self.deliver(self.actor.log.answers(self.actor.now))

    @rule()
    def everybody_catches_up(self) -> None:
        for name, follower in self.followers.items():
            self.asks(name, 0.0)
            for _ in range(100):
                if follower.since == self.actor.log.number and not self.actor.log._pending:
                    break
                self.asks(name, 0.0)
            assert follower.known == self.actor.there
        log = self.actor.log
        assert len(log._gone) <= watched.REMEMBERED
        assert set(log._gone) <= set(log._log)
        assert [number for number, _ in log._log.values()] == sorted(number for number, _ in log._log.values())


TestHistories = Histories.TestCase
