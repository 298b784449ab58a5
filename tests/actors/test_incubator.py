"""The incubator without a process: who is told what, which lockers are started and ended, and when the daemon ends."""

from __future__ import annotations

from signal import SIGINT, SIGTERM
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.actors.door import Session
from holdfast.actors.incubator import LATELY, QUIESCE, RESTART_SPAN, RESTARTS, STOP_LIMIT, Incubator, Life
from holdfast.actors.process import UNEXPECTED, Effect, Finish, KillChild, StartChild, Unlisten
from holdfast.transport.messages import (
    FOREVER,
    Assign,
    Echo,
    End,
    Ended,
    Fault,
    Gone,
    Leave,
    Located,
    Order,
    Parked,
    Place,
    Quiesce,
    Ready,
    Refusal,
    Refused,
    Retiring,
    Stay,
    Stop,
    Stopping,
)
from holdfast.transport.wire import Message
from people import session_id, somebody
from raw import locate

PID = 77
UID = 1000
CLOCK = 5_000_000  # unix microseconds, standing still


class Bench:
    """An incubator, and children that do nothing by themselves."""

    def __init__(self, *, lifespan: float = FOREVER, pool: int = 0, term_quiesces: bool = True) -> None:
        self.clock = CLOCK
        self.incubator = Incubator(
            lambda: self.clock, lifespan=lifespan, pool_size=pool, pid=PID, uid=UID, term_quiesces=term_quiesces
        )
        self.now = 100.0
        self.opening = self.incubator.open(self.now)

    def locate(self, session: Session, resource: str = "printer", **more: Any) -> list[Effect]:
        return self.incubator.handle(session, locate(resource, **more), self.now)

    def stop(self, session: Session, *, now: bool = False) -> list[Effect]:
        return self.incubator.handle(session, Stop(now), self.now)

    def left(self, session: Session) -> list[Effect]:
        return self.incubator.left(session, self.now)

    def ready(self, number: int) -> list[Effect]:
        return self.said(number, Ready(f"locker-{number}.sock", 4000 + number, 3999))

    def said(self, number: int, message: Message) -> list[Effect]:
        return self.incubator.child_said(number, message, self.now)

    def died(self, number: int) -> list[Effect]:
        return self.incubator.child_died(number, self.now)

    def wait(self, seconds: float) -> list[Effect]:
        until, effects = self.now + seconds, list[Effect]()
        while (at := self.incubator.wakes_at()) is not None and at <= until:
            self.now = max(at, self.now)
            effects += self.incubator.tick(self.now)
            if self.incubator.wakes_at() == at:
                raise AssertionError(f"woken at {at} and again")
        self.now = until
        return effects

    def serve(self, resource: str = "printer", *, name: int = 90, **more: Any) -> int:
        """Have ``resource`` served; returns the child. Its creator has left again."""
        creator = somebody(name)
        effects = self.locate(creator, resource, **more)
        if creator in self.incubator._requests:
            effects = self.ready(min(self.incubator._starting))
        [number] = [to for to, message in effects if isinstance(message, Assign)]  # type: ignore[misc]
        self.left(creator)
        assert isinstance(number, int)
        return number


A, B, C = (somebody(name) for name in (1, 2, 3))


def refusals(effects: list[Effect]) -> list[tuple[object, Refusal]]:
    """Who was refused, and why."""
    return [
        (effect[0], effect[1].why) for effect in effects if isinstance(effect, tuple) and isinstance(effect[1], Refused)
    ]


# --- finding ----------------------------------------------------------------------------------------------------------


def test_the_daemon_begins_with_its_pool() -> None:
    assert Bench(pool=2).opening == [StartChild(1), StartChild(2)]


def test_a_new_resource_is_assigned_to_a_locker_of_the_pool_and_the_pool_is_filled_again() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    assert bench.locate(A, idle=3.0) == [
        (1, Assign("printer", CLOCK, 3.0, Order.FIFO)),
        (A, Located("locker-1.sock", CLOCK)),
        StartChild(2),
    ]


