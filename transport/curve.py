"""The client's wire under CURVE: a DEALER of libzmq that is as honest about its end as ``zmtp.Wire``.

The rule: it is used like ``zmtp.Wire``, and one connection is one connection. libzmq's own ways are kept inside:

* Its descriptor is edge-triggered, and no SIGIO comes from it (an eventfd has none, man 2 fcntl). So a thread of our
  own, the *pump*, carries messages between the DEALER and a socket pair, whose end here is an ordinary descriptor:
  readable when something has come, at its end when the connection is. The pump blocks every signal.
* It would connect again by itself, and deliver a queued release to the next locker. RECONNECT_IVL -1 forbids that,
  but throws away what was received and not yet read (measured: a daemon's last words, 100 of 100 times). So the
  interval is ``NEVER``, and the monitor's first word of the end makes the pump hang up.
* A forked child's copy of the connection is closed there, or a lock would stay whose owner is dead.

Why a handshake failed is told by the monitor, or by what listens there, asked once more in plain.

Source: RFC 26/CurveZMQ, RFC 25/ZMTP-CURVE, man 3 zmq_socket_monitor.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from threading import Thread
from time import monotonic

import zmq
from zmq.utils.monitor import parse_monitor_message

from . import zmtp
from .errors import RemoteProtocolError, Unreachable
from .keys import OVERHEAD, ClientKeys
from .peers import Keepalive, Peer, Unanswered
from .wire import MAX_FRAME
from .zmtp import LONGEST, PATIENCE, Closed, closed_in_children

NEVER = 1_000_000_000  # ms; 11 days, and the pump hangs up within milliseconds
QUEUE = 64  # messages in each direction

_MESSAGE, _FAULT = b"m", b"f"  # what the pump brings begins with
_ENDS = zmq.Event.DISCONNECTED | zmq.Event.CLOSED
_FAILS = zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
_WATCHED = zmq.Event.CONNECTED | zmq.Event.HANDSHAKE_SUCCEEDED | _FAILS | _ENDS


class Wire(zmtp.Wire):
    """An open connection to the ROUTER that listens at ``place`` and has the key that we know.

    Whoever has a wire need not know which of the two it is; nothing but ``place`` and ``beside`` is inherited.

    Args:
        place: with ``keys``.
        patience: seconds for connection and handshake together; ``PATIENCE`` at most.

    Raises:
        OSError: nobody listens there (as ``connect`` of man 2 says it).
        Closed: the connection ended during the handshake, and nobody listens there any more.
        Unreachable: what listens there does not answer, does not admit us, or is not what we look for.
    """

    def __init__(self, place: Peer, patience: float = inf) -> None:
        assert place.keys is not None
        self.place = place
        self.path = str(place)
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._ours, select.POLLIN)
        self._pump = _Pump(self.path, place.keys, theirs, place.keepalive)
        closed_in_children(self)
        try:
            self._enter(place, place.keys.own.path, max(0.0, min(patience, PATIENCE)))
        except:
            self._pump.close()
            self.close()
            raise
        self._pump.start()

    def _enter(self, place: Peer, own: str, patience: float) -> None:
        """Wait for the end of the handshake; say why there is none."""
        began_at = monotonic()
        event = self._pump.wait_entered(patience)
        if event == zmq.Event.HANDSHAKE_SUCCEEDED:
            return
        connected = self._pump.connection >= 0
        if event is None and not connected:
            raise Unanswered(f"{place} has not answered for {patience:.2g}s")
        if event is None:
            raise Unreachable(f"what listens at {place} has not let us in for {patience:.2g}s")
        if event == zmq.Event.HANDSHAKE_FAILED_AUTH:
            raise Unreachable(f"the daemon at {place} does not admit the key in {own}")
        try:
            mechanism = place.mechanism()
        except OSError as error:
            if connected:
                raise Closed(f"the connection to {place} has ended") from error
            if isinstance(error, Unanswered):
                raise Unanswered(f"{place} has not answered for {monotonic() - began_at:.2g}s") from error
            raise
        if not connected:
            raise Closed(f"what listens at {place} was not there a moment ago")
        if mechanism == "CURVE":
            raise Unreachable(f"what listens at {place} has another key than the one that --curve-server names")
        if mechanism:
            raise Unreachable(
                f"the daemon at {place} speaks no CURVE; leave out --curve-key and --curve-server, "
                "or start it with --curve-key and --curve-clients"
            )
        raise Unreachable(f"{place} is not a Holdfast socket: what answers there does not speak ZMTP")

    def fileno(self) -> int:
        """A descriptor that is readable when something has come, or when the connection has ended."""
        return self._ours.fileno()

    def send(self, *frames: bytes) -> None:
        """Send messages. That the connection has ended is told by ``receive``, not here.

        Raises:
            Unreachable: the other side does not read; the connection is closed.
        """
        until = monotonic() + PATIENCE
        for frame in frames:
            while True:
                try:
                    self._ours.send(frame, socket.MSG_NOSIGNAL)
                except BlockingIOError:
                    self._wait_writable(until)
                except ConnectionError:
                    return
                else:
                    break

    def _wait_writable(self, until: float) -> None:
        poll = select.poll()
        poll.register(self._ours, select.POLLOUT)
        if not poll.poll(max(0.0, until - monotonic()) * 1000):
            self.close()
            raise Unreachable(f"what listens at {self.path} has read nothing for {PATIENCE:g}s")

    def receive(self, timeout: float | None = None) -> bytes | None:
        """The next message; None if none has come in time.

        Args:
            timeout: seconds, of which at most ``LONGEST`` are waited at once; 0 does not wait, None waits for ever.

        Raises:
            Closed: the connection has ended, and everything before that has been received.
            RemoteProtocolError: what came is no message of one frame.
        """
        # Milliseconds are rounded up, as in zmtp.Wire: a wait that ends early would be followed by a second, empty one.
        if not self._poll.poll(None if timeout is None else -int(-min(timeout, LONGEST) * 1000 // 1)):
            return None
        try:
            packet = self._ours.recv(MAX_FRAME + 1)
        except BlockingIOError:
            return None
        except ConnectionError:
            packet = b""
        if not packet:
            raise Closed(f"the connection to {self.path} has ended")
        if packet[:1] == _FAULT:
            raise RemoteProtocolError(packet[1:].decode())
        return packet[1:]

    def close(self) -> None:
        """End the connection; once is enough, twice does no harm. What was not carried yet is lost."""
        self._hang_up()
        self._pump.wait_ended()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)  # a forked child may have a copy
        self._ours.close()

    def close_in_child(self) -> None:
        """Close a forked child's copies; libzmq is not touched, it did not come along."""
        self._ours.close()
        self._pump.close_in_child()

    def __del__(self) -> None:
        if hasattr(self, "_ours"):
            self._hang_up()  # not more: at the end of the interpreter the pump moves no longer


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """What is started in here never takes a signal that is meant for the main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pump:
    """Carries messages between the DEALER and the other end of the pair: all that touches libzmq, in one thread."""

    def __init__(self, endpoint: str, keys: ClientKeys, theirs: socket.socket, keepalive: Keepalive) -> None:
        self.connection = -1  # its descriptor
        self._identity: tuple[int, int] | None = None  # of what that leads to
        self._theirs = theirs
        self._waiting = b""  # what the DEALER does not take yet
        with _signals_blocked():  # libzmq's threads block them, but only when they come to run
            self._context = zmq.Context(1)
            self._dealer = self._context.socket(zmq.DEALER)
        _set_options(self._dealer, keys, keepalive)
        self._dealer.monitor("inproc://monitor", _WATCHED)
        self._monitor = self._context.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.LINGER, 0)
        self._monitor.connect("inproc://monitor")
        self._dealer.connect(endpoint)
        self._poller = zmq.Poller()
        self._thread = Thread(target=self._run, name="holdfast-curve", daemon=True)

    def wait_entered(self, patience: float) -> zmq.Event | None:
        """Wait for the end of the handshake, or of the connection; None if neither comes in ``patience`` seconds."""
        until = monotonic() + patience
        while self._monitor.poll(max(0, int((until - monotonic()) * 1000))):
            event = parse_monitor_message(self._monitor.recv_multipart())
            if event["event"] != zmq.Event.CONNECTED:
                return zmq.Event(event["event"])
            self.connection = int(event["value"])
            self._identity = _identity(self.connection)
        return None

    def start(self) -> None:
        """Begin to carry."""
        with _signals_blocked():
            self._thread.start()

    def wait_ended(self) -> None:
        """Wait until the connection is closed; for nothing if ``start`` was never called."""
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            self._listen()
            while self._turn():
                pass
        except ConnectionError:
            pass  # nobody reads at the other end
        finally:
            self.close()

    def _turn(self) -> bool:
        """Carry what there is; False if either end has hung up."""
        ready = dict(self._poller.poll())
        if self._monitor in ready:
            while self._monitor.poll(0):
                self._monitor.recv_multipart()  # whatever it is: it is over
            self._bring()
            return False
        if self._dealer in ready and not self._bring():
            return False
        if self._waiting:
            return self._push() or not _hung_up(self._theirs)
        return self._theirs.fileno() not in ready or self._fetch()

    def _bring(self) -> bool:
        """Bring all that has come to who reads here; False if it is nothing to go on with."""
        while self._dealer.poll(0):
            frames = self._dealer.recv_multipart()
            if len(frames) != 1:
                self._theirs.sendall(_FAULT + b"a message of more than one frame")
                return False
            self._theirs.sendall(_MESSAGE + frames[0])
        return True

    def _fetch(self) -> bool:
        """Take one message from here; False if there will be no more."""
        self._waiting = self._theirs.recv(MAX_FRAME)
        if not self._waiting:
            return False
        if not self._push():
            self._poller.register(self._dealer, zmq.POLLIN | zmq.POLLOUT)
            self._poller.register(self._theirs.fileno(), zmq.POLLERR)  # only whether it hangs up
        return True

    def _push(self) -> bool:
        """Give the DEALER what waits; False if it still has no room for it."""
        try:
            self._dealer.send(self._waiting, zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._waiting = b""
        self._listen()
        return True

    def _listen(self) -> None:
        for source in (self._dealer, self._monitor, self._theirs.fileno()):
            self._poller.register(source, zmq.POLLIN)

    def close(self) -> None:
        """End the connection, and tell who reads here."""
        with suppress(OSError):
            self._theirs.shutdown(socket.SHUT_RDWR)  # a forked child may have a copy
        self._theirs.close()
        self._dealer.disable_monitor()
        self._monitor.close(0)
        self._dealer.close(0)
        self._context.term()

    def close_in_child(self) -> None:
        """Close what a forked child has of it, and nothing that has its number since libzmq closed it: here, or in
        the child, which may fork in turn."""
        self._theirs.close()
        if self._identity is not None and _identity(self.connection) == self._identity:
            os.close(self.connection)


def _identity(descriptor: int) -> tuple[int, int] | None:
    """Of what ``descriptor`` leads to; None if it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _set_options(dealer: zmq.Socket[bytes], keys: ClientKeys, keepalive: Keepalive) -> None:
    for key, text in (
        (zmq.CURVE_SERVERKEY, keys.server),
        (zmq.CURVE_PUBLICKEY, keys.own.public),
        (zmq.CURVE_SECRETKEY, keys.own.secret),
    ):
        dealer.setsockopt(key, text)
    for option, value in (
        (zmq.IPV6, 1),
        (zmq.LINGER, 0),
        (zmq.RECONNECT_IVL, NEVER),
        (zmq.SNDHWM, QUEUE),
        (zmq.RCVHWM, QUEUE),
        (zmq.MAXMSGSIZE, MAX_FRAME + OVERHEAD),
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, keepalive.time),
        (zmq.TCP_KEEPALIVE_INTVL, keepalive.interval),
        (zmq.TCP_KEEPALIVE_CNT, keepalive.probes),
        (zmq.TCP_MAXRT, keepalive.unacknowledged),
    ):
        dealer.setsockopt(option, value)


def _hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(0))
