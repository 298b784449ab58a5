"""What is no client: one line a kind and minute, however much comes."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from holdfast.actors.noise import PAUSE, Noise


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("holdfast"), "propagate", True)
    return caplog


def test_the_first_one_of_a_kind_is_told_at_once(lines: pytest.LogCaptureFixture) -> None:
    noise = Noise(Counter({"undecodable": 1}), Counter({"is not admitted": 2}))
    noise.tell(0.0)
    assert [line.partition("  ")[2] for line in lines.messages] == [
        "kind=undecodable  count=1",
        "kind=is not admitted  count=2",
    ]


def test_the_address_that_the_last_one_came_from_is_told_where_it_is_known(lines: pytest.LogCaptureFixture) -> None:
    counts = Counter({"undecodable": 1, "is not admitted": 1})
    sources = {"is not admitted": "192.0.2.7"}
    noise = Noise(counts, sources=sources)
    noise.tell(0.0)
    assert [line.partition("  ")[2] for line in lines.messages] == [
        "kind=undecodable  count=1",
        "kind=is not admitted  count=1  last=192.0.2.7",
    ]
    counts["is not admitted"] += 2
    sources["is not admitted"] = "192.0.2.8"
    noise.tell(PAUSE)
    assert lines.messages[2].endswith("count=2  last=192.0.2.8")


def test_what_follows_is_told_together_a_minute_later(lines: pytest.LogCaptureFixture) -> None:
    counts = Counter({"undecodable": 1})
    noise = Noise(counts)
    noise.tell(5.0)
    assert noise.wakes_at() is None
    for instant in range(1000):
        counts["undecodable"] += 1
        noise.tell(5.0 + instant / 1000)
    assert len(lines.messages) == 1
    assert noise.wakes_at() == 5.0 + PAUSE
    noise.tell(5.0 + PAUSE)
    assert lines.messages[1:] == [lines.messages[0].replace("count=1", "count=1000")]
    assert noise.wakes_at() is None


def test_where_nothing_comes_nothing_is_told(lines: pytest.LogCaptureFixture) -> None:
    noise = Noise(Counter())
    noise.tell(0.0)
    assert not lines.messages
    assert noise.wakes_at() is None
