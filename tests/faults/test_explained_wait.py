"""A wait that is explained: to whom, when, and by what signal; and the wait is none the worse for it."""

from __future__ import annotations

import signal
import subprocess
import threading

import pytest

from support import LIMIT, House, wait_line, wait_until
from terminal import Terminal, shell

pytestmark = pytest.mark.slow

STATUS = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]


def waiting(house: House, *words: str, **more: object) -> subprocess.Popen[str]:
    """A command that waits in line for the lock ``line``, and is known to."""
    waiter = house.spawn("run", "-v", "-r", "line", *words, **more)
    wait_line(waiter.stderr, "waiting in line")
    return waiter


def ignore_usr1() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def test_who_waits_at_a_terminal_is_told_once_and_nobody_else(house: House, terminal: type[Terminal]) -> None:
    holder = house.hold("-r", "line", "--reason", "nightly")
    silent = house.spawn("run", "-r", "line", "echo", "mine")  # it waits longer than the one at the terminal
    wait_until(lambda: "position 2" in house.run("run", "--explain", "-r", "line").stdout)
    screen = terminal(house, house.words("run", "-r", "line", "echo", "granted"))
    told = wait_line(screen.screen, "held by")
    assert told.startswith("holdfast: waiting for line (EX) for ")
    assert "s, position 2: held by" in told
    assert f"pid {holder.pid}" in told
    assert "'nightly'" in told
    house.let_go(holder)
    assert silent.communicate(timeout=LIMIT) == ("mine\n", "")
    assert screen.end() == (["granted"], 0)


def test_a_background_job_does_not_write_into_somebody_elses_screen(house: House, terminal: type[Terminal]) -> None:
    back, front = house.hold("-r", "back"), house.hold("-r", "front")
    script = 'set -m; "$@" -r back true & read go; "$@" -r front echo granted; wait; echo both'
    screen = terminal(house, shell(script, *house.words("run")))
    wait_until(lambda: "position 2" in house.run("run", "--explain", "-r", "back").stdout)
    screen.type(b"go\n")
    read = []
    while "waiting for front" not in (line := screen.screen.readline()):  # and it has waited less than the other
        read.append(line)
    house.let_go(back)
    house.let_go(front)
    lines, _ = screen.end()
    assert lines[-1] == "both"
    assert not [line for line in read + lines if "waiting for back" in line]


def test_verbose_tells_wherever_it_goes(house: House) -> None:
    holder = house.hold("-r", "line")
    waiter = waiting(house, "echo", "mine")
    assert f"pid {holder.pid}" in wait_line(waiter.stderr, "s, position 1: held by")
    house.let_go(holder)
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"


def test_every_signal_that_asks_is_answered(house: House) -> None:
    """One at a time: if one were lost, nobody would answer it."""
    holder = house.hold("-r", "line")
    waiter = house.spawn("run", "-v", "-t", "1h", "-r", "line", "echo", "mine")
    wait_line(waiter.stderr, "waiting in line")
    for _ in range(200):
        waiter.send_signal(signal.SIGUSR1)
        assert f"pid {holder.pid}" in wait_line(waiter.stderr, "waiting for line (EX)")
    house.let_go(holder)
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"


def test_who_is_parked_is_told_that_nobody_has_created_it(house: House) -> None:
    holder = house.hold("-r", "other")
    waiter = house.spawn("run", "-v", "-r", "line", "--no-create", "echo", "mine")
    wait_line(waiter.stderr, "waiting until somebody creates the resource")
    waiter.send_signal(signal.SIGUSR1)
    assert "nobody has created line" in wait_line(waiter.stderr, "waiting for line (EX)")
    assert house.run("run", "-r", "line", "true").returncode == 0
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"
    house.let_go(holder)


@pytest.mark.parametrize("times", range(5))
def test_in_a_storm_of_signals_the_lock_is_got_and_the_command_gets_the_later_ones(house: House, times: int) -> None:
    holder = house.hold("-r", "line")
    waiter = waiting(house, "cat")
    for _ in range(200):
        waiter.send_signal(signal.SIGUSR1)
    ended = threading.Event()

    def storm() -> None:
        while not ended.wait(0.001):
            waiter.send_signal(signal.SIGUSR1)

    sender = threading.Thread(target=storm)
    sender.start()
    try:
        house.let_go(holder)
        waiter.wait(LIMIT)
    finally:
        ended.set()
        sender.join()
    assert waiter.returncode == 128 + signal.SIGUSR1  # the command died of it; -10 would be ourselves
    assert house.run("run", "-n", "-r", "line", "echo", "mine").stdout == "mine\n"


def test_the_command_starts_as_if_nobody_had_waited(house: House) -> None:
    at_once = house.run("run", "-r", "line", *STATUS).stdout
    holder = house.hold("-r", "line")
    waiter = waiting(house, *STATUS)
    waiter.send_signal(signal.SIGUSR1)
    wait_line(waiter.stderr, "waiting for line (EX)")
    house.let_go(holder)
    assert waiter.communicate(timeout=LIMIT)[0] == at_once


def test_who_was_told_to_ignore_the_signal_ignores_it_and_so_does_the_command(house: House) -> None:
    holder = house.hold("-r", "line")
    waiter = waiting(house, "sh", "-c", "kill -USR1 $$; echo ignored", preexec_fn=ignore_usr1)
    waiter.send_signal(signal.SIGUSR1)
    house.let_go(holder)
    out, err = waiter.communicate(timeout=LIMIT)
    assert out == "ignored\n"
    assert "waiting for" not in err


def test_flom_is_as_silent_as_it_ever_was(house: House) -> None:
    holder = house.hold("-r", "line")
    waiter = house.popen([house.words()[0], "-m", "holdfast.cli.flom", "-r", "line", "--", "true"])
    behind = waiting(house, "true")  # so flom may be in line or not: it ends by the signal in any case
    waiter.send_signal(signal.SIGUSR1)
    assert waiter.wait(LIMIT) == -signal.SIGUSR1
    house.let_go(holder)
    behind.communicate(timeout=LIMIT)


def test_who_waited_long_enough_is_told_once_who_has_it(house: House) -> None:
    holder = house.hold("-r", "line")
    ended = house.run("run", "-v", "-t", "1", "-r", "line", "true")
    assert ended.returncode == 98
    told = [line for line in ended.stderr.splitlines() if "held by" in line]
    assert len(told) == 1
    assert told[0].startswith("holdfast: line was not granted within ")  # what of the second was left in the line
    assert f"pid {holder.pid}" in told[0]
    assert ", for " in told[0]
    house.let_go(holder)
