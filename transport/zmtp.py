"""The client's wire: ZMTP 3.0 on a plain socket, UNIX or TCP.

The rule: every wait is bounded by what the caller says, and the end of the connection is always told. A DEALER of
libzmq would reconnect silently and deliver a queued release to the next locker; here EOF is EOF. It is also 1.7 times
faster per round trip, starts in 1 ms instead of 25, and needs no second thread.

What is spoken: greeting and READY (mechanism NULL, socket type DEALER), wait for the peer's, then one frame a message.
A forked child closes its copy of every connection, else it would keep a lock alive whose owner is dead.

Source: RFC 23/ZMTP 3.0 (https://rfc.zeromq.org/spec/23/), RFC 37/ZMTP 3.1 for PING.
"""

from __future__ import annotations

import os
import select
from _socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SO_SNDTIMEO,
    SOCK_CLOEXEC,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from _struct import pack
from _weakref import ref
from errno import EHOSTUNREACH, ENETUNREACH, ENOTCONN, ETIMEDOUT
from time import monotonic

from .errors import RemoteProtocolError, Unreachable
from .messages import inf
from .wire import MAX_FRAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .peers import Peer

PATIENCE = 5  # seconds for a connection, for the greeting, and for a peer that does not read
LONGEST = 1_000_000.0  # seconds; the kernel counts milliseconds in 31 bits
CHUNK = 65_536  # bytes read at once
NO_WAY_BACK = (ETIMEDOUT, EHOSTUNREACH, ENETUNREACH)  # how a network ends a connection that stood

_MORE, _LONG, _COMMAND = 1, 2, 4  # flags of a frame
_SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
_GREETING = (_SIGNATURE + b"\3\0" + b"NULL").ljust(64, b"\0")
_READY = b"\5READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER" + b"\x08Identity" + bytes(4)


class Closed(Unreachable):
    """The other side ended the connection."""


def frame_bytes(body: bytes, flags: int = 0) -> bytes:
    """``body`` as a ZMTP frame."""
    if len(body) > 255:
        return bytes((flags | _LONG,)) + len(body).to_bytes(8, "big") + body
    return bytes((flags, len(body))) + body


OPENING = _GREETING + frame_bytes(_READY, _COMMAND)  # what we say first


def first_word(frame: tuple[int, bytes]) -> None:
    """Take the first frame behind the peer's greeting.

    Raises:
        RemoteProtocolError: it is not what ZMTP wants there.
    """
    flags, body = frame
    if not flags & _COMMAND or not body.startswith(b"\5READY"):
        raise RemoteProtocolError("its first word is not READY")


def message_in(frame: tuple[int, bytes]) -> tuple[bytes | None, bytes]:
    """Take any other frame: the message in it, if it is one, and the bytes to answer it with.

    PING wants its answer, ERROR is one; other commands are for others.

    Raises:
        RemoteProtocolError: it is no message of one frame, or the peer refuses the connection.
    """
    flags, body = frame
    if flags & _COMMAND:
        name = body[1 : 1 + body[0]] if body else b""
        if name == b"ERROR":
            raise RemoteProtocolError(f"the other side refuses the connection: {ascii(body[7:])[2:-1]}")
        pong = b"\4PONG" + body[7:]  # 7: the name, and two bytes of time to live
        return None, frame_bytes(pong, _COMMAND) if name == b"PING" else b""
    if flags & _MORE:
        raise RemoteProtocolError("a message of more than one frame")
    return body, b""


