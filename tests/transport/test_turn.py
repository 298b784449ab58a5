"""Whoever comes second is told, and never waits."""

from __future__ import annotations

import os
import threading

import pytest

from holdfast.transport.errors import UsageError
from holdfast.transport.turn import Turn


def elsewhere(turn: Turn, verb: str) -> str:
    """What another thread is told that tries ``verb``; "" if nothing."""
    told: list[str] = []

    def work() -> None:
        try:
            getattr(turn, verb)()
        except UsageError as error:
            told.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return "".join(told)


def test_one_after_the_other_is_fine() -> None:
    turn = Turn("x")
    with turn:
        pass
    assert elsewhere(turn, "__enter__") == ""


def test_a_second_thread_is_told() -> None:
    turn = Turn("x")
    with turn:
        assert "Lock on x is in use by another thread" in elsewhere(turn, "__enter__")
        assert "Lock on x is in use by another thread" in elsewhere(turn, "take_back")


def test_the_same_thread_is_told_too() -> None:
    turn = Turn("x")
    with turn, pytest.raises(UsageError, match="in use"):
        turn.__enter__()


def test_an_interrupted_turn_can_be_taken_back_by_its_own_thread() -> None:
    turn = Turn("x")
    turn.__enter__()
    turn.take_back()
    turn.take_back()
    with turn:
        turn.take_back()
    with turn:
        pass


def test_a_turn_that_was_left_behind_is_over_with_its_verb() -> None:
    turn = Turn("x")

    def verb() -> None:
        turn.__enter__()  # and interrupted there, so that it never comes to its end
        assert "another thread" in elsewhere(turn, "__enter__")

    verb()
    assert "another thread" in elsewhere(turn, "__enter__")
    with turn, pytest.raises(UsageError, match="signal interrupted"):
        turn.__enter__()
    assert elsewhere(turn, "__enter__") == ""


def test_an_exception_ends_the_turn() -> None:
    turn = Turn("x")
    with pytest.raises(KeyError), turn:
        raise KeyError
    with turn:
        pass


def test_a_forked_child_is_told() -> None:
    turn = Turn("x")
    child = os.fork()
    if child == 0:
        try:
            turn.__enter__()
        except UsageError as error:
            os._exit("forked" in str(error) and turn.forked)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert not turn.forked
