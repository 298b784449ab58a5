"""The listening socket below an actor's mailbox, at a UNIX path, and where a connection came from.

We make it ourselves and hand libzmq its descriptor: its own bind would delete whatever is at the path, a user's file or
a live socket. It is for our own user, and the kernel says who is at its other end. What comes by TCP (``ports.py``) is
only known by the address it came from; the rest is its own word.

The rule: a listener can *pause*: who connects meanwhile waits, and nobody is turned away. libzmq cannot stop to accept
without ending the connections that it has accepted, so the newcomers are kept from it: another socket takes the old
one's place at the path, which libzmq is given when the pause ends. There is no moment without a socket at the path: who
found none would start another daemon.

Source: man 7 unix.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from .errors import Unreachable

BACKLOG = 4096  # connections that wait in the kernel while we do not accept
LOCAL = "localhost/"  # FLoM's name of a connection that comes by a UNIX socket


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection came from, as the kernel says, and with which key.

    ``peer`` is FLoM's name of it, ``localhost/`` or ``192.0.2.7/48832``. ``trusted``: it came by the UNIX socket, so
    uid and pid are the kernel's words; else they are its own.
    """

    peer: str = LOCAL
    trusted: bool = True
    key: str = ""  # name of its admitted CURVE key
    admin: bool = False  # that key may do what only the daemon's owner may

    @property
    def host(self) -> str:
        """``peer`` without the port."""
        return self.peer.rpartition("/")[0]


class Listener(Protocol):
    """A listening socket that libzmq accepts from."""

    @property
    def endpoint(self) -> str:
        """As libzmq calls it."""

    def limit_queue(self, backlog: int) -> None:
        """Let so many connections wait in the kernel."""

    def resume(self) -> int | None:
        """Let connections come (again).

        Returns:
            The descriptor that libzmq must be given, which is its own from then on; None: it has it already.
        """

    def pause(self) -> bool:
        """Let newcomers wait until ``resume``; False if that cannot be done now."""

    def close(self) -> None:
        """Nobody finds it any more; connections that stand go on."""


# --- UNIX -------------------------------------------------------------------------------------------------------------


def listen_unix(path: str, backlog: int = BACKLOG) -> socket.socket:
    """Make a listening UNIX socket at ``path`` for our own user only.

    The caller holds the lock of the directory: a socket of ours that refuses connections is then a dead daemon's and
    is replaced. Anything else at the path is left alone.

    Args:
        backlog: connections that may wait in the kernel; who comes then waits in his ``connect``.

    Raises:
        Unreachable: somebody listens there, or something else stands there.
    """
    _clear(path)
    return _bind(path, backlog)


def _bind(path: str, backlog: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise Unreachable(f"cannot listen at {path}: {error.strerror or error}") from error
    finally:
        os.umask(before)
    listener.listen(backlog)
    return listener


def _clear(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
        raise Unreachable(f"{path} is there already and is not a socket of ours; move it away or name another socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        refused = probe.connect_ex(path)
    if refused != errno.ECONNREFUSED:
        raise Unreachable(f"somebody listens at {path} already; name another socket, or stop that daemon")
    os.unlink(path)


class UnixListener:
    """A listening socket at a path; see ``listen_unix``, whose errors it raises."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._backlog = BACKLOG
        self._socket = listen_unix(path)
        self._ours = os.lstat(path)
        self._given = False  # libzmq has the one that is at the path

    @property
    def endpoint(self) -> str:
        """As libzmq calls it."""
        return f"ipc://{self._path}"

    def limit_queue(self, backlog: int) -> None:
        """Let so many connections wait in the kernel."""
        self._backlog = backlog
        self._socket.listen(backlog)

    def resume(self) -> int | None:
        """See ``Listener``."""
        if self._given:
            return None
        self._given = True
        return os.dup(self._socket.fileno())

    def pause(self) -> bool:
        """Put another socket in the old one's place, which nobody finds any more."""
        aside = self._path + "~"
        try:
            _clear(aside)
            listener = _bind(aside, self._backlog)
            os.rename(aside, self._path)
        except (Unreachable, OSError):
            return False  # the disk is full, the directory gone: the next newcomer makes us try again
        self._socket.close()
        self._socket = listener
        self._given = False
        self._ours = os.lstat(self._path)
        return True

    def close(self) -> None:
        """Take the name away, if it is ours."""
        self._socket.close()
        with suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(self._path), self._ours):  # not what somebody else has put there
                os.unlink(self._path)


# --- descriptors ------------------------------------------------------------------------------------------------------


def open_descriptors() -> float:
    """How many are open; infinite if there is none left to look."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return float("inf")


def shut(descriptor: int) -> None:
    """End a connection in both directions; one that ended already stays as it is."""
    connection = socket.socket(fileno=descriptor)
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
    finally:
        connection.detach()
