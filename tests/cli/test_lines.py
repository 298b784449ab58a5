"""A list of command lines: what counts as one, and how its words are quoted."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.cli.lines import CHUNK, LONGEST, SHOWN, Line, Source, commands
from holdfast.transport.errors import HoldfastError

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


@given(st.text(st.sampled_from("ab# \t\r\n\x0b\x0c\x1c\x1f\x85\xa0\u2003\u2028\u3000\ufeff"), min_size=1))
@example("a\xa0b\x0bc\x1cd\x85e\u3000f")
@example("\xa0# no comment\xa0")
def test_words_are_separated_at_the_same_places_whether_anything_is_quoted_or_not(text: str) -> None:
    plain, quoted = [list(commands([f"{begin}{text}"])) for begin in ("x ", "'x' ")]
    assert [line.words for line in plain] == [line.words for line in quoted]
    assert list(commands([text])) == [] or words(text) == tuple(shlex.split(text))


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


def test_of_a_long_line_only_the_begin_is_told() -> None:
    text = f"echo {'x' * 5000}"
    assert str(Line(3, text, tuple(text.split()))) == f"line 3 ({text[: SHOWN - 1]}…)"


def from_pipe() -> tuple[Source, int]:
    """A source, and the descriptor by which lines come into it."""
    theirs, ours = os.pipe()
    return Source(theirs), ours


def test_a_line_can_be_had_when_the_whole_of_it_is_there() -> None:
    source, ours = from_pipe()
    assert source.take(wait=False) is None
    os.write(ours, b"echo a\n# none\n\necho b")
    line = source.take(wait=True)
    assert line == Line(1, "echo a", ("echo", "a"))
    assert source.take(wait=False) is None
    os.write(ours, b" c\necho d")
    assert source.take(wait=False) == Line(4, "echo b c", ("echo", "b", "c"))
    assert source.take(wait=False) is None
    os.close(ours)
    assert source.take(wait=True) == Line(5, "echo d", ("echo", "d"))
    assert source.take(wait=True) is None
    assert source.take(wait=False) is None


def test_a_list_that_fails_on_the_way_is_told_in_a_sentence() -> None:
    source = Source(os.open("/", os.O_RDONLY))
    with pytest.raises(HoldfastError, match="the list cannot be read any further: Is a directory"):
        source.take(wait=True)


def test_all_lines_can_be_counted_before_the_first_is_taken() -> None:
    source, ours = from_pipe()
    os.write(ours, b"a\n#\nb\n")
    os.close(ours)
    assert source.count() == 2
    assert [source.take(wait=True), source.take(wait=True), source.take(wait=True)] == [
        Line(1, "a", ("a",)),
        Line(3, "b", ("b",)),
        None,
    ]


@given(st.lists(st.binary(max_size=5), max_size=20), st.integers(1, 7))
def test_lines_are_the_same_in_whatever_portions_they_come(texts: list[bytes], size: int) -> None:
    whole = b"\n".join(texts)
    source, ours = from_pipe()
    found = []
    for start in range(0, len(whole), size):
        os.write(ours, whole[start : start + size])
        while (line := source.take(wait=False)) is not None:
            found.append(line)
    os.close(ours)
    while (line := source.take(wait=True)) is not None:
        found.append(line)
    assert found == list(commands(whole.decode("utf-8", "surrogateescape").split("\n")))


def test_a_line_may_be_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    long = "x" * LONGEST
    assert len(long) > CHUNK
    (tmp_path / "list").write_text(f"{long}\ny\n")
    source = Source(os.open(tmp_path / "list", os.O_RDONLY))
    assert source.count() == 2
    assert source.take(wait=True) == Line(1, long, (long,))


def test_a_line_that_is_too_long_is_a_fault_of_its_line_alone(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"x\n{'y' * (LONGEST + 1)}\nz\n{'a b ' * LONGEST}")
    source = Source(os.open(tmp_path / "list", os.O_RDONLY))
    assert source.count() == 4
    lines = [source.take(wait=True) for _ in range(4)]
    assert [(line.number, line.words[:1], line.fault) for line in lines if line] == [
        (1, ("x",), ""),
        (2, (), "longer than 131072 bytes"),
        (3, ("z",), ""),
        (4, (), "longer than 131072 bytes"),
    ]


def test_a_line_without_end_is_told_at_once_and_not_kept() -> None:
    source = Source(os.open("/dev/zero", os.O_RDONLY))
    line = source.take(wait=True)
    assert line is not None
    assert line.fault
    for _ in range(10):
        assert source.take(wait=False) is None
    assert sum(map(len, source._begun)) <= LONGEST


def test_what_is_no_command_is_not_read_for_ever_by_who_must_not_wait(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("#\n" * 10 * CHUNK + "true\n")
    source = Source(os.open(tmp_path / "list", os.O_RDONLY))
    assert source.take(wait=False) is None
    assert source.take(wait=True) is not None


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    source, ours = from_pipe()
    os.write(ours, b"echo \xff\n")
    line = source.take(wait=True)
    assert line is not None
    assert os.fsencode(line.words[1]) == b"\xff"
