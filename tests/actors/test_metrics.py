"""The picture as metrics, as a reader of both formats understands them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from wsgiref.types import StartResponse

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import scenes
from holdfast.actors.labels import OTHERS
from holdfast.actors.metrics import Metrics, View, application, buckets, text
from holdfast.transport.enums import Mode
from holdfast.transport.picture import Scene, bucket
from holdfast.transport.records import Member, Record, Tally
from scenes import NOW, holder, parked, resource, scene, waiter

PRINTER = resource("printer")
NONE = {"requests": 0, "grants": 0, "wait_sum": 0.0, "wait_max": 0.0, "waits": ()}


def tally(number: int, mode: Mode = Mode.EX, **figures: object) -> Tally:
    """What was counted at the resource of this number, and nothing else; 0: at all that have ended."""
    return scenes.tally(number, mode, **{**NONE, **figures})


class Desk:
    """Metrics of scenes that a test hands in."""

    def __init__(self, *records: Record, bound: int = 200) -> None:
        self.view: View | None = View(scene(*records), 0.0123456789, NOW)
        self.metrics = Metrics(lambda: self.view, bound=bound, version="1.2")

    def show(self, told: Scene, now: float = NOW) -> None:
        self.view = View(told, 0.0, now)

    def read(self) -> dict[str, float]:
        """Every sample by its name and the values of its labels, in the order of the labels' names."""
        return samples(self.metrics.collect())


def samples(families: Iterable[Metric]) -> dict[str, float]:
    found = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(value for _, value in sorted(sample.labels.items()))
            name = f"{sample.name} {labels}".strip()
            assert name not in found
            found[name] = sample.value
    return found


def registry(metrics: Metrics) -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(metrics)
    return made


EVERYTHING: list[Record] = [
    PRINTER,
    resource("/disk", 5),
    resource("burnt", 6, refused="its locker died"),
    tally(
        3,
        **{"requests": 9, "grants": 4, "refused": 2, "timed_out": 1, "released": 1, "failed": 1, "vanished": 1},
        **{"wait_sum": 1.5, "waits": (1, 0, 0, 3), "hold_sum": 2.5, "holds": (0, 1, 1, 1)},
    ),
    tally(5, Mode.PR, requests=2, grants=2),
    tally(0, requests=5, grants=3, withdrawn=2, lost=3, wait_sum=0.5, waits=(0, 0, 0, 0, 0, 0, 0, 3)),
    holder("a"),
    waiter("b", age=40.0, arrival=1),
    waiter("c", age=4.0, arrival=2),
    holder("d", "/disk", 5, mode=Mode.PR),
    holder("e", "/disk", 5, mode=Mode.PR),
    parked("f", "later"),
    *(Member(0, "incubator", 7, 9.0, 0), Member(1, "locker", 8, 9.0, 0), Member(2, "locker", 9, 9.0, 0)),
    Member(3, "registry", 9, 9.0, 2),
]


def test_who_holds_and_waits_is_told_by_resource_and_mode() -> None:
    read = Desk(*EVERYTHING).read()
    assert read["holdfast_held EX,printer"] == 1
    assert read["holdfast_waiting EX,printer"] == 2
    assert read["holdfast_held PR,/disk"] == 2
    assert read["holdfast_longest_wait_seconds printer"] == 40.0
    assert read["holdfast_longest_wait_seconds /disk"] == 0.0
    assert read["holdfast_parked"] == 1
    assert read["holdfast_resources served"] == 2
    assert read["holdfast_resources refused"] == 1


def test_what_was_counted_is_told_by_resource_and_in_all() -> None:
    read = Desk(*EVERYTHING).read()
    assert read["holdfast_requests_total EX,printer"] == 9
    assert read["holdfast_grants_total EX,printer"] == 4
    assert read["holdfast_waited_seconds_total EX,printer"] == 1.5
    assert read["holdfast_held_seconds_total EX,printer"] == 2.5
    assert read[f"holdfast_requests_total EX,{OTHERS}"] == 5
    ended = {name: read[f"holdfast_ended_total EX,{name}"] for name in ("granted", "refused", "timed_out", "withdrawn")}
    assert ended == {"granted": 7, "refused": 2, "timed_out": 1, "withdrawn": 2}
    releases = {name: read[f"holdfast_releases_total {name},EX"] for name in ("released", "failed", "vanished", "lost")}
    assert releases == {"released": 1, "failed": 1, "vanished": 1, "lost": 3}


def test_the_daemon_itself_is_told() -> None:
    read = Desk(*EVERYTHING).read()
    assert (read["holdfast_actors locker"], read["holdfast_actors registry"]) == (2, 1)
    assert (read["holdfast_restarts_total registry"], read["holdfast_restarts_total locker"]) == (2, 0)
    assert read["holdfast_picture_age_seconds"] == 0.012346
    assert read["holdfast_build_info 1.2"] == 1


