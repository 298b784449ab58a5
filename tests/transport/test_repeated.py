"""A lock taken again and again, against a locker that says what the test tells it."""

from __future__ import annotations

import select
from collections.abc import Iterator

import pytest

from holdfast.transport.errors import Busy, LockLost, UsageError
from holdfast.transport.messages import Acquire, Cause, Granted, Lost, Refusal, Refused, Release
from holdfast.transport.repeated import Repeated
from holdfast.transport.settings import Settings
from holdfast.transport.zmtp import Wire
from scripted_house import LIMIT, House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


def held(house: House, name: str = "printer", timeout: float | None = None) -> Repeated:
    lock = Repeated(name, timeout=timeout, settings=house.settings)
    lock.acquire()
    return lock


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages were in each write."""
    counts: list[int] = []
    send = Wire.send

    def counted(self: Wire, *frames: bytes) -> None:
        counts.append(len(frames))
        send(self, *frames)

    monkeypatch.setattr(Wire, "send", counted)
    return counts


def test_the_release_and_the_next_request_are_one_write(house: House, writes: list[int]) -> None:
    lock = held(house)
    writes.clear()
    house.answers[Acquire] = [Granted(18, "blue", 0.25)]
    lock.again(rolled_back=True)
    assert writes == [2]
    assert lock.held
    assert (lock.token, lock.element, lock.waited) == (18, "blue", 0.25)
    release = house.wait_heard(Release)
    assert isinstance(release, Release)
    assert release.rolled_back
    house.wait_heard(Acquire)
    lock.close()


def test_the_answer_to_the_release_may_be_left_out(house: House) -> None:
    lock = held(house)
    house.answers[Release] = []
    lock.again()
    assert lock.held
    lock.close()


def test_whether_the_number_of_a_transactional_sequence_was_taken_back_is_known_before_it_is_asked_for(
    house: House, writes: list[int]
) -> None:
    lock = held(house, "_S_number[1]")
    writes.clear()
    lock.again(rolled_back=True)
    assert writes == [1, 1]
    assert lock.held
    lock.close()


def test_a_refusal_leaves_the_lock_given_back_and_the_connection_good(house: House) -> None:
    lock = held(house, timeout=0)
    house.answers[Acquire] = [Refused(Refusal.BUSY, "anna has it")]
    with pytest.raises(Busy, match="anna has it"):
        lock.again()
    assert not lock.held
    assert lock.fileno() >= 0
    house.answers[Acquire] = [Granted(19, "", 0.0)]
    lock.acquire()
    assert lock.token == 19
    lock.close()


def test_a_lock_that_was_lost_meanwhile_is_told_and_not_asked_for_again(house: House) -> None:
    lock = held(house)
    house.wait_heard(Acquire)
    house.say(Lost(Cause.STOPPED, "it was stopped"))
    assert select.select([lock.fileno()], [], [], LIMIT)[0]
    with pytest.raises(LockLost):
        lock.again()
    assert Acquire not in house.all_heard()


def test_what_is_not_held_cannot_be_had_again() -> None:
    with pytest.raises(UsageError, match="not held"):
        Repeated("printer", settings=Settings()).again()
