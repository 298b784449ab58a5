"""Real lockers, started by a real fork server: who is ready, who said what, who is dead."""

from __future__ import annotations

import os
import resource
import select
import signal
import tempfile
from collections.abc import Iterator

import pytest

import nursery_children
from boxless import serve_without_mailbox
from holdfast.actors import nursery
from holdfast.actors.children import Children
from holdfast.actors.locker_process import COMM
from holdfast.actors.locker_process import main as locker_main
from holdfast.actors.nursery import Answer, ChildSpec, Inherited
from holdfast.actors.roles import NotStarted
from holdfast.transport.messages import End, Ended, Ready
from holdfast.transport.wire import Message
from support import LIMIT, alive, wait_dead, wait_state

pytestmark = pytest.mark.slow

News = list[tuple[int, Message | None]]


class Brood:
    """Children in a directory of their own."""

    def __init__(self, directory: str, preload: str = "holdfast.actors.preload") -> None:
        self.directory = directory
        self.lock = os.open(directory, os.O_RDONLY)
        specs = [
            ChildSpec("locker", locker_main, ((Inherited(self.lock),), directory, False)),
            ChildSpec("boxless", serve_without_mailbox, ()),
            ChildSpec("silent", nursery_children.endure, ()),
        ]
        self.children = Children(specs, preload=[preload])
        self.heard: News = []
        self.pids: set[int] = set()

    def start(self, number: int, role: str = "locker") -> Ready:
        self.children.start(number, role)
        self.pids |= set(self.children.pids().values())
        message = self.wait_for(number)
        assert isinstance(message, Ready)
        self.pids.add(message.parent)
        return message

    def wait_for(self, number: int) -> Message | None:
        """What ``number`` says next; None: it died."""
        while True:
            for index, (who, message) in enumerate(self.heard):
                if who == number:
                    del self.heard[index]
                    return message
            assert select.select([self.children], [], [], LIMIT)[0], "no news"
            self.heard += self.children.news()

    def stop_fork_server(self) -> int:
        """Start child 1, then stop who forked it; its process id."""
        fork_server = self.start(1).parent
        os.kill(fork_server, signal.SIGSTOP)
        wait_state(fork_server, "T")
        return fork_server

    def close(self) -> None:
        for number in self.children.pids():
            self.children.kill(number)
        self.children.close()
        for pid in self.pids:
            wait_dead(pid)
        os.close(self.lock)


@pytest.fixture
def brood() -> Iterator[Brood]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        brood = Brood(directory)
        yield brood
        brood.close()


def test_a_child_says_where_it_listens_and_who_forked_it(brood: Brood) -> None:
    ready = brood.start(1)
    assert ready.address == "locker-1.sock"
    assert os.path.exists(f"{brood.directory}/{ready.address}")
    assert brood.children.pids() == {1: ready.pid}
    assert alive(ready.parent)
    assert ready.parent != os.getpid()


def test_children_share_one_fork_server(brood: Brood) -> None:
    assert brood.start(1).parent == brood.start(2).parent


def test_children_have_roles_and_one_may_have_no_mailbox(brood: Brood) -> None:
    brood.start(1)
    assert brood.start(2, "boxless").address == ""
    brood.children.send(2, End())
    assert brood.wait_for(2) == Ended("End()")
    assert brood.wait_for(2) is None
    assert list(brood.children.pids()) == [1]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_what_a_whole_process_group_is_sent_does_not_end_the_fork_server(brood: Brood, number: int) -> None:
    """Nor a child that has not yet said what it does with such signals."""
    fork_server = brood.start(1).parent
    os.kill(fork_server, number)
    assert brood.start(2).parent == fork_server


def test_a_child_has_a_name_of_its_own_and_ignores_the_signals_of_its_group(brood: Brood) -> None:
    pid = brood.start(1).pid
    with open(f"/proc/{pid}/comm") as comm:
        assert comm.read().strip() == COMM
    with open(f"/proc/{pid}/status") as status:
        [ignored] = [int(line.split()[1], 16) for line in status if line.startswith("SigIgn")]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert ignored >> (number - 1) & 1


def test_a_child_that_is_told_to_end_says_its_last_word_before_it_is_dead(brood: Brood) -> None:
    pid = brood.start(1).pid
    brood.children.send(1, End())
    assert brood.wait_for(1) == Ended("told to end")
    assert brood.wait_for(1) is None
    assert not alive(pid)
    assert brood.children.pids() == {}
    assert not os.path.exists(f"{brood.directory}/locker-1.sock")


def test_a_killed_child_is_dead_and_what_it_is_told_afterwards_is_dropped(brood: Brood) -> None:
    brood.start(1)
    brood.start(2)
    brood.children.kill(1)
    assert brood.wait_for(1) is None
    brood.children.send(1, End())
    brood.children.kill(1)
    assert list(brood.children.pids()) == [2]


