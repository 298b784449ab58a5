"""Sequences: which number is next."""

from __future__ import annotations

from holdfast.actors.rules.line import Line, Owner
from holdfast.actors.rules.sequence import Sequence
from holdfast.transport.messages import Granted
from line_model import ask, line, told

A, B, C, D = (Owner(bytes([letter])) for letter in b"ABCD")


def number(some: Line, owner: Owner, *inside: Owner) -> str:
    """Ask, and say which number was granted."""
    ((_, answer),) = some.ask(owner, ask("x"), 1.0, inside=inside)
    assert isinstance(answer, Granted)
    return answer.element


def test_numbers_follow_each_other_whatever_becomes_of_the_work() -> None:
    some = line("_s_ticket[1]")
    for expected in ("1", "2", "3"):
        assert number(some, A) == expected
        some.leave(A, 2.0, rolled_back=True)


def test_in_a_transactional_one_numbers_of_failed_work_come_first_the_oldest_first() -> None:
    some = line("_S_ticket[3]")
    assert [number(some, owner) for owner in (A, B, C)] == ["1", "2", "3"]
    for owner, rolled_back in ((B, True), (A, True), (C, False)):
        some.leave(owner, 2.0, rolled_back=rolled_back)
    assert [number(some, owner) for owner in (A, B, C)] == ["2", "1", "4"]


def test_a_waiter_gets_the_number_that_failed_just_now() -> None:
    some = line("_S_ticket[1]")
    number(some, A)
    some.ask(B, ask("x"), 2.0)
    ((_, answer),) = some.leave(A, 3.0, rolled_back=True)
    assert isinstance(answer, Granted)
    assert answer.element == "1"


def test_after_the_greatest_of_32_bits_comes_one() -> None:
    resource = Sequence("_s_ticket[1]", 1, transactional=False)
    resource._last = 2**32 - 2
    some = line("_s_ticket[1]")
    some._resource = resource
    given = []
    for _ in range(2):
        given.append(number(some, A))
        some.leave(A, 2.0)
    assert given == ["4294967295", "1"]


def test_a_nested_request_gets_a_number_of_its_own() -> None:
    some = line("_s_ticket[1]")
    assert [number(some, A), number(some, B, A)] == ["1", "2"]
    assert told(some.ask(C, ask("x"), 2.0, inside=[A])) == [(C, "Queued")]


def test_without_slots_it_is_impossible() -> None:
    for name in ("_s_ticket[0]", "_S_ticket[0]"):
        ((_, answer),) = line(name).ask(A, ask(name), 1.0)
        assert told([(A, answer)]) == [(A, "IMPOSSIBLE")]
