"""The picture as files: paths, entries, bytes, times.

The rule: FLoM's tree is here with FLoM's names, contents and times, line's end or not; what we add stands beside it.
Nothing is made before somebody looks at it: a look costs what is looked at, however much there is, and what was looked
at is kept as long as the tree, so its size and its bytes agree. A tree never changes; another picture, or another
second, is another tree.

Names are numbers: of a resource below ``lockers``, of a session everywhere else. Texts that come from clients are
written so that nothing in them obeys a terminal. What there is nothing to say about is an empty file.

Pure: instants and the clocks' difference are handed in.

Source: FLoM 1.7.2, its manual, observability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..transport.enums import Mode, Standing
from ..transport.names import Kind, parse
from ..transport.phrases import visible
from ..transport.picture import ClaimView, ResourceView, Scene, with_ongoing
from ..transport.report import OUTCOMES, as_json, document, instant, summary

LONG_NAMES = {
    Mode.NL: "NullLock",
    Mode.CR: "ConcurrentRead",
    Mode.CW: "ConcurrentWrite",
    Mode.PR: "ProtectedRead",
    Mode.PW: "ProtectedWrite",
    Mode.EX: "Exclusive",
}
SPARE = 64  # directories that nobody sees any more and whose times are kept all the same


class File(NamedTuple):
    """A file as it is at one moment."""

    content: bytes
    changed: int  # Unix seconds


class Directory(NamedTuple):
    """A directory as it is at one moment."""

    entries: Mapping[str, bool]  # name → is it a directory; in their order
    changed: int  # Unix seconds
    make: Callable[[str], Node]  # what is behind one of these names


Node = File | Directory


class Missing(NamedTuple):
    """Why there is no picture to show."""

    why: str
    at: float  # since when, monotonic


class Stamps:
    """When directories last gained or lost an entry, as far as anybody saw it: it outlives the trees."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[Mapping[str, bool], float]] = {}

    def changed_at(self, where: tuple[int, str], entries: Mapping[str, bool], began: float, last: float) -> float:
        """When the entries of a directory became these.

        Args:
            where: which directory: the number of its resource (0: none) and its name.
            began: the youngest entry, or the directory itself, is from then.
            last: the picture changed the last time then.
        """
        seen, at = self._known.get(where, (entries, began))
        if seen.keys() != entries.keys():
            at = last
        at = max(at, began)
        self._known[where] = (entries, at)
        return at

    def forget_all_but(self, numbers: Mapping[str, object]) -> None:
        """Let go of resources that are no more, once there are many."""
        if len(self._known) > 3 * len(numbers) + SPARE:
            self._known = {
                where: seen for where, seen in self._known.items() if not where[0] or str(where[0]) in numbers
            }


