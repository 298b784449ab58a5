"""The process that shows the files: what it says, what it is called, and what it does about signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli.mount import MODULE
from mounts import is_mounted, mount_point, needs_fuse, read, server_of, wait_mounted, wait_unmounted
from raw import start_daemon
from support import LIMIT, House, wait_dead, wait_line, wait_until

pytestmark = [pytest.mark.slow, needs_fuse]


@pytest.fixture
def files(house: House) -> Iterator[Path]:
    with mount_point(house) as path:
        yield path


def show(house: House, path: Path, *more: str) -> subprocess.Popen[str]:
    """Show files in the foreground."""
    return house.popen([house.words()[0], "-P", "-m", MODULE, f"rundir={house.run_dir}", f"mount={path}", *more])


def log(house: House) -> str:
    return (house.run_dir / "local/daemon.log").read_text()


def test_without_a_daemon_it_says_so(house: House, files: Path) -> None:
    house.run_dir.mkdir(mode=0o700)
    process = show(house, files)
    assert "no daemon is running at" in process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 99


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_the_mount(house: House, files: Path, number: int) -> None:
    start_daemon(house)
    process = show(house, files)
    wait_mounted(files)
    assert os.listdir(files) == ["status"]  # libfuse is at work, and has its own handler for INT no longer
    process.send_signal(number)
    assert process.wait(LIMIT) == 0
    assert not is_mounted(files)


def test_it_has_a_name_and_can_be_asked_for_its_stacks(house: House, files: Path) -> None:
    start_daemon(house)
    process = show(house, files)
    wait_mounted(files)
    assert Path(f"/proc/{process.pid}/comm").read_text() == "holdfast-files\n"
    assert os.listdir(files) == ["status"]
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGUSR2)
    assert "Thread" in wait_line(process.stderr, "Thread")
    process.terminate()
    assert process.wait(LIMIT) == 0


def test_in_the_background_it_answers_once_the_files_are_there(house: House, files: Path) -> None:
    start_daemon(house)
    process = show(house, files, "ready=1")
    assert wait_line(process.stdout, "") == "ready\n"
    assert is_mounted(files)
    assert server_of(files) != process.pid


def test_an_actor_shows_the_files_and_logs_it(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    wait_until(lambda: "HFD050I the files are shown" in log(house))


def test_an_actor_that_is_killed_is_replaced_and_shows_them_again(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_until(lambda: log(house).count("HFD050I") == 1)
    first = server_of(files)
    os.kill(first, signal.SIGKILL)
    wait_dead(first)
    assert server_of(files) != first
    wait_until(lambda: log(house).count("HFD050I") == 2)
    assert os.listdir(files) == ["status"]


def test_an_actor_that_is_told_to_end_unmounts_and_is_replaced(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_until(lambda: log(house).count("HFD050I") == 1)
    first = server_of(files)
    os.kill(first, signal.SIGTERM)
    wait_dead(first)
    wait_until(lambda: log(house).count("HFD050I") == 2)
    assert os.listdir(files) == ["status"]


def test_an_actor_that_cannot_show_them_says_why_once_and_locking_goes_on(house: House, files: Path) -> None:
    (files / "x").touch()
    start_daemon(house, f"mount={files}")
    wait_until(lambda: "HFD051W" in log(house))
    assert "is not empty" in log(house)
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert house.run("status").returncode == 0
    assert "HFD024W" not in log(house)


HASTY = """
import sys
from holdfast.transport import follow
follow.LIFE, follow.SILENCE, follow.PATIENCE = 0.2, 2.0, 0.5
from holdfast.vfs import feed
feed.GUARD = 0.1
from holdfast.vfs.files_process import alone
sys.exit(alone(sys.argv[1:]))
"""


def test_a_stopped_registry_costs_no_mount_and_nothing_old_is_shown_meanwhile(house: House, files: Path) -> None:
    start_daemon(house)
    holder = house.hold("-r", "printer")
    process = house.popen([house.words()[0], "-P", "-c", HASTY, f"rundir={house.run_dir}", f"mount={files}"])
    wait_until(lambda: is_mounted(files) and len(os.listdir(files / "status/lockers")) == 1)
    registry = registry_of(house)
    os.kill(registry, signal.SIGSTOP)
    try:
        wait_until(lambda: os.listdir(files / "status") == ["summary"])
        assert "told nothing for 2s" in read(files / "status/summary")
        assert house.let_go(holder) == 0
    finally:
        os.kill(registry, signal.SIGCONT)
    wait_until(lambda: "lockers" in os.listdir(files / "status"))
    wait_until(lambda: os.listdir(files / "status/lockers") == [])
    assert server_of(files) == process.pid
    assert registry_of(house) == registry
    house.run("stop", "--now")
    assert process.wait(LIMIT) == 0
    assert not is_mounted(files)


def test_an_actor_that_is_killed_while_the_registry_is_stopped_is_replaced_by_one_that_waits_for_it(
    house: House, files: Path
) -> None:
    start_daemon(house, f"mount={files}")
    wait_until(lambda: log(house).count("HFD050I") == 1)
    registry = registry_of(house)
    os.kill(registry, signal.SIGSTOP)
    try:
        first = server_of(files)
        os.kill(first, signal.SIGKILL)
        wait_dead(first)
        wait_until(lambda: log(house).count("HFD050I") == 2)
        assert "has not been there" in read(files / "status/summary")
    finally:
        os.kill(registry, signal.SIGCONT)
    wait_until(lambda: "lockers" in os.listdir(files / "status"))
    assert log(house).count("HFD024W") == 1


def registry_of(house: House) -> int:
    actors = json.loads(house.run("status", "--json").stdout)["actors"]
    return next(actor["pid"] for actor in actors if actor["role"] == "registry")


def test_two_daemons_do_not_show_files_at_one_place(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    with House() as other:
        start_daemon(other, f"mount={files}")
        wait_until(lambda: "already" in log(other))
    assert os.listdir(files) == ["status"]
    house.run("stop", "--now")
    wait_unmounted(files)
