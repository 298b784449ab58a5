"""Where is NAME? Who is told so, and who waits for a name."""

from __future__ import annotations

import pytest

from holdfast.actors.lockers import LATELY, PAUSE
from holdfast.actors.process import UNEXPECTED, StartChild
from holdfast.transport.messages import (
    FOREVER,
    Assign,
    Echo,
    End,
    Expect,
    Fault,
    Located,
    Order,
    Parked,
    Place,
    Refusal,
    Refused,
    Retiring,
)
from incubator_bench import CLOCK, A, B, Bench, C, refusals
from people import session_id
from raw import locate

# --- finding ----------------------------------------------------------------------------------------------------------


def test_the_daemon_begins_with_its_pool() -> None:
    assert Bench(pool=2).opening == [StartChild(1, "locker"), StartChild(2, "locker")]


def test_a_new_resource_is_assigned_to_a_locker_of_the_pool_and_the_pool_is_filled_again_a_moment_later() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    assert bench.locate(A, idle=3.0) == [
        (1, Assign("printer", CLOCK, 3.0, Order.FIFO, 3, "printer")),
        (1, Expect(session_id(1), 2)),
        (A, Located("locker-1.sock", CLOCK)),
    ]
    assert bench.incubator.wakes_at() == bench.now + PAUSE
    assert bench.wait(PAUSE / 2) == []
    assert bench.wait(PAUSE / 2) == [StartChild(2, "locker")]


def test_where_new_resources_come_one_after_the_other_the_pool_is_filled_at_once() -> None:
    bench = Bench(pool=2)
    bench.ready(1)
    bench.ready(2)
    bench.locate(A, "printer")
    assert bench.locate(B, "plotter")[-2:] == [StartChild(3, "locker"), StartChild(4, "locker")]


def test_who_waits_for_a_locker_does_not_wait_for_the_moment_in_which_the_pool_is_not_filled() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    bench.locate(A, "printer")
    assert bench.locate(B, "plotter") == [StartChild(2, "locker")]
    assert bench.wait(PAUSE) == [StartChild(3, "locker")]


def test_without_a_pool_a_locker_is_started_and_all_who_came_meanwhile_are_told() -> None:
    bench = Bench()
    assert bench.locate(A) == [StartChild(1, "locker")]
    assert bench.locate(B) == []
    assert bench.locate(C, create=False) == []
    located = Located("locker-1.sock", CLOCK)
    assert bench.ready(1)[1:] == [
        *[(1, Expect(session_id(name), number)) for name, number in ((1, 2), (2, 3), (3, 4))],
        (A, located),
        (B, located),
        (C, located),
    ]


def test_a_resource_that_is_served_is_named_to_everybody_in_the_same_epoch() -> None:
    bench = Bench()
    bench.serve()
    for session, create in ((A, True), (B, False)):
        assert bench.locate(session, create=create)[1:] == [(session, Located("locker-1.sock", CLOCK))]


def test_all_paths_below_one_root_are_served_by_one_locker() -> None:
    bench = Bench()
    bench.serve("/a/b")
    assert bench.locate(A, "/a/c")[1:] == [(A, Located("locker-1.sock", CLOCK))]


def test_epochs_grow_even_if_the_clock_goes_back() -> None:
    bench = Bench()
    bench.serve("a")
    bench.clock = 7
    second = bench.locate(A, "b") + bench.ready(2)
    assert (A, Located("locker-2.sock", CLOCK + 1)) in second


def test_epochs_begin_above_the_last_token_of_a_locker_that_retired() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    bench.said(number, Retiring(CLOCK, CLOCK + 1_000_000))
    bench.locate(A)
    assert (A, Located("locker-2.sock", CLOCK + 1_000_001)) in bench.ready(2)


@pytest.mark.parametrize("resource", ["", "a..b", "num[x]", "/a//b", "_t_[1]"])
def test_a_name_without_meaning_is_refused(resource: str) -> None:
    bench = Bench()
    assert refusals(bench.locate(A, resource)) == [(A, Refusal.INVALID)]
    assert bench.locate(A) == [StartChild(1, "locker")]  # and may ask again


