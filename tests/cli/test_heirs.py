"""Who holds by a connection that it has inherited."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from holdfast.cli.heirs import inherited_by
from holdfast.transport.records import public_name
from support import House, wait_line

SESSION = bytes(range(16))


@pytest.mark.parametrize(("open_there", "expected"), [(True, {public_name(SESSION)}), (False, set())])
def test_it_is_known_by_what_it_was_started_with_and_has_open(open_there: bool, expected: set[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        environ = {"HOLDFAST_SESSION": SESSION.hex(), "HOLDFAST_FD": str(number)}
        words = [sys.executable, "-c", "print('here', flush=True); input()"]
        passed = [number] if open_there else []
        with subprocess.Popen(
            words, env=environ, pass_fds=passed, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as heir:
            assert heir.stdout is not None
            heir.stdout.readline()
            assert inherited_by(heir.pid) == expected
            heir.communicate("\n")


def test_of_who_is_not_there_nothing_is_said() -> None:
    assert inherited_by(2**22 + 1) == set()
    assert inherited_by(os.getpid()) == set()


@pytest.mark.slow
def test_why_tells_it_of_a_process_that_was_left_behind(house: House) -> None:
    wrapper = house.spawn("run", "--hold", "tree", "-r", "x", "--", "sh", "-c", "sleep 60 & echo left $!")
    heir = wait_line(wrapper.stdout, "left").split()[1]
    assert wrapper.wait() == 0
    told = house.run("why", heir).stdout.splitlines()
    os.kill(int(heir), 9)
    assert told[0] == f"process {heir} has inherited the connection of who is told here:"
    assert f"pid {wrapper.pid}" in told[1]
    assert " holds x (EX)" in told[1]
