"""The children of an actor: ordered from the nursery, watched by the kernel.

* Who is dead is what a pidfd says, which the nursery sends once it has forked the child (``nursery.py``). A child is
  ordered now, and whoever ordered it goes on; why it cannot be had is said for it (``NotStarted``) before its death.
* A child is known, with its process id, before it is heard.
* A part of the descriptors is left to others: the mailbox must be able to take in who comes, for libzmq ends the
  process where it cannot.
* A child is *started* when it has said ``Ready``; one that does not in ``PATIENCE`` seconds is killed.
* The nursery is watched too. When it is dead there is no other one: an upgraded package must not mix with a running
  daemon.

One epoll descriptor stands for all pipes and pidfds, so that a thousand children cost the parent's loop as much as
one.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from errno import EMFILE
from typing import Final

from ..transport.messages import Ready
from ..transport.pipe import Pipe, pipe_pair
from ..transport.wire import Message
from .log import event
from .nursery import Answer, ChildSpec, Nursery
from .roles import NotStarted

PATIENCE = 10.0  # seconds for a child to say Ready

News = list[tuple[int, Message | None]]


@dataclass(eq=False, slots=True)
class _Living:
    pipe: Pipe
    pid: int = 0  # 0: the nursery has not answered
    pidfd: int = -1  # likewise


class Children:
    """A brood, each child with a number that is never used again.

    Args:
        specs: what can be started, each of another role.
        preload: modules that the nursery, which is started here, imports first.

    Raises:
        OSError: the nursery cannot be started.
    """

    FORK_SERVER: Final = -1  # stands for a child's number in ``news``

    def __init__(self, specs: Iterable[ChildSpec], *, preload: Iterable[str]) -> None:
        self._nursery = Nursery({spec.role: spec for spec in specs}, preload=preload)
        self._nursery_dead = False
        self._living: dict[int, _Living] = {}
        self._starting: dict[int, float] = {}  # child number -> when it must be ready, the soonest first
        self._epoll = select.epoll()
        self._owners: dict[int, int] = {}  # descriptor -> child number
        self._unborn: dict[int, str] = {}  # child number -> why it could not be ordered
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # that there are some
        for source in (self._nursery.fileno(), self._alarm):
            self._epoll.register(source, select.EPOLLIN)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def pids(self) -> dict[int, int]:
        """Child number -> process id, of those that live."""
        return {number: child.pid for number, child in self._living.items() if child.pid}

    def start(self, number: int, role: str) -> None:
        """Start child ``number``; ``news`` brings its ``Ready``, or ``NotStarted`` and its death."""
        try:
            self._order(number, role)
        except OSError as error:
            self._tell(number, error.strerror or str(error))

    def _tell(self, number: int, why: str) -> None:
        self._unborn[number] = why
        os.eventfd_write(self._alarm, 1)

    def _order(self, number: int, role: str) -> None:
        if self._nursery_dead:
            raise ProcessLookupError("the fork server died")
        pipe, end = pipe_pair()
        with end:
            try:
                if end.fileno() >= _most_descriptors():
                    raise OSError(EMFILE, os.strerror(EMFILE))
                self._nursery.order(number, role, end)
            except OSError:
                pipe.close()
                raise
        self._living[number] = _Living(pipe)

    def _watch(self, number: int, descriptor: int) -> None:
        self._owners[descriptor] = number
        self._epoll.register(descriptor, select.EPOLLIN)

    def send(self, number: int, message: Message) -> None:
        """Tell a child; one that is dead hears nothing, and its end is in the news."""
        child = self._living.get(number)
        if child is not None:
            child.pipe.send(message)
            if child.pipe.wants_to_send and child.pid:
                self._epoll.modify(child.pipe.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def kill(self, number: int) -> None:
        """SIGKILL; who is not forked yet is dead at once, and killed then."""
        child = self._living.get(number)
        if child is not None and not child.pid:
            self._bury(number)
            self._tell(number, "it was killed before")
        self.signal(number, signal.SIGKILL)

    def signal(self, number: int, what: int) -> None:
        """Send signal ``what``, by pidfd: never to somebody else who has the process id now."""
        child = self._living.get(number)
        if child is not None and child.pid:
            with suppress(ProcessLookupError):  # it died, and the news of it are still to be read
                signal.pidfd_send_signal(child.pidfd, what)

    def news(self) -> News:
        """What children said since the last call, and who died (None); what a child said before its death comes
        first."""
        found: News = []
        dead: list[int] = []  # they are buried last: until then no descriptor of theirs is anybody else's
        for descriptor, _ in self._epoll.poll(0):
            if descriptor == self._nursery.fileno():
                self._take_answers(found, dead)
                continue
            if descriptor == self._alarm:
                self._tell_unborn(found)
                continue
            number = self._owners[descriptor]
            child = self._living[number]
            if descriptor == child.pidfd:
                dead.append(number)
            else:
                self._listen(number, child, found)
        for number in dead:
            self._listen(number, self._living[number], found)
            self._bury(number)
            found.append((number, None))
        return found

    def _tell_unborn(self, found: News) -> None:
        os.eventfd_read(self._alarm)
        for number, why in self._unborn.items():
            found += [(number, NotStarted(why)), (number, None)]
        self._unborn.clear()

    def _take_answers(self, found: News, dead: list[int]) -> None:
        try:
            for answer in self._nursery.answers():
                if answer.pidfd >= 0:
                    self._take(answer, found)
                elif answer.number in self._living:  # if there is one all the same, it ends with its pipe
                    found.append((answer.number, NotStarted(answer.error or os.strerror(EMFILE))))
                    dead.append(answer.number)
        except EOFError:
            self._nursery_dead = True
            self._epoll.unregister(self._nursery)
            for number in [number for number, child in self._living.items() if not child.pid and number not in dead]:
                found.append((number, NotStarted("the fork server died")))
                dead.append(number)
            found.append((self.FORK_SERVER, None))  # who lives all the same without our knowing ends with its pipe

    def _take(self, answer: Answer, found: News) -> None:
        child = self._living.get(answer.number)
        if child is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(answer.pidfd, signal.SIGKILL)
            os.close(answer.pidfd)
            return
        child.pid, child.pidfd = answer.pid, answer.pidfd
        self._starting[answer.number] = time.monotonic() + PATIENCE
        for descriptor in (child.pidfd, child.pipe.fileno()):
            self._watch(answer.number, descriptor)
        self._listen(answer.number, child, found)

    def _listen(self, number: int, child: _Living, found: News) -> None:
        descriptor = child.pipe.fileno()
        if descriptor not in self._owners:
            return
        child.pipe.flush()
        try:
            while (message := child.pipe.receive()) is not None:
                if isinstance(message, Ready):
                    self._starting.pop(number, None)
                found.append((number, message))
            self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if child.pipe.wants_to_send else 0))
        except EOFError:  # it is ending; the pidfd will say so
            self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        if self._owners.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _bury(self, number: int) -> None:
        child = self._living.pop(number)
        self._starting.pop(number, None)
        self._forget(child.pipe.fileno())
        child.pipe.close()
        if child.pid:
            self._forget(child.pidfd)
            os.close(child.pidfd)

    def wakes_at(self) -> float | None:
        """When ``kill_late`` may have something to do."""
        return next(iter(self._starting.values()), None)

    def kill_late(self, now: float) -> None:
        """Kill the children that did not say ``Ready`` in time."""
        for number in [number for number, ready_by in self._starting.items() if ready_by <= now]:
            event("HFD023W", pid=self._living[number].pid)
            del self._starting[number]
            self.kill(number)

    def close(self) -> None:
        """End the nursery, and wait for it."""
        self._nursery.close()
        os.close(self._alarm)


def _most_descriptors() -> int:
    """From which number on they are left to who comes, and to the pidfds of those who are being started."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit - limit // 4
