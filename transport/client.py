"""``Lock``, for scripts and threads: the shell around ``session.py``.

The rule: a ``Lock`` is one lock, used by one thread at a time, in the process that made it; any other use is a
``UsageError``, never a guess. What interrupts ``acquire`` or ``release`` (a signal's handler that raises, ^C) ends the
connection: that leaves the line, or gives back what is held, rolled back. An exception in a ``with`` block rolls back
and is never hidden by one of ours.

``release`` sends and returns; the answer rides on the next one, because the stream is ordered. It is waited for where
its outcome matters: if asked, for transactional sequences, and at the end of the interpreter.
"""

from __future__ import annotations

import os
from _thread import get_ident
from time import monotonic, sleep

from . import asked, discover, identity
from .errors import Busy, HoldfastError, LockLost, RemoteProtocolError, TimedOut, Unreachable, UsageError
from .locks import remember
from .messages import Mode, Order
from .session import WAITS, Open, Receive, Send, Session, State
from .settings import Settings, load
from .target import shown_command_lines
from .turn import Turn
from .wire import ID_SIZE
from .zmtp import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import EllipsisType, TracebackType
    from typing import Self

    from .inflight import InFlight
    from .peers import Peer
    from .waiting import Waiting
    from .wire import Message
    from .zmtp import Wire

SOON = 0.05  # seconds for an answer that nobody would call a wait


