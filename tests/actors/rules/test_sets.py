"""Sets: whose turn which element is."""

from __future__ import annotations

from holdfast.actors.rules.line import Line, Owner
from holdfast.transport.messages import Granted
from line_model import ask, line, told

A, B, C, D = (Owner(bytes([letter])) for letter in b"ABCD")


def element(some: Line, owner: Owner, *inside: Owner) -> str:
    """Ask, and name the element that was granted."""
    ((_, answer),) = some.ask(owner, ask("x.y.z"), 1.0, inside=inside)
    assert isinstance(answer, Granted)
    return answer.element


def use(some: Line, owner: Owner) -> str:
    """Get an element and give it back."""
    used = element(some, owner)
    some.leave(owner, 1.0)
    return used


def test_one_after_the_other_they_are_given_in_turn() -> None:
    some = line("x.y.z")
    assert [use(some, A) for _ in range(5)] == ["x", "y", "z", "x", "y"]


def test_with_the_first_held_for_long_the_others_come_as_in_flom() -> None:
    some = line("x.y.z")
    element(some, A)
    assert [use(some, B) for _ in range(6)] == ["y", "z", "y", "y", "z", "y"]


def test_together_everybody_has_another_one_and_the_fourth_waits() -> None:
    some = line("x.y.z")
    assert {element(some, owner) for owner in (A, B, C)} == {"x", "y", "z"}
    assert told(some.ask(D, ask("x.y.z"), 2.0)) == [(D, "Queued")]
    ((_, answer),) = some.leave(B, 3.0)
    assert isinstance(answer, Granted)
    assert answer.element == "y"


def test_two_elements_of_one_name_are_two() -> None:
    some = line("x.x")
    assert [told(some.ask(owner, ask("x.x"), 1.0))[0][1] for owner in (A, B, C)] == ["Granted", "Granted", "Queued"]


def test_a_nested_request_gets_a_free_one_before_its_ancestors() -> None:
    some = line("x.y.z")
    assert [element(some, A), element(some, B, A), element(some, C, A)] == ["x", "y", "z"]


def test_if_none_is_free_it_gets_the_nearest_ancestors() -> None:
    some = line("x.y.z")
    for owner in (A, B, C):
        element(some, owner)
    assert element(some, D, A, B) == "y"


def test_a_shared_element_is_free_when_its_last_user_has_left() -> None:
    some = line("x.y.z")
    for owner in (A, B, C):
        element(some, owner)
    element(some, D, B)
    some.leave(B, 2.0)
    assert told(some.ask(B, ask("x.y.z"), 3.0)) == [(B, "Queued")]
    assert told(some.leave(D, 4.0)) == [(B, "Granted")]
