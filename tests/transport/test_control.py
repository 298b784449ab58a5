"""Ask a daemon to end: what becomes of it, and what is said if there is none."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace

import pytest

from holdfast.transport import control, discover, question, zmtp
from holdfast.transport.client import Lock
from holdfast.transport.control import pid_behind, stop_daemon, write_dump
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import HoldfastError, Unreachable
from holdfast.transport.listeners import listen_unix
from holdfast.transport.messages import Hello, Stop, Stopping, Welcome
from holdfast.transport.settings import Settings, load
from holdfast.transport.sockets import Router
from holdfast.transport.target import target
from raw import find, holder, start_daemon
from scripted_house import NONCE
from scripted_house import House as ScriptedHouse
from support import House, alive, wait_dead, wait_line, wait_until


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
    monkeypatch.setattr(question, "PATIENCE", 0.01)
    path = f"{house.path}/s"
    router = Router(path, limit=1000)
    asked = load("holdfast", {"socket": path}, {}, None).settings
    with pytest.raises(HoldfastError, match="has not answered"):
        stop_daemon(asked, {}, now=True)
    router.close()


ENDS_WHEN_ASKED = """
import sys
from holdfast.transport.sockets import Router
from holdfast.transport.target import target
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
    monkeypatch.setattr(question, "PATIENCE", 0.01)
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


# --- over the network -------------------------------------------------------------------------------------------------


def listening(house: House, *more: str) -> Settings:
    """A daemon that listens on the network too; where it is."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        tcp = Tcp(*once.getsockname())
    serving = house.spawn("serve", "--bind", str(tcp), *more)
    settings = Settings(run_dir=str(house.run_dir), endpoint=tcp)
    wait_until(lambda: serving.poll() is not None or discover.find(settings), "the daemon")
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", ["/tmp/nothing-is-here", None])
def test_a_daemon_that_listens_on_the_network_is_ended_from_here_and_from_elsewhere(
    house: House, elsewhere: str | None
) -> None:
    settings = listening(house, "--insecure")
    if elsewhere is not None:
        settings = replace(settings, run_dir=elsewhere)
    pid = stop_daemon(settings, {}, now=True)
    wait_dead(pid)
    with pytest.raises(Unreachable, match=f"no daemon is running at {settings.endpoint}"):
        stop_daemon(settings, {}, now=True)


@pytest.mark.slow
def test_whoever_it_belongs_to_ends_it_from_here_alone(house: House) -> None:
    settings = listening(house)
    with pytest.raises(HoldfastError, match="may stop it"):
        stop_daemon(replace(settings, run_dir="/tmp/nothing-is-here"), {}, now=True)
    stop_daemon(settings, {}, now=True)


@pytest.mark.slow
def test_from_elsewhere_too_it_can_be_told_to_end_when_it_is_idle(house: House) -> None:
    settings = replace(listening(house, "--insecure"), run_dir="/tmp/nothing-is-here")
    assert write_dump(settings, {}).startswith(str(house.run_dir))
    with Lock("printer", settings=settings):
        pid = stop_daemon(settings, {}, now=False)
        assert alive(pid)
    wait_dead(pid)


def test_over_the_network_the_end_of_the_connection_is_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(control, "END", 0.01)
    with ScriptedHouse() as daemon:
        daemon.answers[Stop] = [Stopping(7)]
        wire = zmtp.Wire(target(daemon.settings).place.socket)
        with pytest.raises(Unreachable, match=r"process 7 there\) was told to end and has not"):
            control._stop_there(wire, {}, now=True)
