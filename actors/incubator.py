"""The daemon's main actor: it starts, names, watches and ends all others, and is the only one with a public address.

It decides; ``process.py`` carries out. What it knows stands in places, each with a rule of its own:

* ``staff``: all its children, and that the registry and others are kept at work (``staff.py``);
* ``lockers``: which of them serves which resource, and that there are never two for one name (``lockers.py``). Some
  are kept spare, so that a new resource costs a message and not a process start. A name whose locker died with it is
  refused, and the daemon does not end for idleness while there is one, for the next one would know nothing of it;
* ``whereabouts``: who asks where a resource is, and who waits for one (``whereabouts.py``);
* ``records``, ``dumps`` and ``stacks``: what is told to those who only look, and who keep no daemon alive.

The daemon's life is one state at a time: RUNNING, then perhaps QUIESCING (serve on, end when idle), then ENDING
(nobody new, children end in the reverse order of their start, 5 s, then SIGKILL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from signal import SIGTERM, SIGUSR1, SIGUSR2

from ..transport.messages import (
    Dump,
    End,
    Ended,
    Explain,
    Fault,
    Gone,
    Locate,
    Observe,
    Quiesce,
    Ready,
    Refusal,
    Refused,
    Reported,
    Retiring,
    Stop,
    Stopping,
    Watch,
)
from ..transport.wire import Message
from .door import Session
from .dumps import Dumps, Facts, Files
from .foretell import explain
from .incubator_records import OURSELVES, Records
from .lockers import Lockers
from .log import event
from .process import UNEXPECTED, Effect, Finish, KillChild, Unlisten
from .roles import NotStarted
from .stacks import Stacks
from .staff import LOCKER, Child, Staff
from .whereabouts import Whereabouts
from .words import STOPPED

WELCOME = 5.0  # seconds that a new daemon waits for its first client, at least
QUIESCE = 0.1  # seconds of lifespan once the daemon ends when idle
STOP_LIMIT = 5.0  # seconds for children to end before they are killed


class Life(Enum):
    """See the opening of this file."""

    RUNNING = "running"
    QUIESCING = "quiescing"
    ENDING = "ending"


class Incubator:
    """The specific part of the daemon's main process.

    Args:
        clock: unix microseconds; epochs, and so fencing tokens, start there.
        lifespan: seconds without clients and resources after which the daemon ends; negative: never.
        pool_size: started lockers to keep at hand.
        pid: of this process.
        uid: who may stop the daemon, and look into it, besides root.
        term_quiesces: SIGTERM means "end when idle", the second one "now"; else it means "now" at once.
        roles: of the staff that is kept at work, in the order of its start.
        files: where dumps go.
        insecure: whoever can connect may do what only the owner and admins may.
        locker_ports: the lowest and the highest of those that lockers and the registry listen on; None: any.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        *,
        lifespan: float,
        pool_size: int,
        pid: int,
        uid: int,
        term_quiesces: bool,
        roles: Sequence[str],
        files: Files,
        insecure: bool = False,
        locker_ports: tuple[int, int] | None = None,
    ) -> None:
        self._lifespan = lifespan
        self._pool_size = pool_size
        self._pid = pid
        self._uid = uid
        self._term_quiesces = term_quiesces
        self._life = Life.RUNNING
        self._staff = Staff(roles)
        self._insecure = insecure
        self._lockers = Lockers(clock, locker_ports)
        self._records = Records()
        self._whereabouts = Whereabouts(self._lockers, self._records)
        self._dumps = Dumps(files)
        self._stacks = Stacks()
        self._told_to_stop = False  # by a person, who so takes the dead names upon himself
        self._idle_at: float | None = None
        self._refill_at: float | None = None
        self._retry_at: float | None = None
        self._surplus_at: float | None = None
        self._kill_at: float | None = None

    def open(self, now: float) -> list[Effect]:
        """The daemon begins: fill the pool, start staff and clock; whoever started it needs a moment to come."""
        if self._lifespan >= 0:
            self._idle_at = now + max(self._lifespan, WELCOME)
        self._records.incubator(self._pid, now)
        return self._settle([], now) + self._staff.open(now)

    # --- what clients say ------------------------------------------------------------------------------------------

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """Serve one message of a client."""
        match message:
            case Locate() if self._life is Life.ENDING:
                return [(session, Gone())]
            case Explain() | Observe() if self._life is Life.ENDING:
                return [(session, Refused(Refusal.STOPPING, STOPPED))]
            case Locate():
                return self._settle(self._whereabouts.locate(session, message, now), now)
            case Watch():
                return self._records.watch(session, message, now)
            case Explain():
                return [(session, explain(session, message, self._lockers, self._whereabouts.requests))]
            case Observe():
                return self._staff.observe(session, now)
            case Dump():
                return self._dump(session, now)
            case Stop():
                return self._stop(session, message, now)
            case _:
                return [(session, UNEXPECTED)]

    def _dump(self, session: Session, now: float) -> list[Effect]:
        if not self._belongs_to(session):
            return [(session, _not_for_all("look into it"))]
        return self._begin_dump(session, now)

    def _belongs_to(self, session: Session) -> bool:
        """Over TCP anybody can claim to be any user."""
        origin = session.origin
        return (origin.trusted and session.who.uid in (0, self._uid)) or origin.admin or self._insecure

    def _stop(self, session: Session, message: Stop, now: float) -> list[Effect]:
        if not self._belongs_to(session):
            return [(session, _not_for_all("stop it"))]
        self._whereabouts.clients.pop(session, None)
        stopping: list[Effect] = [(session, Stopping(self._pid))]
        return stopping + (self._end_at_once(now) if message.now else self._stop_when_idle(now))

    def left(self, session: Session, now: float) -> list[Effect]:
        """A client is gone."""
        for keeper in (self._records, self._staff, self._dumps):
            keeper.left(session)
        return self._settle(self._whereabouts.left(session, now), now)

    def _settle(self, effects: list[Effect], now: float) -> list[Effect]:
        """What every event ends with: start the lockers that are needed, refuse what cannot be served, look at the
        clock."""
        if self._life is Life.ENDING:
            return effects
        effects += self._start_lockers(now) + self._end_surplus(now)
        busy = self._lockers.table or self._whereabouts.clients or (self._lockers.dead and not self._told_to_stop)
        if busy or self._lifespan < 0:
            self._idle_at = None
        elif self._idle_at is None:
            self._idle_at = now + self._lifespan
        return effects

    def _start_lockers(self, now: float) -> list[Effect]:
        """Those that are needed, as far as they may be; who cannot be served is refused."""
        effects: list[Effect] = []
        wanted = self._whereabouts.wanted
        spare = len(self._lockers.pool) + self._staff.starting(LOCKER) - len(wanted)
        missing = (self._pool_size if self._life is Life.RUNNING else 0) - spare
        self._refill_at = self._lockers.refills_at() if missing > 0 else None
        if self._refill_at is not None and self._refill_at <= now:
            self._refill_at = None
        needed = missing if self._refill_at is None else -spare
        self._retry_at = self._lockers.retries_at(now) if needed > 0 and self._staff.hires else None
        if needed > 0 and self._staff.hires:
            room = self._lockers.room(self._staff.count(LOCKER), self._staff.starting(LOCKER), now)
            for _ in range(int(min(needed, room))):
                effects += self._staff.start(LOCKER, now)
        if wanted and not self._staff.starting(LOCKER):
            why = self._lockers.why_none(self._staff.count(LOCKER), now)
            effects += self._whereabouts.refuse_wanted(why, now, patient=self._retry_at is None)
        return effects

    def _end_surplus(self, now: float) -> list[Effect]:
        surplus = self._lockers.surplus(self._pool_size, now)
        self._surplus_at = self._lockers.surplus_at(self._pool_size)
        for child in surplus:
            child.ending = True
        return [(child.number, End()) for child in surplus]

    # --- what children say -----------------------------------------------------------------------------------------

    def child_said(self, number: int, message: Message, now: float) -> list[Effect]:
        """A child is ready, has something to report, or says its last word; a locker wants to retire."""
        child = self._staff.children[number]
        match message:
            case Ready():
                return self._ready(child, message, now)
            case Retiring():
                return self._retiring(child, message, now)
            case Reported():
                return self._dumps.reported(child, message.facts)
            case NotStarted():
                return self._not_started(child, message, now)
            case Ended():
                child.ending = True
                if child.role == LOCKER and not child.pid:
                    self._lockers.without_port(now)
                return []
            case _:
                raise ValueError(f"a child said {message}")

    def _ready(self, child: Child, message: Ready, now: float) -> list[Effect]:
        effects = self._staff.ready(child, message)
        self._records.member(child, self._staff.restarts[child.role], now)
        if self._life is Life.ENDING:
            return [*effects, (child.number, End())]
        if child.role == LOCKER:
            self._lockers.pool.append(child)
            self._lockers.started()
            effects += self._whereabouts.serve(now)
        return self._settle(effects, now)

    def _not_started(self, child: Child, message: NotStarted, now: float) -> list[Effect]:
        if child.role == LOCKER:
            child.ending = True
            self._lockers.not_started(message.reason, now)
        else:
            event("HFD020E", role=child.role, error=message.reason)
        return []

    def _retiring(self, child: Child, message: Retiring, now: float) -> list[Effect]:
        if self._life is Life.ENDING:
            return []
        effects = self._lockers.retiring(child, message, now) + self._whereabouts.serve(now)
        return self._settle(effects, now)

    def child_died(self, number: int, now: float) -> list[Effect]:
        """A child is gone, a locker with its resource or without, or could not be started."""
        child = self._staff.children[number]
        self._records.member_left(number, now)
        effects = self._dumps.died(number) + self._staff.died(child, now)
        if self._life is Life.ENDING:
            return effects if self._staff.children else effects + self._finish()
        if child.role == LOCKER:
            served = self._lockers.died(child, now)
            if served is not None:
                self._records.dead(served, self._lockers.dead[served.assign.resource], now)
        return self._settle(effects, now)

    def fork_server_died(self, now: float) -> list[Effect]:
        """Nothing new can start any more: end when idle."""
        if self._life is Life.ENDING:
            return []
        event("HFD005W")
        self._staff.hires = False
        return self._quiesce(now)

    # --- time, and the end -----------------------------------------------------------------------------------------

    def wakes_at(self) -> float | None:
        """The end of somebody's wait, of our idle time, or of our patience with children; a change of the pool."""
        own = (self._idle_at, self._kill_at, self._refill_at, self._retry_at, self._surplus_at)
        instants = [*own, *(keeper.wakes_at() for keeper in self._keepers())]
        return min((at for at in instants if at is not None), default=None)

    def _keepers(self) -> tuple[Whereabouts, Staff, Dumps, Stacks, Records]:
        """Those who want to be woken."""
        return self._whereabouts, self._staff, self._dumps, self._stacks, self._records

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects = [effect for keeper in self._keepers() for effect in keeper.tick(now)]
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
            event("HFD023W", children=" ".join(map(str, self._staff.children)))
            effects += [KillChild(number) for number in self._staff.children]
        if self._idle_at is not None and self._idle_at <= now:
            return effects + self._end(now)
        return self._settle(effects, now)

    def signalled(self, number: int, now: float) -> list[Effect]:
        """USR1: a dump; USR2: everybody's Python stack. TERM: end when idle, or now; anything else: now."""
        if number == SIGUSR1:
            return self._begin_dump(None, now)
        if number == SIGUSR2:
            self._stacks.ask(self._staff.children.values(), now)
            return []
        if number == SIGTERM and self._term_quiesces and not self._told_to_stop:
            return self._stop_when_idle(now)
        return self._end_at_once(now)

    def _begin_dump(self, asker: Session | None, now: float) -> list[Effect]:
        own: Facts = {"role": "incubator", "pid": self._pid, "number": OURSELVES, "statistics": self.statistics()}
        return self._dumps.begin(asker, own, list(self._staff.children.values()), now)

    def statistics(self) -> Facts:
        """How many there are of everything, for a dump."""
        requests = self._whereabouts.requests
        return {
            "life": self._life.value,
            "clients": len(self._whereabouts.clients),
            "watchers": self._records.watchers,
            "resources": len(self._lockers.table),
            "refused_resources": len(self._lockers.dead),
            "waiting_for_a_locker": len(requests) - requests.parked,
            "parked": requests.parked,
            "spare_lockers": len(self._lockers.pool),
            "starting_lockers": self._staff.starting(LOCKER),
            "restarts": dict(self._staff.restarts),
        }

    def _stop_when_idle(self, now: float) -> list[Effect]:
        self._told_to_stop = True
        return self._settle(self._quiesce(now), now)

    def _quiesce(self, now: float) -> list[Effect]:
        if self._life is not Life.RUNNING:
            return []
        event("HFD003I")
        self._life = Life.QUIESCING
        self._whereabouts.hurried = True
        self._lifespan = QUIESCE
        self._idle_at = None
        return self._settle([(child, Quiesce()) for child in self._lockers.serves], now)

    def _end_at_once(self, now: float) -> list[Effect]:
        event("HFD004I")
        return self._end(now)

    def _end(self, now: float) -> list[Effect]:
        if self._life is Life.ENDING:
            return []
        self._life = Life.ENDING
        self._idle_at = self._refill_at = self._retry_at = self._surplus_at = None
        self._kill_at = now + STOP_LIMIT
        effects: list[Effect] = [Unlisten()]
        effects += self._whereabouts.close(STOPPED) + self._staff.close()
        effects += [(child, End()) for child in self._staff.by_end()]
        return effects if self._staff.children else effects + self._finish()

    def _finish(self) -> list[Effect]:
        event("HFD002I")
        return [Finish("the daemon ends")]

    def failed(self) -> list[Effect]:
        """We raised: whoever waits for us is refused. Lockers see us go, and keep what is held."""
        return self._whereabouts.close("the daemon failed; please report it") + self._staff.close()


def _not_for_all(deed: str) -> Fault:
    return Fault(f"only the user whom this daemon belongs to, root, and who has an admin's key may {deed}")
