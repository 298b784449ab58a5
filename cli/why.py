"""``holdfast why``: who keeps a resource, or a process, and what would end it.

The rule: it answers what was asked, in sentences that name people and processes, from the registry's picture alone. A
name that nobody uses is an answer, not a fault.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic, time

import click

from ..transport import names
from ..transport.follow import snapshot
from ..transport.names import Kind
from ..transport.phrases import counted, hour, person, person_at_work, share, span, visible
from ..transport.picture import ClaimView, ResourceView, Scene
from ..transport.report import Json, as_json, document
from ..transport.settings import load
from .heirs import inherited_by
from .reasons import Link, Need, everybody, links, need, related
from .stopped import condition
from .where import daemon_options
from .words import show

STATES = {
    "stopped": "it goes on only when somebody continues it",
    "ended": "what it has started has inherited the lock, and holds it",
}
NAMED = 3  # of several people, those who are named on one line


@click.command()
@click.argument("what", metavar="NAME|PID")
@click.option("--json", "as_document", is_flag=True, help="Print JSON.")
@daemon_options
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
def why(what: str, as_document: bool, config: str | None, **where: str | None) -> None:
    """Tell who holds NAME, who waits for it, and what would free it.

    For a PID: what that process holds, and for whom it waits.
    """
    pid = int(what) if what.isascii() and what.isdigit() else 0
    if not pid:
        names.parse(what)
    settings = load("holdfast", where, os.environ, config).settings
    scene = snapshot(settings, os.environ)
    now, wall = monotonic(), time()
    case = _of_process(scene, pid) if pid else _of_name(scene, what)
    if as_document:
        show(as_json(_document(case, pid or what, now, wall), indent=2))
        return
    words = _Words(scene, case, now, wall)
    show("\n".join(words.of_process(pid) if pid else words.of_name(what)))


# --- what it is about -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """What was asked about: the part of the picture that it concerns, and why things are so in it."""

    scene: Scene  # only the resources and the parked that matter
    claims: tuple[tuple[ResourceView | None, ClaimView], ...]  # who was asked about
    needs: dict[str, Need]  # of the waiters among these, by their session
    links: tuple[Link, ...]  # that lead on from them


def _of_name(scene: Scene, name: str) -> Case:
    root = names.parse(name).locker
    chosen = replace(
        scene,
        resources=tuple(view for view in scene.resources if view.resource.name == root),
        parked=tuple(one for one in scene.parked if related(one.claim.resource, name)),
    )
    claims = tuple(pair for pair in everybody(chosen) if related(pair[1].claim.resource, name))
    return _case(scene, chosen, claims, [one for _, one in claims if not one.position])


def _of_process(scene: Scene, pid: int) -> Case:
    own = {one.claim.session for _, one in everybody(scene) if one.claim.pid == pid} or inherited_by(pid)
    pairs = [pair for pair in everybody(scene) if pair[1].claim.session in own or own & set(pair[1].claim.inside)]
    claims = tuple(sorted(pairs, key=lambda pair: pair[1].position > 0))  # what it has stands before what it wants
    numbers = {view.resource.number for view, _ in claims if view is not None}
    chosen = replace(
        scene,
        resources=tuple(view for view in scene.resources if view.resource.number in numbers),
        parked=tuple(one for view, one in claims if view is None),
    )
    before = [holder for view, one in claims if view is not None and one.position for holder in need(view, one).of]
    return _case(scene, chosen, claims, before)


def _case(
    scene: Scene,
    chosen: Scene,
    claims: tuple[tuple[ResourceView | None, ClaimView], ...],
    holders: list[ClaimView],
) -> Case:
    needs = {one.claim.session: need(view, one) for view, one in claims if view is not None and one.position}
    return Case(chosen, claims, needs, tuple(links(scene, holders)))


def _document(case: Case, asked: str | int, now: float, wall: float) -> Json:
    told = document(case.scene, now, wall)
    return {
        "v": told["v"],
        "ts": told["ts"],
        "asked": asked,
        "sessions": [one.claim.session for _, one in case.claims],
        "needs": [
            {
                "session": session,
                "of": _sessions(one.of),
                "every": one.every,
                "units": one.units or None,
                "behind": one.behind or None,
            }
            for session, one in case.needs.items()
        ],
        "links": [
            {
                "holder": one.holder.claim.session,
                "waiter": one.waiter.claim.session,
                "resource": one.waiter.claim.resource,
                "held_by": _sessions(one.held_by),
                "circle": one.circle,
            }
            for one in case.links
        ],
        "resources": told["resources"],
        "parked": told["parked"],
    }


def _sessions(views: Sequence[ClaimView]) -> list[str]:
    return [one.claim.session for one in views]


# --- in words ---------------------------------------------------------------------------------------------------------


class _Words:
    """Says a case in lines."""

    def __init__(self, scene: Scene, case: Case, now: float, wall: float) -> None:
        self._case = case
        self._now, self._wall = now, wall
        self._followed: set[str] = set()  # sessions of holders whose links are told
        self._known = {one.claim.session: one for _, one in everybody(scene)}
        self._kinds = {one.claim.session: view.kind for view, one in everybody(scene) if view is not None}

    def of_name(self, name: str) -> list[str]:
        """What is said of a resource."""
        views = self._case.scene.resources
        holders = [one for _, one in self._case.claims if not one.position]
        waiters = [one for view, one in self._case.claims if view is not None and one.position]
        parked = [one for view, one in self._case.claims if view is None]
        refusals = [visible(view.resource.refused) for view in views if view.resource.refused]
        if refusals:
            lines = [f"{visible(name)} is refused: {sentence}" for sentence in refusals]
        elif views:
            lines = [f"{visible(name)}: {_count(holders, 'holds it', 'hold it')}, {_count(waiters, 'waits', 'wait')}"]
        else:
            lines = [f"nobody holds {visible(name)}; it does not exist"]
        for one in holders:
            lines += self._claim(one, f"held{self._share(one)} by {person_at_work(one.claim)}")
        for one in waiters:
            lines += self._claim(one, f"{one.position}. {person_at_work(one.claim)} waits{self._share(one)}")
        for one in parked:
            lines += self._claim(one, f"{person_at_work(one.claim)} waits until somebody creates it")
        if holders and not waiters:
            lines.append(self._free(views[0], holders))
        return lines + self._circle()

    def of_process(self, pid: int) -> list[str]:
        """What is said of a process."""
        if not self._case.claims:
            return [f"process {pid} holds nothing and waits for nothing"]
        self._followed |= {one.claim.session for _, one in self._case.claims}
        lines = []
        if all(one.claim.pid != pid for _, one in self._case.claims):
            lines.append(f"process {pid} has inherited the connection of who is told here:")
        for view, one in self._case.claims:
            who, name = person_at_work(one.claim), visible(one.claim.resource)
            if view is None:
                lines += self._claim(one, f"{who} waits until somebody creates {name}")
            elif one.position:
                lines += self._claim(one, f"{who} waits for {name}{self._share(one)}, position {one.position}")
            else:
                waiting = f"; {_count(view.waiters, 'waits', 'wait')} for it"
                lines += self._claim(one, f"{who} holds {name}{self._share(one)}", waiting)
        return lines + self._circle()

    def _claim(self, view: ClaimView, told: str, after: str = "") -> list[str]:
        """One session: what is told of it, since when, what comes ``after``; below it all that belongs to it."""
        lines = [f"{told}, {self._since(view)}{after}"]
        around = [self._known[one] for one in view.claim.inside if one in self._known]
        lines += [f"   inside {person(one.claim)}, which has {visible(one.claim.resource)}" for one in around]
        state = condition(view.claim)
        if state:
            lines.append(f"   {state}: {STATES[state]}")
        needed = self._case.needs.get(view.claim.session)
        if needed is None:
            return lines + self._links(view)
        return [
            *lines,
            *(f"   {line}" for line in _needed(needed)),
            *(one for of in needed.of for one in self._links(of)),
        ]

    def _links(self, holder: ClaimView) -> list[str]:
        """What keeps a holder from ending, and those for whom it waits."""
        if holder.claim.session in self._followed:
            return []
        self._followed.add(holder.claim.session)
        lines = []
        for link in self._case.links:
            if link.holder.claim.session == holder.claim.session:
                lines.append(f"   {self._link(link)}")
                lines += [line for one in link.held_by for line in self._links(one)]
        return lines

    def _link(self, link: Link) -> str:
        waiter = link.waiter.claim
        itself = "itself" if waiter.pid == link.holder.claim.pid else f"through {person(waiter)}, which runs inside it,"
        held = f", held by {_people(link.held_by)}" if link.held_by else ""
        told = f"{person(link.holder.claim)} {itself} waits for {visible(waiter.resource)}"
        return f"{told}, {self._since(link.waiter)}{held}"

    def _circle(self) -> list[str]:
        circles = [link for link in self._case.links if link.circle]
        if not circles:
            return []
        people = _people(list({one.holder.claim.session: one.holder for one in circles}.values()))
        return [f"This is a circle, in which everybody waits for ever; one of these must end: {people}"]

    def _free(self, view: ResourceView, holders: list[ClaimView]) -> str:
        if view.capacity and view.in_use < view.capacity:
            return f"{view.capacity - view.in_use} of {view.capacity} are free"
        return f"It is free when {_end(holders, None)}"

    def _share(self, view: ClaimView) -> str:
        """`` (EX)``, `` (2 units)``, `` (PR, /disk/home)``."""
        kind = self._kinds.get(view.claim.session, Kind.SIMPLE)
        told = share(kind, view.claim.mode, view.claim.quantity, view.claim.element)
        path = f", {visible(view.claim.resource)}" if kind is Kind.HIERARCHICAL else ""
        return f" ({told}{path})" if told else ""

    def _since(self, view: ClaimView) -> str:
        return f"since {hour(view.since_at, self._now, self._wall)} ({span(self._now - view.since_at)})"


def _needed(needed: Need) -> list[str]:
    lines = []
    units = f"needs {counted(needed.units, 'unit')} more: " if needed.units else ""
    if needed.of:
        lines.append(f"{units}until {_end(needed.of, needed)}")
    if needed.behind:
        lines.append(f"{'and ' if lines else ''}behind {needed.behind}")
    return lines or ["nothing that can be seen keeps it waiting; it should have its turn in a moment"]


def _end(holders: Sequence[ClaimView], needed: Need | None) -> str:
    """``alice on node1, pid 4711 (make -j4) ends or releases``; of several, as many as are needed, or all."""
    if len(holders) == 1:
        who = person_at_work(holders[0].claim)
        ended = condition(holders[0].claim) == "ended"
        return f"all that {who} has started has ended" if ended else f"{who} ends or releases"
    if needed is None or needed.every:
        return f"all of these end or release: {_people(holders)}"
    return (
        f"{'enough of these end or release' if needed.units else 'one of these ends or releases'}: {_people(holders)}"
    )


def _people(views: Sequence[ClaimView]) -> str:
    named = "; ".join(person(one.claim) for one in views[:NAMED])
    return f"{named}; and {len(views) - NAMED} more" if len(views) > NAMED else named


def _count(views: Sequence[ClaimView], one: str, several: str) -> str:
    return f"{len(views) or 'nobody'} {several if len(views) > 1 else one}"
