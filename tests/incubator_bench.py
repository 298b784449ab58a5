"""An incubator without a process around it: what it is told, and what it says to whom."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOSPC
from typing import Any

from holdfast.actors.door import Session
from holdfast.actors.dumps import Facts
from holdfast.actors.incubator import Incubator
from holdfast.actors.process import Effect
from holdfast.actors.staff import LOCKER
from holdfast.transport.messages import (
    FOREVER,
    Assign,
    Ready,
    Refusal,
    Refused,
    Stop,
)
from holdfast.transport.wire import Message
from people import somebody
from raw import locate

PID = 77
UID = 1000
CLOCK = 5_000_000  # unix microseconds, standing still


class Files:
    """Dumps that are kept in memory, or for which there is no room."""

    def __init__(self) -> None:
        self.full = False
        self.written: list[tuple[list[Facts], str]] = []
        self.discarded: list[str] = []

    def write(self, actors: Sequence[Facts], picture: str) -> str:
        if self.full:
            raise OSError(ENOSPC, "No space left on device")
        self.written.append((list(actors), picture))
        return f"/run/dump-{len(self.written)}.json"

    def discard(self, picture: str) -> None:
        self.discarded.append(picture)


class Bench:
    """An incubator, and children that do nothing by themselves."""

    def __init__(
        self,
        *,
        lifespan: float = FOREVER,
        pool: int = 0,
        term_quiesces: bool = True,
        roles: Sequence[str] = (),
        insecure: bool = False,
        locker_ports: tuple[int, int] | None = None,
    ) -> None:
        self.clock = CLOCK
        self.files = Files()
        self.incubator = Incubator(
            lambda: self.clock,
            lifespan=lifespan,
            pool_size=pool,
            pid=PID,
            uid=UID,
            term_quiesces=term_quiesces,
            roles=roles,
            files=self.files,
            insecure=insecure,
            locker_ports=locker_ports,
        )
        self.now = 100.0
        self.opening = self.incubator.open(self.now)

    def locate(self, session: Session, resource: str = "printer", **more: Any) -> list[Effect]:
        return self.incubator.handle(session, locate(resource, **more), self.now)

    def say(self, session: Session, message: Message) -> list[Effect]:
        return self.incubator.handle(session, message, self.now)

    def stop(self, session: Session, *, now: bool = False) -> list[Effect]:
        return self.incubator.handle(session, Stop(now), self.now)

    def left(self, session: Session) -> list[Effect]:
        return self.incubator.left(session, self.now)

    def ready(self, number: int) -> list[Effect]:
        role = self.incubator._staff.children[number].role
        return self.said(number, Ready(f"{role}-{number}.sock", 4000 + number, 3999, 0))

    def said(self, number: int, message: Message) -> list[Effect]:
        return self.incubator.child_said(number, message, self.now)

    def died(self, number: int) -> list[Effect]:
        return self.incubator.child_died(number, self.now)

    def wait(self, seconds: float) -> list[Effect]:
        until, effects = self.now + seconds, list[Effect]()
        while (at := self.incubator.wakes_at()) is not None and at <= until:
            self.now = max(at, self.now)
            effects += self.incubator.tick(self.now)
            if self.incubator.wakes_at() == at:
                raise AssertionError(f"woken at {at} and again")
        self.now = until
        return effects

    def serve(self, resource: str = "printer", *, name: int = 90, **more: Any) -> int:
        """Have ``resource`` served; returns the child. Its creator has left again."""
        creator = somebody(name)
        effects = self.locate(creator, resource, **more)
        if creator in self.incubator._whereabouts.requests:
            children = self.incubator._staff.children.values()
            effects = self.ready(min(child.number for child in children if child.role == LOCKER and not child.pid))
        [number] = [to for to, message in effects if isinstance(message, Assign)]  # type: ignore[misc]
        self.left(creator)
        assert isinstance(number, int)
        return number


A, B, C = (somebody(name) for name in (1, 2, 3))


def refusals(effects: list[Effect]) -> list[tuple[object, Refusal]]:
    """Who was refused, and why."""
    return [
        (effect[0], effect[1].why) for effect in effects if isinstance(effect, tuple) and isinstance(effect[1], Refused)
    ]
