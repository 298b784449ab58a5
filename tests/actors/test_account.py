"""What a locker tells about its resource: who is there, why they wait, and what has happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.actors import account
from holdfast.actors.account import BEACON, EXPECTED, FRONT
from holdfast.actors.door import Session
from holdfast.actors.locker import GRACE
from holdfast.actors.told import public_name
from holdfast.transport.messages import FOREVER, End, Expect, Leave, Mode, Order, Release
from holdfast.transport.picture import ResourceView
from holdfast.transport.records import Claim, Resource, Tally
from locker_bench import EPOCH, NUMBER, PLACE, A, B, Bench, C, changes_for
from people import session_id, somebody

W = somebody(998)
ENDS = ("grants", "refused", "timed_out", "withdrawn", "released", "failed", "vanished", "lost")


def name(session: Session) -> str:
    return public_name(session.who.session)


def only(bench: Bench) -> ResourceView:
    [view] = bench.look().resources
    return view


def claims(bench: Bench) -> list[Claim]:
    view = only(bench)
    return [one.claim for one in (*view.holders, *view.waiters)]


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_resource_is_told_as_it_was_assigned() -> None:
    bench = Bench(idle=3.0)
    bench.now += 4.0
    assert only(bench).resource == Resource(NUMBER, PLACE, "printer", "printer", 4.0, Order.FIFO, 3.0, EPOCH, "")


def test_a_locker_without_a_resource_tells_nothing() -> None:
    assert Bench(assigned=False).look().resources == ()


def test_a_holder_is_told_with_what_it_was_given_and_for_how_long() -> None:
    bench = Bench("red.green")
    bench.ask(A)
    bench.ask(B)
    bench.ask(C, timeout=9.0)
    bench.now += 2.0
    bench.release(A)
    bench.now += 3.0
    claim = claims(bench)[1]
    assert (claim.session, claim.token, claim.element) == (name(C), EPOCH + 2, "red")
    assert (claim.waited, claim.age, claim.left, claim.arrival) == (2.0, 3.0, 0.0, 0)
    assert (claim.actor, claim.place, claim.pid, claim.user) == (NUMBER, PLACE, 4711, "alice")


def test_a_waiter_is_told_with_what_is_left_of_its_wait_and_whom_it_waits_for() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A, timeout=9.0)
    bench.ask(B, timeout=FOREVER)
    bench.now += 2.0
    _, first, second = claims(bench)
    assert (first.session, first.age, first.left, first.blockers) == (name(A), 2.0, 7.0, (name(held),))
    assert (second.session, second.left, second.token) == (name(B), FOREVER, 0)
    assert first.arrival < second.arrival


def test_of_a_place_that_is_kept_nothing_is_known_until_its_session_comes() -> None:
    bench = Bench()
    bench.told(Expect(session_id(1), 77))
    bench.place(1)
    [kept] = claims(bench)
    assert (kept.pid, kept.host, kept.number, kept.session) == (0, "", 77, public_name(session_id(1)))
    [changes] = bench.watch(W)
    bench.ask(somebody(1))
    [changes] = bench.watch(W, changes.number)
    [claim] = changes.claims
    assert (claim.pid, claim.host, claim.number) == (4711, "node1", 77)


def test_a_place_that_nobody_took_is_gone() -> None:
    bench = Bench()
    bench.place(1)
    bench.wait(GRACE)
    assert claims(bench) == []
    assert not bench.locker._account._known


@pytest.mark.parametrize("end", [Bench.release, Bench.left])
def test_who_is_out_of_the_line_is_gone(end: Callable[[Bench, Session], object]) -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    [changes] = bench.watch(W)
    end(bench, A)
    end(bench, held)
    [changes] = bench.watch(W, changes.number)
    assert set(changes.gone) == {f"claim/{NUMBER}/{name(one)}" for one in (A, held)}
    assert claims(bench) == []


def test_whom_a_waiter_waits_for_is_told_again_when_it_has_changed() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    [changes] = bench.watch(W)
    bench.release(held)
    [changes] = bench.watch(W, changes.number)
    assert {claim.session: claim.blockers for claim in changes.claims} == {name(A): (), name(B): (name(A),)}


def test_only_the_first_waiters_are_told_whom_they_wait_for() -> None:
    bench = Bench()
    held = bench.holder()
    for one in range(FRONT + 5):
        bench.ask(somebody(100 + one))
    told = [claim.blockers for claim in claims(bench)[1:]]
    assert told == [(name(held),)] * FRONT + [()] * 5


def test_no_more_holders_are_looked_at_than_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "CHECKS", 7)
    bench = Bench()
    for one in range(3):
        bench.ask(somebody(100 + one), mode=Mode.PR)
    for one in range(4):
        bench.ask(somebody(200 + one))
    assert [len(claim.blockers) for claim in claims(bench)[3:]] == [3, 3, 0, 0]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_session_is_told_by_the_number_it_is_expected_with() -> None:
    bench = Bench()
    bench.told(Expect(A.who.session, 77))
    bench.ask(A)
    bench.ask(B)
    assert [claim.number for claim in claims(bench)] == [77, 0]


def test_a_number_that_comes_late_is_told_then() -> None:
    bench = Bench()
    bench.ask(A)
    [changes] = bench.watch(W)
    bench.told(Expect(A.who.session, 77))
    [changes] = bench.watch(W, changes.number)
    assert [claim.number for claim in changes.claims] == [77]
    bench.told(Expect(A.who.session, 77))
    [changes] = bench.watch(W, changes.number)
    assert changes.claims == ()


def test_those_that_never_come_do_not_pile_up() -> None:
    bench = Bench()
    for one in range(EXPECTED + 10):
        bench.told(Expect(session_id(one), one))
    assert len(bench.locker._account._expected) == EXPECTED
    bench.left(somebody(EXPECTED))
    assert len(bench.locker._account._expected) == EXPECTED - 1


def test_a_session_that_ended_is_forgotten() -> None:
    bench = Bench()
    bench.told(Expect(A.who.session, 77))
    bench.left(bench.holder(11))
    account = bench.locker._account
    assert not account._known
    assert not account._owners
    assert not account._modes


# --- counters ---------------------------------------------------------------------------------------------------------


def counted(bench: Bench, mode: Mode = Mode.EX) -> dict[str, int]:
    [tally] = [tally for tally in only(bench).tallies if tally.mode is mode]
    return {end: getattr(tally, end) for end in ENDS if getattr(tally, end)}


def fail(bench: Bench, session: Session) -> None:
    bench.locker.handle(session, Release(EPOCH, True), bench.now)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (Bench.release, "released"),
        (fail, "failed"),
        (Bench.left, "vanished"),
    ],
)
def test_a_grant_is_counted_by_how_it_ended(end: Callable[[Bench, Session], object], how: str) -> None:
    bench = Bench()
    end(bench, bench.holder())
    assert counted(bench) == {"grants": 1, how: 1}


@pytest.mark.parametrize("end", [Bench.release, Bench.left])
def test_who_stops_waiting_has_withdrawn(end: Callable[[Bench, Session], object]) -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A)
    end(bench, A)
    assert counted(bench) == {"grants": 1, "withdrawn": 1}


def test_who_waited_long_enough_has_timed_out() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, timeout=1.0)
    bench.wait(1.0)
    assert counted(bench) == {"grants": 1, "timed_out": 1}


@pytest.mark.parametrize("more", [{"timeout": 0.0}, {"resource": "a..b"}, {"resource": "plotter"}])
def test_who_is_turned_away_is_refused(more: dict[str, object]) -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, **more)
    assert counted(bench) == {"grants": 1, "refused": 1}


def test_a_request_that_becomes_a_deadlock_while_it_waits_is_refused_in_its_mode() -> None:
    bench = Bench()
    one, two, late = somebody(1), somebody(2), somebody(3)
    for session in (one, two):
        bench.ask(session, mode=Mode.PR)
    bench.ask(somebody(4, inside=(one.who.session,)))
    bench.ask(somebody(5, inside=(two.who.session,)), mode=Mode.PW)
    assert counted(bench, Mode.PW) == {"refused": 1}
    bench.ask(late, mode=Mode.CR)
    assert [tally.mode for tally in only(bench).tallies] == [Mode.CR, Mode.PR, Mode.PW, Mode.EX]


def test_an_orphan_counts_whom_it_turns_away() -> None:
    bench = Bench("red.green")
    held = bench.holder()
    bench.place(2)
    bench.ask(A)
    bench.orphan()
    assert counted(bench) == {"grants": 2, "refused": 1, "lost": 1}
    assert [claim.session for claim in claims(bench)] == [name(held)]


def test_times_are_counted_in_seconds() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.now += 0.5
    bench.release(held)
    bench.now += 0.25
    bench.release(A)
    [tally] = only(bench).tallies
    assert (tally.wait_sum, tally.wait_max, sum(tally.waits)) == (0.5, 0.5, 2)
    assert (tally.hold_sum, tally.hold_max, sum(tally.holds)) == (0.75, 0.5, 2)


def test_what_a_resource_leaves_behind_is_told_when_it_has_ended() -> None:
    bench = Bench(idle=1.0)
    [changes] = bench.watch(W)
    held = bench.holder()
    bench.release(held)
    bench.left(held)
    [changes] = bench.watch(W, changes.number)
    bench.wait(1.0)
    bench.told(Leave(EPOCH))
    [changes] = bench.watch(W, changes.number)
    assert set(changes.gone) == {f"resource/{NUMBER}/{PLACE}", f"tally/{NUMBER}/{PLACE}/5"}
    [tally] = changes.tallies
    assert isinstance(tally, Tally)
    assert (tally.place, tally.mode, tally.requests, tally.released) == (0, Mode.EX, 1, 1)
    bench.assign(epoch=EPOCH + 1)
    assert only(bench).tallies == ()
    assert [one.requests for one in bench.look().ended] == [1]


@pytest.mark.parametrize("asks", [True, False])
def test_a_locker_that_ends_tells_what_was_not_told_yet(asks: bool) -> None:
    bench = Bench(idle=0.0)
    [changes] = bench.watch(W)
    if asks:
        assert bench.watch(W, changes.number, FOREVER) == []
    held = bench.holder()
    bench.release(held)
    bench.left(held)
    assert changes_for(W, [*bench.locker.tick(bench.now), *bench.told(Leave(EPOCH))]) == []  # within the beacon
    [changes] = changes_for(W, bench.told(End()))
    assert changes.gone == (f"resource/{NUMBER}/{PLACE}",)
    assert [(tally.place, tally.grants, tally.released) for tally in changes.tallies] == [(0, 1, 1)]


# --- who watches ------------------------------------------------------------------------------------------------------


def test_a_watcher_is_told_a_beacon_after_the_last_time() -> None:
    bench = Bench()
    [changes] = bench.watch(W)
    bench.watch(W, changes.number, FOREVER)
    bench.ask(A)
    assert changes_for(W, bench.wait(BEACON * 0.9)) == []
    [changes] = changes_for(W, bench.wait(BEACON * 0.2))
    assert [claim.session for claim in changes.claims] == [name(A)]


def test_what_came_and_went_within_a_beacon_is_only_counted() -> None:
    bench = Bench()
    [changes] = bench.watch(W)
    bench.watch(W, changes.number, FOREVER)
    for _ in range(100):
        bench.ask(A)
        bench.release(A)
    [changes] = changes_for(W, bench.wait(1.0))
    assert (changes.claims, changes.gone) == ((), ())
    assert [tally.released for tally in changes.tallies] == [100]
