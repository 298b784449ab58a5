"""Workers who take command lines in turn, and run each of them under a lock.

The rule: a command runs only while its worker holds the lock; and once we are to stop, none starts any more. Starting a
command, passing a signal on and burying who has ended exclude each other, so no command misses a signal and no signal
meets a stranger.

Each worker is a thread with a ``Lock`` of its own: one connection for all its commands, whose answer to the release
travels with the next grant. One more thread takes every signal in (they are blocked in all of them). A worker that
waits for the lock or for the next line is *apart*: nobody waits for it when we are to stop, it touches its lock no
more, and the end of the process takes it out of the line. A worker who has a line lets another one look for the next.

For a short command what a worker does between two of them is a third of the whole, so it does little: it asks for the
lock in the same write that gives it back, if there is a next line already. And whatever it has to say is said by
somebody else (``teller.py``): nobody who does not read it may keep the lock from others.
"""

from __future__ import annotations

import os
import select
from _thread import allocate_lock, start_new_thread
from time import monotonic, sleep

from ..transport.errors import Busy, HoldfastError, LockLost, TimedOut, Unreachable
from ..transport.frozen import Frozen
from .child import GRACE, NotRunnable
from .exits import COMMAND_MISSING
from .outcomes import Outcomes, how_it_ended
from .starter import Starter, descriptor_of
from .teller import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ..transport.repeated import Repeated
    from .child import Signals
    from .lines import Line, Source
    from .progress import Progress
else:
    import _signal as signal

LATER = 0.2  # seconds until a lock is asked for again that only another of our workers keeps from us


class NoThread(HoldfastError):
    """The system lets us start no other thread."""


class Manner(Frozen):
    """How commands are started, and what becomes of the others when one goes wrong."""

    environ: Mapping[str, str]
    arguments: Callable[[Sequence[str], str], list[str]]  # the words and the granted element → what is executed
    granted: Callable[[Line, Repeated], str] = lambda line, lock: ""  # what is said before it starts, if anything
    kill_when_lost: bool = False
    halt: bool = False  # start no other after one that failed


