"""Which locker serves which resource, in which epoch; which lockers are spare; which names died with theirs.

The rule: there are never two lockers for one name. A name is taken out *before* its locker is told ``Leave``, and one
whose locker died is never served again: safety before liveness. Epochs only grow, and begin above every token that was
ever given. Pure: no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ..transport.messages import Assign, Leave, Locate, Located, Refused, Retiring, Stay
from .door import Session
from .log import event
from .process import Effect
from .staff import Child

LATELY = 1.0  # seconds after it was named to somebody in which a locker does not retire
RESTARTS = 5  # spare lockers that may die …
RESTART_SPAN = 60.0  # … within so many seconds
AT_ONCE = 8  # that are being started at the same time: each takes descriptors before it serves anybody
PAUSES = (0.05, 2.0)  # seconds until it is tried again to start one, where none can be: at first, and at the longest
KEPT = 32  # spare lockers at most that are kept because so many are taken
PAUSE = 0.025  # seconds in which whoever got a spare locker is left alone with it, before a new one is started
FULL = 1.0  # seconds until another one is started after one that found no port


@dataclass(slots=True)
class Served:
    """A resource that exists."""

    child: Child
    assign: Assign
    created_at: float
    named_at: float  # to anybody who asked for it

    def located(self, session: Session) -> Located | Refused:
        """Where it is, for ``session``."""
        return self.child.located(session, self.assign.epoch)


class Lockers:
    """All lockers that are ready.

    Args:
        clock: unix microseconds; epochs, and so fencing tokens, start there.
        ports: the lowest and the highest of those that they, and the registry, listen on; None: any.
    """

    def __init__(self, clock: Callable[[], int], ports: tuple[int, int] | None = None) -> None:
        self._clock = clock
        self._ports = ports
        self._full_until = 0.0  # the last one that was started found no port
        self._last_epoch = 0
        self.table: dict[str, Served] = {}
        self.dead: dict[str, str] = {}  # resource -> why it is refused
        self.pool: deque[Child] = deque()  # those without a resource
        self.serves: dict[int, str] = {}  # child -> resource
        self._taken: deque[float] = deque([-inf] * KEPT, maxlen=KEPT)  # when spare ones were
        self.trouble = ""  # why the last one could not be started
        self._told = "", 0.0  # what the log was told of it, and when
        self._pause = 0.0  # after it …
        self._retry_at = 0.0  # … until then
        self._deaths: deque[float] = deque(maxlen=RESTARTS)  # of spare ones

    def assign(self, key: str, creator: Locate, number: int, now: float) -> Served:
        """Let a spare locker, and there must be one, serve ``key`` from now on.

        Args:
            number: by which people know the resource.
        """
        child = self.pool.popleft()
        self._taken.append(now)
        epoch = self._last_epoch = max(self._last_epoch + 1, self._clock())
        assign = Assign(key, epoch, creator.idle, creator.order, number, creator.resource)
        served = self.table[key] = Served(child, assign, now, now)
        self.serves[child.number] = key
        return served

    def retiring(self, child: Child, message: Retiring, now: float) -> list[Effect]:
        """A locker wants to be free: if it is not needed it is spare now."""
        key = self.serves[child.number]
        if self.table[key].named_at + LATELY > now:
            return [(child.number, Stay(message.epoch))]
        del self.table[key], self.serves[child.number]
        self._last_epoch = max(self._last_epoch, message.token)
        self.pool.append(child)
        return [(child.number, Leave(message.epoch))]

    def died(self, child: Child, now: float) -> Served | None:
        """A locker is gone.

        Returns:
            The resource that went with it: nobody can know who still works under its lock.
        """
        if child in self.pool:
            self.pool.remove(child)
        key = self.serves.pop(child.number, None)
        if key is None:
            if not child.ending:
                self._deaths.append(now)
                event("HFD021W", locker=child.number)
            return None
        event("HFD022E", resource=key)
        self.dead[key] = (
            f"the process that served {key} died, and whoever held it may still be at work; "
            "stop the daemon (holdfast stop) when nobody is, to have it served again"
        )
        return self.table.pop(key)

    def refills_at(self) -> float:
        """When spare ones may be started: a moment after one was taken, for its first lock needs the processor as
        well; at once where they are taken one after the other."""
        before, last = self._taken[-2], self._taken[-1]
        return last if before + PAUSE > last else last + PAUSE

    def surplus(self, wanted: int, now: float) -> list[Child]:
        """Take those out of the pool who are more than ``wanted``, and more than were taken lately: where resources
        come and go, who served one serves the next, and no process is started for it."""
        if len(self.pool) <= wanted:
            return []
        lately = sum(at + LATELY > now for at in self._taken)
        return [self.pool.pop() for _ in range(len(self.pool) - max(wanted, lately))]

    def surplus_at(self, wanted: int) -> float | None:
        """When one of the pool will be surplus, if nothing happens before."""
        spare = len(self.pool)
        return self._taken[-spare] + LATELY if wanted < spare <= KEPT else None

    def without_port(self, now: float) -> None:
        """One that was started found no port: others use them."""
        self._full_until = now + FULL

    def not_started(self, why: str, now: float) -> None:
        """One could not be started. That is no death: it is tried again, with longer and longer pauses."""
        told, at = self._told
        if why != told or now - at >= RESTART_SPAN:
            self._told = why, now
            event("HFD020E", error=why)
        if now >= self._retry_at:  # else it was ordered together with the last one
            first, longest = PAUSES
            self._pause = min(2 * self._pause, longest) if self.trouble else first
        self.trouble = why
        self._retry_at = now + self._pause

    def started(self) -> None:
        """One could be started."""
        self.trouble = ""

    def retries_at(self, now: float) -> float | None:
        """When another one may be tried, if that is not now."""
        return self._retry_at if self.trouble and self._retry_at > now else None

    def room(self, lockers: int, starting: int, now: float) -> float:
        """How many may be started, if there are so many ``lockers``, of which so many are ``starting``.

        Restarts are bounded: those that keep dying before they served anybody are not started for ever.
        """
        if self.trouble and (starting or now < self._retry_at):
            return 0
        at_once = 1 if self.trouble else max(0, AT_ONCE - starting)
        return min(at_once, self._room(lockers, now))

    def _room(self, lockers: int, now: float) -> float:
        if now < self._full_until or (len(self._deaths) == RESTARTS and now - self._deaths[0] < RESTART_SPAN):
            return 0
        return inf if self._ports is None else self._ports[1] - self._ports[0] - lockers  # one is the registry's

    def why_none(self, lockers: int, now: float) -> str:
        """Why there is no room."""
        if self._ports is not None and (now < self._full_until or self._ports[1] - self._ports[0] <= lockers):
            return f"no port is free in {self._ports[0]}-{self._ports[1]}"
        return self.trouble or "the daemon's log says why"
