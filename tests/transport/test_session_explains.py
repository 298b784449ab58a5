"""A session that asks why it waits: the answer comes when it comes, and the lock never waits for it."""

from __future__ import annotations

import pytest

from holdfast.transport.errors import LocalProtocolError, RemoteProtocolError
from holdfast.transport.messages import Explain, Fault, Gone, Mode, Parked, Refusal, Refused, Released
from holdfast.transport.session import Session, State
from holdfast.transport.wire import Message, encode
from session_bench import EXPLAINED, GRANTED, WELCOME, at, hears, sent, waits


@pytest.mark.parametrize(("state", "epoch"), [(State.QUEUED, 99), (State.PARKED, 0)])
def test_who_waits_may_ask_why_and_waits_on(state: State, epoch: int) -> None:
    session = at(state)
    assert session.explain()
    assert sent(session) == [Explain("printer", epoch, Mode.PW, 2, True)]
    hears(session, EXPLAINED)
    assert (session.state, session.error, session.heard) == (state, None, [EXPLAINED])
    assert waits(session) is None


def test_why_is_not_asked_twice_before_it_is_answered() -> None:
    session = at(State.QUEUED)
    assert session.explain()
    assert not session.explain()
    hears_after_sending(session, EXPLAINED)
    assert session.explain()


@pytest.mark.parametrize("state", [state for state in State if state not in (State.QUEUED, State.PARKED)])
def test_who_does_not_wait_does_not_ask_why(state: State) -> None:
    session = at(state)
    assert not session.explain()
    assert session.to_send() == []


def hears_after_sending(session: Session, *messages: Message) -> None:
    session.to_send()
    for message in messages:
        session.received(encode(message), 0.0)


def test_the_grant_may_overtake_the_answer_to_why() -> None:
    session = at(State.QUEUED)
    session.explain()
    hears_after_sending(session, GRANTED, EXPLAINED)
    assert (session.state, session.granted, session.error) == (State.HELD, GRANTED, None)
    session.release(rolled_back=False)
    hears_after_sending(session, Released())
    assert session.state is State.ATTACHED


def test_the_answer_to_why_may_come_after_the_release_is_said() -> None:
    session = at(State.QUEUED)
    session.explain()
    hears_after_sending(session, GRANTED)
    session.release(rolled_back=False)
    hears_after_sending(session, EXPLAINED)
    assert session.state is State.RELEASING
    hears_after_sending(session, Released())
    assert (session.state, session.error) == (State.ATTACHED, None)


@pytest.mark.parametrize(("late", "state"), [(EXPLAINED, State.ASKING), (Gone(), State.SEEKING)])
def test_a_refusal_may_overtake_the_answer_to_why_up_to_the_next_wait(late: Message, state: State) -> None:
    session = at(State.QUEUED)
    session.explain()
    hears_after_sending(session, Refused(Refusal.TIMED_OUT, "anna has it"))
    session.acquire(None, 0.0)
    hears_after_sending(session, late)
    assert (session.state, session.error) == (state, None)


@pytest.mark.parametrize("state", [State.QUEUED, State.PARKED])
def test_a_daemon_that_does_not_know_the_question_is_not_asked_again(state: State) -> None:
    session = at(state)
    session.explain()
    hears_after_sending(session, Fault("there is no message 18"))
    assert (session.state, session.error) == (state, None)
    assert not session.explain()
    session.received(encode(Fault("nonsense")), 0.0)
    assert isinstance(session.error, LocalProtocolError)


def test_another_connection_may_be_asked_why_again() -> None:
    session = at(State.QUEUED)
    session.explain()
    hears_after_sending(session, Fault("there is no message 18"))
    session.ended()
    session.opened(0.0)
    hears_after_sending(session, WELCOME, Parked())
    session.to_send()
    assert session.explain()
    assert sent(session) == [Explain("printer", 0, Mode.PW, 2, True)]


@pytest.mark.parametrize("state", [State.GREETING, State.LOCATING, State.ASKING, State.QUEUED, State.RELEASING])
def test_an_answer_to_why_that_nobody_asked_is_a_fault(state: State) -> None:
    session = at(state)
    session.received(encode(EXPLAINED), 0.0)
    assert isinstance(session.error, RemoteProtocolError)
