"""The picture as one JSON document for programs, and as a few lines for people.

The rule: ``holdfast status --json``, the file ``status/all.json`` and the dump tell exactly this, so nobody has to ask
which of them is right. Every beginning is told twice: ``since``, the wall clock's instant (ISO 8601, UTC, with
milliseconds), and ``elapsed``, seconds rounded to milliseconds, which no clock that is set can falsify. Who waits and
who holds now counts in the counters by its age so far. What there is no number for is null.

Pure: ``now`` and ``wall`` are read by the caller, at the same instant. The document is strict JSON in ASCII: no NaN,
and a half of a character (a file name may have one) is an escape.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import chain
from json import dumps
from math import isfinite
from time import gmtime, strftime

from .enums import Standing
from .phrases import DECIDED_BY_MODES, counted, person, span, visible
from .picture import ClaimView, MemberView, ResourceView, Scene, with_ongoing
from .records import Tally

Json = dict[str, object]

VERSION = 1  # of the document: another one when an old reader would misunderstand
OUTCOMES = ("requests", "grants", "refused", "timed_out", "withdrawn", "released", "failed", "vanished", "lost")


def document(scene: Scene, now: float, wall: float, *, pattern: str = "") -> Json:
    """Everything in ``scene``.

    Args:
        now: monotonic seconds, as in ``scene``.
        wall: Unix seconds at the same instant.
        pattern: only resources and parked sessions that ``matches`` it; "": all. Processes and what has ended are told
            in any case.
    """
    clock = _Clock(now, wall)
    leader = next((view for view in scene.members if view.member.number == 0), None)
    return {
        "v": VERSION,
        "ts": instant(wall),
        "number": scene.number,
        "daemon": None if leader is None else _member(leader, clock),
        "resources": [_resource(view, clock) for view in scene.resources if shows(view, pattern)],
        "parked": [_claim(view, clock) for view in scene.parked if matches(view.claim.resource, pattern)],
        "actors": [_member(view, clock) for view in scene.members],
        "ended": _counters(scene.ended),
    }


def as_json(told: Json, *, indent: int | None = None) -> str:
    """``told`` as one JSON text without a line's end; on one line if not indented."""
    return dumps(told, indent=indent, allow_nan=False)


def summary(scene: Scene, now: float) -> str:
    """A few lines for people, each with its line's end: how much there is, and what is worst.

    Args:
        now: monotonic seconds, as in ``scene``.
    """
    lines = [_counts(scene)]
    waiting = [view for one in scene.resources for view in one.waiters]
    waiting += scene.parked
    if waiting:
        longest = min(waiting, key=lambda view: view.since_at)
        told = f"{visible(longest.claim.resource)} for {span(now - longest.since_at)}"
        lines.append(f"longest wait: {person(longest.claim)} waits for {told}")
    busiest = max(scene.resources, key=lambda one: len(one.waiters), default=None)
    if busiest is not None and busiest.waiters:
        waits = counted(len(busiest.waiters), "waits", "wait")
        lines.append(f"longest line: {visible(busiest.resource.name)}, {waits}")
    lines += [
        f"refused: {visible(one.resource.name)}: {visible(one.resource.refused)}"
        for one in scene.resources
        if one.resource.refused
    ]
    return "".join(f"{line}\n" for line in lines)


def matches(name: str, pattern: str) -> bool:
    """Does ``pattern`` mean the resource ``name``?

    ``*`` stands for any characters and ``?`` for one; brackets stand for themselves, because names have them. Without
    either it is a name, and means all paths below it as well. "" means every name.
    """
    if not pattern or name == pattern or name.startswith(pattern.rstrip("/") + "/"):
        return True
    return ("*" in pattern or "?" in pattern) and fnmatchcase(name, pattern.replace("[", "[[]"))


def shows(view: ResourceView, pattern: str) -> bool:
    """Does ``pattern`` mean this resource, or what anybody in its line asked for?

    The line is shown as a whole then: positions, and what keeps somebody waiting, have no meaning in a part of it.
    """
    resource = view.resource
    asked = (one.claim.resource for one in chain(view.holders, view.waiters))
    return any(matches(name, pattern) for name in chain((resource.name, resource.asked), asked))


