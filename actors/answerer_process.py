"""The discovery's process from its start to its end: datagrams in, answers out.

The listening socket is the daemon's, who opened it before it served anybody: so a group that cannot be had is told in a
sentence at the start, and when this process dies its successor finds the questions still in the queue. What a daemon
tells of itself is the daemon's too, and stays the same.

Interfaces come and go, so we look every few seconds which there are. ``cli/daemon.py`` imports this file only if a
group is to be answered.

A daemon that was killed leaves lockers behind in which locks are still held, and keeps its directory locked by them.
So long its group is answered still: who is told of it finds nobody there and is refused, and starts no other daemon
that would grant the same locks, on whichever host.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import time
from collections.abc import Callable

from ..transport.endpoints import Tcp
from ..transport.messages import End, Ended, Ready, Report, Reported
from ..transport.multicast import LARGEST, Membership
from ..transport.pipe import Pipe
from . import log
from .answerer import Answerer, Being
from .locker_process import begin

DISCOVERY = "discovery"
COMM = "holdfast-discov"  # as ps and pgrep show it; at most 15 characters
AGAIN = 5.0  # seconds between two looks at the interfaces
LOOK = 0.5  # seconds between two looks whether a daemon that is gone has left locks behind
AT_ONCE = 256  # datagrams between two looks at the parent


def main(
    number: int, end: socket.socket, listening: int, group: Tcp, being: Being, directory: str, verbose: bool
) -> None:
    """Answer whoever looks for the daemon; the target of a ``ChildSpec``.

    Args:
        number: of this child.
        end: our end of the pipe to the incubator.
        listening: descriptor of a socket as ``multicast.listen`` makes it.
        directory: the daemon's, whose lock lasts as long as it or a locker with a lock in it lives.
    """
    begin(DISCOVERY, COMM, verbose=verbose)
    pipe = Pipe(end)
    pipe.send(Ready("", os.getpid(), os.getppid(), 0))
    Discovery(socket.socket(fileno=listening), group, Answerer(being), lambda: is_locked(directory)).run(pipe)


def is_locked(directory: str) -> bool:
    """Whether somebody has the lock of ``directory``; one that is gone has none."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Discovery:
    """A socket, the interfaces on which it hears its group, and who decides what is answered.

    Args:
        survived: does a part of the daemon still live that grants or holds locks? Asked when the parent is gone.
    """

    def __init__(
        self, listening: socket.socket, group: Tcp, answerer: Answerer, survived: Callable[[], bool] = lambda: False
    ) -> None:
        self._survived = survived
        self._socket = listening
        self._group = group
        self._answerer = answerer
        self._membership = Membership(listening, group)
        self._joined: set[int] | None = None  # as the log was told

    def run(self, pipe: Pipe) -> None:
        """Answer until the parent says that this is the end, or is gone and has left nothing behind."""
        orphaned = False
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(pipe, select.POLLIN)
        renew_at = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= renew_at:
                self._renew()
                renew_at = now + AGAIN
            self._tell(now)
            if orphaned and not self._survived():
                return
            wakes_at = min(now + LOOK if orphaned else renew_at, renew_at, self._answerer.wakes_at() or renew_at)
            ready = [descriptor for descriptor, _ in poller.poll(max(0.0, wakes_at - now) * 1000)]
            if self._socket.fileno() in ready:
                self._answer()
            try:
                if pipe.fileno() in ready and self._obey(pipe):
                    return
            except EOFError:
                poller.unregister(pipe)
                orphaned = True
                log.event("HFD082W", group=self._group.where)

    def _answer(self) -> None:
        for _ in range(AT_ONCE):
            try:
                frame, source = self._socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            answer = self._answerer.answer(frame, source[:2], time.monotonic())
            if answer is None:
                continue
            try:
                self._socket.sendto(answer, source)
            except OSError as error:  # he is gone, or there is no way to him, or no room: he asks again
                self._answerer.not_sent(error.strerror or str(error))

    def _renew(self) -> None:
        """See which interfaces there are, and log what is new."""
        refused = self._membership.renew()
        if self._membership.joined == self._joined:
            return
        self._joined = set(self._membership.joined)
        known = dict(socket.if_nameindex())
        names = ",".join(known.get(number, str(number)) for number in sorted(self._joined))
        log.event("HFD080I", group=self._group.where, interfaces=names, refused="; ".join(refused))

    def _tell(self, now: float) -> None:
        for kind, count in self._answerer.to_tell(now):
            log.event("HFD081W", group=self._group.where, kind=kind, count=count)

    def _obey(self, pipe: Pipe) -> bool:
        """Do what the parent says; true if this is the end.

        Raises:
            EOFError: it is gone.
        """
        match pipe.receive():
            case Report():
                facts = {
                    "answered": self._answerer.answered,
                    "passed_over": self._answerer.passed_over,
                    "interfaces": len(self._membership.joined),
                }
                pipe.send(Reported(json.dumps(facts)))
            case End():
                pipe.send(Ended("told to end"))
                return True
        return False
