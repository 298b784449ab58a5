"""What is said of a resource that does not exist, or that the incubator knows more about than a locker."""

from __future__ import annotations

import pytest

from holdfast.transport.messages import Explain, Explained, Located, Mode, Refusal, Refused, Stop
from holdfast.transport.wire import Message
from incubator_bench import CLOCK, A, B, Bench, C


def explain(bench: Bench, resource: str = "printer", *, quantity: int = 1, who: object = A) -> Message:
    [(to, answer)] = bench.say(who, Explain(resource, 0, Mode.EX, quantity, True))  # type: ignore[arg-type,misc]
    assert to is who
    assert not isinstance(answer, int)
    return answer  # type: ignore[no-any-return]


def test_what_does_not_exist_would_be_granted_at_once_and_is_not_created() -> None:
    bench = Bench()
    assert explain(bench) == Explained(True, 0, "printer does not exist yet; it would be created and granted at once")
    assert bench.incubator._staff.children == {}


@pytest.mark.parametrize(
    ("resource", "quantity", "sentence"),
    [("a..b", 1, "a..b"), ("units[2]", 3, "3 units asked"), ("units[2]", 0, "0 units asked"), ("_t_[1]", 1, "_t_")],
)
def test_what_has_no_meaning_or_can_never_be_is_said(resource: str, quantity: int, sentence: str) -> None:
    answer = explain(Bench(), resource, quantity=quantity)
    assert isinstance(answer, Explained)
    assert (answer.granted, answer.position) == (False, 0)
    assert sentence in answer.sentence


def test_what_is_served_is_the_lockers_to_explain_and_it_may_retire_all_the_same() -> None:
    bench = Bench()
    bench.serve()
    named_at = bench.incubator._lockers.table["printer"].named_at
    bench.wait(5.0)
    assert explain(bench) == Located("locker-1.sock", CLOCK)
    assert bench.incubator._lockers.table["printer"].named_at == named_at


def test_a_name_whose_locker_died_is_refused() -> None:
    bench = Bench()
    bench.died(bench.serve())
    answer = explain(bench)
    assert isinstance(answer, Refused)
    assert answer.why is Refusal.LOCKER_DIED


def test_who_is_parked_is_told_so_and_its_place() -> None:
    bench = Bench()
    bench.locate(B, create=False)
    bench.locate(A, create=False)
    answer = explain(bench)
    assert isinstance(answer, Explained)
    assert (answer.granted, answer.position) == (False, 2)
    assert "nobody has created printer yet" in answer.sentence
    assert explain(bench, who=C) == Explained(
        True, 0, "printer does not exist yet; it would be created and granted at once"
    )
    other = explain(bench, "plotter")
    assert isinstance(other, Explained)
    assert other.granted


def test_what_is_being_created_is_said_to_be() -> None:
    bench = Bench()
    bench.locate(B)
    bench.locate(A, create=False)
    for who, place in ((A, 2), (B, 1), (C, 0)):
        answer = explain(bench, who=who)
        assert isinstance(answer, Explained)
        assert (answer.granted, answer.position) == (False, place)
        assert "being created" in answer.sentence


def test_a_daemon_that_ends_explains_nothing() -> None:
    bench = Bench(pool=1)
    bench.say(B, Stop(True))
    answer = explain(bench)
    assert isinstance(answer, Refused)
    assert answer.why is Refusal.STOPPING
