"""The registry in random histories: whatever happened, every watcher sees in the end what is there."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.transport.records import Claim, key
from registry_bench import Daemon, keys
from scenes import holder, resource

TALK = 5.0  # seconds that the actors are given to say what they have to say


class Histories(RuleBasedStateMachine):
    """Whatever happens in whatever order: once it is quiet, every watcher sees exactly what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.daemon = Daemon()
        self.numbers = iter(range(1, 1000))
        self.grants = 0

    @rule()
    def a_locker_starts(self) -> None:
        number = next(self.numbers)
        self.daemon.start(number, resource(f"r{number}", number))

    @precondition(lambda self: len(self.daemon.sources) > 1)
    @rule(data=st.data())
    def a_locker_dies(self, data: st.DataObject) -> None:
        self.daemon.end(data.draw(st.sampled_from(sorted(self.daemon.sources.keys() - {0}))))

    @precondition(lambda self: len(self.daemon.sources) > 1)
    @rule(data=st.data(), session=st.integers(0, 9), count=st.integers(1, 100))
    def somebody_comes_or_changes(self, data: st.DataObject, session: int, count: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.daemon.sources.keys() - {0})))
        for one in range(session, session + count):
            self.grants += 1
            claim = holder(f"s{one}", f"r{number}", number, token=self.grants)
            self.daemon.sources[number].put(self.daemon.now, claim)

    @rule(data=st.data())
    def somebody_goes(self, data: st.DataObject) -> None:
        there = [
            (source, record)
            for source in self.daemon.sources.values()
            for record, _ in source.records.values()
            if isinstance(record, Claim)
        ]
        if there:
            source, record = data.draw(st.sampled_from(there))
            source.take(self.daemon.now, record)

    @precondition(lambda self: len(self.daemon.pictures) < 4)
    @rule()
    def somebody_watches(self) -> None:
        self.daemon.follow()

    @rule()
    def the_registry_dies(self) -> None:
        self.daemon.restart()

    @rule(data=st.data())
    def a_connection_ends_and_is_opened_again(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.daemon.sources)))
        self.daemon.cut(number)
        self.daemon.open(number)

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.05, 0.5]))
    def time_passes(self, seconds: float) -> None:
        self.daemon.sleep(seconds)

    @rule()
    def it_is_quiet(self) -> None:
        self.daemon.sleep(TALK)
        expected = self.daemon.expected()
        for picture in self.daemon.pictures.values():
            assert keys(picture) == expected
            for view in picture.scene().resources:
                for one in view.holders:
                    record, _ = self.daemon.sources[one.claim.actor].records[key(one.claim)]
                    assert isinstance(record, Claim)
                    assert one.claim.token == record.token

    @invariant()
    def nothing_else_is_said(self) -> None:
        assert self.daemon.told == []

    def teardown(self) -> None:
        self.it_is_quiet()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
