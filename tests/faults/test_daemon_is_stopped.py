"""The daemon is told to stop: when it is idle, or now. And its processes are killed, one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from holdfast.actors.nursery import COMM
from support import House, alive, wait_dead, wait_line, wait_until

pytestmark = pytest.mark.slow


def waiting(house: House, *words: str) -> subprocess.Popen[str]:
    """A command that waits for the printer."""
    process = house.spawn("run", "-v", "-r", "printer", *words, "--", "echo", "mine")
    wait_line(process.stderr, "waiting")
    return process


def test_quiesce_lets_those_inside_finish(house: House) -> None:
    holder = house.hold("-r", "printer")
    waiter = waiting(house)
    daemon = house.daemon()
    assert house.run("stop").returncode == 0
    assert house.let_go(holder) == 0
    assert waiter.communicate(timeout=20)[0] == "mine\n"
    wait_dead(daemon)
    wait_until(lambda: not house.processes(), "the end of all processes")


def test_a_daemon_stopped_now_takes_the_locks_along(house: House) -> None:
    holder = house.hold("-r", "printer")
    waiter = waiting(house)
    assert house.run("stop", "--now").returncode == 0
    assert [pid for pid in house.processes() if pid not in _family(holder.pid, waiter.pid)] == []
    assert waiter.wait(20) == 99
    assert "stopped" in waiter.stderr.read()  # type: ignore[union-attr]
    assert "lost" in wait_line(holder.stderr, "holdfast: ")
    assert house.let_go(holder) == 99


def _family(*pids: int) -> set[int]:
    """Processes and their children."""
    found = set(pids)
    for pid in pids:
        found.update(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return found


def test_a_killed_locker_ends_its_resource_and_no_other(house: House) -> None:
    bystander = house.hold("-r", "plotter")
    others = house.lockers()
    holder = house.hold("-r", "printer")
    waiter = waiting(house)
    (locker,) = house.lockers() - others
    os.kill(locker, signal.SIGKILL)
    assert "lost" in wait_line(holder.stderr, "holdfast: ")
    assert waiter.wait(20) == 99
    refused = house.run("run", "-r", "printer", "--", "true")
    assert refused.returncode == 99
    assert "holdfast stop" in refused.stderr
    assert house.let_go(holder) == 99
    assert house.run("run", "-n", "-r", "plotter", "--", "true").returncode == 98
    assert house.let_go(bystander) == 0


def test_a_killed_incubator_leaves_holders_what_they_hold(house: House) -> None:
    holder = house.hold("-r", "printer")
    waiter = waiting(house)
    os.kill(house.daemon(), signal.SIGKILL)
    assert waiter.wait(20) == 99
    refused = house.run("run", "-r", "other", "--", "true")
    assert refused.returncode == 99
    assert "still serves printer" in refused.stderr
    assert f"pid {holder.pid}" in refused.stderr
    assert house.let_go(holder) == 0
    wait_until(lambda: not house.processes(), "the end of the last locker")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0


def test_a_killed_fork_server_ends_the_daemon_when_it_is_idle(house: House) -> None:
    holder = house.hold("-r", "printer")
    daemon = house.daemon()
    (fork_server,) = (pid for pid in _family(daemon) if Path(f"/proc/{pid}/comm").read_text().strip() == COMM)
    os.kill(fork_server, signal.SIGKILL)
    wait_dead(fork_server)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 98
    assert alive(holder.pid)
    assert house.let_go(holder) == 0
    wait_dead(daemon)
    wait_until(lambda: not house.processes(), "the end of all processes")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_locker_is_not_ended_by_a_signal_to_its_group(house: House, number: int) -> None:
    holder = house.hold("-r", "printer")
    (locker,) = house.lockers()
    os.kill(locker, number)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 98
    assert alive(locker)
    assert house.let_go(holder) == 0
