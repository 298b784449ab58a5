"""``holdfast mount``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mounts import is_mounted, mount_point, needs_fuse, server_of, wait_mounted, wait_unmounted
from raw import start_daemon
from support import LIMIT, House, wait_dead

pytestmark = [pytest.mark.slow, needs_fuse]


@pytest.fixture
def files(house: House) -> Iterator[Path]:
    with mount_point(house) as path:
        yield path


def refused(house: House, *words: str) -> str:
    done = house.run("mount", *words)
    assert (done.returncode, done.stdout) == (99, "")
    assert done.stderr.startswith("holdfast: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_it_returns_when_the_files_are_there(house: House, files: Path) -> None:
    start_daemon(house)
    done = house.run("mount", str(files))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert is_mounted(files)
    assert os.listdir(files) == ["status"]


def test_the_files_and_their_process_end_with_the_daemon(house: House, files: Path) -> None:
    start_daemon(house)
    house.run("mount", str(files))
    pid = server_of(files)
    assert house.run("stop").returncode == 0
    wait_dead(pid)
    assert not is_mounted(files)


def test_a_daemon_with_a_socket_of_its_own_is_found_by_it(house: House, files: Path) -> None:
    socket = str(house.path / "s")
    holder = house.hold("--socket", socket, "-r", "printer")
    assert house.run("mount", "--socket", socket, str(files)).returncode == 0
    assert len(os.listdir(files / "status/lockers")) == 1
    house.let_go(holder)
    wait_unmounted(files)


def test_in_the_foreground_it_stays_until_the_daemon_ends(house: House, files: Path) -> None:
    start_daemon(house)
    process = house.spawn("mount", "-f", str(files))
    wait_mounted(files)
    assert server_of(files) == process.pid
    house.run("stop", "--now")
    assert process.communicate(timeout=LIMIT)[1].startswith("holdfast: the daemon ")
    assert process.returncode == 0


def test_a_link_leads_to_where_the_files_are_shown(house: House, files: Path) -> None:
    start_daemon(house)
    (house.path / "link").symlink_to(files)
    assert house.run("mount", f"{house.path}/link/").returncode == 0
    assert is_mounted(files)
    assert "already" in refused(house, str(house.path / "link"))
    assert house.run("umount", str(house.path / "link")).returncode == 0


def test_a_place_with_blanks_in_its_name_will_do(house: House) -> None:
    start_daemon(house)
    with mount_point(house, "a b\tc\\d,e\n\r\f\x85\u2028'") as path:
        assert house.run("mount", str(path)).returncode == 0
        assert is_mounted(path)
        assert os.listdir(path) == ["status"]
        assert house.run("umount", str(path)).returncode == 0


def test_what_cannot_be_is_refused_in_a_sentence(house: House, files: Path) -> None:
    assert "no daemon is running" in refused(house, str(files))
    start_daemon(house)
    (house.path / "file").touch()
    (house.path / "full").mkdir()
    (house.path / "full" / "x").touch()
    for name, why in (("missing", "make it first: mkdir"), ("file", "not a directory"), ("full", "is not empty")):
        assert why in refused(house, str(house.path / name))
    assert "mounted at /proc already" in refused(house, "/proc")
    house.run("mount", str(files))
    assert "Holdfast's files are mounted at" in refused(house, str(files))
