"""A locker without a process: what it says to whom, in every state, and what time does to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.actors.door import Session
from holdfast.actors.locker import AGAIN, GRACE, HURRY, LEFT_ALONE, Locker, State
from holdfast.actors.process import PARENT, UNEXPECTED, Effect, Finish, Unlisten
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Assign,
    Cause,
    End,
    Ended,
    Fault,
    Gone,
    Granted,
    Leave,
    Lost,
    Mode,
    Order,
    Place,
    Queued,
    Quiesce,
    Refusal,
    Refused,
    Release,
    Released,
    Retiring,
    Stay,
    Welcome,
)
from holdfast.transport.wire import Message
from people import hello, session_id, somebody
from raw import acquire

EPOCH = 1000


class Bench:
    """A locker, the notes it writes, and a clock that only we move."""

    def __init__(self, resource: str = "printer", *, idle: float = 2.0, assigned: bool = True) -> None:
        self.notes: list[str] = []
        self.locker = Locker(lambda now: now, self.notes.append)
        self.now = 10.0
        self.resource = resource
        if assigned:
            self.assign(idle=idle)

    def assign(self, *, idle: float = 2.0, epoch: int = EPOCH) -> None:
        assert self.told(Assign(self.resource, epoch, idle, Order.FIFO)) == []

    def told(self, message: Message) -> list[Effect]:
        return self.locker.told(message, self.now)

    def ask(self, session: Session, **more: Any) -> list[Effect]:
        message = acquire(more.pop("resource", self.resource), more.pop("epoch", EPOCH), **more)
        return self.locker.handle(session, message, self.now)

    def release(self, session: Session, *, epoch: int = EPOCH) -> list[Effect]:
        return self.locker.handle(session, Release(epoch, False), self.now)

    def left(self, session: Session) -> list[Effect]:
        return self.locker.left(session, self.now)

    def place(self, name: int, *, timeout: float = FOREVER, quantity: int = 1, epoch: int = EPOCH) -> list[Effect]:
        return self.told(Place(epoch, session_id(name), self.resource, Mode.EX, quantity, timeout))

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


def kinds(effects: list[Effect]) -> list[object]:
    """Effects in short: whom it concerns, and the kind of message."""
    return [(effect[0], type(effect[1])) if isinstance(effect, tuple) else type(effect) for effect in effects]


# --- before and after it has a resource -------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [acquire("printer", EPOCH), Release(EPOCH, False)])
def test_without_a_resource_all_are_told_that_it_is_gone(message: Message) -> None:
    assert Bench(assigned=False).locker.handle(A, message, 1.0) == [(A, Gone())]


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH + 1])
def test_whoever_names_another_epoch_is_told_that_it_is_gone_and_nothing_is_done(epoch: int) -> None:
    bench = Bench()
    held = bench.holder()
    assert bench.ask(A, epoch=epoch) == [(A, Gone())]
    assert bench.release(held, epoch=epoch) == [(held, Gone())]
    assert kinds(bench.ask(A)) == [(A, Queued)]


@pytest.mark.parametrize("assigned", [True, False])
@pytest.mark.parametrize("message", [hello(1), Welcome(bytes(16), 0, 1), Stay(EPOCH), End(), Gone()])
def test_a_message_that_is_not_for_a_locker_is_a_fault(assigned: bool, message: Message) -> None:
    assert Bench(assigned=assigned).locker.handle(A, message, 1.0) == [(A, UNEXPECTED)]


@pytest.mark.parametrize(
    "message", [Stay(EPOCH), Leave(EPOCH), Retiring(EPOCH, 0), Place(7, bytes(16), "x", Mode.EX, 1, 1.0)]
)
@pytest.mark.parametrize("assigned", [True, False])
def test_a_parent_that_breaks_the_protocol_is_our_bug(assigned: bool, message: Message) -> None:
    with pytest.raises(ValueError, match="for"):
        Bench(assigned=assigned).told(message)


# --- grants -----------------------------------------------------------------------------------------------------------


def test_the_first_grant_carries_the_epoch_as_its_token_and_each_later_one_more() -> None:
    bench = Bench()
    assert bench.ask(A) == [(A, Granted(EPOCH, "", 0.0))]
    bench.ask(B)
    bench.now += 3.0
    assert bench.release(A) == [(A, Released()), (B, Granted(EPOCH + 1, "", 3.0))]


def test_a_second_acquire_is_a_fault_for_a_holder_and_for_a_waiter() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    for session in (held, A):
        assert kinds(bench.ask(session)) == [(session, Fault)]
    assert kinds(bench.release(held)) == [(held, Released), (A, Granted)]


def test_a_release_of_what_is_not_held_is_a_fault() -> None:
    bench = Bench()
    bench.holder()
    assert kinds(bench.release(A)) == [(A, Fault)]


def test_a_waiter_gives_up_its_place_with_release() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    assert bench.release(A) == [(A, Released())]
    assert kinds(bench.release(held)) == [(held, Released), (B, Granted)]


@pytest.mark.parametrize(
    ("resource", "quantity", "sentence"),
    [("printer", 0, "a quantity of 0"), ("plotter", 1, "plotter is not served here"), ("a..b", 1, "not a valid")],
)
def test_a_request_without_meaning_is_refused_with_a_sentence(resource: str, quantity: int, sentence: str) -> None:
    bench = Bench()
    ask = Acquire(resource, EPOCH, Mode.EX, quantity, FOREVER, True)
    [(to, refused)] = bench.locker.handle(A, ask, 1.0)  # type: ignore[misc]
    assert to is A
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.INVALID
    assert sentence in refused.sentence


def test_who_would_not_wait_hears_who_holds_it() -> None:
    bench = Bench()
    bench.holder()
    [(_, refused)] = bench.ask(A, timeout=0.0)  # type: ignore[misc]
    assert refused == Refused(Refusal.BUSY, "printer is not free: held by alice on node1, pid 4711 (make)")


def test_a_disconnect_lets_the_next_one_in() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    assert kinds(bench.left(held)) == [(A, Granted)]


def test_a_waiter_that_disconnects_is_passed_over() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    assert bench.left(A) == []
    assert kinds(bench.left(held)) == [(B, Granted)]


@pytest.mark.parametrize(
    ("inside", "uid", "nest", "answer"),
    [
        ((session_id(1),), 1000, True, Granted),
        ((session_id(1),), 1000, False, Queued),
        ((session_id(1),), 0, True, Queued),
        ((session_id(2),), 1000, True, Queued),
    ],
)
def test_only_a_holder_of_the_same_user_counts_as_an_ancestor(
    inside: tuple[bytes, ...], uid: int, nest: bool, answer: type[Message]
) -> None:
    bench = Bench()
    bench.holder(1)
    nested = somebody(20, inside=inside, uid=uid)
    assert kinds(bench.ask(nested, nest=nest)) == [(nested, answer)]


# --- waits ------------------------------------------------------------------------------------------------------------


def test_a_wait_ends_when_it_was_to_end_with_a_sentence() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A, timeout=1.5)
    assert bench.wait(1.4) == []
    [(to, refused)] = bench.wait(0.2)  # type: ignore[misc]
    assert to is A
    assert refused == Refused(
        Refusal.TIMED_OUT, "printer was not granted within 1.5 s: held by alice on node1, pid 4711 (make)"
    )
    assert bench.release(held) == [(held, Released())]


def test_the_wait_of_somebody_who_was_granted_is_over() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A, timeout=1.5)
    bench.release(held)
    assert bench.wait(9.0) == []
    assert kinds(bench.release(A)) == [(A, Released)]


def test_a_wait_from_an_earlier_request_does_not_end_a_later_one() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, timeout=1.0)
    bench.release(A)
    bench.ask(A, timeout=5.0)
    assert bench.wait(4.0) == []
    assert kinds(bench.wait(2.0)) == [(A, Refused)]


def test_a_wait_for_ever_sets_no_alarm() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, timeout=FOREVER)
    assert bench.locker.wakes_at() is None


def test_many_long_waits_that_ended_early_leave_nothing_behind() -> None:
    bench = Bench()
    bench.holder()
    for _ in range(1000):
        bench.ask(A, timeout=604_800.0)
        bench.release(A)
    assert len(bench.locker._limits._heap) < 100
    assert bench.locker.wakes_at() is None


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_place_that_was_granted_meanwhile_is_told_when_its_session_comes() -> None:
    bench = Bench()
    assert bench.place(1) == []
    parked = somebody(1)
    assert kinds(bench.ask(parked)) == [(parked, Granted)]
    assert bench.wait(GRACE + 1) == []
    assert bench.release(parked) == [(parked, Released())]


def test_places_are_in_line_in_their_order_before_whoever_comes_later() -> None:
    bench = Bench()
    for name in (1, 2):
        bench.place(name)
    late, second, first = somebody(3), somebody(2), somebody(1)
    assert bench.ask(late) == [(late, Queued(2))]
    assert bench.ask(second) == [(second, Queued(1))]
    assert kinds(bench.ask(first)) == [(first, Granted)]
    assert kinds(bench.release(first)) == [(first, Released), (second, Granted)]


def test_a_place_whose_session_never_comes_is_given_up() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    assert bench.wait(GRACE - 0.1) == []
    assert kinds(bench.wait(0.2)) == [(A, Granted)]


def test_a_place_that_nobody_takes_lets_the_locker_retire() -> None:
    bench = Bench(idle=1.0)
    bench.place(1)
    assert bench.wait(GRACE + 0.9) == []
    assert kinds(bench.wait(0.2)) == [(PARENT, Retiring)]


def test_a_place_that_timed_out_before_its_session_came_says_so_when_it_comes() -> None:
    bench = Bench()
    bench.place(1)
    bench.place(2, timeout=0.5)
    assert bench.wait(0.6) == []
    late = somebody(2)
    [(_, refused)] = bench.ask(late, timeout=0.0)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.TIMED_OUT
    first = somebody(1)
    bench.ask(first)
    assert bench.release(first) == [(first, Released())]


@pytest.mark.parametrize(("quantity", "why"), [(0, Refusal.INVALID), (9, Refusal.IMPOSSIBLE)])
def test_a_place_for_a_request_without_meaning_is_refused_when_its_session_comes(quantity: int, why: Refusal) -> None:
    bench = Bench("units[3]")
    bench.place(1, quantity=quantity)
    parked = somebody(1)
    [(_, refused)] = bench.ask(parked)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is why


def test_a_place_for_somebody_who_is_here_already_changes_nothing() -> None:
    """The pipe may be full while the session has its answer."""
    bench = Bench()
    held, waiter = bench.holder(1), somebody(2)
    bench.ask(waiter, timeout=99.0)
    for name in (1, 2):
        assert bench.place(name) == []
    assert bench.wait(GRACE + 1) == []
    assert kinds(bench.release(held)) == [(held, Released), (waiter, Granted)]


def test_a_session_that_comes_for_its_place_and_releases_it_is_out() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    parked = somebody(1)
    assert kinds(bench.release(parked)) == [(parked, Released), (A, Granted)]


def test_a_session_that_dies_before_it_asked_for_its_place_loses_it() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    assert kinds(bench.left(somebody(1))) == [(A, Granted)]


def test_who_comes_after_its_place_was_given_up_stands_at_the_end() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    bench.wait(GRACE)
    late = somebody(1)
    assert bench.ask(late) == [(late, Queued(1))]


# --- retirement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idle", [0.0, 2.0])
def test_a_locker_that_nobody_comes_to_retires_after_its_idle_time(idle: float) -> None:
    bench = Bench(idle=idle)
    assert bench.locker.wakes_at() == bench.now + idle
    assert bench.wait(idle) == [(PARENT, Retiring(EPOCH, 0))]
    assert bench.locker.wakes_at() is None


def test_it_says_the_last_token_it_gave() -> None:
    bench = Bench()
    bench.left(bench.holder())
    assert bench.wait(2.0) == [(PARENT, Retiring(EPOCH, EPOCH))]


def test_an_idle_time_without_end_never_ends() -> None:
    bench = Bench(idle=FOREVER)
    bench.left(bench.holder())
    assert bench.locker.wakes_at() is None


def test_a_session_that_holds_nothing_still_keeps_the_locker() -> None:
    bench = Bench()
    held = bench.holder()
    bench.release(held)
    assert bench.wait(99.0) == []
    bench.left(held)
    assert kinds(bench.wait(2.0)) == [(PARENT, Retiring)]


def retiring(idle: float = 2.0) -> Bench:
    bench = Bench(idle=idle)
    assert kinds(bench.wait(idle)) == [(PARENT, Retiring)]
    return bench


def test_what_comes_while_it_retires_is_kept_and_served_in_order_after_stay() -> None:
    bench = retiring()
    assert bench.ask(A) == bench.ask(B) == bench.release(A) == []
    assert kinds(bench.told(Stay(EPOCH))) == [(A, Granted), (B, Queued), (A, Released), (B, Granted)]


def test_what_comes_while_it_retires_is_gone_after_leave() -> None:
    bench = retiring()
    bench.ask(A)
    bench.ask(B)
    assert bench.told(Leave(EPOCH)) == [(A, Gone()), (B, Gone())]
    assert bench.ask(A) == [(A, Gone())]


def test_who_disconnects_while_it_retires_is_not_served_after_stay() -> None:
    bench = retiring()
    bench.ask(A)
    bench.ask(B)
    assert bench.left(A) == []
    assert kinds(bench.told(Stay(EPOCH))) == [(B, Granted)]


def test_a_locker_told_to_stay_asks_again_even_if_nobody_comes() -> None:
    bench = retiring(idle=0.0)
    assert bench.told(Stay(EPOCH)) == []
    assert bench.wait(AGAIN - 0.01) == []
    assert kinds(bench.wait(0.02)) == [(PARENT, Retiring)]


def test_its_next_resource_knows_nothing_of_the_one_before() -> None:
    bench = Bench(idle=1.0)
    bench.left(bench.holder())
    bench.wait(1.0)
    bench.told(Leave(EPOCH))
    bench.resource = "plotter"
    bench.assign(epoch=EPOCH + 50)
    assert bench.ask(A, epoch=EPOCH) == [(A, Gone())]
    assert bench.ask(A, epoch=EPOCH + 50) == [(A, Granted(EPOCH + 50, "", 0.0))]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_after_quiesce_it_does_not_outlive_its_last_client() -> None:
    bench = Bench(idle=FOREVER)
    held = bench.holder()
    assert bench.told(Quiesce()) == []
    assert bench.wait(99.0) == []
    bench.left(held)
    assert kinds(bench.wait(HURRY)) == [(PARENT, Retiring)]


@pytest.mark.parametrize("assigned", [True, False])
def test_quiesce_crosses_with_anything(assigned: bool) -> None:
    bench = Bench(assigned=assigned, idle=1.0)
    bench.wait(1.0)
    assert bench.told(Quiesce()) == []


def ending(told: list[Effect]) -> list[Effect]:
    """Check that this is the end, and return what was said before it."""
    unlisten, ended, finish = told[-3:]
    assert unlisten == Unlisten()
    assert isinstance(ended, tuple)
    assert ended[0] is PARENT
    assert isinstance(ended[1], Ended)
    assert finish == Finish(ended[1].reason)
    return told[:-3]


def test_told_to_end_holders_lose_waiters_are_refused_and_kept_ones_are_sent_away() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    idle = somebody(9)
    bench.release(idle)  # a fault; but it is connected
    said = ending(bench.told(End()))
    assert [(to, type(message)) for to, message in said] == [(held, Lost), (A, Refused)]  # type: ignore[misc]
    assert said[0] == (held, Lost(Cause.STOPPED, "the daemon was stopped"))


def test_told_to_end_while_it_retires_it_ends() -> None:
    bench = retiring()
    bench.ask(A)
    assert ending(bench.told(End())) == [(A, Gone())]


def test_told_to_end_without_a_resource_it_ends() -> None:
    assert ending(Bench(assigned=False).told(End())) == []


def test_after_the_end_nothing_is_granted_any_more() -> None:
    """The same turn may bring a release, or somebody new."""
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.told(End())
    assert bench.release(held) == [(held, Gone())]
    assert bench.ask(B) == [(B, Gone())]
    assert bench.left(held) == []
    assert bench.wait(99.0) == []


def test_an_orphan_that_nobody_holds_ends_and_sends_everybody_away() -> None:
    bench = retiring()
    bench.ask(A)
    assert ending(bench.orphan()) == [(A, Gone())]
    assert bench.notes == []


def test_an_orphan_without_a_resource_ends() -> None:
    assert ending(Bench(assigned=False).orphan()) == []


def test_an_orphan_that_is_held_serves_its_holders_only_and_ends_with_the_last() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    refused = Refused(Refusal.STOPPING, LEFT_ALONE)
    unlisten, *said = bench.orphan()
    assert unlisten == Unlisten()
    assert said == [(B, refused), (A, refused)]
    assert len(bench.notes) == 1
    assert "alice on node1, pid 4711" in bench.notes[0]
    assert bench.ask(C) == [(C, refused)]
    assert bench.left(C) == []
    assert bench.wait(99.0) == []
    assert ending(bench.release(held)) == [(held, Released())]


def test_an_orphan_ends_when_its_last_holder_dies() -> None:
    bench = Bench()
    held = bench.holder()
    bench.orphan()
    assert ending(bench.left(held)) == []


def test_an_orphan_keeps_no_places_and_whoever_waited_behind_them_is_refused() -> None:
    bench = Bench()
    bench.place(1)  # granted, but its session does not know
    bench.ask(A)
    assert ending(bench.orphan()) == [(A, Refused(Refusal.STOPPING, LEFT_ALONE))]


def test_an_orphan_with_a_place_that_was_refused_goes_on_for_its_holder() -> None:
    bench = Bench("units[3]")
    held = bench.holder()
    bench.place(2, quantity=9)
    assert bench.orphan() == [Unlisten()]
    assert ending(bench.release(held)) == [(held, Released())]


def test_a_locker_that_failed_says_so_to_everybody() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    said = bench.locker.failed()
    assert kinds(said) == [(held, Lost), (A, Refused)]
    lost, refused = said[0][1], said[1][1]  # type: ignore[index]
    assert isinstance(lost, Lost)
    assert lost.cause is Cause.FAILED
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.LOCKER_DIED


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
        assert set(locker._given) == {owner for owner in locker._limits._at}
        assert set(locker._given) <= in_line
        assert set(locker._graces._at) == set(locker._places)

    @invariant()
    def somebody_holds_if_somebody_waits(self) -> None:
        line = self.bench.locker._line
        assert line is None or line.holds or not line.waiters


TestLocker = LockerMachine.TestCase
