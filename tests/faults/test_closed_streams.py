"""A daemon started with its standard streams closed: what it opens then has no number that is taken for a stream's."""

from __future__ import annotations

import os
import signal

import pytest

from support import HOLDS, House, held, wait_dead, wait_until

pytestmark = pytest.mark.slow

CLOSED = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]


def started(house: House) -> int:
    """The pid of a ``holdfast serve`` without streams that can be asked."""
    process = house.popen([*CLOSED, *house.words("serve")])
    wait_until(lambda: house.run("status", environ={"HOLDFAST_AUTOSTART": "no"}).returncode == 0, "a daemon")
    return process.pid


def test_its_standard_streams_are_nobodys(house: House) -> None:
    pid = started(house)
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)} == {os.devnull}


def test_nobody_keeps_its_place_when_it_is_killed(house: House) -> None:
    pid = started(house)
    os.kill(pid, signal.SIGKILL)
    wait_dead(pid)
    assert house.run("run", "-r", "printer", "--", "echo", "next").stdout == "next\n"


def test_who_comes_is_told_at_once_who_still_serves(house: House) -> None:
    pid = started(house)
    holder = held(house.spawn("run", "-r", "printer", "--", *HOLDS))
    os.kill(pid, signal.SIGKILL)
    wait_dead(pid)
    refused = house.run("run", "-t", "60", "-r", "other", "--", "true")
    assert (refused.returncode, "still serves" in refused.stderr) == (99, True), refused.stderr
    holder.communicate(timeout=20)
