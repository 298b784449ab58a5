"""The client's half of the protocol, told what happens and asked what it does."""

from __future__ import annotations

from math import inf

import pytest

from holdfast.transport import session as module
from holdfast.transport.errors import (
    Busy,
    Deadlock,
    HoldfastError,
    Impossible,
    LocalProtocolError,
    LockerDied,
    LockLost,
    NoSuchResource,
    RemoteProtocolError,
    TimedOut,
    Unreachable,
    UsageError,
)
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Cause,
    End,
    Fault,
    Gone,
    Locate,
    Located,
    Lost,
    Mismatch,
    Mode,
    Order,
    Parked,
    Queued,
    Refusal,
    Refused,
    Release,
    Released,
)
from holdfast.transport.session import GRACE, LEAST, PAUSES, UNLOCKING, Open, Session, State
from holdfast.transport.wire import Message, encode
from session_bench import ECHO, GRANTED, HELLO, LOCATE, WELCOME, at, hears, opens, sent, waits


def test_the_whole_way_to_a_lock_and_back() -> None:
    session = Session(HELLO, LOCATE)
    assert session.step(0.0) is None
    session.acquire(5.0, 10.0)
    assert opens(session) == ("", 0.0)
    session.opened(0.0)
    assert sent(session) == [HELLO]
    hears(session, WELCOME, 10.5)
    assert sent(session) == [ECHO, Locate("printer", Mode.PW, 2, 4.5, True, False, 2.0, Order.FIFO)]
    hears(session, Located("locker-4.sock", 99), 11.0)
    assert opens(session) == ("locker-4.sock", 0.0)
    session.opened(0.0)
    assert sent(session) == [HELLO]
    hears(session, WELCOME, 12.0)
    assert sent(session) == [ECHO, Acquire("printer", 99, Mode.PW, 2, 3.0, True)]
    hears(session, Queued(3), 12.0)
    hears(session, GRANTED, 13.0)
    assert (session.state, session.granted, session.step(13.0)) == (State.HELD, GRANTED, None)
    session.release(rolled_back=True)
    assert sent(session) == [Release(99, True)]
    hears(session, Released(), 14.0)
    assert (session.state, session.error) == (State.ATTACHED, None)
    heard = [WELCOME, Located("locker-4.sock", 99), WELCOME, Queued(3), GRANTED, Released()]
    assert session.heard == heard


def test_an_attached_session_asks_again_with_one_message() -> None:
    session = at(State.ATTACHED)
    session.acquire(0.0, 1.0)
    assert sent(session) == [Acquire("printer", 99, Mode.PW, 2, 0.0, True)]
    hears(session, GRANTED)
    assert session.state is State.HELD


def test_each_message_says_what_is_wanted_this_time() -> None:
    session = at(State.HELD)
    for rolled_back, timeout in ((False, 3.0), (False, 3.0), (True, 4.0), (False, None)):
        session.release(rolled_back=rolled_back)
        session.acquire(timeout, 0.0)
        asked = Acquire("printer", 99, Mode.PW, 2, FOREVER if timeout is None else timeout, True)
        assert sent(session) == [Release(99, rolled_back), asked]
        hears(session, GRANTED)


def test_release_and_the_next_acquire_may_go_together() -> None:
    session = at(State.HELD)
    session.release(rolled_back=False)
    session.acquire(None, 1.0)
    assert sent(session) == [Release(99, False), Acquire("printer", 99, Mode.PW, 2, FOREVER, True)]
    hears(session, Released())
    assert session.state is State.ASKING
    hears(session, GRANTED)
    assert session.granted == GRANTED


@pytest.mark.parametrize(
    ("why", "error"),
    [
        (Refusal.BUSY, Busy),
        (Refusal.TIMED_OUT, TimedOut),
        (Refusal.IMPOSSIBLE, Impossible),
        (Refusal.NO_SUCH_RESOURCE, NoSuchResource),
        (Refusal.DEADLOCK, Deadlock),
        (Refusal.INVALID, UsageError),
        (Refusal.LOCKER_DIED, LockerDied),
        (Refusal.STOPPING, Unreachable),
        (Refusal.EXHAUSTED, Unreachable),
    ],
)
@pytest.mark.parametrize("state", [State.LOCATING, State.PARKED, State.ASKING, State.QUEUED])
def test_a_refusal_is_its_error_with_the_sentence(state: State, why: Refusal, error: type[HoldfastError]) -> None:
    session = at(state)
    hears(session, Refused(why, "a sentence"))
    assert type(session.error) is error
    assert (str(session.error), session.error.resource) == ("a sentence", "printer")
    assert session.step(0.0) is None
    assert session.state is (State.ATTACHED if state in (State.ASKING, State.QUEUED) else State.AWAY)


def test_every_refusal_has_its_error() -> None:
    assert set(module._ERRORS) == set(Refusal)
    assert set(module._CAUSES) == set(Cause)


