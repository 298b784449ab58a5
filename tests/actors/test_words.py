"""Words for a person: on one line, as they were said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.door import Session
from holdfast.actors.words import holder_in_words, wait_in_words
from people import hello


@pytest.mark.parametrize(("wait", "said"), [(0.998043, "1 s"), (0.1987, "0.2 s"), (1.5, "1.5 s"), (0.0009, "0.0009 s")])
def test_a_wait_is_told_as_it_was_said(wait: float, said: str) -> None:
    assert wait_in_words(wait) == said


def test_a_holder_is_told_on_one_line_whatever_its_command() -> None:
    who = replace(
        hello(1), user="alice", host="node1", pid=7, command="sh -c \n \x1b[31mecho", job="42", reason="nightly"
    )
    assert holder_in_words(Session(b"", who, 3)) == "alice on node1, pid 7 (sh -c [31mecho), job 42, 'nightly'"


def test_a_holder_that_is_not_here_yet_has_no_name() -> None:
    assert "on its way" in holder_in_words(None)
