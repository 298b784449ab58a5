"""The picture of a daemon: what its actors told by ``Changes``, put together.

The rule: nobody sees half a picture. What begins afresh replaces the old picture only when all of it is there, and a
``Scene`` never changes, so another thread may read it while the next one is made. What can be worked out (positions,
units in use, the strongest mode held) is worked out here, once for everybody who shows it.

Pure: time comes in as an argument, in monotonic seconds of this machine. A record tells its age, which is turned into
an instant when it comes; an instant that was known before is kept, so that nothing seems to move when only its message
took longer.

Source: docs/protocol.md, "Watching".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import attrgetter

from .enums import Mode, Standing
from .frozen import altered
from .messages import Changes, Watch
from .names import Kind, parse
from .records import Claim, Member, Record, Resource, Tally, key

SAME = 1.0  # seconds by which the same instant may seem to differ
LATE = 1.0  # seconds that an answer is on its way at most, if the ages in it are to be believed


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A session that holds, waits or is parked."""

    claim: Claim
    since_at: float  # it was granted, or (waits, parked) it asked
    position: int  # in the line, 1 is next; 0: holds


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource with everybody in its line."""

    resource: Resource
    since_at: float  # it was created
    kind: Kind
    capacity: int  # units, elements or values that may be in use at once; 0: its modes decide
    in_use: int  # of these; without capacity: holders
    mode: Mode | None  # the strongest one held
    holders: tuple[ClaimView, ...]  # oldest grant first
    waiters: tuple[ClaimView, ...]  # in their order
    tallies: tuple[Tally, ...]  # in the order of their modes


@dataclass(frozen=True, slots=True)
class MemberView:
    """A process of the daemon."""

    member: Member
    since_at: float  # it was started


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole picture at one moment; it never changes."""

    number: int  # of the last change in it
    resources: tuple[ResourceView, ...]  # in the order of their numbers
    parked: tuple[ClaimView, ...]  # in the order of their numbers
    members: tuple[MemberView, ...]  # in the order of their numbers
    ended: tuple[Tally, ...]  # of resources that are no more, one a mode


@dataclass(frozen=True, slots=True)
class _Seen:
    """A record, and when what it tells began."""

    record: Record
    at: float


class Picture:
    """Keeps what was told, and makes scenes of it."""

    def __init__(self) -> None:
        self.number = 0  # of the last change; ask for what comes after it
        self.complete = False  # there was a whole picture once
        self.age = 0.0  # seconds by which the last changes were late when they were told
        self._seen: dict[str, _Seen] = {}
        self._parts: list[tuple[Changes, float]] = []  # told, and not all of it yet; with the instant at which it came
        self._scene: Scene | None = None

    def apply(self, changes: Changes, now: float) -> None:
        """Take in what was told at ``now``."""
        self.number = changes.number
        self.age = changes.age
        if changes.fresh:
            self._parts.clear()
        self._parts.append((changes, now))
        if not changes.more:
            parts, self._parts = self._parts, []
            known = self._seen
            if parts[0][0].fresh:
                self._seen = {}
            for part, at in parts:
                self._take(part, at, known)
            self._scene = None
            self.complete = True

    def _take(self, changes: Changes, now: float, known: Mapping[str, _Seen]) -> None:
        for told in (changes.claims, changes.resources, changes.tallies, changes.members):
            for record in told:
                name = key(record)
                self._seen[name] = _Seen(record, _began(known.get(name), record, now))
        for name in changes.gone:
            self._seen.pop(name, None)

    def scene(self) -> Scene:
        """Everything as it was when all of it had been told; the same object as long as nothing changes."""
        if self._scene is None:
            self._scene = _scene(self.number, self._seen.values())
        return self._scene