class Tree:
    """All files at one moment.

    Args:
        scene: the picture.
        now: monotonic seconds, as in ``scene``.
        offset: what makes Unix seconds of them.
        began: the directories at the top are from then, monotonic.
        last: ``scene`` changed the last time then, monotonic.
        missing: there is nothing to see but this.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        now: float,
        offset: float,
        began: float,
        last: float,
        stamps: Stamps | None = None,
        missing: Missing | None = None,
    ) -> None:
        self._scene = scene
        self._now = now
        self._offset = offset
        self._began = began
        self._last = last
        self._stamps = stamps or Stamps()
        status = self._status if missing is None else lambda: self._nothing_but(missing)
        self._known: dict[str, Node] = {"/": self._fixed(began, {"status": (True, status)})}

    def node(self, path: str) -> Node | None:
        """What is at ``path``, which begins with / and ends with a name; None if there is nothing."""
        known = self._known.get(path)
        if known is None:
            above, _, name = path.rpartition("/")
            parent = self.node(above or "/")
            if isinstance(parent, Directory) and name in parent.entries:
                known = self._known[path] = parent.make(name)
        return known

    # --- directories --------------------------------------------------------------------------------------------------

    def _fixed(self, at: float, entries: Mapping[str, tuple[bool, Callable[[], Node]]]) -> Directory:
        return Directory(
            {name: folder for name, (folder, _) in entries.items()}, self._unix(at), lambda name: entries[name][1]()
        )

    def _status(self) -> Directory:
        return self._fixed(
            self._began,
            {
                "incubator": (True, self._incubator),
                "lockers": (True, self._lockers),
                "summary": (False, lambda: self._file(summary(self._scene, self._now), self._now)),
                "all.json": (False, lambda: self._file(f"{as_json(self._document())}\n", self._now)),
            },
        )

    def _nothing_but(self, missing: Missing) -> Directory:
        """Neither what was there before, which may not be true, nor nothing, which is not true either."""
        told = f"there has been no picture since {instant(missing.at + self._offset)}: {missing.why}"
        return self._fixed(missing.at, {"summary": (False, lambda: self._file(_line(told), missing.at))})

    def _document(self) -> dict[str, object]:
        return document(self._scene, self._now, self._now + self._offset)

    def _incubator(self) -> Directory:
        return self._claims(0, "incubator", self._scene.parked, self._began, self._parked)

    def _lockers(self) -> Directory:
        views = {str(view.resource.number): view for view in self._scene.resources}
        entries = dict.fromkeys(views, True)
        self._stamps.forget_all_but(views)
        began = max([self._began, *(view.since_at for view in views.values())])
        changed = self._stamps.changed_at((0, "lockers"), entries, began, self._last)
        return Directory(entries, self._unix(changed), lambda name: self._locker(views[name]))

    def _locker(self, view: ResourceView) -> Directory:
        entries = REFUSED if view.resource.refused else RESOURCE
        return Directory(entries, self._unix(view.since_at), lambda name: self._of_resource(name, view))

    def _of_resource(self, name: str, view: ResourceView) -> Node:
        if name in ("holders", "waitings"):
            return self._line(name, view)
        if name == "statistics":
            return self._file(_statistics(view, self._now), self._now)
        at = self._line("holders", view).changed if name in MOVING else self._unix(view.since_at)
        return File(_encoded(RESOURCE_FILES[name](view)), at)

    def _line(self, name: str, view: ResourceView) -> Directory:
        views = view.holders if name == "holders" else view.waiters
        return self._claims(
            view.resource.number, name, views, view.since_at, lambda one: self._claim(one, CLAIM[view.kind, name])
        )

    def _claims(
        self,
        number: int,
        name: str,
        views: Iterable[ClaimView],
        began: float,
        make: Callable[[ClaimView], Directory],
    ) -> Directory:
        """A directory with one entry a session."""
        known = {str(view.claim.number or view.claim.session): view for view in views}
        entries = dict.fromkeys(known, True)
        began = max([began, *(view.since_at for view in known.values())])
        changed = self._stamps.changed_at((number, name), entries, began, self._last)
        return Directory(entries, self._unix(changed), lambda one: make(known[one]))

    def _parked(self, view: ClaimView) -> Directory:
        return self._claim(view, PARKED)

    def _claim(self, view: ClaimView, entries: Mapping[str, bool]) -> Directory:
        return Directory(entries, self._unix(view.since_at), lambda name: self._of_claim(name, view))

    def _of_claim(self, name: str, view: ClaimView) -> File:
        if name == "since":
            return self._file(f"{instant(view.since_at + self._offset)}\n", view.since_at)
        if name == "wait" and view.claim.standing is not Standing.HOLDS:
            return self._file(f"{max(0.0, self._now - view.since_at):.3f}\n", self._now)
        return self._file(CLAIM_FILES[name](view), view.since_at)

    # --- files --------------------------------------------------------------------------------------------------------

    def _file(self, text: str, at: float) -> File:
        return File(_encoded(text), self._unix(at))

    def _unix(self, at: float) -> int:
        return int(at + self._offset)


# --- what stands in the files -----------------------------------------------------------------------------------------


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _line(text: object) -> str:
    """A text with its line's end; nothing if there is nothing to say."""
    told = visible(str(text))
    return f"{told}\n" if told else ""


