"""Words for a person: on one line, as they were said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.words import LONGEST_SENTENCE, age_in_words, person_in_words, sentence, wait_in_words
from people import hello


@pytest.mark.parametrize(("wait", "said"), [(0.998043, "1 s"), (0.1987, "0.2 s"), (1.5, "1.5 s"), (0.0009, "0.0009 s")])
def test_a_wait_is_told_as_it_was_said(wait: float, said: str) -> None:
    assert wait_in_words(wait) == said


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (0.0, "0 s"),
        (0.32, "0.3 s"),
        (9.0, "9 s"),
        (12.9, "12 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (65.0, "1 min 5 s"),
        (3_900.0, "1 h 5 min"),
        (3_659.0, "1 h"),
        (86_400.0 * 3 + 7_300.0, "3 d 2 h"),
    ],
)
def test_an_age_is_told_in_its_two_greatest_units(age: float, said: str) -> None:
    assert age_in_words(age) == said


def test_a_person_is_told_on_one_line_whatever_its_command() -> None:
    who = replace(
        hello(1), user="alice", host="node1", pid=7, command="sh -c \n \x1b[31mecho", job="42", reason="nightly"
    )
    assert person_in_words(who) == "alice on node1, pid 7 (sh -c [31mecho), job 42, 'nightly'"


def test_a_person_without_a_name_is_told_by_its_number() -> None:
    assert person_in_words(replace(hello(1), user="", command="")) == "1000 on node1, pid 4711"


def test_a_session_that_is_not_here_yet_has_no_name() -> None:
    assert "on its way" in person_in_words(None)


def test_no_text_of_a_client_makes_a_sentence_too_long() -> None:
    long = "\U0001f600" * 4096
    person = person_in_words(replace(hello(1), user=long, host=long, command=long, job=long, reason="\x1b" * 4096))
    assert len(person) < 3000
    assert len(sentence(person * 3).encode()) <= LONGEST_SENTENCE