def test_a_child_that_is_not_ready_in_time_is_killed(brood: Brood) -> None:
    brood.children.start(1, "silent")
    assert brood.children.wakes_at() is None  # it does not exist yet
    while (at := brood.children.wakes_at()) is None:
        assert select.select([brood.children], [], [], LIMIT)[0]
        assert brood.children.news() == []
    [pid] = brood.children.pids().values()
    brood.children.kill_late(at - 0.001)
    assert alive(pid)
    brood.children.kill_late(at)
    assert brood.children.wakes_at() is None
    assert brood.wait_for(1) is None


def test_a_child_that_is_ready_is_not_late(brood: Brood) -> None:
    brood.start(1)
    assert brood.children.wakes_at() is None


def test_without_its_fork_server_children_live_on_and_no_new_one_is_started(brood: Brood) -> None:
    ready = brood.start(1)
    os.kill(ready.parent, signal.SIGKILL)
    assert brood.wait_for(Children.FORK_SERVER) is None
    assert alive(ready.pid)
    brood.children.start(2, "locker")
    assert brood.wait_for(2) == NotStarted("the fork server died")
    assert brood.wait_for(2) is None
    brood.children.send(1, End())
    assert brood.wait_for(1) == Ended("told to end")
    assert brood.wait_for(1) is None


def test_an_order_that_the_fork_server_did_not_live_to_take_is_a_dead_child(
    brood: Brood, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_server = brood.stop_fork_server()
    brood.children.start(2, "locker")
    assert brood.wait_for(2) == NotStarted("the fork server is stopped")
    assert brood.wait_for(2) is None
    monkeypatch.setattr(nursery, "_stopped", lambda pid: False)  # as if it were stopped a moment later
    brood.children.start(3, "locker")
    assert brood.children.pids().keys() == {1}
    os.kill(fork_server, signal.SIGKILL)
    assert brood.wait_for(3) == NotStarted("the fork server died")
    assert brood.wait_for(3) is None
    assert brood.wait_for(Children.FORK_SERVER) is None
    assert brood.children.wakes_at() is None


def test_a_child_that_is_killed_before_it_exists_is_dead_at_once_and_killed_when_it_does(
    brood: Brood, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_server = brood.stop_fork_server()
    monkeypatch.setattr(nursery, "_stopped", lambda pid: False)
    brood.children.start(2, "locker")
    brood.children.kill(2)
    assert isinstance(brood.wait_for(2), NotStarted)
    assert brood.wait_for(2) is None
    os.kill(fork_server, signal.SIGCONT)
    brood.start(3)  # is forked after it
    assert brood.children.pids().keys() == {1, 3}
    with open(f"/proc/{fork_server}/task/{fork_server}/children") as children:
        born = set(map(int, children.read().split()))
    for pid in born - set(brood.children.pids().values()):
        wait_dead(pid)


def test_a_child_that_cannot_be_forked_is_dead_and_it_is_said_why() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        brood = Brood(directory, preload="no_fork")
        brood.children.start(1, "locker")
        assert brood.wait_for(1) == NotStarted("Resource temporarily unavailable")
        assert brood.wait_for(1) is None
        brood.close()


def test_a_child_is_known_before_it_is_heard(brood: Brood) -> None:
    brood.children.start(1, "locker")
    while not brood.heard:
        assert select.select([brood.children], [], [], LIMIT)[0]
        brood.heard += brood.children.news()
    [(_, ready)] = brood.heard
    assert isinstance(ready, Ready)
    assert brood.children.pids() == {1: ready.pid}


def test_a_child_whose_pidfd_did_not_fit_is_not_had_and_ends(brood: Brood, monkeypatch: pytest.MonkeyPatch) -> None:
    without: list[int] = []

    def answers(self: nursery.Nursery) -> Iterator[Answer]:
        for answer in real(self):
            os.close(answer.pidfd)
            without.append(answer.pid)
            yield answer._replace(pidfd=-1)

    real = nursery.Nursery.answers
    monkeypatch.setattr(nursery.Nursery, "answers", answers)
    brood.children.start(1, "locker")
    assert brood.wait_for(1) == NotStarted("Too many open files")
    assert brood.wait_for(1) is None
    [pid] = without
    wait_dead(pid)
    assert brood.children.pids() == {}


def test_a_part_of_the_descriptors_is_left_to_others(brood: Brood) -> None:
    brood.start(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open("/dev/null", os.O_RDONLY)  # the lowest number that is free
    os.close(probe)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 8, hard))
        brood.children.start(2, "locker")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert brood.wait_for(2) == NotStarted("Too many open files")
    assert brood.wait_for(2) is None
    assert isinstance(brood.start(3), Ready)


def test_a_dead_child_costs_no_descriptor(brood: Brood) -> None:
    brood.start(1)

    def come_and_go(number: int) -> int:
        brood.start(number)
        brood.children.kill(number)
        assert brood.wait_for(number) is None
        return len(os.listdir("/proc/self/fd"))

    first = come_and_go(2)
    later = [come_and_go(number) for number in range(3, 15)]
    assert set(later) == {first}
