"""One resource's line behind a mailbox: who is answered what, and until when they wait."""

from __future__ import annotations

import pytest

from holdfast.actors.locker import GRACE
from holdfast.actors.process import PARENT, UNEXPECTED
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Concluded,
    End,
    Fault,
    Gone,
    Granted,
    Leave,
    Mode,
    Place,
    Queued,
    Refusal,
    Refused,
    Release,
    Released,
    Retiring,
    Stay,
    Welcome,
)
from holdfast.transport.wire import Message
from locker_bench import EPOCH, A, B, Bench, kinds
from people import hello, session_id, somebody
from raw import acquire

# --- before and after it has a resource -------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [acquire("printer", EPOCH), Release(EPOCH, False)])
def test_without_a_resource_all_are_told_that_it_is_gone(message: Message) -> None:
    assert Bench(assigned=False).locker.handle(A, message, 1.0) == [(A, Gone())]


@pytest.mark.parametrize("epoch", [EPOCH - 1, EPOCH + 1])
def test_whoever_names_another_epoch_is_told_that_it_is_gone_and_nothing_is_done(epoch: int) -> None:
    bench = Bench()
    held = bench.holder()
    assert bench.ask(A, epoch=epoch) == [(A, Gone())]
    assert bench.release(held, epoch=epoch) == [(held, Gone())]
    assert kinds(bench.ask(A)) == [(A, Queued)]


@pytest.mark.parametrize("assigned", [True, False])
@pytest.mark.parametrize("message", [hello(1), Welcome(bytes(16), 0, 1), Stay(EPOCH), End(), Gone()])
def test_a_message_that_is_not_for_a_locker_is_a_fault(assigned: bool, message: Message) -> None:
    assert Bench(assigned=assigned).locker.handle(A, message, 1.0) == [(A, UNEXPECTED)]


@pytest.mark.parametrize(
    "message", [Stay(EPOCH), Leave(EPOCH), Retiring(EPOCH, 0), Place(7, bytes(16), "x", Mode.EX, 1, 1.0)]
)
@pytest.mark.parametrize("assigned", [True, False])
def test_a_parent_that_breaks_the_protocol_is_our_bug(assigned: bool, message: Message) -> None:
    with pytest.raises(ValueError, match="for"):
        Bench(assigned=assigned).told(message)


# --- grants -----------------------------------------------------------------------------------------------------------


def test_the_first_grant_carries_the_epoch_as_its_token_and_each_later_one_more() -> None:
    bench = Bench()
    assert bench.ask(A) == [(A, Granted(EPOCH, "", 0.0))]
    bench.ask(B)
    bench.now += 3.0
    assert bench.release(A) == [(A, Released()), (B, Granted(EPOCH + 1, "", 3.0))]


def test_a_second_acquire_is_a_fault_for_a_holder_and_for_a_waiter() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    for session in (held, A):
        assert kinds(bench.ask(session)) == [(session, Fault)]
    assert kinds(bench.release(held)) == [(held, Released), (A, Granted)]


def test_a_release_of_what_is_not_held_is_a_fault() -> None:
    bench = Bench()
    bench.holder()
    assert kinds(bench.release(A)) == [(A, Fault)]


def test_a_waiter_gives_up_its_place_with_release() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    assert bench.release(A) == [(A, Released())]
    assert kinds(bench.release(held)) == [(held, Released), (B, Granted)]


@pytest.mark.parametrize(
    ("resource", "quantity", "sentence"),
    [("printer", 0, "a quantity of 0"), ("plotter", 1, "plotter is not served here"), ("a..b", 1, "not a valid")],
)
def test_a_request_without_meaning_is_refused_with_a_sentence(resource: str, quantity: int, sentence: str) -> None:
    bench = Bench()
    ask = Acquire(resource, EPOCH, Mode.EX, quantity, FOREVER, True)
    [(to, refused)] = bench.locker.handle(A, ask, 1.0)  # type: ignore[misc]
    assert to is A
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.INVALID
    assert sentence in refused.sentence


def test_who_would_not_wait_hears_who_holds_it() -> None:
    bench = Bench()
    bench.holder()
    [(_, refused)] = bench.ask(A, timeout=0.0)  # type: ignore[misc]
    assert refused == Refused(Refusal.BUSY, "printer is not free: held by alice on node1, pid 4711 (make), for 0.0s")


def test_who_waits_for_the_next_tick_is_let_in_when_it_comes() -> None:
    bench = Bench("_t_%M[1]")
    bench.release(bench.holder())
    assert bench.ask(A) == [(A, Queued(1))]
    [(to, answer)] = bench.wait(60.0)  # type: ignore[misc]  # a tuple, or the test fails
    assert to is A
    assert isinstance(answer, Granted)


