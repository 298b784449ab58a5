"""A list of command lines, one a line of text, as the words that are executed.

The rule: words are separated by blanks and tabs and quoted as in a shell, and nothing else of a shell happens: no
variable, no pattern, no pipe. Blank lines, and those whose first character that is not blank is a ``#``, say nothing. A
line that cannot be understood is a command that fails, told by its number; it does not stop the others, because they
may run already.

Source: GNU xargs, whose quotes these are (but for ``\\"`` within double quotes, which is a shell's).
"""

from __future__ import annotations

import os
import select

from ..transport.errors import HoldfastError
from ..transport.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterable, Iterator
else:
    from _collections import deque

OF_A_SHELL = frozenset("'\"\\")
BLANKS = " \t\r\n"  # those of shlex; what else Unicode calls a space is a part of a word, as in a shell
SHOWN = 256  # characters of a line that are told; as many bytes of a command line others see
CHUNK = 65_536  # bytes read at once
LONGEST = 131_072  # bytes of a line: as many as Linux lets a word have (MAX_ARG_STRLEN)


class Line(Frozen):
    """One command line.

    ``words`` is empty if, and only if, ``fault`` says why it cannot be executed.
    """

    number: int  # in its list, from 1
    text: str
    words: tuple[str, ...]
    fault: str = ""

    def __str__(self) -> str:
        text = self.text if len(self.text) <= SHOWN else f"{self.text[: SHOWN - 1]}…"
        return f"line {self.number} ({text})"


class Source:
    """The command lines that come out of a descriptor.

    A line longer than ``LONGEST`` is a fault, told when that is seen; the rest of it is passed over and not kept.

    Args:
        descriptor: belongs to the source from now on, which closes it at its end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._ended = False
        self._begun: list[bytes] = []  # a line, as far as it is there and kept
        self._length = 0  # of that line
        self._read_lines = 0
        self._lines: deque[Line] = deque()
        self._taken = 0

    @property
    def found(self) -> int:
        """How many command lines there were until now, taken or not."""
        return self._taken + len(self._lines)

    def count(self) -> int:
        """Read all there is to its end, and say how many command lines are still to be taken.

        Raises:
            OSError: it cannot be read.
        """
        while not self._ended:
            self._read()
        return len(self._lines)

    def take(self, *, wait: bool) -> Line | None:
        """The next command line; None: there is none, or, if we must not ``wait``, it is not here yet.

        Who must not wait has no more read than once: comments may go on for ever.

        Raises:
            HoldfastError: it cannot be read.
        """
        try:
            while wait and not self._lines and not self._ended:
                self._read()
            if not self._lines and not self._ended and self._poll.poll(0):
                self._read()
        except OSError as error:
            raise HoldfastError(f"the list cannot be read any further: {error.strerror}") from error
        if not self._lines:
            return None
        self._taken += 1
        return self._lines.popleft()

    def _read(self) -> None:
        data = os.read(self._descriptor, CHUNK)
        if not data:
            self._ended = True
            os.close(self._descriptor)
        first, *others = data.split(b"\n")
        self._go_on(first)
        if data and not others:
            return
        whole = [b"".join(self._begun), *others]
        self._begun = [whole.pop()] if data else []
        self._length = sum(map(len, self._begun))
        texts = [os.fsdecode(text) for text in whole]  # so their bytes come out again, whatever the locale
        self._lines += commands(texts, self._read_lines + 1)
        self._read_lines += len(texts)

    def _go_on(self, more: bytes) -> None:
        """The line that has begun has ``more``. Only such a one can be too long, a portion being shorter."""
        was_too_long = self._length > LONGEST
        self._begun.append(more)
        self._length += len(more)
        if self._length > LONGEST:
            if not was_too_long:
                text = os.fsdecode(b"".join(self._begun))
                self._lines.append(Line(self._read_lines + 1, text, (), f"longer than {LONGEST} bytes"))
            self._begun = []


def commands(texts: Iterable[str], first: int = 1) -> Iterator[Line]:
    """The command lines among ``texts``, as they come.

    Args:
        first: the number of the first of them.
    """
    for number, text in enumerate(texts, first):
        stripped = text.strip(BLANKS)
        if stripped and not stripped.startswith("#"):
            yield _line(number, stripped)


def _line(number: int, text: str) -> Line:
    if "\0" in text:
        return Line(number, text, (), "a word cannot have a zero byte in it")
    if OF_A_SHELL.isdisjoint(text):  # most are, and shlex needs a hundred times as long
        return Line(number, text, tuple([word for word in _blanks(text).split(" ") if word]))
    import shlex

    try:
        return Line(number, text, tuple(shlex.split(text)))
    except ValueError as error:
        return Line(number, text, (), str(error).lower())


def _blanks(text: str) -> str:
    """``text`` with one kind of ``BLANKS`` for all."""
    return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
