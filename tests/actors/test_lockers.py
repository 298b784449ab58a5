"""Which locker serves what; the rest is told by the incubator's tests, where they are told so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.lockers import AT_ONCE, FULL, KEPT, LATELY, PAUSES, RESTART_SPAN, RESTARTS, Lockers
from holdfast.actors.staff import LOCKER, Child
from holdfast.transport.listeners import Origin
from holdfast.transport.messages import Assign, Leave, Located, Order, Refused, Retiring, Stay
from incubator_bench import CLOCK
from people import somebody
from raw import locate


def locker(number: int) -> Child:
    return Child(number, LOCKER, 0.0, 4000 + number, f"locker-{number}.sock")


def lockers(*spare: Child) -> Lockers:
    built = Lockers(lambda: CLOCK)
    built.pool += spare
    return built


def test_the_oldest_spare_one_serves_and_is_found_by_its_resource() -> None:
    some = lockers(locker(1), locker(2))
    served = some.assign("/a", locate("/a/b", idle=3.0), 17, 1.0)
    assert served.assign == Assign("/a", CLOCK, 3.0, Order.FIFO, 17, "/a/b")
    assert served.located(somebody(9)) == Located("locker-1.sock", CLOCK)
    assert some.table == {"/a": served}
    assert [child.number for child in some.pool] == [2]


def test_a_name_is_taken_out_before_its_locker_leaves_and_may_be_served_by_it_again() -> None:
    one = locker(1)
    some = lockers(one)
    some.assign("a", locate("a"), 3, 1.0)
    assert some.retiring(one, Retiring(CLOCK, CLOCK + 9), 1.0 + LATELY - 0.1) == [(1, Stay(CLOCK))]
    assert some.retiring(one, Retiring(CLOCK, CLOCK + 9), 1.0 + LATELY) == [(1, Leave(CLOCK))]
    assert some.table == some.serves == {}
    assert some.assign("b", locate("b"), 4, 3.0).assign.epoch == CLOCK + 10


def test_a_name_whose_locker_died_is_dead_and_told() -> None:
    one = locker(1)
    some = lockers(one)
    served = some.assign("a", locate("a"), 3, 1.0)
    assert some.died(one, 2.0) is served
    assert some.table == some.serves == {}
    assert "holdfast stop" in some.dead["a"]


def test_spare_ones_that_keep_dying_are_not_started_for_ever() -> None:
    some = lockers()
    for number in range(RESTARTS):
        assert some.room(0, 0, float(number))
        assert some.died(locker(number), float(number)) is None
    assert not some.room(0, 0, RESTART_SPAN - 0.1)
    assert some.room(0, 0, RESTART_SPAN)


def test_one_that_was_told_to_end_does_not_count() -> None:
    some = lockers()
    for number in range(RESTARTS):
        child = locker(number)
        child.ending = True
        some.died(child, 0.0)
    assert some.room(0, 0, 0.0)


def test_one_that_dies_is_spare_no_more() -> None:
    one, other = locker(1), locker(2)
    some = lockers(one, other)
    some.died(one, 0.0)
    assert list(some.pool) == [other]


def test_who_came_by_tcp_is_told_the_port_and_nobody_is_sent_to_port_nought() -> None:
    remote = replace(somebody(9), origin=Origin("192.0.2.7/48832", trusted=False))
    some = lockers(Child(1, LOCKER, 0.0, 4001, "locker-1.sock", port=28101), locker(2))
    assert some.assign("/a", locate("/a"), 17, 1.0).located(remote) == Located("28101", CLOCK)
    assert isinstance(some.assign("/b", locate("/b"), 18, 1.0).located(remote), Refused)


def test_without_a_range_of_ports_there_is_always_room_for_as_many_as_are_started_at_once() -> None:
    assert [lockers().room(10_000, starting, 0.0) for starting in (0, AT_ONCE - 1, AT_ONCE)] == [AT_ONCE, 1, 0]


def test_one_that_cannot_be_started_is_no_death_and_tried_again_with_longer_and_longer_pauses() -> None:
    some, now, pauses = lockers(), 0.0, []
    for _ in range(RESTARTS + 5):
        assert some.room(0, 0, now) >= 1
        for _ in range(3):  # all that were ordered at the same time
            some.not_started("no memory", now)
        at = some.retries_at(now)
        assert at is not None
        assert some.room(0, 0, (now + at) / 2) == 0
        pauses.append(at - now)
        now = at
    first, longest = PAUSES
    assert pauses[:3] == pytest.approx([first, 2 * first, 4 * first])
    assert pauses[-2:] == pytest.approx([longest, longest])
    assert some.retries_at(now) is None
    assert [some.room(0, starting, now) for starting in (0, 1)] == [1, 0]
    assert some.why_none(0, now) == "no memory"
    some.started()
    assert some.room(0, 0, now) == AT_ONCE
    some.not_started("no memory", now)
    assert some.retries_at(now) == now + first


def test_why_none_can_be_started_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    some = lockers()
    for now, logged in ((1.0, 1), (2.0, 1), (1.0 + RESTART_SPAN, 2)):
        some.not_started("no memory", now)
        some.started()
        assert caplog.text.count("HFD020E") == logged
    some.not_started("no processes", 2.0 + RESTART_SPAN)
    assert caplog.text.count("HFD020E") == 3


def test_spare_ones_are_started_at_once_where_none_was_ever_taken() -> None:
    assert lockers().refills_at() < 0


def test_a_range_of_ports_leaves_one_for_the_registry() -> None:
    some = Lockers(lambda: CLOCK, (28100, 28103))
    assert [some.room(number, 0, 0.0) for number in (0, 2, 3)] == [3, 1, 0]
    assert some.why_none(3, 0.0) == "no port is free in 28100-28103"


def test_after_one_that_found_no_port_the_next_one_is_started_a_moment_later() -> None:
    some = Lockers(lambda: CLOCK, (28100, 28103))
    some.without_port(5.0)
    assert some.room(0, 0, 5.0 + FULL - 0.1) == 0
    assert some.why_none(0, 5.0) == "no port is free in 28100-28103"
    assert some.room(0, 0, 5.0 + FULL) == 3


def test_spare_ones_are_surplus_when_they_are_more_than_wanted_and_than_were_taken_lately() -> None:
    some = lockers(*(locker(number) for number in range(1, 4)))
    for number in range(3):
        some.assign(f"n{number}", locate(f"n{number}"), number, 1.0 + number / 10)
    some.pool += [locker(number) for number in range(4, 7)]
    assert some.surplus(1, 1.9) == []
    assert some.surplus_at(1) == 1.0 + LATELY
    assert [child.number for child in some.surplus(1, 1.0 + LATELY)] == [6]
    assert some.surplus_at(1) == 1.1 + LATELY
    assert [child.number for child in some.surplus(1, 1.2 + LATELY)] == [5]
    assert some.surplus_at(1) is None


def test_not_more_are_kept_than_may_be_however_many_are_taken() -> None:
    some = lockers(*(locker(number) for number in range(1, KEPT + 2)))
    for number in range(KEPT + 1):
        some.assign(f"n{number}", locate(f"n{number}"), number, 1.0)
    some.pool += [locker(number) for number in range(KEPT + 2, 2 * KEPT + 4)]
    assert len(some.surplus(1, 1.0)) == 2
    assert len(some.pool) == KEPT
