"""``holdfast umount``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mounts import is_mounted, mount_point, needs_fuse, server_of, wait_mounted
from raw import start_daemon
from support import House, alive, wait_until

pytestmark = [pytest.mark.slow, needs_fuse]


@pytest.fixture
def files(house: House) -> Iterator[Path]:
    with mount_point(house) as path:
        yield path


def refused(house: House, path: str) -> str:
    done = house.run("umount", path)
    assert (done.returncode, done.stdout) == (99, "")
    return done.stderr


def test_when_it_returns_mount_and_process_are_gone(house: House, files: Path) -> None:
    start_daemon(house)
    house.run("mount", str(files))
    pid = server_of(files)
    done = house.run("umount", f"{files}/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not is_mounted(files)
    wait_until(lambda: not alive(pid))
    assert house.run("mount", str(files)).returncode == 0


def test_a_reader_inside_does_not_keep_it(house: House, files: Path) -> None:
    start_daemon(house)
    house.run("mount", str(files))
    with open(files / "status/summary") as summary:
        assert house.run("umount", str(files)).returncode == 0
        assert not is_mounted(files)
        with pytest.raises(OSError, match=r"not connected|Input/output|aborted"):
            os.pread(summary.fileno(), 1, 0)


def test_a_daemon_whose_files_were_taken_away_shows_them_no_more(house: House, files: Path) -> None:
    start_daemon(house, f"mount={files}")
    wait_mounted(files)
    server_of(files)
    assert house.run("umount", str(files)).returncode == 0
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert not is_mounted(files)
    assert "HFD024W" not in (house.run_dir / "local/daemon.log").read_text()


def test_what_is_not_ours_is_left_as_it_is(house: House, tmp_path: Path) -> None:
    assert "nothing is mounted at" in refused(house, str(tmp_path))
    assert "not ours (proc, proc)" in refused(house, "/proc")
    assert os.path.exists("/proc/self")
