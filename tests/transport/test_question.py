"""One question over an open wire: an answer, or a sentence about why there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.transport import question
from holdfast.transport.errors import HoldfastError, Unreachable
from holdfast.transport.messages import Dump, Dumped, Fault, Hello, Mismatch, Stop, Stopping, Welcome
from holdfast.transport.question import ask, ask_to_stop
from holdfast.transport.target import target
from holdfast.transport.wire import Message
from holdfast.transport.zmtp import Wire
from scripted_house import NONCE, House


@pytest.fixture
def daemon() -> Iterator[House]:
    with House() as daemon:
        yield daemon


@pytest.fixture
def wire(daemon: House) -> Iterator[Wire]:
    wire = Wire(target(daemon.settings).place.socket)
    yield wire
    wire.close()


def test_the_answer_is_what_the_daemon_says(daemon: House, wire: Wire) -> None:
    daemon.answers[Dump] = [Dumped("/there")]
    assert ask(wire, {}, Dump()) == Dumped("/there")


@pytest.mark.parametrize("refusal", [Fault("not for you"), Mismatch(9, 0, "not for you")])
def test_a_refusal_is_told_in_the_daemons_words(daemon: House, wire: Wire, refusal: Message) -> None:
    daemon.answers[Dump] = [refusal]
    with pytest.raises(HoldfastError, match="not for you"):
        ask(wire, {}, Dump())


def test_a_daemon_that_is_too_old_to_know_the_question_is_not_asked(daemon: House, wire: Wire) -> None:
    daemon.answers[Hello] = [Welcome(NONCE, 2, 1)]
    with pytest.raises(Unreachable, match="is of an older version and tells no tales"):
        ask(wire, {}, Dump(), since=3, lacks="tells no tales")


def test_who_says_nothing_is_not_waited_for_for_ever(
    daemon: House, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question, "PATIENCE", 0.01)
    daemon.answers[Dump] = []
    with pytest.raises(Unreachable, match="has not answered for"):
        ask(wire, {}, Dump())


@pytest.mark.parametrize("now", [True, False])
def test_a_daemon_that_will_stop_says_so(daemon: House, wire: Wire, now: bool) -> None:
    daemon.answers[Stop] = [Stopping(7)]
    assert ask_to_stop(wire, {}, now=now)
    heard = [daemon.heard.get() for _ in range(3)]
    assert heard[-1] == Stop(now)


def test_a_daemon_that_has_ended_before_it_could_say_so_will_stop() -> None:
    with House() as daemon:
        wire = Wire(target(daemon.settings).place.socket)
    assert not ask_to_stop(wire, {}, now=False)
    wire.close()


def test_an_answer_to_another_question_is_none(daemon: House, wire: Wire) -> None:
    daemon.answers[Stop] = [Dumped("/there")]
    with pytest.raises(Unreachable, match="did not answer as one would"):
        ask_to_stop(wire, {}, now=True)
