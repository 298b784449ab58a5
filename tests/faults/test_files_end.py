"""However it ends, no mount is left: the daemon, its files' process, both at once, with readers inside."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mounts import FLOM, is_mounted, mount_point, needs_fuse, server_of, wait_mounted, wait_unmounted
from raw import start_daemon
from support import LIMIT, House, wait_dead, wait_line, wait_state, wait_until

pytestmark = [pytest.mark.slow, needs_fuse]


@pytest.fixture
def files(house: House) -> Iterator[Path]:
    with mount_point(house) as path:
        yield path


def kill(house: House, number: int) -> None:
    pid = house.daemon()
    os.kill(pid, number)
    wait_dead(pid)


def kill_all(house: House) -> None:
    """At once, so that none of them sees another one's end."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in house.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    wait_until(lambda: not house.processes())


ENDS: list[Callable[[House], object]] = [
    lambda house: house.run("stop"),
    lambda house: house.run("stop", "--now"),
    lambda house: house.popen([*FLOM, "-x"]).wait(LIMIT),
    lambda house: house.popen([*FLOM, "-X"]).wait(LIMIT),
    lambda house: kill(house, signal.SIGTERM),
    lambda house: kill(house, signal.SIGINT),
    lambda house: kill(house, signal.SIGKILL),
]
NAMES = ["stop", "stop --now", "flom -x", "flom -X", "TERM", "INT", "KILL"]


@pytest.mark.parametrize("end", ENDS, ids=NAMES)
@pytest.mark.parametrize("inside", [False, True], ids=["", "a reader inside"])
def test_the_end_of_the_daemon_is_the_end_of_the_mount(
    house: House, files: Path, end: Callable[[House], object], inside: bool
) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    reader = (
        house.popen(["sh", "-c", "cd status && exec 3<summary && echo inside && exec cat"], cwd=files)
        if inside
        else None
    )
    if reader:
        wait_line(reader.stdout, "inside")
    end(house)
    wait_unmounted(files)
    wait_until(lambda: [*house.processes()] == ([reader.pid] if reader else []))
    assert os.listdir(files) == []
    assert "HFD023W" not in (house.run_dir / "local/daemon.log").read_text(), "nobody had to be killed"


def test_a_daemon_that_ends_by_itself_leaves_no_mount(house: House, files: Path) -> None:
    command = house.popen([*FLOM, "-m", str(files), "-d", "1", "--", "cat"])
    wait_mounted(files)
    command.communicate(timeout=LIMIT)
    wait_unmounted(files)
    wait_until(lambda: not house.processes())


def test_with_a_reader_inside_the_files_are_shown_again_after_their_process_was_killed(
    house: House, files: Path
) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    reader = os.open(files / "status/summary", os.O_RDONLY)
    try:
        first = server_of(files)
        os.kill(first, signal.SIGKILL)
        wait_dead(first)
        wait_until(lambda: server_of(files) != first)
        wait_until(lambda: is_mounted(files) and _listing(files) == ["status"])
    finally:
        with suppress(OSError):  # nobody is behind it any more
            os.close(reader)


def _listing(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:  # the dead one
        return []


@pytest.mark.parametrize("way", ["flom -m", "serve --mount", "mount"])
def test_a_dead_mount_of_ours_is_cleared_at_the_next_start(house: House, files: Path, way: str) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    server_of(files)
    kill_all(house)
    assert is_mounted(files)
    with pytest.raises(OSError, match=r"not connected|connection abort"):  # the other one: just now
        os.listdir(files)
    if way == "flom -m":
        house.popen([*FLOM, "-m", str(files), "-d", "-1", "--", "cat"])
    elif way == "serve --mount":
        house.spawn("serve", "--mount", str(files))
    else:
        house.hold("-r", "printer", "--lifespan", "forever")
        assert house.run("mount", str(files)).returncode == 0
    wait_until(lambda: _listing(files) == ["status"])


def test_a_dead_mount_is_taken_away_by_umount(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    server_of(files)
    kill_all(house)
    assert house.run("umount", str(files)).returncode == 0
    assert not is_mounted(files)


def test_a_stopped_process_of_the_files_keeps_neither_umount_nor_the_daemons_end(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    pid = server_of(files)
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert house.run("stop", "--now", timeout=LIMIT).returncode == 0
    assert not is_mounted(files)
    assert os.listdir(files) == []


def test_of_a_stopped_process_that_served_the_files_umount_and_mount_say_what_to_do(house: House, files: Path) -> None:
    start_daemon(house)
    house.run("mount", str(files))
    pid = server_of(files)
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    for command in ("umount", "umount", "mount"):
        done = house.run(command, str(files))
        assert done.returncode == 99
        assert f"kill -CONT {pid}" in done.stderr
        assert not is_mounted(files)
    os.kill(pid, signal.SIGCONT)
    wait_dead(pid)
    assert house.run("mount", str(files)).returncode == 0


def test_the_end_of_a_daemon_leaves_what_somebody_else_shows_there(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    server_of(files)
    assert house.run("umount", str(files)).returncode == 0
    with House() as other:
        start_daemon(other)
        assert other.run("mount", str(files)).returncode == 0
        assert house.run("stop", "--now").returncode == 0
        assert _listing(files) == ["status"]


def test_serve_refuses_what_it_can_see_at_once(house: House, files: Path) -> None:
    (files / "x").touch()
    done = subprocess.run(
        house.words("serve", "--mount", str(files)), env=house.environ, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 99
    assert done.stderr == f"holdfast: the mount point {files} is not empty; choose an empty directory\n"
    assert not house.processes()


def test_a_key_in_a_file_mounts_as_the_option_does(house: House, files: Path) -> None:
    config = house.path / "conf"
    config.write_text(f"[Daemon]\nMountPointVFS={files}\n")
    holder = house.hold("-c", str(config), "-r", "printer", "--lifespan", "forever")
    wait_mounted(files)
    wait_until(lambda: _listing(files) == ["status"])
    assert house.let_go(holder) == 0
