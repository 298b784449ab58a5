"""Waiters are found by group and place, and leave nothing behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.rules.waiters import Hold, Owner, Place, Waiter, Waiters
from line_model import ask

PLACES = [(), ("a",), ("a", "b"), ("a", "c"), ("a", "b", "d"), ("e",)]


def waiter(number: int, inside: tuple[Owner, ...] = ()) -> Waiter:
    return Waiter(Owner(bytes([number])), ask("x"), 0.0, number, inside)


def heads(waiters: Waiters, place: Place) -> list[int]:
    return sorted(group.head.number for group in waiters.related(place))


def test_those_of_one_place_and_key_are_one_group_led_by_the_oldest() -> None:
    waiters = Waiters()
    for number in (1, 2, 3):
        waiters.add(waiter(number), (), "key")
    assert heads(waiters, ()) == [1]
    waiters.remove(waiters.all[Owner(b"\x01")])
    assert heads(waiters, ()) == [2]


@given(st.lists(st.sampled_from(PLACES), max_size=8), st.sampled_from(PLACES))
def test_related_are_those_at_the_place_above_and_below(places: list[Place], asked: Place) -> None:
    waiters = Waiters()
    expected = []
    for number, place in enumerate(places):
        waiters.add(waiter(number), place, number)
        shorter = min(len(place), len(asked))
        if place[:shorter] == asked[:shorter]:
            expected.append(number)
    assert heads(waiters, asked) == expected


@given(st.permutations(range(6)))
def test_nothing_is_left_when_all_have_gone_in_any_order(order: list[int]) -> None:
    waiters = Waiters()
    for number, place in enumerate(PLACES):
        waiters.add(waiter(number, (Owner(b"p"),)), place, "key")
    for number in order:
        waiters.remove(waiters.all[Owner(bytes([number]))])
    assert not waiters
    assert waiters.groups == 0
    assert not waiters._kin
    assert not waiters._root.groups
    assert not waiters._root.below


def test_whoever_changes_its_group_stands_there_by_its_arrival() -> None:
    waiters, parent = Waiters(), Owner(b"p")
    hold = Hold(parent, ask("x"), 1, 0.0, 0.0)
    nested = waiter(1, (parent,))
    nested.find_ancestors({parent: hold})
    waiters.add(nested, (), "key")
    waiters.add(waiter(2), (), "key")
    assert [each.owner for each in waiters.nested()] == [nested.owner]
    assert waiters.kin(parent) == [nested]
    waiters.regroup(nested, {})
    assert heads(waiters, ()) == [1]
    assert list(nested.group.members) == [b"\x01", b"\x02"]
    assert waiters.nested() == []
