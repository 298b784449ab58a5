"""What is counted of many commands, and the code that tells of all of them."""

from __future__ import annotations

import pytest

from holdfast.cli.exits import CONFLICT, SOME_FAILED
from holdfast.cli.lines import Line
from holdfast.cli.outcomes import Outcomes, how_it_ended

LINE = Line(1, "true", ("true",))
SLOW = Line(2, "sleep 1", ("sleep", "1"))


def counted(*codes: int, left_out: int = 0) -> Outcomes:
    outcomes = Outcomes()
    outcomes.left_out = left_out
    for code in codes:
        outcomes.count(LINE, code, 0.0, 0.0)
    return outcomes


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (counted(), 0),
        (counted(0, 0), 0),
        (counted(0, 1), SOME_FAILED),
        (counted(-9), SOME_FAILED),
        (counted(0, left_out=1), CONFLICT),
        (counted(1, left_out=1), SOME_FAILED),
    ],
)
def test_one_code_tells_of_all(outcomes: Outcomes, code: int) -> None:
    assert outcomes.exit_code(CONFLICT) == code


def test_the_summary_says_how_many_the_longest_and_the_wait() -> None:
    outcomes = Outcomes()
    outcomes.count(LINE, 0, 0.5, 1.0)
    outcomes.count(SLOW, 1, 1.2, 2.0)
    outcomes.count(LINE, 0, 0.1, 0.5)
    assert outcomes.summary(2.0, 3) == (
        "3 commands in 2.0s, 1 failed; longest 1.2s: line 2 (sleep 1); waited 3.5s for the lock in all"
    )


def test_the_summary_says_what_nobody_came_to() -> None:
    assert counted(0, left_out=2).summary(1.0, 7).startswith("1 command in 1.0s, 0 failed; 6 not run; ")
    assert "not run" not in counted(0).summary(1.0, 1)


def test_what_could_not_be_run_is_no_command_that_ran() -> None:
    outcomes = counted(0, left_out=1)
    outcomes.unable = 2
    assert outcomes.summary(1.0, 4).startswith("1 command in 1.0s, 0 failed; 2 could not be run; 1 not run; ")
    assert outcomes.exit_code(CONFLICT) == SOME_FAILED


def test_nothing_is_the_longest_where_nothing_ran() -> None:
    assert counted().summary(0.0, 0) == "0 commands in 0.0s, 0 failed; waited 0.0s for the lock in all"


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(3) == "exit code 3"
    assert how_it_ended(-9) == "killed by signal 9"
