"""How a locker retires, and how it ends: told to, orphaned, failed."""

from __future__ import annotations

import pytest

from holdfast.actors.locker import AGAIN, HURRY, LEFT_ALONE
from holdfast.actors.process import PARENT, Effect, Finish, Unlisten
from holdfast.transport.messages import (
    FOREVER,
    Cause,
    End,
    Ended,
    Gone,
    Granted,
    Leave,
    Lost,
    Queued,
    Quiesce,
    Refusal,
    Refused,
    Released,
    Retiring,
    Stay,
)
from locker_bench import EPOCH, A, B, Bench, C, kinds
from people import somebody

# --- retirement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idle", [0.0, 2.0])
def test_a_locker_that_nobody_comes_to_retires_after_its_idle_time(idle: float) -> None:
    bench = Bench(idle=idle)
    assert bench.locker.wakes_at() == bench.now + idle
    assert bench.wait(idle) == [(PARENT, Retiring(EPOCH, 0))]
    assert bench.locker.wakes_at() is None


def test_it_says_the_last_token_it_gave() -> None:
    bench = Bench()
    bench.left(bench.holder())
    assert bench.wait(2.0) == [(PARENT, Retiring(EPOCH, EPOCH))]


def test_an_idle_time_without_end_never_ends() -> None:
    bench = Bench(idle=FOREVER)
    bench.left(bench.holder())
    assert bench.locker.wakes_at() is None


def test_a_session_that_holds_nothing_still_keeps_the_locker() -> None:
    bench = Bench()
    held = bench.holder()
    bench.release(held)
    assert bench.wait(99.0) == []
    bench.left(held)
    assert kinds(bench.wait(2.0)) == [(PARENT, Retiring)]


def retiring(idle: float = 2.0) -> Bench:
    bench = Bench(idle=idle)
    assert kinds(bench.wait(idle)) == [(PARENT, Retiring)]
    return bench


def test_what_comes_while_it_retires_is_kept_and_served_in_order_after_stay() -> None:
    bench = retiring()
    assert bench.ask(A) == bench.ask(B) == bench.release(A) == []
    assert kinds(bench.told(Stay(EPOCH))) == [(A, Granted), (B, Queued), (A, Released), (B, Granted)]


def test_what_comes_while_it_retires_is_gone_after_leave() -> None:
    bench = retiring()
    bench.ask(A)
    bench.ask(B)
    assert bench.told(Leave(EPOCH)) == [(A, Gone()), (B, Gone())]
    assert bench.ask(A) == [(A, Gone())]


def test_who_disconnects_while_it_retires_is_not_served_after_stay() -> None:
    bench = retiring()
    bench.ask(A)
    bench.ask(B)
    assert bench.left(A) == []
    assert kinds(bench.told(Stay(EPOCH))) == [(B, Granted)]


def test_a_locker_told_to_stay_asks_again_even_if_nobody_comes() -> None:
    bench = retiring(idle=0.0)
    assert bench.told(Stay(EPOCH)) == []
    assert bench.wait(AGAIN - 0.01) == []
    assert kinds(bench.wait(0.02)) == [(PARENT, Retiring)]


def test_its_next_resource_knows_nothing_of_the_one_before() -> None:
    bench = Bench(idle=1.0)
    bench.left(bench.holder())
    bench.wait(1.0)
    bench.told(Leave(EPOCH))
    bench.resource = "plotter"
    bench.assign(epoch=EPOCH + 50)
    assert bench.ask(A, epoch=EPOCH) == [(A, Gone())]
    assert bench.ask(A, epoch=EPOCH + 50) == [(A, Granted(EPOCH + 50, "", 0.0))]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_after_quiesce_it_does_not_outlive_its_last_client() -> None:
    bench = Bench(idle=FOREVER)
    held = bench.holder()
    assert bench.told(Quiesce()) == []
    assert bench.wait(99.0) == []
    bench.left(held)
    assert kinds(bench.wait(HURRY)) == [(PARENT, Retiring)]


