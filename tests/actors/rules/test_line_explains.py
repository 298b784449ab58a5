"""What a line says about a request that nobody made, and about one that waits: by example.

(``line_model.py`` compares every verdict in random histories with a second model, and with a line that is not asked.)
"""

from __future__ import annotations

import pytest

from holdfast.actors.rules.line import Owner, Verdict
from holdfast.transport.messages import Mode, Order, Refusal, Refused
from line_model import EVERY_TYPE, ask, line

A, B, C, D, E = (Owner(bytes([letter])) for letter in b"ABCDE")


@pytest.mark.parametrize("resource", EVERY_TYPE)
def test_what_is_free_would_be_granted_and_is_not_taken(resource: str) -> None:
    some = line(resource)
    assert some.explain(ask(resource), 1.0) == Verdict(True)
    assert not some.holds
    assert some.token == 0


def test_who_would_wait_hears_whose_holds_are_in_its_way_and_its_position() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.CR), 1.0)
    assert some.explain(ask("simple", Mode.PW), 2.0) == Verdict(False, None, 1, (A,), ())
    assert not some.waiters


def test_a_reader_behind_a_writer_that_waits_is_kept_out_by_nobodys_hold() -> None:
    some = line("simple")
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    assert some.explain(ask("simple", Mode.PR), 3.0) == Verdict(False, None, 2, (), (B,))
    some.ask(C, ask("simple", Mode.PR), 3.0)
    assert some.explain_owner(C, 4.0) == Verdict(False, None, 2, (), (B,))
    assert some.explain_owner(A, 4.0) == Verdict(True)


def test_with_first_fit_nobody_stands_behind_anybody() -> None:
    some = line("simple", Order.FIRST_FIT)
    some.ask(A, ask("simple", Mode.PR), 1.0)
    some.ask(B, ask("simple", Mode.EX), 2.0)
    assert some.explain(ask("simple", Mode.PR), 3.0) == Verdict(True)
    assert some.explain(ask("simple", Mode.EX), 3.0) == Verdict(False, None, 2, (A,), ())


def test_the_hold_that_a_request_is_made_inside_is_not_in_its_way() -> None:
    some = line("simple")
    for owner in (A, B):
        some.ask(owner, ask("simple", Mode.PR), 1.0)
    assert some.explain(ask("simple"), 2.0, inside=[A]).blockers == (B,)
    assert some.explain(ask("simple", nest=False), 2.0, inside=[A]).blockers == (A, B)


def test_a_nested_request_stands_before_all_others() -> None:
    some = line("simple")
    for owner in (A, B):
        some.ask(owner, ask("simple", Mode.PR), 1.0)
    some.ask(C, ask("simple"), 2.0)
    some.ask(D, ask("simple"), 3.0, inside=[A])
    assert some.explain_owner(D, 4.0) == Verdict(False, None, 2, (B,), ())
    assert some.explain_owner(C, 4.0) == Verdict(False, None, 1, (A, B), (D,))


def test_what_can_never_be_granted_is_said_with_the_reason() -> None:
    some = line("units[5]")
    verdict = some.explain(ask("units[5]", quantity=6), 1.0)
    assert (verdict.granted, verdict.position) == (False, 0)
    assert isinstance(verdict.refused, Refused)
    assert verdict.refused.why is Refusal.IMPOSSIBLE


def test_what_would_be_a_deadlock_is_said_to_be_one() -> None:
    some = line("simple")
    for owner in (A, B):
        some.ask(owner, ask("simple", Mode.PR), 1.0)
    some.ask(C, ask("simple"), 2.0, inside=[A])
    verdict = some.explain(ask("simple"), 3.0, inside=[B])
    assert isinstance(verdict.refused, Refused)
    assert verdict.refused.why is Refusal.DEADLOCK


def test_when_it_is_only_too_early_nobody_is_in_the_way() -> None:
    some = line("_t_%S[3]")
    some.ask(A, ask("_t_%S[3]"), 5.0)
    assert some.explain(ask("_t_%S[3]"), 5.5) == Verdict(False, None, 1, (), ())
    assert some.explain(ask("_t_%S[3]"), 6.5) == Verdict(True)
    assert some.wakes_at() is None


def test_who_is_not_in_line_has_nothing_to_be_explained() -> None:
    with pytest.raises(KeyError):
        line("simple").explain_owner(A, 1.0)