def test_restarts_do_not_fall_while_the_actor_is_away() -> None:
    desk = Desk(Member(3, "registry", 9, 9.0, 2))
    desk.read()
    desk.show(scene())
    assert desk.read()["holdfast_restarts_total registry"] == 2
    assert desk.read()["holdfast_actors registry"] == 0


def test_a_histogram_counts_all_that_took_at_most_so_long() -> None:
    read = Desk(*EVERYTHING).read()
    assert read["holdfast_wait_seconds_bucket 6.4e-05,EX"] == 4
    assert read["holdfast_wait_seconds_bucket 0.000128,EX"] == 7
    assert read["holdfast_wait_seconds_bucket +Inf,EX"] == read["holdfast_wait_seconds_count EX"] == 7
    assert read["holdfast_wait_seconds_sum EX"] == 2.0


@pytest.mark.parametrize("seconds", [0.0, 63e-6, 64e-6, 0.5, 3.0, 86400.0, 1e9])
def test_a_time_is_in_every_bucket_above_it_and_in_none_below(seconds: float) -> None:
    entries = [0.0] * 64
    entries[bucket(seconds)] = 1
    for limit, count in buckets(entries):
        assert count == (seconds < float(limit))


def test_a_name_without_resource_shows_nobody_there() -> None:
    desk = Desk(PRINTER, tally(3, requests=1), waiter("a"))
    desk.read()
    desk.show(scene(tally(0, requests=1)))
    read = desk.read()
    assert (read["holdfast_waiting EX,printer"], read["holdfast_longest_wait_seconds printer"]) == (0, 0)


def test_who_has_no_label_is_told_among_the_others() -> None:
    read = Desk(*EVERYTHING, bound=1).read()
    assert read[f"holdfast_held PR,{OTHERS}"] == 2
    assert "holdfast_held PR,/disk" not in read


def test_what_is_counted_while_nobody_reads_keeps_its_name() -> None:
    desk = Desk(PRINTER, tally(3, requests=4))
    desk.metrics.note()
    desk.show(scene(tally(0, requests=4)))
    assert desk.read()["holdfast_requests_total EX,printer"] == 4


def test_counters_stand_still_while_a_new_registry_asks_everybody() -> None:
    desk = Desk(*EVERYTHING)
    before = desk.read()
    desk.show(scene(PRINTER, tally(3, requests=1), Member(9, "registry", 10, 0.5, 3)))
    during = desk.read()
    desk.show(scene(PRINTER, tally(3, requests=10, grants=4), Member(9, "registry", 10, 5.0, 3)))
    after = desk.read()
    for name in before:
        if "_total" in name or "_bucket" in name:
            assert before[name] <= during[name] <= after[name]
    assert during["holdfast_requests_total EX,printer"] == 9
    assert after["holdfast_requests_total EX,printer"] == 10


def test_both_formats_can_be_read_and_say_the_same() -> None:
    desk = Desk(*EVERYTHING)
    plain = samples(parse_text(generate_latest(registry(desk.metrics)).decode()))
    rich = samples(parse_openmetrics(openmetrics(registry(desk.metrics)).decode()))
    assert plain == rich == desk.read()


def test_a_name_that_is_no_text_can_be_read_all_the_same() -> None:
    odd = "/\udcff \"'{}é"
    desk = Desk(resource(odd, 3), tally(3, requests=1))
    read = samples(parse_openmetrics(openmetrics(registry(desk.metrics)).decode()))
    assert read[f"holdfast_requests_total EX,{text(odd)}"] == 1
    assert text(odd) == "/\\udcff \"'{}é"


def test_two_resources_of_one_name_are_one_series() -> None:
    desk = Desk(PRINTER, resource("printer", 4), tally(3, requests=1), tally(4, requests=2))
    assert desk.read()["holdfast_requests_total EX,printer"] == 3


def ask(desk: Desk, **environ: str) -> tuple[str, bytes]:
    """What the web server would answer: status and body."""
    said: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
        said.append(status)

    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", **environ}
    body = b"".join(application(desk.metrics)(request, _as_start(start)))
    return said[0], body


def _as_start(function: object) -> StartResponse:
    return function  # type: ignore[return-value]  # nobody uses the old way of writing


def test_a_reader_who_knows_openmetrics_gets_it() -> None:
    status, body = ask(Desk(*EVERYTHING), HTTP_ACCEPT="application/openmetrics-text; version=1.0.0")
    assert status == "200 OK"
    assert body.endswith(b"# EOF\n")
    assert not ask(Desk(*EVERYTHING))[1].endswith(b"# EOF\n")


def test_while_nobody_tells_us_nothing_is_served() -> None:
    desk = Desk()
    desk.view = None
    status, body = ask(desk)
    assert status == "503 Service Unavailable"
    assert b"registry does not answer" in body
    assert desk.read() == {"holdfast_build_info 1.2": 1}


@pytest.mark.slow
def test_the_library_is_loaded_by_nobody_who_does_not_serve_metrics() -> None:
    code = "import sys, holdfast.cli.serve, holdfast.actors.preload; print('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
