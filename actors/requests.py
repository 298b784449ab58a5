"""Who waits for the incubator's answer, for which resource, until when.

The rule: one request a session, and one queue a resource, in the order of arrival. The queue of a resource that nobody
wants to create is *parked*: its requests have been told so. When the resource gets its locker, the whole queue is
answered, its creator first. Pure: no socket and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from ..transport.messages import Locate
from .alarms import Alarms
from .door import Session


@dataclass(eq=False, slots=True)
class Request:
    """Somebody who wants to know where a resource is."""

    session: Session
    key: str  # the resource
    arrival: int  # its place in the order of all requests
    ask: Locate
    asked_at: float
    expires_at: float | None  # the end of its whole wait
    parked: bool = False  # it was told so

    def left(self, now: float) -> float:
        """Seconds that are left of the wait; 0 and for ever stay what they are."""
        return self.ask.timeout if self.expires_at is None else max(0.001, self.expires_at - now)


class Requests:
    """All requests that are not answered yet."""

    def __init__(self) -> None:
        self._arrivals = count(1)
        self._by_session: dict[Session, Request] = {}
        self._queues: dict[str, dict[Session, Request]] = {}  # resource -> its queue; never empty
        self._alarms: Alarms[Session] = Alarms()

    def __contains__(self, session: Session) -> bool:
        return session in self._by_session

    def __len__(self) -> int:
        return len(self._by_session)

    def add(self, key: str, session: Session, ask: Locate, now: float) -> Request:
        """Put ``session`` at the end of the queue for ``key``."""
        request = Request(session, key, next(self._arrivals), ask, now, now + ask.timeout if ask.timeout > 0 else None)
        self._by_session[session] = request
        self._queues.setdefault(key, {})[session] = request
        if request.expires_at is not None:
            self._alarms.set(session, request.expires_at)
        return request

    def withdraw(self, session: Session) -> Request | None:
        """Take out what ``session`` waits for, if it does."""
        request = self._by_session.pop(session, None)
        if request is not None:
            self._alarms.cancel(session)
            queue = self._queues[request.key]
            del queue[session]
            if not queue:
                del self._queues[request.key]
        return request

    def of(self, session: Session) -> Request | None:
        """What ``session`` waits for, if it does."""
        return self._by_session.get(session)

    def queue(self, key: str) -> list[Request]:
        """Who waits for ``key``, in the order of arrival."""
        return list(self._queues.get(key, {}).values())

    def creator(self, key: str) -> Request | None:
        """The first who would create ``key``."""
        return next((request for request in self._queues.get(key, {}).values() if request.ask.create), None)

    def take(self, key: str) -> list[Request]:
        """Take out everybody who waits for ``key``: its creator, then the others in the order of arrival."""
        creator, queue = self.creator(key), self.queue(key)
        for request in queue:
            self.withdraw(request.session)
        return sorted(queue, key=lambda request: request is not creator)

    @property
    def parked(self) -> int:
        """How many were told that nobody has created it yet."""
        return sum(request.parked for request in self._by_session.values())

    def clear(self) -> list[Session]:
        """Take out everybody."""
        waiting = list(self._by_session)
        for session in waiting:
            self.withdraw(session)
        return waiting

    def wakes_at(self) -> float | None:
        """The next end of a wait."""
        return self._alarms.wakes_at()

    def due(self, now: float) -> Request | None:
        """Somebody whose wait is over; it is to be withdrawn and told."""
        session = self._alarms.due(now)
        return None if session is None else self._by_session[session]
