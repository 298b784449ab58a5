"""The wrapper as the first process of a container: it passes signals on, buries orphans, and can die of no signal."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from support import LIMIT, House, wait_line

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode != 0,
        reason="this user may not make a namespace of processes",
    ),
]


def first(house: House, *words: str) -> subprocess.Popen[str]:
    """A wrapper that is PID 1; the daemon runs outside, or it would die with the wrapper."""
    assert house.run("run", "-r", "outside", "true").returncode == 0
    return house.popen([*CONTAINER, *house.words("run", "-r", "inside", *words)])


def first_of_many(house: House, lines: str) -> subprocess.Popen[str]:
    """``holdfast batch`` as PID 1."""
    assert house.run("run", "-r", "outside", "true").returncode == 0
    spawned = house.popen([*CONTAINER, *house.words("batch", "-r", "inside")])
    assert spawned.stdin is not None
    spawned.stdin.write(lines)
    spawned.stdin.close()
    return spawned


def pid_of_first(unshare: subprocess.Popen[str]) -> int:
    """Its pid as seen from here."""
    return int(Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text())


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -INT $$", 130), ("kill -KILL $$", 137)])
def test_it_ends_as_its_command_ended(house: House, script: str, code: int) -> None:
    wrapper = first(house, "sh", "-c", f"[ $PPID = 1 ] || exit 9; {script}")
    assert wrapper.wait() == code


def test_it_passes_on_what_would_not_reach_a_first_process(house: House) -> None:
    wrapper = first(house, "sh", "-c", "trap 'echo told; exit 5' TERM; echo ready; while :; do read line; done")
    wait_line(wrapper.stdout, "ready")
    os.kill(pid_of_first(wrapper), signal.SIGTERM)
    assert wrapper.communicate() == ("told\n", "")
    assert wrapper.returncode == 5


def test_it_is_told_to_stop_while_it_waits(house: House) -> None:
    holder = house.hold("-r", "inside")
    wrapper = first(house, "-v", "echo", "never")
    wait_line(wrapper.stderr, "waiting in line")
    os.kill(pid_of_first(wrapper), signal.SIGINT)
    assert wrapper.communicate()[0] == ""
    assert wrapper.returncode == 130
    house.let_go(holder)


def test_it_buries_orphans(house: House) -> None:
    """An orphan is gone from /proc only when its parent, now PID 1, has waited for it."""
    orphan = "orphan=$(sh -c 'true >&2 & echo $!'); while [ -e /proc/$orphan ]; do :; done; echo buried"
    wrapper = first(house, "sh", "-c", orphan)
    assert wrapper.communicate() == ("buried\n", "")


def test_it_buries_orphans_while_it_runs_many_commands(house: House) -> None:
    """The first orphan ends while its command runs, the second one while another command does."""
    first = "sh -c 'orphan=$(sh -c \"true >&2 & echo \\$!\"); while [ -e /proc/$orphan ]; do :; done; echo buried'\n"
    leaves = f"sh -c 'sh -c \"while [ ! -e {house.path}/go ]; do :; done >&2 & echo \\$!\" > {house.path}/orphan'\n"
    meets = f"sh -c 'touch {house.path}/go; while [ -e /proc/$(cat {house.path}/orphan) ]; do :; done; echo buried'\n"
    wrapper = first_of_many(house, first + leaves + meets + "sh -c 'exit 3'\n")
    assert wrapper.stdout is not None
    assert wrapper.stdout.read() == "buried\nburied\n"
    assert wrapper.wait(LIMIT) == 123
