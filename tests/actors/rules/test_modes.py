"""The mode table, against what the modes mean and not against itself."""

from __future__ import annotations

import pytest

from holdfast.actors.rules.modes import CONFLICTS, compatible
from holdfast.transport.messages import Mode
from line_model import bear_each_other

every_pair = pytest.mark.parametrize(("held", "asked"), [(held, asked) for held in Mode for asked in Mode])


@every_pair
def test_two_modes_are_compatible_if_each_bears_what_the_other_does(held: Mode, asked: Mode) -> None:
    assert compatible(held, asked) == bear_each_other(held, asked)


@every_pair
def test_the_table_is_symmetric(held: Mode, asked: Mode) -> None:
    assert compatible(held, asked) == compatible(asked, held)


@every_pair
def test_a_conflict_is_what_is_not_compatible(held: Mode, asked: Mode) -> None:
    assert (asked in CONFLICTS[held]) != compatible(held, asked)


def test_exclusive_bears_the_null_lock_only() -> None:
    assert [mode for mode in Mode if compatible(Mode.EX, mode)] == [Mode.NL]


def test_readers_share_and_a_writer_keeps_them_out() -> None:
    assert compatible(Mode.PR, Mode.PR)
    assert not compatible(Mode.PW, Mode.PR)
