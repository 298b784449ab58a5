"""Ask a daemon to end: what becomes of it, and what is said if there is none."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from holdfast.transport import control
from holdfast.transport.control import pid_behind, stop_daemon, write_dump
from holdfast.transport.errors import HoldfastError, Unreachable
from holdfast.transport.listeners import listen_unix
from holdfast.transport.messages import Hello, Welcome
from holdfast.transport.settings import Settings, load
from holdfast.transport.sockets import Router
from raw import find, holder, start_daemon
from scripted_house import NONCE
from scripted_house import House as ScriptedHouse
from support import House, alive, wait_dead, wait_line


def settings_of(house: House) -> Settings:
    return load("holdfast", {"run_dir": str(house.run_dir)}, {}, None).settings


def test_without_a_daemon_a_sentence_says_so(house: House) -> None:
    with pytest.raises(Unreachable, match="no daemon is running at"):
        stop_daemon(settings_of(house), {}, now=True)


@pytest.mark.slow
def test_now_means_that_no_process_is_left(house: House) -> None:
    path = start_daemon(house)
    raw, _, _ = holder(path, "printer")
    pid = house.daemon()
    assert stop_daemon(settings_of(house), {}, now=True) == pid
    assert house.processes() == {}
    assert not os.path.lexists(path)
    raw.wire.close()


@pytest.mark.slow
def test_when_idle_means_after_the_last_client(house: House) -> None:
    path = start_daemon(house)
    raw, _, _ = holder(path, "printer")
    pid = stop_daemon(settings_of(house), {}, now=False)
    find(path, "printer")
    assert alive(pid)
    raw.wire.close()
    wait_dead(pid)


def test_the_process_behind_a_socket_is_the_kernels_word(house: House) -> None:
    path = f"{house.path}/s"
    with listen_unix(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        assert pid_behind(client.fileno()) == os.getpid()


def test_something_that_does_not_answer_is_not_waited_for_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It speaks ZMTP, but is no daemon."""
    monkeypatch.setattr(control, "PATIENCE", 0.01)
    path = f"{house.path}/s"
    router = Router(path, limit=1000)
    asked = load("holdfast", {"socket": path}, {}, None).settings
    with pytest.raises(HoldfastError, match="has not answered"):
        stop_daemon(asked, {}, now=True)
    router.close()


ENDS_WHEN_ASKED = """
import sys
from holdfast.transport.sockets import Router
router = Router(sys.argv[1], limit=1000)
print("ready", flush=True)
while not router.wait(20_000).messages:
    router.changes()
"""


@pytest.mark.slow
@pytest.mark.parametrize("now", [True, False])
def test_a_daemon_that_ends_before_it_answers_has_ended(house: House, now: bool) -> None:
    path = f"{house.path}/s"
    ending = house.popen([sys.executable, "-c", ENDS_WHEN_ASKED, path])
    wait_line(ending.stdout, "ready")
    assert stop_daemon(load("holdfast", {"socket": path}, {}, None).settings, {}, now=now) == ending.pid
    assert not alive(ending.pid)


def test_for_a_dump_too_there_must_be_a_daemon_that_answers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match="no daemon is running at"):
        write_dump(settings_of(house), {})
    monkeypatch.setattr(control, "PATIENCE", 0.01)
    path = f"{house.path}/s"
    router = Router(path, limit=1000)
    with pytest.raises(Unreachable, match="has not answered"):
        write_dump(load("holdfast", {"socket": path}, {}, None).settings, {})
    router.close()


def test_a_daemon_that_is_too_old_for_dumps_is_told_so() -> None:
    with ScriptedHouse() as old:
        old.answers[Hello] = [Welcome(NONCE, 0, 0)]
        with pytest.raises(Unreachable, match="is of an older version and writes no dumps; restart it"):
            write_dump(old.settings, {})


@pytest.mark.slow
def test_a_daemon_that_ends_before_it_has_written_says_nothing_and_we_say_so(house: House) -> None:
    path = f"{house.path}/s"
    wait_line(house.popen([sys.executable, "-c", ENDS_WHEN_ASKED, path]).stdout, "ready")
    with pytest.raises(Unreachable, match="ended before it had written"):
        write_dump(load("holdfast", {"socket": path}, {}, None).settings, {})


def test_a_daemon_that_ended_meanwhile_is_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    with pytest.raises(Unreachable, match="has just ended"):
        control._open_process(dead, "/s")
