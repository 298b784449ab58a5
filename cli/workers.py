"""Workers who take command lines in turn, and run each of them under a lock.

The rule: a command runs only while its worker holds the lock; and once we are to stop, none starts any more. Starting a
command, passing a signal on and burying who has ended exclude each other, so no command misses a signal and no signal
meets a stranger.

Each worker is a thread with a ``Lock`` of its own: one connection for all its commands, whose answer to the release
rides on the next grant. One more thread takes every signal in (they are blocked in all of them). A worker that waits
for the lock or for the next line is *apart*: nobody waits for it when we are to stop, it touches its lock no more, and
the end of the process takes it out of the line.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from threading import Lock as Mutex
from time import monotonic
from typing import Protocol

from ..transport.client import Lock
from ..transport.errors import Busy, LockLost, TimedOut
from ..transport.stderr import say
from .child import GRACE, NotRunnable, Signals, environment, start
from .exits import COMMAND_MISSING
from .lines import Line
from .outcomes import Outcomes, how_it_ended


class Steps(Protocol):
    """Who is told of each command that has come to its end."""

    def step(self) -> None: ...


@dataclass(frozen=True)
class Manner:
    """How commands are started, and what becomes of the others when one goes wrong."""

    environ: Mapping[str, str]
    arguments: Callable[[Sequence[str], str], list[str]]  # the words and the granted element → what is executed
    granted: Callable[[Line, Lock], None] = lambda line, lock: None
    kill_when_lost: bool = False
    halt: bool = False  # start no other after one that failed


class Team:
    """Workers that share a list of command lines.

    ``errors`` has what ended a worker; ``stopped_by`` is the signal that told us to stop, 0 if none.
    """

    def __init__(self, lines: Iterator[Line], manner: Manner, signals: Signals, progress: Steps) -> None:
        self.outcomes = Outcomes()
        self.errors: list[Exception] = []
        self.stopped_by = 0
        self._lines = lines
        self._manner = manner
        self._signals = signals
        self._progress = progress
        self._reading = Mutex()
        self._state = Condition(Mutex())  # guards all below, and the outcomes
        self._stopping = False
        self._pids: set[int] = set()
        self._working = 0
        self._apart = 0

    def run(self, locks: Sequence[Lock], stops: Collection[int]) -> None:
        """Run all commands, a worker for each lock; return when the last one has ended, or we are to stop.

        Args:
            stops: signals after which no command starts.
        """
        self._working = len(locks)
        Thread(target=self._listen, args=(frozenset(stops),), daemon=True).start()
        for lock in locks:
            Thread(target=self._work, args=(lock,), daemon=True).start()
        with self._state:
            self._state.wait_for(lambda: self._working == 0 or (self._stopping and self._working == self._apart))

    # --- signals ---

    def _listen(self, stops: frozenset[int]) -> None:
        taken = self._signals.taken - {signal.SIGCHLD}  # each worker waits for its own command
        while True:
            info = signal.sigwaitinfo(taken)
            with self._state:
                if info.si_signo in stops:
                    self.stopped_by = self.stopped_by or info.si_signo
                    self._stop()
                if self._signals.passes_on(info):
                    for pid in self._pids:
                        os.kill(pid, info.si_signo)

    def _stop(self) -> None:
        self._stopping = True
        self._state.notify_all()

    # --- one worker ---

    def _work(self, lock: Lock) -> None:
        try:
            while (line := self._next()) is not None and self._do(line, lock):
                pass
        except Exception as error:  # whoever called run raises it again: a thread has nobody to tell
            with self._state:
                self.errors.append(error)
                self._stop()
        finally:
            with self._state:
                self._working -= 1
                self._state.notify_all()

    def _next(self) -> Line | None:
        with self._state:
            if self._stopping:
                return None
        with self._set_apart(), self._reading:
            return next(self._lines, None)

    def _do(self, line: Line, lock: Lock) -> bool:
        """Run one command under the lock; return whether there may be another one."""
        if line.fault:
            say(f"{line}: {line.fault}")
            self._ended(line, COMMAND_MISSING, 0.0, 0.0)
            return True
        try:
            with self._set_apart():
                lock.acquire()
        except (Busy, TimedOut) as error:
            say(f"{line} not run: {error}")
            self._leave_out()
            return True
        began, waited = monotonic(), lock.waited
        code = self._run(line, lock)
        if code is None:
            lock.close()
            return False
        self._ended(line, code, monotonic() - began, waited)
        lock.release(rolled_back=code != 0)
        return True

    def _run(self, line: Line, lock: Lock) -> int | None:
        """Run the command of ``line``; its exit code, or -N if a signal ended it; None: we are to stop."""
        self._manner.granted(line, lock)
        words = self._manner.arguments(line.words, lock.element)
        environ = {**self._manner.environ, **environment(lock)}
        try:
            with self._state:
                if self._stopping:
                    return None
                pid = start(words, environ, self._signals)
                self._pids.add(pid)
        except NotRunnable as error:
            say(f"{line}: {error}")
            return COMMAND_MISSING
        descriptor = os.pidfd_open(pid)
        try:
            self._watch(pid, descriptor, lock)
        finally:
            os.close(descriptor)
            with self._state:
                self._pids.remove(pid)
                _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            say(f"{line}: {how_it_ended(code)}")
        return code

    def _watch(self, pid: int, descriptor: int, lock: Lock) -> None:
        """Wait until the command has ended; if the lock is lost meanwhile, say so, and end it if that is wanted."""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        connection = lock.fileno()
        poll.register(connection, select.POLLIN)
        limit = None
        while True:
            if connection >= 0 and (error := _lost(lock)):
                poll.unregister(connection)
                connection = -1
                say(str(error))
                if self._manner.kill_when_lost:
                    os.kill(pid, signal.SIGTERM)
                    limit = GRACE * 1000
            ready = poll.poll(limit)
            if not ready:
                os.kill(pid, signal.SIGKILL)
                limit = None
            if any(one == descriptor for one, _ in ready):
                return

    # --- what all of them know ---

    @contextmanager
    def _set_apart(self) -> Iterator[None]:
        with self._state:
            self._apart += 1
            if self._stopping:
                self._state.notify_all()
        try:
            yield
        finally:
            with self._state:
                self._apart -= 1

    def _ended(self, line: Line, code: int, took: float, waited: float) -> None:
        with self._state:
            self.outcomes.count(line, code, took, waited)
            self._progress.step()
            if code and self._manner.halt:
                self._stop()

    def _leave_out(self) -> None:
        with self._state:
            self.outcomes.left_out += 1
            self._progress.step()
            if self._manner.halt:
                self._stop()


def _lost(lock: Lock) -> LockLost | None:
    """Read what the daemon has said."""
    try:
        lock.check()
    except LockLost as error:
        return error
    return None
