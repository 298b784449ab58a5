"""Whatever else goes wrong at the same time: as long as somebody may be at work under a lock, nobody else gets it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from support import House, wait_dead, wait_line, wait_until

pytestmark = pytest.mark.slow


def fork_server(house: House) -> int:
    """The process that starts lockers."""
    daemon = house.daemon()
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    (pid,) = (int(pid) for pid in children if "forkserver" in house.processes().get(int(pid), ""))
    return pid


def test_a_name_whose_locker_died_stays_refused_when_the_fork_server_dies_too(house: House) -> None:
    holder = house.hold("-r", "printer")
    (locker,) = house.lockers()
    os.kill(locker, signal.SIGKILL)
    wait_line(holder.stderr, "lost")
    os.kill(fork_server(house), signal.SIGKILL)
    log = house.run_dir / "local" / "daemon.log"
    wait_until(lambda: "HFD005W" in log.read_text(), "the daemon to notice")
    for _ in range(3):
        refused = house.run("run", "-n", "-r", "printer", "--", "true")
        assert refused.returncode == 99
        assert "holdfast stop" in refused.stderr
    daemon = house.daemon()
    assert house.run("stop").returncode == 0
    wait_dead(daemon)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 0
    assert house.let_go(holder) == 99


@pytest.mark.parametrize("what", ["its directory was removed", "its note cannot be written"])
def test_a_holder_outlives_the_incubator_even_if(house: House, what: str) -> None:
    holder = house.hold("-r", "printer")
    daemon = house.daemon()
    local = house.run_dir / "local"
    if what == "its directory was removed":
        shutil.rmtree(house.run_dir)
    else:
        (locker,) = house.lockers()
        (local / f"left-behind-{locker}").symlink_to("/nonexistent/note")
    os.kill(daemon, signal.SIGKILL)
    wait_dead(daemon)
    refused = house.run("run", "-n", "-r", "printer", "--", "true")
    assert refused.returncode == 99, refused.stderr
    assert house.let_go(holder) == 0
    wait_until(lambda: not house.processes(), "the end of the last locker")


def test_a_daemon_whose_directory_was_removed_is_not_joined_by_a_second_one(house: House) -> None:
    holder = house.hold("-r", "printer")
    daemon = house.daemon()
    shutil.rmtree(house.run_dir)
    refused = house.run("run", "-n", "-r", "printer", "--", "echo", "twice")
    assert (refused.returncode, refused.stdout) == (99, "")
    assert f"kill {daemon}" in refused.stderr
    assert house.let_go(holder) == 0
    os.kill(daemon, signal.SIGTERM)
    wait_dead(daemon)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 0


def test_a_stopped_fork_server_stops_nobody_but_new_names(house: House) -> None:
    holder = house.hold("-r", "printer")
    server = fork_server(house)
    os.kill(server, signal.SIGSTOP)
    codes = [house.run("run", "-t", "10", "-r", f"new{number}", "--", "true").returncode for number in range(4)]
    assert codes[-1] == 99
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 98
    os.kill(server, signal.SIGCONT)
    assert house.let_go(holder) == 0


def test_a_limit_of_descriptors_that_is_too_low_for_a_daemon_is_said(house: House) -> None:
    refused = house.popen(["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *house.words("run", "-r", "x", "--", "true")])
    _, said = refused.communicate(timeout=20)
    assert refused.returncode == 99
    assert "ulimit -n" in said
