"""kill -9 of a wrapper: whoever waited has left the line, whoever held has let go, and what it did is rolled back."""

from __future__ import annotations

import signal

import pytest

from support import House, wait_line

pytestmark = pytest.mark.slow


def test_a_holder_that_is_killed_lets_the_next_one_in(house: House) -> None:
    holder = house.hold("-r", "printer")
    waiter = house.spawn("run", "-v", "-r", "printer", "--", "echo", "mine")
    wait_line(waiter.stderr, "waiting")
    holder.send_signal(signal.SIGKILL)
    out, _ = waiter.communicate(timeout=20)
    assert (waiter.returncode, out) == (0, "mine\n")


def test_a_waiter_that_is_killed_is_passed_over(house: House) -> None:
    holder = house.hold("-r", "printer")
    first = house.spawn("run", "-v", "-r", "printer", "--", "echo", "first")
    wait_line(first.stderr, "waiting")
    second = house.spawn("run", "-v", "-r", "printer", "--", "echo", "second")
    wait_line(second.stderr, "waiting")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert house.let_go(holder) == 0
    assert second.communicate(timeout=20)[0] == "second\n"


def test_the_number_of_a_killed_holder_is_given_back(house: House) -> None:
    holder = house.hold("-r", "_S_ticket[1]")
    waiter = house.spawn("run", "-v", "-r", "_S_ticket[1]", "--", "echo", "{}")
    wait_line(waiter.stderr, "waiting")
    holder.send_signal(signal.SIGKILL)
    assert waiter.communicate(timeout=20)[0] == "1\n"


def test_a_stopped_holder_still_holds(house: House) -> None:
    holder = house.hold("-r", "printer")
    holder.send_signal(signal.SIGSTOP)
    refused = house.run("run", "-n", "-r", "printer", "--", "true")
    assert refused.returncode == 98
    assert f"pid {holder.pid}" in refused.stderr
    holder.send_signal(signal.SIGCONT)
    assert house.let_go(holder) == 0
