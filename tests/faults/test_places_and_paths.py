"""Where the daemon's socket would be, there is something else: it is never touched, and we say what to do."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from support import House

pytestmark = pytest.mark.slow


def refused(house: House, *words: str) -> str:
    """What a command says that cannot even begin; its code is 99."""
    done = house.run("run", "-r", "printer", *words, "--", "true")
    assert done.returncode == 99, done
    assert done.stderr.startswith("holdfast: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_users_file_at_the_socket_path_is_left_alone(house: House) -> None:
    file = house.path / "notes.txt"
    file.write_text("dear diary")
    assert "not a socket" in refused(house, "--socket", str(file))
    assert file.read_text() == "dear diary"


def test_a_socket_with_no_daemon_is_replaced(house: House) -> None:
    path = house.path / "old.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    environ = {"HOLDFAST_SOCKET": str(path)}
    assert house.run("run", "-r", "printer", "--", "echo", "yes", environ=environ).stdout == "yes\n"
    assert house.run("stop", "--now", environ=environ).returncode == 0


def test_something_that_is_no_daemon_behind_the_socket(house: House) -> None:
    path = house.path / "other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        wrapper = house.spawn("run", "-r", "printer", "--socket", str(path), "--", "true")
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            assert wrapper.wait(20) == 99
    assert "not a Holdfast socket" in wrapper.communicate()[1]
    assert path.exists()


def test_a_socket_path_that_is_too_long(house: House) -> None:
    assert "too long" in refused(house, "--socket", f"/tmp/{'x' * 110}")


def test_a_directory_of_somebody_else(house: House) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root: only root can give a directory away")
    house.run_dir.mkdir(mode=0o700)
    os.chown(house.run_dir, 12345, 12345)
    assert "belongs to user 12345" in refused(house)


def test_a_directory_that_is_open_to_others(house: House) -> None:
    house.run_dir.mkdir()
    house.run_dir.chmod(0o777)
    assert "chmod 700" in refused(house)


def test_a_run_directory_that_is_a_link(house: House) -> None:
    real = house.path / "real"
    real.mkdir(mode=0o700)
    house.run_dir.symlink_to(real)
    assert "not a directory" in refused(house)


def test_no_daemon_and_none_may_be_started(house: House) -> None:
    assert "holdfast serve" in refused(house, "--lifespan", "0")
    done = house.run("run", "-r", "x", "--", "true", environ={"HOLDFAST_AUTOSTART": "no"})
    assert done.returncode == 99


def test_a_full_disk_under_the_log_does_not_end_the_daemon(house: House) -> None:
    (house.run_dir / "local").mkdir(mode=0o700, parents=True)
    house.run_dir.chmod(0o700)
    (house.run_dir / "local" / "daemon.log").symlink_to("/dev/full")
    assert house.run("run", "-r", "printer", "--", "echo", "yes").stdout == "yes\n"
    assert Path("/dev/full").exists()
