"""Why somebody waits: for whom, behind whom, and whether those can go on themselves.

The rule: nothing is guessed that a locker has told. Whom a waiter waits for are its ``blockers``; where these were not
looked for (far behind in a long line) it is said who stands before. A *link* is a holder that cannot end yet, because
its own process, or what runs inside its session, waits for something else; links that lead back to where they came from
are a circle, in which everybody waits for ever.

Pure: works on a ``Scene``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..transport.enums import Order
from ..transport.names import Kind
from ..transport.phrases import DECIDED_BY_MODES
from ..transport.picture import ClaimView, ResourceView, Scene
from ..transport.records import Claim

MOST_LINKS = 32  # followed at one question; a chain that long is no answer any more


@dataclass(frozen=True, slots=True)
class Need:
    """What one waiter needs."""

    waiter: ClaimView
    of: tuple[ClaimView, ...]  # the holders that keep it waiting
    every: bool  # all of these must let go; else one of them, or as many as give back the units
    units: int  # that must be given back; 0: they are not counted
    behind: int  # position of the next one before it that it must let pass; 0: none


@dataclass(frozen=True, slots=True)
class Link:
    """A holder that cannot end, because something else of its own waits."""

    holder: ClaimView
    waiter: ClaimView
    held_by: tuple[ClaimView, ...]  # those whom the waiter needs
    circle: bool  # one of these cannot end before the holder has, or is the holder


def need(view: ResourceView, waiter: ClaimView) -> Need:
    """What ``waiter``, in the line of ``view``, needs to be granted."""
    claim = waiter.claim
    of = tuple(one for one in view.holders if one.claim.session in claim.blockers)
    behind = _behind(view, waiter)
    if not of and not behind:
        of = tuple(one for one in _near(view.holders, claim) if one.claim.session not in claim.inside)
    if view.kind is not Kind.NUMERIC:
        return Need(waiter, of, view.kind in DECIDED_BY_MODES or len(of) == 1, 0, behind)
    units = max(0, _used(view.holders, claim) - view.capacity)
    if not units:  # it needs nothing but its turn
        return Need(waiter, (), True, 0, behind)
    return Need(waiter, of, units >= sum(one.claim.quantity for one in of), units, behind)


def _used(holders: Iterable[ClaimView], newcomer: Claim) -> int:
    """Units that would be in use with ``newcomer``: each counts for its own, or for what is held inside it, if more."""
    inside: dict[str, int] = dict.fromkeys((one.claim.session for one in holders), 0)
    used = 0
    newest_first = sorted((one.claim for one in holders), key=lambda claim: -claim.token)
    for claim in (newcomer, *newest_first):  # nothing newer is around it
        counts = max(claim.quantity, inside.pop(claim.session, 0))
        around = next((session for session in reversed(claim.inside) if session in inside), None)
        if around is None:
            used += counts
        else:
            inside[around] += counts
    return used


def links(scene: Scene, holders: Iterable[ClaimView]) -> list[Link]:
    """Follow what keeps ``holders`` from ending, and those for whom they wait, and so on."""
    waits = _Waits(scene)
    found: list[Link] = []
    seen: set[str] = set()
    coming = deque(holders)
    while coming and len(found) < MOST_LINKS:
        holder = coming.popleft()
        if holder.claim.session in seen:
            continue
        seen.add(holder.claim.session)
        for view, waiter in waits.of(holder.claim):
            held_by = () if view is None else need(view, waiter).of
            found.append(Link(holder, waiter, held_by, circle=False))
            coming += held_by
    return [replace(link, circle=_leads_back(link, found)) for link in found]


def _leads_back(link: Link, found: Sequence[Link]) -> bool:
    """Do the holders that ``link`` leads to need, directly or not, that its own holder ends?"""
    reached: set[str] = set()
    coming = {one.claim.session for one in link.held_by}
    while coming:
        reached |= coming
        after = [one.held_by for one in found if one.holder.claim.session in coming]
        coming = {one.claim.session for held_by in after for one in held_by} - reached
    return link.holder.claim.session in reached


def related(name: str, other: str) -> bool:
    """Can one of these names of one resource keep the other waiting? Of two paths, only if one leads to the other."""
    return name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/")


def everybody(scene: Scene) -> Iterator[tuple[ResourceView | None, ClaimView]]:
    """All sessions, each with the resource in whose line it stands; None: it is parked."""
    for view in scene.resources:
        for one in (*view.holders, *view.waiters):
            yield view, one
    for one in scene.parked:
        yield None, one


def _near(views: Iterable[ClaimView], claim: Claim) -> list[ClaimView]:
    return [one for one in views if related(one.claim.resource, claim.resource)]


def _behind(view: ResourceView, waiter: ClaimView) -> int:
    if view.resource.order is Order.FIRST_FIT:
        return 0
    before = _near(view.waiters[: waiter.position - 1], waiter.claim)
    return before[-1].position if before else 0


class _Waits:
    """What waits because of, or instead of, a holder."""

    def __init__(self, scene: Scene) -> None:
        self._inside: dict[str, list[tuple[ResourceView | None, ClaimView]]] = {}
        self._process: dict[tuple[str, int], list[tuple[ResourceView | None, ClaimView]]] = {}
        for view, one in everybody(scene):
            if one.position:
                for session in one.claim.inside:
                    self._inside.setdefault(session, []).append((view, one))
                if one.claim.pid:
                    self._process.setdefault((one.claim.host, one.claim.pid), []).append((view, one))

    def of(self, holder: Claim) -> list[tuple[ResourceView | None, ClaimView]]:
        inside = self._inside.get(holder.session, [])
        same = self._process.get((holder.host, holder.pid), [])
        return [*inside, *(pair for pair in same if holder.session not in pair[1].claim.inside)]
