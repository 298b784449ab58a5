"""A locker in random histories: whoever asked is answered, and nothing is left behind."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.actors.door import Session
from holdfast.actors.locker import State
from holdfast.actors.process import PARENT, Effect
from holdfast.actors.told import public_name
from holdfast.transport.messages import (
    FOREVER,
    Changes,
    Concluded,
    Expect,
    Fault,
    Gone,
    Granted,
    Leave,
    Queued,
    Refused,
    Released,
    Retiring,
    Standing,
    Stay,
    Watch,
)
from holdfast.transport.picture import Picture
from locker_bench import EPOCH, PLACE, Bench
from people import session_id, somebody

# --- everything at once -----------------------------------------------------------------------------------------------


class LockerMachine(RuleBasedStateMachine):
    """Sessions come, ask, release, die; time passes; the parent stays or sends away. One unit, so one holder."""

    @initialize(idle=st.sampled_from([0.0, 1.0, FOREVER]))
    def build(self, idle: float) -> None:
        self.bench = Bench(idle=idle, assigned=False)
        self.epoch = EPOCH
        self.sessions: dict[int, Session] = {}
        self.asking: set[Session] = set()  # owe it an answer that ends the request
        self.holding: set[Session] = set()
        self.tokens: list[int] = []
        self.parent_owes = False
        self.watcher, self.picture = somebody(99), Picture()
        self.assign(idle)

    def assign(self, idle: float) -> None:
        self.epoch += 100
        self.bench.assign(idle=idle, epoch=self.epoch)

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert isinstance(effect, tuple), effect
            to, message = effect
            if to is PARENT:
                assert message == Retiring(self.epoch, message.token)  # type: ignore[union-attr]
                assert not self.holding
                self.parent_owes = True
                continue
            if to is self.watcher:
                assert isinstance(message, Changes)
                self.picture.apply(message, self.bench.now)
                continue
            assert isinstance(to, Session)
            assert to in self.sessions.values()
            match message:
                case Granted():
                    self.asking.remove(to)
                    assert not self.holding
                    assert not self.tokens or message.token > self.tokens[-1]
                    self.tokens.append(message.token)
                    self.holding.add(to)
                case Refused() | Gone():
                    self.asking.discard(to)
                case Released():
                    self.asking.discard(to)
                    self.holding.discard(to)
                case Queued():
                    assert to in self.asking
                case Fault():
                    assert to not in self.asking | self.holding

    @rule(name=st.integers(1, 4), timeout=st.sampled_from([0.0, 0.5, 3.0, FOREVER]))
    def asks(self, name: int, timeout: float) -> None:
        session = self.sessions.setdefault(name, somebody(name))
        if session in self.asking | self.holding:
            return
        self.asking.add(session)
        self.take(self.bench.ask(session, timeout=timeout, epoch=self.epoch))

    @rule(name=st.integers(1, 4))
    def releases(self, name: int) -> None:
        if name in self.sessions:
            self.take(self.bench.release(self.sessions[name], epoch=self.epoch))

    @rule(name=st.integers(1, 4), rolled_back=st.booleans())
    def concludes(self, name: int, rolled_back: bool) -> None:
        session = self.sessions.get(name)
        if session in self.holding:
            told = self.bench.conclude(session, rolled_back=rolled_back, epoch=self.epoch)
            assert told == [(session, Concluded())]

    @rule(name=st.integers(1, 4))
    def dies(self, name: int) -> None:
        session = self.sessions.pop(name, None)
        if session is not None:
            self.asking.discard(session)
            self.holding.discard(session)
            self.take(self.bench.left(session))

    @rule(name=st.integers(1, 4), timeout=st.sampled_from([0.5, 3.0, FOREVER]))
    @precondition(lambda self: self.bench.locker._state is State.SERVING)
    def keeps_a_place(self, name: int, timeout: float) -> None:
        if name not in self.sessions and session_id(name) not in self.bench.locker._places:
            self.take(self.bench.place(name, timeout=timeout, epoch=self.epoch))

    @rule(name=st.integers(1, 4))
    def is_expected(self, name: int) -> None:
        assert self.bench.told(Expect(session_id(name), 100 + name)) == []

    def watch(self, patience: float) -> None:
        ask = Watch(self.picture.number, patience)
        self.take(self.bench.locker.handle(self.watcher, ask, self.bench.now))

    @rule()
    def somebody_watches(self) -> None:
        self.watch(FOREVER)

    @rule()
    def somebody_looks(self) -> None:
        """What is told is what there is, and everything is counted once."""
        for _ in range(3):
            self.watch(0.0)
        locker, scene = self.bench.locker, self.picture.scene()
        if locker._line is None:
            assert (scene.resources, scene.parked) == ((), ())
            return
        [resource] = scene.resources
        assert (resource.resource.number, resource.resource.epoch) == (PLACE, self.epoch)
        holders, waiters = [view.claim for view in resource.holders], [view.claim for view in resource.waiters]
        assert [claim.session for claim in holders] == [public_name(owner) for owner in locker._line.holds]
        assert [claim.session for claim in waiters] == [public_name(one.owner) for one in locker._line.waiters]
        here = {public_name(session.who.session) for session in locker._sessions.values()}
        for claim in holders + waiters:
            assert (claim.pid > 0) == (claim.session in here)
            assert claim.number == 0 or public_name(session_id(claim.number - 100)) == claim.session
            assert claim.blockers == tuple(one.session for one in holders if claim.standing is Standing.WAITS)
        for tally in resource.tallies:
            ended = tally.refused + tally.timed_out + tally.withdrawn
            assert tally.requests == tally.grants + ended + len(waiters)
            parted = tally.released + tally.failed + tally.vanished + tally.lost
            assert tally.grants == parted + len(holders)

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.somebody_looks()

    @rule(seconds=st.floats(0, 4))
    def time_passes(self, seconds: float) -> None:
        self.take(self.bench.wait(seconds))

    @rule(stay=st.booleans(), idle=st.sampled_from([0.0, 1.0, FOREVER]))
    @precondition(lambda self: self.parent_owes)
    def the_parent_answers(self, stay: bool, idle: float) -> None:
        self.parent_owes = False
        self.take(self.bench.told(Stay(self.epoch) if stay else Leave(self.epoch)))
        if not stay:
            assert not self.asking
            self.assign(idle)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Who waits is in line or kept; who is in the line is here, or has a place."""
        locker = self.bench.locker
        if locker._line is None:
            return
        kept = {session.who.session for session, _ in locker._kept}
        in_line = set(locker._line.holds) | {waiter.owner for waiter in locker._line.waiters}
        here = {session.who.session for session in self.sessions.values()}
        assert {session.who.session for session in self.asking} <= in_line | kept
        assert in_line <= here | set(locker._places)
        assert set(locker._limits._given) == set(locker._limits._alarms._at)
        assert set(locker._limits._given) <= in_line
        assert set(locker._outcomes) <= set(locker._line.holds)
        assert set(locker._graces._at) == set(locker._places)

    @invariant()
    def somebody_holds_if_somebody_waits(self) -> None:
        line = self.bench.locker._line
        assert line is None or line.holds or not line.waiters


TestLocker = LockerMachine.TestCase
