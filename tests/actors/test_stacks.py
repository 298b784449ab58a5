"""Who is asked for its stack, and when."""

from __future__ import annotations

from signal import SIGUSR2

import pytest

from holdfast.actors.process import AskStack
from holdfast.actors.stacks import PAUSE
from incubator_bench import Bench


def test_one_is_asked_after_the_other_and_named_before(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench(pool=2)
    bench.ready(1)
    bench.ready(2)
    assert bench.incubator.signalled(SIGUSR2, bench.now) == []
    assert bench.wait(PAUSE / 2) == []
    assert bench.wait(PAUSE) == [AskStack(1)]
    assert "role=locker  pid=4001" in caplog.text
    assert "pid=4002" not in caplog.text
    assert bench.wait(PAUSE) == [AskStack(2)]
    assert bench.incubator.wakes_at() is None


def test_asked_twice_everybody_says_it_twice() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    for _ in range(2):
        bench.incubator.signalled(SIGUSR2, bench.now)
    assert bench.wait(1.0) == [AskStack(1), AskStack(1)]
