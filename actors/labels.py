"""Which resource names become labels of the metrics, and what is counted under each.

A label costs whoever stores the metrics a series for good, and names are without number. So at most ``bound`` names
stand for themselves, the hottest ones (most requests), and everything else is counted under ``OTHERS``. A name keeps
its label, also while its resource does not exist, until there is no room for a much hotter one: a lock that is taken
once a minute is one series and not sixty in an hour.

The rule: a counter never falls, and what is counted once is counted under one label. What a name was counted under
``OTHERS`` before it got its label stays there; what a label had when it was taken away is gone with it. So the
*increases* of all labels add up to those of the totals, which is what whoever reads counters asks for.

Pure: scenes and time come in as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from ..transport.enums import Mode
from ..transport.picture import SUMS, Scene, total
from ..transport.records import Tally

OTHERS = "(others)"  # no resource can have this name
MUCH = 2  # times as many requests make a name so much hotter that it takes another one's label
ENDED = -1  # the heat of a name that has no resource now
SETTLED = 2.0  # seconds in which a registry that was started again may not have heard everybody yet
ENTRIES = 64  # of a histogram, at most

Counts = tuple[float, ...]  # requests, grants, seconds waited, seconds held
NOTHING: Counts = (0, 0, 0.0, 0.0)


def settling(scene: Scene, now: float) -> bool:
    """Is the picture perhaps not whole, because the registry died and another one is just asking everybody?"""
    return any(
        view.member.role == "registry" and view.member.restarts and now - view.since_at < SETTLED
        for view in scene.members
    )


class Totals:
    """All that happened, by mode, whatever became of its resources.

    A registry that was started again does not know what processes counted that have ended meanwhile. That is added
    here, so that nothing seems to fall (which Prometheus would take for a new beginning, and count twice).
    """

    def __init__(self) -> None:
        self._shown: dict[Mode, list[float]] = {}
        self._missing: dict[Mode, list[float]] = {}  # what the registry does not know any more

    def take(self, scene: Scene, *, anew: bool) -> None:
        """Take in a whole picture; ``anew``: the first one of another registry."""
        tallies = list(chain(scene.ended, *(view.tallies for view in scene.resources)))
        for mode in sorted({tally.mode for tally in tallies} | set(self._shown)):
            told = [tally for tally in tallies if tally.mode is mode]
            figures = _figures(total(told)) if told else [0.0] * (len(SUMS) + 2 * ENTRIES)
            shown = self._shown.get(mode, [0.0] * len(figures))
            if anew:
                self._missing[mode] = [max(0.0, old - new) for old, new in zip(shown, figures, strict=True)]
            missing = self._missing.get(mode, [0.0] * len(figures))
            self._shown[mode] = [max(old, new + more) for old, new, more in zip(shown, figures, missing, strict=True)]

    def modes(self) -> list[Mode]:
        """The modes in which anything was ever asked for."""
        return list(self._shown)

    def of(self, mode: Mode) -> dict[str, float]:
        """The figures of a mode by their names in ``Tally``, without the histograms."""
        return dict(zip(SUMS, self._shown[mode], strict=False))

    def histogram(self, mode: Mode, which: str) -> list[float]:
        """The entries of ``waits`` or ``holds`` (see ``Tally``), all 64."""
        first = len(SUMS) + (0 if which == "waits" else ENTRIES)
        return self._shown[mode][first : first + ENTRIES]


class Labels:
    """Who has a label, and what is counted under each.

    Args:
        bound: how many names may have one.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._counts: dict[str, dict[Mode, Counts]] = {}  # label -> what happened under it
        self._others: dict[Mode, Counts] = {}
        self._labelled: dict[Mode, Counts] = {}  # all that was ever counted under a label of its own
        self._known: dict[tuple[int, Mode], Counts] = {}  # number of a resource that exists -> what it had so far

    def label(self, name: str) -> str:
        """What ``name`` is counted under."""
        return name if name in self._counts else OTHERS

    def names(self) -> Iterable[str]:
        """The names that have a label."""
        return self._counts.keys()

    def counts(self) -> dict[tuple[str, Mode], Counts]:
        """What happened, by label and mode."""
        named = {(name, mode): counts for name, modes in self._counts.items() for mode, counts in modes.items()}
        return named | {(OTHERS, mode): counts for mode, counts in self._others.items()}

    def take(self, scene: Scene, totals: Totals) -> None:
        """Take in a whole picture, after ``totals`` did."""
        self._choose(scene)
        known = {}
        for view in scene.resources:
            modes = self._counts.get(view.resource.name)
            for tally in view.tallies:
                place = (view.resource.number, tally.mode)
                known[place] = now = _counts(tally)
                if modes is not None:
                    more = _less(now, self._known.get(place, NOTHING))
                    modes[tally.mode] = _plus(modes.get(tally.mode, NOTHING), more)
                    self._labelled[tally.mode] = _plus(self._labelled.get(tally.mode, NOTHING), more)
        self._known = known
        for mode in totals.modes():
            figures = totals.of(mode)
            everything = tuple(figures[name] for name in ("requests", "grants", "wait_sum", "hold_sum"))
            rest = _less(everything, self._labelled.get(mode, NOTHING))
            self._others[mode] = tuple(map(max, self._others.get(mode, NOTHING), rest))

    def _choose(self, scene: Scene) -> None:
        """Give labels to the hottest: while there is room to anybody, then in place of those that are much colder."""
        heat: dict[str, int] = {}
        for view in scene.resources:
            name = view.resource.name
            heat[name] = heat.get(name, 0) + sum(tally.requests for tally in view.tallies)
        newcomers = [name for name in heat if name not in self._counts]  # in the order of their numbers
        newcomers.sort(key=lambda name: -heat[name])
        for name in newcomers:
            if len(self._counts) >= self._bound:
                coldest = min(self._counts, key=lambda name: heat.get(name, ENDED), default=None)
                if coldest is None or heat[name] <= MUCH * heat.get(coldest, ENDED):
                    return
                del self._counts[coldest]
            self._counts[name] = {}


def _figures(tally: Tally) -> list[float]:
    """All that can be added up of a tally as one row."""
    row = [getattr(tally, name) for name in SUMS]
    for entries in (tally.waits, tally.holds):
        row += [*entries, *[0] * (ENTRIES - len(entries))]
    return row


def _counts(tally: Tally) -> Counts:
    return (tally.requests, tally.grants, tally.wait_sum, tally.hold_sum)


def _plus(one: Counts, other: Counts) -> Counts:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _less(one: Counts, other: Counts) -> Counts:
    return tuple(max(0, a - b) for a, b in zip(one, other, strict=True))
