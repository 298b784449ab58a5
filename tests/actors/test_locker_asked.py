"""Who watches a locker, or asks it what would be: answered in every state, and no client."""

from __future__ import annotations

import json

import pytest

from holdfast.actors.locker import LEFT_ALONE
from holdfast.actors.process import PARENT
from holdfast.transport.messages import (
    FOREVER,
    Changes,
    Explain,
    Explained,
    Fault,
    Gone,
    Granted,
    Leave,
    Mode,
    Queued,
    Refused,
    Report,
    Reported,
    Retiring,
    Stay,
    Watch,
)
from locker_bench import EPOCH, A, B, Bench, changes_for, kinds
from people import somebody

W = somebody(998)
WHY = "held by alice on node1, pid 4711 (make), for 0.0s"


def retiring() -> Bench:
    bench = Bench()
    assert kinds(bench.wait(2.0)) == [(PARENT, Retiring)]
    return bench


def explain(epoch: int = EPOCH) -> Explain:
    return Explain("printer", epoch, Mode.EX, 1, True)


# --- watching ---------------------------------------------------------------------------------------------------------


def test_a_watcher_does_not_keep_a_locker_from_retiring() -> None:
    bench = Bench()
    [changes] = bench.watch(W)
    bench.watch(W, changes.number, FOREVER)
    assert kinds(bench.wait(2.0)) == [(PARENT, Retiring)]
    assert bench.left(W) == []
    assert bench.locker.wakes_at() is None


def test_a_watcher_is_told_whatever_the_locker_does() -> None:
    for bench in (Bench(assigned=False), Bench(), retiring()):
        assert len(bench.watch(W)) == 1
    orphan = Bench()
    orphan.holder()
    orphan.orphan()
    assert len(orphan.watch(W)[0].claims) == 1


def test_a_watcher_follows_from_one_resource_to_the_next() -> None:
    bench = retiring()
    [changes] = bench.watch(W)
    bench.watch(W, changes.number, FOREVER)
    assert bench.told(Leave(EPOCH)) == []
    bench.resource = "plotter"
    bench.assign(epoch=EPOCH + 1)
    [changes] = changes_for(W, bench.wait(1.0))
    assert [(one.name, one.epoch) for one in changes.resources] == [("plotter", EPOCH + 1)]


def test_a_watcher_does_not_keep_an_orphan_alive() -> None:
    bench = Bench()
    held = bench.holder()
    bench.watch(W)
    bench.orphan()
    assert len(bench.left(held)) == 3


def test_who_watches_may_lock_as_well() -> None:
    bench = Bench()
    [changes] = bench.watch(A)
    bench.watch(A, changes.number, FOREVER)
    assert kinds(bench.ask(A)) == [(A, Granted)]
    assert kinds(bench.wait(1.0)) == [(A, Changes)]
    assert kinds(bench.release(A))[0][0] is A  # type: ignore[index]


def test_the_answer_to_a_client_comes_before_what_others_are_told_of_it() -> None:
    bench = Bench()
    bench.locker.handle(W, Watch(0, FOREVER), bench.now)
    assert kinds(bench.ask(A)) == [(A, Granted)]


# --- explaining -------------------------------------------------------------------------------------------------------


def test_who_waits_is_told_why_and_goes_on_waiting() -> None:
    bench = Bench()
    held = bench.holder()
    bench.ask(A)
    assert bench.explain(A) == Explained(False, 1, WHY)
    assert kinds(bench.release(held))[1] == (A, Granted)


def test_who_only_asks_takes_nothing_and_keeps_nothing_alive() -> None:
    bench = Bench()
    assert bench.explain(A) == Explained(True, 0, "printer is free")
    assert kinds(bench.wait(2.0)) == [(PARENT, Retiring)]


def test_who_only_asks_is_told_where_it_would_stand() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A)
    told = bench.explain(B)
    assert (told.granted, told.position) == (False, 2)
    assert bench.ask(B) == [(B, Queued(2))]


def test_who_asks_from_inside_a_holder_is_told_that_it_would_get_in() -> None:
    bench = Bench()
    held = bench.holder(1)
    nested = somebody(20, inside=(held.who.session,))
    assert bench.explain(nested).granted
    assert not bench.explain(nested, nest=False).granted


def test_what_has_no_meaning_is_explained_with_a_sentence() -> None:
    bench = Bench()
    assert bench.explain(A, resource="plotter") == Explained(False, 0, "plotter is not served here; locate it first")
    assert "quantity of 0" in bench.explain(A, quantity=0).sentence


@pytest.mark.parametrize("assigned", [True, False])
def test_an_explanation_for_another_epoch_is_gone(assigned: bool) -> None:
    bench = Bench(assigned=assigned)
    assert bench.locker.handle(A, explain(EPOCH + 1), bench.now) == [(A, Gone())]


def test_a_question_while_it_retires_is_kept_until_it_is_known_who_may_answer() -> None:
    for told, answer in ((Stay(EPOCH), Explained), (Leave(EPOCH), Gone)):
        bench = retiring()
        assert bench.locker.handle(A, explain(), bench.now) == []
        assert kinds(bench.told(told)) == [(A, answer)]


def test_an_orphan_explains_that_it_serves_nobody_new() -> None:
    bench = Bench()
    held = bench.holder()
    bench.orphan()
    assert bench.explain(A) == Explained(False, 0, LEFT_ALONE)
    assert bench.explain(held).granted
    assert kinds(bench.ask(held)) == [(held, Fault)]
    assert kinds(bench.ask(A)) == [(A, Refused)]


# --- for a dump -------------------------------------------------------------------------------------------------------


def test_a_report_says_how_it_is() -> None:
    bench = Bench()
    bench.holder()
    bench.ask(A)
    bench.watch(W)
    [(to, reported)] = bench.told(Report())  # type: ignore[misc]
    assert to is PARENT
    assert isinstance(reported, Reported)
    assert json.loads(reported.facts) == {
        "state": "serving",
        "resource": "printer",
        "epoch": EPOCH,
        "sessions": 2,
        "holders": 1,
        "waiters": 1,
        "watchers": 1,
    }


def test_a_report_without_a_resource_says_so() -> None:
    [(_, reported)] = Bench(assigned=False).told(Report())  # type: ignore[misc]
    assert isinstance(reported, Reported)
    facts = json.loads(reported.facts)
    assert (facts["state"], facts["resource"], facts["holders"]) == ("unassigned", "", 0)