def test_without_a_pool_a_locker_is_started_and_all_who_came_meanwhile_are_told() -> None:
    bench = Bench()
    assert bench.locate(A) == [StartChild(1)]
    assert bench.locate(B) == []
    assert bench.locate(C, create=False) == []
    located = Located("locker-1.sock", CLOCK)
    assert bench.ready(1)[1:] == [(A, located), (B, located), (C, located)]


def test_a_resource_that_is_served_is_named_to_everybody_in_the_same_epoch() -> None:
    bench = Bench()
    bench.serve()
    for session, create in ((A, True), (B, False)):
        assert bench.locate(session, create=create) == [(session, Located("locker-1.sock", CLOCK))]


def test_all_paths_below_one_root_are_served_by_one_locker() -> None:
    bench = Bench()
    bench.serve("/a/b")
    assert bench.locate(A, "/a/c") == [(A, Located("locker-1.sock", CLOCK))]


def test_epochs_grow_even_if_the_clock_goes_back() -> None:
    bench = Bench()
    bench.serve("a")
    bench.clock = 7
    second = bench.locate(A, "b") + bench.ready(2)
    assert (A, Located("locker-2.sock", CLOCK + 1)) in second


def test_epochs_begin_above_the_last_token_of_a_locker_that_retired() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    bench.said(number, Retiring(CLOCK, CLOCK + 1_000_000))
    bench.locate(A)
    assert (A, Located("locker-2.sock", CLOCK + 1_000_001)) in bench.ready(2)


@pytest.mark.parametrize("resource", ["", "a..b", "num[x]", "/a//b", "_t_[1]"])
def test_a_name_without_meaning_is_refused(resource: str) -> None:
    bench = Bench()
    assert refusals(bench.locate(A, resource)) == [(A, Refusal.INVALID)]
    assert bench.locate(A) == [StartChild(1)]  # and may ask again


def test_a_second_locate_before_the_first_is_answered_is_a_fault() -> None:
    bench = Bench()
    bench.locate(A)
    [(to, fault)] = bench.locate(A, "other")  # type: ignore[misc]
    assert to is A
    assert isinstance(fault, Fault)


def test_what_is_not_for_the_incubator_is_a_fault() -> None:
    assert Bench().incubator.handle(A, Echo(bytes(16)), 1.0) == [(A, UNEXPECTED)]


# --- parking ----------------------------------------------------------------------------------------------------------


def test_who_would_not_create_it_is_parked_until_somebody_does() -> None:
    bench = Bench()
    assert bench.locate(A, create=False) == [(A, Parked())]
    assert bench.locate(B, create=False, timeout=9.0) == [(B, Parked())]
    assert bench.locate(C) == [StartChild(1)]
    bench.wait(1.0)
    ask = locate("printer")
    located = Located("locker-1.sock", CLOCK)
    assert bench.ready(1) == [
        (1, Assign("printer", CLOCK, 2.0, Order.FIFO)),
        *[
            (1, Place(CLOCK, session_id(name), "printer", ask.mode, 1, left))
            for name, left in ((3, FOREVER), (1, FOREVER), (2, 8.0))
        ],
        (C, located),
        (A, located),
        (B, located),
    ]


def test_who_would_neither_create_nor_wait_is_refused() -> None:
    assert refusals(Bench().locate(A, create=False, timeout=0.0)) == [(A, Refusal.NO_SUCH_RESOURCE)]


def test_a_parked_wait_ends_when_it_was_to_end() -> None:
    bench = Bench()
    bench.locate(A, create=False, timeout=2.0)
    assert bench.wait(1.9) == []
    assert refusals(bench.wait(0.2)) == [(A, Refusal.TIMED_OUT)]
    assert bench.wait(99.0) == []


def test_who_left_is_neither_placed_nor_answered() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    bench.locate(B, create=False)
    bench.left(A)
    bench.locate(C)
    effects = bench.ready(1)
    assert not [effect for effect in effects if isinstance(effect, tuple) and effect[0] is A]
    assert not [
        effect
        for effect in effects
        if isinstance(effect, tuple) and isinstance(effect[1], Place) and effect[1].session == session_id(1)
    ]