class Questions:
    """What a watcher asks next.

    An answer that lay unread somewhere (we were stopped, or its actor) tells ages of an unknown instant, so everything
    is asked for again; but once only, lest a machine that is always late be asked for nothing else.

    Args:
        patience: seconds that an answer may wait for something to tell.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._asked_at = 0.0
        self._late = False

    def ask(self, since: int, now: float) -> Watch:
        """For what changed after ``since``."""
        self._asked_at = now
        return Watch(since, self._patience)

    def after(self, answer: Changes, now: float) -> Watch:
        """For what comes next, ``answer`` having come now."""
        was_late, self._late = self._late, now - self._asked_at - answer.kept > LATE
        return self.ask(0 if self._late and not was_late else answer.number, now)


def _began(known: _Seen | None, record: Record, now: float) -> float:
    at = now if isinstance(record, Tally) else now - record.age
    if known is not None and abs(known.at - at) < SAME and _stage(known.record) == _stage(record):
        return known.at
    return at


def _stage(record: Record) -> object:
    """What an age counts from: as long as this stays the same, it is the same instant."""
    return (record.standing, record.token, record.arrival) if isinstance(record, Claim) else None


def _scene(number: int, seen: Collection[_Seen]) -> Scene:
    claims: dict[tuple[int, int], list[_Seen]] = {}  # (actor, place) -> who is there
    tallies: dict[tuple[int, int], list[Tally]] = {}
    ended: dict[Mode, list[Tally]] = {}
    resources: list[tuple[Resource, float]] = []
    members: list[MemberView] = []
    for one in seen:
        match one.record:
            case Claim() as claim:
                claims.setdefault((claim.actor, claim.place), []).append(one)
            case Tally(place=0) as tally:
                ended.setdefault(tally.mode, []).append(tally)
            case Tally() as tally:
                tallies.setdefault((tally.actor, tally.place), []).append(tally)
            case Resource() as resource:
                resources.append((resource, one.at))
            case Member() as member:
                members.append(MemberView(member, one.at))
    here = {one.record.session for one in seen if isinstance(one.record, Claim) and one.record.place}
    parked = [one for one in claims.get((0, 0), []) if isinstance(one.record, Claim) and one.record.session not in here]
    resources.sort(key=lambda known: known[0].number)
    places = [(resource.actor, resource.number) for resource, _ in resources]
    return Scene(
        number,
        tuple(
            _resource(resource, at, claims.get(place, []), tallies.get(place, []))
            for (resource, at), place in zip(resources, places, strict=True)
        ),
        _views(parked, Standing.PARKED, attrgetter("number")),
        tuple(sorted(members, key=lambda view: view.member.number)),
        tuple(total(ended[mode]) for mode in sorted(ended)),
    )


def _resource(resource: Resource, at: float, claims: list[_Seen], tallies: list[Tally]) -> ResourceView:
    name = parse(resource.name)
    holders = _views(claims, Standing.HOLDS, attrgetter("token"))
    counted = name.kind is Kind.NUMERIC
    return ResourceView(
        resource,
        at,
        name.kind,
        capacity=len(name.elements) if name.kind is Kind.SET else name.capacity,
        in_use=sum(view.claim.quantity for view in holders) if counted else len(holders),
        mode=max((view.claim.mode for view in holders), default=None),
        holders=holders,
        waiters=_views(claims, Standing.WAITS, attrgetter("arrival")),
        tallies=tuple(sorted(tallies, key=attrgetter("mode"))),
    )


def _views(claims: list[_Seen], standing: Standing, order: attrgetter[int]) -> tuple[ClaimView, ...]:
    """Those of ``claims`` that stand so, in their order."""
    chosen = [(one.record, one.at) for one in claims if isinstance(one.record, Claim)]
    chosen = sorted((pair for pair in chosen if pair[0].standing is standing), key=lambda pair: order(pair[0]))
    first = 0 if standing is Standing.HOLDS else 1
    return tuple(ClaimView(claim, at, place * first) for place, (claim, at) in enumerate(chosen, 1))


# --- counters ---------------------------------------------------------------------------------------------------------

SUMS = (  # the figures of a tally that are added up
    *("requests", "grants", "refused", "timed_out", "withdrawn", "released", "failed", "vanished", "lost"),
    *("wait_sum", "hold_sum"),
)


def total(tallies: list[Tally]) -> Tally:
    """Several tallies as one; its place is that of the first.

    Raises:
        IndexError: there are none (our own bug).
    """
    first = tallies[0]
    if len(tallies) == 1:
        return first
    sums = {name: sum(getattr(tally, name) for tally in tallies) for name in SUMS}
    return altered(
        first,
        **sums,
        wait_max=max(tally.wait_max for tally in tallies),
        hold_max=max(tally.hold_max for tally in tallies),
        waits=_added([tally.waits for tally in tallies]),
        holds=_added([tally.holds for tally in tallies]),
    )


def with_ongoing(view: ResourceView, now: float) -> tuple[Tally, ...]:
    """The tallies of a resource, in which who waits and who holds counts by its age so far.

    A lock that nobody gets shows up as the worst so, and not as nothing.
    """
    told = []
    for tally in view.tallies:
        waits = [now - one.since_at for one in view.waiters if one.claim.mode is tally.mode]
        holds = [now - one.since_at for one in view.holders if one.claim.mode is tally.mode]
        told.append(
            altered(
                tally,
                wait_sum=tally.wait_sum + sum(waits),
                wait_max=max([tally.wait_max, *waits]),
                waits=_added([tally.waits, *map(_lone, waits)]),
                hold_sum=tally.hold_sum + sum(holds),
                hold_max=max([tally.hold_max, *holds]),
                holds=_added([tally.holds, *map(_lone, holds)]),
            )
        )
    return tuple(told)


def bucket(seconds: float) -> int:
    """The entry of a histogram in which a time counts: 0 below 1 µs, n below 2^n µs."""
    return max(0, int(seconds * 1e6)).bit_length()


def _lone(seconds: float) -> tuple[int, ...]:
    return (0,) * bucket(seconds) + (1,)


def _added(histograms: list[tuple[int, ...]]) -> tuple[int, ...]:
    longest = max(map(len, histograms))
    return tuple(sum(one[at] for one in histograms if at < len(one)) for at in range(longest))
