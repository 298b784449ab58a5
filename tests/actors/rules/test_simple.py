"""A simple resource: six modes; its order and nesting are tested with all types in test_line.py."""

from __future__ import annotations

import pytest

from holdfast.actors.rules.line import Owner
from holdfast.transport.messages import Mode
from line_model import ask, bear_each_other, line, told

A, B, C = (Owner(bytes([letter])) for letter in b"ABC")


@pytest.mark.parametrize("held", Mode)
@pytest.mark.parametrize("asked", Mode)
def test_who_does_not_fit_beside_the_holder_waits(held: Mode, asked: Mode) -> None:
    some = line("simple")
    some.ask(A, ask("simple", held), 1.0)
    expected = "Granted" if bear_each_other(held, asked) else "Queued"
    assert told(some.ask(B, ask("simple", asked), 2.0)) == [(B, expected)]


def test_the_quantity_does_not_matter() -> None:
    some = line("simple")
    assert told(some.ask(A, ask("simple", quantity=99), 1.0)) == [(A, "Granted")]


def test_a_nested_request_conflicts_with_everybody_but_its_ancestor() -> None:
    some = line("simple")
    for owner in (A, B):
        some.ask(owner, ask("simple", Mode.PR), 1.0)
    assert told(some.ask(C, ask("simple", Mode.EX), 2.0, inside=[A])) == [(C, "Queued")]
    assert some.blockers(C) == [B]