class Stream:
    """What has come in, cut into frames. Pure: bytes go in, (flags, body) come out."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """More bytes, in any portions."""
        self._buffer += data

    def greeting(self) -> bool:
        """Take the peer's greeting; False: not all of it is there yet.

        Raises:
            RemoteProtocolError: it is none, or one that we cannot talk to.
        """
        start = self._buffer[:64]
        if not (start[:1] == b"\xff"[: len(start)] and start[9:10] in (b"", b"\x7f")):
            raise RemoteProtocolError("what answers there does not speak ZMTP")
        if len(start) < 64:
            return False
        if start[10] < 3 or start[12:32].rstrip(b"\0") != b"NULL":
            raise RemoteProtocolError("what answers there wants another version or security mechanism of ZMTP")
        self._buffer = self._buffer[64:]
        return True

    def frame(self) -> tuple[int, bytes] | None:
        """Take the next frame; None: not all of it is there yet.

        Raises:
            RemoteProtocolError: it is larger than any message of ours, or its flags are unknown.
        """
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        flags = buffer[0]
        if flags & ~(_MORE | _LONG | _COMMAND):
            raise RemoteProtocolError(f"a ZMTP frame with unknown flags {flags:#x}")
        head = 9 if flags & _LONG else 2
        if len(buffer) < head:
            return None
        size = int.from_bytes(buffer[1:head], "big")
        if size > MAX_FRAME:
            raise RemoteProtocolError(f"a frame of {size} bytes; at most {MAX_FRAME} are allowed")
        if len(buffer) < head + size:
            return None
        self._buffer = buffer[head + size :]
        return flags, buffer[head : head + size]


class Wire:
    """An open connection to the ROUTER that listens at ``place``, a UNIX socket's path or a TCP peer.

    Args:
        directory: where the sockets of lockers are; if left out, where that UNIX socket is.
        patience: seconds for the connection, and again for the greeting; ``PATIENCE`` at most.

    Raises:
        OSError: nobody listens there (as ``connect`` of man 2 says it).
        Closed: the connection ended during the greeting.
        Unreachable: what listens there does not answer, or not as ZeroMQ would.
    """

    def __init__(self, place: str | Peer, patience: float = inf, directory: str = "") -> None:
        self.place = place
        self.path = str(place)
        self._directory = directory
        self._stream = Stream()
        self._socket = socket(AF_UNIX if isinstance(place, str) else place.family, SOCK_STREAM | SOCK_CLOEXEC)
        closed_in_children(self)
        try:
            self._open(max(0.0, min(patience, PATIENCE)))
        except (RemoteProtocolError, Closed) as error:
            self.close()
            if not isinstance(place, str) and _wants_keys(place):
                raise Unreachable(f"the daemon at {place} wants CURVE: give --curve-key and --curve-server") from error
            if isinstance(error, Closed):
                raise
            raise Unreachable(f"{self.path} is not a Holdfast socket: {error}") from error
        except:
            self.close()
            raise

    def beside(self, address: str) -> str | Peer:
        """The place of another process of the same daemon, as it names it: a file beside its socket, or a port.

        Raises:
            RemoteProtocolError: it would be elsewhere.
        """
        if not isinstance(self.place, str):
            return self.place.beside(address)
        if "/" in address or "\0" in address:
            raise RemoteProtocolError(f"the daemon names a locker outside its directory: {address!r}")
        return f"{self._directory or os.path.dirname(self.place)}/{address}"

    def _open(self, patience: float) -> None:
        if isinstance(self.place, str):
            self._connect(self.place, patience)
        else:
            self.place.connect(self._socket, patience)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._write(OPENING)
        until = monotonic() + patience
        while not self._stream.greeting():
            self._read_until(until, patience)
        while (frame := self._stream.frame()) is None:
            self._read_until(until, patience)
        first_word(frame)

    def _connect(self, path: str, patience: float) -> None:
        """Connect, however often a signal's handler comes in between.

        Python takes a connect that was interrupted for one that goes on by itself. That of a UNIX socket does not: then
        we are not connected, and begin again with what is left of the time.
        """
        until = monotonic() + patience
        while True:
            # The kernel's own limit: a non-blocking connect to a full backlog would fail at once. 0: for ever.
            left = int(max(0.0, until - monotonic()) * 1e6) or 1
            self._socket.setsockopt(SOL_SOCKET, SO_SNDTIMEO, pack("ll", *divmod(left, 10**6)))
            try:
                self._socket.connect(path)
                self._socket.getpeername()
            except BlockingIOError:
                raise Unreachable(f"what listens at {path} has accepted nobody for {patience:.2g}s") from None
            except OSError as error:
                if error.errno != ENOTCONN:
                    raise
            else:
                return

    def _read_until(self, until: float, patience: float) -> None:
        if not self._read(max(0.0, until - monotonic())):
            raise Unreachable(f"what listens at {self.path} has not greeted us for {patience:.2g}s")

    def fileno(self) -> int:
        """The connection's descriptor: readable when something has come, or when it has ended."""
        return self._socket.fileno()

    def send(self, *frames: bytes) -> None:
        """Send messages, several in one write. That the connection has ended is told by ``receive``, not here.

        Raises:
            Unreachable: the other side does not read; the connection is closed.
        """
        self._write(b"".join(map(frame_bytes, frames)))

    def receive(self, timeout: float | None = None) -> bytes | None:
        """The next message; None if none has come in time.

        Args:
            timeout: seconds, of which at most ``LONGEST`` are waited at once; 0 does not wait, None waits for ever.

        Raises:
            Closed: the other side ended the connection, and everything before that has been received.
            RemoteProtocolError: what came is no message of one frame.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            frame = self._stream.frame()
            if frame is None:
                if not self._read(None if until is None else max(0.0, until - monotonic())):
                    return None
                continue
            body, answer = message_in(frame)
            if answer:
                self._write(answer)
            if body is not None:
                return body

    def close(self) -> None:
        """End the connection; once is enough, twice does no harm."""
        self._socket.close()

    def close_in_child(self) -> None:
        """Close a forked child's copy; the connection goes on."""
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):  # not so if there was no descriptor left
            self._socket.close()

    def _read(self, timeout: float | None) -> bool:
        """Wait for bytes and keep them; False if none have come in time."""
        # Milliseconds are rounded up: a wait that ends early would be followed by a second, empty one.
        if not self._poll.poll(None if timeout is None else -int(-min(timeout, LONGEST) * 1000 // 1)):
            return False
        try:
            data = self._socket.recv(CHUNK, MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except ConnectionError:
            data = b""
        except OSError as error:
            if error.errno not in NO_WAY_BACK:
                raise
            raise Closed(f"the connection to {self.path} has ended: {error.strerror}") from error
        if not data:
            raise Closed(f"the connection to {self.path} has ended")
        self._stream.feed(data)
        return True

    def _write(self, data: bytes) -> None:
        """Send all, or close: half a frame can never be mended."""
        until = monotonic() + PATIENCE
        try:
            while True:
                try:
                    sent = self._socket.send(data, MSG_NOSIGNAL)
                except BlockingIOError:
                    sent = 0
                except OSError as error:  # its last words may still be unread; who reads on meets the end behind them
                    if not isinstance(error, ConnectionError) and error.errno not in NO_WAY_BACK:
                        raise
                    sent = len(data)
                data = data[sent:]
                if not data:
                    return
                self._wait_writable(until)
        finally:
            if data:
                self.close()

    def _wait_writable(self, until: float) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if not poll.poll(max(0.0, until - monotonic()) * 1000):
            raise Unreachable(f"what listens at {self.path} has read nothing for {PATIENCE:g}s")


def _wants_keys(peer: Peer) -> bool:
    """Whether what ended the greeting speaks to those alone who have keys."""
    try:
        return peer.mechanism() == "CURVE"
    except OSError:
        return False


def closed_in_children(wire: Wire) -> None:
    """See to it that a child that is forked from now on closes its copy of ``wire``."""
    key = id(wire)
    _open_wires[key] = ref(wire, lambda _: _open_wires.pop(key, None))


_open_wires: dict[int, ref[Wire]] = {}


def _close_all() -> None:
    for known in list(_open_wires.values()):
        wire = known()
        if wire is not None:
            wire.close_in_child()


os.register_at_fork(after_in_child=_close_all)
