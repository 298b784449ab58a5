"""The promises of the line, for all six types: by example, and by random histories against a second model."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from holdfast.actors.rules.line import Line, Owner
from holdfast.transport.messages import Granted, Mode, Order, Queued, Refusal, Refused
from line_model import EVERY_TYPE, FIRST_TOKEN, Watched, ask, line, told

A, B, C, D, E, F = (Owner(bytes([letter])) for letter in b"ABCDEF")

every_type = pytest.mark.parametrize("resource", EVERY_TYPE)
every_order = pytest.mark.parametrize("order", Order, ids=lambda order: order.name.lower())


def fill(line_: Line, resource: str) -> list[Owner]:
    """Let so many in that nobody else fits."""
    owners = []
    for number in range(100, 200):
        owner = Owner(bytes([number]))
        request = ask(resource, timeout=0)
        if not isinstance(line_.ask(owner, request, 0.0 + number)[0][1], Granted):
            return owners
        owners.append(owner)
    raise AssertionError("never full")


def empty_inside(line_: Line) -> None:
    """Nothing is left behind in the line, nor in its resource."""
    waiters, resource = line_._waiters, line_._resource
    assert not waiters.all
    assert not waiters._kin
    assert not waiters._root.groups
    assert not waiters._root.below
    for attribute in ("_used", "_shares", "_index"):
        assert not getattr(resource, attribute, 0)
    assert not any(getattr(resource, "_held", ()))
    assert not any(getattr(resource, "_users", ()))
    if hasattr(resource, "_top"):
        assert not resource._top.children
        assert not any(resource._top.below)
    if hasattr(resource, "_free"):
        assert resource._free == len(resource._elements)


# --- one owner after the other ---------------------------------------------------------------------------------------


@every_type
@every_order
def test_the_first_one_gets_in_at_once(resource: str, order: Order) -> None:
    ((owner, answer),) = line(resource, order).ask(A, ask(resource), 5.0)
    assert owner == A
    assert isinstance(answer, Granted)
    assert (answer.token, answer.waited) == (FIRST_TOKEN, 0.0)


@every_type
@every_order
def test_when_it_is_full_one_waits_and_a_release_lets_him_in(resource: str, order: Order) -> None:
    full = line(resource, order)
    inside = fill(full, resource)
    assert full.ask(A, ask(resource), 300.0) == [(A, Queued(1))]
    assert full.waiting(A)
    ((owner, answer),) = full.leave(inside[0], 310.0)
    assert owner == A
    assert isinstance(answer, Granted)
    assert answer.waited == 10.0
    assert full.holder(A) is not None
    assert not full.waiting(A)


@every_type
def test_who_will_not_wait_is_told_that_it_is_busy(resource: str) -> None:
    full = line(resource)
    fill(full, resource)
    assert full.ask(A, ask(resource, timeout=0), 300.0) == [(A, Refused(Refusal.BUSY, ""))]
    assert not full.waiters


@every_type
def test_a_waiter_that_dies_is_passed_over(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    for owner in (A, B):
        full.ask(owner, ask(resource), 300.0)
    assert full.leave(A, 301.0) == []
    assert told(full.leave(inside[0], 302.0)) == [(B, "Granted")]


@every_type
def test_waiters_get_in_in_the_order_in_which_they_came(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    for owner in (C, A, B):
        full.ask(owner, ask(resource), 300.0)
    came = []
    for time, owner in enumerate([*inside, C, A], start=301):
        came += [who for who, _ in full.leave(owner, float(time))]
        if len(came) == 3:
            break
    assert came == [C, A, B]


@every_type
def test_the_token_grows_by_one_with_each_grant(resource: str) -> None:
    some = line(resource)
    assert some.token == 0
    for number in range(5):
        some.ask(A, ask(resource), float(number))
        assert some.token == FIRST_TOKEN + number
        some.leave(A, float(number))


@every_type
def test_a_hold_says_what_was_given_and_when(resource: str) -> None:
    some = line(resource)
    ((_, answer),) = some.ask(A, ask(resource), 7.0)
    hold = some.holder(A)
    assert hold is not None
    assert (hold.owner, hold.token, hold.since) == (A, FIRST_TOKEN, 7.0)
    assert isinstance(answer, Granted)
    assert hold.element == answer.element
    assert list(some.holds) == [A]


@every_type
def test_who_is_in_line_may_not_ask_again(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0)
    for owner in (inside[0], A):
        with pytest.raises(ValueError, match="in line already"):
            full.ask(owner, ask(resource), 301.0)


@every_type
def test_who_is_not_in_line_cannot_leave_it(resource: str) -> None:
    with pytest.raises(KeyError):
        line(resource).leave(A, 1.0)


@every_type
def test_a_waiter_is_told_who_is_in_his_way(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0)
    assert full.blockers(A) == inside


def test_behind_another_waiter_all_holders_are_in_the_way() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    some.ask(C, ask("simple", Mode.PR), 3.0)
    assert some.blockers(C) == [A]


# --- order -----------------------------------------------------------------------------------------------------------


def test_fifo_lets_nobody_pass_whom_he_would_delay() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    assert some.ask(C, ask("simple", Mode.PR), 3.0) == [(C, Queued(2))]
    assert told(some.ask(D, ask("simple", Mode.NL), 4.0)) == [(D, "Granted")]


def test_fifo_lets_those_in_whom_a_leaving_waiter_held_back() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    some.ask(C, ask("simple", Mode.PR), 3.0)
    assert told(some.leave(B, 4.0)) == [(C, "Granted")]


def test_first_fit_looks_at_the_holders_only() -> None:
    some = line("simple", Order.FIRST_FIT)
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    assert told(some.ask(C, ask("simple", Mode.PR), 3.0)) == [(C, "Granted")]


def test_first_fit_lets_in_all_that_fit_oldest_first() -> None:
    some = line("units[5]", Order.FIRST_FIT)
    some.ask(A, ask("units[5]", quantity=5), 1.0)
    for owner, quantity in ((B, 3), (C, 4), (D, 1), (E, 1), (F, 1)):
        some.ask(owner, ask("units[5]", quantity=quantity), 2.0)
    assert told(some.leave(A, 3.0)) == [(B, "Granted"), (D, "Granted"), (E, "Granted")]


def test_first_fit_looks_at_an_older_one_before_a_younger_one_that_asks_the_same_as_the_oldest() -> None:
    some = line("units[5]", Order.FIRST_FIT)
    some.ask(A, ask("units[5]", quantity=2), 1.0)
    some.ask(F, ask("units[5]", quantity=3), 1.0)
    for owner, quantity in ((B, 1), (C, 2), (D, 1)):
        some.ask(owner, ask("units[5]", quantity=quantity), 2.0)
    assert told(some.leave(F, 3.0)) == [(B, "Granted"), (C, "Granted")]


def test_fifo_does_not_fill_the_room_with_smaller_ones() -> None:
    some = line("units[5]")
    some.ask(A, ask("units[5]", quantity=5), 1.0)
    for owner, quantity in ((B, 3), (C, 4), (D, 1)):
        some.ask(owner, ask("units[5]", quantity=quantity), 2.0)
    assert told(some.leave(A, 3.0)) == [(B, "Granted")]


# --- nesting ---------------------------------------------------------------------------------------------------------


@every_type
@every_order
def test_a_nested_request_does_not_wait_for_its_ancestors(resource: str, order: Order) -> None:
    full = line(resource, order)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0)
    answers = full.ask(B, ask(resource), 301.0, inside=[inside[-1]])
    assert told(answers) == [(B, "Granted")]


@every_type
def test_without_nesting_the_claim_does_not_count(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    assert told(full.ask(B, ask(resource, nest=False), 301.0, inside=inside)) == [(B, "Queued")]


@every_type
def test_a_session_that_does_not_hold_is_no_ancestor(resource: str) -> None:
    full = line(resource)
    fill(full, resource)
    assert told(full.ask(B, ask(resource), 301.0, inside=[A])) == [(B, "Queued")]


@every_type
def test_an_ancestor_named_twice_counts_once(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0, inside=[inside[0]])
    assert told(full.ask(B, ask(resource), 301.0, inside=[inside[0]] * 3)) == [(B, "Queued")]


@every_type
def test_siblings_exclude_each_other_and_take_turns(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0, inside=[inside[0]])
    assert told(full.ask(B, ask(resource), 301.0, inside=[inside[0]])) == [(B, "Queued")]
    assert told(full.leave(A, 302.0)) == [(B, "Granted")]


@every_type
def test_a_nested_grant_outlives_its_ancestor(resource: str) -> None:
    full = line(resource)
    inside = fill(full, resource)
    full.ask(A, ask(resource), 300.0, inside=[inside[0]])
    full.ask(B, ask(resource), 301.0)
    assert full.leave(inside[0], 302.0) == []
    assert told(full.leave(A, 303.0)) == [(B, "Granted")]


def test_a_nested_request_stands_before_those_who_wait_for_its_ancestor() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.PR), 1.0)
    some.ask(C, ask("simple", Mode.EX), 2.0)
    some.ask(D, ask("simple", Mode.EX), 3.0, inside=[A])
    assert told(some.leave(B, 4.0)) == [(D, "Granted")]


def test_two_nested_requests_that_wait_for_each_others_ancestor_are_a_deadlock() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.PR), 1.0)
    assert told(some.ask(C, ask("simple", Mode.EX), 2.0, inside=[A])) == [(C, "Queued")]
    ((owner, answer),) = some.ask(D, ask("simple", Mode.EX), 3.0, inside=[B])
    assert owner == D
    assert isinstance(answer, Refused)
    assert answer.why is Refusal.DEADLOCK
    assert answer.sentence.startswith("would wait for ever")
    assert told(some.leave(B, 4.0)) == [(C, "Granted")]


def test_units_that_a_third_one_may_free_are_no_deadlock() -> None:
    some = line("units[6]")
    for owner, quantity in ((A, 3), (B, 2), (C, 1)):
        some.ask(owner, ask("units[6]", quantity=quantity), 1.0)
    assert told(some.ask(D, ask("units[6]", quantity=3), 2.0, inside=[B])) == [(D, "Queued")]
    assert told(some.ask(E, ask("units[6]", quantity=4), 3.0, inside=[A])) == [(E, "Queued")]
    assert told(some.leave(C, 4.0)) == [(D, "Granted")]


def test_units_that_nobody_else_can_free_are_a_deadlock() -> None:
    some = line("units[5]")
    for owner, quantity in ((A, 3), (B, 2)):
        some.ask(owner, ask("units[5]", quantity=quantity), 1.0)
    assert told(some.ask(D, ask("units[5]", quantity=3), 2.0, inside=[B])) == [(D, "Queued")]
    assert told(some.ask(E, ask("units[5]", quantity=4), 3.0, inside=[A])) == [(E, "DEADLOCK")]


def test_a_session_that_is_granted_after_its_child_asked_becomes_its_ancestor() -> None:
    some = line("simple")
    some.ask(A, ask("simple"), 1.0)
    some.ask(B, ask("simple"), 2.0)
    some.ask(C, ask("simple"), 3.0, inside=[B])
    assert told(some.leave(A, 4.0)) == [(B, "Granted"), (C, "Granted")]


def test_a_grant_that_makes_its_waiting_child_a_deadlock_refuses_the_child() -> None:
    some = line("simple", Order.FIRST_FIT)
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.PR), 1.0)
    assert told(some.ask(C, ask("simple", Mode.EX), 2.0, inside=[A])) == [(C, "Queued")]
    assert told(some.ask(E, ask("simple", Mode.EX), 2.0, inside=[D])) == [(E, "Queued")]
    assert told(some.ask(D, ask("simple", Mode.PR), 3.0)) == [(D, "Granted"), (E, "DEADLOCK")]


def test_when_its_ancestor_ends_a_nested_waiter_lets_older_ones_pass_wherever_it_waits() -> None:
    some = line("/a")
    some.ask(A, ask("/a/x", Mode.EX), 1.0)
    some.ask(B, ask("/a/y", Mode.CR), 1.0)
    some.ask(C, ask("/a/y/z", Mode.CW), 1.0)
    assert told(some.ask(D, ask("/a/y", Mode.PR), 2.0)) == [(D, "Queued")]
    assert told(some.ask(E, ask("/a/y", Mode.EX), 3.0, inside=[A])) == [(E, "Queued")]
    assert some.leave(C, 4.0) == []
    assert told(some.leave(A, 5.0)) == [(D, "Granted")]


# --- random histories ------------------------------------------------------------------------------------------------


class History(RuleBasedStateMachine):
    """Sessions ask, nest, leave and die in any order; ``Watched`` raises if a promise is broken."""

    resource = "simple"
    order = Order.FIFO

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched(self.resource, self.order)
        self.chains: dict[Owner, tuple[Owner, ...]] = {}  # session -> the sessions it runs inside

    def _in_line(self) -> list[Owner]:
        return [*self.watched.live, *self.watched.waiting]

    def _request(self, data: st.DataObject, owner: Owner) -> None:
        quantity = data.draw(st.integers(1, 6)) if "[5]" in self.resource else 1
        path = data.draw(st.sampled_from(["/a", "/a/b", "/a/c", "/a/b/c"])) if self.resource == "/a" else self.resource
        mode = data.draw(st.sampled_from(list(Mode))) if self.resource in ("/a", "simple") else Mode.EX
        timeout = data.draw(st.sampled_from([-1.0, -1.0, -1.0, 0.0]))
        nest = data.draw(st.sampled_from([True, True, True, False]))
        self.watched.ask(owner, ask(path, mode, quantity, timeout=timeout, nest=nest), self.chains[owner])

    @rule(data=st.data())
    def a_new_session_asks(self, data: st.DataObject) -> None:
        owner = Owner(len(self.chains).to_bytes(2, "big"))
        parent = data.draw(st.sampled_from([None, *self._in_line()]))
        self.chains[owner] = () if parent is None else (*self.chains[parent], parent)
        self._request(data, owner)

    @precondition(lambda self: len(self.chains) > len(self._in_line()))
    @rule(data=st.data())
    def a_session_asks_again(self, data: st.DataObject) -> None:
        self._request(data, data.draw(st.sampled_from([each for each in self.chains if each not in self._in_line()])))

    @precondition(lambda self: self._in_line())
    @rule(data=st.data(), rolled_back=st.booleans())
    def somebody_leaves(self, data: st.DataObject, rolled_back: bool) -> None:
        self.watched.leave(data.draw(st.sampled_from(self._in_line())), rolled_back=rolled_back)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.watched.pass_time(seconds)

    def teardown(self) -> None:
        self.watched.empty()
        empty_inside(self.watched.line)


@pytest.mark.slow
@every_type
@every_order
def test_no_history_breaks_a_promise(resource: str, order: Order) -> None:
    machine = type("History", (History,), {"resource": resource, "order": order})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