def test_a_second_locate_before_the_first_is_answered_is_a_fault() -> None:
    bench = Bench()
    bench.locate(A)
    [(to, fault)] = bench.locate(A, "other")  # type: ignore[misc]
    assert to is A
    assert isinstance(fault, Fault)


def test_what_is_not_for_the_incubator_is_a_fault() -> None:
    assert Bench().incubator.handle(A, Echo(bytes(16)), 1.0) == [(A, UNEXPECTED)]


# --- parking ----------------------------------------------------------------------------------------------------------


def test_who_would_not_create_it_is_parked_until_somebody_does() -> None:
    bench = Bench()
    assert bench.locate(A, create=False) == [(A, Parked())]
    assert bench.locate(B, create=False, timeout=9.0) == [(B, Parked())]
    assert bench.locate(C) == [StartChild(1, "locker")]
    bench.wait(1.0)
    ask = locate("printer")
    located = Located("locker-1.sock", CLOCK)
    assert bench.ready(1) == [
        (1, Assign("printer", CLOCK, 2.0, Order.FIFO, 5, "printer")),
        *[(1, Expect(session_id(name), number)) for name, number in ((3, 4), (1, 2), (2, 3))],
        *[
            (1, Place(CLOCK, session_id(name), "printer", ask.mode, 1, left))
            for name, left in ((3, FOREVER), (1, FOREVER), (2, 8.0))
        ],
        (C, located),
        (A, located),
        (B, located),
    ]


def test_who_would_neither_create_nor_wait_is_refused() -> None:
    assert refusals(Bench().locate(A, create=False, timeout=0.0)) == [(A, Refusal.NO_SUCH_RESOURCE)]


def test_a_parked_wait_ends_when_it_was_to_end() -> None:
    bench = Bench()
    bench.locate(A, "/disk\x1b[2J", create=False, timeout=2.0)
    assert bench.wait(1.9) == []
    told = "/disk\\x1b[2J was not created within 2s"  # and obeys no terminal
    assert bench.wait(0.2) == [(A, Refused(Refusal.TIMED_OUT, told))]
    assert bench.wait(99.0) == []


def test_who_left_is_neither_placed_nor_answered() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    bench.locate(B, create=False)
    bench.left(A)
    bench.locate(C)
    effects = bench.ready(1)
    assert not [effect for effect in effects if isinstance(effect, tuple) and effect[0] is A]
    assert not [
        effect
        for effect in effects
        if isinstance(effect, tuple) and isinstance(effect[1], Place) and effect[1].session == session_id(1)
    ]


def test_if_the_creator_leaves_while_its_locker_is_started_nothing_is_created() -> None:
    bench = Bench()
    bench.locate(A)
    assert bench.left(A) == []
    assert bench.ready(1) == [(1, End())]
    assert bench.locate(B, create=False) == [(B, Parked())]


def test_if_the_creator_leaves_those_who_would_not_create_it_are_parked() -> None:
    bench = Bench()
    bench.locate(A)
    bench.locate(B, create=False)
    bench.locate(C, create=False, timeout=0.0)
    effects = bench.left(A)
    assert effects[0] == (B, Parked())
    assert refusals(effects) == [(C, Refusal.NO_SUCH_RESOURCE)]
    assert bench.ready(1) == [(1, End())]


def test_who_was_parked_is_not_told_so_twice() -> None:
    bench = Bench()
    assert bench.locate(B, create=False) == [(B, Parked())]
    bench.locate(A)
    assert bench.left(A) == []


def test_if_one_creator_leaves_another_one_creates_it_as_it_said() -> None:
    bench = Bench()
    bench.locate(A, idle=7.0)
    bench.locate(B, create=False, idle=8.0)
    bench.locate(C, idle=9.0)
    assert bench.left(A) == []
    assert bench.ready(1)[0] == (1, Assign("printer", CLOCK, 9.0, Order.FIFO, 5, "printer"))


def test_a_creators_wait_ends_though_its_locker_does_not_start() -> None:
    bench = Bench()
    bench.locate(A, timeout=1.0)
    bench.locate(B, create=False)
    effects = bench.wait(1.0)
    assert refusals(effects) == [(A, Refusal.TIMED_OUT)]
    assert effects[1:] == [(B, Parked())]
