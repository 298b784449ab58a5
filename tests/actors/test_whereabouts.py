"""By which numbers people know a session and a resource, and what lockers hear of them."""

from __future__ import annotations

from holdfast.actors.process import Effect
from holdfast.transport.messages import Assign, Expect, Located, Observe, Place, Watch
from incubator_bench import A, B, Bench, C
from people import session_id, somebody


def numbers(effects: list[Effect]) -> list[int]:
    """The numbers told to lockers, of resources and of sessions, in their order."""
    told = [effect[1] for effect in effects if isinstance(effect, tuple)]
    return [message.number for message in told if isinstance(message, Assign | Expect)]


def test_the_first_session_is_two_and_its_resource_three() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    assert numbers(bench.locate(A)) == [3, 2]


def test_a_session_keeps_its_number_and_a_new_connection_has_another_one() -> None:
    bench = Bench(pool=2)
    bench.ready(1)
    bench.ready(2)
    bench.locate(A, "a")
    assert numbers(bench.locate(A, "b")) == [4, 2]
    bench.left(A)
    assert numbers(bench.locate(somebody(1), "a")) == [5]


def test_a_request_without_meaning_takes_a_number_too() -> None:
    bench = Bench(pool=1)
    bench.ready(1)
    bench.locate(A, "a..b")
    assert numbers(bench.locate(A)) == [3, 2]


def test_who_only_looks_takes_no_number() -> None:
    bench = Bench(pool=1, roles=["registry"])
    bench.ready(1)
    bench.say(B, Observe())
    bench.say(B, Watch(0, 0.0))
    assert numbers(bench.locate(A)) == [3, 2]


def test_a_locker_hears_of_a_session_before_the_session_hears_of_the_locker() -> None:
    bench = Bench()
    bench.locate(A, create=False)
    bench.locate(B)
    effects = bench.ready(1)
    order = [type(effect[1]) for effect in effects if isinstance(effect, tuple)]
    assert order == [Assign, Expect, Expect, Place, Place, Located, Located]
    assert bench.locate(C)[0] == (1, Expect(session_id(3), 5))
