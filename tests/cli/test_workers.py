"""Workers with real commands, real signals and a real lock: who runs beside whom, and what ends them."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import termios
from array import array
from collections.abc import Iterator

import pytest

from support import LIMIT, House, wait_line, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    """One house for all tests of this file that do not harm it."""
    with House() as built:
        yield built


def batch(house: House, lines: str, *words: str) -> subprocess.CompletedProcess[str]:
    return house.run("batch", *words, input=lines)


def waiting(house: House, name: str) -> int:
    """How many wait in line for ``name``."""
    (told,) = json.loads(house.run("status", "--json", name).stdout)["resources"]
    return len(told["waiters"])


def test_each_command_has_a_grant_of_its_own_and_a_worker_has_one_session(shared: House) -> None:
    ended = batch(shared, "sh -c 'echo $HOLDFAST_TOKEN $HOLDFAST_SESSION'\n" * 3, "-r", "grants")
    told = [line.split() for line in ended.stdout.splitlines()]
    tokens = [int(token) for token, _ in told]
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 3
    assert len({session for _, session in told}) == 1


def test_workers_of_an_exclusive_lock_never_run_side_by_side(shared: House) -> None:
    alone = f"sh -c 'mkdir {shared.path}/alone && rmdir {shared.path}/alone'\n"
    assert batch(shared, alone * 40, "-r", "alone", "-j", "4").returncode == 0


def test_workers_that_share_run_side_by_side(shared: House) -> None:
    pipe = shared.path / "meet"
    subprocess.run(["mkfifo", str(pipe)], check=True)
    ended = batch(shared, f"sh -c 'echo met > {pipe}'\ncat {pipe}\n", "-r", "meet", "-s", "-j", "2")
    assert (ended.returncode, ended.stdout) == (0, "met\n")


def test_a_worker_comes_when_there_is_a_line_for_it(shared: House) -> None:
    count = "sh -c 'ls /proc/$PPID/task | wc -l'\n"
    threads = [int(told) for told in batch(shared, count * 3, "-r", "few", "-s", "-j", "1000").stdout.split()]
    others = 3  # the first thread, that of the signals, and who tells
    assert len(threads) == 3
    assert max(threads) <= others + len(threads) + 1


def test_who_does_not_read_what_is_said_keeps_the_lock_from_nobody(shared: House) -> None:
    """With no command running, and so that a signal still ends it."""
    file = shared.path / "wrong"
    file.write_text("no-such-command\n" * 5000)
    talking = shared.spawn("batch", "-r", "talk", str(file))
    assert talking.stderr is not None
    descriptor, count = talking.stderr.fileno(), array("i", [0])
    wait_until(lambda: _unread(descriptor, count) > 60_000, "a pipe full of what nobody reads")
    assert shared.run("run", "-r", "talk", "-t", "30", "true").returncode == 0
    talking.send_signal(signal.SIGTERM)
    assert talking.wait(LIMIT) == 143


def test_lines_that_cannot_be_run_are_told_without_the_lock(shared: House) -> None:
    file = shared.path / "open"
    file.write_text("true\n" + "echo 'open\n" * 5000)
    talking = shared.spawn("batch", "-r", "open", str(file))
    assert talking.stderr is not None
    descriptor, count = talking.stderr.fileno(), array("i", [0])
    wait_until(lambda: _unread(descriptor, count) > 60_000, "a pipe full of what nobody reads")
    assert shared.run("run", "-r", "open", "-t", "30", "true").returncode == 0
    talking.send_signal(signal.SIGTERM)
    _, said = talking.communicate(timeout=LIMIT)
    assert talking.returncode == 143
    assert said.count("no closing quotation") < 5000


def _unread(descriptor: int, count: array[int]) -> int:
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def test_a_number_taken_by_a_command_that_failed_is_given_back(shared: House) -> None:
    ended = batch(shared, "sh -c 'echo $HOLDFAST_ELEMENT; exit 1'\n" * 2 + "echo {}\n", "-r", "_S_back[1]")
    first, second, third = ended.stdout.split()
    assert first == second == third


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_goes_to_the_command_and_nothing_starts_after_it(shared: House, number: int, code: int) -> None:
    trap = f'trap "echo heard; exit 5" {number}; echo ready; while :; do sleep 0.01; done'
    spawned = shared.spawn("batch", "-r", "stop", stdin=subprocess.PIPE)
    assert spawned.stdin is not None
    spawned.stdin.write(f"sh -c '{trap}'\necho never\n")
    spawned.stdin.flush()
    wait_line(spawned.stdout, "ready")
    spawned.send_signal(number)
    out, said = spawned.communicate(timeout=LIMIT)
    assert (spawned.returncode, out) == (code, "heard\n")
    assert "line 1 " in said
    assert "1 command in " in said
    assert shared.run("run", "-r", "stop", "-n", "true").returncode == 0


def test_a_signal_ends_a_wait_for_the_lock(shared: House) -> None:
    holder = shared.hold("-r", "line")
    waiter = shared.spawn("batch", "-r", "line", "-j", "2")
    assert waiter.stdin is not None
    waiter.stdin.write("echo a\necho b\necho c\n")
    waiter.stdin.close()
    wait_until(lambda: waiting(shared, "line") == 2, "two in line")
    waiter.send_signal(signal.SIGTERM)
    assert waiter.wait(LIMIT) == 143
    wait_until(lambda: waiting(shared, "line") == 0, "nobody in line")
    shared.let_go(holder)


def test_who_gets_the_lock_after_we_are_to_stop_starts_nothing(shared: House) -> None:
    """Two of three hold both units and take no notice of the signal; the third one's turn comes when the first ends."""
    first, second = shared.path / "first", shared.path / "second"
    spawned = shared.spawn("batch", "-r", "late[2]", "-j", "3")
    assert spawned.stdin is not None
    for go in (first, second):
        spawned.stdin.write(f"sh -c 'trap \"echo heard\" TERM; echo ready; while [ ! -e {go} ]; do sleep 0.01; done'\n")
    spawned.stdin.flush()
    for _ in range(2):
        wait_line(spawned.stdout, "ready")
    spawned.stdin.write("echo never\n")
    spawned.stdin.close()
    wait_until(lambda: waiting(shared, "late[2]") == 1, "one in line")
    spawned.send_signal(signal.SIGTERM)
    for _ in range(2):
        wait_line(spawned.stdout, "heard")
    first.touch()
    wait_until(lambda: waiting(shared, "late[2]") == 0, "nobody in line")
    second.touch()
    assert spawned.stdout is not None
    assert spawned.stdout.read() == ""
    assert spawned.wait(LIMIT) == 143


