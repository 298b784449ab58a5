"""The children of an actor: started by the fork server, watched by the kernel.

* Children come from ``multiprocessing`` with the forkserver start method: a process that owns a ZeroMQ context must
  never fork, and a child must not inherit a client's connection. The fork server has imported all that actors will
  ever import, so an upgraded package cannot mix with a running daemon.
* Who is dead is what ``pidfd_open`` says. ``Process.exitcode`` and ``sentinel`` belong to the fork server: when it
  dies, all children look dead and live on.
* A child is *started* when it has said ``Ready``; one that does not in ``PATIENCE`` seconds is killed.
* The fork server itself is watched too (each child tells who forked it). ``multiprocessing`` would quietly start
  another one; we do not. It, and so each child until it decides otherwise, ignores the signals that a whole process
  group may be sent (a terminal closes, systemd stops a service, somebody wants a dump): nothing could start after it.

One epoll descriptor stands for all pipes and pidfds, so that a thousand children cost the parent's loop as much as
one.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, reduction, resource_tracker
from types import ModuleType
from typing import Any, Final

from ..transport.messages import Ready
from ..transport.pipe import Pipe, pipe_pair
from ..transport.wire import Message
from .log import event

PATIENCE = 10.0  # seconds for a child to say Ready
FOR_ALL = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # SIGINT it ignores by itself


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a child is, as data: the composition root fills it in, so that a parent need not import what it starts.

    ``target`` is called in the child with its number, its end of the pipe, and ``arguments``. A child without mailbox
    says ``Ready`` with an empty address.
    """

    role: str
    target: Callable[..., None]
    arguments: tuple[object, ...]


class Inherited:
    """A descriptor among the ``arguments`` of a child, which gets a copy of it: an int there.

    (``multiprocessing`` can hand descriptors over only while it starts a process, so this waits until it is pickled.)
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[object, ...]:
        return _take, (reduction.DupFd(self._descriptor),)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide our main module, which ``multiprocessing`` would run once more in each child."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _ignored(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let whatever is started meanwhile ignore these signals for good (man 2 execve)."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(pid: int) -> bool:
    """Is the process stopped (by SIGSTOP, or a debugger)?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False


def _take(handed_over: Any) -> int:
    return int(handed_over.detach())


@dataclass(eq=False, slots=True)
class _Living:
    pipe: Pipe
    pidfd: int
    pid: int


class Children:
    """A brood, each child with a number that is never used again.

    Args:
        specs: what can be started, each of another role.
        preload: modules that the fork server, which is started here, imports first.

    Raises:
        OSError: it cannot be started.
    """

    FORK_SERVER: Final = -1  # stands for a child's number in ``news``

    def __init__(self, specs: Iterable[ChildSpec], *, preload: list[str]) -> None:
        self._specs = {spec.role: spec for spec in specs}
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(preload)
        with _ignored(FOR_ALL), _no_main_module():
            forkserver.ensure_running()
        self._living: dict[int, _Living] = {}
        self._starting: dict[int, float] = {}  # child number -> when it must be ready, the soonest first
        self._epoll = select.epoll()
        self._owners: dict[int, int] = {}  # descriptor -> child number
        self._fork_server: int | None = None  # its pidfd
        self._fork_server_pid = 0  # 0: not known yet
        self._fork_server_dead = False

    def fileno(self) -> int:
        return self._epoll.fileno()

    def pids(self) -> dict[int, int]:
        """Child number -> process id, of those that live."""
        return {number: child.pid for number, child in self._living.items()}

    def start(self, number: int, role: str) -> None:
        """Start child ``number``; ``news`` brings its ``Ready``.

        Raises:
            OSError: no process, no descriptor, or no fork server to be had.
        """
        if self._fork_server_dead:
            raise ProcessLookupError("the fork server died")
        if self._fork_server_pid and _stopped(self._fork_server_pid):
            raise BlockingIOError("the fork server is stopped")  # we would wait for it, and everybody for us
        spec = self._specs[role]
        pipe, end = pipe_pair()
        with end:
            process = self._context.Process(
                target=spec.target, args=(number, end, *spec.arguments), daemon=True, name=role
            )
            try:
                with _no_main_module():
                    process.start()
                assert process.pid is not None
                pidfd = os.pidfd_open(process.pid)
            except (OSError, EOFError) as error:
                pipe.close()
                raise OSError(str(error)) from error
        self._living[number] = _Living(pipe, pidfd, process.pid)
        self._starting[number] = time.monotonic() + PATIENCE
        for descriptor in (pipe.fileno(), pidfd):
            self._owners[descriptor] = number
            self._epoll.register(descriptor, select.EPOLLIN)

    def send(self, number: int, message: Message) -> None:
        """Tell a child; one that is dead hears nothing, and its end is in the news."""
        child = self._living.get(number)
        if child is not None:
            child.pipe.send(message)
            if child.pipe.wants_to_send:
                self._epoll.modify(child.pipe.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def kill(self, number: int) -> None:
        """SIGKILL."""
        self.signal(number, signal.SIGKILL)

    def signal(self, number: int, what: int) -> None:
        """Send signal ``what``, by pidfd: never to somebody else who has the process id now."""
        child = self._living.get(number)
        if child is not None:
            with suppress(ProcessLookupError):  # it died, and the news of it are still to be read
                signal.pidfd_send_signal(child.pidfd, what)

    def news(self) -> list[tuple[int, Message | None]]:
        """What children said since the last call, and who died (None); what a child said before its death comes
        first."""
        found: list[tuple[int, Message | None]] = []
        dead: list[int] = []
        for descriptor, _ in self._epoll.poll(0):
            if descriptor == self._fork_server:
                self._fork_server_dead = True
                self._epoll.unregister(descriptor)
                found.append((self.FORK_SERVER, None))
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

    def _listen(self, number: int, child: _Living, found: list[tuple[int, Message | None]]) -> None:
        descriptor = child.pipe.fileno()
        if descriptor not in self._owners:
            return
        child.pipe.flush()
        try:
            while (message := child.pipe.receive()) is not None:
                if isinstance(message, Ready):
                    self._starting.pop(number, None)
                    self._watch_fork_server(message.parent)
                found.append((number, message))
            self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if child.pipe.wants_to_send else 0))
        except EOFError:  # it is ending; the pidfd will say so
            self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        if self._owners.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _watch_fork_server(self, pid: int) -> None:
        if self._fork_server is None:
            self._fork_server = os.pidfd_open(pid)
            self._fork_server_pid = pid
            self._epoll.register(self._fork_server, select.EPOLLIN)

    def _bury(self, number: int) -> None:
        child = self._living.pop(number)
        self._starting.pop(number, None)
        self._forget(child.pipe.fileno())
        self._forget(child.pidfd)
        child.pipe.close()
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
        """End the fork server and the resource tracker, and wait for them: they belong to us.

        Nothing public ends them before the interpreter does; both have had these methods in every version from 3.8 to
        3.13.
        """
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