def test_if_the_creator_leaves_while_its_locker_is_started_nothing_is_created() -> None:
    bench = Bench()
    bench.locate(A)
    assert bench.left(A) == []
    assert bench.ready(1) == []
    assert bench.locate(B, create=False) == [(B, Parked())]


def test_if_the_creator_leaves_those_who_would_not_create_it_are_parked() -> None:
    bench = Bench()
    bench.locate(A)
    bench.locate(B, create=False)
    bench.locate(C, create=False, timeout=0.0)
    effects = bench.left(A)
    assert effects[0] == (B, Parked())
    assert refusals(effects) == [(C, Refusal.NO_SUCH_RESOURCE)]
    assert bench.ready(1) == []


def test_who_was_parked_is_not_told_so_twice() -> None:
    bench = Bench()
    assert bench.locate(B, create=False) == [(B, Parked())]
    bench.locate(A)
    assert bench.left(A) == []


def test_if_one_creator_leaves_another_one_creates_it_as_it_said() -> None:
    bench = Bench()
    bench.locate(A, idle=7.0)
    bench.locate(B, create=False, idle=8.0)
    bench.locate(C, idle=9.0)
    assert bench.left(A) == []
    assert bench.ready(1)[0] == (1, Assign("printer", CLOCK, 9.0, Order.FIFO))


def test_a_creators_wait_ends_though_its_locker_does_not_start() -> None:
    bench = Bench()
    bench.locate(A, timeout=1.0)
    bench.locate(B, create=False)
    effects = bench.wait(1.0)
    assert refusals(effects) == [(A, Refusal.TIMED_OUT)]
    assert effects[1:] == [(B, Parked())]


# --- retirement -------------------------------------------------------------------------------------------------------


def test_a_locker_that_was_named_lately_has_to_stay() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY - 0.01)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Stay(CLOCK))]
    bench.locate(A)
    bench.wait(LATELY - 0.01)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Stay(CLOCK))]


def test_a_name_is_forgotten_before_its_locker_leaves() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.ready(2)
    bench.wait(LATELY)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Leave(CLOCK)), (number, End())]
    assert (A, Located("locker-2.sock", CLOCK + 1)) in bench.locate(A)


def test_a_locker_that_left_goes_into_a_pool_that_is_not_full() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.wait(LATELY)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Leave(CLOCK))]
    assert bench.locate(A)[1] == (A, Located(f"locker-{number}.sock", CLOCK + 1))


def test_a_locker_that_left_serves_at_once_what_waits_for_one() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    assert bench.locate(A, "plotter") == [StartChild(2)]
    assert bench.said(number, Retiring(CLOCK, 0)) == [
        (number, Leave(CLOCK)),
        (number, Assign("plotter", CLOCK + 1, 2.0, Order.FIFO)),
        (A, Located("locker-1.sock", CLOCK + 1)),
    ]


def test_a_locker_that_was_told_to_end_and_does_is_no_loss() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    bench.said(number, Retiring(CLOCK, 0))
    assert bench.said(number, Ended("told to end")) == []
    assert bench.died(number) == []
    assert bench.locate(A) == [StartChild(2)]


# --- deaths -----------------------------------------------------------------------------------------------------------


def test_a_name_whose_locker_died_is_refused_with_a_sentence() -> None:
    bench = Bench()
    number = bench.serve()
    bench.died(number)
    [(_, refused)] = bench.locate(A)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.LOCKER_DIED
    assert "holdfast stop" in refused.sentence
    assert bench.locate(B, "plotter") == [StartChild(2)]


def test_a_daemon_with_a_name_whose_locker_died_does_not_end_for_idleness_but_when_told() -> None:
    """The next daemon would grant what a command may still be at work under."""
    bench = Bench(lifespan=1.0)
    bench.died(bench.serve())
    assert bench.wait(99.0) == []
    assert bench.stop(A) == [(A, Stopping(PID))]
    assert bench.wait(QUIESCE)[-1] == Finish("the daemon ends")


def test_a_spare_locker_that_dies_is_replaced() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    assert bench.died(1) == [StartChild(2)]


