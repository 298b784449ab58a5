"""Rows below each other, however wide the terminal and whatever the letters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.table import GREEN, Cell, Column, cut, painted, table, width

COLUMNS = (Column("NAME", least=6), Column("PID", right=True), Column("COMMAND", least=8))


def cells(*texts: str) -> list[Cell]:
    return [Cell(text) for text in texts]


def test_columns_stand_below_each_other() -> None:
    assert table(COLUMNS, [cells("printer", "7", "make"), cells("a", "4711", "./send it")]) == [
        "NAME      PID  COMMAND",
        "printer     7  make",
        "a        4711  ./send it",
    ]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert table(COLUMNS, [cells("a", "", "make"), cells("b", "", "")]) == ["NAME  COMMAND", "a     make", "b"]


def test_no_line_ends_with_blanks() -> None:
    assert table(COLUMNS, [cells("a", "1", "make"), cells("printer", "", "")])[2] == "printer"


def test_long_names_are_cut_in_the_middle() -> None:
    assert cut("abcdefghij", 7) == "abc…hij"
    assert cut("abcdefghij", 6) == "abc…ij"
    assert cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghij", 1) == "…"
    assert cut("abcdefghij", 0) == ""


def test_the_widest_column_gives_way_first() -> None:
    lines = table(COLUMNS, [cells("printer", "4711", "make " * 20)], room=40)
    assert lines[1].startswith("printer  4711  make ")
    assert width(lines[1]) <= 40


def test_no_column_gives_more_than_it_may() -> None:
    lines = table(COLUMNS, [cells("printer" * 5, "4711", "make" * 20)], room=22)
    assert [len(word) for word in lines[1].split("  ")] == [6, 4, 8]


def test_wide_letters_take_two_columns_and_combining_ones_none() -> None:
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert cut("日本語", 5) == "日…語"
    assert cut("日本語", 4) == "日…"
    lines = table(COLUMNS, [cells("日本", "1", "x"), cells("abcd", "2", "y")])
    assert [line.index(last) + 2 * (last == "x") for line, last in zip(lines[1:], "xy", strict=True)] == [11, 11]


def test_colours_do_not_count() -> None:
    rows = [[Cell("printer", GREEN), Cell("1"), Cell("make")], cells("a", "2", "make")]
    coloured = table(COLUMNS, rows, room=30, colours=True)
    assert coloured[1].startswith("\x1b[32mprinter\x1b[0m")
    plain = [line.replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "") for line in coloured]
    assert plain == table(COLUMNS, rows, room=30)


def test_nothing_is_not_painted() -> None:
    assert painted("", GREEN) == ""


@given(st.lists(st.tuples(*[st.text("ab日e\u0301 ", max_size=30)] * 3), min_size=1), st.integers(1, 80))
def test_no_line_is_wider_than_its_terminal(texts: list[tuple[str, str, str]], room: int) -> None:
    assert all(width(line) <= room for line in table(COLUMNS, [cells(*row) for row in texts], room=room))


@given(st.text("ab日e\u0301"), st.integers(0, 20))
def test_what_is_cut_fills_its_room_but_for_half_a_wide_letter(text: str, room: int) -> None:
    left = room - width(cut(text, room))
    assert left >= 0
    assert width(text) <= room or left <= 2
