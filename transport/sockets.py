"""The only maker of ZeroMQ sockets.

A ``Router`` is the mailbox of an actor: a ROUTER socket and its ``Monitor`` over each listening socket, a UNIX one and
perhaps one on TCP (``listeners.py`` makes those). It tells which connection came and went, and for a message of
somebody unknown which connection, and where from, it came by; ``actors/door.py`` makes sessions of that.

Two sockets must not be mistaken for one: libzmq's routing ids, and the numbers of descriptors that are used again, are
only unique and in order within each of them. So a connection by TCP is known by the negative of its descriptor, less
one, and by a routing id that is one byte longer; who chose its own routing id gets one that nobody else can have.
libzmq counts its own on from C's ``rand``, and aborts (4.3.5) when it meets one that a client chose; so we seed that.

Options, and why:

* one I/O thread: libzmq reports ACCEPTED after it has handed the connection to that thread, so no message comes first
* ROUTER_MANDATORY: an answer to somebody who left is an error (EHOSTUNREACH), not silence
* SNDHWM, RCVHWM 64: a client that does not read is out of the line (EAGAIN); it cannot fill our memory
* MAXMSGSIZE 65,536: the limit of the protocol; libzmq ends the connection before it allocates more
* HANDSHAKE_IVL 5 s: half a greeting and silence
* LINGER 0: nothing is kept for nobody; only an actor that ends gives its last words a second
* USE_FD: the listening socket is ours
* TCP_KEEPALIVE and its like, TCP_MAXRT: a peer whose machine vanished is gone after a bounded time, whether we said
  something to it (which it does not acknowledge) or not
* CURVE, if there are keys, on TCP alone (``zap.py``): a UNIX socket is our own user's

Descriptors: libzmq aborts the process when accept meets EMFILE at a UNIX socket, and spins at a port; so the router
stops accepting while there is still room. Those who connect meanwhile wait in the kernel (``BACKLOG``).
"""

from __future__ import annotations

import ctypes
import os
import resource
import time
from collections import Counter
from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

import zmq

from .keys import DaemonKeys, split_name
from .listeners import BACKLOG, Listener, Origin, UnixListener, open_descriptors, shut
from .monitor import NOT_ADMITTED, Monitor
from .ports import TcpListener, peer_of

if TYPE_CHECKING:
    from .zap import Doorkeeper

FRAME_LIMIT = 65536  # bytes
HANDSHAKE = 5000  # ms
LAST_WORDS = 1000  # ms that an ending actor gives its last answers
ROOM = 4096  # descriptors kept free at most: as many may come while we do something else
QUEUE = 64  # messages in each direction for one peer
LOOK_AGAIN = 0.2  # seconds until a router that accepts nobody counts its descriptors again
QUESTIONS = 2  # about the next message in each turn; to try and find none costs as much as three of them
GIVEN = 5  # bytes of a routing id that libzmq gave, the first of them zero
NOBLOCK = int(zmq.NOBLOCK)  # found once: it costs as much as a third of the send
AND_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
BY_TCP = b"\1"  # what is added to it for a connection by TCP
NONE: frozenset[int] = frozenset()
NOBODY = 1 << 30  # no descriptor of anybody
SRAND = ctypes.CDLL(None).srand  # made once for all children: making it makes a class
CHOSEN = b"?"  # what a routing id begins with that the client chose


class Arrival(NamedTuple):
    """A message of somebody whom the caller does not know yet."""

    fd: int  # of its connection, as ``Change`` tells it; it may be dead, and the number in use again
    credentials: tuple[int, int] | None  # (uid, pid) as the kernel saw them at the handshake; None: not told
    frame: bytes | None  # None: more than one frame, or an empty message
    origin: Origin = Origin()  # of the connection; without peer: it is gone


class Ready(NamedTuple):
    """What ``Router.wait`` found."""

    changes: bool  # connections came or went
    messages: bool
    others: frozenset[int]  # registered descriptors


class Change(NamedTuple):
    """A connection came or went."""

    fd: int  # its descriptor; negative, and less one, if it came by TCP
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


