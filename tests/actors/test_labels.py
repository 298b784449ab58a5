"""Which names become labels, and what is counted under each: nothing twice, nothing lost, nothing falls."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scenes
from holdfast.actors.labels import OTHERS, SETTLED, Counts, Labels, Totals, settling
from holdfast.transport.enums import Mode
from holdfast.transport.errors import InvalidName
from holdfast.transport.names import parse
from holdfast.transport.picture import Scene
from holdfast.transport.records import Member, Record, Tally
from scenes import NOW, resource, scene

NONE = {"requests": 0, "grants": 0, "wait_sum": 0.0, "wait_max": 0.0, "waits": ()}


def tally(number: int, mode: Mode = Mode.EX, **figures: object) -> Tally:
    """What was counted at the resource of this number, and nothing else; 0: at all that have ended."""
    return scenes.tally(number, mode, **{**NONE, **figures})


class Book:
    """Labels and totals, told the same scenes."""

    def __init__(self, bound: int) -> None:
        self.labels = Labels(bound)
        self.totals = Totals()

    def take(self, told: Scene, *, anew: bool = False) -> None:
        self.totals.take(told, anew=anew)
        self.labels.take(told, self.totals)

    def requests(self) -> dict[str, float]:
        return {name: counts[0] for (name, mode), counts in self.labels.counts().items() if mode is Mode.EX}


def hot(**requests: int) -> Scene:
    """Resources with so many requests, numbered in their order."""
    return with_ended(0, **requests)


def with_ended(ended: int, **requests: int) -> Scene:
    told: list[Record] = [tally(0, requests=ended)]
    for number, (name, count) in enumerate(requests.items(), 1):
        told += [resource(name, number), tally(number, requests=count)]
    return scene(*told)


def test_the_others_cannot_be_mistaken_for_a_resource() -> None:
    with pytest.raises(InvalidName):
        parse(OTHERS)


def test_the_hottest_names_have_labels_and_the_rest_is_one() -> None:
    book = Book(2)
    book.take(hot(a=1, b=7, c=5, d=2))
    assert book.requests() == {"b": 7, "c": 5, OTHERS: 3}
    assert (book.labels.label("b"), book.labels.label("a")) == ("b", OTHERS)


def test_of_equally_hot_names_the_older_resource_has_the_label() -> None:
    book = Book(1)
    book.take(hot(b=3, a=3))
    assert list(book.labels.names()) == ["b"]


def test_a_bound_of_nothing_leaves_one_sum() -> None:
    book = Book(0)
    book.take(hot(a=1, b=7))
    assert book.requests() == {OTHERS: 8}


def test_a_label_stays_with_its_name_until_another_is_much_hotter() -> None:
    book = Book(1)
    book.take(hot(a=10, b=1))
    book.take(hot(a=10, b=20))
    assert list(book.labels.names()) == ["a"]
    book.take(hot(a=10, b=21))
    assert list(book.labels.names()) == ["b"]


def test_what_was_counted_before_a_name_had_its_label_stays_with_the_others() -> None:
    book = Book(1)
    book.take(hot(a=10, b=9))
    book.take(hot(a=10, b=30))
    book.take(hot(a=10, b=33))
    assert book.requests() == {"b": 24, OTHERS: 9}


def test_a_name_goes_on_counting_when_its_resource_exists_again() -> None:
    book = Book(2)
    book.take(hot(a=5))
    book.take(with_ended(5))
    assert book.requests() == {"a": 5, OTHERS: 0}
    book.take(scene(tally(0, requests=5), resource("a", 2), tally(2, requests=3)))
    assert book.requests() == {"a": 8, OTHERS: 0}


def test_a_name_without_resource_makes_room_for_any_that_has_one() -> None:
    book = Book(1)
    book.take(hot(a=5))
    book.take(scene(tally(0, requests=5), resource("b", 2), tally(2, requests=1)))
    assert list(book.labels.names()) == ["b"]


def test_what_nobody_saw_is_counted_with_the_others() -> None:
    book = Book(2)
    book.take(hot(a=5))
    book.take(with_ended(40))
    assert book.requests() == {"a": 5, OTHERS: 35}


def test_nothing_falls_when_another_registry_knows_less() -> None:
    book = Book(1)
    book.take(with_ended(40, a=5))
    book.take(with_ended(0, a=6), anew=True)
    assert book.totals.of(Mode.EX)["requests"] == 45
    assert book.requests() == {"a": 6, OTHERS: 40}
    book.take(with_ended(10, a=6))
    assert book.totals.of(Mode.EX)["requests"] == 55
    assert book.requests() == {"a": 6, OTHERS: 49}


def test_a_picture_with_less_in_it_for_a_moment_is_no_new_beginning() -> None:
    book = Book(1)
    book.take(with_ended(40, a=5))
    book.take(with_ended(20, a=5))
    assert book.totals.of(Mode.EX)["requests"] == 45
    book.take(with_ended(41, a=5))
    assert book.totals.of(Mode.EX)["requests"] == 46


@pytest.mark.parametrize(("age", "restarts", "expected"), [(0.5, 1, True), (SETTLED + 0.5, 1, False), (0.5, 0, False)])
def test_only_a_registry_that_was_started_again_settles(age: float, restarts: int, expected: bool) -> None:
    assert settling(scene(Member(3, "registry", 77, age, restarts)), NOW) is expected


def test_another_actor_that_was_started_again_does_not_matter() -> None:
    assert not settling(scene(Member(3, "files", 77, 0.1, 4)), NOW)


# --- random lives of resources ----------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 9), st.sampled_from([Mode.EX, Mode.PR]), st.integers(1, 50)),
        st.tuples(st.just("end"), st.integers(0, 9), st.just(Mode.EX), st.just(0)),
        st.tuples(st.just("look"), st.just(0), st.just(Mode.EX), st.just(0)),
    ),
    max_size=40,
)


class World:
    """Ten names whose resources are used and end."""

    def __init__(self) -> None:
        self.asked: dict[int, dict[Mode, int]] = {}  # number of a resource -> requests by mode
        self.here: dict[int, int] = {}  # name -> number of its resource
        self.ended: dict[Mode, int] = defaultdict(int)

    def do(self, what: str, name: int, mode: Mode, count: int) -> None:
        if what == "ask":
            number = self.here.setdefault(name, len(self.asked) + 1)
            modes = self.asked.setdefault(number, defaultdict(int))
            modes[mode] += count
        elif what == "end" and name in self.here:
            for ended, requests in self.asked[self.here.pop(name)].items():
                self.ended[ended] += requests

    def scene(self) -> Scene:
        told: list[Record] = [tally(0, mode, requests=count, grants=count) for mode, count in self.ended.items()]
        for name, number in self.here.items():
            told.append(resource(f"name{name}", number))
            told += [tally(number, mode, requests=count, grants=count) for mode, count in self.asked[number].items()]
        return scene(*told)

    def total(self, mode: Mode) -> int:
        return sum(modes.get(mode, 0) for modes in self.asked.values())


@given(STEPS, st.integers(0, 4))
def test_labels_add_up_to_the_totals_and_never_fall_whatever_the_bound(
    steps: list[tuple[str, int, Mode, int]], bound: int
) -> None:
    world, book = World(), Book(bound)
    shown: dict[tuple[str, Mode], Counts] = {}
    gone: dict[Mode, float] = defaultdict(float)  # what labels had when they were taken away
    for step in [*steps, ("look", 0, Mode.EX, 0)]:
        world.do(*step)
        if step[0] != "look":
            continue
        book.take(world.scene())
        counts = book.labels.counts()
        assert len(set(book.labels.names())) <= bound
        for (name, mode), before in shown.items():
            if (name, mode) not in counts:
                gone[mode] += before[0]
            else:
                assert all(new >= old for new, old in zip(counts[name, mode], before, strict=True))
        for mode in book.totals.modes():
            told = sum(figures[0] for (_, of), figures in counts.items() if of is mode)
            assert told + gone[mode] == book.totals.of(mode)["requests"] == world.total(mode)
        shown = counts
