"""The queues of those who wait for a resource to be created."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.requests import Requests
from holdfast.transport.messages import FOREVER
from people import somebody
from raw import locate


def test_the_creator_comes_out_first_and_the_others_in_their_order() -> None:
    requests = Requests()
    early, creator, late, second_creator = (somebody(name) for name in range(4))
    for session, create in ((early, False), (creator, True), (late, False), (second_creator, True)):
        requests.add("r", session, locate("r", create=create), 0.0)
    assert requests.creator("r") is requests.queue("r")[1]
    assert [request.session for request in requests.take("r")] == [creator, early, late, second_creator]
    assert len(requests) == 0
    assert requests.queue("r") == []


def test_who_is_withdrawn_is_nowhere_any_more() -> None:
    requests = Requests()
    one = somebody(1)
    added = requests.add("r", one, locate("r", timeout=5.0), 0.0)
    assert requests.withdraw(one) is added
    assert requests.withdraw(one) is None
    assert one not in requests
    assert requests.creator("r") is None
    assert requests.wakes_at() is None
    assert requests.due(99.0) is None


def test_what_is_left_of_a_wait_counts_down_and_never_becomes_a_no() -> None:
    request = Requests().add("r", somebody(1), locate("r", timeout=5.0), 10.0)
    assert request.left(12.0) == 3.0
    assert request.left(99.0) == 0.001  # 0 would mean: do not wait at all


def test_for_ever_and_not_at_all_stay_what_they_are() -> None:
    requests = Requests()
    for name, timeout in ((1, FOREVER), (2, 0.0)):
        assert requests.add("r", somebody(name), locate("r", timeout=timeout), 10.0).left(99.0) == timeout
    assert requests.wakes_at() is None


def test_whose_wait_is_over_is_told_once() -> None:
    requests = Requests()
    requests.add("a", somebody(1), locate("a", timeout=5.0), 0.0)
    second = requests.add("b", somebody(2), locate("b", timeout=3.0), 0.0)
    assert requests.wakes_at() == 3.0
    assert requests.due(4.0) is second
    assert requests.due(4.0) is None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=20), st.data())
def test_nothing_is_left_when_all_have_left(asks: list[tuple[str, bool, bool]], data: st.DataObject) -> None:
    requests = Requests()
    sessions = [somebody(name) for name in range(len(asks))]
    for session, (key, create, limited) in zip(sessions, asks, strict=True):
        requests.add(key, session, locate(key, create=create, timeout=9.0 if limited else FOREVER), 0.0)
    assert len(requests) == len(asks)
    for session in data.draw(st.permutations(sessions)):
        requests.withdraw(session)
    assert requests._queues == {}
    assert len(requests) == len(requests._alarms) == 0


def test_clearing_takes_out_everybody() -> None:
    requests = Requests()
    both = [somebody(1), somebody(2)]
    for session in both:
        requests.add("r", session, locate("r"), 0.0)
    assert requests.clear() == both
    assert len(requests) == 0


def test_what_somebody_waits_for_is_found_and_the_parked_are_counted() -> None:
    requests = Requests()
    session = somebody(1)
    assert requests.of(session) is None
    request = requests.add("a", session, locate("a"), 1.0)
    assert requests.of(session) is request
    assert requests.parked == 0
    request.parked = True
    assert requests.parked == 1
    later = requests.add("b", somebody(2), locate("b"), 2.0)
    assert (request.asked_at, later.asked_at) == (1.0, 2.0)
    assert request.arrival < later.arrival