@pytest.mark.parametrize("assigned", [True, False])
def test_quiesce_crosses_with_anything(assigned: bool) -> None:
    bench = Bench(assigned=assigned, idle=1.0)
    bench.wait(1.0)
    assert bench.told(Quiesce()) == []


def ending(told: list[Effect]) -> list[Effect]:
    """Check that this is the end, and return what was said before it."""
    unlisten, ended, finish = told[-3:]
    assert unlisten == Unlisten()
    assert isinstance(ended, tuple)
    assert ended[0] is PARENT
    assert isinstance(ended[1], Ended)
    assert finish == Finish(ended[1].reason)
    return told[:-3]


def test_told_to_end_holders_lose_waiters_are_refused_and_kept_ones_are_sent_away() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    idle = somebody(9)
    bench.release(idle)  # a fault; but it is connected
    said = ending(bench.told(End()))
    assert [(to, type(message)) for to, message in said] == [(held, Lost), (A, Refused)]  # type: ignore[misc]
    assert said[0] == (held, Lost(Cause.STOPPED, "the daemon was stopped"))


def test_told_to_end_while_it_retires_it_ends() -> None:
    bench = retiring()
    bench.ask(A)
    assert ending(bench.told(End())) == [(A, Gone())]


def test_told_to_end_without_a_resource_it_ends() -> None:
    assert ending(Bench(assigned=False).told(End())) == []


def test_after_the_end_nothing_is_granted_any_more() -> None:
    """The same turn may bring a release, or somebody new."""
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.told(End())
    assert bench.release(held) == [(held, Gone())]
    assert bench.ask(B) == [(B, Gone())]
    assert bench.left(held) == []
    assert bench.wait(99.0) == []


def test_an_orphan_that_nobody_holds_ends_and_sends_everybody_away() -> None:
    bench = retiring()
    bench.ask(A)
    assert ending(bench.orphan()) == [(A, Gone())]
    assert bench.notes == []


def test_an_orphan_without_a_resource_ends() -> None:
    assert ending(Bench(assigned=False).orphan()) == []


def test_an_orphan_that_is_held_serves_its_holders_only_and_ends_with_the_last() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    refused = Refused(Refusal.STOPPING, LEFT_ALONE)
    unlisten, *said = bench.orphan()
    assert unlisten == Unlisten()
    assert said == [(B, refused), (A, refused)]
    assert len(bench.notes) == 1
    assert "alice on node1, pid 4711" in bench.notes[0]
    assert bench.ask(C) == [(C, refused)]
    assert bench.left(C) == []
    assert bench.wait(99.0) == []
    assert ending(bench.release(held)) == [(held, Released())]


def test_an_orphan_ends_when_its_last_holder_dies() -> None:
    bench = Bench()
    held = bench.holder()
    bench.orphan()
    assert ending(bench.left(held)) == []


def test_an_orphan_keeps_no_places_and_whoever_waited_behind_them_is_refused() -> None:
    bench = Bench()
    bench.place(1)  # granted, but its session does not know
    bench.ask(A)
    assert ending(bench.orphan()) == [(A, Refused(Refusal.STOPPING, LEFT_ALONE))]


def test_an_orphan_with_a_place_that_was_refused_goes_on_for_its_holder() -> None:
    bench = Bench("units[3]")
    held = bench.holder()
    bench.place(2, quantity=9)
    assert bench.orphan() == [Unlisten()]
    assert ending(bench.release(held)) == [(held, Released())]


def test_a_locker_that_failed_says_so_to_everybody() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    said = bench.locker.failed()
    assert kinds(said) == [(held, Lost), (A, Refused)]
    lost, refused = said[0][1], said[1][1]  # type: ignore[index]
    assert isinstance(lost, Lost)
    assert lost.cause is Cause.FAILED
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.LOCKER_DIED