class Team:
    """Workers that share a list of command lines.

    ``errors`` has what ended a worker; ``stopped_by`` is the signal that told us to stop, 0 if none; ``loss_is_told``
    if a lock was lost while a command ran. ``teller`` says what there is to say, also after the end.
    """

    def __init__(self, lines: Source, manner: Manner, signals: Signals, progress: Progress) -> None:
        self.outcomes = Outcomes()
        self.errors: list[Exception] = []
        self.stopped_by = 0
        self.loss_is_told = False
        self.teller = Teller(progress.clear)
        self._lines = lines
        self._manner = manner
        self._signals = signals
        self._progress = progress
        self._reading = allocate_lock()
        self._over = allocate_lock()  # free when nobody is waited for any more
        self._state = allocate_lock()  # guards all below, and the outcomes
        self._stopping = False
        self._pids: set[int] = set()
        self._holders: set[Repeated] = set()  # each until its release was sent
        self._working = 0
        self._vacant = 0  # how many more may work
        self._waiting = 0  # of those who work: how many are apart
        self._apart = _Apart(self)

    def run(
        self, lock: Callable[[], Repeated], most: int, stops: Collection[int], asks_why: Collection[int] = ()
    ) -> None:
        """Run all commands; return when the last one has ended, or we are to stop.

        Args:
            lock: makes that of one worker.
            most: workers that there may be, 0 or more.
            stops: signals after which no command starts.
            asks_why: signals that, while no command runs, ask what we wait for.

        Raises:
            NoThread: not even one worker can be had.
        """
        self._over.acquire()
        self._vacant = most
        bell, rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _start(self.teller.run)
        _start(self._listen, frozenset(stops), frozenset(asks_why), rope)

        def ringing() -> Repeated:
            made = lock()
            made.bell = bell
            return made

        self._lock = ringing
        self._hire()
        with self._state:
            self._look()
        self._over.acquire()

    def _hire(self) -> None:
        """Let one more worker look for a line, if there may be one."""
        with self._state:
            if self._stopping or not self._vacant:
                return
            self._vacant -= 1
            self._working += 1
            try:
                _start(self._work, self._lock())
            except NoThread as error:
                self._working -= 1
                self._vacant = 0
                if not self._working:
                    raise
                self.teller.say(f"no more than {self._working} commands run at a time: {error}")

    # --- signals ---

    def _listen(self, stops: Collection[int], asks_why: Collection[int], rope: int) -> None:
        taken = self._signals.taken if os.getpid() == 1 else self._signals.taken - {signal.SIGCHLD}
        while True:
            info = signal.sigwaitinfo(taken)
            with self._state:
                if info.si_signo in stops:
                    self.stopped_by = self.stopped_by or info.si_signo
                    self._stop()
                if info.si_signo == signal.SIGCHLD:
                    self._bury_orphans()
                elif self._signals.passes_on(info):
                    for pid in self._pids:
                        os.kill(pid, info.si_signo)
                    if info.si_signo in asks_why and not self._pids:
                        _ring(rope)

    def _bury_orphans(self) -> None:
        """As PID 1 of a container we inherit them; each worker buries its own command."""
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if ended.si_pid in self._pids:
                    return  # its worker does; what is behind it is seen at the end of the next command, if not before
                os.waitpid(ended.si_pid, 0)
        except ChildProcessError:
            return

    def _stop(self) -> None:
        self._stopping = True
        self._look()

    def _look(self) -> None:
        """Is there nobody left to be waited for?"""
        if self._working == (self._waiting if self._stopping else 0) and self._over.locked():
            self._over.release()

    # --- one worker ---

    def _work(self, lock: Repeated) -> None:
        try:
            self._do_all(lock)
        except Exception as error:  # whoever called run raises it again: a thread has nobody to tell
            with self._state:
                self.errors.append(error)
                self._stop()
        finally:
            with self._state:
                self._working -= 1
                self._look()

    def _do_all(self, lock: Repeated) -> None:
        """Run commands until there is no other; the lock is given back no later than somebody else could have it."""
        code: int | None = None  # of the last command, while we still hold the lock under which it ran
        starter: Starter | None = None
        first = True
        poll = select.poll()
        while True:
            if self.teller.behind:
                if code is not None:
                    self._give_back(lock, code)
                    code = None
                self._let_tell()
            line = self._next(wait=code is None)
            if line is None and code is None:
                return
            if first:
                first = False
                self._hire()
            if line is None or not self._get(lock, line, code):
                if line is None and code is not None:
                    self._give_back(lock, code)
                code = None
                continue
            starter = starter or Starter(self._manner.environ, self._signals, lock)
            code = self._run(line, lock, starter, poll)
            if code is None:
                lock.close()
                return

    def _let_tell(self) -> None:
        """Wait, with no lock, until there is not too much that is not told yet."""
        if self.teller.behind:
            with self._apart:
                self.teller.mark().acquire()

    def _next(self, *, wait: bool) -> Line | None:
        """The next line that can be run; None: there is none, or if we must not ``wait``, perhaps one later."""
        while True:
            with self._apart:
                line = self._take(wait=wait)
            if line is None or not line.fault:
                return line
            self._not_run(f"{line}: {line.fault}", 0.0, unable=True)
            if not wait:
                return None
            self._let_tell()

    def _take(self, *, wait: bool) -> Line | None:
        if self._stopping or not self._reading.acquire(blocking=wait):
            return None
        try:
            return self._lines.take(wait=wait)
        finally:
            self._reading.release()

    def _get(self, lock: Repeated, line: Line, code: int | None) -> bool:
        """Get the lock for ``line``; False: it was not to be had in time.

        Args:
            code: of the command that has ended under it; None: we do not hold it.
        """
        asked = monotonic()
        while True:
            try:
                with self._apart:
                    if code is None:
                        lock.acquire()
                    else:
                        lock.again(rolled_back=code != 0)
            except (Busy, TimedOut) as error:
                self._holders.discard(lock)
                self._not_run(f"{line} not run: {error}", monotonic() - asked, unable=False)
                return False
            except Unreachable:  # the daemon was killed; another comes when those who hold, ours as well, have ended
                self._holders.discard(lock)
                if not self._holders or lock.timeout is not None:
                    raise
                code = None
                with self._apart:
                    sleep(LATER)
                if self._stopping:
                    return False
            else:
                self._holders.add(lock)
                return True

    def _give_back(self, lock: Repeated, code: int) -> None:
        lock.release(rolled_back=code != 0)
        self._holders.discard(lock)

    def _run(self, line: Line, lock: Repeated, starter: Starter, poll: select.poll) -> int | None:
        """Run the command of ``line``; its exit code, or -N if a signal ended it; None: we are to stop."""
        began, waited = monotonic(), lock.waited
        granted = self._manner.granted(line, lock)
        if granted:
            self.teller.say(granted)
        words = self._manner.arguments(line.words, lock.element)
        try:
            with self._state:
                if self._stopping:
                    return None
                pid = starter.start(words)
                self._pids.add(pid)
        except NotRunnable as error:
            self._not_run(f"{line}: {error}", waited, unable=True)
            return COMMAND_MISSING
        descriptor = descriptor_of(pid)
        try:
            if descriptor is not None:
                self._watch(pid, descriptor, lock, poll)
        finally:
            if descriptor is not None:
                os.close(descriptor)
            with self._state:
                self._pids.remove(pid)
                _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            self.teller.say(f"{line}: {how_it_ended(code)}")
        self._ended(line, code, monotonic() - began, waited)
        return code

    def _watch(self, pid: int, descriptor: int, lock: Repeated, poll: select.poll) -> None:
        """Wait until the command has ended; if the lock is lost meanwhile, say so, and end it if that is wanted."""
        connection = lock.fileno()
        poll.register(descriptor, select.POLLIN)
        poll.register(connection, select.POLLIN)
        limit = None
        while True:
            ready = poll.poll(limit)
            if not ready:
                os.kill(pid, signal.SIGKILL)
                limit = None
            elif any(one == connection for one, _ in ready) and (error := _lost(lock)):
                poll.unregister(connection)
                self._tell_loss(error)
                if self._manner.kill_when_lost:
                    os.kill(pid, signal.SIGTERM)
                    limit = GRACE * 1000
            if any(one == descriptor for one, _ in ready):
                poll.unregister(descriptor)
                return

    # --- what all of them know ---

    def _ended(self, line: Line, code: int, took: float, waited: float) -> None:
        with self._state:
            self.outcomes.count(line, code, took, waited)
            self._step(stop=bool(code and self._manner.halt) or code == -signal.SIGPIPE)

    def _not_run(self, sentence: str, waited: float, *, unable: bool) -> None:
        self.teller.say(sentence)
        with self._state:
            self.outcomes.leave_out(waited, unable=unable)
            self._step(stop=self._manner.halt)

    def _tell_loss(self, error: LockLost) -> None:
        """Tell the first of them: what one worker loses, all of them lose."""
        with self._state:
            told, self.loss_is_told = self.loss_is_told, True
            self._stop()
        if not told:
            self.teller.say(str(error))

    def _step(self, *, stop: bool) -> None:
        if self._progress.shown:
            self.teller.do(self._progress.step)
        if stop:
            self._stop()


class _Apart:
    """Those who wait for the lock or for a line: entered by each of them, for as long as it waits."""

    def __init__(self, team: Team) -> None:
        self._team = team

    def __enter__(self) -> None:
        team = self._team
        with team._state:
            team._waiting += 1
            if team._stopping:
                team._look()

    def __exit__(self, *_error: object) -> None:
        with self._team._state:
            self._team._waiting -= 1


def _start(work: Callable[..., None], *arguments: object) -> None:
    try:
        start_new_thread(work, arguments)
    except RuntimeError as error:
        raise NoThread("the system lets us start no other thread") from error


def _ring(rope: int) -> None:
    try:
        os.write(rope, b"?")
    except BlockingIOError:
        return  # it is full of questions already


def _lost(lock: Repeated) -> LockLost | None:
    """Read what the daemon has said."""
    try:
        lock.check()
    except LockLost as error:
        return error
    return None
