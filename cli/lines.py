"""A list of command lines, one a line of text, as the words that are executed.

The rule: words are separated and quoted as in a shell, and nothing else of a shell happens: no variable, no pattern,
no pipe. Blank lines, and those whose first character that is not blank is a ``#``, say nothing. A line that cannot be
understood is a command that fails, told by its number; it does not stop the others, because they may run already.

Source: GNU xargs, whose quotes these are (but for ``\\"`` within double quotes, which is a shell's).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OF_A_SHELL = frozenset("'\"\\")


@dataclass(frozen=True, slots=True)
class Line:
    """One command line.

    ``words`` is empty if, and only if, ``fault`` says why it cannot be executed.
    """

    number: int  # in its list, from 1
    text: str
    words: tuple[str, ...]
    fault: str = ""

    def __str__(self) -> str:
        return f"line {self.number} ({self.text})"


def commands(texts: Iterable[str]) -> Iterator[Line]:
    """The command lines among ``texts``, as they come."""
    for number, text in enumerate(texts, 1):
        stripped = text.strip()
        if stripped and not stripped.startswith("#"):
            yield _line(number, stripped)


def _line(number: int, text: str) -> Line:
    if "\0" in text:
        return Line(number, text, (), "a word cannot have a zero byte in it")
    if OF_A_SHELL.isdisjoint(text):  # most are, and shlex needs a hundred times as long
        return Line(number, text, tuple(text.split()))
    import shlex

    try:
        return Line(number, text, tuple(shlex.split(text)))
    except ValueError as error:
        return Line(number, text, (), str(error).lower())
