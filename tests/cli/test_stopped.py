"""Whether a client is stopped is what the kernel says, and only about this machine's processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from holdfast.cli.stopped import is_stopped
from scenes import holder
from support import wait_state

HERE = os.uname().nodename


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_process_that_runs_is_not_stopped() -> None:
    assert not is_stopped(holder("a", host=HERE, pid=os.getpid()))


@pytest.mark.slow
def test_a_process_is_stopped_until_it_goes_on(sleeper: int) -> None:
    claim = holder("a", host=HERE, pid=sleeper)
    os.kill(sleeper, signal.SIGSTOP)
    wait_state(sleeper, "T")
    assert is_stopped(claim)
    assert not is_stopped(holder("a", host="elsewhere", pid=sleeper))
    assert not is_stopped(holder("a", host=HERE, pid=sleeper, peer="192.0.2.7/48832"))
    os.kill(sleeper, signal.SIGCONT)
    wait_state(sleeper, "S")
    assert not is_stopped(claim)


def test_of_a_process_that_is_gone_or_on_its_way_nothing_is_said() -> None:
    assert not is_stopped(holder("a", host=HERE, pid=2**22 + 1))
    assert not is_stopped(holder("a", host="", pid=0))