def instant(wall: float) -> str:
    """Unix seconds in ISO 8601: ``2026-11-20T21:39:15.123Z``."""
    seconds, milliseconds = divmod(round(wall * 1000), 1000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{milliseconds:03}Z"


# --- the parts of the document ----------------------------------------------------------------------------------------


class _Clock:
    """Both ways to tell a beginning."""

    def __init__(self, now: float, wall: float) -> None:
        self.now = now
        self._offset = wall - now

    def since(self, at: float) -> Json:
        return {"since": instant(at + self._offset), "elapsed": _seconds(max(0.0, self.now - at))}


def _seconds(duration: float) -> float | None:
    return round(duration, 3) if isfinite(duration) else None


def _limit(duration: float) -> float | None:
    """A duration of which any negative number means for ever."""
    return None if duration < 0 else _seconds(duration)


def _member(view: MemberView, clock: _Clock) -> Json:
    member = view.member
    told: Json = {"role": member.role, "pid": member.pid, "number": member.number}
    return told | clock.since(view.since_at) | {"restarts": member.restarts}


def _resource(view: ResourceView, clock: _Clock) -> Json:
    resource = view.resource
    return {
        "number": resource.number,
        "name": resource.name,
        "asked": resource.asked,
        "type": view.kind.label,
        "order": resource.order.name.lower().replace("_", "-"),
        "mode": None if view.mode is None else view.mode.name,
        "capacity": None if view.kind in DECIDED_BY_MODES else view.capacity,
        "in_use": view.in_use,
        **clock.since(view.since_at),
        "idle": _limit(resource.idle),
        "refused": resource.refused,
        "holders": [_claim(one, clock) for one in view.holders],
        "waiters": [_claim(one, clock) for one in view.waiters],
        "counters": _counters(with_ongoing(view, clock.now)),
    }


def _claim(view: ClaimView, clock: _Clock) -> Json:
    claim = view.claim
    holds = claim.standing is Standing.HOLDS
    elapsed = max(0.0, clock.now - view.since_at)
    left = -1.0 if holds or claim.left < 0 else max(0.0, claim.left + claim.age - elapsed)
    return {
        "number": claim.number,
        "session": claim.session,
        "standing": claim.standing.name.lower(),
        "position": view.position or None,
        "resource": claim.resource,
        "mode": claim.mode.name,
        "quantity": claim.quantity,
        **clock.since(view.since_at),
        "wait": _seconds(claim.waited if holds else elapsed),
        "left": _limit(left),
        "token": claim.token if holds else None,
        "element": claim.element,
        "host": claim.host,
        "pid": claim.pid,
        "uid": claim.uid,
        "user": claim.user,
        "command": claim.command,
        "job": claim.job,
        "reason": claim.reason,
        "peer": claim.peer,
        "key": claim.key,
        "inside": list(claim.inside),
        "blockers": list(claim.blockers),
    }


def _counters(tallies: tuple[Tally, ...]) -> Json:
    return {
        tally.mode.name: {outcome: getattr(tally, outcome) for outcome in OUTCOMES}
        | {
            "wait": _times(tally.wait_sum, tally.wait_max, tally.waits),
            "hold": _times(tally.hold_sum, tally.hold_max, tally.holds),
        }
        for tally in tallies
    }


def _times(total: float, longest: float, histogram: tuple[int, ...]) -> Json:
    return {
        "count": sum(histogram),
        "sum": round(total, 6) if isfinite(total) else None,
        "max": round(longest, 6) if isfinite(longest) else None,
        "histogram": list(histogram),
    }


def _counts(scene: Scene) -> str:
    holding = sum(len(one.holders) for one in scene.resources)
    waiting = sum(len(one.waiters) for one in scene.resources)
    parked = f", {len(scene.parked)} parked" if scene.parked else ""
    told = (counted(len(scene.resources), "resource"), counted(holding, "holds", "hold"))
    return f"{', '.join(told)}, {counted(waiting, 'waits', 'wait')}{parked}"
