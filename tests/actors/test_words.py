"""Words for a person: on one line, and no more than a message can carry."""

from __future__ import annotations

from dataclasses import replace

from holdfast.actors.words import LONGEST_SENTENCE, person_in_words, sentence
from people import hello


def test_a_person_is_told_on_one_line_whatever_its_command() -> None:
    who = replace(hello(1), pid=7, command="sh -c \n \x1b[31mecho", job="42", reason="night\u202ely")
    assert person_in_words(who) == "alice on node1, pid 7 (sh -c \\n \\x1b[31mecho), job 42, 'night\\u202ely'"


def test_a_session_that_is_not_here_yet_has_no_name() -> None:
    assert person_in_words(None) == "a session that is on its way"


def test_no_text_of_a_client_makes_a_sentence_too_long() -> None:
    long = "\U0001f600" * 4096
    person = person_in_words(replace(hello(1), user=long, host=long, command=long, job=long, reason="\x1b" * 4096))
    assert len(person) < LONGEST_SENTENCE
    assert len(sentence(person * 3).encode()) <= LONGEST_SENTENCE
    assert len(sentence("\x1b" * 4096)) == LONGEST_SENTENCE


def test_a_sentence_obeys_no_terminal() -> None:
    assert sentence("/disk/\x1b[2J is not free") == "/disk/\\x1b[2J is not free"