def test_a_locker_that_dies_while_it_starts_is_started_again_for_those_who_wait() -> None:
    bench = Bench()
    bench.locate(A)
    assert bench.died(1) == [StartChild(2)]
    assert (A, Located("locker-2.sock", CLOCK)) in bench.ready(2)


def test_lockers_that_keep_dying_are_not_started_for_ever() -> None:
    bench = Bench()
    bench.locate(A)
    bench.locate(B, create=False)
    for number in range(1, RESTARTS):
        assert bench.died(number) == [StartChild(number + 1)]
    effects = bench.died(RESTARTS)
    assert refusals(effects) == [(A, Refusal.EXHAUSTED)]
    assert effects[1:] == [(B, Parked())]
    assert refusals(bench.locate(A)) == [(A, Refusal.EXHAUSTED)]
    bench.wait(RESTART_SPAN)
    assert bench.locate(A) == [StartChild(RESTARTS + 1)]


def test_without_a_fork_server_what_is_served_is_served_on_and_nothing_new() -> None:
    bench = Bench()
    number = bench.serve()
    assert bench.incubator.fork_server_died(bench.now) == [(number, Quiesce())]
    assert bench.locate(A) == [(A, Located("locker-1.sock", CLOCK))]
    assert refusals(bench.locate(B, "plotter")) == [(B, Refusal.EXHAUSTED)]


def test_a_child_that_breaks_the_protocol_is_our_bug() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="locker said"):
        bench.said(bench.serve(), Gone())


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_daemon_without_clients_and_resources_ends_after_its_lifespan() -> None:
    bench = Bench(lifespan=5.0, pool=1)
    bench.ready(1)
    assert bench.wait(4.9) == []
    assert bench.wait(0.2) == [Unlisten(), (1, End())]
    assert bench.died(1) == [Finish("the daemon ends")]


def test_a_lifespan_begins_when_the_last_client_and_the_last_resource_are_gone() -> None:
    bench = Bench(lifespan=5.0)
    number = bench.serve(idle=60.0)
    bench.locate(A)
    bench.left(A)
    assert bench.wait(60.0) == []
    bench.said(number, Retiring(CLOCK, 0))
    bench.died(number)
    bench.locate(B, "nowhere", create=False)
    assert bench.wait(60.0) == []
    bench.left(B)
    assert bench.wait(4.9) == []
    assert bench.wait(0.2)[-1] == Finish("the daemon ends")


def test_a_lifespan_without_end_does_not_end() -> None:
    assert Bench().incubator.wakes_at() is None


def test_told_to_end_when_idle_it_serves_on_until_it_is() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.ready(2)
    assert bench.stop(A) == [(A, Stopping(PID)), (number, Quiesce())]
    assert bench.locate(B) == [(B, Located("locker-1.sock", CLOCK))]
    assert bench.locate(C, "plotter")[:2] == [(2, Assign("plotter", CLOCK + 1, 2.0, Order.FIFO)), (2, Quiesce())]
    bench.left(B)
    bench.left(C)
    assert bench.wait(60.0) == []
    for child, epoch in ((number, CLOCK), (2, CLOCK + 1)):
        assert (child, Leave(epoch)) in bench.said(child, Retiring(epoch, 0))
    assert bench.wait(QUIESCE)[0] == Unlisten()


def test_whoever_is_parked_keeps_a_daemon_that_ends_when_idle() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    bench.stop(B)
    assert bench.wait(60.0) == []
    bench.left(A)
    assert bench.wait(QUIESCE) == [Unlisten(), Finish("the daemon ends")]


def test_told_to_end_now_everybody_is_answered_and_children_end_last_started_first() -> None:
    bench = Bench(pool=1)
    bench.serve()
    bench.ready(2)
    bench.locate(B, "nowhere", create=False)
    effects = bench.stop(A, now=True)
    assert effects[:2] == [(A, Stopping(PID)), Unlisten()]
    assert refusals(effects) == [(B, Refusal.STOPPING)]
    assert effects[3:] == [(2, End()), (1, End())]
    assert bench.died(1) == []
    assert bench.died(2) == [Finish("the daemon ends")]


