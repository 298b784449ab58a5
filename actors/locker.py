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
the same verb. Whoever watches, or asks what would be, is no client: it takes nothing and keeps nothing alive.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

from ..transport.messages import (
    Acquire,
    Assign,
    Cause,
    Conclude,
    Concluded,
    End,
    Ended,
    Expect,
    Explain,
    Explained,
    Fault,
    Gone,
    Granted,
    Leave,
    Place,
    Queued,
    Quiesce,
    Refusal,
    Refused,
    Release,
    Released,
    Report,
    Reported,
    Retiring,
    Stay,
    Watch,
)
from ..transport.names import parse
from ..transport.wire import Message
from .account import Account
from .alarms import Alarms, soonest
from .dismissal import dismissed
from .door import Session
from .kin import kin
from .limits import Limits
from .log import event
from .process import PARENT, UNEXPECTED, Effect, Finish, Unlisten
from .reasons import BUSY, Reasons
from .rules.kinds import resource_from_name
from .rules.line import Line, Owner
from .tallies import Parting
from .words import STOPPED

GRACE = 2.0  # seconds that a parked session's place is kept
HURRY = 0.1  # seconds of idle time once the daemon ends when idle
AGAIN = 0.25  # seconds until a locker that was told to stay asks again, at least
_SERVED = (Acquire, Release, Explain, Conclude)  # of what clients say; a union would be made anew for each message
_PARTING = (Parting.RELEASED, Parting.FAILED)  # by whether it is rolled back
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
        number: our child number.
        wall: converts monotonic to unix seconds; for timestamps only.
        outlive: keeps the place of the daemon, which is gone, from everybody, and writes down for whoever wants to
            start another one that this process still serves and why.
    """

    def __init__(self, number: int, wall: Callable[[float], float], outlive: Callable[[str], None]) -> None:
        self._wall = wall
        self._outlive = outlive
        self._state = State.UNASSIGNED
        self._epoch = 0
        self._name = ""
        self._line: Line | None = None
        self._reasons: Reasons  # while there is a line
        self._sessions: dict[Owner, Session] = {}  # those that asked and are still connected
        self._places: dict[Owner, Message] = {}  # kept for sessions that are not here yet: what they will be told
        self._graces: Alarms[Owner] = Alarms()  # the end of each place
        self._limits = Limits()  # of those who wait only for so many seconds
        self._outcomes: dict[Owner, Parting] = {}  # told ahead, by holders whose connection may outlive them
        self._kept: list[tuple[Session, Message]] = []  # what came while RETIRING
        self._idle = 0.0
        self._idle_at: float | None = None
        self._account = Account(number, self._sessions, self._limits.at)

    # --- what clients say ------------------------------------------------------------------------------------------

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """Serve one message of a client."""
        if isinstance(message, Watch):
            return self._account.watch(session, message, now)
        if not isinstance(message, _SERVED):
            return [(session, UNEXPECTED)]
        if self._state is State.RETIRING:
            self._kept.append((session, message))
            return []
        if self._line is None or message.epoch != self._epoch:
            return [(session, Gone())]
        owner = Owner(session.who.session)
        if isinstance(message, Explain):
            return [(session, self._explain(self._line, owner, session, message, now))]
        self._sessions[owner] = session
        self._idle_at = None
        if isinstance(message, Release):
            return self._release(self._line, owner, message, now)
        if isinstance(message, Conclude):
            return [(session, self._conclude(self._line, owner, message))]
        return self._acquire(self._line, owner, session, message, now)

    def _acquire(self, line: Line, owner: Owner, session: Session, ask: Acquire, now: float) -> list[Effect]:
        if owner in self._places:
            self._graces.cancel(owner)
            self._account.came(owner, now)
            return [(session, self._places.pop(owner))]
        if _in_line(line, owner):
            return [(session, Fault("a second Acquire before the first has ended; nothing was done"))]
        return self._ask(line, owner, ask, now, inside=self._inside(session, ask))

    def _ask(self, line: Line, owner: Owner, ask: Acquire, now: float, inside: Sequence[Owner] = ()) -> list[Effect]:
        self._account.asked(owner, ask.mode)
        refused = self._turned_down(ask)
        if refused is not None:
            return self._tell([(owner, refused)], now)
        answers = line.ask(owner, ask, now, inside=inside)
        if ask.timeout > 0 and line.waiting(owner):
            self._limits.set(owner, ask.timeout, now)
        if ask.timeout == 0 and answers == [(owner, BUSY)]:
            answers = [(owner, self._reasons.busy(ask, inside, now))]
        return self._tell(answers, now)

    def _turned_down(self, ask: Acquire | Explain) -> Refused | None:
        """Why a request does not even come to the line."""
        if self._state is State.ORPHANED:
            return Refused(Refusal.STOPPING, LEFT_ALONE)
        return self._reasons.meaningless(ask)

    def _explain(self, line: Line, owner: Owner, session: Session, ask: Explain, now: float) -> Explained:
        refused = None if _in_line(line, owner) else self._turned_down(ask)
        if refused is not None:
            return Explained(False, 0, refused.sentence)
        return self._reasons.explain(owner, ask, self._inside(session, ask), now)

    def _inside(self, session: Session, ask: Acquire | Explain) -> Sequence[Owner]:
        return kin(session, self._sessions) if ask.nest and session.who.inside else ()

    def _release(self, line: Line, owner: Owner, message: Release, now: float) -> list[Effect]:
        if not _in_line(line, owner):
            return [(self._sessions[owner], Fault("released what it does not hold; nothing was done"))]
        released: list[Effect] = [(self._sessions[owner], Released())]
        return released + self._leave(line, owner, now, _PARTING[message.rolled_back])

    def _conclude(self, line: Line, owner: Owner, message: Conclude) -> Concluded | Fault:
        if line.holder(owner) is None:
            return Fault("concluded what it does not hold; nothing was done")
        self._outcomes[owner] = _PARTING[message.rolled_back]
        return Concluded()

    def left(self, session: Session, now: float) -> list[Effect]:
        """A session ended: what it held or waited for is given up."""
        owner = Owner(session.who.session)
        self._account.left(session)
        self._kept = [(other, message) for other, message in self._kept if other is not session]
        if self._sessions.get(owner) is session:
            del self._sessions[owner]
        line = self._line
        if line is None:
            return []
        effects = self._give_up(line, owner, now)
        self._look_idle(now)
        return effects

    def _give_up(self, line: Line, owner: Owner, now: float) -> list[Effect]:
        """``owner`` is not here, and not expected any more."""
        effects = self._leave(line, owner, now, self._outcomes.get(owner, Parting.VANISHED))
        self._account.forget(owner)
        return effects

    def _leave(self, line: Line, owner: Owner, now: float, how: Parting) -> list[Effect]:
        """Let ``owner`` leave the line, if it is in it, and keep no place for it."""
        self._places.pop(owner, None)
        self._graces.cancel(owner)
        self._outcomes.pop(owner, None)
        hold = line.holder(owner)
        if hold is not None:
            self._account.parted(hold, how, now)
        elif line.waiting(owner):
            self._account.withdrawn(owner, now)
        else:
            return []
        self._limits.cancel(owner)
        effects = self._tell(line.leave(owner, now, rolled_back=how is not Parting.RELEASED), now)
        if self._state is State.ORPHANED and not line.holds:
            effects += self._end("the last holder has left")
        return effects

    def _tell(self, answers: Iterable[tuple[Owner, Granted | Queued | Refused]], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for owner, answer in answers:
            if isinstance(answer, Queued):
                self._account.queued(owner, now)
            else:
                self._limits.cancel(owner)  # also of one who is refused later, as a deadlock
                if isinstance(answer, Granted):
                    self._account.granted(owner, answer.waited, now)
                else:
                    self._account.refused(owner, answer.why, now)
                    if answer.why is Refusal.DEADLOCK:
                        answer = self._reasons.deadlock(answer)
            if owner in self._places:
                self._places[owner] = answer
            elif owner in self._sessions:
                effects.append((self._sessions[owner], answer))
        return effects

    # --- what time brings ------------------------------------------------------------------------------------------

    def wakes_at(self) -> float | None:
        """The next end of a wait, of a place, or of our idle time; the next tick of a timestamp."""
        instants = (
            self._idle_at,
            self._graces.wakes_at(),
            self._limits.wakes_at(),
            self._account.wakes_at(),
            None if self._line is None else self._line.wakes_at(),
        )
        return soonest(instants)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        line = self._line
        if line is not None:
            while (late := self._limits.due(now)) is not None:
                effects += self._time_out(line, *late, now)
            while (owner := self._graces.due(now)) is not None:
                effects += self._give_up(line, owner, now)
                self._look_idle(now)
            at = line.wakes_at()
            if at is not None and at <= now:
                effects += self._tell(line.wake(now), now)
        if self._idle_at is not None and self._idle_at <= now:
            effects += self._retire(now)
        return effects + self._account.answers(now)

    def _time_out(self, line: Line, owner: Owner, given: float, now: float) -> list[Effect]:
        refused = self._tell([(owner, self._reasons.timed_out(owner, given, now))], now)
        return refused + self._tell(line.leave(owner, now, rolled_back=True), now)

    # --- the life of the locker ------------------------------------------------------------------------------------

    def _look_idle(self, now: float) -> None:
        """Start the idle clock if nobody is here and nobody is expected."""
        line = self._line
        if line is not None and self._state is State.SERVING and not (self._sessions or self._places or line.holds):
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
                self._account.end(now)
                return self._vacate()
            case Expect():
                self._account.expect(Owner(message.session), message.number, now)
            case Report():
                return [(PARENT, Reported(json.dumps({"state": self._state.value, **self._account.facts()})))]
            case Quiesce():
                self._idle = HURRY
                self._look_idle(now)
            case End():
                effects = dismissed(self._line, self._sessions, Cause.STOPPED, Refusal.STOPPING, STOPPED)
                return effects + self._account.last_words(now) + self._end("told to end")
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
        self._reasons = Reasons(self._name, self._line, self._sessions)
        self._state = State.SERVING
        self._account.begin(message, self._line, now)
        self._look_idle(now)

    def _place(self, place: Place, now: float) -> list[Effect]:
        if self._line is None or place.epoch != self._epoch:
            raise ValueError(f"a place for another epoch: {place.epoch}, not {self._epoch}")
        owner = Owner(place.session)
        if owner in self._sessions:
            return []  # it was faster than the pipe
        ask = Acquire(place.resource, place.epoch, place.mode, place.quantity, place.timeout, False)
        self._idle_at = None
        self._places[owner] = Queued(0)  # until it is asked
        self._graces.set(owner, now + GRACE)
        return self._ask(self._line, owner, ask, now)

    def _serve_kept(self, now: float) -> list[Effect]:
        kept, self._kept = self._kept, []
        self._idle_at = now + max(self._idle, AGAIN)
        return [effect for session, message in kept for effect in self.handle(session, message, now)]

    def _vacate(self) -> list[Effect]:
        gone: list[Effect] = [(session, Gone()) for session, _ in self._kept]
        for memory in (self._kept, self._sessions, self._outcomes):
            memory.clear()
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
        self._outlive(f"process {os.getpid()} still serves {self._name}, {self._reasons.held(now)}")
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
        for hold in filter(None, map(line.holder, self._places)):
            self._account.parted(hold, Parting.LOST, now)
        for owner in waiting:
            self._account.refused(owner, Refusal.STOPPING, now)
        for owner in (*waiting, *list(self._places)):
            self._places.pop(owner, None)
            self._graces.cancel(owner)
            self._limits.cancel(owner)
            if _in_line(line, owner):
                line.leave(owner, now, rolled_back=True)
        return effects

    def _end(self, reason: str) -> list[Effect]:
        return [*self._vacate(), Unlisten(), (PARENT, Ended(reason)), Finish(reason)]

    def failed(self) -> list[Effect]:
        """We raised: holders lose, waiters are refused."""
        sentence = f"the locker of {self._name} failed; please report it"
        told = dismissed(self._line, self._sessions, Cause.FAILED, Refusal.LOCKER_DIED, sentence)
        return told + self._vacate()


def _in_line(line: Line, owner: Owner) -> bool:
    return line.holder(owner) is not None or line.waiting(owner)
