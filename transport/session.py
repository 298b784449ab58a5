"""The client's half of the protocol, without a socket and without a clock.

First the incubator is asked where the resource is, then its locker is asked for the lock; one connection at a time.
``step`` says what the shell has to do next, ``opened``, ``received``, ``ended`` and ``silent`` tell it what came of
that. When ``step`` has nothing left, ``state`` says where we are and ``error`` what went wrong.

The rule: a broken connection is never resumed. Not granted yet: the resource is located again, with what is left of the
time. Granted: the lock is lost. Released and not acknowledged: released, outcome unknown. What follows what is the
table ``_NEXT``; what is not in it is the other side's fault. Only the answer to ``Explain`` may come late: nothing but
its place in the order of the answers says where, and it changes nothing.

The timeout is kept by the locker (by the incubator while we are parked); here is only the guard against a daemon that
does not answer: what we asked for and ``GRACE``, counted in time spent waiting for connections and answers.

Source: docs/protocol.md; the shape is that of h11 and of websockets' sans-I/O core.
"""

from __future__ import annotations

from .errors import (
    Busy,
    Deadlock,
    HoldfastError,
    Impossible,
    LocalProtocolError,
    LockerDied,
    LockLost,
    NoSuchResource,
    RemoteProtocolError,
    TimedOut,
    Unreachable,
    UsageError,
)
from .members import Enum
from .messages import (
    FOREVER,
    Acquire,
    Cause,
    Echo,
    Explain,
    Explained,
    Fault,
    Gone,
    Granted,
    Hello,
    Locate,
    Located,
    Lost,
    Mismatch,
    Parked,
    Queued,
    Refusal,
    Refused,
    Release,
    Released,
    Welcome,
    inf,
)
from .wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Message

GRACE = 2.0  # seconds beyond the timeout, until we say that the daemon does not answer
LEAST = 0.001  # seconds left of a wait whose end has come; 0 would ask not to wait at all, and be refused otherwise
UNLOCKING = 10.0  # seconds for the answer to a Release
PAUSES = (0.005, 0.02, 0.08, 0.32)  # seconds before each further attempt; then we give up
ENDING = "the daemon ends as soon as it is asked"


class State(Enum):
    """Where we are; the order is that of a life without accidents."""

    AWAY = "no connection, and none wanted"
    SEEKING = "a connection to the incubator is wanted"
    GREETING = "Hello is said to the incubator"
    LOCATING = "Locate is said"
    PARKED = "nobody has created the resource yet"
    CALLING = "a connection to the locker is wanted"
    MEETING = "Hello is said to the locker"
    ASKING = "Acquire is said; a Release before it may still be unacknowledged"
    QUEUED = "in line"
    HELD = "the lock is ours"
    RELEASING = "Release is said"
    ATTACHED = "connected to the locker, and nothing is held"


_NEXT: dict[State, dict[type[Message], State]] = {
    State.GREETING: {Welcome: State.LOCATING},
    State.LOCATING: {Located: State.CALLING, Parked: State.PARKED, Refused: State.AWAY, Gone: State.SEEKING},
    State.PARKED: {Located: State.CALLING, Refused: State.AWAY, Gone: State.SEEKING},
    State.MEETING: {Welcome: State.ASKING, Gone: State.SEEKING},
    State.ASKING: {
        Granted: State.HELD,
        Queued: State.QUEUED,
        Refused: State.ATTACHED,
        Gone: State.SEEKING,
        Released: State.ASKING,
        Lost: State.SEEKING,  # crossed with our Release
    },
    State.QUEUED: {Granted: State.HELD, Refused: State.ATTACHED, Gone: State.SEEKING},
    State.HELD: {Lost: State.AWAY},
    State.RELEASING: {Released: State.ATTACHED, Gone: State.AWAY, Lost: State.AWAY},
    State.ATTACHED: {},
}
_SETTLED = frozenset({State.AWAY, State.HELD, State.ATTACHED})
WAITS = frozenset({State.PARKED, State.QUEUED})


class Why(Enum):
    """Whether this connection can be asked why we wait."""

    FREE = "nothing is asked"
    ASKED = "the answer to Explain is still to come"
    UNKNOWN = "it does not know the question (protocol 1.0)"


_ERRORS: dict[Refusal, type[HoldfastError]] = {
    Refusal.BUSY: Busy,
    Refusal.TIMED_OUT: TimedOut,
    Refusal.IMPOSSIBLE: Impossible,
    Refusal.NO_SUCH_RESOURCE: NoSuchResource,
    Refusal.DEADLOCK: Deadlock,
    Refusal.INVALID: UsageError,
    Refusal.LOCKER_DIED: LockerDied,
    Refusal.STOPPING: Unreachable,
    Refusal.EXHAUSTED: Unreachable,
}
_CAUSES = {Cause.STOPPED: "the daemon was stopped", Cause.FAILED: "the locker failed"}


