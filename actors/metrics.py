"""The picture as metrics: families of Prometheus's data model, made anew for whoever reads them.

The rule: names in the field's style, all times in seconds, a counter never falls (``labels.py``), and what goes on is
told by gauges, because it has not been counted yet. A histogram has the same buckets at all times: powers of two of
microseconds from 64 µs to 19 hours.

The only importer of ``prometheus_client``, which is an optional extra: nobody but ``metrics_process.py`` imports this
file, and the fork server does not.

Source: https://prometheus.io/docs/practices/naming, https://prometheus.io/docs/specs/om/open_metrics_spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..transport.picture import Scene
from .labels import OTHERS, Labels, Totals, settling

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SHORTEST, LONGEST = 6, 36  # the buckets: powers of two of microseconds
OUTCOMES = {"granted": "grants", "refused": "refused", "timed_out": "timed_out", "withdrawn": "withdrawn"}
CAUSES = ("released", "failed", "vanished", "lost")
BLIND = b"the daemon's registry does not answer; its log says why\n"


@dataclass(frozen=True, slots=True)
class View:
    """What is known at one moment."""

    scene: Scene
    age: float  # seconds by which it was late when it was told, or by which the next word is overdue, if that is more
    now: float  # monotonic seconds


class Metrics(Collector):
    """Whoever reads gets what is known now.

    Args:
        look: what is known now; None: nothing, because nobody tells us.
        bound: how many resource names may become labels.
        version: of this program.
    """

    def __init__(self, look: Callable[[], View | None], *, bound: int, version: str) -> None:
        self._look = look
        self._version = version
        self._lock = Lock()  # several may read at the same time
        self._labels = Labels(bound)
        self._totals = Totals()
        self._restarts: dict[str, int] = {}
        self._anew = False
        self.reads = 0

    def labels(self) -> list[str]:
        """The resource names that are labels."""
        with self._lock:
            return list(self._labels.names())

    def note(self) -> View | None:
        """Look and count. Done once a second, so that a name keeps what was counted while nobody read."""
        with self._lock:
            return self._note()

    def _note(self) -> View | None:
        view = self._look()
        if view is None:
            return None
        for told in view.scene.members:
            role, restarts = told.member.role, told.member.restarts
            self._restarts[role] = max(restarts, self._restarts.get(role, 0))
        if settling(view.scene, view.now):
            self._anew = True
        else:
            self._totals.take(view.scene, anew=self._anew)
            self._labels.take(view.scene, self._totals)
            self._anew = False
        return view

    def collect(self) -> Iterable[Metric]:
        """All families; only the program's version if nobody tells us more."""
        with self._lock:
            self.reads += 1
            view = self._note()
            families: list[Metric] = [
                InfoMetricFamily("holdfast_build", "The program that tells this.", {"version": self._version})
            ]
            if view is not None:
                families += [*self._now(view), *self._so_far(), *self._daemon(view)]
        return families

    def _now(self, view: View) -> Iterator[Metric]:
        """What goes on: who holds and waits."""
        labels = ["resource", "mode"]
        held = GaugeMetricFamily("holdfast_held", "Sessions that hold the resource.", labels=labels)
        waiting = GaugeMetricFamily("holdfast_waiting", "Sessions that wait for the resource.", labels=labels)
        here = dict.fromkeys(self._labels.counts(), (0, 0))
        longest = dict.fromkeys((*self._labels.names(), OTHERS), 0.0)
        for resource in view.scene.resources:
            label = self._labels.label(resource.resource.name)
            for claim in (*resource.holders, *resource.waiters):
                holds, waits = here.get((label, claim.claim.mode), (0, 0))
                more = (holds, waits + 1) if claim.position else (holds + 1, waits)
                here[label, claim.claim.mode] = more
                if claim.position:
                    longest[label] = max(longest[label], view.now - claim.since_at)
        for (label, mode), (holds, waits) in sorted(here.items()):
            held.add_metric([text(label), mode.name], holds)
            waiting.add_metric([text(label), mode.name], waits)
        yield held
        yield waiting
        oldest = GaugeMetricFamily(
            "holdfast_longest_wait_seconds",
            "How long the first comer has been waiting; 0: nobody waits.",
            labels=labels[:1],
        )
        for label, seconds in sorted(longest.items()):
            oldest.add_metric([text(label)], seconds)
        yield oldest

    def _so_far(self) -> Iterator[Metric]:
        """What was counted."""
        yield from self._by_resource()
        modes = self._totals.modes()
        ended = CounterMetricFamily("holdfast_ended", "Requests that ended so.", labels=["outcome", "mode"])
        releases = CounterMetricFamily("holdfast_releases", "Locks that ended so.", labels=["cause", "mode"])
        waits = HistogramMetricFamily("holdfast_wait_seconds", "How long who was granted had waited.", labels=["mode"])
        holds = HistogramMetricFamily("holdfast_hold_seconds", "How long it was held.", labels=["mode"])
        for mode in modes:
            figures = self._totals.of(mode)
            for outcome, name in OUTCOMES.items():
                ended.add_metric([outcome, mode.name], figures[name])
            for cause in CAUSES:
                releases.add_metric([cause, mode.name], figures[cause])
            waits.add_metric([mode.name], buckets(self._totals.histogram(mode, "waits")), figures["wait_sum"])
            holds.add_metric([mode.name], buckets(self._totals.histogram(mode, "holds")), figures["hold_sum"])
        yield from (ended, releases, waits, holds)

    def _by_resource(self) -> Iterator[Metric]:
        families = [
            CounterMetricFamily(f"holdfast_{name}", about, labels=["resource", "mode"])
            for name, about in (
                ("requests", "Requests, whatever became of them."),
                ("grants", "Requests that were granted."),
                ("waited_seconds", "Time that who was granted had waited, together."),
                ("held_seconds", "Time for which it was held, together; without what is held now."),
            )
        ]
        for (label, mode), counts in sorted(self._labels.counts().items()):
            for family, count in zip(families, counts, strict=True):
                family.add_metric([text(label), mode.name], count)
        yield from families

    def _daemon(self, view: View) -> Iterator[Metric]:
        """The daemon itself."""
        scene = view.scene
        resources = GaugeMetricFamily("holdfast_resources", "Resources that exist.", labels=["state"])
        refused = sum(1 for one in scene.resources if one.resource.refused)
        resources.add_metric(["served"], len(scene.resources) - refused)
        resources.add_metric(["refused"], refused)
        yield resources
        yield GaugeMetricFamily(
            "holdfast_parked", "Sessions that wait until somebody creates their resource.", len(scene.parked)
        )
        actors = GaugeMetricFamily("holdfast_actors", "Processes of the daemon.", labels=["role"])
        restarts = CounterMetricFamily("holdfast_restarts", "Times a process was started again.", labels=["role"])
        roles = [one.member.role for one in scene.members]
        for role, count in sorted(self._restarts.items()):
            actors.add_metric([role], roles.count(role))
            restarts.add_metric([role], count)
        yield actors
        yield restarts
        yield GaugeMetricFamily(
            "holdfast_picture_age_seconds",
            "By how much the last news came late, or the next are overdue.",
            round(view.age, 6),
        )


def buckets(entries: list[float]) -> list[tuple[str, float]]:
    """The histogram of ``Tally`` as Prometheus counts: at most so many seconds, and all that is less."""
    sums = list(accumulate(entries))
    return [(repr(2**n / 1e6), sums[n]) for n in range(SHORTEST, LONGEST + 1)] + [("+Inf", sums[-1])]


def text(name: str) -> str:
    """A name that can be written as UTF-8: what cannot be becomes ``\\udcXX``, and no name has a backslash."""
    return name.encode("utf-8", "backslashreplace").decode()


def application(metrics: Metrics) -> WSGIApplication:
    """What a web server serves: the metrics, or that there are none now (status 503)."""
    registry = CollectorRegistry()
    registry.register(metrics)
    serve: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if metrics.note() is None:
            start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [BLIND]
        return serve(environ, start_response)

    return answer
