"""Hierarchies: a node locks against all above and all below, and siblings are independent."""

from __future__ import annotations

import pytest

from holdfast.actors.rules.line import Owner
from holdfast.transport.messages import Mode, Refusal, Refused
from line_model import ask, bear_each_other, line, told

A, B, C, D = (Owner(bytes([letter])) for letter in b"ABCD")


@pytest.mark.parametrize("held", Mode)
@pytest.mark.parametrize("asked", Mode)
@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("/a", "/a", True),
        ("/a", "/a/b/c", True),
        ("/a/b/c", "/a", True),
        ("/a/b", "/a/c", False),
        ("/a/b", "/a/bb", False),
        ("/a/b/d", "/a/c/d", False),
    ],
)
def test_two_meet_if_one_is_above_the_other(held: Mode, asked: Mode, one: str, other: str, related: bool) -> None:
    some = line("/a")
    some.ask(A, ask(one, held), 1.0)
    expected = "Queued" if related and not bear_each_other(held, asked) else "Granted"
    assert told(some.ask(B, ask(other, asked), 2.0)) == [(B, expected)]


def test_the_line_below_one_node_does_not_wait_for_that_below_its_sibling() -> None:
    some = line("/a")
    some.ask(A, ask("/a/b"), 1.0)
    some.ask(B, ask("/a/b/x"), 2.0)
    assert told(some.ask(C, ask("/a/c/x"), 3.0)) == [(C, "Granted")]


def test_a_waiter_for_the_top_holds_back_those_below_who_come_later() -> None:
    some = line("/a")
    some.ask(A, ask("/a/b"), 1.0)
    some.ask(B, ask("/a"), 2.0)
    assert told(some.ask(C, ask("/a/c"), 3.0)) == [(C, "Queued")]
    assert told(some.leave(B, 4.0)) == [(C, "Granted")]


def test_a_release_lets_in_all_who_are_independent() -> None:
    some = line("/a")
    some.ask(A, ask("/a"), 1.0)
    for owner, path in ((B, "/a/b"), (C, "/a/b/c"), (D, "/a/d")):
        some.ask(owner, ask(path), 2.0)
    assert told(some.leave(A, 3.0)) == [(B, "Granted"), (D, "Granted")]


@pytest.mark.parametrize("path", ["/b", "/aa", "/a/", "/a//b", "a"])
def test_a_path_that_is_not_below_the_root_has_no_meaning(path: str) -> None:
    ((_, answer),) = line("/a").ask(A, ask(path), 1.0)
    assert isinstance(answer, Refused)
    assert answer.why is Refusal.INVALID
    assert path in answer.sentence


def test_an_ancestor_at_a_node_whose_name_begins_alike_does_not_stand_for_the_holder() -> None:
    some = line("/a")
    some.ask(A, ask("/a/b"), 1.0)
    some.ask(B, ask("/a/bb"), 1.0)
    assert told(some.ask(C, ask("/a/bb"), 2.0, inside=[A])) == [(C, "Queued")]
    assert some.blockers(C) == [B]
