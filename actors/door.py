"""Who may speak: from a connection to a session.

ZeroMQ tells three things: a connection (descriptor) came, a connection went, a message came from a routing id. It
does not tell them in an order one could use: descriptors are used again, and **messages of a dead peer are still
delivered after its disconnect** (measured: nearly always). A lock granted to such a message would be held by nobody.
So:

* each connection that comes opens a new *generation* of its descriptor (a ``Peer``), each one that goes ends it;
* ``Hello`` notes the generation of the descriptor it came by, and is answered ``Welcome`` with a nonce;
* the session begins with the ``Echo`` of that nonce by the same routing id, *if that generation still lives*. A dead
  peer cannot answer, so it can hold nothing; a living one is noticed when it goes;
* when the generation ends, its session ends.

Where a session comes from (``Origin``) is asked of the kernel when its Hello is taken in, by the descriptor of that
generation; if that is somebody else's by then, the generation has ended and its session never begins.

The Hello of a dead peer may be delivered when its descriptor belongs to somebody else already, and then notes the
wrong generation. Its Welcome goes to nobody and no Echo ever comes; so one generation may have several
``Candidate``s, and the first right Echo decides which routing id is its own.

Everything else from an unknown routing id is dropped, and counted if it is more than the last words of somebody who
left. Whoever does not get through in ``PATIENCE``, and once more after the first Hello, is shut. Nobody is shut for
what a message says: it may be a dead peer's, and the connection somebody else's by now.
Pure: no socket, no clock; ``process.py`` brings what came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ..transport.errors import RemoteProtocolError
from ..transport.frozen import altered
from ..transport.listeners import Origin
from ..transport.messages import MAJOR, MINOR, Echo, Fault, Hello, Mismatch, Welcome
from ..transport.quick import decode
from ..transport.wire import Message, OtherVersion

HERE = Origin()
PATIENCE = 5.0  # seconds for the Hello, and again for the Echo
TAKEN = Fault("another connection uses this session id; make a new one")
TOO_EARLY = Fault("the Echo of the nonce in Welcome must come first; nothing was done")


class Stage(Enum):
    """How far a connection has come."""

    STRANGER = "stranger"  # owes us a Hello, or an Echo
    OPEN = "open"  # a session
    SHUT = "shut"  # told to go; nothing counts any more


@dataclass(eq=False, slots=True)
class Session:
    """Somebody who may speak: one per connection, from the right ``Echo`` to the end of the connection."""

    routing_id: bytes
    who: Hello
    fd: int
    origin: Origin = HERE


@dataclass(eq=False, slots=True)
class Peer:
    """One generation of a descriptor."""

    fd: int
    expires_at: float
    prolonged: bool = False  # by its Hello
    stage: Stage = Stage.STRANGER
    session: Session | None = None
    candidates: list[Candidate] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Candidate:
    """A routing id that said Hello and owes us the Echo of its nonce."""

    routing_id: bytes
    peer: Peer
    nonce: bytes
    who: Hello
    origin: Origin


@dataclass(slots=True)
class Outcome:
    """What a message of somebody unknown leads to."""

    answers: list[tuple[bytes, Message]] = field(default_factory=list)  # (routing id, answer)
    opened: Session | None = None


def complaint(error: RemoteProtocolError) -> Message:
    """The answer to a frame that is no message."""
    return Mismatch(MAJOR, MINOR, str(error)) if isinstance(error, OtherVersion) else Fault(str(error))


class Door:
    """Keeps the table of connections and sessions.

    Args:
        nonce: makes 16 random bytes.
        pid: of this process, told to whoever comes in.
    """

    def __init__(self, nonce: Callable[[], bytes], *, pid: int) -> None:
        self._nonce = nonce
        self._pid = pid
        self.peers: dict[int, Peer] = {}  # descriptor -> its living generation
        self._candidates: dict[bytes, Candidate] = {}  # routing id -> candidate
        self._strangers: dict[int, Peer] = {}  # descriptor -> who is not through; whose time ends first stands first
        self.sessions: dict[bytes, Session] = {}  # routing id -> session
        self._names: set[bytes] = set()  # session ids in use
        self.counts: Counter[str] = Counter()  # what was dropped, by kind

    def came(self, fd: int, now: float) -> None:
        """A connection came."""
        self.peers[fd] = self._strangers[fd] = Peer(fd, now + PATIENCE)

    def went(self, fd: int) -> Session | None:
        """A connection went.

        Returns:
            The session that ended with it.
        """
        peer = self.peers.pop(fd, None)
        return None if peer is None else self._forget(peer)

    def _forget(self, peer: Peer) -> Session | None:
        self._strangers.pop(peer.fd, None)
        self._forget_candidates(peer)
        session, peer.session = peer.session, None
        if session is not None:
            del self.sessions[session.routing_id]
            self._names.discard(session.who.session)
        return session

    def _forget_candidates(self, peer: Peer) -> None:
        for candidate in peer.candidates:
            self._candidates.pop(candidate.routing_id, None)
        peer.candidates.clear()

    def dismiss(self, session: Session) -> int:
        """End a session from our side: it does not read what it is sent.

        Returns:
            The descriptor whose connection must be shut.
        """
        peer = self.peers.get(session.fd)
        if peer is not None and peer.session is session:
            self._forget(peer)
            peer.stage = Stage.SHUT
        return session.fd

    def arrival(
        self,
        routing_id: bytes,
        fd: int,
        credentials: tuple[int, int] | None,
        frame: bytes | None,
        now: float,
        origin: Origin = HERE,
    ) -> Outcome:
        """A message of a routing id that has no session.

        Args:
            fd: the descriptor it came by; perhaps somebody else's by now.
            credentials: (uid, pid) of the peer as the kernel knows them; they overrule what it says.
            frame: None if it did not come alone.
            origin: of the connection; one that nobody is at the other end of has no peer.
        """
        if not routing_id.startswith(b"\0"):
            return self._drop("chose its own routing id")
        try:
            message = decode(frame or b"")
        except RemoteProtocolError as error:
            return self._drop("undecodable", (routing_id, complaint(error)))
        candidate = self._candidates.get(routing_id)
        if candidate is not None:
            return self._echo(candidate, message)
        peer = self.peers.get(fd)
        if peer is None or peer.stage is not Stage.STRANGER or not origin.peer:
            return Outcome()  # the last words of somebody who has left, which is no noise
        if not isinstance(message, Hello):
            return self._drop("before Hello")
        if credentials is not None:
            message = altered(message, uid=credentials[0], pid=credentials[1])
        return self._hello(peer, routing_id, message, origin, now)

    def _hello(self, peer: Peer, routing_id: bytes, who: Hello, origin: Origin, now: float) -> Outcome:
        if who.session in self._names:
            return self._drop("session id in use", (routing_id, TAKEN))
        candidate = Candidate(routing_id, peer, self._nonce(), who, origin)
        self._candidates[routing_id] = candidate
        peer.candidates.append(candidate)
        if not peer.prolonged:  # who never reads may say it again and again
            peer.prolonged = True
            peer.expires_at = now + PATIENCE
            self._strangers[peer.fd] = self._strangers.pop(peer.fd)  # to the end: its time ends last
        return Outcome([(routing_id, Welcome(candidate.nonce, MINOR, self._pid))])

    def _echo(self, candidate: Candidate, message: Message) -> Outcome:
        peer, who = candidate.peer, candidate.who
        if not isinstance(message, Echo):
            return self._drop("before Echo", (candidate.routing_id, TOO_EARLY))
        if message.nonce != candidate.nonce:
            return self._drop("wrong nonce", (candidate.routing_id, TOO_EARLY))
        if who.session in self._names:
            return self._drop("session id in use", (candidate.routing_id, TAKEN))
        del self._strangers[peer.fd]
        self._forget_candidates(peer)
        peer.stage = Stage.OPEN
        peer.session = Session(candidate.routing_id, who, peer.fd, candidate.origin)
        self.sessions[candidate.routing_id] = peer.session
        self._names.add(who.session)
        return Outcome(opened=peer.session)

    def unreachable(self, routing_id: bytes) -> None:
        """What was sent to a routing id without session could not be delivered: forget its Hello."""
        candidate = self._candidates.pop(routing_id, None)
        if candidate is not None:
            candidate.peer.candidates.remove(candidate)

    def late(self, now: float) -> int | None:
        """The descriptor of a connection that did not introduce itself in time; it is to be shut.

        One at a time: while it is shut, others may go and their descriptors come again with somebody else.
        """
        peer = next(iter(self._strangers.values()), None)
        if peer is None or peer.expires_at > now:
            return None
        self._forget(peer)
        peer.stage = Stage.SHUT
        self.counts["no Hello or Echo in time"] += 1
        return peer.fd

    def wakes_at(self) -> float | None:
        """When ``late`` may have something to say."""
        return next(iter(self._strangers.values())).expires_at if self._strangers else None

    def _drop(self, kind: str, *answers: tuple[bytes, Message]) -> Outcome:
        self.counts[kind] += 1
        return Outcome(list(answers))
