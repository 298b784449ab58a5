"""The right to a directory: one has it, who ends or starts is waited for, and its removal changes nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from holdfast.cli import right
from holdfast.cli.right import claim, lock_directory, lock_when_ended, say_starting
from holdfast.transport.errors import Unreachable
from support import House


def test_one_process_at_a_time_has_the_right_to_a_directory(house: House) -> None:
    taken = lock_directory(str(house.path))
    with pytest.raises(Unreachable, match="a daemon is running already"):
        lock_directory(str(house.path))
    copy = os.dup(taken)  # a locker's
    os.close(taken)
    (house.path / "left-behind-1").write_text("process 1 still serves printer\n")
    with pytest.raises(Unreachable, match="process 1 still serves printer"):
        lock_directory(str(house.path))
    os.close(copy)
    os.close(lock_directory(str(house.path)))


def test_the_right_outlives_the_removal_of_the_directory(house: House) -> None:
    path = f"{house.path}/run/local"
    os.makedirs(path)
    with claim(path):
        shutil.rmtree(f"{house.path}/run/local")
        with pytest.raises(Unreachable, match=f"process {os.getpid()} still serves"):
            claim(path)
        claim(f"{house.path}/run/other").close()
    claim(path).close()


def test_somebody_elses_name_keeps_nobody_from_working(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{house.path}/run/local"
    os.makedirs(path)
    with claim(path):
        monkeypatch.setattr(right, "_owner", lambda name: 0)
        claim(path).close()


class Other:
    """Another daemon of the house, as far as it has a right; ``becomes`` is what happens when we have waited once."""

    def __init__(self, house: House, patch: pytest.MonkeyPatch) -> None:
        self.directory, self.socket = str(house.path), f"{house.path}/s"
        self.right = lock_directory(self.directory)
        self.listener = socket.socket(socket.AF_UNIX)
        self._patch = patch

    def becomes(self, change: Callable[[], object]) -> None:
        changes = [change]
        self._patch.setattr(time, "sleep", lambda seconds: changes.pop()())

    def leave_its_socket(self) -> None:
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(self.socket)

    def listen(self) -> None:
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.listener.bind(self.socket)
        self.listener.listen()

    def end(self) -> None:
        os.close(self.right)
        self.right = -1


@pytest.fixture
def other(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Other]:
    other = Other(house, monkeypatch)
    yield other
    other.listener.close()
    if other.right >= 0:
        other.end()


@pytest.mark.parametrize("killed", [False, True])
def test_a_daemon_that_ends_is_waited_for_also_if_it_was_killed(other: Other, killed: bool) -> None:
    if killed:
        other.leave_its_socket()
    other.becomes(other.end)
    for descriptor in lock_when_ended(other.directory, other.socket):
        os.close(descriptor)


@pytest.mark.parametrize("killed", [False, True])
def test_a_daemon_that_starts_is_waited_for_until_it_listens(other: Other, killed: bool) -> None:
    if killed:
        other.leave_its_socket()
    other.becomes(other.listen)
    with pytest.raises(Unreachable, match="a daemon is running already"):
        lock_when_ended(other.directory, other.socket)


def test_a_lock_that_is_still_held_is_told_at_once(house: House, other: Other) -> None:
    other.leave_its_socket()
    (house.path / "left-behind-1").write_text("process 1 still serves printer\n")
    other.becomes(lambda: pytest.fail("it has waited"))
    with pytest.raises(Unreachable, match="process 1 still serves printer"):
        lock_when_ended(other.directory, other.socket)


def test_who_neither_listens_nor_ends_is_not_waited_for_for_ever(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(right, "ENDING", 0.0)
    with pytest.raises(Unreachable, match="or is starting or ending"):
        lock_when_ended(other.directory, other.socket)


def test_who_starts_by_hand_says_so_and_who_was_started_leaves_it_to_his_starter(house: House) -> None:
    starter = say_starting(str(house.path))
    started = say_starting(str(house.path))
    with pytest.raises(BlockingIOError):
        fcntl.flock(started, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(starter)
    fcntl.flock(started, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(started)
