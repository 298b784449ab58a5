"""Who is asked for a dump, who has answered, and who is told where it is."""

from __future__ import annotations

import json
from signal import SIGUSR1
from typing import Any

import pytest

from holdfast.actors.dumps import NO_ANSWER, PATIENCE
from holdfast.actors.lockers import PAUSE
from holdfast.transport.messages import Dump, Dumped, Fault, Report, Reported
from incubator_bench import PID, UID, A, B, Bench
from people import somebody


def house() -> Bench:
    """A locker (1) and a registry (2), both ready."""
    bench = Bench(pool=1, roles=["registry"])
    bench.ready(1)
    bench.ready(2)
    return bench


def report(bench: Bench, number: int, **facts: object) -> Any:
    return bench.said(number, Reported(json.dumps(facts)))


def test_everybody_is_asked_and_the_dump_is_written_when_all_have_answered() -> None:
    bench = house()
    assert bench.say(A, Dump()) == [(1, Report()), (2, Report())]
    assert report(bench, 1, sessions=3) == []
    assert report(bench, 2, feeds=2, picture="/run/picture") == [(A, Dumped("/run/dump-1.json"))]
    [(actors, picture)] = bench.files.written
    assert picture == "/run/picture"
    assert actors[0]["role"] == "incubator"
    assert actors[0]["pid"] == PID
    assert actors[1:] == [
        {"role": "locker", "pid": 4001, "number": 1, "statistics": {"sessions": 3}},
        {"role": "registry", "pid": 4002, "number": 2, "statistics": {"feeds": 2}},
    ]
    assert bench.incubator.wakes_at() is None


def test_who_does_not_answer_in_time_is_written_down_as_that() -> None:
    bench = house()
    bench.say(A, Dump())
    report(bench, 1)
    assert bench.wait(PATIENCE - 0.01) == []
    assert bench.wait(0.02) == [(A, Dumped("/run/dump-1.json"))]
    [(actors, picture)] = bench.files.written
    assert [actor["statistics"] for actor in actors[1:]] == [{}, NO_ANSWER]
    assert picture == ""


def test_who_dies_or_is_just_starting_is_not_waited_for() -> None:
    bench = house()
    bench.locate(B)
    bench.wait(PAUSE)  # a locker is started in place of the spare one
    assert bench.say(A, Dump()) == [(1, Report()), (2, Report())]
    report(bench, 2)
    assert (A, Dumped("/run/dump-1.json")) in bench.died(1)
    assert [actor["statistics"] for actor in bench.files.written[0][0][1:]] == [NO_ANSWER, {}, NO_ANSWER]


def test_who_asks_meanwhile_gets_the_same_dump_and_who_left_gets_none() -> None:
    bench = house()
    bench.say(A, Dump())
    assert bench.say(B, Dump()) == []
    bench.left(A)
    report(bench, 1)
    assert report(bench, 2) == [(B, Dumped("/run/dump-1.json"))]
    assert bench.say(A, Dump()) == [(1, Report()), (2, Report())]


def test_what_comes_too_late_is_thrown_away() -> None:
    bench = house()
    bench.say(A, Dump())
    bench.wait(PATIENCE)
    assert report(bench, 2, picture="/run/late") == []
    assert bench.files.discarded == ["/run/late"]
    assert report(bench, 1, picture="/not/its/business") == []
    assert len(bench.files.discarded) == len(bench.files.written) == 1


def test_a_signal_asks_too_and_tells_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = house()
    caplog.set_level("INFO")
    assert bench.incubator.signalled(SIGUSR1, bench.now) == [(1, Report()), (2, Report())]
    report(bench, 1)
    assert report(bench, 2) == []
    assert "HFD040I" in caplog.text
    assert "/run/dump-1.json" in caplog.text


def test_a_full_disk_is_a_sentence_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.files.full = True
    [(to, fault)] = bench.say(A, Dump())  # type: ignore[misc]
    assert to is A
    assert isinstance(fault, Fault)
    assert "No space left on device" in fault.sentence
    assert "HFD041W" in caplog.text
    bench.files.full = False
    assert bench.say(A, Dump()) == [(A, Dumped("/run/dump-1.json"))]


def test_only_the_daemons_user_and_root_may_look_into_it() -> None:
    for uid, answer in ((UID, Dumped), (0, Dumped), (UID + 1, Fault)):
        bench = Bench()
        [(_, said)] = bench.say(somebody(1, uid=uid), Dump())  # type: ignore[misc]
        assert isinstance(said, answer)
        assert bool(bench.files.written) == (answer is Dumped)


@pytest.mark.parametrize("text", ["", "{", "3"])
def test_nonsense_from_a_child_is_shown_and_harms_nobody(text: str) -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    bench.say(A, Dump())
    assert bench.said(1, Reported(text)) == [(A, Dumped("/run/dump-1.json"))]
    assert bench.files.written[0][0][1]["statistics"] == {"unreadable": text}


def test_the_incubators_own_statistics_count_what_is_there() -> None:
    bench = house()
    bench.locate(A)
    bench.locate(B, "plotter", create=False)
    bench.died(2)
    bench.wait(PAUSE)
    statistics = bench.incubator.statistics()
    assert statistics == {
        "life": "running",
        "clients": 2,
        "watchers": 0,
        "resources": 1,
        "refused_resources": 0,
        "waiting_for_a_locker": 0,
        "parked": 1,
        "spare_lockers": 0,
        "starting_lockers": 1,
        "restarts": {"registry": 1},
    }
