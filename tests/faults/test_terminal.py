"""^C, ^Z and a hang-up, typed on a real (pseudo) terminal: each reaches the command once, and a shell sees it."""

from __future__ import annotations

import sys

import pytest

from support import LIMIT, House
from terminal import Terminal, shell

pytestmark = pytest.mark.slow

COUNTS = """
import signal
heard = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
print("ready", flush=True)
while (number := signal.sigwait(heard)) != signal.SIGUSR1:
    print("heard", int(number), flush=True)
"""


def test_an_interrupt_from_the_keyboard_reaches_the_command_once(house: House, terminal: type[Terminal]) -> None:
    screen = terminal(house, house.words("run", "-r", "typed", sys.executable, "-c", COUNTS))
    screen.wait("ready")
    screen.type(b"\x03")
    screen.wait("heard 2")
    screen.type(b"\x1c")
    screen.wait("heard 3")
    screen.leader.send_signal(10)
    assert screen.end() == ([], 0)


def test_a_shells_loop_ends_with_the_command_that_was_interrupted(house: House, terminal: type[Terminal]) -> None:
    loop = 'for i in 1 2; do "$@"; echo again; done; echo after'
    screen = terminal(house, shell(loop, *house.words("run", "-r", "typed", "sh", "-c", "echo ready; exec cat")))
    screen.wait("ready")
    screen.type(b"\x03")
    lines, code = screen.end()
    assert "again" not in lines
    assert "after" not in lines
    assert code == -2


def test_a_shells_loop_ends_with_the_wait_that_was_interrupted(house: House, terminal: type[Terminal]) -> None:
    holder = house.hold("-r", "typed")
    loop = 'for i in 1 2; do "$@"; echo again; done; echo after'
    screen = terminal(house, shell(loop, *house.words("run", "-v", "-r", "typed", "true")))
    screen.wait("waiting in line")
    screen.type(b"\x03")
    lines, code = screen.end()
    assert "again" not in lines
    assert "after" not in lines
    assert code == -2
    house.let_go(holder)


def test_a_command_that_is_suspended_and_resumed_keeps_its_lock(house: House, terminal: type[Terminal]) -> None:
    script = 'set -m; "$@"; echo "code $?"; read go; fg; echo "end $?"'
    command = house.words("run", "-r", "typed", "sh", "-c", 'echo ready; read line; echo "got $line"')
    screen = terminal(house, shell(script, *command))
    screen.wait("ready")
    screen.type(b"\x1a")
    screen.wait("code 148")
    assert house.run("run", "-r", "typed", "-n", "true").returncode == 98
    screen.type(b"go\nhello\n")
    screen.wait("got hello")
    screen.wait("end 0")
    assert house.run("run", "-r", "typed", "-n", "true").returncode == 0


@pytest.mark.parametrize("around", ["exec", ""], ids=["leader", "child of the leader"])
def test_a_terminal_that_hangs_up_ends_the_command(house: House, terminal: type[Terminal], around: str) -> None:
    command = house.words("run", "-r", "typed", "sh", "-c", "echo ready; exec tail -f /dev/null")
    screen = terminal(house, shell(f'{around} "$@"; true', *command))
    screen.wait("ready")
    screen.hang_up()
    assert screen.leader.wait(LIMIT) in (129, -1)
    assert house.run("run", "-r", "typed", "true").returncode == 0