def test_who_asks_again_within_a_tick_hears_that_it_is_too_early() -> None:
    bench = Bench("_t_%M[1]")
    bench.ask(A)
    bench.release(A)
    [(_, refused)] = bench.ask(B, timeout=0.0)  # type: ignore[misc]
    assert refused == Refused(Refusal.BUSY, "_t_%M[1] is not free: it is too early for the next one")


def test_a_deadlock_is_told_with_the_name_of_the_resource() -> None:
    bench = Bench()
    first, second = somebody(1), somebody(2)
    for session in (first, second):
        bench.ask(session, mode=Mode.PR)
    bench.ask(somebody(3, inside=(first.who.session,)))
    [(_, refused)] = bench.ask(somebody(4, inside=(second.who.session,)))  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.DEADLOCK
    assert refused.sentence.startswith("printer would wait for ever")


def test_a_disconnect_lets_the_next_one_in() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    assert kinds(bench.left(held)) == [(A, Granted)]


def test_a_waiter_that_disconnects_is_passed_over() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    bench.ask(B)
    assert bench.left(A) == []
    assert kinds(bench.left(held)) == [(B, Granted)]


@pytest.mark.parametrize(
    ("inside", "uid", "nest", "answer"),
    [
        ((session_id(1),), 1000, True, Granted),
        ((session_id(1),), 1000, False, Queued),
        ((session_id(1),), 0, True, Queued),
        ((session_id(2),), 1000, True, Queued),
    ],
)
def test_only_a_holder_of_the_same_user_counts_as_an_ancestor(
    inside: tuple[bytes, ...], uid: int, nest: bool, answer: type[Message]
) -> None:
    bench = Bench()
    bench.holder(1)
    nested = somebody(20, inside=inside, uid=uid)
    assert kinds(bench.ask(nested, nest=nest)) == [(nested, answer)]


# --- waits ------------------------------------------------------------------------------------------------------------


def test_a_wait_ends_when_it_was_to_end_with_a_sentence() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A, timeout=1.5)
    assert bench.wait(1.4) == []
    [(to, refused)] = bench.wait(0.2)  # type: ignore[misc]
    assert to is A
    assert refused == Refused(
        Refusal.TIMED_OUT, "printer was not granted within 1.5s: held by alice on node1, pid 4711 (make), for 1.5s"
    )
    assert bench.release(held) == [(held, Released())]


def test_the_wait_of_somebody_who_was_granted_is_over() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A, timeout=1.5)
    bench.release(held)
    assert bench.wait(9.0) == []
    assert kinds(bench.release(A)) == [(A, Released)]


def test_a_wait_from_an_earlier_request_does_not_end_a_later_one() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, timeout=1.0)
    bench.release(A)
    bench.ask(A, timeout=5.0)
    assert bench.wait(4.0) == []
    assert kinds(bench.wait(2.0)) == [(A, Refused)]


def test_a_wait_for_ever_sets_no_alarm() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A, timeout=FOREVER)
    assert bench.locker.wakes_at() is None


def test_many_long_waits_that_ended_early_leave_nothing_behind() -> None:
    bench = Bench()
    bench.holder()
    for _ in range(1000):
        bench.ask(A, timeout=604_800.0)
        bench.release(A)
    assert len(bench.locker._limits._alarms._heap) < 100
    assert bench.locker.wakes_at() is None


# --- places -----------------------------------------------------------------------------------------------------------


def test_a_place_that_was_granted_meanwhile_is_told_when_its_session_comes() -> None:
    bench = Bench()
    assert bench.place(1) == []
    parked = somebody(1)
    assert kinds(bench.ask(parked)) == [(parked, Granted)]
    assert bench.wait(GRACE + 1) == []
    assert bench.release(parked) == [(parked, Released())]


def test_places_are_in_line_in_their_order_before_whoever_comes_later() -> None:
    bench = Bench()
    for name in (1, 2):
        bench.place(name)
    late, second, first = somebody(3), somebody(2), somebody(1)
    assert bench.ask(late) == [(late, Queued(2))]
    assert bench.ask(second) == [(second, Queued(1))]
    assert kinds(bench.ask(first)) == [(first, Granted)]
    assert kinds(bench.release(first)) == [(first, Released), (second, Granted)]


def test_a_place_whose_session_never_comes_is_given_up() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    assert bench.wait(GRACE - 0.1) == []
    assert kinds(bench.wait(0.2)) == [(A, Granted)]


