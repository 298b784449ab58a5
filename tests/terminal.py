"""A (pseudo) terminal for a test: a keyboard, a screen, and the session in between."""

from __future__ import annotations

import os
from contextlib import suppress

from support import LIMIT, House, wait_line


class Terminal:
    """A terminal and the session in it; what is shown is read line by line."""

    def __init__(self, house: House, words: list[str]) -> None:
        self.keyboard, inside = os.openpty()
        self.screen = os.fdopen(os.dup(self.keyboard), "r", errors="replace")
        self.leader = house.popen(
            words, stdin=inside, stdout=inside, stderr=inside, preexec_fn=lambda: os.login_tty(os.dup(inside))
        )
        os.close(inside)

    def type(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def wait(self, wanted: str) -> None:
        wait_line(self.screen, wanted)

    def end(self) -> tuple[list[str], int]:
        """The last lines, and how the session's leader ended."""
        lines = []
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            for line in self.screen:
                lines.append(line.strip())
        code = self.leader.wait(LIMIT)
        self.hang_up()
        return lines, code

    def hang_up(self) -> None:
        self.screen.close()
        if self.keyboard >= 0:
            os.close(self.keyboard)
            self.keyboard = -1


def shell(script: str, *words: str) -> list[str]:
    """A shell that runs ``script``; ``"$@"`` in it are the words."""
    return ["bash", "--norc", "-c", script, "bash", *words]
