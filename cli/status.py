"""``holdfast status``: who holds what, and who waits for it in which order.

The rule: it shows the registry's picture and asks nobody else, so no lock is ever slower for being looked at. A table
for people, cut to their terminal; the one document of ``transport/report.py`` for programs. What can only be known on
this machine (is a client stopped?) is added for people alone.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from time import monotonic, strftime, time

import click

from ..transport.errors import UsageError
from ..transport.follow import Follower
from ..transport.frozen import altered
from ..transport.names import Kind
from ..transport.phrases import DECIDED_BY_MODES, hour, share, span, visible
from ..transport.picture import ClaimView, ResourceView, Scene
from ..transport.records import Claim
from ..transport.report import as_json, document, matches, shows, summary
from ..transport.settings import load
from ..transport.stderr import say
from ..transport.values import duration
from .stopped import condition
from .table import BOLD, GREEN, RED, YELLOW, Cell, Column, table
from .where import daemon_options
from .words import show

TICK = 1.0  # seconds after which ages on a screen are told anew
INTERVAL = 0.2  # seconds between two pictures, at least
WIDE = 100  # columns of a terminal below which the hour, and a host that is only this one, are left out
STDOUT = 1  # descriptor
HOME, TO_END_OF_LINE, TO_END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"  # ECMA-48: CUP, EL, ED

COLUMNS = (
    Column("NAME", least=14),
    Column("MODE", least=6),
    Column("STATE"),
    Column("SINCE"),
    Column("AGE", right=True),
    Column("USER", least=6),
    Column("HOST", least=6),
    Column("PID", right=True),
    Column("KEY", least=6),
    Column("JOB", least=6),
    Column("COMMAND", least=10),
    Column("REASON", least=8),
)
SINCE, HOST = 3, 6  # of these
NOBODY = ("", "", "", "", "", "", "")  # from USER to REASON


@click.command()
@click.argument("pattern", default="")
@click.option("--json", "as_document", is_flag=True, help="One JSON document; with --watch one a line.")
@click.option("--watch", is_flag=True, help="Go on: show it anew whenever something has changed.")
@click.option("--interval", metavar="DURATION", help="With --watch: the least time between two (default 200ms).")
@daemon_options
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
def status(
    pattern: str, as_document: bool, watch: bool, interval: str | None, config: str | None, **where: str | None
) -> None:
    """Show who holds what, and who waits for it.

    PATTERN is a name, or one with * and ? in it; without it everything is shown.
    """
    if interval is not None and not watch:
        raise UsageError("--interval says how often to look, which needs --watch")
    rest = INTERVAL if interval is None else duration(interval)
    settings = load("holdfast", where, os.environ, config).settings
    with closing(Follower(settings, os.environ)) as follower:
        follower.update(None)
        if not watch:
            _show(follower.picture.scene(), pattern, as_document=as_document)
        elif _on_terminal() and not as_document:
            _redraw(follower, pattern, rest)
        else:
            _append(follower, pattern, rest, as_document=as_document)


# --- once, or again and again -----------------------------------------------------------------------------------------


def _show(scene: Scene, pattern: str, *, as_document: bool) -> None:
    if as_document:
        show(as_json(document(scene, monotonic(), time(), pattern=pattern), indent=2))
        return
    lines = _lines(scene, pattern)
    if lines:
        show("\n".join(lines))
    else:
        say(_nothing(pattern))


def _redraw(follower: Follower, pattern: str, rest: float) -> None:
    """On a terminal: over what was there before, line by line, so that nothing flickers."""
    while True:
        drawn_at = monotonic()
        scene = follower.picture.scene()
        room, height = shutil.get_terminal_size()
        told = f"{strftime('%H:%M:%S')}  {summary(scene, drawn_at).splitlines()[0]}"
        lines = [told[:room], "", *(_lines(scene, pattern) or [_nothing(pattern)[:room]])]
        if len(lines) > height - 1:
            lines[height - 2 :] = [f"… and {len(lines) - height + 2} lines more"[:room]]
        show(HOME + "".join(f"{line}{TO_END_OF_LINE}\n" for line in lines) + TO_END_OF_SCREEN, end="")
        if follower.update(TICK):
            _rest(follower, drawn_at + rest)


def _append(follower: Follower, pattern: str, rest: float, *, as_document: bool) -> None:
    """Not on a terminal: below what was there before, whenever something else is to be told."""
    before: object = None
    while True:
        shown_at = monotonic()
        scene = follower.picture.scene()
        told = _told(scene, pattern, counters=as_document)
        if told != before:
            before = told
            if as_document:
                show(as_json(document(scene, shown_at, time(), pattern=pattern)))
            else:
                show("\n".join([*(_lines(scene, pattern) or [_nothing(pattern)]), ""]))
        _wait_changed(follower)
        _rest(follower, shown_at + rest)


def _wait_changed(follower: Follower) -> None:
    """Wait until something has changed, and no longer than somebody reads us.

    Raises:
        BrokenPipeError: nobody does any more; it is noticed though nothing is written.
    """
    poll = select.poll()
    poll.register(follower.fileno(), select.POLLIN)
    poll.register(STDOUT, 0)
    while not follower.update(0):
        if any(descriptor == STDOUT for descriptor, _ in poll.poll(TICK * 1000)):
            raise BrokenPipeError


def _rest(follower: Follower, until: float) -> None:
    """Take in what comes, and show nothing yet."""
    while (left := until - monotonic()) > 0:
        follower.update(left)


def _told(scene: Scene, pattern: str, *, counters: bool) -> object:
    """What is told of a scene, but for its ages: as long as this stays the same, nothing is told again."""
    chosen = [view for view in scene.resources if shows(view, pattern)]
    lines = [
        (altered(view.resource, age=0.0), *map(_ageless, view.holders), *map(_ageless, view.waiters)) for view in chosen
    ]
    parked = [_ageless(view) for view in scene.parked if matches(view.claim.resource, pattern)]
    if not counters:
        return lines, parked
    return lines, parked, [view.tallies for view in chosen], [view.member.pid for view in scene.members], scene.ended


def _ageless(view: ClaimView) -> object:
    return view.position, altered(view.claim, age=0.0, left=0.0)


# --- the table --------------------------------------------------------------------------------------------------------


def rows(scene: Scene, pattern: str, now: float, wall: float, state: Callable[[Claim], str]) -> list[list[Cell]]:
    """A row for each resource, below it its holders and its waiters in their order; then who is parked.

    Args:
        now: monotonic seconds, as in ``scene``.
        wall: Unix seconds at the same instant.
        state: what there is to say of the process of a session, as ``condition``.
    """
    made = []
    for view in scene.resources:
        if shows(view, pattern):
            made.append(_resource_row(view, now, wall))
            for one in chain(view.holders, view.waiters):
                name = f"  {visible(one.claim.resource)}" if view.kind is Kind.HIERARCHICAL else ""
                made.append(_claim_row(name, view.kind, one, now, wall, state))
    for one in scene.parked:
        if matches(one.claim.resource, pattern):
            made.append(_claim_row(visible(one.claim.resource), Kind.SIMPLE, one, now, wall, state))
    return made


def _lines(scene: Scene, pattern: str) -> list[str]:
    now, wall = monotonic(), time()
    room = _room()
    made = rows(scene, pattern, now, wall, condition)
    if room is not None and room < WIDE:
        elsewhere = {row[HOST].text for row in made} - {"", visible(os.uname().nodename)}
        made = [_without(row, {SINCE} if elsewhere else {SINCE, HOST}) for row in made]
    return table(COLUMNS, made, room=room, colours=_colours()) if made else []


def _without(row: list[Cell], left_out: set[int]) -> list[Cell]:
    return [Cell("") if at in left_out else cell for at, cell in enumerate(row)]


def _room() -> int | None:
    """Columns of the terminal; None: what reads us is none, and gets all."""
    if _on_terminal() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return None


def _colours() -> bool:
    return _on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _nothing(pattern: str) -> str:
    return f"no resource matches {visible(pattern)!r}" if pattern else "nobody holds anything, and nobody waits"


def _resource_row(view: ResourceView, now: float, wall: float) -> list[Cell]:
    name = visible(view.resource.name)
    if view.resource.refused:
        state, mode = Cell("refused", RED), ""
    elif view.kind in DECIDED_BY_MODES:
        state, mode = Cell("held" if view.holders else "free"), "" if view.mode is None else view.mode.name
    else:
        state, mode = Cell(f"{view.in_use} of {view.capacity}"), ""
    cells = (*map(Cell, NOBODY[:-1]), Cell(visible(view.resource.refused), RED))
    return [Cell(name, BOLD), Cell(mode), state, *_times(view.since_at, now, wall), *cells]


def _claim_row(
    name: str, kind: Kind, view: ClaimView, now: float, wall: float, state: Callable[[Claim], str]
) -> list[Cell]:
    claim = view.claim
    holds = not view.position
    told = claim.standing.name.lower() + (f" {view.position}" if claim.standing.name == "WAITS" else "")
    if not claim.pid:
        told += ", on its way"
    elif why := state(claim):
        told += f", {why}"
    who = (visible(claim.user) or str(claim.uid), visible(claim.host), str(claim.pid)) if claim.pid else ("", "", "")
    what = (visible(claim.key), visible(claim.job), visible(claim.command), visible(claim.reason))
    return [
        Cell(name),
        Cell(share(kind, claim.mode, claim.quantity, claim.element)),
        Cell(told, GREEN if holds else YELLOW),
        *_times(view.since_at, now, wall),
        *map(Cell, (*who, *what)),
    ]


def _times(at: float, now: float, wall: float) -> tuple[Cell, Cell]:
    return Cell(hour(at, now, wall)), Cell(span(now - at))
