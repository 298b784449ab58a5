"""^C, ^Z and a hang-up, typed on a real (pseudo) terminal: each reaches the command once, and a shell sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from support import LIMIT, House, wait_line

pytestmark = pytest.mark.slow

COUNTS = """
import signal
heard = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
print("ready", flush=True)
while (number := signal.sigwait(heard)) != signal.SIGUSR1:
    print("heard", int(number), flush=True)
"""


class Terminal:
    """A terminal and the session in it; what is shown is read line by line."""

    def __init__(self, house: House, words: list[str]) -> None:
        self.keyboard, inside = os.openpty()
        self.screen = os.fdopen(os.dup(self.keyboard), "r", errors="replace")
        self.leader = house.popen(
            words, stdin=inside, stdout=inside, stderr=inside, preexec_fn=lambda: os.login_tty(os.dup(inside))
        )
        os.close(inside)

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def wait(self, wanted: str) -> None:
        wait_line(self.screen, wanted)

    def end(self) -> tuple[list[str], int]:
        """The last lines, and how the session's leader ended."""
        lines = []
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            for line in self.screen:
                lines.append(line.strip())
        code = self.leader.wait(LIMIT)
        self.hang_up()
        return lines, code

    def hang_up(self) -> None:
        self.screen.close()
        if self.keyboard >= 0:
            os.close(self.keyboard)
            self.keyboard = -1


@pytest.fixture
def terminal(house: House) -> Iterator[type[Terminal]]:
    """Terminals that are closed at the end of the test."""
    opened = []

    class Closed(Terminal):
        def __init__(self, house: House, words: list[str]) -> None:
            super().__init__(house, words)
            opened.append(self)

    yield Closed
    for one in opened:
        one.hang_up()


def shell(script: str, *words: str) -> list[str]:
    """A shell that runs ``script``; ``"$@"`` in it are the words."""
    return ["bash", "--norc", "-c", script, "bash", *words]


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
