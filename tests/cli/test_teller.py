"""What is said by somebody else: in its order, and without anybody waiting for it."""

from __future__ import annotations

import sys
from _thread import start_new_thread
from threading import Event

import pytest

from holdfast.cli.teller import MANY, Teller
from support import LIMIT


def test_all_is_told_in_its_order() -> None:
    teller, told = Teller(), list[int]()
    start_new_thread(teller.run, ())
    for number in range(5 * MANY):
        teller.do(lambda number=number: told.append(number))  # type: ignore[misc]  # each has its own
    assert teller.mark().acquire(timeout=LIMIT)
    assert told == list(range(5 * MANY))
    assert not teller.behind


def test_a_sentence_is_said_after_our_name(capfd: pytest.CaptureFixture[str]) -> None:
    teller = Teller()
    teller.say("so it is")
    start_new_thread(teller.run, ())
    assert teller.mark().acquire(timeout=LIMIT)
    assert capfd.readouterr().err == "holdfast: so it is\n"


def test_room_is_made_for_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    teller = Teller(lambda: print("clear", file=sys.stderr))
    teller.say("so it is")
    start_new_thread(teller.run, ())
    assert teller.mark().acquire(timeout=LIMIT)
    assert capfd.readouterr().err == "clear\nholdfast: so it is\n"


def test_nobody_waits_for_who_does_not_read() -> None:
    teller, read = Teller(), Event()
    start_new_thread(teller.run, ())
    for _ in range(MANY + 1):
        teller.do(lambda: read.wait(LIMIT))
    told = teller.mark()
    assert teller.behind
    assert not told.acquire(blocking=False)
    read.set()
    assert told.acquire(timeout=LIMIT)


def test_a_terminal_that_is_gone_ends_nothing() -> None:
    def fail() -> None:
        raise OSError("gone")

    teller = Teller()
    start_new_thread(teller.run, ())
    teller.do(fail)
    assert teller.mark().acquire(timeout=LIMIT)
