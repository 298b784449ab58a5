"""Every message that passes between two processes.

(The enums in their fields stand in ``enums.py``, what ``Changes`` carries in ``records.py``.)

The contract is ``docs/protocol.md``; a test compares its table with this file. A message is a frozen value without
behaviour: ``wire.py`` turns it into a frame and back, and what it means is decided elsewhere. Fields are
``str int float bool bytes``, those enums, and tuples of those.

Durations travel, instants never do (two machines, two clocks). A duration is in seconds; ``FOREVER`` (any negative
number) means without end.
"""

from __future__ import annotations

from .enums import Cause as Cause
from .enums import Mode as Mode
from .enums import Order as Order
from .enums import Refusal as Refusal
from .enums import Standing as Standing
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .records import Claim, Member, Resource, Tally

MAJOR = 1  # another major version is refused
MINOR = 3  # same major: unknown trailing fields are ignored
FOREVER = -1.0  # a duration without end
inf = float("inf")  # that of ``math``, which would be a library to load for each command

# --- anybody to anybody -----------------------------------------------------------------------------------------------


class Mismatch(Frozen):
    """Another major version than ours came in. Its number and shape never change, whatever the version."""

    major: int
    minor: int
    sentence: str


class Hello(Frozen):
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


class Welcome(Frozen):
    """Answer to ``Hello``: carry this nonce back, so that we know that you live."""

    nonce: bytes
    minor: int
    pid: int


class Echo(Frozen):
    """The nonce of ``Welcome``. The session begins; no answer."""

    nonce: bytes


class Fault(Frozen):
    """The client said something that the protocol does not allow here; nothing was done."""

    sentence: str


# --- client and incubator ---------------------------------------------------------------------------------------------


class Locate(Frozen):
    """Where is ``resource``? The whole request, because it may have to be parked."""

    resource: str
    mode: Mode
    quantity: int
    timeout: float  # the whole wait; 0 does not wait, FOREVER
    nest: bool
    create: bool
    idle: float  # how long the resource outlives its last client
    order: Order


class Located(Frozen):
    """``resource`` is served at ``address`` (a file name beside the incubator's, or a port) in this epoch."""

    address: str
    epoch: int


class Parked(Frozen):
    """Nobody has created the resource yet; wait."""


class Stop(Frozen):
    """End the daemon: when it is idle, or ``now``."""

    now: bool


class Stopping(Frozen):
    """It will. ``pid`` is the process to wait for."""

    pid: int


class Observe(Frozen):
    """Where is the registry?"""


class Dump(Frozen):
    """Write down everything that your processes know, for somebody who looks for a fault."""


class Dumped(Frozen):
    """It is written, to a file of this path on the daemon's machine."""

    path: str


# --- client and incubator or locker -----------------------------------------------------------------------------------


class Explain(Frozen):
    """Would this be granted now, and why not? Nothing is taken. From a session that waits: why does it wait?"""

    resource: str
    epoch: int  # 0 at the incubator
    mode: Mode
    quantity: int
    nest: bool


class Explained(Frozen):
    """``granted``: it would be (or is). Else ``position`` in the line, that it has or would have (0: none), and why."""

    granted: bool
    position: int
    sentence: str


# --- datagrams: who asks a multicast group for its daemon -------------------------------------------------------------


class Seek(Frozen):
    """Is a daemon of this group there? ``nonce`` comes back with the answer."""

    nonce: bytes
    padding: str  # so that no answer is ever more than twice as large as its question


class Here(Frozen):
    """The answer: a daemon is."""

    nonce: bytes  # that of the question
    daemon: bytes  # 16 random bytes that tell one daemon from another
    age: float  # seconds since it started
    port: int  # where it listens on TCP
    address: str  # where, if not where this answer came from; "" otherwise
    key: str  # its public CURVE key; "" if it has none


# --- who watches, and what is watched ---------------------------------------------------------------------------------


class Watch(Frozen):
    """Tell me what has changed after change number ``since`` (0: everything)."""

    since: int
    patience: float  # seconds that the answer may wait for something to tell; 0: answer now


class Changes(Frozen):
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


class Acquire(Frozen):
    """Give me ``resource``."""

    resource: str
    epoch: int
    mode: Mode
    quantity: int
    timeout: float  # what is left of the whole wait; 0 does not wait, FOREVER
    nest: bool


class Queued(Frozen):
    """You are in line, ``position`` 1 is next."""

    position: int


class Granted(Frozen):
    """It is yours. ``token`` fences; ``element`` is what a set, sequence or timestamp handed out ("" if nothing)."""

    token: int
    element: str
    waited: float


class Refused(Frozen):
    """It is not yours, and you are not in line."""

    why: Refusal
    sentence: str


class Release(Frozen):
    """I do not need it any more; ``rolled_back``: my work failed."""

    epoch: int
    rolled_back: bool


class Released(Frozen):
    """It is free again."""


class Conclude(Frozen):
    """My work has ended, I hold on: when my connection ends, that is a release; ``rolled_back``: my work failed."""

    epoch: int
    rolled_back: bool


class Concluded(Frozen):
    """It will be."""


class Gone(Frozen):
    """The resource does not live here (any more) in the epoch you named; nothing was done. Locate it again."""


class Lost(Frozen):
    """The lock you hold is no longer yours."""

    cause: Cause
    sentence: str


# --- incubator and its children ---------------------------------------------------------------------------------------


class Ready(Frozen):
    """A child is started: where it listens, and which process forked it (the fork server)."""

    address: str
    pid: int
    parent: int
    port: int  # where it listens on TCP too; 0: it does not


class Assign(Frozen):
    """From now on you are the locker of ``resource``."""

    resource: str
    epoch: int
    idle: float
    order: Order
    number: int  # from the daemon's one counter
    asked: str  # the name asked for by whoever creates it


class Place(Frozen):
    """A parked session's place in line, to be kept for it; they follow ``Assign`` in their order."""

    epoch: int
    session: bytes
    resource: str
    mode: Mode
    quantity: int
    timeout: float  # what is left of the whole wait


class Retiring(Frozen):
    """Nobody has needed me for my idle time; ``token`` is the last one I gave (0: none)."""

    epoch: int
    token: int


class Stay(Frozen):
    """Somebody is on the way to you: serve on."""

    epoch: int


class Leave(Frozen):
    """The name is no longer yours: answer what you kept with ``Gone``, and be free for the next resource."""

    epoch: int


class Quiesce(Frozen):
    """The daemon ends when idle: do not outlive your last client."""


class End(Frozen):
    """End now: waiters are refused, holders lose."""


class Ended(Frozen):
    """A child's last words."""

    reason: str


class Expect(Frozen):
    """A session is on its way to you; people know it by ``number``, from the daemon's one counter."""

    session: bytes
    number: int


class Serving(Frozen):
    """Child ``number`` listens at ``address`` now; "": it is gone."""

    number: int
    address: str


class Report(Frozen):
    """Say how you are, for a dump."""


class Reported(Frozen):
    """``facts`` is a JSON object."""

    facts: str
