"""The listening socket at a UNIX path: what may stand there, and for whom it is."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.transport.errors import Unreachable
from holdfast.transport.listeners import UnixListener, listen_unix


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # tmp_path is too long for a socket
        yield f"{directory}/s"


def test_the_socket_is_for_our_own_user_only(path: str) -> None:
    with listen_unix(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_socket_is_left_alone(path: str, make: Callable[[Path], None]) -> None:
    make(Path(path))
    before = os.lstat(path)
    with pytest.raises(Unreachable, match="not a socket of ours"):
        listen_unix(path)
    assert os.path.samestat(os.lstat(path), before)


def test_a_living_socket_is_left_alone(path: str) -> None:
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        with pytest.raises(Unreachable, match="somebody listens"):
            listen_unix(path)
        client.connect(path)


def test_a_dead_socket_is_replaced(path: str) -> None:
    listen_unix(path).close()
    assert os.path.lexists(path)
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/tmp/" + "x" * 200])
def test_where_nothing_can_listen_a_sentence_says_why(path: str) -> None:
    with pytest.raises(Unreachable, match=r"cannot listen at .*: (No such file|AF_UNIX path too long)"):
        listen_unix(path)


def test_the_umask_is_what_it_was(path: str) -> None:
    before = os.umask(0o22)
    try:
        listen_unix(path).close()
        assert os.umask(0o22) == 0o22
    finally:
        os.umask(before)


def test_what_stands_at_the_path_is_taken_away_only_if_it_is_its_own(path: str) -> None:
    listener = UnixListener(path)
    os.rename(path, f"{path}-aside")
    with listen_unix(path):
        listener.close()
        assert os.path.lexists(path)
    os.unlink(path)
    UnixListener(path).close()
    assert not os.path.lexists(path)
