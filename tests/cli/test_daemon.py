"""The daemon as a process of its own: its right to the directory, its beginning and its end."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from holdfast.actors.answerer import Being
from holdfast.actors.nursery import Inherited
from holdfast.cli import daemon
from holdfast.cli.daemon import clear_leftovers
from holdfast.cli.plan import Plan
from holdfast.transport import endpoints
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import Unreachable
from holdfast.transport.messages import Seek
from holdfast.transport.multicast import seek
from holdfast.transport.wire import decode
from raw import find, start_daemon
from support import House, wait_dead, wait_until


def test_what_a_killed_daemon_left_is_cleared_and_nothing_else(house: House) -> None:
    left = ("locker-1.sock", "registry-3.sock", "picture-x.json", "dump-1.json~", "left-behind-7")
    for name in (*left, "daemon.log", "dump-1.json", "mine"):
        (house.path / name).touch()
    clear_leftovers(str(house.path))
    assert sorted(os.listdir(house.path)) == ["daemon.log", "dump-1.json", "mine"]


@pytest.mark.parametrize(("told", "address"), [("tcp://127.0.0.1:4711", "127.0.0.1"), ("tcp://[::]:4711", "")])
def test_what_is_asked_before_the_discovery_is_ready_waits_in_its_socket(told: str, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        group = Tcp("239.255.81.1", free.getsockname()[1], "lo")
    plan = Plan(socket="/s", directory="/s.d", lifespan=1.0, tcp=told, group=str(group))
    (discovery,) = [spec for spec in daemon.staff_of(plan) if spec.role == "discovery"]
    inherited, answered, being, *_ = discovery.arguments
    assert isinstance(inherited, Inherited)
    with socket.socket(fileno=inherited.descriptor) as listening:
        assert seek(group, attempts=1, timeout=0.0, ttl=1) == []
        assert isinstance(decode(listening.recv(2048)), Seek)
    assert answered == group
    assert isinstance(being, Being)
    assert (being.port, being.address) == (4711, address)


def test_it_listens_at_the_address_that_was_looked_at_before(monkeypatch: pytest.MonkeyPatch) -> None:
    other, ours = endpoints.resolve(Tcp("192.0.2.1", 0)), endpoints.resolve(Tcp("127.0.0.1", 0))
    plan = Plan(socket="/s", directory="/s.d", lifespan=1.0, tcp="tcp://name:0")
    monkeypatch.setattr(endpoints, "resolve", lambda tcp: other + ours)
    listener = daemon._listen(plan)
    assert listener is not None
    assert str(listener).startswith("127.0.0.1:")
    listener.close()
    monkeypatch.setattr(endpoints, "resolve", lambda tcp: other)
    with pytest.raises(Unreachable, match="cannot listen at name:0: that is no address of this host"):
        daemon._listen(plan)


@pytest.mark.slow
def test_it_leads_a_session_of_its_own_is_nobodys_child_and_has_no_streams_of_ours(house: House) -> None:
    path = start_daemon(house)
    pid = house.daemon()
    assert os.getsid(pid) == pid or os.getsid(pid) != os.getsid(0)
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1)} == {"/dev/null"}
    log = Path(path).parent / "daemon.log"
    assert os.readlink(f"/proc/{pid}/fd/2") == str(log)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert Path(f"/proc/{pid}/comm").read_text() == "holdfast\n"
    assert "HFD001I" in log.read_text()


@pytest.mark.slow
def test_a_long_log_is_set_aside_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = house.run_dir / "local"
    directory.mkdir(parents=True, mode=0o700)
    house.run_dir.chmod(0o700)
    (directory / "daemon.log").write_bytes(bytes(daemon.LOG_LIMIT + 1))
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert (directory / "daemon.log.1").stat().st_size == daemon.LOG_LIMIT + 1
    assert "HFD001I" in (directory / "daemon.log").read_text()


@pytest.mark.slow
def test_a_daemon_that_cannot_start_says_why(house: House) -> None:
    (house.path / "s").write_text("mine")
    words = (
        "-P",
        "-m",
        "holdfast.cli.daemon",
        f"socket={house.path}/s",
        f"directory={house.path}/d",
        "lifespan=-1",
        "ready=1",
    )
    answer, _ = house.popen([house.words()[0], *words]).communicate()
    assert "is not a socket of ours" in answer
    assert (house.path / "s").read_text() == "mine"


@pytest.mark.slow
def test_it_ends_after_its_lifespan_and_leaves_no_process_and_no_socket(house: House) -> None:
    assert house.run("run", "-r", "printer", "--idle", "0", "--lifespan", "0.3", "--", "true").returncode == 0
    wait_until(lambda: not house.processes(), "the end of all processes")
    assert [name for name in os.listdir(house.run_dir / "local") if name.endswith(".sock")] == []


@pytest.mark.slow
def test_a_daemon_whose_starter_is_gone_serves_others(house: House) -> None:
    directory = house.path / "d"
    reading, writing = os.pipe()
    os.close(reading)
    words = (
        "-P",
        "-m",
        "holdfast.cli.daemon",
        f"socket={house.path}/s",
        f"directory={directory}",
        "lifespan=-1",
        f"ready={writing}",
    )
    house.popen([house.words()[0], *words], pass_fds=(writing,)).wait()
    os.close(writing)
    wait_until(
        lambda: (directory / "daemon.log").exists() and "HFD001I" in (directory / "daemon.log").read_text(), "a daemon"
    )
    address, _ = find(f"{house.path}/s", "printer")
    assert address.startswith(f"{house.path}/locker-")
    pid = house.daemon()
    assert house.run("stop", "--now", "--socket", f"{house.path}/s").returncode == 0
    wait_dead(pid)
