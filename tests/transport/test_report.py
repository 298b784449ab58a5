"""The one document for programs, and the few lines for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.enums import Mode, Order
from holdfast.transport.picture import Scene, bucket
from holdfast.transport.records import Member
from holdfast.transport.report import as_json, document, instant, matches, summary
from scenes import INCUBATOR, NOW, WALL, holder, parked, resource, scene, tally, waiter

FULL = scene(
    INCUBATOR,
    Member(3, "locker", 78, 80.0, 0),
    resource("printer"),
    holder("aa"),
    waiter("cc", arrival=9, pid=4713, left=7.0),
    waiter("bb", arrival=8, blockers=("aa",), inside=("ee",)),
    tally(),
    tally(place=0, requests=5),
    resource("pool[8]", 5, idle=-1.0, order=Order.FIRST_FIT),
    holder("ff", "pool[8]", 5, quantity=3),
    parked("dd"),
)


def told(shown: Scene, pattern: str = "", *, now: float = NOW) -> dict[str, Any]:
    """The document, as a program reads it."""
    read = json.loads(as_json(document(shown, now, WALL + now - NOW, pattern=pattern)))
    assert isinstance(read, dict)
    return read


def names(shown: Scene, pattern: str) -> list[str]:
    return [one["name"] for one in told(shown, pattern)["resources"]]


def test_a_document_says_its_version_and_its_instant() -> None:
    read = told(FULL)
    assert (read["v"], read["ts"], read["number"]) == (1, "2026-11-20T19:34:58.250Z", 1)
    assert list(read) == ["v", "ts", "number", "daemon", "resources", "parked", "actors", "ended"]


def test_a_resource_is_told_with_everybody_in_its_line() -> None:
    printer, pool = told(FULL)["resources"]
    assert [one["session"] for one in printer["holders"]] == ["aa"]
    assert [(one["session"], one["position"]) for one in printer["waiters"]] == [("bb", 1), ("cc", 2)]
    assert (printer["type"], printer["mode"], printer["capacity"], printer["in_use"]) == ("simple", "EX", None, 1)
    assert (pool["type"], pool["capacity"], pool["in_use"], pool["order"]) == ("numeric", 8, 3, "first-fit")
    assert (printer["idle"], pool["idle"]) == (2.0, None)


def test_every_beginning_is_told_as_an_instant_and_as_a_time() -> None:
    read = told(FULL, now=NOW + 1)
    (printer, _), actors = read["resources"], read["actors"]
    both = [(one["since"], one["elapsed"]) for one in (printer, *printer["holders"], *read["parked"], *actors)]
    assert both == [
        ("2026-11-20T19:33:58.250Z", 61.0),
        ("2026-11-20T19:34:48.250Z", 11.0),
        ("2026-11-20T19:34:53.250Z", 6.0),
        ("2026-11-20T19:33:28.250Z", 91.0),
        ("2026-11-20T19:33:38.250Z", 81.0),
    ]


def test_a_waiter_says_for_whom_and_how_long_it_waits() -> None:
    first, second = told(FULL, now=NOW + 2)["resources"][0]["waiters"]
    assert (first["wait"], first["left"], first["blockers"], first["inside"]) == (7.0, None, ["aa"], ["ee"])
    assert (second["wait"], second["left"], second["token"]) == (7.0, 5.0, None)


def test_the_time_left_is_never_below_nothing() -> None:
    assert told(FULL, now=NOW + 60)["resources"][0]["waiters"][1]["left"] == 0.0


def test_a_holder_says_how_long_it_had_waited() -> None:
    shown = scene(resource("a.b"), holder("x", "a.b", waited=1.23456, element="b", token=9, key="alice"))
    (claim,) = told(shown)["resources"][0]["holders"]
    assert (claim["wait"], claim["left"], claim["element"], claim["token"]) == (1.235, None, "b", 9)
    assert (claim["standing"], claim["position"], claim["key"]) == ("holds", None, "alice")


def test_a_parked_session_is_told_beside_the_resources() -> None:
    (claim,) = told(FULL)["parked"]
    assert (claim["resource"], claim["standing"], claim["position"]) == ("disk", "parked", 1)


def test_processes_are_told_and_the_daemon_first() -> None:
    read = told(FULL)
    assert read["daemon"] == read["actors"][0]
    assert [(one["role"], one["pid"], one["number"]) for one in read["actors"]] == [
        *(("incubator", 77, 0), ("locker", 78, 3))
    ]
    assert told(scene())["daemon"] is None


def test_who_waits_and_who_holds_now_counts_by_its_age() -> None:
    counters = told(FULL)["resources"][0]["counters"]["EX"]
    assert (counters["requests"], counters["grants"]) == (1, 1)
    assert counters["wait"]["count"] == 3
    assert (counters["wait"]["sum"], counters["wait"]["max"]) == (10.5, 5.0)
    assert counters["wait"]["histogram"][bucket(5.0)] == 2
    assert (counters["hold"]["count"], counters["hold"]["max"]) == (1, 10.0)


def test_what_has_ended_is_counted() -> None:
    assert told(FULL)["ended"]["EX"]["requests"] == 5


def test_half_a_character_is_an_escape() -> None:
    shown = scene(resource("printer"), waiter("a", command="cat \udcff"))
    text = as_json(document(shown, NOW, WALL))
    assert '"command": "cat \\udcff"' in text
    assert text.isascii()


def test_what_is_no_number_is_null() -> None:
    shown = scene(resource("printer", idle=inf), holder("a", waited=inf), waiter("b", left=inf), tally(wait_sum=inf))
    (printer,) = told(shown)["resources"]
    assert (printer["idle"], printer["holders"][0]["wait"], printer["waiters"][0]["left"]) == (None, None, None)
    assert printer["counters"]["EX"]["wait"]["sum"] is None
    with pytest.raises(ValueError, match="JSON"):
        as_json({"wait": inf})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["printer", "licence[5]", "/disk"]),
        ("printer", ["printer"]),
        ("print", []),
        ("p*", ["printer"]),
        ("?rinte?", ["printer"]),
        ("licence[5]", ["licence[5]"]),
        ("licence[*]", ["licence[5]"]),
        ("*", ["printer", "licence[5]", "/disk"]),
        ("/disk", ["/disk"]),
        ("/disk/", ["/disk"]),
        ("/disk/home", ["/disk"]),
        ("/disk/home/*", ["/disk"]),
        ("/disk/other", []),
        ("/dis", []),
    ],
)
def test_a_pattern_chooses_resources_by_their_names_and_by_what_was_asked(pattern: str, expected: list[str]) -> None:
    shown = scene(
        resource("printer"),
        resource("licence[5]", 5),
        resource("/disk", 7, asked="/disk/home/alice"),
        waiter("a", "/disk/home/bob", 7),
    )
    assert names(shown, pattern) == expected


def test_a_pattern_chooses_among_the_parked_as_well() -> None:
    shown = scene(parked("a"), parked("b", "tape"), INCUBATOR)
    read = told(shown, "ta*")
    assert [one["resource"] for one in read["parked"]] == ["tape"]
    assert read["actors"]


def test_brackets_are_no_classes() -> None:
    assert not matches("licence5", "licence[5]")
    assert not matches("licence5", "licence[?]")
    assert matches("licence[5]", "*[5]")


@given(st.floats(0, 4e9))
def test_an_instant_is_what_the_library_would_write(wall: float) -> None:
    read = datetime.fromisoformat(instant(wall))
    assert read.tzinfo == UTC
    assert abs(read.timestamp() - wall) <= 0.000501
    assert len(instant(wall)) == len("2026-11-20T21:39:15.123Z")


def test_an_instant_does_not_end_with_a_thousand_milliseconds() -> None:
    assert instant(1.9996) == "1970-01-01T00:00:02.000Z"


def test_a_summary_counts_and_names_the_worst() -> None:
    assert summary(FULL, NOW + 30) == (
        "2 resources, 2 hold, 2 wait, 1 parked\n"
        "longest wait: bob on node1, pid 4712 waits for printer for 35s\n"
        "longest line: printer, 2 wait\n"
    )


def test_a_summary_of_one_is_told_of_one() -> None:
    assert summary(scene(resource("printer"), holder("a"), waiter("b")), NOW) == (
        "1 resource, 1 holds, 1 waits\n"
        "longest wait: bob on node1, pid 4712 waits for printer for 5.0s\n"
        "longest line: printer, 1 waits\n"
    )


def test_a_summary_of_nothing_is_one_line() -> None:
    assert summary(scene(), NOW) == "0 resources, 0 hold, 0 wait\n"


def test_a_summary_names_what_is_refused_and_obeys_nobody() -> None:
    shown = scene(
        resource("printer", refused="its process died\x1b[2J"),
        resource("tape", 5),
        waiter("a", "tape", 5, user="\x1b]0;gone\x07", mode=Mode.PR),
    )
    told_lines = summary(shown, NOW)
    assert "refused: printer: its process died\\x1b[2J\n" in told_lines
    assert "longest wait: \\x1b]0;gone\\x07 on node1" in told_lines
    assert "1 waits\n" in told_lines
