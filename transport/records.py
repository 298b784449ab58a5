"""What an actor tells about what it keeps: the entries of the picture, as they travel in ``Changes``.

Frozen values without behaviour, as messages are, and of the same kinds of fields. Each has a *key*, by which a later
one replaces it and by which it is told to be gone. An ``age`` is in seconds at the moment of sending: instants never
travel. What can be worked out from others (a waiter's position, a resource's units in use) is not told.

The contract is ``docs/protocol.md``; a test compares its second table with this file.
"""

from __future__ import annotations

from hashlib import sha256

from .enums import Mode, Order, Standing
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Claim(Frozen):
    """A session that holds a resource, waits for it, or is parked until somebody creates it."""

    actor: int  # who tells: the child number of a locker, 0 for the incubator
    place: int  # number of the resource; 0 while parked
    number: int  # of the session, from the daemon's one counter; 0: not known
    session: str  # its public name, ``public_name``
    standing: Standing
    resource: str  # as it was asked for
    mode: Mode
    quantity: int
    age: float  # since it was granted; of who waits or is parked: since it asked
    waited: float  # holds: how long it had waited
    left: float  # waits or is parked: what is left of its wait
    token: int  # holds
    element: str  # holds: the share handed out, "" if none
    arrival: int  # place in the order of the line; only comparable within one resource
    blockers: tuple[str, ...]  # waits: the public names of the holders it waits for, as far as they were looked for
    inside: tuple[str, ...]  # the sessions it runs inside, outermost first
    peer: str  # FLoM's name of its connection: "localhost/", "192.0.2.7/48832"
    host: str  # "" with pid 0: its place is kept, it is on its way
    pid: int
    uid: int
    user: str
    command: str
    job: str
    reason: str
    key: str  # name of the admitted CURVE key it came with; "" if it came without


class Resource(Frozen):
    """A resource that exists, or one that is refused because its locker died."""

    actor: int
    number: int  # from the daemon's one counter
    name: str  # what its locker serves: the name, or the root of a hierarchy
    asked: str  # the name asked for by whoever created it
    age: float  # since it was created
    order: Order
    idle: float  # how long it outlives its last client
    epoch: int
    refused: str  # why it is refused; "" if it is served


class Tally(Frozen):
    """What happened at a resource in one mode since it was created; sums and histograms of what has ended.

    A histogram counts in powers of two of microseconds: entry 0 what took less than 1 µs, entry n less than 2^n µs.
    """

    actor: int
    place: int  # number of the resource; 0: all that this actor served and that have ended
    mode: Mode
    requests: int
    grants: int
    refused: int  # not granted, and not for time: busy, impossible, deadlock, daemon stopped
    timed_out: int
    withdrawn: int  # stopped waiting, or vanished while waiting
    released: int  # given back
    failed: int  # given back, rolled back
    vanished: int  # the holder's connection ended
    lost: int  # taken away
    wait_sum: float  # of the granted
    wait_max: float
    waits: tuple[int, ...]
    hold_sum: float
    hold_max: float
    holds: tuple[int, ...]


class Member(Frozen):
    """A process of the daemon."""

    number: int  # child number; 0: the incubator
    role: str  # incubator, locker, registry, discovery, files, metrics
    pid: int
    age: float
    restarts: int  # how often this role was started again


Record = Claim | Resource | Tally | Member


def key(record: Record) -> str:
    """By what a record is known: a later one with the same key replaces it."""
    match record:
        case Claim():
            return claim_key(record.actor, record.session)
        case Resource():
            return resource_key(record.actor, record.number)
        case Tally():
            return tally_key(record.actor, record.place, record.mode)
        case Member():
            return member_key(record.number)


def public_name(session: bytes) -> str:
    """By what a session is known to people: 16 hexadecimal digits that say nothing about its id."""
    return sha256(session).hexdigest()[:16]


def claim_key(actor: int, session: str) -> str:
    """The key of a ``Claim``."""
    return f"claim/{actor}/{session}"


def resource_key(actor: int, number: int) -> str:
    """The key of a ``Resource``."""
    return f"resource/{actor}/{number}"


def tally_key(actor: int, place: int, mode: Mode) -> str:
    """The key of a ``Tally``."""
    return f"tally/{actor}/{place}/{int(mode)}"


def member_key(number: int) -> str:
    """The key of a ``Member``."""
    return f"member/{number}"


def by_kind(
    records: Iterable[Record],
) -> tuple[tuple[Claim, ...], tuple[Resource, ...], tuple[Tally, ...], tuple[Member, ...]]:
    """``records`` as ``Changes`` carries them."""
    told = tuple(records)
    return (
        tuple(one for one in told if isinstance(one, Claim)),
        tuple(one for one in told if isinstance(one, Resource)),
        tuple(one for one in told if isinstance(one, Tally)),
        tuple(one for one in told if isinstance(one, Member)),
    )
