"""What the suite found, as JSON, as a page and as charts.

The rule: ratios are the result, because absolute times say as much about the machine; a system that was not there is
listed as missing; a figure is the median over the rounds, with the smallest and the largest beside it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
NOTES = ROOT / "docs" / "performance-notes.md"
PACKAGES = ("pyzmq", "msgpack", "click", "redis", "kazoo", "etcd3gw", "filelock")
PROGRAMS = (("redis-server", "--version"), ("etcd", "--version"), ("flock", "--version"), ("sem", "--version"))


@dataclass
class Scenario:
    """One scenario: for each system, figures by name, one value a round."""

    key: str
    title: str
    charted: str  # the figure that the chart shows
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)

    def note(self, system: str, figures: Mapping[str, float]) -> None:
        """Add one round's figures."""
        known = self.figures.setdefault(system, {})
        for name, value in figures.items():
            known.setdefault(name, []).append(value)

    def middle(self, system: str, figure: str) -> float | None:
        """The median of a figure over the rounds; None if it was not measured."""
        values = self.figures.get(system, {}).get(figure)
        return median(values) if values else None

    def aim(self, what: str, value: float | None, *, least: float | None = None, most: float | None = None) -> None:
        """Note a ratio that is to be reached; None: somebody it needs was not there."""
        self.aims.append(Aim(self.key, what, value, least, most))


@dataclass(frozen=True)
class Aim:
    """A ratio, and what it should be."""

    key: str
    what: str
    value: float | None
    least: float | None
    most: float | None

    @property
    def reached(self) -> str:
        if self.value is None:
            return "not measured"
        low = self.least is not None and self.value < self.least
        high = self.most is not None and self.value > self.most
        return "no" if low or high else "yes"

    def row(self) -> str:
        wanted = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        value = "-" if self.value is None else f"{self.value:.3g}"
        return f"| {self.key} | {self.what} | {value} | {wanted} | {self.reached} |"


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """``ours`` by ``theirs``, if both are known."""
    return None if ours is None or not theirs else ours / theirs


def table(scenario: Scenario) -> str:
    """One scenario as a table: a row a system, a column a figure."""
    names = list(dict.fromkeys(name for figures in scenario.figures.values() for name in figures))
    lines = [f"### {scenario.key} {scenario.title}", ""]
    lines += ["| | " + " | ".join(names) + " |", "|--|" + "--|" * len(names)]
    for system, figures in scenario.figures.items():
        lines.append(f"| {system} | " + " | ".join(_spread(figures.get(name, [])) for name in names) + " |")
    lines += [f"| {system} | missing: {why}" + " |" * len(names) for system, why in scenario.missing.items()]
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{_short(values[0])} (one round)"
    return f"{_short(median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def page(scenarios: list[Scenario], facts: Mapping[str, str], notes: str) -> str:
    """The whole of docs/performance.md."""
    lines = [
        "# How fast it is",
        "",
        "This page is written by `make bench`; do not edit it. To repeat it: `make bench`,",
    ]
    lines += ["as root on Debian (it installs the other systems, and starts each of them itself, on loopback).", ""]
    lines += ["All systems of a scenario ran in turns in one run. Figures are medians over the rounds, and in brackets"]
    lines += ["the smallest and the largest. Ratios are the result; absolute figures are this machine's.", ""]
    lines += ["## What was to be reached", "", "| | ratio or figure | found | wanted | reached |", "|--|--|--|--|--|"]
    lines += [aim.row() for scenario in scenarios for aim in scenario.aims]
    lines += ["", "## Where", "", *(f"- {name}: {value}" for name, value in facts.items()), "", "## Scenarios", ""]
    lines += [text for scenario in scenarios for text in (table(scenario), "")]
    return "\n".join([*lines, notes.strip()]).rstrip() + "\n"


def facts() -> dict[str, str]:
    """The machine, and the versions of everything that ran."""
    cpu = [line.partition(":")[2].strip() for line in _text("/proc/cpuinfo").splitlines() if "model name" in line]
    found = {
        "machine": f"{os.cpu_count()} CPUs: {cpu[0] if cpu else platform.machine()}, Linux {platform.release()}",
        "Python": platform.python_version(),
        "commit": _said("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found | {words[0]: _said(*words) for words in PROGRAMS}


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _said(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.partition("\n")[0].strip()
    except OSError:
        return "missing"


def write(scenarios: list[Scenario]) -> None:
    """Write the results, a chart for each scenario, and docs/performance.md."""
    RESULTS.mkdir(exist_ok=True)
    where = facts()
    document = {"facts": where, "scenarios": [asdict(scenario) for scenario in scenarios]}
    (RESULTS / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / "table.md").write_text("\n\n".join(map(table, scenarios)) + "\n")
    for scenario in scenarios:
        chart(scenario)
    notes = NOTES.read_text() if NOTES.exists() else ""
    (ROOT / "docs" / "performance.md").write_text(page(scenarios, where, notes))


def chart(scenario: Scenario) -> None:
    """One bar a system, on a logarithmic scale, in an SVG file; none where pygal is not installed."""
    try:
        import pygal  # type: ignore[import-not-found,import-untyped,unused-ignore]  # no types of its own
    except ImportError:
        return
    bars = pygal.HorizontalBar(title=f"{scenario.key} {scenario.title}", x_title=scenario.charted, logarithmic=True)
    for system in scenario.figures:
        bars.add(system, scenario.middle(system, scenario.charted))
    bars.render_to_file(str(RESULTS / f"{scenario.key}.svg"))
