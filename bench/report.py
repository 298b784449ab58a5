"""What the suite found, as JSON, as a page and as charts.

The rule: ratios are the result, because absolute times say as much about the machine; each is taken round by round, so
that what disturbs the machine disturbs both sides. A figure is the median over the rounds, with the smallest and the
largest beside it. Who is missing, who failed and what was not reached is written down like the rest.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from facts import facts

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
CHARTS = ROOT / "docs" / "performance"
NOTES = ROOT / "docs" / "performance-notes.md"
SCENARIOS = 12  # that the page has; a run of fewer does not write it
START, END = 100, 200  # characters that are kept of a long reason
SCRIPT = re.compile(r"<script.*?(?:/>|</script>)", re.DOTALL)
INTRODUCTION = """# How fast it is

This page is written by `make bench`; do not edit it. To repeat it: `make bench`, as root on Debian, on a machine that
does nothing else (it installs the other systems, and starts each of them itself, on loopback).

All systems of a scenario ran in turns in one run, each used by the client that its users use; Holdfast was installed
from its built wheel. A figure is the median over the rounds, and in brackets stand the smallest and the largest. Ratios
are the result; absolute figures are this machine's. What was missed is explained at the end.
"""


@dataclass
class Scenario:
    """One scenario: for each system, figures by name, one value a round."""

    key: str
    title: str
    charted: str  # the figure that the chart shows
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)
    broken: str = ""  # why it has no result

    def note(self, system: str, figures: Mapping[str, float]) -> None:
        """Add one round's figures."""
        known = self.figures.setdefault(system, {})
        for name, value in figures.items():
            known.setdefault(name, []).append(value)

    def values(self, system: str, figure: str) -> list[float]:
        """A figure, round by round; empty if it was not measured."""
        return self.figures.get(system, {}).get(figure, [])

    def ratios(self, figure: str, one: str, other: str) -> list[float]:
        """One system's figure by another's, round by round; empty if one of them has none."""
        return by_round(self.values(one, figure), self.values(other, figure))

    def aim(self, what: str, values: Sequence[float], *, least: float | None = None, most: float | None = None) -> None:
        """Note what is to be reached, and its value in each round; none: somebody it needs was not there."""
        self.aims.append(Aim(self.key, what, tuple(values), least, most))


@dataclass(frozen=True)
class Aim:
    """A ratio or a figure, round by round, and what its median should be."""

    key: str
    what: str
    values: tuple[float, ...]
    least: float | None
    most: float | None

    @property
    def reached(self) -> str:
        if not self.values:
            return "not measured"
        middle = median(self.values)
        low = self.least is not None and middle < self.least
        high = self.most is not None and middle > self.most
        return "missed" if low or high else "met"

    def row(self) -> str:
        wanted = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return f"| {self.key} | {self.what} | {spread(self.values)} | {wanted} | {self.reached} |"


def by_round(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Ratios of figures that were measured in the same rounds."""
    return [one / other for one, other in zip(ones, others, strict=False) if other]


def spread(values: Sequence[float]) -> str:
    """The median, and the smallest and the largest."""
    if not values:
        return "-"
    if len(values) == 1:
        return f"{_short(values[0])} (one round)"
    return f"{_short(median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cell(why: str) -> str:
    """Somebody's words in one cell of a table: in one line, of a long log its beginning and its end."""
    line = " ".join(why.split())
    if len(line) > START + END:
        line = f"{line[:START]} … {line[-END:]}"
    return line.replace("|", r"\|")


def table(scenario: Scenario) -> str:
    """One scenario as a table: a row a system, a column a figure."""
    names = list(dict.fromkeys(name for figures in scenario.figures.values() for name in figures))
    lines = [f"### {scenario.key} {scenario.title}", ""]
    if scenario.broken:
        lines += [f"No result: {_cell(scenario.broken)}", ""]
    names = names or [scenario.charted]  # a table has a column, though nothing was measured
    lines += ["| | " + " | ".join(names) + " |", "|--|" + "--|" * len(names)]
    for system, figures in scenario.figures.items():
        lines.append(f"| {system} | " + " | ".join(spread(figures.get(name, [])) for name in names) + " |")
    lines += [f"| {system} | missing: {_cell(why)}" + " |" * len(names) for system, why in scenario.missing.items()]
    lines += [f"| {system} | failed: {_cell(why)}" + " |" * len(names) for system, why in scenario.failed.items()]
    return "\n".join(lines)


def page(scenarios: Sequence[Scenario], where: Mapping[str, str], charts: Sequence[str], notes: str) -> str:
    """The whole of docs/performance.md; ``charts`` are the keys of the scenarios that have one."""
    lines = [INTRODUCTION, "## What was to be reached", ""]
    lines += ["| | ratio or figure | found | wanted | |", "|--|--|--|--|--|"]
    for scenario in scenarios:
        lines += [aim.row() for aim in scenario.aims]
        if scenario.broken:
            lines.append(f"| {scenario.key} | no result: {_cell(scenario.broken)} | - | - | not measured |")
    lines += ["", "## Where", "", *(f"- {name}: {value}" for name, value in where.items())]
    lines += ["", "## How each was used", "", *_used(scenarios), "", "## Scenarios", ""]
    for scenario in scenarios:
        lines += [table(scenario), ""]
        if scenario.key in charts:
            lines += [f"![{scenario.title}: {scenario.charted}](performance/{scenario.key}.svg)", ""]
    return "\n".join([*lines, notes.strip()]).rstrip() + "\n"


def _used(scenarios: Sequence[Scenario]) -> list[str]:
    how = {name: words for scenario in scenarios for name, words in scenario.how.items()}
    return [f"- {name}: {words}" for name, words in how.items()]


def write(scenarios: Sequence[Scenario]) -> None:
    """Write the results and a chart for each scenario; and docs/performance.md, if it was a whole run."""
    ordered = sorted(scenarios, key=lambda scenario: int(scenario.key[1:]))
    RESULTS.mkdir(exist_ok=True)
    where = facts(ROOT)
    document = {"facts": where, "scenarios": [asdict(scenario) for scenario in ordered]}
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / "table.md").write_text("\n\n".join(map(table, ordered)) + "\n")
    charts = [scenario.key for scenario in ordered if chart(scenario, RESULTS)]
    if len(ordered) == SCENARIOS:
        CHARTS.mkdir(exist_ok=True)
        for key in charts:
            shutil.copy(RESULTS / f"{key}.svg", CHARTS)
        PAGE.write_text(page(ordered, where, charts, NOTES.read_text() if NOTES.exists() else ""))


def chart(scenario: Scenario, directory: Path) -> bool:
    """One bar a system, on a logarithmic scale, in an SVG file; False if there is nothing to draw, or no pygal."""
    values = {system: scenario.values(system, scenario.charted) for system in scenario.figures}
    bars = {system: median(some) for system, some in values.items() if some and median(some) > 0}
    try:
        import pygal  # type: ignore[import-not-found,import-untyped,unused-ignore]  # no types of its own
    except ImportError:
        return False
    if not bars:
        return False
    drawn = pygal.HorizontalBar(
        title=f"{scenario.key} {scenario.title}: {scenario.charted}",
        logarithmic=True,
        show_legend=False,
        no_prefix=True,
        print_values=True,
        value_formatter=_short,
        height=120 + 36 * len(bars),
    )
    drawn.x_labels = list(reversed(bars))
    drawn.add("", list(reversed(bars.values())))
    picture = SCRIPT.sub("", drawn.render(is_unicode=True))  # it is a picture: nothing is fetched, nothing runs
    (directory / f"{scenario.key}.svg").write_text(picture)
    return True
