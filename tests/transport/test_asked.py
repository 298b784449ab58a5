"""What has no meaning is refused where it is said."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport import asked
from holdfast.transport.errors import InvalidName, UsageError
from holdfast.transport.messages import FOREVER, Locate, Mode, Order


def ask(resource: Any = "x", mode: Any = Mode.EX, quantity: Any = 1, idle: Any = 2.0, order: Any = 0) -> Locate:
    """The request, all in order but for what is given."""
    return asked.locate(resource, mode, quantity, nest=True, create=False, idle=idle, order=order)[1]


def test_what_has_a_meaning_is_asked_for_as_it_was_said() -> None:
    name, locate = asked.locate("x[4]", Mode.CR, 3, nest=False, create=True, idle=inf, order=Order.FIRST_FIT)
    assert name.text == "x[4]"
    assert locate == Locate("x[4]", Mode.CR, 3, FOREVER, False, True, FOREVER, Order.FIRST_FIT)


def test_the_number_of_a_mode_will_do() -> None:
    assert ask(mode=3).mode is Mode.PR


@pytest.mark.parametrize("resource", [b"x", None, 7])
def test_a_name_is_text(resource: object) -> None:
    with pytest.raises(InvalidName, match="it is no str"):
        ask(resource)


@pytest.mark.parametrize("mode", ["EX", 6, True, None, b"EX"])
def test_a_mode_is_one_of_six(mode: object) -> None:
    with pytest.raises(UsageError, match=r"is none of Mode\.NL.*Mode\.EX"):
        ask(mode=mode)


@pytest.mark.parametrize("order", ["fifo", 2, False, None])
def test_an_order_is_one_of_two(order: object) -> None:
    with pytest.raises(UsageError, match=r"is none of Order\.FIFO, Order\.FIRST_FIT"):
        ask(order=order)


@pytest.mark.parametrize("quantity", [0, -1, 2**63, 1.5, 1.0, nan, True, "1", None])
def test_a_quantity_is_a_whole_number_from_one_on(quantity: object) -> None:
    with pytest.raises(UsageError, match=r"a quantity of .* 1 is the least"):
        ask(quantity=quantity)


@pytest.mark.parametrize("idle", [nan, "2", None, True])
def test_an_idle_time_is_a_number(idle: object) -> None:
    with pytest.raises(UsageError, match="an idle time of"):
        ask(idle=idle)


@pytest.mark.parametrize("timeout", [-1, -0.1, -inf, nan, "5", True, b""])
def test_a_limit_is_a_number_that_is_not_negative(timeout: Any) -> None:
    with pytest.raises(UsageError, match="a timeout of"):
        asked.limit(timeout)


@given(st.one_of(st.none(), st.integers(0), st.floats(0, allow_nan=False)))
def test_a_limit_is_as_it_was_said(timeout: float | None) -> None:
    assert asked.limit(timeout) == (None if timeout == inf else timeout)


@pytest.mark.parametrize("after", [-1, nan, "5", True, False])
def test_when_a_wait_is_explained_is_a_number_or_never_or_as_usual(after: Any) -> None:
    with pytest.raises(UsageError, match="None is never"):
        asked.explain(after)
    assert (asked.explain(0), asked.explain(2.5), asked.explain(inf)) == (0, 2.5, None)
    assert asked.explain(None) is None
    assert asked.explain(...) is ...
