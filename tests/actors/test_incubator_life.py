"""How the incubator lets lockers retire, buries them, and ends itself."""

from __future__ import annotations

from signal import SIGINT, SIGTERM

import pytest

from holdfast.actors.incubator import QUIESCE, STOP_LIMIT
from holdfast.actors.lockers import AT_ONCE, LATELY, PAUSE, PAUSES, RESTART_SPAN, RESTARTS
from holdfast.actors.process import Effect, Finish, KillChild, StartChild, Unlisten
from holdfast.actors.roles import NotStarted
from holdfast.transport.messages import (
    Assign,
    End,
    Ended,
    Expect,
    Fault,
    Gone,
    Leave,
    Located,
    Observe,
    Order,
    Parked,
    Quiesce,
    Refusal,
    Refused,
    Retiring,
    Serving,
    Stay,
    Stopping,
    Watch,
)
from incubator_bench import CLOCK, PID, UID, A, B, Bench, C, refusals
from people import session_id, somebody

# --- retirement -------------------------------------------------------------------------------------------------------


def test_a_locker_that_was_named_lately_has_to_stay() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY - 0.01)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Stay(CLOCK))]
    bench.locate(A)
    bench.wait(LATELY - 0.01)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Stay(CLOCK))]


def test_a_name_is_forgotten_before_its_locker_leaves() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.ready(2)
    bench.wait(LATELY)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Leave(CLOCK)), (number, End())]
    assert (A, Located("locker-2.sock", CLOCK + 1)) in bench.locate(A)


def test_as_many_lockers_that_left_are_kept_as_were_taken_lately() -> None:
    bench = Bench()
    first, second = (bench.serve(f"old{name}", name=name) for name in (91, 92))
    bench.wait(LATELY)
    bench.serve("new", name=93)
    assert bench.said(first, Retiring(CLOCK, 0)) == [(first, Leave(CLOCK))]
    assert bench.said(second, Retiring(CLOCK + 1, 0)) == [(second, Leave(CLOCK + 1)), (second, End())]
    assert bench.wait(LATELY) == [(first, End())]


def test_a_daemon_that_ends_cares_for_its_spare_lockers_no_longer() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    bench.locate(A)
    assert bench.incubator.wakes_at() == bench.now + PAUSE
    bench.stop(A, now=True)
    assert bench.incubator.wakes_at() == bench.now + STOP_LIMIT


def test_a_locker_that_left_goes_into_a_pool_that_is_not_full() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.wait(LATELY)
    assert bench.said(number, Retiring(CLOCK, 0)) == [(number, Leave(CLOCK))]
    assert (A, Located(f"locker-{number}.sock", CLOCK + 1)) in bench.locate(A)


def test_a_locker_that_left_serves_at_once_what_waits_for_one() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    assert bench.locate(A, "plotter") == [StartChild(2, "locker")]
    assert bench.said(number, Retiring(CLOCK, 0)) == [
        (number, Leave(CLOCK)),
        (number, Assign("plotter", CLOCK + 1, 2.0, Order.FIFO, 5, "plotter")),
        (number, Expect(session_id(1), 4)),
        (A, Located("locker-1.sock", CLOCK + 1)),
    ]


def test_a_locker_that_was_told_to_end_and_does_is_no_loss() -> None:
    bench = Bench()
    number = bench.serve()
    bench.wait(LATELY)
    bench.said(number, Retiring(CLOCK, 0))
    assert bench.said(number, Ended("told to end")) == []
    assert bench.died(number) == []
    assert bench.locate(A) == [StartChild(2, "locker")]


# --- deaths -----------------------------------------------------------------------------------------------------------


def test_a_name_whose_locker_died_is_refused_with_a_sentence() -> None:
    bench = Bench()
    number = bench.serve()
    bench.died(number)
    [(_, refused)] = bench.locate(A)  # type: ignore[misc]
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.LOCKER_DIED
    assert "holdfast stop" in refused.sentence
    assert bench.locate(B, "plotter") == [StartChild(2, "locker")]


def test_a_daemon_with_a_name_whose_locker_died_does_not_end_for_idleness_but_when_told() -> None:
    """The next daemon would grant what a command may still be at work under."""
    bench = Bench(lifespan=1.0)
    bench.died(bench.serve())
    assert bench.wait(99.0) == []
    assert bench.stop(A) == [(A, Stopping(PID))]
    assert bench.wait(QUIESCE)[-1] == Finish("the daemon ends")


def test_a_spare_locker_that_dies_is_replaced() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    assert bench.died(1) == [StartChild(2, "locker")]


def test_a_locker_that_dies_while_it_starts_is_started_again_for_those_who_wait() -> None:
    bench = Bench()
    bench.locate(A)
    assert bench.died(1) == [StartChild(2, "locker")]
    assert (A, Located("locker-2.sock", CLOCK)) in bench.ready(2)


