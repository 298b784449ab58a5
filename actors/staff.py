"""Who works for the daemon: all children of the incubator, and the *staff*, which are those that serve no resource.

The rule: the staff (registry, files, metrics) holds no truth, so who dies is started again, but at most ``RESTARTS``
times in ``RESTART_SPAN`` seconds each, so one that keeps dying rests for a while; locking goes on untouched whatever
becomes of it, and it keeps no daemon alive.
A member of the staff that said ``Ended`` wanted to end and is not started again.

The registry is told where each locker listens, and a new registry all of them. Who asks where the registry is while it
is being started waits here, ``PATIENCE`` seconds at most. Pure: no socket and no clock.

Source: Erlang's supervisor (bounded restarts).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from ..transport.messages import Located, Ready, Refusal, Refused, Serving
from .door import Session
from .log import event
from .process import Effect, StartChild
from .words import STOPPED

LOCKER = "locker"
REGISTRY = "registry"
RESTARTS = 5  # of one role …
RESTART_SPAN = 60.0  # … within so many seconds
PATIENCE = 2.0  # seconds that a question for the registry waits for it


@dataclass(eq=False, slots=True)
class Child:
    """A process of ours."""

    number: int
    role: str
    started_at: float
    pid: int = 0  # 0: it is not ready
    address: str = ""  # where it listens
    ending: bool = False  # it said so, or was told to
    port: int = 0  # where it listens on TCP; 0: it does not

    def located(self, session: Session, epoch: int = 0) -> Located | Refused:
        """Where it is, for ``session``: beside the socket, or at the port, by which that came."""
        if session.origin.trusted:
            return Located(self.address, epoch)
        if not self.port:
            return Refused(Refusal.EXHAUSTED, f"the daemon's {self.role} has no port of its own: none was free")
        return Located(str(self.port), epoch)


class Staff:
    """All children, by number, in the order of their start.

    Args:
        roles: of the staff, in the order of their start.
    """

    def __init__(self, roles: Sequence[str]) -> None:
        self.children: dict[int, Child] = {}
        self.restarts: Counter[str] = Counter()  # role -> how often one was started again
        self.hires = True  # new ones can be started
        self._roles = tuple(roles)
        self._numbers = count(1)
        self._starting: Counter[str] = Counter()  # role -> how many are not ready yet
        self._registry: Child | None = None  # ready or not
        self._restarted: dict[str, deque[float]] = {role: deque(maxlen=RESTARTS) for role in roles}
        self._resting: dict[str, float] = {}  # roles of which one may be started again, and when
        self._observers: dict[Session, float] = {}  # who waits for the registry, and until when; the soonest first

    # --- children ---------------------------------------------------------------------------------------------------

    def start(self, role: str, now: float) -> list[Effect]:
        """Start one more child."""
        number = next(self._numbers)
        child = self.children[number] = Child(number, role, now)
        self._starting[role] += 1
        if role == REGISTRY:
            self._registry = child
        return [StartChild(number, role)]

    def open(self, now: float) -> list[Effect]:
        """Start the whole staff."""
        return [effect for role in self._roles for effect in self.start(role, now)]

    def ready(self, child: Child, message: Ready) -> list[Effect]:
        """``child`` is ready: whom it concerns is told."""
        child.pid, child.address, child.port = message.pid, message.address, message.port
        self._starting[child.role] -= 1
        if child.role == LOCKER:
            return self._tell_registry(Serving(child.number, child.address))
        if child.role != REGISTRY:
            return []
        effects: list[Effect] = [
            (child.number, Serving(other.number, other.address))
            for other in self.children.values()
            if other.role == LOCKER and other.pid
        ]
        effects += [(session, child.located(session)) for session in self._observers]
        self._observers.clear()
        return effects

    def died(self, child: Child, now: float) -> list[Effect]:
        """``child`` is gone, or could not be started. Whom it concerns is told; one of the staff is replaced."""
        del self.children[child.number]
        if not child.pid:
            self._starting[child.role] -= 1
        if child.role == LOCKER:
            return self._tell_registry(Serving(child.number, "")) if child.pid else []
        if child is self._registry:
            self._registry = None
        if child.ending or not self.hires:
            return self._refuse_observers("has ended") if child.role == REGISTRY else []
        return self._replace(child.role, now)

    def _replace(self, role: str, now: float) -> list[Effect]:
        restarted = self._restarted[role]
        if len(restarted) == RESTARTS and now - restarted[0] < RESTART_SPAN:
            event("HFD025E", role=role)
            self._resting[role] = restarted[0] + RESTART_SPAN
            return self._refuse_observers("keeps dying") if role == REGISTRY else []
        event("HFD024W", role=role)
        restarted.append(now)
        self.restarts[role] += 1
        return self.start(role, now)

    def starting(self, role: str) -> int:
        """How many are not ready yet."""
        return self._starting[role]

    def count(self, role: str) -> int:
        """How many there are, ready or not."""
        return sum(child.role == role for child in self.children.values())

    def by_end(self) -> list[int]:
        """In the order in which they are told to end: who came last goes first, and the registry after all others."""
        return sorted(reversed(self.children), key=lambda number: self.children[number].role == REGISTRY)

    # --- the registry -----------------------------------------------------------------------------------------------

    def _tell_registry(self, message: Serving) -> list[Effect]:
        registry = self._registry
        return [(registry.number, message)] if registry is not None and registry.pid else []

    def observe(self, session: Session, now: float) -> list[Effect]:
        """``session`` asks where the registry is."""
        registry = self._registry
        if registry is not None and registry.pid:
            return [(session, registry.located(session))]
        if registry is None:
            return [(session, _no_registry("keeps dying" if REGISTRY in self._resting else "cannot be started"))]
        self._observers.pop(session, None)
        self._observers[session] = now + PATIENCE
        return []

    def _refuse_observers(self, what: str) -> list[Effect]:
        refused = _no_registry(what)
        effects: list[Effect] = [(session, refused) for session in self._observers]
        self._observers.clear()
        return effects

    def left(self, session: Session) -> None:
        """``session`` is gone."""
        self._observers.pop(session, None)

    def close(self) -> list[Effect]:
        """Nobody is started any more, and the registry, which ends too, is neither waited for nor told anything."""
        self.hires = False
        self._registry = None
        effects: list[Effect] = [(session, Refused(Refusal.STOPPING, STOPPED)) for session in self._observers]
        self._observers.clear()
        return effects

    def wakes_at(self) -> float | None:
        """The next end of a wait for the registry, or of a rest."""
        return min([*list(self._observers.values())[:1], *self._resting.values()], default=None)

    def tick(self, now: float) -> list[Effect]:
        """Tell whoever has waited for the registry long enough; start who has rested."""
        rested = [role for role, until in self._resting.items() if until <= now]
        for role in rested:
            del self._resting[role]
        started = [effect for role in rested if self.hires for effect in self._replace(role, now)]
        late = [session for session, until in self._observers.items() if until <= now]
        for session in late:
            del self._observers[session]
        return started + [(session, _no_registry(f"has not become ready in {PATIENCE:g}s")) for session in late]


def _no_registry(what: str) -> Refused:
    sentence = (
        f"the daemon's registry {what}; locks are served as before, but cannot be shown: the daemon's log says why"
    )
    return Refused(Refusal.EXHAUSTED, sentence)