class _Mailbox:
    """A ROUTER socket with its monitor over one listening socket."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], listener: Listener, failures: Counter[str]) -> None:
        self.listener = listener
        self.accepts = False
        self.by_tcp = isinstance(listener, TcpListener)
        self._suffix = BY_TCP if self.by_tcp else b""
        self._keys = isinstance(listener, TcpListener) and listener.place.keys is not None
        self.socket = context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.ROUTER_MANDATORY, 1),
            (zmq.SNDHWM, QUEUE),
            (zmq.RCVHWM, QUEUE),
            (zmq.MAXMSGSIZE, FRAME_LIMIT),
            (zmq.HANDSHAKE_IVL, HANDSHAKE),
            (zmq.LINGER, 0),
            *(_keepalive(listener) if isinstance(listener, TcpListener) else ()),
        ):
            self.socket.setsockopt(option, value)
        self._monitor = Monitor(context, self.socket, failures)
        self.monitor = self._monitor.socket

    def listen(self) -> None:
        if self.accepts:
            return
        self.accepts = True
        descriptor = self.listener.resume()
        if descriptor is not None:
            self.socket.setsockopt(zmq.USE_FD, descriptor)
            self.socket.bind(self.listener.endpoint)

    def pause(self) -> None:
        if self.accepts:
            self.accepts = not self.listener.pause()

    def change(self) -> Change | None:
        """The next one; None: there is none."""
        told = self._monitor.next()
        return None if told is None else Change(self.told(told[0]), told[1])

    def receive(self, known: Container[bytes]) -> tuple[bytes, bytes | Arrival] | None:
        """See ``Router.receive``."""
        try:
            given = self.socket.recv(NOBLOCK)
        except zmq.Again:
            return None
        routing_id = given + self._suffix if len(given) == GIVEN else CHOSEN + given
        message = self.socket.recv(copy=False)  # so that it says itself whether it is alone: half the price of asking
        alone = not (message.more and self._drop_rest())
        if routing_id in known:
            return routing_id, message.bytes if alone else b""
        descriptor = int(_property(message, zmq.SRCFD) or NOBODY)
        credentials, origin = None, Origin()
        if self.by_tcp:
            key = _property(message, "User-Id") if self._keys else ""  # without a doorkeeper it is the peer's own word
            origin = Origin(peer_of(descriptor), False, *split_name(key))
        else:
            credentials = _credentials(message)
        return routing_id, Arrival(self.told(descriptor), credentials, message.bytes if alone else None, origin)

    def told(self, descriptor: int) -> int:
        """A descriptor as the outside knows it, and the other way round."""
        return ~descriptor if self.by_tcp else descriptor

    def _drop_rest(self) -> bool:
        dropped = False
        while self.socket.getsockopt(zmq.RCVMORE):
            self.socket.recv()
            dropped = True
        return dropped

    def close(self) -> None:
        self._monitor.close()
        self.socket.close(LAST_WORDS)


def _keepalive(listener: TcpListener) -> list[tuple[zmq.SocketOption, int]]:
    keepalive = listener.place.keepalive
    return [
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, keepalive.time),
        (zmq.TCP_KEEPALIVE_INTVL, keepalive.interval),
        (zmq.TCP_KEEPALIVE_CNT, keepalive.probes),
        (zmq.TCP_MAXRT, keepalive.unacknowledged),
    ]


class Router:
    """An actor's mailbox, with the process's only ZeroMQ context; see the opening of this file.

    Args:
        path: where to listen; see ``listen_unix``.
        limit: descriptors that this process may open (``raise_descriptor_limit``).
        tcp: where to listen besides; the router's own from now on.

    Raises:
        Unreachable: as ``listen_unix``.
    """

    def __init__(self, path: str, *, limit: int, tcp: TcpListener | None = None) -> None:
        self._limit = limit
        self._room = min(ROOM, limit // 3)  # descriptors kept free
        listeners: list[Listener] = [UnixListener(path), *([tcp] if tcp is not None else [])]
        for listener in listeners:
            listener.limit_queue(min(BACKLOG, self._room // 2 // len(listeners)))
        self._look_at = 0.0
        self._closed = False
        self._received = 0  # attempts to receive since ``wait``
        self.listening = False  # new connections are accepted; kept, for it is asked in every turn
        self.failures: Counter[str] = Counter()  # connections that came to nothing, by what was wrong with them
        self.failed_from: dict[str, str] = {}  # the address of the last one of some of them
        SRAND(int.from_bytes(os.urandom(4), "little"))
        self._context = zmq.Context(1)
        self._mailboxes = [_Mailbox(self._context, listener, self.failures) for listener in listeners]
        self._asked = [(mailbox.socket, zmq.POLLIN) for mailbox in self._mailboxes]
        self._unix, self._tcp = self._mailboxes[0], self._mailboxes[-1]
        self._doorkeeper = self._guard(tcp.place.keys) if tcp is not None and tcp.place.keys is not None else None
        self._poller = zmq.Poller()
        for mailbox in self._mailboxes:
            self._poller.register(mailbox.socket, zmq.POLLIN)
            self._poller.register(mailbox.monitor, zmq.POLLIN)
        if self._doorkeeper is not None:
            self._poller.register(self._doorkeeper.zap_socket, zmq.POLLIN)
        self.listen()

    def _guard(self, keys: DaemonKeys) -> Doorkeeper:
        """Let only the admitted in on TCP."""
        from .zap import Doorkeeper  # 9 ms that a daemon without keys does not pay

        doorkeeper = Doorkeeper(self._context, keys)
        doorkeeper.guard(self._tcp.socket)
        return doorkeeper

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
        if not self._closed and not self.listening:
            timeout = self._look_again(timeout)
        ready = dict(self._poller.poll(timeout))
        if self._doorkeeper is not None and ready.pop(self._doorkeeper.zap_socket, 0):
            self._doorkeeper.answer_some()
            self.failed_from[NOT_ADMITTED] = self._doorkeeper.refused
        changes = messages = False
        for mailbox in self._mailboxes:
            changes |= ready.pop(mailbox.monitor, 0) != 0
            messages |= ready.pop(mailbox.socket, 0) != 0
        self._received = 0
        self._mailboxes.reverse()  # so that a busy one leaves the other its turn
        others = frozenset(fd for fd in ready if isinstance(fd, int)) if ready else NONE
        return Ready(changes, messages, others)

    def _look_again(self, timeout: int | None) -> int | None:
        """Listen again if there is room now; else be back in ``LOOK_AGAIN``: descriptors come free in many ways."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN
            if open_descriptors() <= self._limit - 2 * self._room:
                self.listen()
                return 0  # so that the caller hears of it now
        patience = int(LOOK_AGAIN * 1000)
        return patience if timeout is None else min(timeout, patience)

    def listen(self) -> None:
        """Accept connections (again)."""
        if not self._closed:
            for mailbox in self._mailboxes:
                mailbox.listen()
            self._look_who_accepts()

    def pause(self) -> None:
        """Accept nobody until ``listen``; whoever connects waits in the kernel."""
        if not self._closed:
            for mailbox in self._mailboxes:
                mailbox.pause()
            self._look_who_accepts()

    def _look_who_accepts(self) -> None:
        self.listening = all(mailbox.accepts for mailbox in self._mailboxes)

    def stop_listening(self) -> None:
        """Let nobody find it any more. Connections that stand go on."""
        if not self._closed:
            self._closed = True
            self.listening = False
            for mailbox in self._mailboxes:
                mailbox.listener.close()

    def changes(self) -> list[Change]:
        """Who came and who went since the last call; in order, for each of the transports. Pauses when descriptors run
        out.
        """
        found: list[Change] = []
        for mailbox in self._mailboxes:
            while (change := mailbox.change()) is not None:
                found.append(change)
                if not change.came:
                    self._look_at = 0.0
                elif mailbox.told(change.fd) >= self._limit - self._room:
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
        self._received += 1
        if 1 < self._received <= 1 + QUESTIONS and not zmq.zmq_poll(self._asked, 0):
            return None
        for mailbox in self._mailboxes:
            received = mailbox.receive(known)
            if received is not None:
                return received
        return None

    def send(self, routing_id: bytes, frame: bytes) -> bool:
        """Send one answer; False if the peer is gone or does not read."""
        to = self._unix.socket if len(routing_id) == GIVEN else self._tcp.socket
        try:
            to.send(routing_id[:GIVEN], AND_MORE)
            to.send(frame, NOBLOCK)
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
            descriptor: of the connection, as ``Change`` tells it.
            alive: descriptors that the caller knows as connected.

        Returns:
            The changes that were read meanwhile; the caller must take them in.
        """
        try:
            copy = os.dup(descriptor if descriptor >= 0 else ~descriptor)
        except OSError:
            return self.changes()  # closed already
        try:
            changes = self.changes()
            if descriptor in alive and all(change.fd != descriptor for change in changes):
                shut(copy)
        finally:
            os.close(copy)
        return changes

    def close(self) -> None:
        """End listening and all connections; the last answers get ``LAST_WORDS``."""
        self.stop_listening()
        for mailbox in self._mailboxes:
            mailbox.close()
        if self._doorkeeper is not None:
            self._doorkeeper.stop()
        self._context.term()


def _property(message: zmq.Frame, name: int | str) -> str:
    """What libzmq knows of a message's connection; "" if nothing. What it takes for ZMTP 1.0 has no descriptor even."""
    try:
        return str(message.get(name))
    except zmq.ZMQError:
        return ""


def _credentials(message: zmq.Frame) -> tuple[int, int] | None:
    """(uid, pid) of a peer on a UNIX socket, which libzmq tells as ``host:uid:gid:pid``."""
    try:
        parts = _property(message, "Peer-Address").split(":")
        return int(parts[-3]), int(parts[-1])
    except (ValueError, IndexError):
        return None