def test_lockers_that_keep_dying_are_not_started_for_ever() -> None:
    bench = Bench()
    bench.locate(A)
    bench.locate(B, create=False)
    for number in range(1, RESTARTS):
        assert bench.died(number) == [StartChild(number + 1, "locker")]
    effects = bench.died(RESTARTS)
    assert refusals(effects) == [(A, Refusal.EXHAUSTED)]
    assert effects[1:] == [(B, Parked())]
    assert refusals(bench.locate(A)) == [(A, Refusal.EXHAUSTED)]
    bench.wait(RESTART_SPAN)
    assert bench.locate(A) == [StartChild(RESTARTS + 1, "locker")]


def cannot_start(bench: Bench, number: int) -> list[Effect]:
    """Child ``number`` is not to be had."""
    return bench.said(number, NotStarted("no memory")) + bench.died(number)


def test_who_would_wait_waits_until_a_process_can_be_started_and_who_would_not_is_told_why() -> None:
    bench = Bench()
    bench.locate(A)
    bench.locate(B, "plotter", timeout=0)
    effects = cannot_start(bench, 1) + cannot_start(bench, 2)
    sentence = "no process can be started to serve plotter: no memory"
    assert effects == [(B, Refused(Refusal.EXHAUSTED, sentence))]
    number = 2
    for _ in range(RESTARTS + 1):
        assert bench.wait(PAUSES[1]) == [StartChild(number := number + 1, "locker")]
        assert cannot_start(bench, number) == []
    assert bench.wait(PAUSES[1]) == [StartChild(number + 1, "locker")]
    assert (A, Located(f"locker-{number + 1}.sock", CLOCK)) in bench.ready(number + 1)


def test_who_waited_in_vain_for_a_process_is_told_why_there_is_none() -> None:
    bench = Bench()
    bench.locate(A, timeout=0.01)
    cannot_start(bench, 1)
    sentence = "printer was not created within 0.01s: no process can be started: no memory"
    assert bench.wait(0.02) == [(A, Refused(Refusal.TIMED_OUT, sentence))]


def test_nobody_tries_to_start_a_process_that_nobody_needs() -> None:
    bench = Bench()
    bench.locate(A)
    cannot_start(bench, 1)
    bench.left(A)
    assert bench.wait(10 * PAUSES[1]) == []


def test_a_crowd_of_names_is_served_by_a_few_starts_at_a_time() -> None:
    bench = Bench()
    started = [effect for n in range(3 * AT_ONCE) for effect in bench.locate(somebody(n + 10), f"n{n}")]
    assert started == [StartChild(number, "locker") for number in range(1, AT_ONCE + 1)]
    assert StartChild(AT_ONCE + 1, "locker") in bench.ready(1)


def test_one_of_the_staff_that_cannot_be_started_is_tried_again_a_few_times(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(roles=["registry"])
    assert cannot_start(bench, 1) == [StartChild(2, "registry")]
    assert "HFD020E a process cannot be started  role=registry  error=no memory" in caplog.text


def test_without_a_fork_server_what_is_served_is_served_on_and_nothing_new() -> None:
    bench = Bench()
    number = bench.serve()
    assert bench.incubator.fork_server_died(bench.now) == [(number, Quiesce())]
    assert bench.locate(A)[1:] == [(A, Located("locker-1.sock", CLOCK))]
    assert refusals(bench.locate(B, "plotter")) == [(B, Refusal.EXHAUSTED)]


def test_a_child_that_breaks_the_protocol_is_our_bug() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="child said"):
        bench.said(bench.serve(), Gone())


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_daemon_without_clients_and_resources_ends_after_its_lifespan() -> None:
    bench = Bench(lifespan=5.0, pool=1)
    bench.ready(1)
    assert bench.wait(4.9) == []
    assert bench.wait(0.2) == [Unlisten(), (1, End())]
    assert bench.died(1) == [Finish("the daemon ends")]


def test_a_lifespan_begins_when_the_last_client_and_the_last_resource_are_gone() -> None:
    bench = Bench(lifespan=5.0)
    number = bench.serve(idle=60.0)
    bench.locate(A)
    bench.left(A)
    assert bench.wait(60.0) == []
    bench.said(number, Retiring(CLOCK, 0))
    bench.died(number)
    bench.locate(B, "nowhere", create=False)
    assert bench.wait(60.0) == []
    bench.left(B)
    assert bench.wait(4.9) == []
    assert bench.wait(0.2)[-1] == Finish("the daemon ends")


def test_a_lifespan_without_end_does_not_end() -> None:
    assert Bench().incubator.wakes_at() is None


