"""Who waits only for so many seconds."""

from __future__ import annotations

from holdfast.actors.limits import Limits
from holdfast.actors.rules.line import Owner

A, B = Owner(b"a"), Owner(b"b")


def test_whose_wait_is_over_comes_out_with_what_it_was_given() -> None:
    limits = Limits()
    limits.set(A, 5.0, 100.0)
    limits.set(B, 1.0, 100.5)
    assert (limits.at(A), limits.at(B), limits.wakes_at()) == (105.0, 101.5, 101.5)
    assert limits.due(101.0) is None
    assert limits.due(106.0) == (B, 1.0)
    assert limits.due(106.0) == (A, 5.0)
    assert limits.due(106.0) is None
    assert len(limits) == 0


def test_a_wait_that_ended_before_leaves_nothing() -> None:
    limits = Limits()
    limits.set(A, 5.0, 100.0)
    limits.cancel(A)
    limits.cancel(B)
    assert limits.at(A) is None
    assert limits.wakes_at() is None
    assert len(limits) == 0
