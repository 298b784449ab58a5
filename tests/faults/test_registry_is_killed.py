"""The registry is killed, once or again and again: locking goes on, and it is back, or rests and is refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.actors.staff import RESTARTS
from holdfast.transport.messages import Located, Observe, Refusal, Refused, Watch
from raw import Raw, hello, start_daemon
from support import House, alive, wait_dead, wait_state, wait_until

pytestmark = pytest.mark.slow

COMM = "holdfast-regist"


def registries(house: House) -> list[int]:
    """The pids of the living processes that are called so."""
    return [pid for pid in house.processes() if _comm(pid) == COMM and alive(pid)]


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def registry(house: House, *not_these: int) -> int:
    """The pid of the registry, as soon as there is one."""
    [pid] = wait_until(lambda: [pid for pid in registries(house) if pid not in not_these], "a registry")
    return pid


def observe(path: str) -> Located | Refused:
    with Raw(path) as raw:
        raw.enter(hello(), Observe())
        answer = raw.hear()
        assert isinstance(answer, Located | Refused)
        return answer


def test_a_killed_registry_is_back_while_locks_are_served(house: House) -> None:
    path = start_daemon(house)
    held = house.hold("-r", "printer")
    first = registry(house)
    where = observe(path)
    os.kill(first, signal.SIGKILL)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 98
    second = registry(house, first)
    assert second != first
    again = observe(path)
    assert isinstance(again, Located)
    assert again != where
    assert [name.name for name in Path(path).parent.glob("registry-*")] == [again.address]
    with Raw(f"{Path(path).parent}/{again.address}") as raw:
        raw.enter(hello(), Watch(0, 0.0))
        raw.hear()
    assert house.let_go(held) == 0


def test_one_that_keeps_dying_rests_and_locks_are_served_all_the_same(house: House) -> None:
    path = start_daemon(house)
    killed: list[int] = []
    for _ in range(RESTARTS + 1):
        assert isinstance(observe(path), Located)  # it is ready
        killed.append(registry(house, *killed))
        os.kill(killed[-1], signal.SIGKILL)
        wait_dead(killed[-1])
    log = Path(path).parent / "daemon.log"
    wait_until(lambda: "HFD025E" in log.read_text(), "the line that says so")
    refused = observe(path)
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.EXHAUSTED
    assert "registry keeps dying" in refused.sentence
    assert registries(house) == []
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert log.read_text().count("HFD024W") == RESTARTS


def test_a_registry_that_is_stopped_delays_neither_locks_nor_the_end(house: House) -> None:
    start_daemon(house)
    pid = registry(house)
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert house.run("stop", "--now").returncode == 0
    assert house.processes() == {}
