"""Where is NAME? Who is told so, who waits for a name, and by which numbers people know them.

* ``requests``: who waits until a resource gets its locker, and who is *parked*: asked with create=no for one that
  nobody has created yet. When it is created all go to its locker in their order.
* ``wanted``: resources that wait for a started locker.
* ``clients``: who asked for a lock, from the first ``Locate`` to the end of the connection. They keep the daemon alive.
* Numbers: a session takes one with its first ``Locate``, a resource when it is created, from one counter; 1 is the
  listening socket. A locker hears a session's number before the session hears of the locker.

Pure: no socket and no clock.
"""

from __future__ import annotations

from itertools import count

from ..transport.errors import InvalidName
from ..transport.messages import Expect, Fault, Locate, Parked, Place, Quiesce, Refusal, Refused
from ..transport.phrases import limit
from .door import Session
from .foretell import meaning
from .incubator_records import Records
from .lockers import Lockers, Served
from .process import Effect
from .requests import Request, Requests
from .words import sentence


class Whereabouts:
    """Answers ``Locate``.

    Args:
        lockers: which of them serves what; here they are told to serve one more.
        records: are told who is parked.
    """

    def __init__(self, lockers: Lockers, records: Records) -> None:
        self._lockers = lockers
        self._records = records
        self._numbers = count(2)
        self.requests = Requests()
        self.wanted: dict[str, None] = {}  # in the order of their creation
        self.clients: dict[Session, int] = {}  # and their numbers
        self.hurried = False  # what is created from now on shall not outlive its last client

    def locate(self, session: Session, ask: Locate, now: float) -> list[Effect]:
        """Tell ``session`` where it is, at once or later."""
        if session in self.requests:
            return [(session, Fault("a second Locate before the first was answered; nothing was done"))]
        if session not in self.clients:
            self.clients[session] = next(self._numbers)
        try:
            key, _ = meaning(ask.resource)
        except InvalidName as error:
            return [(session, Refused(Refusal.INVALID, str(error)))]
        if key in self._lockers.dead:
            return [(session, Refused(Refusal.LOCKER_DIED, self._lockers.dead[key]))]
        served = self._lockers.table.get(key)
        if served is not None:
            served.named_at = now
            return [self._expect(served, session), (session, served.located(session))]
        request = self.requests.add(key, session, ask, now)
        if ask.create:
            self.wanted.setdefault(key)
        return self.serve(now) if key in self.wanted else self._park(request, now)

    def _expect(self, served: Served, session: Session) -> Effect:
        return served.child.number, Expect(session.who.session, self.clients[session])

    def _park(self, request: Request, now: float) -> list[Effect]:
        """Nobody creates the resource (any more); let who would not do it itself wait for somebody who does."""
        ask = request.ask
        if ask.timeout == 0:
            self.requests.withdraw(request.session)
            sentence = f"{ask.resource} does not exist, and you asked neither to create it nor to wait for it"
            return [(request.session, Refused(Refusal.NO_SUCH_RESOURCE, sentence))]
        if request.parked:
            return []
        request.parked = True
        self._records.parked(request, self.clients[request.session], now)
        return [(request.session, Parked())]

    def serve(self, now: float) -> list[Effect]:
        """Create what is wanted, as far as there are spare lockers."""
        effects: list[Effect] = []
        while self.wanted and self._lockers.pool:
            key = next(iter(self.wanted))
            del self.wanted[key]
            effects += self._create(key, now)
        return effects

    def _create(self, key: str, now: float) -> list[Effect]:
        """Let a locker serve ``key``, and tell everybody who waits for that."""
        coming = self.requests.take(key)
        served = self._lockers.assign(key, coming[0].ask, next(self._numbers), now)
        child, epoch = served.child.number, served.assign.epoch
        effects: list[Effect] = [(child, served.assign)]
        if self.hurried:
            effects.append((child, Quiesce()))
        effects += [self._expect(served, request.session) for request in coming]
        if any(request.parked for request in coming):
            effects += [(child, _place(request, epoch, now)) for request in coming]
        for request in coming:
            self._records.unparked(request, now)
        return effects + [(request.session, served.located(request.session)) for request in coming]

    def refuse_wanted(self, why: str, now: float, *, patient: bool) -> list[Effect]:
        """There will be no locker: whoever would create a resource is refused.

        Args:
            patient: also who would wait; else there may be one later.
        """
        effects: list[Effect] = []
        for key in list(self.wanted):
            sentence = f"no process can be started to serve {key}: {why}"
            for request in self.requests.queue(key):
                if request.ask.create and (patient or request.ask.timeout == 0):
                    effects.append((request.session, Refused(Refusal.EXHAUSTED, sentence)))
                    effects += self._withdraw(request.session, now)
        return effects

    def left(self, session: Session, now: float) -> list[Effect]:
        """``session`` is gone."""
        effects = self._withdraw(session, now)
        self.clients.pop(session, None)
        return effects

    def _withdraw(self, session: Session, now: float) -> list[Effect]:
        """Nobody waits for this answer any more. If it was the last who would create the resource, nobody does."""
        request = self.requests.withdraw(session)
        if request is None:
            return []
        self._records.unparked(request, now)
        if request.key not in self.wanted or self.requests.creator(request.key) is not None:
            return []
        del self.wanted[request.key]
        return [effect for other in self.requests.queue(request.key) for effect in self._park(other, now)]

    def close(self, sentence: str) -> list[Effect]:
        """Nothing is created any more: everybody is refused."""
        refused = Refused(Refusal.STOPPING, sentence)
        return [(session, refused) for session in self.requests.clear()]

    def wakes_at(self) -> float | None:
        """The next end of a wait."""
        return self.requests.wakes_at()

    def tick(self, now: float) -> list[Effect]:
        """Refuse those who have waited as long as they said."""
        effects: list[Effect] = []
        while (request := self.requests.due(now)) is not None:
            told = f"{request.ask.resource} was not created within {limit(request.ask.timeout)}"
            if self._lockers.trouble and request.key in self.wanted:
                told += f": no process can be started: {self._lockers.trouble}"
            effects.append((request.session, Refused(Refusal.TIMED_OUT, sentence(told))))
            effects += self._withdraw(request.session, now)
        return effects


def _place(request: Request, epoch: int, now: float) -> Place:
    ask = request.ask
    return Place(epoch, request.session.who.session, ask.resource, ask.mode, ask.quantity, request.left(now))
