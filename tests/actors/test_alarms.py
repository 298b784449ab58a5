"""Alarms: whoever is due comes out once, in order, and what is cancelled leaves nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.alarms import SLACK, Alarms, soonest

KEYS = st.integers(0, 5)
INSTANTS = st.integers(0, 9).map(float)


def drain(alarms: Alarms[int], now: float) -> list[int]:
    found = []
    while (key := alarms.due(now)) is not None:
        found.append(key)
    return found


def test_nobody_is_woken_where_nobody_asked() -> None:
    alarms: Alarms[int] = Alarms()
    assert alarms.wakes_at() is None
    assert alarms.due(1e9) is None


def test_each_alarm_can_be_asked_for() -> None:
    alarms: Alarms[int] = Alarms()
    alarms.set(1, 5.0)
    assert (alarms.at(1), alarms.at(2)) == (5.0, None)
    alarms.cancel(1)
    assert alarms.at(1) is None


def test_who_is_set_again_is_woken_at_the_later_word_only() -> None:
    alarms: Alarms[int] = Alarms()
    alarms.set(1, 5.0)
    alarms.set(1, 7.0)
    assert alarms.wakes_at() == 7.0
    assert drain(alarms, 6.9) == []
    assert drain(alarms, 7.0) == [1]
    assert drain(alarms, 99.0) == []


def test_equal_instants_come_in_the_order_of_their_setting() -> None:
    alarms: Alarms[int] = Alarms()
    for key in (3, 1, 2):
        alarms.set(key, 5.0)
    assert drain(alarms, 5.0) == [3, 1, 2]


def test_a_wait_of_a_week_that_took_a_moment_costs_no_week_of_memory() -> None:
    alarms: Alarms[int] = Alarms()
    alarms.set(0, 1.0)
    for key in range(1, 10_000):
        alarms.set(key, 604_800.0)
        alarms.cancel(key)
        assert len(alarms._heap) <= 2 * len(alarms) + SLACK + 2
    assert drain(alarms, 1.0) == [0]


@given(st.lists(st.tuples(st.sampled_from(("set", "cancel", "due")), KEYS, INSTANTS)))
def test_it_is_a_table_of_instants(steps: list[tuple[str, int, float]]) -> None:
    alarms: Alarms[int] = Alarms()
    table: dict[int, float] = {}
    for verb, key, at in steps:
        if verb == "set":
            alarms.set(key, at)
            table[key] = at
        elif verb == "cancel":
            alarms.cancel(key)
            table.pop(key, None)
        else:
            found = alarms.due(at)
            soonest = min(table.values(), default=10.0)
            assert (found is not None) == (soonest <= at)
            if found is not None:
                assert table.pop(found) == soonest
        assert alarms.wakes_at() == min(table.values(), default=None)
        assert len(alarms) == len(table)


@pytest.mark.parametrize(
    ("instants", "first"), [((), None), ((None, None), None), ((3.0, None, 2.0), 2.0), ((0.0, None), 0.0)]
)
def test_the_soonest_of_instants_counts_only_those_there_are(
    instants: tuple[float | None, ...], first: float | None
) -> None:
    assert soonest(instants) == first