def test_children_that_do_not_end_are_killed() -> None:
    bench = Bench()
    bench.serve()
    bench.stop(A, now=True)
    assert bench.wait(STOP_LIMIT - 0.1) == []
    assert bench.wait(0.2) == [KillChild(1)]
    assert bench.died(1) == [Finish("the daemon ends")]


def test_while_it_ends_newcomers_are_sent_away_and_children_have_no_say() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.stop(A, now=True)
    assert bench.locate(B) == [(B, Gone())]
    assert bench.said(number, Retiring(CLOCK, 0)) == []
    assert bench.ready(2) == [(2, End())]
    assert bench.left(B) == []
    assert bench.incubator.fork_server_died(bench.now) == []
    assert bench.stop(A, now=True) == [(A, Stopping(PID))]


def test_only_the_daemons_user_and_root_may_stop_it() -> None:
    for uid, may in ((UID, True), (0, True), (UID + 1, False)):
        session = somebody(1, uid=uid)
        [(_, answer), *rest] = Bench().stop(session, now=True)  # type: ignore[misc]
        assert isinstance(answer, Stopping if may else Fault)
        assert bool(rest) == may


def test_the_first_term_ends_it_when_idle_and_the_second_now() -> None:
    bench = Bench()
    bench.serve()
    assert bench.incubator.signalled(SIGTERM, bench.now) == [(1, Quiesce())]
    assert bench.incubator.signalled(SIGTERM, bench.now) == [Unlisten(), (1, End())]


def test_int_ends_it_now_and_so_does_term_for_flom() -> None:
    for number, quiesces in ((SIGINT, True), (SIGTERM, False)):
        bench = Bench(term_quiesces=quiesces)
        assert bench.incubator.signalled(number, bench.now) == [Unlisten(), Finish("the daemon ends")]


def test_a_daemon_that_failed_says_so_to_all_who_wait() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    assert refusals(bench.incubator.failed()) == [(A, Refusal.STOPPING)]


# --- everything at once -----------------------------------------------------------------------------------------------