def test_told_to_end_when_idle_it_serves_on_until_it_is() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.ready(2)
    assert bench.stop(A) == [(A, Stopping(PID)), (number, Quiesce())]
    assert bench.locate(B)[1:] == [(B, Located("locker-1.sock", CLOCK))]
    assert bench.locate(C, "plotter")[:2] == [
        (2, Assign("plotter", CLOCK + 1, 2.0, Order.FIFO, 6, "plotter")),
        (2, Quiesce()),
    ]
    bench.left(B)
    bench.left(C)
    assert bench.wait(60.0) == []
    for child, epoch in ((number, CLOCK), (2, CLOCK + 1)):
        assert (child, Leave(epoch)) in bench.said(child, Retiring(epoch, 0))
    assert bench.wait(QUIESCE)[0] == Unlisten()


def test_whoever_is_parked_keeps_a_daemon_that_ends_when_idle() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    bench.stop(B)
    assert bench.wait(60.0) == []
    bench.left(A)
    assert bench.wait(QUIESCE) == [Unlisten(), Finish("the daemon ends")]


def test_told_to_end_now_everybody_is_answered_and_children_end_last_started_first() -> None:
    bench = Bench(pool=1)
    bench.serve()
    bench.ready(2)
    bench.locate(B, "nowhere", create=False)
    effects = bench.stop(A, now=True)
    assert effects[:2] == [(A, Stopping(PID)), Unlisten()]
    assert refusals(effects) == [(B, Refusal.STOPPING)]
    assert effects[3:] == [(2, End()), (1, End())]
    assert bench.died(1) == []
    assert bench.died(2) == [Finish("the daemon ends")]


def test_children_that_do_not_end_are_killed() -> None:
    bench = Bench()
    bench.serve()
    bench.stop(A, now=True)
    assert bench.wait(STOP_LIMIT - 0.1) == []
    assert bench.wait(0.2) == [KillChild(1)]
    assert bench.died(1) == [Finish("the daemon ends")]


def test_while_it_ends_newcomers_are_sent_away_and_children_have_no_say() -> None:
    bench = Bench(pool=1)
    number = bench.serve()
    bench.stop(A, now=True)
    assert bench.locate(B) == [(B, Gone())]
    assert bench.said(number, Retiring(CLOCK, 0)) == []
    assert bench.ready(2) == [(2, End())]
    assert bench.left(B) == []
    assert bench.incubator.fork_server_died(bench.now) == []
    assert bench.stop(A, now=True) == [(A, Stopping(PID))]


def test_who_only_looks_and_the_staff_keep_no_daemon_alive() -> None:
    bench = Bench(lifespan=5.0, roles=["registry"])
    bench.ready(1)
    assert bench.say(A, Observe()) == [(A, Located("registry-1.sock", 0))]
    assert bench.say(B, Watch(0, 0.0)) != []
    assert bench.wait(5.0) == [Unlisten(), (1, End())]
    assert bench.died(1) == [Finish("the daemon ends")]


def test_the_registry_is_told_to_end_last_and_whoever_waits_for_it_is_refused() -> None:
    bench = Bench(pool=2, roles=["registry"])
    assert bench.opening == [StartChild(1, "locker"), StartChild(2, "locker"), StartChild(3, "registry")]
    bench.ready(1)
    for session in (B, C):
        assert bench.say(session, Observe()) == []
    bench.left(C)
    effects = bench.stop(A, now=True)
    assert refusals(effects) == [(B, Refusal.STOPPING)]
    assert effects[-3:] == [(2, End()), (1, End()), (3, End())]
    assert refusals(bench.say(B, Observe())) == [(B, Refusal.STOPPING)]
    assert bench.ready(3) == [(3, Serving(1, "locker-1.sock")), (3, End())]
    assert bench.died(3) == bench.died(2) == []
    assert bench.died(1) == [Finish("the daemon ends")]


def test_only_the_daemons_user_and_root_may_stop_it() -> None:
    for uid, may in ((UID, True), (0, True), (UID + 1, False)):
        session = somebody(1, uid=uid)
        [(_, answer), *rest] = Bench().stop(session, now=True)  # type: ignore[misc]
        assert isinstance(answer, Stopping if may else Fault)
        assert bool(rest) == may


def test_the_first_term_ends_it_when_idle_and_the_second_now() -> None:
    bench = Bench()
    bench.serve()
    assert bench.incubator.signalled(SIGTERM, bench.now) == [(1, Quiesce())]
    assert bench.incubator.signalled(SIGTERM, bench.now) == [Unlisten(), (1, End())]


def test_int_ends_it_now_and_so_does_term_for_flom() -> None:
    for number, quiesces in ((SIGINT, True), (SIGTERM, False)):
        bench = Bench(term_quiesces=quiesces)
        assert bench.incubator.signalled(number, bench.now) == [Unlisten(), Finish("the daemon ends")]


def test_a_daemon_that_failed_says_so_to_all_who_wait() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    assert refusals(bench.incubator.failed()) == [(A, Refusal.STOPPING)]