def test_a_signal_ends_a_wait_for_the_next_line(shared: House) -> None:
    waiter = shared.spawn("batch", "-r", "next")
    assert waiter.stdin is not None
    waiter.stdin.write("echo a\n")
    waiter.stdin.flush()
    wait_line(waiter.stdout, "a")
    waiter.send_signal(signal.SIGTERM)
    assert waiter.wait(LIMIT) == 143


def test_a_question_while_nothing_runs_is_answered_and_ends_nothing(shared: House) -> None:
    holder = shared.hold("-r", "ask")
    waiter = shared.spawn("batch", "-r", "ask", "-v", "-t", "1h")
    assert waiter.stdin is not None
    waiter.stdin.write("echo a\n")
    waiter.stdin.close()
    wait_until(lambda: waiting(shared, "ask") == 1, "one in line")
    for _ in range(2):
        waiter.send_signal(signal.SIGUSR1)
        assert f"pid {holder.pid}" in wait_line(waiter.stderr, "waiting for ask (EX)")
    shared.let_go(holder)
    assert waiter.stdout is not None
    assert waiter.stdout.read() == "a\n"
    assert waiter.wait(LIMIT) == 0


def test_a_question_while_a_command_runs_is_the_commands(shared: House) -> None:
    spawned = shared.spawn("batch", "-r", "asked")
    assert spawned.stdin is not None
    spawned.stdin.write("sh -c 'trap \"echo heard; exit\" USR1; echo ready; while :; do sleep 0.01; done'\n")
    spawned.stdin.close()
    wait_line(spawned.stdout, "ready")
    spawned.send_signal(signal.SIGUSR1)
    assert spawned.stdout is not None
    assert spawned.stdout.read() == "heard\n"
    assert spawned.wait(LIMIT) == 0


def test_the_lock_is_given_back_before_the_next_line_is_waited_for(shared: House) -> None:
    spawned = shared.spawn("batch", "-r", "between")
    assert spawned.stdin is not None
    spawned.stdin.write("echo a\n")
    spawned.stdin.flush()
    wait_line(spawned.stdout, "a")
    assert shared.run("run", "-r", "between", "-t", "1m", "true").returncode == 0
    spawned.stdin.write("echo b\n")
    spawned.stdin.close()
    assert spawned.stdout is not None
    assert spawned.stdout.read() == "b\n"
    assert spawned.wait(LIMIT) == 0


