"""What every actor process does: wait, take in, ask the actor, deliver. Nothing else owns a socket or a signal.

The specific part (``Locker``, ``Incubator``) knows no socket and no clock. Each of its methods returns a list of
effects, and this file carries them out **in their order**, at the end of the turn; what a message brings to several,
before the next message is taken in (``implied.py`` says which answers come last, or not at all):

======================= ==========================================================================================
effect                  what happens
======================= ==========================================================================================
(session, message)      the answer is sent; if it cannot be (gone, does not read), the session is shut: ``left``
(PARENT, message)       told to the parent through the pipe
(child number, message) told to that child through its pipe
``StartChild(n, role)`` a process is started; ``child_said`` brings its ``Ready`` or why there is none, ``child_died``
                        its end
``KillChild(n)``        SIGKILL
``AskStack(n)``         SIGUSR2: the child writes its Python stack to the log
``Connect(n, path)``    feed n is kept open to another actor's mailbox; ``heard`` brings what comes by it
``Disconnect(n)``       it is not opened again; ``heard`` brings what was still to come, then its end
``ToFeed(n, message)``  said on that feed
``Unlisten()``          nobody new is let in, the socket's name is taken away; those who are inside stay
``Finish(reason)``      the rest of the list is carried out, then the process ends with code 0
======================= ==========================================================================================

An exception in the specific part is our bug: it is logged once with its traceback, ``failed`` says what to tell whom,
and the process ends with code 70 (EX_SOFTWARE). What a client sends can never cause one: it is decoded and checked
before.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from signal import SIGUSR2
from typing import TYPE_CHECKING

from ..transport.errors import RemoteProtocolError
from ..transport.messages import Fault, Queued
from ..transport.pipe import Pipe
from ..transport.quick import decode, encode
from ..transport.sockets import Arrival, Change, Router
from ..transport.wire import Message
from .alarms import soonest
from .door import Door, Session, complaint
from .feeds import Feeds, ForFeeds
from .implied import Unsaid, in_order
from .log import event
from .noise import Noise

if TYPE_CHECKING:
    from .children import Children
    from .roles import Actor, Child, Listener, Parent

BATCH = 256  # messages taken in before timers and disconnects have their turn again
STRANGERS = 32  # of them, those of somebody who has no session: they cost more, and a crowd must leave others a turn
NAP = 3600.0  # seconds to sleep at most; a wait may be longer than what poll can count
SHORT = 128  # bytes of a frame that is remembered with its message …
REMEMBERED = 256  # … and so many of them: clients say the same things again and again
RETRY = 0.05  # seconds until a parent that did not read its pipe is tried again
FAILED = 70  # exit code EX_SOFTWARE
UNEXPECTED = Fault("this message is not for this process; nothing was done")


class Where(Enum):
    """The one place that is neither a session nor a child."""

    PARENT = "parent"


PARENT = Where.PARENT


@dataclass(frozen=True, slots=True)
class Finish:
    """This actor's life is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unlisten:
    """Let nobody new in."""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start child ``number``."""

    number: int
    role: str


@dataclass(frozen=True, slots=True)
class KillChild:
    """Kill child ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class AskStack:
    """Let child ``number`` write where it is in its program."""

    number: int


Effect = tuple[Session | Where | int, Message] | Finish | Unlisten | StartChild | KillChild | AskStack | ForFeeds


