"""Counters and histograms of one resource, and of those before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.tallies import Parting, Tallies
from holdfast.transport.messages import Mode
from holdfast.transport.picture import bucket, total
from holdfast.transport.wire import MAX_TUPLE

LONG = 30 * 365 * 86_400.0


def some(waits: list[float], mode: Mode = Mode.EX) -> Tallies:
    tallies = Tallies()
    for waited in waits:
        tallies.requested(mode)
        tallies.granted(mode, waited)
    return tallies


@given(st.lists(st.floats(0, LONG), max_size=20))
def test_a_histogram_counts_each_time_once_and_where_the_picture_expects_it(waits: list[float]) -> None:
    tally = some(waits).tally(1, 2, Mode.EX)
    assert tally.grants == tally.requests == len(waits) == sum(tally.waits)
    assert tally.wait_max == max(waits, default=0.0)
    assert tally.wait_sum == pytest.approx(sum(waits))
    for entry, count in enumerate(tally.waits):
        assert count == sum(bucket(waited) == entry for waited in waits)
    assert not tally.waits or tally.waits[-1] > 0
    assert len(tally.waits) <= MAX_TUPLE


@pytest.mark.parametrize("how", Parting)
def test_a_grant_ends_in_one_way(how: Parting) -> None:
    tallies = Tallies()
    tallies.parted(Mode.PR, how, 0.001)
    tally = tallies.tally(1, 2, Mode.PR)
    ends = {name: getattr(tally, name) for name in ("released", "failed", "vanished", "lost")}
    assert ends == {name: int(name == how.name.lower()) for name in ends}
    assert (tally.hold_sum, tally.hold_max, sum(tally.holds), len(tally.holds)) == (0.001, 0.001, 1, 11)


def test_a_request_that_is_not_granted_ends_in_one_way() -> None:
    tallies = Tallies()
    for end in (tallies.refused, tallies.timed_out, tallies.timed_out, *[tallies.withdrawn] * 3):
        tallies.requested(Mode.CW)
        end(Mode.CW)
    tally = tallies.tally(1, 2, Mode.CW)
    assert (tally.requests, tally.refused, tally.timed_out, tally.withdrawn) == (6, 1, 2, 3)


def test_each_mode_counts_for_itself() -> None:
    tallies = some([1.0], Mode.PR)
    assert tallies.tally(1, 2, Mode.EX).requests == 0
    assert tallies.tally(1, 2, Mode.PR).requests == 1


@given(st.lists(st.lists(st.floats(0, LONG), min_size=1, max_size=5), min_size=1, max_size=4))
def test_what_ended_is_added_up_and_the_next_resource_begins_from_nothing(lives: list[list[float]]) -> None:
    tallies, told = Tallies(), []
    for waits in lives:
        for waited in waits:
            tallies.requested(Mode.EX)
            tallies.granted(Mode.EX, waited)
            tallies.parted(Mode.EX, Parting.FAILED, waited / 2)
        told.append(replace(tallies.tally(1, 2, Mode.EX), place=0))
        assert tallies.fold() == [Mode.EX]
        assert tallies.tally(1, 2, Mode.EX).requests == 0
    ended, expected = tallies.tally(1, 0, Mode.EX), total(told)
    assert ended.wait_sum == pytest.approx(expected.wait_sum)
    assert ended.hold_sum == pytest.approx(expected.hold_sum)
    assert replace(ended, wait_sum=0.0, hold_sum=0.0) == replace(expected, wait_sum=0.0, hold_sum=0.0)
    assert tallies.fold() == []
