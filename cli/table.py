"""Rows of cells below each other, on a terminal of a certain width.

The rule: nothing wraps. Where there is not room enough the widest columns become narrower, and what does not fit in its
cell is cut in the middle, because names and commands differ at both ends. A column in which no row says anything is
left out. Widths are counted in columns of a terminal, of which a wide character takes two and a combining one none.

Texts must be fit to be seen (``transport/phrases.py``) before they come here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import category, east_asian_width

GAP = 2  # columns of a terminal between two columns of the table
CUT = "…"
BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"  # ECMA-48, SGR


@dataclass(frozen=True, slots=True)
class Column:
    """A title, and how the cells below it are set."""

    title: str
    right: bool = False  # numbers
    least: int = 0  # width to which it may shrink; 0: it does not


class Cell(NamedTuple):
    """A text, and the colour it may have."""

    text: str
    colour: str = ""


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, room: int | None = None, colours: bool = False
) -> list[str]:
    """The lines of a table, its titles first.

    Args:
        rows: as many cells each as there are columns.
        room: columns of the terminal; None: as many as it takes.
        colours: use them.
    """
    said = [at for at in range(len(columns)) if any(row[at].text for row in rows)]
    columns = [columns[at] for at in said]
    titles = [Cell(column.title, DIM) for column in columns]
    lines = [titles, *([row[at] for at in said] for row in rows)]
    widths = _fitted(columns, [max(width(line[at].text) for line in lines) for at in range(len(columns))], room)
    return [_line(columns, line, widths, room, colours) for line in lines]


def width(text: str) -> int:
    """Columns of a terminal that ``text`` takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def cut(text: str, room: int) -> str:
    """``text``, without its middle if it takes more than ``room`` columns of a terminal."""
    if width(text) <= room:
        return text
    if room < 1:
        return ""
    tail = (room - 1) // 2
    return _begin(text, room - 1 - tail) + CUT + _begin(text[::-1], tail)[::-1]


def painted(text: str, colour: str) -> str:
    """``text`` in a colour."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text


def _width(character: str) -> int:
    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _begin(text: str, room: int) -> str:
    """As many characters from the begin as there is room for."""
    for at, character in enumerate(text):
        room -= _width(character)
        if room < 0:
            return text[:at]
    return text


def _fitted(columns: Sequence[Column], widths: list[int], room: int | None) -> list[int]:
    """Take from whichever column is the widest of those that may shrink, until all fit or there is nothing to take."""
    if room is None:
        return widths
    excess = sum(widths) + GAP * (len(widths) - 1) - room
    for _ in range(excess):
        able = [at for at, one in enumerate(columns) if one.least and widths[at] > one.least]
        if not able:
            break
        at = max(able, key=lambda at: widths[at])
        widths[at] -= 1
    return widths


def _line(
    columns: Sequence[Column], cells: Sequence[Cell], widths: Sequence[int], room: int | None, colours: bool
) -> str:
    line = []
    used = 0
    last = max((at for at, cell in enumerate(cells) if cell.text), default=-1)
    for at, (column, cell) in enumerate(zip(columns[: last + 1], cells, strict=False)):
        wide = widths[at] if room is None else min(widths[at], room - used)
        if wide < 1:
            break
        text = cut(cell.text, wide)
        padding = " " * (wide - width(text))
        text = painted(text, cell.colour) if colours else text
        line.append(padding + text if column.right else text if at == last else text + padding)
        used += wide + GAP
    return (" " * GAP).join(line).rstrip()
