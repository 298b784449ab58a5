"""Every message that passes between two processes.

(The enums in their fields stand in ``enums.py``, what ``Changes`` carries in ``records.py``.)

The contract is ``docs/protocol.md``; a test compares its table with this file. A message is a frozen value without
behaviour: ``wire.py`` turns it into a frame and back, and what it means is decided elsewhere. Fields are
``str int float bool bytes``, those enums, and tuples of those.

Durations travel, instants never do (two machines, two clocks). A duration is in seconds; ``FOREVER`` (any negative
number) means without end.
"""

from __future__ import annotations

from dataclasses import dataclass

from .enums import Cause as Cause
from .enums import Mode as Mode
from .enums import Order as Order
from .enums import Refusal as Refusal
from .enums import Standing as Standing
from .records import Claim, Member, Resource, Tally

MAJOR = 1  # another major version is refused
MINOR = 2  # same major: unknown trailing fields are ignored
FOREVER = -1.0  # a duration without end

# --- anybody to anybody -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Another major version than ours came in. Its number and shape never change, whatever the version."""

    major: int
    minor: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Hello:
    """Who asks; once per connection, first.

    ``session`` is a secret of 16 random bytes. ``inside`` lists the sessions that this one runs inside, outermost
    first.
    """

    minor: int
    session: bytes
    host: str
    boot_id: str
    pid: int
    pid_started: int  # clock ticks since boot (/proc/PID/stat, field 22)
    uid: int
    user: str
    command: str
    job: str
    reason: str
    inside: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to ``Hello``: carry this nonce back, so that we know that you live."""

    nonce: bytes
    minor: int
    pid: int


@dataclass(frozen=True, slots=True)
class Echo:
    """The nonce of ``Welcome``. The session begins; no answer."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The client said something that the protocol does not allow here; nothing was done."""

    sentence: str


# --- client and incubator ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Locate:
    """Where is ``resource``? The whole request, because it may have to be parked."""

    resource: str
    mode: Mode
    quantity: int
    timeout: float  # the whole wait; 0 does not wait, FOREVER
    nest: bool
    create: bool
    idle: float  # how long the resource outlives its last client
    order: Order


@dataclass(frozen=True, slots=True)
class Located:
    """``resource`` is served at ``address`` (a file name beside the incubator's, or a port) in this epoch."""

    address: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Parked:
    """Nobody has created the resource yet; wait."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the daemon: when it is idle, or ``now``."""

    now: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """It will. ``pid`` is the process to wait for."""

    pid: int


@dataclass(frozen=True, slots=True)
class Observe:
    """Where is the registry?"""


@dataclass(frozen=True, slots=True)
class Dump:
    """Write down everything that your processes know, for somebody who looks for a fault."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """It is written, to a file of this path on the daemon's machine."""

    path: str


# --- client and incubator or locker -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Explain:
    """Would this be granted now, and why not? Nothing is taken. From a session that waits: why does it wait?"""

    resource: str
    epoch: int  # 0 at the incubator
    mode: Mode
    quantity: int
    nest: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """``granted``: it would be (or is). Else ``position`` in the line, that it has or would have (0: none), and why."""

    granted: bool
    position: int
    sentence: str


# --- datagrams: who asks a multicast group for its daemon -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seek:
    """Is a daemon of this group there? ``nonce`` comes back with the answer."""

    nonce: bytes
    padding: str  # so that no answer is ever more than twice as large as its question


@dataclass(frozen=True, slots=True)
class Here:
    """The answer: a daemon is."""

    nonce: bytes  # that of the question
    daemon: bytes  # 16 random bytes that tell one daemon from another
    age: float  # seconds since it started
    port: int  # where it listens on TCP
    address: str  # where, if not where this answer came from; "" otherwise
    key: str  # its public CURVE key; "" if it has none


# --- who watches, and what is watched ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watch:
    """Tell me what has changed after change number ``since`` (0: everything)."""

    since: int
    patience: float  # seconds that the answer may wait for something to tell; 0: answer now


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, up to change ``number``. ``fresh``: forget what I told before, this begins from nothing."""

    number: int
    fresh: bool
    more: bool  # there is more already: ask again at once
    age: float  # since the oldest of these changes happened; 0 if there are none, or after ``fresh``
    claims: tuple[Claim, ...]
    resources: tuple[Resource, ...]
    tallies: tuple[Tally, ...]
    members: tuple[Member, ...]
    gone: tuple[str, ...]  # keys
    kept: float  # how long the Watch that this answers was kept


# --- client and locker ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acquire:
    """Give me ``resource``."""

    resource: str
    epoch: int
    mode: Mode
    quantity: int
    timeout: float  # what is left of the whole wait; 0 does not wait, FOREVER
    nest: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """You are in line, ``position`` 1 is next."""

    position: int


@dataclass(frozen=True, slots=True)
class Granted:
    """It is yours. ``token`` fences; ``element`` is what a set, sequence or timestamp handed out ("" if nothing)."""

    token: int
    element: str
    waited: float


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not yours, and you are not in line."""

    why: Refusal
    sentence: str


@dataclass(frozen=True, slots=True)
class Release:
    """I do not need it any more; ``rolled_back``: my work failed."""

    epoch: int
    rolled_back: bool


@dataclass(frozen=True, slots=True)
class Released:
    """It is free again."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The resource does not live here (any more) in the epoch you named; nothing was done. Locate it again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The lock you hold is no longer yours."""

    cause: Cause
    sentence: str


# --- incubator and its children ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """A child is started: where it listens, and which process forked it (the fork server)."""

    address: str
    pid: int
    parent: int
    port: int  # where it listens on TCP too; 0: it does not


@dataclass(frozen=True, slots=True)
class Assign:
    """From now on you are the locker of ``resource``."""

    resource: str
    epoch: int
    idle: float
    order: Order
    number: int  # from the daemon's one counter
    asked: str  # the name asked for by whoever creates it


@dataclass(frozen=True, slots=True)
class Place:
    """A parked session's place in line, to be kept for it; they follow ``Assign`` in their order."""

    epoch: int
    session: bytes
    resource: str
    mode: Mode
    quantity: int
    timeout: float  # what is left of the whole wait


@dataclass(frozen=True, slots=True)
class Retiring:
    """Nobody has needed me for my idle time; ``token`` is the last one I gave (0: none)."""

    epoch: int
    token: int


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody is on the way to you: serve on."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The name is no longer yours: answer what you kept with ``Gone``, and be free for the next resource."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Quiesce:
    """The daemon ends when idle: do not outlive your last client."""


@dataclass(frozen=True, slots=True)
class End:
    """End now: waiters are refused, holders lose."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A child's last words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expect:
    """A session is on its way to you; people know it by ``number``, from the daemon's one counter."""

    session: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Serving:
    """Child ``number`` listens at ``address`` now; "": it is gone."""

    number: int
    address: str


@dataclass(frozen=True, slots=True)
class Report:
    """Say how you are, for a dump."""


@dataclass(frozen=True, slots=True)
class Reported:
    """``facts`` is a JSON object."""

    facts: str
