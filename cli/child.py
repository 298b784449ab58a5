"""The command that runs while the lock is held: start it, pass signals on, and end as it ended.

The rule: nobody can tell from inside the command that a wrapper stands around it, and nobody outside loses a signal.
So every signal is blocked *before* the command starts, the command gets the original mask, and from then on everything
that can happen (the command ended, the lock was lost, somebody wants us to stop) comes out of one ``sigwaitinfo``: no
thread, no handler, no race. The lock's connection takes part because the kernel turns its input into SIGIO (man 2
fcntl, O_ASYNC).

The command gets the environment that we were started with. Python, in a plain C locale, adds LC_CTYPE to its own (PEP
538); that is taken out again.

Left alone: TSTP, TTIN, TTOU, CONT and WINCH (the terminal sends them to the command as well, and ^Z must stop both),
and whatever was ignored when we started (nohup). Python ignores PIPE and XFSZ for itself before we can look, so the
command gets their defaults back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from ..transport.errors import HoldfastError, LockLost
from ..transport.identity import SESSION, handed_down
from .exits import exit_code_from_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Mapping
    from typing import Protocol

    from ..transport.client import Lock

    class Held(Protocol):
        """What the wait needs of a lock."""

        def fileno(self) -> int: ...

        def check(self) -> None: ...

else:
    import _signal as signal

LEFT_ALONE = frozenset((signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGWINCH))
IGNORED_BY_PYTHON = frozenset((signal.SIGPIPE, signal.SIGXFSZ))
DIES_AS_THE_COMMAND = frozenset((signal.SIGINT, signal.SIGQUIT))  # so that a shell's loop stops as well
SI_KERNEL = 0x80  # si_code: no process sent it (asm-generic/siginfo.h)
GRACE = 10.0  # seconds between TERM and KILL
COERCED = "LC_CTYPE"  # the one variable that Python sets for itself, before we can look


class NotRunnable(HoldfastError):
    """The command is missing or cannot be executed."""


class Signals:
    """The signals that the wrapper takes for itself, blocked from now on.

    Args:
        ignored: signals that are neither obeyed nor passed on while the command runs (flom's ``--ignore-signal``).
    """

    def __init__(self, *, ignored: Collection[int] = ()) -> None:
        self.ignored = frozenset(ignored)
        valid = signal.valid_signals()
        self._never_ours = {n for n in valid if signal.getsignal(n) == signal.SIG_IGN} - IGNORED_BY_PYTHON
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would throw the command's exit status away
        self.taken = (valid - LEFT_ALONE) | self.ignored  # a blocked signal comes to sigwaitinfo even if it is ignored
        self.original = signal.pthread_sigmask(signal.SIG_BLOCK, self.taken)

    def passes_on(self, info: signal.struct_siginfo) -> bool:
        """Is it the command's, and has it not got it yet?"""
        number, from_kernel = info.si_signo, info.si_code == SI_KERNEL
        if number in self.ignored or number in self._never_ours:
            return False
        if number in IGNORED_BY_PYTHON and info.si_pid == os.getpid():
            return False  # we wrote to a closed pipe ourselves
        if number == signal.SIGIO and info.si_code > 0:
            return False  # the lock's connection
        if number in DIES_AS_THE_COMMAND:
            return not from_kernel  # ^C and ^\ went to the whole foreground process group
        if number == signal.SIGHUP:
            return (
                not from_kernel or os.getsid(0) == os.getpid()
            )  # a terminal that hangs up tells the session leader alone
        return True


def inherited() -> dict[str, str]:
    """The environment that we were started with, of which the kernel keeps a copy (man 5 proc)."""
    environ = dict(os.environ)
    if COERCED in environ:
        try:
            with open("/proc/self/environ", "rb") as file:
                given = dict(entry.partition(b"=")[::2] for entry in file.read().split(b"\0"))
        except OSError:
            return environ
        del environ[COERCED]
        if COERCED.encode() in given:
            environ[COERCED] = os.fsdecode(given[COERCED.encode()])
    return environ


def environment(lock: Lock) -> dict[str, str]:
    """What a command that runs under ``lock`` finds in its environment."""
    return {
        "HOLDFAST_RESOURCE": lock.resource,
        "HOLDFAST_MODE": lock.mode.name,
        "HOLDFAST_QUANTITY": str(lock.quantity),
        "HOLDFAST_ELEMENT": lock.element,
        "HOLDFAST_TOKEN": str(lock.token),
        SESSION: handed_down(os.environ, bytes.fromhex(lock.session)),
    }


def start(command: list[str], environ: Mapping[str, str], signals: Signals) -> int:
    """Start ``command`` as execvp would, in our process group, and return its pid.

    A file that is executable but of no known format is run by /bin/sh, as execvp and every shell do (a script
    without ``#!``).

    Raises:
        NotRunnable: it is not there, or not executable.
    """
    try:
        return _spawn(command[0], command, environ, signals)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise NotRunnable(_why_not(command[0], error)) from error
    path = command[0] if "/" in command[0] else on_the_path(command[0]) or command[0]
    try:
        return _spawn("/bin/sh", ["/bin/sh", path, *command[1:]], environ, signals)
    except OSError as error:
        raise NotRunnable(_why_not("/bin/sh", error)) from error


def _spawn(path: str, argv: list[str], environ: Mapping[str, str], signals: Signals) -> int:
    if not path:  # posix_spawnp has a ValueError for it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return os.posix_spawnp(path, argv, environ, setsigmask=signals.original, setsigdef=IGNORED_BY_PYTHON)


def on_the_path(name: str) -> str:
    """Where on the PATH a file of that name is executable; "" if nowhere."""
    paths = (os.path.join(folder, name) for folder in os.get_exec_path())
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), "")


