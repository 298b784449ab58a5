"""The only maker of ZeroMQ sockets, and of the UNIX sockets under them.

A ``Router`` is the mailbox of an actor: a ROUTER socket, its monitor, and the listening socket below both. It tells
which connection (descriptor) came and went, and for a message of somebody unknown which connection and which process
it came from; ``actors/door.py`` makes sessions of that.

Options, and why:

* one I/O thread: libzmq reports ACCEPTED after it has handed the connection to that thread, so no message comes first
* ROUTER_MANDATORY: an answer to somebody who left is an error (EHOSTUNREACH), not silence
* SNDHWM, RCVHWM 64: a client that does not read is out of the line (EAGAIN); it cannot fill our memory
* MAXMSGSIZE 65,536: the limit of the protocol; libzmq ends the connection before it allocates more
* HANDSHAKE_IVL 5 s: half a greeting and silence
* LINGER 0: nothing is kept for nobody; only an actor that ends gives its last words a second
* USE_FD: libzmq's own bind deletes whatever is at the path, a user's file or a live socket; so we listen ourselves
* the monitor's RCVHWM 0: 2,000 unread events would block the I/O thread

Descriptors: libzmq aborts the process when accept meets EMFILE, so the router stops accepting while there is still
room; those who connect meanwhile wait in the kernel's queue (``BACKLOG``).
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import time
from collections.abc import Container
from contextlib import suppress
from typing import NamedTuple

import zmq
from zmq.utils.monitor import parse_monitor_message

from .errors import Unreachable

BACKLOG = 4096  # connections that wait in the kernel while we do not accept
FRAME_LIMIT = 65536  # bytes
HANDSHAKE = 5000  # ms
LAST_WORDS = 1000  # ms that an ending actor gives its last answers
ROOM = 4096  # descriptors kept free at most: as many may come while we do something else
QUEUE = 64  # messages in each direction for one peer
LOOK_AGAIN = 0.2  # seconds until a router that accepts nobody counts its descriptors again

_WATCHED = zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED


class Arrival(NamedTuple):
    """A message of somebody whom the caller does not know yet."""

    fd: int  # descriptor of its connection; it may be dead, and the number in use again
    credentials: tuple[int, int] | None  # (uid, pid) as the kernel saw them at the handshake; None: not told
    frame: bytes | None  # None: more than one frame, or an empty message


class Ready(NamedTuple):
    """What ``Router.wait`` found."""

    changes: bool  # connections came or went
    messages: bool
    others: frozenset[int]  # registered descriptors


class Change(NamedTuple):
    """A connection came or went."""

    fd: int
    came: bool


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one.

    Returns:
        The limit now in force.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


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


class Router:
    """An actor's mailbox, with the process's only ZeroMQ context; see the opening of this file.

    Args:
        path: where to listen; see ``listen_unix``.
        limit: descriptors that this process may open (``raise_descriptor_limit``).

    Raises:
        Unreachable: as ``listen_unix``.
    """

    def __init__(self, path: str, *, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._room = min(ROOM, limit // 3)  # descriptors kept free
        self._backlog = min(BACKLOG, self._room // 2)
        self._listener = listen_unix(path, self._backlog)
        self._ours = os.lstat(path)
        self._look_at = 0.0
        self._listening = False
        self._closed = False
        self._context = zmq.Context(1)
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.SNDHWM, QUEUE),
            (zmq.RCVHWM, QUEUE),
            (zmq.MAXMSGSIZE, FRAME_LIMIT),
            (zmq.HANDSHAKE_IVL, HANDSHAKE),
            (zmq.LINGER, 0),
        ):
            self._socket.setsockopt(option, value)
        self._monitor = self._watch()
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self.listen()

    def _watch(self) -> zmq.Socket[bytes]:
        address = f"inproc://monitor-{id(self)}"
        self._socket.monitor(address, _WATCHED)
        monitor = self._context.socket(zmq.PAIR)
        monitor.setsockopt(zmq.RCVHWM, 0)
        monitor.setsockopt(zmq.LINGER, 0)
        monitor.connect(address)
        return monitor

    def register(self, descriptor: int) -> None:
        """Let ``wait`` look at ``descriptor`` too."""
        self._poller.register(descriptor, zmq.POLLIN)

    def unregister(self, descriptor: int) -> None:
        """Let ``wait`` look at ``descriptor`` no longer."""
        self._poller.unregister(descriptor)

    def wait(self, timeout: int | None) -> Ready:
        """Wait until something can be read.

        Args:
            timeout: milliseconds at most; None: as long as it takes.
        """
        if not self._listening and not self._closed:
            timeout = self._look_again(timeout)
        ready = dict(self._poller.poll(timeout))
        changes = ready.pop(self._monitor, 0) != 0
        messages = ready.pop(self._socket, 0) != 0
        return Ready(changes, messages, frozenset(fd for fd in ready if isinstance(fd, int)))

    def _look_again(self, timeout: int | None) -> int | None:
        """Listen again if there is room now; else be back in ``LOOK_AGAIN``: descriptors come free in many ways."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            if _descriptors() <= self._limit - 2 * self._room:
                self.listen()
                return 0  # so that the caller hears of it now
        patience = int(LOOK_AGAIN * 1000)
        return patience if timeout is None else min(timeout, patience)

    @property
    def listening(self) -> bool:
        """Are new connections accepted?"""
        return self._listening

    def listen(self) -> None:
        """Accept connections (again)."""
        if not self._listening and not self._closed:
            self._socket.setsockopt(zmq.USE_FD, os.dup(self._listener.fileno()))
            self._socket.bind(f"ipc://{self._path}")
            self._listening = True

    def pause(self) -> None:
        """Accept nobody until ``listen``; whoever connects waits in the kernel's queue.

        Not by ``unbind``: libzmq ends all connections that came by that listener. Another socket takes the old one's
        place, and is not given to libzmq before ``listen``; the old one stays, and nobody finds it any more. There is
        no moment without a socket at the path: who found none would start another daemon.
        """
        if self._listening:
            aside = self._path + "~"
            try:
                _clear(aside)
                listener = _bind(aside, self._backlog)
                os.rename(aside, self._path)
            except (Unreachable, OSError):
                return  # the disk is full, the directory gone: the next newcomer makes us try again
            self._listener.close()
            self._listener = listener
            self._listening = False
            self._ours = os.lstat(self._path)

    def stop_listening(self) -> None:
        """Take the socket's name away: nobody finds it any more. Connections that stand go on."""
        if not self._closed:
            self._closed = True
            self._listening = False
            self._listener.close()
            with suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(self._path), self._ours):  # not what somebody else has put there
                    os.unlink(self._path)

    def changes(self) -> list[Change]:
        """Who came and who went since the last call, in order. Pauses when descriptors run out."""
        found: list[Change] = []
        while True:
            try:
                event = parse_monitor_message(self._monitor.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                break
            change = Change(int(event["value"]), event["event"] == zmq.Event.ACCEPTED)
            found.append(change)
            if not change.came:
                self._look_at = 0.0
            elif change.fd >= self._limit - self._room:
                self.pause()  # at once: there may be no end of newcomers
        return found

    def receive(self, known: Container[bytes]) -> tuple[bytes, bytes | Arrival] | None:
        """The next message, without waiting.

        Args:
            known: routing ids of established sessions; for them the frame alone is returned (finding out
                the connection of a message costs five times as much as the message).

        Returns:
            None if there is none; else routing id and frame. A frame of an established session that is not alone in
            its message is returned empty (no frame of the protocol is).
        """
        try:
            routing_id = self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None
        if routing_id in known:
            frame = self._socket.recv()
            return routing_id, b"" if self._drop_rest() else frame
        message = self._socket.recv(copy=False)
        descriptor = int(message.get(zmq.SRCFD))
        credentials = _credentials(message)
        more = self._drop_rest()
        return routing_id, Arrival(descriptor, credentials, None if more else message.bytes)

    def _drop_rest(self) -> bool:
        dropped = False
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv()
            dropped = True
        return dropped

    def send(self, routing_id: bytes, frame: bytes) -> bool:
        """Send one answer; False if the peer is gone or does not read."""
        try:
            self._socket.send(routing_id, zmq.NOBLOCK | zmq.SNDMORE)
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True

    def shut(self, descriptor: int, alive: Container[int]) -> list[Change]:
        """End one peer's connection, and nobody else's.

        A descriptor's number may be in use again by somebody else. libzmq reports the end of a connection before it
        frees the number, so the copy is taken first and the events are read after it: if the connection still stands
        then, the copy is that connection.

        Args:
            descriptor: of the connection.
            alive: descriptors that the caller knows as connected.

        Returns:
            The changes that were read meanwhile; the caller must take them in.
        """
        try:
            copy = os.dup(descriptor)
        except OSError:
            return self.changes()  # closed already
        try:
            changes = self.changes()
            if descriptor in alive and all(change.fd != descriptor for change in changes):
                _shut(copy)
        finally:
            os.close(copy)
        return changes

    def close(self) -> None:
        """End listening and all connections; the last answers get ``LAST_WORDS``."""
        self.stop_listening()
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(LAST_WORDS)
        self._context.term()


def _descriptors() -> float:
    """How many are open; infinite if there is none left to look."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return float("inf")


def _shut(descriptor: int) -> None:
    """End a connection in both directions; one that ended already stays as it is."""
    connection = socket.socket(fileno=descriptor)
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
    finally:
        connection.detach()


def _credentials(message: zmq.Frame) -> tuple[int, int] | None:
    """(uid, pid) of a peer on a UNIX socket, which libzmq tells as ``host:uid:gid:pid``."""
    try:
        parts = str(message.get("Peer-Address")).split(":")
        return int(parts[-3]), int(parts[-1])
    except (zmq.ZMQError, ValueError, IndexError):
        return None