def test_a_new_acquire_forgets_the_last_error() -> None:
    session = at(State.ASKING)
    hears(session, Refused(Refusal.BUSY, ""))
    session.acquire(None, 0.0)
    assert session.error is None


@pytest.mark.parametrize(
    "state",
    [State.GREETING, State.LOCATING, State.PARKED, State.CALLING, State.MEETING, State.ASKING, State.QUEUED],
)
def test_a_connection_that_ends_before_the_grant_is_tried_again_from_the_top(state: State) -> None:
    session = at(state, timeout=10.0)
    session.ended()
    assert session.error is None
    assert opens(session) == ("", PAUSES[0])
    session.opened(0.0)
    assert sent(session) == [HELLO]
    hears(session, WELCOME, 4.0)
    assert sent(session, 4.0)[1] == Locate("printer", Mode.PW, 2, 6.0, True, False, 2.0, Order.FIFO)


@pytest.mark.parametrize("state", [State.LOCATING, State.PARKED, State.MEETING, State.ASKING, State.QUEUED])
def test_gone_is_located_again(state: State) -> None:
    session = at(state)
    hears(session, Gone())
    assert opens(session) == ("", PAUSES[0])
    assert session.error is None


def test_after_five_attempts_that_led_nowhere_it_is_unreachable() -> None:
    session = at(State.SEEKING)
    pauses = []
    while session.state is State.SEEKING:
        pauses.append(opens(session)[1])
        session.opened(0.0)
        sent(session)
        hears(session, WELCOME)
        sent(session)
        hears(session, Located("locker-4.sock", 99))
        session.ended()
    assert pauses == [0.0, *PAUSES]
    assert isinstance(session.error, Unreachable)
    assert session.step(0.0) is None


@pytest.mark.parametrize("answer", [Parked(), Queued(1)])
def test_an_answer_in_between_gives_five_attempts_more(answer: Message) -> None:
    session = at(State.LOCATING if isinstance(answer, Parked) else State.ASKING)
    session._attempts = len(PAUSES)
    hears(session, answer)
    session.ended()
    assert opens(session) == ("", PAUSES[0])


@pytest.mark.parametrize(("met", "told"), [("nobody listens", "nobody listens"), ("", "ends as soon as it is asked")])
def test_the_sentence_says_what_the_last_attempt_met(met: str, told: str) -> None:
    session = at(State.SEEKING)
    session._attempts = len(PAUSES) - 1
    session.ended(met="something else")
    session.ended(met=met)
    assert isinstance(session.error, Unreachable)
    assert told in str(session.error)
    assert "something else" not in str(session.error)


def test_a_broken_connection_loses_the_lock() -> None:
    session = at(State.HELD)
    session.ended()
    assert isinstance(session.error, LockLost)
    assert session.error.cause == "the connection to its locker ended"
    assert (session.state, session.step(0.0)) == (State.AWAY, None)


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("state", [State.HELD, State.RELEASING])
def test_a_lost_lock_is_lost_with_cause_and_sentence(state: State, cause: Cause) -> None:
    session = at(state)
    session.received(encode(Lost(cause, "a sentence")), 0.0)
    assert isinstance(session.error, LockLost)
    assert (str(session.error), session.error.cause) == (
        "the lock printer is lost: a sentence",
        module._CAUSES[cause],
    )
    assert session.state is State.AWAY


def test_what_was_lost_while_it_was_released_is_located_again_for_the_next() -> None:
    session = at(State.RELEASING)
    session.acquire(None, 0.0)
    sent(session)
    hears(session, Lost(Cause.STOPPED, ""))
    assert session.error is None
    assert opens(session) == ("", PAUSES[0])


def test_a_release_without_an_answer_has_an_unknown_outcome() -> None:
    session = at(State.RELEASING)
    session.ended()
    assert isinstance(session.error, Unreachable)
    assert "released, outcome unknown" in str(session.error)


def test_a_release_that_its_locker_does_not_know_was_lost_before() -> None:
    session = at(State.RELEASING)
    hears(session, Gone())
    assert isinstance(session.error, LockLost)


def test_a_connection_that_ends_while_nothing_is_held_is_no_error() -> None:
    session = at(State.ATTACHED)
    session.ended()
    assert (session.error, session.state) == (None, State.AWAY)
    session.acquire(None, 0.0)
    assert opens(session) == ("", 0.0)


def test_the_guard_is_what_was_asked_for_and_two_seconds_of_waiting() -> None:
    session = at(State.ASKING, timeout=5.0)
    assert waits(session, 100.0) == 5.0 + GRACE  # what passed outside of waiting does not count
    session.received(encode(Queued(1)), 103.0)
    assert waits(session, 200.0) == 2.0 + GRACE
    session.silent(203.9)
    assert session.error is None
    assert waits(session, 203.9) == pytest.approx(0.1)
    session.silent(204.0)
    assert isinstance(session.error, Unreachable)
    assert "does not answer" in str(session.error)
    assert session.step(204.0) is None


