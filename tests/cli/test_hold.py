"""``--hold``: which kind of lock it is, what the command finds of it, and what is said of those who keep it."""

from __future__ import annotations

import os
import subprocess

import pytest

from holdfast.cli import hold
from holdfast.cli.hold import TellingTreeLock, environment_with_descriptor, heirs, kind_of_lock
from holdfast.transport.lasting import CommandLock, TreeLock
from holdfast.transport.settings import Settings
from support import House, wait_line


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (Settings(hold="command"), CommandLock),
        (Settings(hold="command", verbose=True), CommandLock),
        (Settings(hold="tree"), TreeLock),
        (Settings(hold="tree", verbose=True), TellingTreeLock),
    ],
)
def test_the_settings_say_what_kind_of_lock_it_is(settings: Settings, kind: type) -> None:
    assert kind_of_lock(settings) is kind


def test_the_command_finds_the_descriptor_in_its_environment() -> None:
    lock = CommandLock("x", settings=Settings())
    lock.inherited = 117
    assert environment_with_descriptor(lock)["HOLDFAST_FD"] == "117"
    assert environment_with_descriptor(lock)["HOLDFAST_RESOURCE"] == "x"
    lock.inherited = -1


def test_the_heirs_of_a_descriptor_are_those_who_have_it_open() -> None:
    ours, theirs = os.pipe()
    with subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL) as heir:
        assert set(heirs(ours)) == {os.getpid(), heir.pid}
        os.close(ours)
        os.close(theirs)
    with pytest.raises(OSError, match="No such file"):
        heirs(ours)


def test_the_outcome_is_told_also_where_nobody_can_be_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def fail(descriptor: int) -> list[int]:
        raise OSError("no /proc")

    monkeypatch.setattr(hold, "heirs", fail)
    monkeypatch.setattr(TellingTreeLock, "fileno", lambda self: 0)
    monkeypatch.setattr(TreeLock, "release", lambda self, **outcome: told.append(outcome))
    TellingTreeLock("x", settings=Settings()).release(rolled_back=True, wait=True)
    assert told == [{"rolled_back": True, "wait": True}]


@pytest.mark.slow
def test_it_is_said_with_whom_the_lock_stays(house: House) -> None:
    wrapper = house.spawn("run", "-v", "--hold", "tree", "-r", "x", "--", "sh", "-c", "sleep 60 & echo $!")
    assert wrapper.stdout is not None
    heir = wrapper.stdout.readline().strip()
    assert f": {heir} (" in wait_line(wrapper.stderr, "the lock stays until these have ended")
    os.kill(int(heir), 9)


@pytest.mark.slow
def test_nothing_is_said_where_nobody_is_left(house: House) -> None:
    done = house.run("run", "-v", "--hold", "tree", "-r", "x", "--", "true")
    assert done.returncode == 0
    assert "granted" in done.stderr
    assert "stays" not in done.stderr


@pytest.mark.slow
def test_another_word_is_refused(house: House) -> None:
    refused = house.run("run", "--hold", "forever", "-r", "x", "--", "true")
    assert refused.returncode == 99
    assert "hold: " in refused.stderr
    assert "wrapper, command" in refused.stderr
