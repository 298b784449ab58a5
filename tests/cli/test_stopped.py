"""Whether a client is stopped or has ended is what the kernel says, and only about this machine's processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from holdfast.cli.stopped import condition
from scenes import holder, waiter
from support import wait_state

HERE = os.uname().nodename
NOBODY = 2**22 + 1  # more than any process id


@pytest.fixture
def sleeper() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_of_a_process_that_runs_there_is_nothing_to_say() -> None:
    assert condition(holder("a", host=HERE, pid=os.getpid())) == ""


@pytest.mark.slow
def test_a_process_is_stopped_until_it_goes_on(sleeper: int) -> None:
    claim = holder("a", host=HERE, pid=sleeper)
    os.kill(sleeper, signal.SIGSTOP)
    wait_state(sleeper, "T")
    assert condition(claim) == "stopped"
    assert condition(waiter("a", host=HERE, pid=sleeper)) == "stopped"
    assert condition(holder("a", host="elsewhere", pid=sleeper)) == ""
    assert condition(holder("a", host=HERE, pid=sleeper, peer="192.0.2.7/48832")) == ""
    os.kill(sleeper, signal.SIGCONT)
    wait_state(sleeper, "S")
    assert condition(claim) == ""


@pytest.mark.slow
def test_a_holder_has_ended_when_its_process_has(sleeper: int) -> None:
    os.kill(sleeper, signal.SIGKILL)
    wait_state(sleeper, "Z")
    assert condition(holder("a", host=HERE, pid=sleeper)) == "ended"
    assert condition(holder("a", host=HERE, pid=NOBODY)) == "ended"


def test_of_who_is_not_of_this_machine_or_on_its_way_or_waits_no_end_is_told() -> None:
    assert condition(holder("a", host=HERE, pid=NOBODY, peer="192.0.2.7/48832")) == ""
    assert condition(holder("a", host="", pid=0)) == ""
    assert condition(waiter("a", host=HERE, pid=NOBODY)) == ""


def test_a_process_that_is_hidden_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert condition(holder("a", host=HERE, pid=NOBODY)) == ""
