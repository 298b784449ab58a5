"""Would it be granted now? Asked of a house that says what the test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.transport import inquiry
from holdfast.transport.enums import Mode, Order
from holdfast.transport.errors import HoldfastError, LockerDied, RemoteProtocolError, Unreachable
from holdfast.transport.identity import SESSION
from holdfast.transport.inquiry import Finding, inquire
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Explain,
    Explained,
    Fault,
    Gone,
    Hello,
    Locate,
    Located,
    Mismatch,
    Queued,
    Refusal,
    Refused,
)
from holdfast.transport.session import PAUSES
from holdfast.transport.settings import Settings
from holdfast.transport.wire import Message
from scripted_house import House

ASK = Locate("x[4]", Mode.EX, 3, FOREVER, True, True, 2.0, Order.FIFO)
FREE = Explained(True, 0, "")
LOCATED = Located("locker-1.sock", 5)


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


def answer(house: House, *answers: Message) -> None:
    """The answers to one ``Explain`` after the other; the last one stays."""
    left = list(answers)
    house.answers[Explain] = lambda: [left.pop(0) if len(left) > 1 else left[0]]


def test_a_resource_that_does_not_exist_is_the_incubators_business(house: House) -> None:
    answer(house, FREE)
    assert inquire(house.settings, {SESSION: "00" * 16}, ASK) == Finding(FREE, exists=False)
    hello = house.wait_heard(Hello)
    assert isinstance(hello, Hello)
    assert hello.inside == (bytes(16),)
    assert house.wait_heard(Explain) == Explain("x[4]", 0, Mode.EX, 3, True)
    assert house.all_heard() == []


def test_one_that_does_is_its_lockers_and_nothing_is_taken(house: House) -> None:
    answer(house, LOCATED, FREE)
    assert inquire(house.settings, {}, ASK) == Finding(FREE, exists=True)
    house.wait_heard(Explain)
    assert house.wait_heard(Explain) == Explain("x[4]", 5, Mode.EX, 3, True)
    assert not {Acquire, Locate} & set(house.all_heard())


def test_one_that_goes_meanwhile_is_asked_for_again(house: House) -> None:
    answer(house, LOCATED, Gone(), Located("locker-9.sock", 4), FREE)
    assert inquire(house.settings, {}, ASK) == Finding(FREE, exists=False)


def test_where_its_locker_was_not_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(house, Located("locker-9.sock", 4))
    with pytest.raises(Unreachable, match=r"in 5 attempts: .* is served at .*/locker-9.sock, where nobody listens"):
        inquire(house.settings, {}, ASK)


def test_a_daemon_that_ends_as_soon_as_it_is_asked_is_not_asked_for_ever(house: House) -> None:
    answer(house, Gone())
    with pytest.raises(Unreachable, match="no answer in 5 attempts"):
        inquire(house.settings, {}, ASK)
    house.do(lambda: None)  # what it has answered it has put down by now
    assert house.all_heard().count(Explain) == len(PAUSES) + 1


@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        (Refused(Refusal.LOCKER_DIED, "its locker died"), LockerDied, "its locker died"),
        (Fault("there is no message 18"), Unreachable, "older version: there is no message 18"),
        (Mismatch(2, 0, "end me"), RemoteProtocolError, "end me"),
        (Queued(1), RemoteProtocolError, "Queued came"),
        (Located("../elsewhere", 1), RemoteProtocolError, "outside its directory"),
    ],
)
def test_anything_else_is_an_error(house: House, said: Message, error: type[HoldfastError], sentence: str) -> None:
    answer(house, said)
    with pytest.raises(error, match=sentence):
        inquire(house.settings, {}, ASK)


def test_a_daemon_that_does_not_answer_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "PATIENCE", 0.01)
    house.answers[Explain] = []
    with pytest.raises(Unreachable, match="has not answered"):
        inquire(house.settings, {}, ASK)


def test_no_daemon_is_started(tmp_path: Path) -> None:
    assert inquire(Settings(run_dir=str(tmp_path / "run")), {}, ASK) is None
    assert not (tmp_path / "run").exists()