def test_a_connection_has_what_is_left_of_the_guard_and_counts() -> None:
    session = Session(HELLO, LOCATE)
    session.acquire(5.0, 0.0)
    seek = session.step(100.0)
    assert isinstance(seek, Open)
    assert seek.patience == 5.0 + GRACE
    session.opened(103.0)
    sent(session)
    assert waits(session, 200.0) == 2.0 + GRACE
    session.received(encode(WELCOME), 200.5)
    sent(session)
    session.received(encode(Located("locker-1.sock", 5)), 201.0)
    call = session.step(300.0)
    assert isinstance(call, Open)
    assert call.patience == 1.5 + GRACE
    session.ended()
    again = session.step(301.0)
    assert isinstance(again, Open)
    assert again.patience == 0.5 + GRACE


def test_a_daemon_that_had_to_be_started_may_still_answer() -> None:
    session = Session(HELLO, LOCATE)
    session.acquire(0.0, 0.0)
    assert isinstance(session.step(0.0), Open)
    session.opened(20.0)
    sent(session, 20.0)
    assert waits(session, 20.0) == GRACE


def test_who_waits_for_ever_has_no_guard() -> None:
    session = Session(HELLO, LOCATE)
    session.acquire(None, 0.0)
    seek = session.step(0.0)
    assert isinstance(seek, Open)
    assert seek.patience == inf
    session = at(State.QUEUED)
    assert waits(session) is None
    session.silent(1e9)
    assert session.state is State.QUEUED


def test_the_answer_to_a_release_is_waited_for_but_not_for_ever() -> None:
    session = at(State.RELEASING)
    assert waits(session, 5.0) == UNLOCKING
    session.silent(5.0 + UNLOCKING)
    assert isinstance(session.error, Unreachable)
    assert "released, outcome unknown" in str(session.error)


@pytest.mark.parametrize(("timeout", "left"), [(1.0, LEAST), (0.0, 0.0)])
def test_who_waits_is_never_taken_for_somebody_who_would_not(timeout: float, left: float) -> None:
    session = at(State.MEETING, timeout=timeout)
    hears(session, WELCOME, 2.0)
    assert sent(session)[1] == Acquire("printer", 99, Mode.PW, 2, left, True)


@pytest.mark.parametrize("state", [State.GREETING, State.LOCATING, State.ASKING, State.QUEUED, State.RELEASING])
@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (encode(Fault("you said nonsense")), LocalProtocolError),
        (encode(Mismatch(2, 0, "end me")), RemoteProtocolError),
        (encode(End()), RemoteProtocolError),
        (b"garbage", RemoteProtocolError),
        (b"\2\1\x90", RemoteProtocolError),
    ],
)
def test_nonsense_ends_the_conversation(state: State, frame: bytes, error: type[HoldfastError]) -> None:
    session = at(state)
    waits(session)
    session.received(frame, 0.0)
    assert isinstance(session.error, error)
    assert (session.state, session.step(0.0)) == (State.AWAY, None)


def test_nonsense_while_it_is_held_loses_the_lock_and_says_what_it_was() -> None:
    session = at(State.HELD)
    session.received(encode(Fault("nonsense")), 0.0)
    assert isinstance(session.error, LockLost)
    assert "nonsense" in str(session.error)


def test_it_is_known_since_when_it_is_waited_for_and_held() -> None:
    session = at(State.QUEUED, timeout=9.0)
    assert (session.asked_at, session.deadline) == (0.0, 9.0)
    session.received(encode(GRANTED), 4.0)
    assert (session.asked_at, session.granted_at) == (0.0, 4.0)
    session.release(rolled_back=False)
    session.acquire(None, 6.0)
    assert (session.asked_at, session.deadline) == (6.0, None)


@pytest.mark.parametrize("state", [each for each in State if each not in (State.AWAY, State.ATTACHED, State.RELEASING)])
def test_asking_twice_is_a_mistake_of_the_caller(state: State) -> None:
    with pytest.raises(LocalProtocolError):
        at(state).acquire(None, 0.0)


@pytest.mark.parametrize("state", [state for state in State if state is not State.HELD])
def test_releasing_what_is_not_held_is_a_mistake_of_the_caller(state: State) -> None:
    with pytest.raises(LocalProtocolError):
        at(state).release(rolled_back=False)


@pytest.mark.parametrize("state", State)
def test_abandoning_leaves_nothing_to_do(state: State) -> None:
    session = at(state)
    session.abandon()
    assert (session.state, session.step(0.0)) == (State.AWAY, None)
    session.acquire(None, 0.0)
    assert opens(session)[0] == ""