def test_a_place_that_nobody_takes_lets_the_locker_retire() -> None:
    bench = Bench(idle=1.0)
    bench.place(1)
    assert bench.wait(GRACE + 0.9) == []
    assert kinds(bench.wait(0.2)) == [(PARENT, Retiring)]


def test_a_place_that_timed_out_before_its_session_came_says_so_when_it_comes() -> None:
    bench = Bench()
    bench.place(1)
    bench.place(2, timeout=0.5)
    assert bench.wait(0.6) == []
    late = somebody(2)
    [(_, refused)] = bench.ask(late, timeout=0.0)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.TIMED_OUT
    first = somebody(1)
    bench.ask(first)
    assert bench.release(first) == [(first, Released())]


@pytest.mark.parametrize(("quantity", "why"), [(0, Refusal.INVALID), (9, Refusal.IMPOSSIBLE)])
def test_a_place_for_a_request_without_meaning_is_refused_when_its_session_comes(quantity: int, why: Refusal) -> None:
    bench = Bench("units[3]")
    bench.place(1, quantity=quantity)
    parked = somebody(1)
    [(_, refused)] = bench.ask(parked)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is why


def test_a_place_for_somebody_who_is_here_already_changes_nothing() -> None:
    """The pipe may be full while the session has its answer."""
    bench = Bench()
    held, waiter = bench.holder(1), somebody(2)
    bench.ask(waiter, timeout=99.0)
    for name in (1, 2):
        assert bench.place(name) == []
    assert bench.wait(GRACE + 1) == []
    assert kinds(bench.release(held)) == [(held, Released), (waiter, Granted)]


def test_a_session_that_comes_for_its_place_and_releases_it_is_out() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    parked = somebody(1)
    assert kinds(bench.release(parked)) == [(parked, Released), (A, Granted)]


def test_a_session_that_dies_before_it_asked_for_its_place_loses_it() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    assert kinds(bench.left(somebody(1))) == [(A, Granted)]


def test_who_comes_after_its_place_was_given_up_stands_at_the_end() -> None:
    bench = Bench()
    bench.place(1)
    bench.ask(A)
    bench.wait(GRACE)
    late = somebody(1)
    assert bench.ask(late) == [(late, Queued(1))]


# --- a holder whose connection outlives it ----------------------------------------------------------------------------


def test_an_outcome_told_ahead_changes_nothing_until_the_connection_ends() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    assert bench.conclude(held) == [(held, Concluded())]
    assert bench.wait(60.0) == []
    assert kinds(bench.left(held)) == [(A, Granted)]


@pytest.mark.parametrize(
    ("told", "counted", "number"),
    [((), "vanished", "1"), ((False,), "released", "2"), ((True,), "failed", "1"), ((True, False), "released", "2")],
)
def test_the_end_of_a_connection_is_what_was_told_of_it_last(told: tuple[bool, ...], counted: str, number: str) -> None:
    bench = Bench("_S_ticket[1]")
    held = bench.holder()
    bench.ask(A)
    for rolled_back in told:
        bench.conclude(held, rolled_back=rolled_back)
    [(_, granted)] = bench.left(held)  # type: ignore[misc]
    assert granted.element == number  # type: ignore[union-attr]
    [tally] = bench.look().resources[0].tallies
    assert getattr(tally, counted) == 1
    assert (tally.released, tally.failed, tally.vanished).count(1) == 1


def test_a_release_has_its_own_outcome_and_the_next_hold_none_yet() -> None:
    bench = Bench("_S_ticket[1]")
    held = bench.holder()
    for rolled_back, number in ((True, "2"), (False, "3")):
        bench.conclude(held, rolled_back=rolled_back)
        assert bench.release(held) == [(held, Released())]
        assert bench.ask(held) == [(held, Granted(EPOCH + int(number) - 1, number, 0.0))]
    bench.ask(A)
    assert bench.left(held) == [(A, Granted(EPOCH + 3, "3", 0.0))]


def test_who_does_not_hold_has_nothing_to_conclude() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A)
    for session in (A, B):
        assert kinds(bench.conclude(session)) == [(session, Fault)]
    assert bench.conclude(A, epoch=EPOCH - 1) == [(A, Gone())]


def test_who_runs_inside_a_session_that_outlives_its_process_shares_what_it_holds() -> None:
    bench = Bench()
    held = bench.holder()
    bench.conclude(held)
    inside = somebody(2, inside=(session_id(1),))
    assert kinds(bench.ask(inside)) == [(inside, Granted)]
