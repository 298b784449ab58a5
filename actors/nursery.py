"""Where children come from: the *nursery*, our own fork server, a process that forks one for each order.

* It is a child of ``multiprocessing`` itself, forked when its parent has imported what actors import, and has neither a
  ZeroMQ context nor a thread, which a fork would leave half alive. So an upgraded package cannot mix with a running
  daemon, what was imported is in memory once, and a child begins in less than two milliseconds.
* It keeps nothing: no descriptor of its parent but the line on which orders come. Those that a child is to have come
  with the order, are the child's alone, and pass to no program that it starts.
* An order is answered with a pidfd that was opened before anybody could reap the child, so that another process which
  has its number now is never taken for it. Nobody waits for the answer.
* It ends when its parent ends, in whichever way. Its children live on.
* It, and so each child until it decides otherwise, ignores the signals that a whole process group may be sent (a
  terminal closes, systemd stops a service, somebody wants a dump): nothing could start after it.

Why not the one of ``multiprocessing``: docs/decisions/0016.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import select
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Final, NamedTuple, NoReturn

from .log import event

COMM: Final = "holdfast-nurse"  # as ps and pgrep show it; at most 15 characters
FOR_ALL: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
LARGEST: Final = 256  # bytes of an order, and of an answer
DESCRIPTORS: Final = 16  # that an order can bring
GRACE: Final = 1.0  # seconds for the nursery to end before it is killed
FAILED: Final = 1  # exit code of a child that raised


@dataclass(frozen=True, slots=True)
class Inherited:
    """A descriptor among the ``arguments`` of a child, which gets a copy of it: an int there."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a child is, as data: the composition root fills it in, so that a parent need not import what it starts.

    ``target`` is called in the child with its number, its end of the pipe, and ``arguments``, in which each
    ``Inherited``, in tuples too, has become a descriptor of its own. A child without mailbox says ``Ready`` with an
    empty address.
    """

    role: str
    target: Callable[..., None]
    arguments: tuple[object, ...]


class Answer(NamedTuple):
    """What became of an order."""

    number: int  # of the child
    pid: int = 0  # 0: there is no child
    pidfd: int = -1  # the caller's own; -1: the caller had no descriptor left for it
    error: str = ""  # why there is none


def name_process(comm: str) -> None:
    """Set the name that ``ps -o comm`` and ``pgrep`` show, at most 15 bytes."""
    descriptor = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, comm.encode())
    os.close(descriptor)


class Nursery:
    """The parent's end of the line; the nursery itself is started here.

    Args:
        specs: by role, what can be ordered.
        preload: modules that the nursery imports before it takes orders, besides what its parent has imported.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, specs: Mapping[str, ChildSpec], *, preload: Iterable[str]) -> None:
        self._specs = specs
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        self._process = multiprocessing.get_context("fork").Process(
            target=_nurse, args=(theirs, specs, preload), name="nursery", daemon=True
        )
        with theirs, _ignored(FOR_ALL):
            self._process.start()
        self.pid: Final = self._process.pid or 0
        self._pidfd = os.pidfd_open(self.pid)
        atexit.register(self._line.close)  # else multiprocessing would wait for it then

    def fileno(self) -> int:
        """Readable when there are answers."""
        return self._line.fileno()

    def order(self, number: int, role: str, end: socket.socket) -> None:
        """Have child ``number`` forked.

        Args:
            end: its end of its pipe.

        Raises:
            OSError: the nursery is dead, or stopped, or has more orders than it can take.
        """
        if _stopped(self.pid):
            raise BlockingIOError("the fork server is stopped")
        descriptors = [end.fileno(), *_descriptors(self._specs[role].arguments)]
        socket.send_fds(self._line, [f"{number} {role}".encode()], descriptors)

    def answers(self) -> Iterator[Answer]:
        """Those that have come.

        Raises:
            EOFError: the nursery is dead.
        """
        while True:
            try:
                said, descriptors, _, _ = socket.recv_fds(self._line, LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except ConnectionResetError:
                said = b""
            if not said:
                raise EOFError
            number, pid, error = said.decode().split(" ", 2)
            yield Answer(int(number), int(pid), descriptors[0] if descriptors else -1, error)

    def close(self) -> None:
        """End the nursery, and wait for it: it belongs to us."""
        atexit.unregister(self._line.close)
        self._line.close()
        if not select.select([self._pidfd], [], [], GRACE)[0]:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._process.join()
        self._process.close()
        os.close(self._pidfd)


@contextmanager
def _ignored(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let whatever is started meanwhile ignore these signals."""
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


def _descriptors(value: object) -> Iterator[int]:
    """Those to be inherited among ``value``, in their order."""
    if isinstance(value, Inherited):
        yield value.descriptor
    elif isinstance(value, tuple):
        for part in value:
            yield from _descriptors(part)


def _filled_in(value: object, descriptors: Iterator[int]) -> object:
    """``value`` with the next of ``descriptors`` in the place of each one to be inherited."""
    if isinstance(value, Inherited):
        return next(descriptors)
    if type(value) is tuple:
        return tuple(_filled_in(part, descriptors) for part in value)
    return value


# --- the nursery itself -----------------------------------------------------------------------------------------------


def _nurse(line: socket.socket, specs: Mapping[str, ChildSpec], preload: Iterable[str]) -> None:
    """Fork a child for each order, until the parent is gone."""
    name_process(COMM)
    _let_go_of_all_but(line.fileno())
    alarm = _hear_of_deaths()
    for module in preload:
        import_module(module)
    gc.freeze()  # a collection in a child must not write to, and so copy, the pages that it shares
    with suppress(ConnectionError):  # the parent is gone
        _take_orders(line, alarm, specs)
    signal.set_wakeup_fd(-1)


def _take_orders(line: socket.socket, alarm: tuple[socket.socket, int], specs: Mapping[str, ChildSpec]) -> None:
    wakeup, writing = alarm
    ours = (line.fileno(), wakeup.fileno(), writing)
    poller = select.poll()
    for source in (line, wakeup):
        poller.register(source, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poller.poll()]
        if wakeup.fileno() in ready:
            wakeup.recv(LARGEST)
            _reap()
        if line.fileno() in ready:
            order, descriptors, _, _ = socket.recv_fds(line, LARGEST, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            if not order:
                return
            number, role = order.decode().split(" ", 1)
            _fork(line, ours, int(number), specs[role], descriptors)


def _let_go_of_all_but(kept: int) -> None:
    """Close what our parent has open, but for the standard streams."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != kept:
            with suppress(OSError):  # it was the listing's own
                os.close(descriptor)


def _hear_of_deaths() -> tuple[socket.socket, int]:
    """What becomes readable when a child has died, and the descriptor that the interpreter writes to."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whatever whoever started us had blocked
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return reading, writing.detach()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork(line: socket.socket, ours: Iterable[int], number: int, spec: ChildSpec, descriptors: list[int]) -> None:
    """Fork a child, and say so.

    Args:
        ours: descriptors that it must not have.
        descriptors: those that it has instead.

    Raises:
        ConnectionError: the parent is gone.
    """
    pid = 0
    try:
        pid = os.fork()
        if pid == 0:
            _live(ours, number, spec, descriptors)
        pidfd = os.pidfd_open(pid)  # nobody has reaped it yet
    except OSError as error:
        if pid:
            os.kill(pid, signal.SIGKILL)
        line.send(f"{number} 0 {error.strerror}".encode())
    else:
        socket.send_fds(line, [f"{number} {pid} ".encode()], [pidfd])
        os.close(pidfd)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _live(ours: Iterable[int], number: int, spec: ChildSpec, descriptors: list[int]) -> NoReturn:
    """A child's life: it never comes back from here, whatever its target raises."""
    code = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in ours:
            os.close(descriptor)
        end, *inherited = descriptors
        arguments = _filled_in(spec.arguments, iter(inherited))
        assert isinstance(arguments, tuple)
        spec.target(number, socket.socket(fileno=end), *arguments)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else FAILED
    except Exception:
        event("HFD010E", exc_info=True)
    finally:
        os._exit(code)
