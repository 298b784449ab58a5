"""The fork server: what its children have of it and of its parent, and what becomes of it."""

from __future__ import annotations

import os
import select
import signal
import socket
from ast import literal_eval
from collections.abc import Iterator

import pytest

import nursery_children
from holdfast.actors.nursery import COMM, FAILED, Answer, ChildSpec, Inherited, Nursery
from support import LIMIT, alive, state_of, wait_dead, wait_state, wait_until

pytestmark = pytest.mark.slow


class Line:
    """A nursery, and what its children say on their ends of their pipes."""

    def __init__(self) -> None:
        self.file = os.open("/dev/zero", os.O_RDONLY)
        self.specs = [
            ChildSpec("tells", nursery_children.tell, (("a", Inherited(self.file)), "b")),
            ChildSpec("waits", nursery_children.wait, ()),
            ChildSpec("raises", nursery_children.fail, ()),
            ChildSpec("exits", nursery_children.leave, (7,)),
        ]
        preload = ["nursery_children", "asyncio"]  # that takes a forked child's alarm away from it
        self.nursery = Nursery({spec.role: spec for spec in self.specs}, preload=preload)

    def order(self, role: str) -> tuple[Answer, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT)
        with theirs:
            self.nursery.order(1, role, theirs)
        return self.answer(), ours

    def answer(self) -> Answer:
        assert select.select([self.nursery], [], [], LIMIT)[0], "no answer"
        (answer,) = self.nursery.answers()
        return answer

    def close(self) -> None:
        self.nursery.close()
        os.close(self.file)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def heard(end: socket.socket) -> str:
    """All that a child says."""
    with end, end.makefile() as said:
        return said.read()


def test_a_child_has_its_number_its_end_its_arguments_and_no_other_descriptor(line: Line) -> None:
    answer, end = line.order("tells")
    number, arguments, *descriptors = heard(end).splitlines()
    assert number == "1"
    first, second = literal_eval(arguments)
    assert first[0] == "a"
    assert second == "b"
    opened = dict(descriptor.split(" ", 1) for descriptor in descriptors)
    assert opened.pop(str(first[1])) == "/dev/zero"
    (own,) = opened.values()
    assert own.startswith("socket:")
    os.close(answer.pidfd)


def test_an_answer_brings_a_pidfd_which_tells_of_the_childs_death(line: Line) -> None:
    answer, end = line.order("waits")
    assert answer.number == 1
    assert not select.select([answer.pidfd], [], [], 0)[0]
    signal.pidfd_send_signal(answer.pidfd, signal.SIGKILL)
    assert select.select([answer.pidfd], [], [], LIMIT)[0]
    end.close()
    os.close(answer.pidfd)


@pytest.mark.parametrize(("role", "code"), [("tells", 0), ("raises", FAILED), ("exits", 7)])
def test_a_dead_child_is_reaped_and_nothing_of_it_comes_back(line: Line, role: str, code: int) -> None:
    answer, end = line.order(role)
    heard(end)
    wait_until(lambda: not state_of(answer.pid), "the child to be reaped")
    os.close(answer.pidfd)
    again, end = line.order("waits")
    assert alive(again.pid)
    os.close(again.pidfd)
    end.close()


def test_a_child_ignores_what_its_group_is_sent_and_hears_of_its_own_children(line: Line) -> None:
    answer, end = line.order("waits")
    assert end.recv(1)
    ignored = _signals(answer.pid, "SigIgn")
    assert {signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2} <= ignored
    assert signal.SIGCHLD not in ignored | _signals(answer.pid, "SigCgt")
    assert not _signals(answer.pid, "SigBlk")
    os.close(answer.pidfd)
    end.close()


def _signals(pid: int, which: str) -> set[int]:
    with open(f"/proc/{pid}/status") as status:
        (mask,) = [int(line.split()[1], 16) for line in status if line.startswith(which)]
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def test_the_nursery_has_a_name_and_nothing_open_but_its_line_and_its_alarm(line: Line) -> None:
    answer, end = line.order("waits")
    with open(f"/proc/{line.nursery.pid}/comm") as comm:
        assert comm.read().strip() == COMM
    wait_until(lambda: _opened(line.nursery.pid) == 3, "nothing else to be open")  # an alarm has two ends
    os.close(answer.pidfd)
    end.close()


def _opened(pid: int) -> int:
    return len([name for name in os.listdir(f"/proc/{pid}/fd") if int(name) > 2])


def test_a_nursery_that_is_stopped_takes_no_orders_and_can_be_ended() -> None:
    line = Line()
    os.kill(line.nursery.pid, signal.SIGSTOP)
    wait_state(line.nursery.pid, "T")
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(BlockingIOError, match="stopped"):
        line.nursery.order(1, "waits", theirs)
    line.close()
    assert not alive(line.nursery.pid)


def test_a_nursery_that_is_killed_is_the_end_of_its_answers_and_not_of_its_children(line: Line) -> None:
    answer, end = line.order("waits")
    os.kill(line.nursery.pid, signal.SIGKILL)
    assert select.select([line.nursery], [], [], LIMIT)[0]
    with pytest.raises(EOFError):
        list(line.nursery.answers())
    with end:
        assert alive(answer.pid)
    wait_dead(answer.pid)
    os.close(answer.pidfd)


def test_a_nursery_whose_answer_nobody_reads_any_more_ends_in_order() -> None:
    line = Line()
    process = line.nursery._process
    _, theirs = socket.socketpair()
    with theirs:
        line.nursery.order(1, "waits", theirs)
    assert select.select([line.nursery], [], [], LIMIT)[0]
    line.nursery._line.close()
    process.join(LIMIT)
    assert process.exitcode == 0
    line.close()


def test_a_nursery_ends_with_its_parent_however_that_ends_and_its_children_live_on() -> None:
    told, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    parent = os.fork()
    if parent == 0:
        nursery_children.be_a_parent(ours)
    ours.close()
    nursery, child = map(int, told.recv(100).split())
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_dead(nursery)
    assert alive(child)
    os.kill(child, signal.SIGKILL)
    wait_dead(child)
    told.close()
