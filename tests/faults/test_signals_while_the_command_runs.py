"""A signal to the wrapper while the command runs is the command's; the lock is held until the command has ended."""

from __future__ import annotations

import signal
import sys

import pytest

from support import House, wait_line

pytestmark = pytest.mark.slow

SLOW_TO_END = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
print("told to end", flush=True)
sys.stdin.read()
sys.exit(4)
"""

COUNTS = """
import signal
heard = signal.valid_signals() - {signal.SIGCHLD, signal.SIGCONT}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
print("ready", flush=True)
while (number := signal.sigwait(heard)) != signal.SIGRTMAX:
    print(int(number), flush=True)
"""


def test_the_command_is_told_to_end_and_holds_the_lock_until_it_has(house: House) -> None:
    wrapper = house.spawn("run", "-r", "work", sys.executable, "-c", SLOW_TO_END)
    wait_line(wrapper.stdout, "ready")
    wrapper.terminate()
    wait_line(wrapper.stdout, "told to end")
    assert house.run("run", "-r", "work", "-n", "true").returncode == 98
    wrapper.communicate()
    assert wrapper.returncode == 4
    assert house.run("run", "-r", "work", "-n", "true").returncode == 0


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE"])
def test_each_signal_reaches_the_command_once(house: House, name: str) -> None:
    number = signal.Signals[name]
    wrapper = house.spawn("run", "-r", "work", sys.executable, "-c", COUNTS)
    wait_line(wrapper.stdout, "ready")
    wrapper.send_signal(number)
    wait_line(wrapper.stdout, str(int(number)))
    wrapper.send_signal(signal.SIGRTMAX)
    assert wrapper.communicate() == ("", "")
    assert wrapper.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_command_that_dies_of_it_takes_the_wrapper_along(house: House, number: int, code: int) -> None:
    wrapper = house.hold("-r", "work")
    wrapper.send_signal(number)
    assert wrapper.wait() == code
    assert house.run("run", "-r", "work", "-n", "true").returncode == 0


def test_a_killed_wrapper_lets_the_next_one_in(house: House) -> None:
    """The command lives on without its lock: nobody but the kernel could stop it."""
    wrapper = house.hold("-r", "work")
    waiter = house.spawn("run", "-r", "work", "echo", "mine")
    wrapper.kill()
    assert waiter.communicate() == ("mine\n", "")


def test_a_stopped_wrapper_keeps_what_it_holds(house: House) -> None:
    wrapper = house.hold("-r", "work")
    wrapper.send_signal(signal.SIGSTOP)
    assert house.run("run", "-r", "work", "-n", "true").returncode == 98
    wrapper.send_signal(signal.SIGCONT)
    assert house.let_go(wrapper) == 0
