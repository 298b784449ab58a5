"""Why somebody waits: blockers, places, units, and the chains that lead on from a holder."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.rules.line import Line, Owner
from holdfast.cli.reasons import MOST_LINKS, Link, links, need, related
from holdfast.transport.enums import Mode, Order
from holdfast.transport.picture import ClaimView, Scene
from holdfast.transport.records import Record
from line_model import ask, line
from scenes import holder, parked, resource, scene, waiter


def sessions(views: Iterable[ClaimView]) -> list[str]:
    return [one.claim.session for one in views]


def needs(shown: Scene, place: int = 0) -> list[tuple[list[str], bool, int, int]]:
    """Of each waiter of a resource: for whom, for all of them, units, behind."""
    view = shown.resources[place]
    return [
        (sessions(one.of), one.every, one.units, one.behind) for one in (need(view, waits) for waits in view.waiters)
    ]


def chain(shown: Scene) -> list[tuple[str, str, list[str], bool]]:
    """The links from the holders of the first resource."""
    return [
        (link.holder.claim.session, link.waiter.claim.session, sessions(link.held_by), link.circle)
        for link in links(shown, shown.resources[0].holders)
    ]


def test_a_waiter_needs_those_whom_its_locker_named() -> None:
    shown = scene(
        *(resource("printer"), holder("a", mode=Mode.CR), holder("b", mode=Mode.PR, token=18)),
        waiter("c", mode=Mode.PW, blockers=("b",)),
    )
    assert needs(shown) == [(["b"], True, 0, 0)]


def test_where_nobody_was_named_the_first_needs_all_holders_but_those_around_it() -> None:
    shown = scene(resource("printer"), holder("a"), holder("b", token=18), waiter("c", inside=("a",)))
    assert needs(shown) == [(["b"], True, 0, 0)]


def test_who_is_far_behind_needs_the_one_before_it() -> None:
    shown = scene(resource("printer"), holder("a"), *(waiter(one, arrival=at) for at, one in enumerate("bcd")))
    assert needs(shown) == [(["a"], True, 0, 0), ([], True, 0, 1), ([], True, 0, 2)]


def test_first_fit_lets_nobody_stand_behind() -> None:
    shown = scene(
        resource("printer", order=Order.FIRST_FIT), holder("a"), waiter("b", arrival=1), waiter("c", arrival=2)
    )
    assert needs(shown) == [(["a"], True, 0, 0), (["a"], True, 0, 0)]


def test_of_a_tree_only_what_is_above_or_below_counts() -> None:
    shown = scene(
        *(resource("/a"), holder("x", "/a/b"), holder("y", "/a/c", token=18)),
        *(waiter("z", "/a/b/c", arrival=1), waiter("u", "/a/c", arrival=2), waiter("v", "/a", arrival=3)),
    )
    assert needs(shown) == [(["x"], True, 0, 0), (["y"], True, 0, 0), ([], True, 0, 2)]


@pytest.mark.parametrize(("wanted", "units", "every"), [(4, 1, False), (7, 4, False), (8, 5, True)])
def test_units_that_are_free_need_not_be_given_back(wanted: int, units: int, every: bool) -> None:
    shown = scene(
        *(resource("pool[8]"), holder("a", "pool[8]", quantity=2), holder("b", "pool[8]", quantity=3, token=18)),
        waiter("c", "pool[8]", quantity=wanted),
    )
    assert needs(shown) == [(["a", "b"], every, units, 0)]


def test_units_of_the_surroundings_count_as_free() -> None:
    shown = scene(
        *(resource("pool[8]"), holder("a", "pool[8]", quantity=2), holder("b", "pool[8]", quantity=6, token=18)),
        waiter("c", "pool[8]", quantity=4, inside=("a",)),
    )
    assert needs(shown) == [(["b"], False, 2, 0)]


def test_who_needs_no_units_needs_only_its_turn() -> None:
    shown = scene(
        *(resource("pool[5]"), holder("a", "pool[5]", quantity=2)),
        waiter("b", "pool[5]", quantity=4, arrival=1, blockers=("a",)),
        waiter("c", "pool[5]", quantity=1, arrival=2, blockers=("a",)),
    )
    assert needs(shown) == [(["a"], False, 1, 0), ([], True, 0, 1)]


def test_units_held_inside_each_other_are_counted_once() -> None:
    shown = scene(
        *(resource("pool[5]"), holder("a", "pool[5]", quantity=3)),
        *(holder("b", "pool[5]", quantity=2, token=18, inside=("a",)),),
        *(holder("c", "pool[5]", quantity=2, token=19, inside=("a", "b")),),
        *(waiter("d", "pool[5]", quantity=4, arrival=1), waiter("e", "pool[5]", quantity=2, arrival=2)),
    )
    assert [one[2] for one in needs(shown)] == [2, 0]


@given(
    st.tuples(*(st.integers(-1, name - 1) for name in range(6))),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=20),
)
def test_units_must_be_given_back_exactly_if_the_rules_see_no_room(
    parents: tuple[int, ...], steps: list[tuple[int, int]]
) -> None:
    """Each asks from inside its parent (-1: none) and all that is around that; who is in line leaves."""
    inside: list[tuple[int, ...]] = []
    for parent in parents:
        inside.append((*inside[parent], parent) if parent >= 0 else ())
    some = line("pool[5]")
    for name, quantity in steps:
        owner = _owner(name)
        if some.holder(owner) or some.waiting(owner):
            some.leave(owner, 1.0)
        else:
            some.ask(owner, ask("pool[5]", quantity=quantity), 1.0, inside=[*map(_owner, inside[name])])
    view = _shown(some, inside).resources[0]
    for waits in view.waiters:
        verdict = some.explain_owner(_owner(int(waits.claim.session)), 1.0)
        assert bool(need(view, waits).units) == bool(verdict.blockers)


def _owner(name: int) -> Owner:
    return Owner(bytes([name]))


def _shown(some: Line, inside: list[tuple[int, ...]]) -> Scene:
    """The picture of this line."""
    records: list[Record] = [resource("pool[5]")]
    for hold in some.holds.values():
        name = hold.owner[0]
        told = {"quantity": hold.ask.quantity, "token": hold.token, "inside": tuple(map(str, inside[name]))}
        records.append(holder(str(name), "pool[5]", **told))
    for one in some.waiters:
        name = one.owner[0]
        told = {"quantity": one.ask.quantity, "arrival": one.number, "inside": tuple(map(str, inside[name]))}
        blockers = tuple(str(owner[0]) for owner in some.blockers(one.owner))
        records.append(waiter(str(name), "pool[5]", **told, blockers=blockers))
    return scene(*records)


def test_of_a_set_one_holder_is_enough() -> None:
    shown = scene(
        *(resource("r.g"), holder("a", "r.g", element="r"), holder("b", "r.g", element="g", token=18)),
        waiter("c", "r.g"),
    )
    assert needs(shown) == [(["a", "b"], False, 0, 0)]


def test_a_holder_that_waits_elsewhere_is_followed() -> None:
    shown = scene(
        *(resource("printer"), holder("a", pid=1)),
        *(resource("tape", 4), holder("b", "tape", 4, pid=2), waiter("a2", "tape", 4, pid=1)),
        *(resource("disk", 5), holder("c", "disk", 5, pid=3), waiter("b2", "disk", 5, pid=9, inside=("b",))),
    )
    assert chain(shown) == [("a", "a2", ["b"], False), ("b", "b2", ["c"], False)]


def test_a_holder_that_is_parked_elsewhere_is_told() -> None:
    shown = scene(resource("printer"), holder("a"), parked("p", pid=9, inside=("a",)))
    assert chain(shown) == [("a", "p", [], False)]


def test_the_same_number_on_another_host_is_another_process() -> None:
    shown = scene(resource("printer"), holder("a", pid=1), parked("p", pid=1, host="node2"))
    assert chain(shown) == []
    on_its_way = scene(resource("printer"), holder("a", pid=0, host=""), parked("p", pid=0, host=""))
    assert chain(on_its_way) == []


def test_a_circle_is_seen() -> None:
    shown = scene(
        *(resource("printer"), holder("a", pid=1), waiter("b2", pid=2)),
        *(resource("tape", 4), holder("b", "tape", 4, pid=2), waiter("a2", "tape", 4, pid=1)),
    )
    assert chain(shown) == [("a", "a2", ["b"], True), ("b", "b2", ["a"], True)]


def test_who_only_leads_to_a_circle_is_not_in_it() -> None:
    shown = scene(
        *(resource("printer"), holder("o", pid=9)),
        *(resource("tape", 4), holder("a", "tape", 4, pid=1), waiter("o2", "tape", 4, pid=9, arrival=1)),
        waiter("b2", "tape", 4, pid=2, arrival=2, blockers=("a",)),
        *(resource("disk", 5), holder("b", "disk", 5, pid=2), waiter("a2", "disk", 5, pid=1)),
    )
    assert [(link[0], link[3]) for link in chain(shown)] == [("o", False), ("a", True), ("b", True)]


def test_a_program_that_waits_for_itself_is_a_circle() -> None:
    shown = scene(resource("printer"), holder("a", pid=1), waiter("b", pid=1))
    assert chain(shown) == [("a", "b", ["a"], True)]


def test_a_chain_is_followed_so_far_and_no_farther() -> None:
    records: list[Record] = []
    for at in range(2 * MOST_LINKS):
        records += [resource(f"r{at}", at), holder(f"h{at}", f"r{at}", at, pid=100 + at)]
        records += [waiter(f"w{at}", f"r{at}", at, pid=99 + at)] if at else []
    assert len(chain(scene(*records))) == MOST_LINKS


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), max_size=12))
def test_a_link_is_in_a_circle_exactly_if_it_can_be_walked_back_to(waits: list[tuple[int, int]]) -> None:
    records: list[Record] = []
    for at in range(5):
        records += [resource(f"r{at}", at + 1), holder(f"h{at}", f"r{at}", at + 1, pid=at + 1)]
    for at, (pid, wanted) in enumerate(waits):
        records.append(waiter(f"w{at}", f"r{wanted}", wanted + 1, pid=pid, arrival=at, blockers=(f"h{wanted}",)))
    shown = scene(*records)
    every = [one for view in shown.resources for one in view.holders]
    for link in links(shown, every):
        assert link.circle == _reaches(links(shown, every), link.held_by, link.holder, 5)


def _reaches(found: list[Link], start: Iterable[ClaimView], goal: ClaimView, steps: int) -> bool:
    if goal in start:
        return True
    return steps > 0 and any(
        _reaches(found, link.held_by, goal, steps - 1) for link in found if link.holder in list(start)
    )


@pytest.mark.parametrize(
    ("name", "other", "answer"),
    [("/a", "/a/b", True), ("/a/b", "/a", True), ("/a/b", "/a/c", False), ("/a", "/ab", False), ("x", "x", True)],
)
def test_paths_are_related_if_one_leads_to_the_other(name: str, other: str, answer: bool) -> None:
    assert related(name, other) is answer