def error_from_refusal(refused: Refused, resource: str) -> HoldfastError:
    """The error that a refusal means."""
    return _ERRORS[refused.why](refused.sentence, resource=resource)


class Open:
    """Close what is open, wait ``pause`` seconds, and connect to the incubator (``address`` "") or to a locker.

    Whatever is there has ``patience`` seconds to greet us.
    """

    def __init__(self, address: str, pause: float, patience: float) -> None:
        self.address = address
        self.pause = pause
        self.patience = patience


class Send:
    """Send these frames, best in one write."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames


class Receive:
    """Wait for a frame, but not longer than ``timeout`` seconds (None: for ever)."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout


class Session:
    """One lock's conversation with the daemon.

    Args:
        hello: who asks.
        ask: the resource and how it is wanted; its timeout is that of ``acquire``.
    """

    def __init__(self, hello: Hello, ask: Locate) -> None:
        self.state = State.AWAY
        self.error: HoldfastError | None = None
        self.granted: Granted | None = None  # the last grant
        self.granted_at = 0.0
        self.asked_at = 0.0  # the last ``acquire``
        self.deadline: float | None = None  # the end of its time
        self.heard: list[Message] = []  # what came, for whoever wants to tell it; they take it out
        self.ask = ask
        self._hello = hello
        self._epoch = 0
        self._address = ""
        self._outbox: list[bytes] = []
        self._said: dict[object, tuple[tuple[object, ...], bytes]] = {}  # the last frame of a kind, and its fields
        self._attempts = 0  # connections in a row that led to nothing
        self._why = Why.FREE
        self._patience: float | None = None  # seconds that may still be spent waiting for answers
        self._waiting_since: float | None = None

    # --- what the owner wants ---

    def acquire(self, timeout: float | None, now: float) -> None:
        """Ask for the lock.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            LocalProtocolError: it is held, or asked for, already.
        """
        if self.state not in (State.AWAY, State.ATTACHED, State.RELEASING):
            raise LocalProtocolError(f"acquire while {self.state.value}")
        self.error = self.granted = None
        self._attempts = 0
        self.asked_at = now
        self.deadline = None if timeout is None else now + timeout
        self._patience = None if timeout is None else timeout + GRACE
        self._waiting_since = None
        if self.state is State.AWAY:
            self.state = State.SEEKING
        else:
            self._say_acquire(now)
            self.state = State.ASKING

    def release(self, *, rolled_back: bool) -> None:
        """Give the lock back.

        Raises:
            LocalProtocolError: it is not held.
        """
        if self.state is not State.HELD:
            raise LocalProtocolError(f"release while {self.state.value}")
        self._say(Release, self._epoch, rolled_back)
        self._patience = UNLOCKING
        self.state = State.RELEASING

    def explain(self) -> bool:
        """Ask why we wait; ``Explained`` will be among what is ``heard``, unless the wait has ended by then.

        Returns:
            Whether it is asked now: not if we do not wait, or if it was asked and is not answered yet.
        """
        if self.state not in WAITS or self._why is not Why.FREE:
            return False
        ask, epoch = self.ask, 0 if self.state is State.PARKED else self._epoch
        self._outbox.append(encode(Explain(ask.resource, epoch, ask.mode, ask.quantity, ask.nest)))
        self._why = Why.ASKED
        return True

    def abandon(self) -> None:
        """Forget everything; the shell closes the connection, which leaves the line and gives back what is held."""
        self._outbox.clear()
        self.state = State.AWAY

    # --- what the shell does ---

    def to_send(self) -> list[bytes]:
        """Take the frames that have to be sent now."""
        frames, self._outbox = self._outbox, []
        return frames

    def step(self, now: float) -> Open | Send | Receive | None:
        """What to do next; None if what was wanted is reached, or cannot be."""
        if self._outbox:
            return Send(self.to_send())
        if self.state in _SETTLED:
            return None
        self._be_patient(now)
        self._waiting_since = now
        patience = inf if self._patience is None else self._patience
        if self.state is State.SEEKING:
            return Open("", PAUSES[self._attempts - 1] if self._attempts else 0.0, patience)
        if self.state is State.CALLING:
            return Open(self._address, 0.0, patience)
        return Receive(self._patience)

    def opened(self, now: float) -> None:
        """The connection is there."""
        self._be_patient(now)
        if self.state is State.SEEKING and self._patience is not None:  # it may be we who had to start the daemon
            self._patience = max(self._patience, GRACE)
        self._outbox = [encode(self._hello)]
        self._why = Why.FREE
        self.state = State.MEETING if self.state is State.CALLING else State.GREETING

    def ended(self, why: HoldfastError | None = None, *, met: str = "") -> None:
        """The connection has ended, or could not be made.

        Args:
            why: the other side broke the protocol, and nothing is gained by trying again.
            met: what was met, for the sentence if this was the last attempt; "": that the connection ended.
        """
        state, self.state = self.state, State.AWAY
        self._outbox.clear()
        if state is State.HELD:
            self._lose("the connection to its locker ended", why)
        elif state in (State.AWAY, State.ATTACHED):
            pass
        elif why is not None:
            self.error = why
        elif state is State.RELEASING:
            self.error = self._unreachable(
                "the connection ended while it was given back: lost or released, outcome unknown"
            )
        else:
            self._try_again(met)

    def silent(self, now: float) -> None:
        """Nothing has come for as long as ``Receive`` said."""
        self._be_patient(now)
        if self._patience is None or self._patience > 0:
            return
        what = "released, outcome unknown" if self.state is State.RELEASING else "giving up"
        self.error = self._unreachable(f"the daemon does not answer: {what}")
        self.abandon()

    def received(self, frame: bytes, now: float) -> None:
        """A frame has come."""
        self._be_patient(now)
        try:
            message = decode(frame)
            following = self._following(message)
        except (RemoteProtocolError, LocalProtocolError) as error:
            self.ended(error)
            return
        self.heard.append(message)
        if isinstance(message, Granted):  # before the state says so: other threads may look (inflight.py)
            self.granted, self.granted_at = message, now
        self.state = following
        match message:
            case Queued() | Parked():
                self._attempts = 0
            case Welcome():
                self._say_echo(message, now)
            case Located():
                self._address, self._epoch = message.address, message.epoch
            case Refused():
                self.error = error_from_refusal(message, self.ask.resource)
            case Gone() | Lost() if following is State.SEEKING:
                self._try_again()
            case Lost():
                self._lose(_CAUSES[message.cause], message.sentence)
            case Gone():
                self._lose("its locker no longer knows it", "")

    # --- inside ---

    def _following(self, message: Message) -> State:
        following = _NEXT.get(self.state, {}).get(type(message))
        if following is not None:
            return following
        if self._why is Why.ASKED and isinstance(message, Explained | Fault):
            self._why = Why.UNKNOWN if isinstance(message, Fault) else Why.FREE
            return self.state
        if isinstance(message, Fault):
            raise LocalProtocolError(f"the daemon says: {message.sentence}")
        if isinstance(message, Mismatch):
            raise RemoteProtocolError(message.sentence)
        raise RemoteProtocolError(f"{type(message).__name__} came while {self.state.value}")

    def _say_echo(self, welcome: Welcome, now: float) -> None:
        self._outbox.append(encode(Echo(welcome.nonce)))
        if self.state is State.ASKING:
            self._say_acquire(now)
            return
        ask = self.ask
        left = self._left(now)
        self._outbox.append(
            encode(Locate(ask.resource, ask.mode, ask.quantity, left, ask.nest, ask.create, ask.idle, ask.order))
        )

    def _say_acquire(self, now: float) -> None:
        ask = self.ask
        self._say(Acquire, ask.resource, self._epoch, ask.mode, ask.quantity, self._left(now), ask.nest)

    def _say(self, kind: Callable[..., Acquire | Release], *fields: object) -> None:
        """Put a message into the outbox; it is mostly what was said the last time, and its frame is still there."""
        said = self._said.get(kind)
        if said is None or said[0] != fields:
            said = self._said[kind] = fields, encode(kind(*fields))
        self._outbox.append(said[1])

    def _left(self, now: float) -> float:
        if self.deadline is None:
            return FOREVER
        return max(0.0 if self.deadline == self.asked_at else LEAST, self.deadline - now)

    def _be_patient(self, now: float) -> None:
        if self._patience is not None and self._waiting_since is not None:
            self._patience -= now - self._waiting_since
        self._waiting_since = None

    def _try_again(self, met: str = "") -> None:
        self._attempts += 1
        if self._attempts <= len(PAUSES):
            self.state = State.SEEKING
            return
        self.state = State.AWAY
        self.error = self._unreachable(f"no answer in {self._attempts} attempts: {met or ENDING}")

    def _lose(self, cause: str, why: object) -> None:
        sentence = f"the lock {self.ask.resource} is lost: {why or cause}"
        self.error = LockLost(sentence, resource=self.ask.resource, cause=cause)

    def _unreachable(self, what: str) -> Unreachable:
        return Unreachable(f"{self.ask.resource}: {what}", resource=self.ask.resource)