class Lock:
    """A lock on ``resource``; nothing is asked of the daemon before ``acquire``.

    Args:
        resource: its name; the name decides the type (see the manual).
        mode: which of the six modes.
        quantity: units of a numeric resource.
        timeout: seconds that ``acquire`` waits at most; None waits for ever, 0 does not wait.
        create: make the resource if it does not exist; else wait until somebody does.
        idle: seconds that the resource outlives its last client, if we create it; negative or ``inf``: for ever.
        order: who is next, if we create it.
        reason: what those who wait are told.
        nest: share what the commands around this program hold.
        settings: where the daemon is and how it is started; None: as files and environment say.
        command: the words by which people shall know us; None: this program's command line.
        tell: called with every message of the daemon as it comes.
        explain: seconds of waiting after which standard error is told who has the lock; None: it never is; if left
            out: 2, if it is a terminal and this program stands in its foreground.

    ``bell`` may be set before ``acquire``: a descriptor that does not block. Whatever can be read there while the lock
    is waited for asks for an explanation at once; the other end is for ``signal.set_wakeup_fd``.

    Raises:
        UsageError: an argument that has no meaning.
    """

    _speaks = Session  # what a kind of lock says to the daemon

    def __init__(
        self,
        resource: str,
        mode: Mode = Mode.EX,
        *,
        quantity: int = 1,
        timeout: float | None = None,
        create: bool = True,
        idle: float = 2.0,
        order: Order = Order.FIFO,
        reason: str = "",
        nest: bool = True,
        settings: Settings | None = None,
        command: Sequence[str] | None = None,
        tell: Callable[[Message], None] | None = None,
        explain: float | EllipsisType | None = ...,
    ) -> None:
        name, ask = asked.locate(resource, mode, quantity, nest=nest, create=create, idle=idle, order=order)
        self.resource = resource
        self.mode = ask.mode
        self.quantity = quantity
        self.timeout = asked.limit(timeout)
        self._settings = load("holdfast", {}, os.environ).settings if settings is None else settings
        self._transactional = name.transactional
        self._tell = tell
        self._explain = asked.explain(explain)
        self.bell = -1
        self._thread = 0  # that called ``acquire`` last
        self._waiting: Waiting | None = None
        self._id = os.urandom(ID_SIZE)
        self._turn = Turn(resource)
        self._entered = False  # a ``with`` block
        self._wire: Wire | None = None
        self._met: str | Peer | None = None  # where the incubator was that we asked last
        self._session = self._speaks(
            identity.hello(
                self._id,
                os.environ,
                reason=reason,
                nest=nest,
                command=command,
                command_lines=shown_command_lines(self._settings),
            ),
            ask,
        )
        remember(self)

    # --- the verbs ---

    def acquire(self, timeout: float | EllipsisType | None = ...) -> Self:
        """Wait in line until the lock is ours.

        Args:
            timeout: seconds; None waits for ever, 0 does not wait; if left out, that of the lock.

        Returns:
            The lock itself, for ``with lock.acquire(timeout=3):``.

        Raises:
            UsageError: it is held already, or in use by another thread.
            NotGranted: it is not ours; ``Busy``, ``TimedOut`` and the others say why.
            Unreachable: no daemon answers.
        """
        limit = self.timeout if timeout is ... else asked.limit(timeout)
        with self._turn:
            if self.held:
                raise UsageError(f"{self.resource} is held already by this Lock", resource=self.resource)
            self._entered = whole = False
            self._waiting, self._thread = None, get_ident()
            if self._wire is None:
                self._met = None
            try:
                self._session.acquire(limit, monotonic())
                self._take_steps()
                whole = self._session.state is State.ATTACHED  # a refusal leaves the connection as good as it was
                self._raise_what_went_wrong()
                whole = True
            finally:
                if not whole:
                    self._drop()
            return self

    def try_acquire(self) -> bool:
        """Take the lock if it is free; do not wait.

        Returns:
            Whether it is ours.
        """
        try:
            self.acquire(0)
        except (Busy, TimedOut):
            return False
        return True

    def release(self, *, rolled_back: bool = False, wait: bool = False) -> None:
        """Give the lock back.

        Args:
            rolled_back: the work failed; a transactional sequence takes its number back.
            wait: until the daemon has said that it is free again.

        Raises:
            UsageError: it is not held, or in use by another thread.
            LockLost: it had been lost before.
            Unreachable: the daemon did not answer: released, outcome unknown.
        """
        with self._turn:
            whole = not self.held  # then there is nothing to give back, and it is said why
            try:
                self._make_sure()
                self._session.release(rolled_back=rolled_back)
                if wait or self._transactional:
                    self._settle()
                else:
                    self._send(self._session.to_send())
                whole = True
            finally:
                if not whole:
                    self._drop()

    def check(self) -> None:
        """Make sure that the lock is still ours; reads what has come, without waiting.

        Raises:
            LockLost: it is not; ``cause`` says why.
            UsageError: it was not held in the first place.
        """
        with self._turn:
            self._make_sure()

    def close(self) -> None:
        """End the connection: gives back what is held, leaves the line. The lock can be acquired again.

        Raises:
            UsageError: it is in use by another thread.
        """
        if not self._turn.forked:
            self._turn.take_back()
            self._drop()

    def fileno(self) -> int:
        """The descriptor that becomes readable when a held lock is lost (then call ``check``); -1: no connection."""
        return -1 if self._wire is None else self._wire.fileno()

    def __enter__(self) -> Self:
        if self._entered and self.held:
            raise UsageError(f"{self.resource} is held already by this Lock", resource=self.resource)
        if not self.held:  # as it is in ``with lock.acquire(timeout=3):``
            self.acquire()
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        try:
            try:
                self.release(rolled_back=error is not None)
            finally:
                if self.held:  # interrupted before it began
                    self.close()
        except HoldfastError as ours:
            if error is None:
                raise
            error.add_note(f"holdfast: {ours}")

    # --- what it is ---

    @property
    def held(self) -> bool:
        """Whether the lock is ours, as far as we have heard (``check`` listens); never in a forked child."""
        return self._session.state is State.HELD and not self._turn.forked

    @property
    def element(self) -> str:
        """What a set, a sequence or a timestamp handed out with the last grant; "" if nothing."""
        return self._session.granted.element if self._session.granted else ""

    @property
    def token(self) -> int:
        """The fencing token of the last grant, larger than all before it; 0 if there was none."""
        return self._session.granted.token if self._session.granted else 0

    @property
    def waited(self) -> float:
        """Seconds that the last grant was waited for in line."""
        return self._session.granted.waited if self._session.granted else 0.0

    @property
    def session(self) -> str:
        """Our session id in hexadecimal digits: a secret, by which nested requests share the lock."""
        return self._id.hex()

    def inflight(self) -> InFlight | None:
        """This lock as ``holdfast.inflight`` lists it; None: neither waited for nor held. Any thread may ask."""
        from .inflight import seen

        return None if self._turn.forked else seen(self._session, self._thread, monotonic())

    def __repr__(self) -> str:
        return f"<Lock {self.resource} {self.mode.name}, {self._session.state.name.lower()}>"

    # --- the shell ---

    def _settle(self) -> None:
        self._take_steps()
        self._raise_what_went_wrong()

    def _take_steps(self) -> None:
        """Do what the session says until there is nothing left to do."""
        session = self._session
        while (step := session.step(monotonic())) is not None:
            match step:
                case Send(frames=frames):
                    self._send(frames)
                case Receive(timeout=timeout):
                    self._receive(timeout)
                case Open() as wanted:
                    self._open(wanted)

    def _open(self, wanted: Open) -> None:
        incubator = self._wire
        self._hang_up()
        if wanted.pause:
            sleep(wanted.pause)
        place = None
        try:
            if wanted.address:
                assert incubator is not None  # it has named the locker
                place = incubator.beside(wanted.address)
                self._wire = discover.enter(place, wanted.patience)
            else:
                self._wire = discover.connect(self._settings, os.environ, wanted.patience, self._met)
                self._met = self._wire.place
        except (Closed, FileNotFoundError, ConnectionRefusedError) as error:  # whoever was there is just ending
            from .absent import absent

            self._session.ended(met=absent(f"{self.resource} is served", place, error))
        except OSError as error:  # Unreachable is one
            from .absent import absent

            raise Unreachable(absent(f"{self.resource} is served", place, error)) from error
        else:
            self._session.opened(monotonic())

    def _send(self, frames: list[bytes]) -> None:
        assert self._wire is not None
        try:
            self._wire.send(*frames)
        except Unreachable:
            self._drop()
            raise

    def _receive(self, timeout: float | None) -> bool:
        """Give the session what comes next; False if nothing has come in time."""
        session = self._session
        try:
            frame = self._listen(timeout)
        except Closed:
            session.ended()
        except RemoteProtocolError as error:
            session.ended(error)
        else:
            if frame is None:
                if timeout:
                    session.silent(monotonic())
                return False
            session.received(frame, monotonic())
        for message in session.heard:
            if self._waiting is not None:
                self._waiting.hear(message)
            if self._tell is not None:
                self._tell(message)
        session.heard.clear()
        return True

    def _listen(self, timeout: float | None) -> bytes | None:
        """What comes next; None if it is time for something else. Only a wait pays for what explains it."""
        assert self._wire is not None
        if timeout == 0 or self._session.state is State.RELEASING:
            return self._wire.receive(timeout)
        if self._waiting is None:
            if self._session.state not in WAITS:
                frame = self._wire.receive(SOON if timeout is None else min(SOON, timeout))
                if frame is not None:
                    return frame
            from .waiting import Waiting

            self._waiting = Waiting(self._session, self._explain, self.bell)
            return None
        return self._waiting.receive(self._wire, timeout)

    def _make_sure(self) -> None:
        """Read what has come, and raise if the lock is not ours."""
        while self.held and self._receive(0):
            pass
        self._raise_what_went_wrong()
        if not self.held:
            raise UsageError(f"{self.resource} is not held by this Lock", resource=self.resource)

    def _raise_what_went_wrong(self) -> None:
        if self._session.state is State.AWAY:
            self._hang_up()
        error = self._session.error
        if not isinstance(error, LockLost):  # that is true until the next acquire, everything else is told once
            self._session.error = None
        if error is not None:
            raise error

    def _drop(self) -> None:
        """End the connection: that leaves the line, and gives back what is held."""
        self._session.abandon()
        self._hang_up()

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def wait_released(self) -> None:
        """Wait for the answer to a release, at the end of the interpreter; nobody else needs to."""
        if self._session.state is not State.RELEASING or self._turn.forked:
            return
        try:
            self._settle()
        except HoldfastError:
            return  # the end of the connection gives it back as well
