"""``holdfast dump`` and the signals that ask for the same: what is written where, and that everybody lives on."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from raw import find, start_daemon
from support import House, alive, wait_state, wait_until

pytestmark = pytest.mark.slow


def roles(document: dict[str, list[dict[str, object]]]) -> list[object]:
    return sorted(str(actor["role"]) for actor in document["actors"])


def test_without_a_daemon_it_says_so(house: House) -> None:
    asked = house.run("dump")
    assert asked.returncode == 99
    assert asked.stderr.startswith("holdfast: no daemon is running at ")
    assert asked.stdout == ""


def test_it_prints_the_path_of_a_document_of_everything(house: House) -> None:
    path = start_daemon(house)
    held = house.hold("-r", "printer")
    wait_until(lambda: roles(dumped(house)) == ["incubator", "locker", "locker", "locker", "registry"], "all processes")
    document = dumped(house)
    assert all(isinstance(actor["statistics"], dict) for actor in document["actors"])
    assert {actor["pid"] for actor in document["actors"]} <= set(house.processes())
    assert "printer" in json.dumps(document["picture"])
    assert sorted(name for name in os.listdir(Path(path).parent) if name.startswith(("picture", "dump"))) == sorted(
        file.name for file in Path(path).parent.glob("dump-*.json")
    )
    assert house.let_go(held) == 0


def dumped(house: House) -> dict[str, list[dict[str, object]]]:
    asked = house.run("dump")
    assert (asked.returncode, asked.stderr) == (0, "")
    file = Path(asked.stdout.rstrip("\n"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document: dict[str, list[dict[str, object]]] = json.loads(file.read_text())
    return document


def test_a_process_that_does_not_answer_is_written_down_as_that(house: House) -> None:
    path = start_daemon(house)
    find(path, "printer")
    document = wait_until(lambda: _with(house, 5), "all processes")
    pid = next(int(str(actor["pid"])) for actor in document["actors"] if actor["role"] == "locker")
    os.kill(pid, signal.SIGSTOP)
    wait_state(pid, "T")
    told = {actor["pid"]: actor["statistics"] for actor in dumped(house)["actors"]}
    os.kill(pid, signal.SIGCONT)
    assert told.pop(pid) == "no answer"
    assert "no answer" not in told.values()


def _with(house: House, number: int) -> dict[str, list[dict[str, object]]] | None:
    document = dumped(house)
    return document if len(document["actors"]) == number else None


def test_where_nothing_can_be_written_it_says_why_and_locks_are_served(house: House) -> None:
    path = start_daemon(house)
    nothing = (0, resource.RLIM_INFINITY)
    resource.prlimit(house.daemon(), resource.RLIMIT_FSIZE, nothing)  # as on a full disk, for root too
    asked = house.run("dump")
    assert asked.returncode == 99
    assert "cannot be written" in asked.stderr
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert not list(Path(path).parent.glob("dump-*"))


def test_signals_to_the_whole_house_are_answered_and_end_nobody(house: House) -> None:
    path = start_daemon(house)
    find(path, "printer")
    wait_until(lambda: _with(house, 5), "all processes")
    before = set(house.processes())
    log = Path(path).parent / "daemon.log"
    dumps = set(log.parent.glob("dump-*.json"))
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        for pid in before:
            os.kill(pid, number)
    wait_until(lambda: set(log.parent.glob("dump-*.json")) - dumps, "a dump")
    [new] = set(log.parent.glob("dump-*.json")) - dumps
    wait_until(lambda: str(new) in log.read_text(), "its name in the log")
    assert all(isinstance(actor["statistics"], dict) for actor in json.loads(new.read_text())["actors"])
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert all(alive(pid) for pid in before)


def test_usr2_to_the_daemon_brings_everybodys_stack_one_after_the_other(house: House) -> None:
    path = start_daemon(house)
    find(path, "printer")
    wait_until(lambda: _with(house, 5), "all processes")
    log = Path(path).parent / "daemon.log"
    os.kill(house.daemon(), signal.SIGUSR2)
    wait_until(lambda: log.read_text().count("most recent call first") == 5, "five stacks")
    told = log.read_text()
    assert told.count("HFD042I") == 4
    assert told.index("cli/daemon.py") < told.index("HFD042I")
    assert told.count(" in main\n") >= 5
    assert "registry_process.py" in told.partition("role=registry")[2]
