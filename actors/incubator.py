"""Where is NAME? The daemon's main actor: it starts, names, watches and ends the lockers, and keeps who waits for a
name.

It decides; ``process.py`` carries out. What it knows:

* ``table``: resource -> the locker that serves it, in which epoch. There are never two lockers for one name: a name
  is taken out *before* its locker is told ``Leave``.
* ``pool``: started lockers without a resource, so that a new resource costs a message and not a process start.
* ``wanted``: names that wait for a started locker.
* ``requests``: who waits for such a name, and who is *parked*: asked with create=no for a name that nobody has created
  yet. When it is created all go to its locker in their order.
* ``dead``: names whose locker died with them. Until recovery exists they are refused: safety before liveness. The
  daemon does not end for idleness while there are any, for the next one would know nothing of them.

The daemon's life is one state at a time: RUNNING, then perhaps QUIESCING (serve on, end when idle), then ENDING
(nobody new, children end in the reverse order of their start, 5 s, then SIGKILL).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from signal import SIGTERM

from ..transport.errors import InvalidName
from ..transport.messages import (
    Assign,
    End,
    Ended,
    Fault,
    Gone,
    Leave,
    Locate,
    Located,
    Parked,
    Place,
    Quiesce,
    Ready,
    Refusal,
    Refused,
    Retiring,
    Stay,
    Stop,
    Stopping,
)
from ..transport.names import parse
from ..transport.wire import Message
from .door import Session
from .log import event
from .process import UNEXPECTED, Effect, Finish, KillChild, StartChild, Unlisten
from .requests import Request, Requests
from .rules.kinds import resource_from_name
from .words import STOPPED, wait_in_words

LATELY = 1.0  # seconds after it was named to somebody in which a locker does not retire
WELCOME = 2.0  # seconds that a new daemon waits for its first client, at least
QUIESCE = 0.1  # seconds of lifespan once the daemon ends when idle
STOP_LIMIT = 5.0  # seconds for children to end before they are killed
RESTARTS = 5  # spare lockers that may die …
RESTART_SPAN = 60.0  # … within so many seconds


class Life(Enum):
    """See the opening of this file."""

    RUNNING = "running"
    QUIESCING = "quiescing"
    ENDING = "ending"


@dataclass(slots=True)
class _Entry:
    """A resource that exists."""

    child: int
    epoch: int
    named_at: float


class Incubator:
    """The specific part of the daemon's main process.

    Args:
        clock: unix microseconds; epochs, and so fencing tokens, start there.
        lifespan: seconds without clients and resources after which the daemon ends; negative: never.
        pool_size: started lockers to keep at hand.
        pid: of this process.
        uid: who may stop the daemon, besides root.
        term_quiesces: SIGTERM means "end when idle", the second one "now"; else it means "now" at once.
    """

    def __init__(
        self, clock: Callable[[], int], *, lifespan: float, pool_size: int, pid: int, uid: int, term_quiesces: bool
    ) -> None:
        self._clock = clock
        self._lifespan = lifespan
        self._pool_size = pool_size
        self._pid = pid
        self._uid = uid
        self._term_quiesces = term_quiesces
        self._life = Life.RUNNING
        self._table: dict[str, _Entry] = {}
        self._dead: dict[str, str] = {}  # resource -> why it is refused
        self._requests = Requests()  # everybody who waits for an answer of ours
        self._clients: set[Session] = set()
        self._numbers = count(1)  # of children
        self._addresses: dict[int, str] = {}  # of the children that live, in the order of their start
        self._starting: set[int] = set()  # children that are not ready yet
        self._serves: dict[int, str] = {}  # child -> resource
        self._pool: deque[int] = deque()
        self._wanted: dict[str, None] = {}  # resources that wait for a free locker, in the order of their creation
        self._told_to_end: set[int] = set()
        self._deaths: deque[float] = deque(maxlen=RESTARTS)  # of spare lockers
        self._can_start = True
        self._told_to_stop = False  # by a person, who so takes the names in ``_dead`` upon himself
        self._last_epoch = 0
        self._idle_at: float | None = None
        self._kill_at: float | None = None

    def open(self, now: float) -> list[Effect]:
        """The daemon begins: fill the pool, start the clock; whoever started it needs a moment to come."""
        if self._lifespan >= 0:
            self._idle_at = now + max(self._lifespan, WELCOME)
        return self._settle([], now)

    # --- what clients say ------------------------------------------------------------------------------------------

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """Serve one message of a client."""
        match message:
            case Locate():
                return self._settle(self._locate(session, message, now), now)
            case Stop():
                return self._stop(session, message, now)
            case _:
                return [(session, UNEXPECTED)]

    def _locate(self, session: Session, ask: Locate, now: float) -> list[Effect]:
        if self._life is Life.ENDING:
            return [(session, Gone())]
        if session in self._requests:
            return [(session, Fault("a second Locate before the first was answered; nothing was done"))]
        self._clients.add(session)
        try:
            name = parse(ask.resource)
            resource_from_name(name, wall=lambda now: now)  # some names parse and still make no resource
        except InvalidName as error:
            return [(session, Refused(Refusal.INVALID, str(error)))]
        key = name.locker
        if key in self._dead:
            return [(session, Refused(Refusal.LOCKER_DIED, self._dead[key]))]
        entry = self._table.get(key)
        if entry is not None:
            entry.named_at = now
            return [(session, Located(self._addresses[entry.child], entry.epoch))]
        request = self._requests.add(key, session, ask, now)
        if ask.create:
            self._wanted.setdefault(key)
        return self._serve_wanted(now) if key in self._wanted else self._park(request)

    def _park(self, request: Request) -> list[Effect]:
        """Nobody creates the resource (any more); let who would not do it itself wait for somebody who does."""
        ask = request.ask
        if ask.timeout == 0:
            self._requests.withdraw(request.session)
            sentence = f"{ask.resource} does not exist, and you asked neither to create it nor to wait for it"
            return [(request.session, Refused(Refusal.NO_SUCH_RESOURCE, sentence))]
        if request.parked:
            return []
        request.parked = True
        return [(request.session, Parked())]

    def _stop(self, session: Session, message: Stop, now: float) -> list[Effect]:
        if session.who.uid not in (0, self._uid):
            return [(session, Fault("only the user whom this daemon belongs to, or root, may stop it"))]
        self._clients.discard(session)
        stopping: list[Effect] = [(session, Stopping(self._pid))]
        return stopping + (self._end_at_once(now) if message.now else self._stop_when_idle(now))

    def left(self, session: Session, now: float) -> list[Effect]:
        """A client is gone."""
        self._clients.discard(session)
        return self._settle(self._withdraw(session), now)

    def _withdraw(self, session: Session) -> list[Effect]:
        """Nobody waits for this answer any more. If it was the last who would create the resource, nobody does."""
        request = self._requests.withdraw(session)
        if request is None or request.key not in self._wanted or self._requests.creator(request.key) is not None:
            return []
        del self._wanted[request.key]
        return [effect for other in self._requests.queue(request.key) for effect in self._park(other)]

    # --- resources and lockers -------------------------------------------------------------------------------------

    def _serve_wanted(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while self._wanted and self._pool:
            key = next(iter(self._wanted))
            del self._wanted[key]
            effects += self._assign(key, self._pool.popleft(), now)
        return effects

    def _assign(self, key: str, child: int, now: float) -> list[Effect]:
        epoch = self._last_epoch = max(self._last_epoch + 1, self._clock())
        self._table[key] = _Entry(child, epoch, now)
        self._serves[child] = key
        coming = self._requests.take(key)
        creator = coming[0].ask
        effects: list[Effect] = [(child, Assign(key, epoch, creator.idle, creator.order, 0, creator.resource))]
        if self._life is Life.QUIESCING:
            effects.append((child, Quiesce()))
        if any(request.parked for request in coming):
            effects += [(child, _place(request, epoch, now)) for request in coming]
        return effects + [(request.session, Located(self._addresses[child], epoch)) for request in coming]

    def _settle(self, effects: list[Effect], now: float) -> list[Effect]:
        """What every event ends with: start the lockers that are needed, refuse what cannot be served, look at the
        clock."""
        if self._life is Life.ENDING:
            return effects
        spare = self._pool_size if self._life is Life.RUNNING else 0
        missing = spare + len(self._wanted) - len(self._pool) - len(self._starting)
        if self._may_start(now):
            for _ in range(missing):
                number = next(self._numbers)
                self._addresses[number] = ""
                self._starting.add(number)
                effects.append(StartChild(number, "locker"))
        elif self._wanted and not self._starting:
            effects += self._refuse_wanted()
        busy = self._table or self._clients or (self._dead and not self._told_to_stop)
        if busy or self._lifespan < 0:
            self._idle_at = None
        elif self._idle_at is None:
            self._idle_at = now + self._lifespan
        return effects

    def _may_start(self, now: float) -> bool:
        """Restarts are bounded: lockers that keep dying before they served anybody are not started for ever."""
        too_often = len(self._deaths) == RESTARTS and now - self._deaths[0] < RESTART_SPAN
        return self._can_start and not too_often

    def _refuse_wanted(self) -> list[Effect]:
        effects: list[Effect] = []
        for key in list(self._wanted):
            sentence = f"no process can be started to serve {key}; the daemon's log says why"
            for request in self._requests.queue(key):
                if request.ask.create:
                    effects.append((request.session, Refused(Refusal.EXHAUSTED, sentence)))
                    effects += self._withdraw(request.session)
        return effects

    # --- what children say -----------------------------------------------------------------------------------------

    def child_said(self, number: int, message: Message, now: float) -> list[Effect]:
        """A locker is ready, wants to retire, or says its last word."""
        match message:
            case Ready():
                self._addresses[number] = message.address
                self._starting.discard(number)
                if self._life is Life.ENDING:
                    return [(number, End())]
                self._pool.append(number)
                return self._settle(self._serve_wanted(now), now)
            case Retiring():
                return self._retiring(number, message, now)
            case Ended():
                self._told_to_end.add(number)
                return []
            case _:
                raise ValueError(f"a locker said {message}")

    def _retiring(self, number: int, message: Retiring, now: float) -> list[Effect]:
        if self._life is Life.ENDING:
            return []
        key = self._serves[number]
        if self._table[key].named_at + LATELY > now:
            return [(number, Stay(message.epoch))]
        del self._table[key], self._serves[number]
        self._last_epoch = max(self._last_epoch, message.token)
        effects: list[Effect] = [(number, Leave(message.epoch))]
        if len(self._pool) < self._pool_size or self._wanted:
            self._pool.append(number)
        else:
            self._told_to_end.add(number)
            effects.append((number, End()))
        return self._settle(effects + self._serve_wanted(now), now)

    def child_died(self, number: int, now: float) -> list[Effect]:
        """A locker is gone, with its resource or without, or could not be started."""
        self._addresses.pop(number, None)
        self._starting.discard(number)
        if number in self._pool:
            self._pool.remove(number)
        key = self._serves.pop(number, None)
        expected = number in self._told_to_end
        self._told_to_end.discard(number)
        if self._life is Life.ENDING:
            return [] if self._addresses else self._finish()
        if key is not None:
            self._bury(key)
        elif not expected:
            self._deaths.append(now)
            event("HFD021W", locker=number)
        return self._settle([], now)

    def _bury(self, key: str) -> None:
        """A locker died with its resource: nobody can know who still works under its lock."""
        event("HFD022E", resource=key)
        del self._table[key]
        self._dead[key] = (
            f"the process that served {key} died, and whoever held it may still be at work; "
            "stop the daemon (holdfast stop) when nobody is, to have it served again"
        )

    def fork_server_died(self, now: float) -> list[Effect]:
        """Nothing new can start any more: end when idle."""
        if self._life is Life.ENDING:
            return []
        event("HFD005W")
        self._can_start = False
        return self._quiesce(now)

    # --- time, and the end -----------------------------------------------------------------------------------------

    def wakes_at(self) -> float | None:
        """The end of somebody's wait, of our idle time, or of our patience with children."""
        instants = [self._idle_at, self._kill_at, self._requests.wakes_at()]
        return min((at for at in instants if at is not None), default=None)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        while (request := self._requests.due(now)) is not None:
            sentence = f"{request.ask.resource} was not created within {wait_in_words(request.ask.timeout)}"
            effects.append((request.session, Refused(Refusal.TIMED_OUT, sentence)))
            effects += self._withdraw(request.session)
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
            event("HFD023W", lockers=" ".join(map(str, self._addresses)))
            effects += [KillChild(number) for number in self._addresses]
        if self._idle_at is not None and self._idle_at <= now:
            return effects + self._end(now)
        return self._settle(effects, now)

    def signalled(self, number: int, now: float) -> list[Effect]:
        """TERM: end when idle, or now; anything else that we listen to: now."""
        if number == SIGTERM and self._term_quiesces and not self._told_to_stop:
            return self._stop_when_idle(now)
        return self._end_at_once(now)

    def _stop_when_idle(self, now: float) -> list[Effect]:
        self._told_to_stop = True
        return self._settle(self._quiesce(now), now)

    def _quiesce(self, now: float) -> list[Effect]:
        if self._life is not Life.RUNNING:
            return []
        event("HFD003I")
        self._life = Life.QUIESCING
        self._lifespan = QUIESCE
        self._idle_at = None
        return self._settle([(child, Quiesce()) for child in self._serves], now)

    def _end_at_once(self, now: float) -> list[Effect]:
        event("HFD004I")
        return self._end(now)

    def _end(self, now: float) -> list[Effect]:
        if self._life is Life.ENDING:
            return []
        self._life = Life.ENDING
        self._idle_at = None
        self._kill_at = now + STOP_LIMIT
        effects: list[Effect] = [Unlisten()]
        effects += [(session, Refused(Refusal.STOPPING, STOPPED)) for session in self._requests.clear()]
        effects += [(child, End()) for child in reversed(self._addresses)]
        return effects if self._addresses else effects + self._finish()

    def _finish(self) -> list[Effect]:
        event("HFD002I")
        return [Finish("the daemon ends")]

    def failed(self) -> list[Effect]:
        """We raised: whoever waits for us is refused. Lockers see us go, and keep what is held."""
        refused = Refused(Refusal.STOPPING, "the daemon failed; please report it")
        return [(session, refused) for session in self._requests.clear()]


def _place(request: Request, epoch: int, now: float) -> Place:
    ask = request.ask
    return Place(epoch, request.session.who.session, ask.resource, ask.mode, ask.quantity, request.left(now))
