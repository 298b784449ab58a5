"""What a locker tells about its resource to those who watch it: who holds and waits, and what has happened so far.

The rule: the ``Locker`` says what happens, in the words below, once for each event; nothing here decides anything. Each
request is ``asked``, and then ``granted``, ``refused`` or ``withdrawn``, ``queued`` perhaps in between; each grant is
``parted`` with. This is on the path of every grant, so an event only counts and notes a key; records are made when
somebody is told.

Whom a waiter waits for changes with every grant, though the waiter does nothing. So the first ones in line are told
again when anybody is told that something has changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..transport.messages import FOREVER, Assign, Mode, Refusal, Standing, Watch
from ..transport.records import Claim, Record, Resource, claim_key, resource_key, tally_key
from .door import HERE, Session
from .rules.line import Hold, Line, Owner
from .tallies import Parting, Tallies
from .told import claim_of, public_name
from .watched import Watched

if TYPE_CHECKING:
    from .process import Effect

BEACON = 0.04  # seconds between two answers to one watcher, at least
FRONT = 16  # waiters whose blockers are told
CHECKS = 256  # holds that are looked at for that, each time that somebody is told
NAMED = 64  # blockers of one waiter, at most
EXPECTED = 1024  # sessions on their way whose numbers are remembered


@dataclass(slots=True)
class _Known:
    """A session as people know it."""

    name: str
    key: str
    number: int


class Account:
    """The records of one locker.

    Args:
        actor: the locker's child number.
        sessions: those that are here.
        ends_at: until when an owner waits at most.
    """

    def __init__(self, actor: int, sessions: Mapping[Owner, Session], ends_at: Callable[[Owner], float | None]) -> None:
        self._actor = actor
        self._sessions = sessions
        self._ends_at = ends_at
        self._watched = Watched(self._record, BEACON)
        self._tallies = Tallies()
        self._assign: Assign | None = None
        self._line: Line | None = None
        self._since = 0.0
        self._resource_key = ""
        self._tally_keys = self._keys_of_tallies(0)  # by mode
        self._tally_of = {key: (0, mode) for mode, key in zip(Mode, self._tally_keys, strict=True)}
        self._touch = self._watched.touch
        self._modes: dict[Owner, Mode] = {}  # of what was asked and not answered for good
        self._known: dict[Owner, _Known] = {}
        self._owners: dict[str, Owner] = {}  # by the key of their claim
        self._expected: OrderedDict[Owner, int] = OrderedDict()  # their numbers
        self._stirred = False  # whom the waiters wait for may have changed
        self._checks = 0  # holds that may still be looked at, for the answers that are made now
        self._front: set[Owner] | None = None  # the first in line, once that is known

    # --- the resource -----------------------------------------------------------------------------------------------

    def begin(self, assign: Assign, line: Line, now: float) -> None:
        """From now on this is about another resource."""
        self._assign, self._line, self._since = assign, line, now
        self._resource_key = resource_key(self._actor, assign.number)
        self._tally_keys = self._keys_of_tallies(assign.number)
        self._tally_of.update((key, (assign.number, mode)) for mode, key in zip(Mode, self._tally_keys, strict=True))
        self._touch(self._resource_key, now)

    def end(self, now: float) -> None:
        """The resource is no more."""
        for key in (self._resource_key, *self._owners, *self._tally_keys):
            self._watched.drop(key, now)
        for mode in self._tallies.fold():
            self._touch(tally_key(self._actor, 0, mode), now)
        for key in self._tally_keys:
            del self._tally_of[key]
        for memory in (self._modes, self._known, self._owners, self._expected):
            memory.clear()
        self._assign = self._line = None

    def _keys_of_tallies(self, place: int) -> list[str]:
        return [tally_key(self._actor, place, mode) for mode in Mode]

    # --- what happens to a request ----------------------------------------------------------------------------------

    def asked(self, owner: Owner, mode: Mode) -> None:
        """``owner`` asks; what becomes of it is said next."""
        self._modes[owner] = mode
        self._tallies.requested(mode)

    def queued(self, owner: Owner, now: float) -> None:
        """It waits."""
        self._touch(self._tally_keys[self._modes[owner]], now)
        self._touch((self._known.get(owner) or self._meet(owner)).key, now)

    def granted(self, owner: Owner, waited: float, now: float) -> None:
        """It holds."""
        mode = self._modes.pop(owner)
        self._tallies.granted(mode, waited)
        self._touch(self._tally_keys[mode], now)
        self._touch((self._known.get(owner) or self._meet(owner)).key, now)
        self._stirred = True

    def refused(self, owner: Owner, why: Refusal, now: float) -> None:
        """It will not get it."""
        mode = self._modes.pop(owner)
        if why is Refusal.TIMED_OUT:
            self._tallies.timed_out(mode)
        else:
            self._tallies.refused(mode)
        self._out(owner, mode, now)

    def withdrawn(self, owner: Owner, now: float) -> None:
        """It does not wait any more."""
        mode = self._modes.pop(owner)
        self._tallies.withdrawn(mode)
        self._out(owner, mode, now)

    def parted(self, hold: Hold, how: Parting, now: float) -> None:
        """It does not hold any more."""
        mode = hold.ask.mode
        self._tallies.parted(mode, how, now - hold.since)
        self._out(hold.owner, mode, now)

    def _out(self, owner: Owner, mode: Mode, now: float) -> None:
        self._touch(self._tally_keys[mode], now)
        known = self._known.get(owner)
        if known is not None:
            self._watched.drop(known.key, now)
        self._stirred = True

    # --- who they are -----------------------------------------------------------------------------------------------

    def expect(self, owner: Owner, number: int, now: float) -> None:
        """``owner`` is on its way; people know it by ``number``."""
        known = self._known.get(owner)
        if known is not None:
            if known.number != number:  # it was faster than the pipe
                known.number = number
                self._touch(known.key, now)
            return
        self._expected[owner] = number
        if len(self._expected) > EXPECTED:
            self._expected.popitem(last=False)

    def came(self, owner: Owner, now: float) -> None:
        """``owner`` is here, whose place was kept."""
        known = self._known.get(owner)
        if known is not None:
            self._touch(known.key, now)

    def forget(self, owner: Owner) -> None:
        """``owner`` is out of the line, and not here (any more)."""
        self._expected.pop(owner, None)
        known = self._known.pop(owner, None)
        if known is not None:
            del self._owners[known.key]

    def _meet(self, owner: Owner) -> _Known:
        name = public_name(owner)
        known = _Known(name, claim_key(self._actor, name), self._expected.pop(owner, 0))
        self._known[owner] = known
        self._owners[known.key] = owner
        return known

    def facts(self) -> dict[str, object]:
        """How we are, for a dump."""
        line, assign = self._line, self._assign
        return {
            "resource": "" if assign is None else assign.resource,
            "epoch": 0 if assign is None else assign.epoch,
            "sessions": len(self._sessions),
            "holders": 0 if line is None else len(line.holds),
            "waiters": 0 if line is None else len(line.waiters),
            "watchers": self._watched.watchers,
        }

    # --- who watches ------------------------------------------------------------------------------------------------

    def watch(self, session: Session, message: Watch, now: float) -> list[Effect]:
        """``session`` wants to know what changed."""
        self._stir(now)
        return self._watched.watch(session, message, now)

    def left(self, session: Session) -> None:
        """``session`` watches no more, if it did."""
        self._watched.left(session)

    def answers(self, now: float) -> list[Effect]:
        """To all watchers whose time has come."""
        self._stir(now)
        return self._watched.answers(now)

    def last_words(self, now: float) -> list[Effect]:
        """To all watchers, even if they do not ask: whatever they were not told yet."""
        return self._watched.last_words(now)

    def wakes_at(self) -> float | None:
        """When ``answers`` may have something to say."""
        return self._watched.wakes_at()

    def _stir(self, now: float) -> None:
        """Get ready to make records."""
        self._checks = CHECKS
        self._front = None
        if self._stirred and self._line is not None:
            for waiter in islice(self._line.waiters, FRONT):
                self._touch(self._known[waiter.owner].key, now)
        self._stirred = False

    # --- records ----------------------------------------------------------------------------------------------------

    def _record(self, key: str, now: float) -> Record | None:
        owner = self._owners.get(key)
        if owner is not None:
            return self._claim(owner, self._known[owner], now)
        if key == self._resource_key:
            return self._resource(now)
        of = self._tally_of.get(key)
        return None if of is None else self._tallies.tally(self._actor, *of)

    def _resource(self, now: float) -> Resource | None:
        assign = self._assign
        if assign is None:
            return None
        return Resource(
            actor=self._actor,
            number=assign.number,
            name=assign.resource,
            asked=assign.asked,
            age=now - self._since,
            order=assign.order,
            idle=assign.idle,
            epoch=assign.epoch,
            refused="",
        )

    def _claim(self, owner: Owner, known: _Known, now: float) -> Claim | None:
        line, assign = self._line, self._assign
        if line is None or assign is None:
            return None
        session = self._sessions.get(owner)
        who, origin = (None, HERE) if session is None else (session.who, session.origin)
        hold = line.holder(owner)
        if hold is not None:
            return claim_of(
                who,
                hold.ask,
                actor=self._actor,
                place=assign.number,
                number=known.number,
                session=known.name,
                standing=Standing.HOLDS,
                age=now - hold.since,
                waited=hold.waited,
                left=0.0,
                token=hold.token,
                element=hold.element,
                origin=origin,
            )
        if not line.waiting(owner):
            return None
        waiter = line.waiter(owner)
        ends_at = self._ends_at(owner)
        return claim_of(
            who,
            waiter.ask,
            actor=self._actor,
            place=assign.number,
            number=known.number,
            session=known.name,
            standing=Standing.WAITS,
            age=now - waiter.since,
            left=FOREVER if ends_at is None else max(0.0, ends_at - now),
            arrival=waiter.number,
            blockers=self._blockers(line, owner),
            origin=origin,
        )

    def _blockers(self, line: Line, owner: Owner) -> tuple[str, ...]:
        """The public names of those that ``owner`` waits for; () if looking would take too long."""
        if self._front is None:
            self._front = {waiter.owner for waiter in islice(line.waiters, FRONT)}
        if owner not in self._front or len(line.holds) > self._checks:
            return ()
        self._checks -= len(line.holds)
        return tuple(self._known[blocker].name for blocker in line.blockers(owner)[:NAMED])
