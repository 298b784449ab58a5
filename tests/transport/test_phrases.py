"""How a person is told of a duration, a number, a session."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from time import mktime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.enums import Mode
from holdfast.transport.names import Kind
from holdfast.transport.phrases import (
    counted,
    hour,
    limit,
    person,
    person_at_work,
    quoted,
    share,
    span,
    visible,
    wanted,
)
from people import hello
from scenes import holder


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((-1, "0.0s"), (0.04, "0.0s"), (9.94, "9.9s"), (9.95, "10s"), (59.4, "59s"), (59.6, "1m00s"), (94, "1m34s")),
        *((3599.6, "1h00m"), (7500, "2h05m"), (86399, "23h59m"), (86400, "1d00h"), (273600, "3d04h")),
    ],
)
def test_a_duration_is_told_in_its_two_greatest_units(seconds: float, told: str) -> None:
    assert span(seconds) == told


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize("word", ["plain", "", "a b", "it's", "$HOME", "\x1b[31m\n'\\x1", "\x85é\u20289", "\udcff"])
def test_a_quoted_word_can_be_seen_and_is_what_it_was_to_a_shell(word: str) -> None:
    assert quoted(word).isprintable()
    read = subprocess.run(["bash", "-c", f"printf %s {quoted(word)}"], check=True, capture_output=True).stdout
    assert os.fsdecode(read) == word


def test_an_instant_of_another_day_is_told_with_its_day() -> None:
    noon = mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))
    assert hour(400.0, 1000.0, noon) == "11:50:00"
    assert hour(1000.0 - 43_201, 1000.0, noon) == "2026-11-19 23:59"


@pytest.mark.parametrize(
    ("wait", "said"),
    [(0.998043, "1s"), (0.1987, "0.2s"), (1.5, "1.5s"), (0.0009, "0.0009s"), (89.997, "90s"), (0.0, "0s")],
)
def test_a_time_limit_is_told_as_it_was_said(wait: float, said: str) -> None:
    assert limit(wait) == said


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("make -j4 grün", "make -j4 grün"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("abc\u202ecod", "abc\\u202ecod"),
        ("half\udcff", "half\\udcff"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_is_not_to_be_seen_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(st.text(st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert visible(text).isprintable()
    visible(text).encode()


def test_a_number_has_its_noun() -> None:
    assert [counted(1, "unit"), counted(0, "unit"), counted(2, "process", "processes")] == [
        *("1 unit", "0 units", "2 processes")
    ]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        *((Kind.SIMPLE, "PW"), (Kind.HIERARCHICAL, "PW"), (Kind.NUMERIC, "3 units")),
        *((Kind.SET, "red"), (Kind.SEQUENCE, "red"), (Kind.TIMESTAMP, "red")),
    ],
)
def test_a_share_is_told_as_its_resource_counts(kind: Kind, told: str) -> None:
    assert share(kind, Mode.PW, 3, "red") == told


@pytest.mark.parametrize(
    ("resource", "quantity", "told"),
    [
        ("printer", 1, "printer (PR)"),
        ("/disk/h\x1bme", 1, "/disk/h\\x1bme (PR)"),
        ("licence[5]", 2, "licence[5] (2 units)"),
        ("gpu0.gpu1", 1, "gpu0.gpu1"),
        ("_s_ticket[3]", 1, "_s_ticket[3]"),
    ],
)
def test_what_is_asked_for_is_told_as_its_kind_is(resource: str, quantity: int, told: str) -> None:
    assert wanted(resource, Mode.PR, quantity) == told


def test_a_session_is_told_with_what_it_does() -> None:
    assert person_at_work(holder("a")) == "alice on node1, pid 4711 (make -j4)"
    busy = holder("a", job="17", reason="it's\nlate", user="")
    assert person_at_work(busy) == "1000 on node1, pid 4711 (make -j4), job 17, 'it's\\nlate'"
    assert person_at_work(replace(hello(1), job="17")) == "alice on node1, pid 4711 (make), job 17"  # as its own word
    assert person(holder("a", host="", pid=0)) == "a session that is on its way"


def test_a_session_is_told_with_its_key_if_it_proved_one() -> None:
    assert person(holder("a", key="bob")) == "alice on node1, pid 4711, key bob"
    assert person_at_work(hello(1), "bob") == "alice on node1, pid 4711, key bob (make)"