def _statistics(view: ResourceView, now: float) -> str:
    """One counter a line: mode, name, number; a histogram is a line of numbers."""
    lines = []
    for tally in with_ongoing(view, now):
        counters: dict[str, object] = {name: getattr(tally, name) for name in OUTCOMES}
        for name, total, longest, histogram in (
            ("wait", tally.wait_sum, tally.wait_max, tally.waits),
            ("hold", tally.hold_sum, tally.hold_max, tally.holds),
        ):
            counters[f"{name}_count"] = sum(histogram)
            counters[f"{name}_sum"] = f"{total:.6f}"
            counters[f"{name}_max"] = f"{longest:.6f}"
            counters[f"{name}_histogram"] = " ".join(map(str, histogram)) or "0"
        lines += [f"{tally.mode.name} {name} {value}\n" for name, value in counters.items()]
    return "".join(lines)


RESOURCE_FILES: Mapping[str, Callable[[ResourceView], str]] = {
    "resource_name": lambda view: _line(view.resource.asked),
    "resource_type": lambda view: _line(view.kind.label),
    "mode": lambda view: "" if view.mode is None else _line(view.mode.name),
    "capacity": lambda view: "" if view.kind in (Kind.SIMPLE, Kind.HIERARCHICAL) else _line(view.capacity),
    "in_use": lambda view: _line(view.in_use),
    "order": lambda view: _line(view.resource.order.name.lower().replace("_", "-")),
    "refused": lambda view: _line(view.resource.refused),
}
MOVING = ("mode", "in_use")  # they change when a holder comes or goes
RESOURCE: Mapping[str, bool] = {
    **dict.fromkeys(("resource_name", "resource_type"), False),
    **dict.fromkeys(("holders", "waitings"), True),
    **dict.fromkeys(("mode", "capacity", "in_use", "order", "statistics"), False),
}
REFUSED = {**RESOURCE, "refused": False}

CLAIM_FILES: Mapping[str, Callable[[ClaimView], str]] = {
    "peer_name": lambda view: _line(view.claim.peer),
    "resource_name": lambda view: _line(view.claim.resource),
    "resource_type": lambda view: _line(parse(view.claim.resource).kind.label),
    "lock_mode": lambda view: LONG_NAMES[view.claim.mode],  # FLoM ends this one without a line's end
    "quantity": lambda view: _line(view.claim.quantity),
    "sequence_value": lambda view: _line(view.claim.element),
    "timestamp_value": lambda view: _line(view.claim.element),
    "pid": lambda view: _line(view.claim.pid or ""),
    "user": lambda view: _line(view.claim.user),
    "host": lambda view: _line(view.claim.host),
    "key": lambda view: _line(view.claim.key),
    "command": lambda view: _line(view.claim.command),
    "job": lambda view: _line(view.claim.job),
    "wait": lambda view: _line(f"{view.claim.waited:.3f}"),
    "token": lambda view: _line(view.claim.token or ""),
    "element": lambda view: _line(view.claim.element),
    "reason": lambda view: _line(view.claim.reason),
}
OURS = ("pid", "user", "host", "key", "command", "job", "since", "wait", "token", "element", "reason")
FLOMS = {  # what FLoM shows of a session besides its peer, by the type of the resource: of a holder, of a waiter
    Kind.SIMPLE: (("lock_mode",), ("lock_mode",)),
    Kind.HIERARCHICAL: (("lock_mode",), ("lock_mode",)),
    Kind.NUMERIC: (("quantity",), ("quantity",)),
    Kind.SET: ((), ()),
    Kind.SEQUENCE: (("sequence_value",), ()),
    Kind.TIMESTAMP: (("timestamp_value",), ()),
}
CLAIM: Mapping[tuple[Kind, str], Mapping[str, bool]] = {
    (kind, name): dict.fromkeys(("peer_name", *more, *OURS), False)
    for kind, both in FLOMS.items()
    for name, more in zip(("holders", "waitings"), both, strict=True)
}
PARKED = dict.fromkeys(("peer_name", "resource_name", "resource_type"), False)  # FLoM's three and no more
