"""The lock is lost while the command runs: it is told at once, and the exit code does not hide it."""

from __future__ import annotations

import os
import signal

import pytest

from support import House, wait_dead, wait_line

pytestmark = pytest.mark.slow


def test_a_lost_lock_is_told_at_once_and_the_command_runs_on(house: House) -> None:
    wrapper = house.hold("-r", "lost")
    assert house.run("stop", "--now").returncode == 0
    assert "lost" in wait_line(wrapper.stderr, "holdfast: ")
    assert wrapper.poll() is None
    assert house.let_go(wrapper) == 99


def test_a_command_that_fails_without_its_lock_tells_its_own_code(house: House) -> None:
    wrapper = house.spawn("run", "-r", "lost", "sh", "-c", "echo held; read line; exit 3")
    wait_line(wrapper.stdout, "held")
    house.run("stop", "--now")
    wait_line(wrapper.stderr, "lost")
    assert house.let_go(wrapper) == 3


def test_a_command_that_is_to_end_with_its_lock_gets_term(house: House) -> None:
    wrapper = house.hold("--on-lost", "kill", "-r", "lost")
    house.run("stop", "--now")
    assert wrapper.wait() == 128 + signal.SIGTERM
    assert "lost" in wrapper.communicate()[1]


def test_a_killed_locker_is_a_lost_lock(house: House) -> None:
    wrapper = house.hold("-r", "lost")
    (locker,) = house.lockers()
    os.kill(locker, signal.SIGKILL)
    wait_dead(locker)
    assert "lost" in wait_line(wrapper.stderr, "holdfast: ")
    assert house.let_go(wrapper) == 99
