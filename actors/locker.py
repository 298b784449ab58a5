"""One resource's line behind a mailbox: who asked, who is answered, until when they wait.

The rules of locking are in ``rules/line.py``; here is what belongs to a process that serves them: sessions, timeouts,
places kept for parked sessions, and the life of the locker itself, which is one state at a time:

============= ===================================== ==================================================================
state         how it gets there                     Acquire and Release are
============= ===================================== ==================================================================
UNASSIGNED    started; told ``Leave``; at the end   answered ``Gone``
SERVING       ``Assign``; told ``Stay``             served, if they name our epoch
RETIRING      idle for its time: says ``Retiring``  kept in their order until the parent answers
ORPHANED      the parent is gone while it is held   Acquire is refused, Release is served; ends with the last holder
============= ===================================== ==================================================================

The locker is the only timekeeper of a wait. An owner that disconnects, dies, times out or unlocks leaves the line by
the same verb.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from ..transport.errors import InvalidName
from ..transport.messages import (
    Acquire,
    Assign,
    Cause,
    End,
    Ended,
    Fault,
    Gone,
    Granted,
    Leave,
    Lost,
    Place,
    Queued,
    Quiesce,
    Refusal,
    Refused,
    Release,
    Released,
    Retiring,
    Stay,
)
from ..transport.names import parse
from ..transport.wire import Message
from .alarms import Alarms
from .door import Session
from .log import event
from .process import PARENT, UNEXPECTED, Effect, Finish, Unlisten
from .rules.kinds import resource_from_name
from .rules.line import Line, Owner
from .words import STOPPED, holder_in_words, wait_in_words

GRACE = 2.0  # seconds that a parked session's place is kept
HURRY = 0.1  # seconds of idle time once the daemon ends when idle
AGAIN = 0.25  # seconds until a locker that was told to stay asks again, at least
LEFT_ALONE = "the daemon died; this lock is only served until its last holder is done"


class State(Enum):
    """See the opening of this file."""

    UNASSIGNED = "unassigned"
    SERVING = "serving"
    RETIRING = "retiring"
    ORPHANED = "orphaned"


class Locker:
    """The specific part of a locker process.

    Args:
        wall: converts monotonic to unix seconds; for timestamps only.
        note: writes down, for whoever wants to start a daemon, that this process outlives its own and why.
    """

    def __init__(self, wall: Callable[[float], float], note: Callable[[str], None]) -> None:
        self._wall = wall
        self._note = note
        self._state = State.UNASSIGNED
        self._epoch = 0
        self._name = ""
        self._line: Line | None = None
        self._sessions: dict[Owner, Session] = {}  # those that asked and are still connected
        self._places: dict[Owner, Message] = {}  # kept for sessions that are not here yet: what they will be told
        self._graces: Alarms[Owner] = Alarms()  # the end of each place
        self._given: dict[Owner, float] = {}  # who waits only for so many seconds
        self._limits: Alarms[Owner] = Alarms()  # the end of each such wait
        self._kept: list[tuple[Session, Message]] = []  # what came while RETIRING
        self._idle = 0.0
        self._idle_at: float | None = None

    # --- what clients say ------------------------------------------------------------------------------------------

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """Serve one message of a client."""
        if not isinstance(message, Acquire | Release):
            return [(session, UNEXPECTED)]
        if self._state is State.RETIRING:
            self._kept.append((session, message))
            return []
        if self._line is None or message.epoch != self._epoch:
            return [(session, Gone())]
        owner = Owner(session.who.session)
        self._sessions[owner] = session
        self._idle_at = None
        if isinstance(message, Release):
            return self._release(self._line, owner, message, now)
        if self._state is State.ORPHANED:
            return [(session, Refused(Refusal.STOPPING, LEFT_ALONE))]
        return self._acquire(self._line, owner, session, message, now)

    def _acquire(self, line: Line, owner: Owner, session: Session, ask: Acquire, now: float) -> list[Effect]:
        if owner in self._places:
            self._graces.cancel(owner)
            return [(session, self._places.pop(owner))]
        if _in_line(line, owner):
            return [(session, Fault("a second Acquire before the first has ended; nothing was done"))]
        fault = self._meaningless(ask)
        if fault:
            return [(session, Refused(Refusal.INVALID, fault))]
        return self._ask(line, owner, ask, now, inside=self._inside(session) if ask.nest else ())

    def _ask(self, line: Line, owner: Owner, ask: Acquire, now: float, inside: Sequence[Owner] = ()) -> list[Effect]:
        answers = line.ask(owner, ask, now, inside=inside)
        if ask.timeout > 0 and line.waiting(owner):
            self._limit(owner, ask.timeout, now)
        return self._tell(answers)

    def _meaningless(self, ask: Acquire) -> str:
        if ask.quantity < 1:
            return f"a quantity of {ask.quantity} has no meaning; ask for 1 or more"
        if ask.resource != self._name:
            try:
                served = parse(ask.resource).locker == self._name
            except InvalidName as error:
                return str(error)
            if not served:
                return f"{ask.resource} is not served here; locate it first"
        return ""

    def _inside(self, session: Session) -> Sequence[Owner]:
        """The sessions that this one may claim to run inside: connected here, on the same boot of the same host, of the
        same user. (Which of them hold, and when, is the line's business.)"""
        who = session.who
        found = []
        for claimed in map(Owner, who.inside):
            other = self._sessions.get(claimed)
            if other is not None:
                theirs = other.who
                if (theirs.host, theirs.boot_id, theirs.uid) == (who.host, who.boot_id, who.uid):
                    found.append(claimed)
        return found

    def _release(self, line: Line, owner: Owner, message: Release, now: float) -> list[Effect]:
        if not _in_line(line, owner):
            return [(self._sessions[owner], Fault("released what it does not hold; nothing was done"))]
        released: list[Effect] = [(self._sessions[owner], Released())]
        return released + self._leave(line, owner, now, rolled_back=message.rolled_back)

    def left(self, session: Session, now: float) -> list[Effect]:
        """A session ended: what it held or waited for is given up."""
        owner = Owner(session.who.session)
        self._kept = [(other, message) for other, message in self._kept if other is not session]
        if self._sessions.get(owner) is session:
            del self._sessions[owner]
        line = self._line
        if line is None:
            return []
        effects = self._leave(line, owner, now, rolled_back=True)
        self._look_idle(now)
        return effects

    def _leave(self, line: Line, owner: Owner, now: float, *, rolled_back: bool) -> list[Effect]:
        """Let ``owner`` leave the line, if it is in it, and keep no place for it."""
        self._places.pop(owner, None)
        self._graces.cancel(owner)
        if not _in_line(line, owner):
            return []
        self._unlimit(owner)
        effects = self._tell(line.leave(owner, now, rolled_back=rolled_back))
        if self._state is State.ORPHANED and not line.holds:
            effects += self._end("the last holder has left")
        return effects

    def _tell(self, answers: Iterable[tuple[Owner, Granted | Queued | Refused]]) -> list[Effect]:
        effects: list[Effect] = []
        for owner, answer in answers:
            if not isinstance(answer, Queued):
                self._unlimit(owner)  # also of one who is refused later, as a deadlock
            if isinstance(answer, Refused) and answer.why is Refusal.BUSY:
                answer = Refused(Refusal.BUSY, f"{self._name} is not free: {self._held_by()}")
            elif isinstance(answer, Refused) and answer.why is Refusal.DEADLOCK:
                answer = Refused(Refusal.DEADLOCK, f"{self._name} {answer.sentence}")
            if owner in self._places:
                self._places[owner] = answer
            elif owner in self._sessions:
                effects.append((self._sessions[owner], answer))
        return effects

    def _held_by(self) -> str:
        """Who holds the resource, in words."""
        holders = [self._sessions.get(owner) for owner in self._holders()]
        if not holders:
            waits = self._line is not None and self._line.waiters
            return "others are in line before you" if waits else "it is too early for the next one"
        told = "held by " + holder_in_words(holders[0])
        return told if len(holders) == 1 else f"{told} and {len(holders) - 1} more"

    def _holders(self) -> list[Owner]:
        return [] if self._line is None else list(self._line.holds)

    # --- what time brings ------------------------------------------------------------------------------------------

    def _limit(self, owner: Owner, given: float, now: float) -> None:
        self._given[owner] = given
        self._limits.set(owner, now + given)

    def _unlimit(self, owner: Owner) -> None:
        if self._given.pop(owner, None) is not None:
            self._limits.cancel(owner)

    def wakes_at(self) -> float | None:
        """The next end of a wait, of a place, or of our idle time; the next tick of a timestamp."""
        instants = [self._idle_at, self._graces.wakes_at(), self._limits.wakes_at()]
        if self._line is not None:
            instants.append(self._line.wakes_at())
        return min((at for at in instants if at is not None), default=None)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        line = self._line
        if line is not None:
            while (owner := self._limits.due(now)) is not None:
                effects += self._time_out(line, owner, now)
            while (owner := self._graces.due(now)) is not None:
                effects += self._leave(line, owner, now, rolled_back=True)
                self._look_idle(now)
            at = line.wakes_at()
            if at is not None and at <= now:
                effects += self._tell(line.wake(now))
        if self._idle_at is not None and self._idle_at <= now:
            effects += self._retire(now)
        return effects

    def _time_out(self, line: Line, owner: Owner, now: float) -> list[Effect]:
        sentence = f"{self._name} was not granted within {wait_in_words(self._given[owner])}: {self._held_by()}"
        refused = self._tell([(owner, Refused(Refusal.TIMED_OUT, sentence))])
        return refused + self._tell(line.leave(owner, now, rolled_back=True))

    # --- the life of the locker ------------------------------------------------------------------------------------

    def _look_idle(self, now: float) -> None:
        """Start the idle clock if nobody is here and nobody is expected."""
        if self._state is State.SERVING and not self._sessions and not self._places and not self._holders():
            self._idle_at = now + self._idle if self._idle >= 0 else None

    def _retire(self, now: float) -> list[Effect]:
        assert self._line is not None
        self._idle_at = None
        self._state = State.RETIRING
        return [(PARENT, Retiring(self._epoch, self._line.token))]

    def told(self, message: Message, now: float) -> list[Effect]:
        """The incubator decides what we serve."""
        match message:
            case Assign():
                self._assign(message, now)
            case Place():
                return self._place(message, now)
            case Stay() if self._state is State.RETIRING:
                self._state = State.SERVING
                return self._serve_kept(now)
            case Leave() if self._state is State.RETIRING:
                return self._vacate()
            case Quiesce():
                self._idle = HURRY
                self._look_idle(now)
            case End():
                return self._dismiss_all(Cause.STOPPED, Refusal.STOPPING, STOPPED) + self._end("told to end")
            case _:
                raise ValueError(f"not for a locker that is {self._state.value}: {message}")
        return []

    def _assign(self, message: Assign, now: float) -> None:
        self._name = message.resource
        self._epoch = message.epoch
        self._idle = message.idle
        self._line = Line(
            resource_from_name(parse(message.resource), wall=self._wall), order=message.order, token=message.epoch
        )
        self._state = State.SERVING
        self._look_idle(now)

    def _place(self, place: Place, now: float) -> list[Effect]:
        if self._line is None or place.epoch != self._epoch:
            raise ValueError(f"a place for another epoch: {place.epoch}, not {self._epoch}")
        owner = Owner(place.session)
        if owner in self._sessions:
            return []  # it was faster than the pipe
        ask = Acquire(place.resource, place.epoch, place.mode, place.quantity, place.timeout, False)
        self._idle_at = None
        fault = self._meaningless(ask)
        self._places[owner] = Refused(Refusal.INVALID, fault)
        self._graces.set(owner, now + GRACE)
        return [] if fault else self._ask(self._line, owner, ask, now)

    def _serve_kept(self, now: float) -> list[Effect]:
        kept, self._kept = self._kept, []
        self._idle_at = now + max(self._idle, AGAIN)
        return [effect for session, message in kept for effect in self.handle(session, message, now)]

    def _vacate(self) -> list[Effect]:
        gone: list[Effect] = [(session, Gone()) for session, _ in self._kept]
        self._kept.clear()
        self._sessions.clear()
        self._line = self._idle_at = None
        self._state = State.UNASSIGNED
        return gone

    def orphaned(self, now: float) -> list[Effect]:
        """The incubator is gone: whoever holds keeps what it holds, everybody else is answered."""
        line = self._line
        effects = [] if line is None else self._turn_away(line, now)
        if line is None or not line.holds:
            return effects + self._end("the incubator is gone")
        self._idle_at = None
        self._state = State.ORPHANED
        self._note(f"process {os.getpid()} still serves {self._name}, {self._held_by()}")
        event("HFD030W", resource=self._name)
        return [Unlisten(), *effects]

    def _turn_away(self, line: Line, now: float) -> list[Effect]:
        """Refuse all who wait and are not here yet; who gets in because another one leaves, leaves next."""
        waiting = [waiter.owner for waiter in reversed(list(line.waiters))]
        effects: list[Effect] = [
            (self._sessions[owner], Refused(Refusal.STOPPING, LEFT_ALONE))
            for owner in waiting
            if owner not in self._places
        ]
        for owner in (*waiting, *list(self._places)):
            self._places.pop(owner, None)
            self._graces.cancel(owner)
            self._unlimit(owner)
            if _in_line(line, owner):
                line.leave(owner, now, rolled_back=True)
        return effects

    def _dismiss_all(self, cause: Cause, why: Refusal, sentence: str) -> list[Effect]:
        holders = set(self._holders())
        effects: list[Effect] = []
        for owner, session in self._sessions.items():
            if owner in holders:
                effects.append((session, Lost(cause, sentence)))
            elif self._line is not None and self._line.waiting(owner):
                effects.append((session, Refused(why, sentence)))
        return effects

    def _end(self, reason: str) -> list[Effect]:
        return [*self._vacate(), Unlisten(), (PARENT, Ended(reason)), Finish(reason)]

    def failed(self) -> list[Effect]:
        """We raised: holders lose, waiters are refused."""
        sentence = f"the locker of {self._name} failed; please report it"
        return self._dismiss_all(Cause.FAILED, Refusal.LOCKER_DIED, sentence) + self._vacate()


def _in_line(line: Line, owner: Owner) -> bool:
    return line.holder(owner) is not None or line.waiting(owner)
