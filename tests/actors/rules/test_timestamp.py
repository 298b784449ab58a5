"""Timestamps: what the text is, and when there is a new one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.rules.kinds import resource_from_name
from holdfast.actors.rules.line import Line, Owner
from holdfast.transport.messages import Granted, Order
from holdfast.transport.names import InvalidName, parse
from line_model import ask, line, told

A, B, C = (Owner(bytes([letter])) for letter in b"ABC")
NOON = 1_700_000_000.0  # Tuesday, 14 November 2023, 22:13:20 UTC


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def text(format_: str, now: float = NOON) -> str:
    """What a format gives at an instant."""
    some = line(f"_t_{format_}[1]")
    ((_, answer),) = some.ask(A, ask("x"), now)
    assert isinstance(answer, Granted)
    return answer.element


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("%Y%m%d.%H%M%S", "20231114.221320"),
        ("%a.%b.%d.%T", "Tue.Nov.14.22:13:20"),
        ("%A.%B.%p.%I", "Tuesday.November.PM.10"),
        ("%c", "Tue Nov 14 22:13:20 2023"),
        ("%x.%X", "11/14/23.22:13:20"),
        ("%S#f", "20.9"),
        ("%S#fff", "20.987"),
        ("%S#ffffff", "20.987654"),
        ("%S#fffffff", "20.987654f"),
        ("#f#ff%S", "#f.9820"),
        ("%S#x", "20#x"),
        ("%s", "1700000000"),
        ("%H%%M", "22%M"),
    ],
)
def test_the_text_is_the_c_locales_with_digits_of_the_second_cut_off(format_: str, expected: str) -> None:
    assert text(format_, NOON + 0.9876543) == expected


def test_the_text_is_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    assert text("%H%M") == "0343"


@pytest.mark.parametrize(
    ("format_", "tick"),
    [
        ("%Y#f", 0.1),
        ("#ff", 0.01),
        ("%S#fff", 0.001),
        ("#ffff", 0.0001),
        ("#fffff", 0.00001),
        ("#ffffff", 0.000001),
        *[(f"%{letter}", 1.0) for letter in "crsSTX"],
        ("%H%M", 60.0),
        ("%R", 60.0),
        ("%H", 3600.0),
        ("%I", 3600.0),
        ("%d%H%%S", 3600.0),
    ],
)
def test_the_finest_directive_says_how_long_the_text_stays_the_same(format_: str, tick: float) -> None:
    aligned = 1_699_999_200.0
    some = line(f"_t_{format_}[9]")
    some.ask(A, ask("x"), aligned)
    assert told(some.ask(B, ask("x", timeout=0), aligned + tick * 0.4)) == [(B, "BUSY")]
    assert told(some.ask(C, ask("x", timeout=0), aligned + tick * 1.4)) == [(C, "Granted")]


@pytest.mark.parametrize("format_", ["%Y%m%d", "hello", "%%S", "#", "%", "%j#"])
def test_a_format_that_changes_less_than_hourly_is_no_name(format_: str) -> None:
    with pytest.raises(InvalidName, match="changes at least every hour"):
        line(f"_t_{format_}[1]")


def test_whoever_waits_for_the_tick_gets_it_when_it_comes() -> None:
    some = line("_t_%S[9]")
    some.ask(A, ask("x"), NOON + 0.25)
    some.ask(B, ask("x"), NOON + 0.5)
    assert some.wakes_at() == pytest.approx(NOON + 1.0, rel=0, abs=0.001)
    assert some.wake(NOON + 0.75) == []
    assert told(some.wake(NOON + 1.0)) == [(B, "Granted")]
    assert some.wakes_at() is None


def test_one_tick_is_given_to_one_only() -> None:
    some = line("_t_%S[9]")
    for owner in (A, B, C):
        some.ask(owner, ask("x"), NOON)
    assert told(some.wake(NOON + 1.0)) == [(B, "Granted")]
    assert some.wakes_at() == pytest.approx(NOON + 2.0, rel=0, abs=0.001)


def test_a_slow_format_is_looked_at_once_a_second_because_the_clock_may_be_set() -> None:
    some = line("_t_%H[9]")
    some.ask(A, ask("x"), NOON)
    some.ask(B, ask("x"), NOON)
    assert some.wakes_at() == NOON + 1.0


def test_without_a_free_slot_no_tick_helps() -> None:
    some = line("_t_%S[1]")
    some.ask(A, ask("x"), NOON)
    some.ask(B, ask("x"), NOON + 5)
    assert some.wakes_at() is None
    assert told(some.leave(A, NOON + 6)) == [(B, "Granted")]


def test_a_clock_set_back_gives_no_tick_twice() -> None:
    offset = [0.0]
    resource = resource_from_name(parse("_t_%S[9]"), wall=lambda now: now + offset[0])
    some = Line(resource, order=Order.FIFO, token=1)
    some.ask(A, ask("x"), NOON)
    offset[0] = -10.0
    assert told(some.ask(B, ask("x"), NOON + 5)) == [(B, "Queued")]
    assert some.wakes_at() == NOON + 6.0
    assert some.wake(NOON + 10.5) == []
    assert told(some.wake(NOON + 11)) == [(B, "Granted")]


def test_without_slots_it_is_impossible() -> None:
    assert told(line("_t_%S[0]").ask(A, ask("x"), NOON)) == [(A, "IMPOSSIBLE")]


@given(st.lists(st.floats(0, 3), min_size=2, max_size=20), st.integers(1, 4))
def test_no_text_is_given_twice(steps: list[float], digits: int) -> None:
    some, now, given_ = line(f"_t_%T#{'f' * digits}[99]"), NOON, []
    for number, step in enumerate(steps):
        now += step
        ((_, answer),) = some.ask(Owner(bytes([number])), ask("x", timeout=0), now)
        if isinstance(answer, Granted):
            given_.append(answer.element)
    assert len(set(given_)) == len(given_) > 0