def test_others_in_line_have_their_turn_between_two_commands(shared: House) -> None:
    order, go = shared.path / "order", shared.path / "go"
    told = f"sh -c 'echo batch >> {order}; while [ ! -e {go} ]; do sleep 0.01; done'\n"
    spawned = shared.spawn("batch", "-r", "fair")
    assert spawned.stdin is not None
    spawned.stdin.write(told * 2)
    spawned.stdin.close()
    wait_until(order.exists, "the first command")
    other = shared.spawn("run", "-r", "fair", "sh", "-c", f"echo other >> {order}")
    wait_until(lambda: waiting(shared, "fair") == 1, "another in line")
    go.touch()
    assert (other.wait(LIMIT), spawned.wait(LIMIT)) == (0, 0)
    assert order.read_text().split() == ["batch", "other", "batch"]


def test_a_lost_lock_is_told_once_and_nothing_starts_after_it() -> None:
    with House() as house:
        go = house.path / "go"
        spawned = house.spawn("batch", "-r", "lost[2]", "-j", "2")
        assert spawned.stdin is not None
        spawned.stdin.write(f"sh -c 'echo ready; while [ ! -e {go} ]; do sleep 0.01; done'\n" * 2 + "echo never\n")
        spawned.stdin.flush()
        for _ in range(2):
            wait_line(spawned.stdout, "ready")
        assert house.run("stop", "--now").returncode == 0
        wait_line(spawned.stderr, "lost")
        go.touch()
        spawned.stdin.close()
        assert spawned.wait(LIMIT) == 99
        assert spawned.stdout is not None
        assert spawned.stderr is not None
        assert spawned.stdout.read() == ""
        (summary,) = spawned.stderr.read().splitlines()
        assert ", 0 failed; 1 not run; " in summary


def test_a_lost_lock_ends_the_command_if_so_wanted() -> None:
    with House() as house:
        spawned = house.spawn("batch", "-r", "lost", "--on-lost", "kill")
        assert spawned.stdin is not None
        spawned.stdin.write("sh -c 'echo ready; exec sleep 30'\n")
        spawned.stdin.close()
        wait_line(spawned.stdout, "ready")
        assert house.run("stop", "--now").returncode == 0
        wait_line(spawned.stderr, "killed by signal 15")
        assert spawned.wait(LIMIT) == 99


@pytest.mark.parametrize("words", [("-j", "1"), ("-s", "-j", "2"), ("-j", "2")])
def test_a_batch_goes_on_with_a_new_daemon(words: tuple[str, ...]) -> None:
    """Those of its workers who are refused meanwhile wait for those who still hold from the old one."""
    with House() as house:
        spawned = house.spawn("batch", "-r", "orphan", *words)
        assert spawned.stdin is not None
        wait_for = "sh -c 'echo ready; while [ ! -e {} ]; do sleep 0.01; done'\n"
        first, second = house.path / "first", house.path / "second"
        spawned.stdin.write(wait_for.format(first) + wait_for.format(second) + "echo third\n" * 3)
        spawned.stdin.flush()
        for _ in range(2 if "-s" in words else 1):
            wait_line(spawned.stdout, "ready")
        if words == ("-j", "2"):
            wait_until(lambda: waiting(house, "orphan") == 1, "the other one in line")
        os.kill(house.daemon(), signal.SIGKILL)
        first.touch()
        second.touch()
        out, said = spawned.communicate(timeout=LIMIT)
        assert spawned.returncode == 0, said
        assert out.count("third") == 3


def test_a_batch_ends_where_somebody_else_holds_from_a_daemon_that_was_killed() -> None:
    with House() as house:
        other = house.hold("-r", "orphan", "-s")
        spawned = house.spawn("batch", "-r", "orphan", "-s", "-j", "2")
        assert spawned.stdin is not None
        go = house.path / "go"
        spawned.stdin.write(f"sh -c 'echo ready; while [ ! -e {go} ]; do sleep 0.01; done'\n" * 2 + "echo never\n" * 2)
        spawned.stdin.flush()
        for _ in range(2):
            wait_line(spawned.stdout, "ready")
        os.kill(house.daemon(), signal.SIGKILL)
        wait_until(
            lambda: "still serves orphan" in house.run("run", "-r", "other", "true").stderr, "a locker that knows"
        )
        go.touch()
        out, said = spawned.communicate(timeout=LIMIT)
        assert (spawned.returncode, out) == (99, "")
        assert ", 0 failed; 2 not run; " in said
        assert house.let_go(other) == 0