class IncubatorMachine(RuleBasedStateMachine):
    """Clients, children and time do what they like."""

    @initialize(pool=st.integers(0, 2), lifespan=st.sampled_from([FOREVER, 20.0]))
    def build(self, pool: int, lifespan: float) -> None:
        self.bench = Bench(pool=pool, lifespan=lifespan)
        self.sessions: dict[int, Session] = {}
        self.owed: set[Session] = set()  # who has asked and is not answered
        self.parked: set[Session] = set()  # of these, who was told so
        self.starting: set[int] = set()
        self.spare: set[int] = set()
        self.serving: dict[int, Assign] = {}
        self.retiring: set[int] = set()
        self.ending: set[int] = set()
        self.epochs: list[int] = [0]
        self.finished = self.unlistened = False
        self.take(self.bench.opening)

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.finished
            match effect:
                case StartChild(number):
                    assert not self.unlistened
                    self.starting.add(number)
                case KillChild(number):
                    assert self.unlistened
                case Unlisten():
                    self.unlistened = True
                case Finish():
                    assert not self.starting | self.spare | set(self.serving) | self.ending
                    assert not self.owed
                    self.finished = True
                case (Session() as session, message):
                    self.hear(session, message)
                case (int() as number, message):
                    self.tell(number, message)

    def hear(self, session: Session, message: Message) -> None:
        if isinstance(message, Stopping):
            return
        assert session in self.owed
        match message:
            case Parked():
                assert session not in self.parked
                self.parked.add(session)
            case Located():
                assert message.epoch in [assign.epoch for assign in self.serving.values()]
                self.answered(session)
            case Refused() | Gone():
                self.answered(session)
            case _:
                raise AssertionError(message)

    def answered(self, session: Session) -> None:
        self.owed.remove(session)
        self.parked.discard(session)

    def tell(self, number: int, message: Message) -> None:
        match message:
            case Assign():
                self.spare.remove(number)
                assert message.resource not in [assign.resource for assign in self.serving.values()]
                assert message.epoch > max(self.epochs)
                self.epochs.append(message.epoch)
                self.serving[number] = message
            case Place():
                assert self.serving[number].epoch == message.epoch
                assert message.session in [session.who.session for session in self.owed]
            case Stay():
                self.retiring.remove(number)
            case Leave():
                self.retiring.remove(number)
                self.epochs.append(self.serving.pop(number).epoch)
                self.spare.add(number)
            case End():
                self.spare.discard(number)
                self.starting.discard(number)
                self.serving.pop(number, None)
                self.ending.add(number)

    @rule(
        name=st.integers(1, 6),
        resource=st.sampled_from("abc"),
        create=st.booleans(),
        timeout=st.sampled_from([0.0, 3.0, FOREVER]),
    )
    @precondition(lambda self: not self.finished)
    def somebody_asks(self, name: int, resource: str, create: bool, timeout: float) -> None:
        session = self.sessions.setdefault(name, somebody(name))
        if session not in self.owed:
            self.owed.add(session)
            self.take(self.bench.locate(session, resource, create=create, timeout=timeout))

    @rule(name=st.integers(1, 6))
    @precondition(lambda self: not self.finished)
    def somebody_leaves(self, name: int) -> None:
        session = self.sessions.pop(name, None)
        if session is not None:
            self.owed.discard(session)
            self.parked.discard(session)
            self.take(self.bench.left(session))

    @rule(data=st.data())
    @precondition(lambda self: self.starting)
    def a_child_is_ready(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.starting)))
        self.starting.remove(number)
        self.spare.add(number)
        self.take(self.bench.ready(number))

    @rule(data=st.data())
    @precondition(lambda self: set(self.serving) - self.retiring)
    def a_locker_retires(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.serving) - self.retiring)))
        self.retiring.add(number)
        epoch = self.serving[number].epoch
        self.take(self.bench.said(number, Retiring(epoch, epoch + 3)))

    @rule(data=st.data())
    @precondition(lambda self: self.starting | self.spare | set(self.serving) | self.ending)
    def a_child_dies(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.starting | self.spare | set(self.serving) | self.ending)))
        for group in (self.starting, self.spare, self.ending, self.retiring):
            group.discard(number)
        self.serving.pop(number, None)
        self.take(self.bench.died(number))

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        if not self.finished:
            self.take(self.bench.wait(seconds))

    @rule(how=st.sampled_from(["stop", "stop now", "term", "fork server"]), rarely=st.integers(0, 4))
    @precondition(lambda self: not self.finished)
    def it_is_told_to_end(self, how: str, rarely: int) -> None:
        if rarely:
            return
        if how == "term":
            self.take(self.bench.incubator.signalled(SIGTERM, self.bench.now))
        elif how == "fork server":
            self.take(self.bench.incubator.fork_server_died(self.bench.now))
        else:
            self.take(self.bench.stop(somebody(50), now=how == "stop now"))

    @invariant()
    def its_tables_are_about_what_is(self) -> None:
        incubator = self.bench.incubator
        waiting = set(incubator._requests._by_session)
        assert waiting == self.owed
        assert waiting <= incubator._clients <= set(self.sessions.values())
        living = self.starting | self.spare | set(self.serving) | self.ending
        assert set(incubator._addresses) == living
        assert set(incubator._pool) == self.spare or self.unlistened
        if incubator._life is not Life.ENDING:
            assert incubator._starting == self.starting
            assert incubator._serves == {number: assign.resource for number, assign in self.serving.items()}
            assert {key: entry.child for key, entry in incubator._table.items()} == {
                key: number for number, key in incubator._serves.items()
            }
            queues = incubator._requests._queues
            assert set(incubator._wanted) == {key for key in queues if incubator._requests.creator(key)}
            assert not incubator._wanted or (incubator._starting and not incubator._pool)
            assert {session for key in set(queues) - set(incubator._wanted) for session in queues[key]} <= self.parked
        assert incubator._told_to_end <= living

    @invariant()
    def there_is_always_a_way_on(self) -> None:
        """Who ends waits for a child, or for time."""
        if self.unlistened and not self.finished:
            assert self.bench.incubator._addresses


TestIncubator = IncubatorMachine.TestCase