class Process:
    """The generic part.

    Args:
        actor: the specific part.
        router: its mailbox.
        pipe: to the parent, if it has one.
        children: the brood, if it has one.
        feeds: its connections to other actors, if it has some.
        signals: descriptor from which the numbers of signals can be read, one byte each (``signal.set_wakeup_fd``).
    """

    def __init__(
        self,
        actor: Actor,
        router: Router,
        *,
        pipe: Pipe | None = None,
        children: Children | None = None,
        feeds: Feeds | None = None,
        signals: int | None = None,
    ) -> None:
        self._actor = actor
        self._router = router
        self._pipe = pipe
        self._children = children
        self._feeds = feeds
        self._signals = signals
        self._door = Door(lambda: os.urandom(16), pid=os.getpid())
        self._noise = Noise(self._door.counts, router.failures, sources=router.failed_from)
        self._unsaid = Unsaid()
        sleepers = (actor, self._door, self._unsaid, children, feeds, self._noise)
        self._sleepers = [it for it in sleepers if it is not None]
        self._decode = lru_cache(REMEMBERED)(decode)
        self._due_at: float | None = None  # when somebody wants to be woken, as the turn began
        self._orphaned = False
        self._finish: Finish | None = None
        self._log = logging.getLogger("holdfast")
        self._telling = self._log.isEnabledFor(logging.DEBUG)  # each message; asked once, for it costs
        self._listening = True
        for source in (pipe, children, feeds, signals):
            if source is not None:
                router.register(source if isinstance(source, int) else source.fileno())

    def run(self) -> int:
        """Serve until the actor says ``Finish``.

        Returns:
            The exit code of the process.
        """
        code = 0
        try:
            while self._finish is None:
                self._turn()
        except Exception:
            event("HFD010E", exc_info=True)
            self.carry_out(self._actor.failed())
            code = FAILED
        self._router.close()
        return code

    def _turn(self) -> None:
        ready = self._router.wait(self._patience())
        now = time.monotonic()
        effects: list[Effect] = []
        if ready.changes:
            self._take_changes(self._router.changes(), now, effects)
        if ready.others:
            self._take_others(ready.others, now, effects)
        if ready.messages:
            self._take_messages(now, effects)
        if self._feeds is not None:
            self._take_from_feeds(self._feeds, now, effects)
        if self._due_at is not None and self._due_at <= now:
            self._take_time(now, effects)
        self.carry_out(effects)
        if self._pipe is not None and self._pipe.wants_to_send:
            self._pipe.flush()
        self._tell_listening()
        self._noise.tell(now)

    def _take_others(self, others: frozenset[int], now: float, effects: list[Effect]) -> None:
        if self._signals is not None and self._signals in others:
            parent: Parent = self._actor  # type: ignore[assignment]  # only a Parent listens to signals
            for number in os.read(self._signals, 64):
                effects += parent.signalled(number, now)
        if self._pipe is not None and self._pipe.fileno() in others:
            self._take_from_parent(now, effects)
        if self._children is not None and self._children.fileno() in others:
            self._take_from_children(self._children, now, effects)

    def _patience(self) -> int | None:
        """Milliseconds until somebody wants to be woken; rounded up, so that it is not too early then."""
        first = soonest([sleeper.wakes_at() for sleeper in self._sleepers])
        if self._pipe is not None and self._pipe.wants_to_send:
            first = soonest((first, time.monotonic() + RETRY))
        self._due_at = first
        if first is None:
            return None
        left = first - time.monotonic()
        return int(min(NAP, left) * 1000) + 1 if left > 0 else 0

    def _take_changes(self, changes: Sequence[Change], now: float, effects: list[Effect]) -> None:
        for change in changes:
            session = self._door.went(change.fd)
            if session is not None:
                effects += self._actor.left(session, now)
            if change.came:
                self._door.came(change.fd, now)

    def _tell_listening(self) -> None:
        if self._router.listening != self._listening:
            self._listening = self._router.listening
            event("HFD032I" if self._listening else "HFD031W")

    def _take_messages(self, now: float, effects: list[Effect]) -> None:
        sessions = self._door.sessions
        strangers = 0
        for _ in range(BATCH):
            received = self._router.receive(sessions)
            if received is None:
                return
            routing_id, content = received
            if isinstance(content, Arrival):
                self._take_changes(self._router.changes(), now, effects)
                self._take_from_parent(now, effects)  # who comes was sent by it, perhaps since this turn began
                self._arrival(routing_id, content, now)
                strangers += 1
                if strangers == STRANGERS:
                    return
            elif (session := sessions.get(routing_id)) is not None:
                said = self._hear(session, content, now)
                effects += said
                if len(said) > 1:  # others wait for it
                    first, effects[:] = in_order(effects)
                    self.carry_out(first)

    def _arrival(self, routing_id: bytes, arrival: Arrival, now: float) -> None:
        outcome = self._door.arrival(routing_id, *arrival[:3], now, arrival.origin)
        for address, answer in outcome.answers:
            if not self._router.send(address, encode(answer)):
                self._door.unreachable(address)

    def _hear(self, session: Session, frame: bytes, now: float) -> list[Effect]:
        try:
            message = (self._decode if len(frame) <= SHORT else decode)(frame)
        except RemoteProtocolError as error:
            self._door.counts["undecodable"] += 1
            return [(session, complaint(error))]
        if self._telling:
            self._log.debug("%s says %s", session.who.pid, message)
        return self._actor.handle(session, message, now)

    def _take_from_parent(self, now: float, effects: list[Effect]) -> None:
        if self._pipe is None or self._orphaned:
            return
        child: Child = self._actor  # type: ignore[assignment]  # only a Child is given a pipe
        try:
            while (message := self._pipe.receive()) is not None:
                effects += child.told(message, now)
        except EOFError:
            self._orphaned = True
            self._router.unregister(self._pipe.fileno())
            effects += child.orphaned(now)

    def _take_from_children(self, children: Children, now: float, effects: list[Effect]) -> None:
        parent: Parent = self._actor  # type: ignore[assignment]  # only a Parent is given children
        for number, message in children.news():
            if message is not None:
                effects += parent.child_said(number, message, now)
            elif number == children.FORK_SERVER:
                effects += parent.fork_server_died(now)
            else:
                effects += parent.child_died(number, now)

    def _take_from_feeds(self, feeds: Feeds, now: float, effects: list[Effect]) -> None:
        listener: Listener = self._actor  # type: ignore[assignment]  # only a Listener is given feeds
        for number, message in feeds.news(now):
            effects += listener.heard(number, message, now)

    def _take_time(self, now: float, effects: list[Effect]) -> None:
        at = self._actor.wakes_at()
        if at is not None and at <= now:
            effects += self._actor.tick(now)
        while (late := self._unsaid.due(now)) is not None:
            self._say(*late, effects)
        while (fd := self._door.late(now)) is not None:
            self._take_changes(self._router.shut(fd, self._door.peers), now, effects)
        if self._children is not None:
            self._children.kill_late(now)

    def carry_out(self, effects: list[Effect]) -> None:
        """Carry out, including what follows from an answer that could not be delivered."""
        if len(effects) > 1:
            first, last = in_order(effects)
            effects = first + last
        for effect in effects:  # grows while it runs
            if isinstance(effect, tuple):
                to, message = effect
                if isinstance(to, Session):
                    self._answer(to, message, effects)
                elif isinstance(to, int):
                    assert self._children is not None
                    self._children.send(to, message)
                elif self._pipe is not None:
                    self._pipe.send(message)
            elif isinstance(effect, Finish):
                self._finish = effect
            elif isinstance(effect, Unlisten):
                self._router.stop_listening()
                self._listening = False
            elif isinstance(effect, ForFeeds):
                assert self._feeds is not None
                self._feeds.carry_out(effect, time.monotonic())
            else:
                self._raise_child(effect)

    def _answer(self, session: Session, message: Message, effects: list[Effect]) -> None:
        earlier = self._unsaid.before(session, message)
        if earlier is not None:
            self._say(session, earlier, effects)
        if isinstance(message, Queued):
            self._unsaid.hold(session, message, time.monotonic())
        else:
            self._say(session, message, effects)

    def _say(self, session: Session, message: Message, effects: list[Effect]) -> None:
        if self._telling:
            self._log.debug("%s is told %s", session.who.pid, message)
        if self._router.send(session.routing_id, encode(message)):
            return
        if self._door.sessions.get(session.routing_id) is session:
            now = time.monotonic()
            fd = self._door.dismiss(session)
            effects += self._actor.left(session, now)
            self._take_changes(self._router.shut(fd, self._door.peers), now, effects)

    def _raise_child(self, effect: StartChild | KillChild | AskStack) -> None:
        assert self._children is not None
        if isinstance(effect, KillChild):
            self._children.kill(effect.number)
            return
        if isinstance(effect, AskStack):
            self._children.signal(effect.number, SIGUSR2)
            return
        self._children.start(effect.number, effect.role)
