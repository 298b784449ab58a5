"""Units: how many are left, and how nested requests share those of their ancestors."""

from __future__ import annotations

import pytest

from holdfast.actors.rules.line import Line, Owner
from holdfast.transport.messages import Refusal, Refused
from line_model import ask, line, told

A, B, C, D, E = (Owner(bytes([letter])) for letter in b"ABCDE")


def take(some: Line, owner: Owner, quantity: int, *inside: Owner) -> str:
    """Ask for units and say what came of it."""
    return told(some.ask(owner, ask("units[5]", quantity=quantity), 1.0, inside=inside))[0][1]


def left(some: Line) -> int:
    """How many units a stranger could get now."""
    for quantity in range(5, 0, -1):
        if told(some.ask(E, ask("units[5]", quantity=quantity, timeout=0), 2.0)) == [(E, "Granted")]:
            some.leave(E, 2.0)
            return quantity
    return 0


def test_units_are_used_up_and_come_back() -> None:
    some = line("units[5]")
    take(some, A, 3)
    assert left(some) == 2
    some.leave(A, 2.0)
    assert left(some) == 5


def test_more_units_than_there_are_is_impossible_whether_one_waits_or_not() -> None:
    some = line("units[5]")
    refused = Refused(Refusal.IMPOSSIBLE, "8 units asked, units[5] has 5")
    for timeout in (0.0, -1.0, 3.0):
        assert some.ask(A, ask("units[5]", quantity=8, timeout=timeout), 1.0) == [(A, refused)]


def test_no_unit_of_none_is_impossible_too() -> None:
    assert told(line("units[0]").ask(A, ask("units[0]"), 1.0)) == [(A, "IMPOSSIBLE")]


@pytest.mark.parametrize("quantity", [0, -1])
def test_less_than_one_unit_has_no_meaning(quantity: int) -> None:
    assert told(line("units[5]").ask(A, ask("units[5]", quantity=quantity), 1.0)) == [(A, "INVALID")]


def test_a_nested_request_uses_its_ancestors_units_first() -> None:
    some = line("units[5]")
    take(some, A, 3)
    assert take(some, B, 2, A) == "Granted"
    assert left(some) == 2


def test_what_is_nested_beyond_the_ancestors_units_counts_too() -> None:
    some = line("units[5]")
    take(some, A, 3)
    take(some, B, 2, A)
    assert take(some, C, 2, A) == "Granted"
    assert left(some) == 1


def test_units_nested_in_nested_ones_count_once() -> None:
    some = line("units[5]")
    take(some, A, 3)
    take(some, B, 2, A)
    assert take(some, C, 4, A, B) == "Granted"
    assert left(some) == 1


def test_when_an_ancestor_ends_what_is_inside_moves_up() -> None:
    some = line("units[5]")
    take(some, A, 2)
    take(some, B, 3, A)
    take(some, C, 1, A, B)
    some.leave(B, 2.0)
    assert left(some) == 3
    some.leave(A, 2.0)
    assert left(some) == 4


def test_a_nested_request_waits_for_units_of_strangers() -> None:
    some = line("units[5]")
    take(some, A, 3)
    take(some, D, 2)
    assert take(some, B, 4, A) == "Queued"
    assert told(some.leave(D, 2.0)) == [(B, "Granted")]


def test_a_deadlock_is_found_through_nested_units() -> None:
    some = line("units[5]")
    take(some, A, 2)
    take(some, B, 1, A)
    take(some, D, 3)
    assert take(some, C, 3, A, B) == "Queued"
    assert take(some, E, 4, D) == "DEADLOCK"


def test_who_claims_only_the_inner_one_of_two_ancestors_may_wait_for_the_outer_one() -> None:
    some = line("units[5]")
    take(some, A, 2)
    take(some, B, 1, A)
    take(some, D, 2)
    assert take(some, C, 4, B) == "Queued"
