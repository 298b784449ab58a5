"""A list of command lines: what counts as one, and how its words are quoted."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.lines import Line, commands

WORDS = st.text(st.characters(exclude_characters="\0\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1)


def words(text: str) -> tuple[str, ...]:
    (line,) = commands([text])
    assert not line.fault
    return line.words


def test_blank_lines_and_comments_say_nothing_and_are_counted() -> None:
    texts = ["\n", "# a comment\n", "  # one more\n", "  true  \n", "\t\n", "echo # no comment\n"]
    assert [(line.number, line.words) for line in commands(texts)] == [
        (4, ("true",)),
        (6, ("echo", "#", "no", "comment")),
    ]


def test_words_are_separated_by_blanks_and_tabs() -> None:
    assert words("a  b\tc\n") == ("a", "b", "c")


def test_words_are_quoted_as_in_a_shell() -> None:
    assert words(r"""echo 'a  b' "c 'd'" e\ f g'h'i '' """) == ("echo", "a  b", "c 'd'", "e f", "ghi", "")


def test_nothing_else_of_a_shell_happens() -> None:
    assert words("echo $HOME * ~ a|b ;") == ("echo", "$HOME", "*", "~", "a|b", ";")


@given(st.lists(WORDS, min_size=1))
def test_whatever_a_shell_quotes_comes_out_as_it_was(given_words: list[str]) -> None:
    assert words("x " + shlex.join(given_words)) == ("x", *given_words)


def test_a_quotation_that_does_not_end_is_a_fault_of_its_line_alone() -> None:
    first, second = commands(["echo 'a\n", "echo b\n"])
    assert (first.words, first.fault) == ((), "no closing quotation")
    assert (second.words, second.fault) == (("echo", "b"), "")


def test_a_word_with_a_zero_byte_is_a_fault() -> None:
    (line,) = commands(["echo a\0b\n"])
    assert line.fault


def test_lines_are_read_as_they_are_wanted() -> None:
    def texts() -> list[str]:
        raise AssertionError("read too early")

    assert next(commands(text() if callable(text) else text for text in ["true", texts])).words == ("true",)


def test_a_line_is_told_by_its_number_and_text() -> None:
    assert str(Line(3, "make all", ("make", "all"))) == "line 3 (make all)"
