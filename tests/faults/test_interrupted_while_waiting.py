"""INT, QUIT, TERM or HUP while the wrapper waits: it leaves the line at once and ends by that signal."""

from __future__ import annotations

import signal
import subprocess

import pytest

from support import House, wait_line

pytestmark = pytest.mark.slow


def waiting(house: House, *words: str) -> subprocess.Popen[str]:
    """A command that waits in line for the lock ``line``, and is known to."""
    waiter = house.spawn("run", "-v", "-r", "line", *words)
    wait_line(waiter.stderr, "waiting in line")
    return waiter


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, -2), (signal.SIGQUIT, -3), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_waiter_that_is_told_to_stop_leaves_the_line(house: House, number: int, code: int) -> None:
    holder = house.hold("-r", "line")
    waiter = waiting(house, "echo", "never")
    behind = waiting(house, "echo", "mine")
    waiter.send_signal(number)
    assert waiter.communicate() == ("", "")
    assert waiter.returncode == code
    assert house.let_go(holder) == 0
    assert behind.communicate()[0] == "mine\n"


def test_a_shared_waiter_behind_one_that_is_told_to_stop_need_not_wait_for_the_holder(house: House) -> None:
    """Only the waiter for exclusive use stood in its way, and it is out of the line at once."""
    holder = house.hold("-r", "line", "-s")
    waiter = waiting(house, "-x", "echo", "never")
    behind = waiting(house, "-s", "echo", "mine")
    waiter.send_signal(signal.SIGTERM)
    assert behind.communicate()[0] == "mine\n"
    house.let_go(holder)


def test_a_waiter_that_is_killed_leaves_the_line(house: House) -> None:
    holder = house.hold("-r", "line", "-s")
    waiter = waiting(house, "-x", "echo", "never")
    behind = waiting(house, "-s", "echo", "mine")
    waiter.kill()
    assert behind.communicate()[0] == "mine\n"
    house.let_go(holder)


def test_a_parked_waiter_that_is_told_to_stop_is_not_served(house: House) -> None:
    waiter = house.spawn("run", "-v", "-r", "line", "--no-create", "echo", "never")
    wait_line(waiter.stderr, "waiting")
    waiter.send_signal(signal.SIGINT)
    assert waiter.communicate() == ("", "")
    assert waiter.returncode == -signal.SIGINT
    assert house.run("run", "-r", "line", "-n", "echo", "mine").stdout == "mine\n"
