"""What the incubator tells of itself to those who watch it: the daemon's processes, who is parked, and which names are
refused because their locker died.

What has a locker is told by that locker. Pure: no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from ..transport.messages import Standing, Watch
from ..transport.records import Member, Record, Resource, claim_key, member_key, resource_key
from .door import Session
from .lockers import Served
from .process import Effect
from .requests import Request
from .staff import Child
from .told import claim_of, public_name
from .watched import Watched

BEACON = 0.01  # seconds between two answers to one watcher, at least
OURSELVES = 0  # stands for the incubator where others have a child number


class Records:
    """The incubator's log of changes."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[float], Record]] = {}  # key -> the record as it is at an instant
        self._watched = Watched(self._record, BEACON)

    def _record(self, key: str, now: float) -> Record | None:
        maker = self._makers.get(key)
        return None if maker is None else maker(now)

    def _tell(self, key: str, maker: Callable[[float], Record], now: float) -> None:
        self._makers[key] = maker
        self._watched.touch(key, now)

    def _forget(self, key: str, now: float) -> None:
        if self._makers.pop(key, None) is not None:
            self._watched.drop(key, now)

    # --- what is told -----------------------------------------------------------------------------------------------

    def incubator(self, pid: int, now: float) -> None:
        """The incubator itself begins."""
        self.member(Child(OURSELVES, "incubator", now, pid), 0, now)

    def member(self, child: Child, restarts: int, now: float) -> None:
        """A process is ready."""
        self._tell(
            member_key(child.number),
            lambda now: Member(child.number, child.role, child.pid, now - child.started_at, restarts),
            now,
        )

    def member_left(self, number: int, now: float) -> None:
        """A process is gone, or could not be started."""
        self._forget(member_key(number), now)

    def parked(self, request: Request, number: int, now: float) -> None:
        """Somebody waits for somebody to create a resource.

        Args:
            number: by which people know the session.
        """
        name = public_name(request.session.who.session)
        self._tell(
            claim_key(OURSELVES, name),
            lambda now: claim_of(
                request.session.who,
                request.ask,
                actor=OURSELVES,
                place=0,
                number=number,
                session=name,
                standing=Standing.PARKED,
                age=now - request.asked_at,
                left=request.left(now),
                arrival=request.arrival,
                origin=request.session.origin,
            ),
            now,
        )

    def unparked(self, request: Request, now: float) -> None:
        """It waits here no longer, if it did."""
        if request.parked:
            self._forget(claim_key(OURSELVES, public_name(request.session.who.session)), now)

    def dead(self, served: Served, sentence: str, now: float) -> None:
        """A resource's locker died with it.

        Args:
            sentence: why it is refused.
        """
        assign = served.assign
        self._tell(
            resource_key(OURSELVES, assign.number),
            lambda now: Resource(
                actor=OURSELVES,
                number=assign.number,
                name=assign.resource,
                asked=assign.asked,
                age=now - served.created_at,
                order=assign.order,
                idle=assign.idle,
                epoch=assign.epoch,
                refused=sentence,
            ),
            now,
        )

    # --- to whom ----------------------------------------------------------------------------------------------------

    def watch(self, session: Session, message: Watch, now: float) -> list[Effect]:
        """``session`` wants to know what has changed."""
        return [*self._watched.watch(session, message, now)]

    def left(self, session: Session) -> None:
        """``session`` is gone."""
        self._watched.left(session)

    def wakes_at(self) -> float | None:
        """When somebody is to be told."""
        return self._watched.wakes_at()

    def tick(self, now: float) -> list[Effect]:
        """Tell those whose time has come."""
        return [*self._watched.answers(now)]

    @property
    def watchers(self) -> int:
        """How many watch."""
        return self._watched.watchers