def _why_not(name: str, error: OSError) -> str:
    """Say in one sentence why ``name`` cannot be executed."""
    if error.errno == errno.ENOENT:
        if "/" in name and os.path.exists(name):
            return f"cannot run '{name}': the interpreter that its first line names was not found"
        return f"cannot run '{name}': command not found"
    if os.path.isdir(name) and "/" in name:
        return f"cannot run '{name}': it is a directory"
    if error.errno == errno.EACCES:
        return f"cannot run '{name}': not executable (permission denied)"
    return f"cannot run '{name}': {error.strerror}"


class Child:
    """The running command, and the one wait for all that can happen meanwhile."""

    def __init__(self, pid: int, signals: Signals) -> None:
        self.pid = pid
        self._signals = signals
        self._kill_at: float | None = None

    def wait(self, held: Held, lost: Callable[[LockLost], bool]) -> int:
        """Wait until the command ends, for ever if need be; hand signals on meanwhile.

        Args:
            held: the lock that is watched.
            lost: called once, as soon as the lock is lost; returns whether the command has to end for it.

        Returns:
            Its exit status, or ``-N`` if signal N killed it.
        """
        _send_sigio(held)
        watched = self._still_held(held, lost)  # what came before makes no signal
        while True:
            info = self._next_signal()
            if info is None:
                os.kill(self.pid, signal.SIGKILL)
                continue
            if info.si_signo == signal.SIGCHLD:
                status = self._reap()
                if status is not None:
                    return os.waitstatus_to_exitcode(status)
                continue
            if info.si_signo == signal.SIGIO and watched:  # whoever sent it: two pending SIGIO are one
                watched = self._still_held(held, lost)
            if self._signals.passes_on(info):
                os.kill(self.pid, info.si_signo)

    def _still_held(self, held: Held, lost: Callable[[LockLost], bool]) -> bool:
        try:
            held.check()
        except LockLost as error:
            if lost(error):
                os.kill(self.pid, signal.SIGTERM)
                self._kill_at = time.monotonic() + GRACE
            return False
        return True

    def _next_signal(self) -> signal.struct_siginfo | None:
        """The next signal; None when the command has had its grace."""
        if self._kill_at is None:
            return signal.sigwaitinfo(self._signals.taken)
        info = signal.sigtimedwait(self._signals.taken, max(0.0, self._kill_at - time.monotonic()))
        if info is None:
            self._kill_at = None
        return info

    def _reap(self) -> int | None:
        """The command's wait status if it has ended. As PID 1 of a container we inherit orphans, and bury them too."""
        anybody = os.getpid() == 1
        while True:
            pid, status = os.waitpid(-1 if anybody else self.pid, os.WNOHANG)
            if pid == self.pid:
                return status
            if pid == 0:
                return None


def _send_sigio(held: Held) -> None:
    """Let the kernel send us SIGIO whenever the lock's connection has something to say."""
    connection = held.fileno()
    fcntl.fcntl(connection, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(connection, fcntl.F_SETFL, fcntl.fcntl(connection, fcntl.F_GETFL) | os.O_ASYNC)


def die_by(number: int, *, always: bool = False) -> int:
    """End as somebody whom signal ``number`` ended: by that signal if a shell looks at it (INT, QUIT), else with 128+N.

    Args:
        always: by the signal, whichever it is.

    Returns:
        The exit code, if we still live: PID 1 of a container cannot kill itself.
    """
    if always or number in DIES_AS_THE_COMMAND:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core to look at is the command's
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    return exit_code_from_signal(number)
