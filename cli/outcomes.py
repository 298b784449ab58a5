"""What became of many commands: how many ran, how they ended, how long it took.

The rule: counted while they end, whichever the order; no more is kept than what the summary says, however many there
are.
"""

from __future__ import annotations

from ..transport.phrases import counted, span
from .exits import SOME_FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lines import Line


class Outcomes:
    """The commands that have ended so far. Durations are in seconds."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0
        self.unable = 0  # could not be run: not there, or no command line at all
        self.left_out = 0  # not run, because the lock was not to be had in time
        self.waited = 0.0  # for the lock, all of them together
        self.longest = 0.0
        self.longest_line: Line | None = None

    def count(self, line: Line, code: int, took: float, waited: float) -> None:
        """Count a command in that ran and ended with ``code``, or, below 0, by that signal."""
        if code == 0:
            self.succeeded += 1
        else:
            self.failed += 1
        self.waited += waited
        if took >= self.longest:
            self.longest, self.longest_line = took, line

    def leave_out(self, waited: float, *, unable: bool) -> None:
        """Count a command in that did not run; ``unable``: because it never can."""
        if unable:
            self.unable += 1
        else:
            self.left_out += 1
        self.waited += waited

    def summary(self, took: float, total: int) -> str:
        """All of it in one sentence.

        Args:
            took: seconds from start to end.
            total: how many commands there were to run, as far as anybody knows.
        """
        ran = self.succeeded + self.failed
        not_run = total - ran - self.unable
        parts = [f"{counted(ran, 'command')} in {span(took)}, {self.failed} failed"]
        if self.unable:
            parts.append(f"{self.unable} could not be run")
        if not_run > 0:
            parts.append(f"{not_run} not run")
        if self.longest_line is not None:
            parts.append(f"longest {span(self.longest)}: {self.longest_line}")
        parts.append(f"waited {span(self.waited)} for the lock in all")
        return "; ".join(parts)

    def exit_code(self, conflict: int) -> int:
        """The code that tells of all of them.

        Args:
            conflict: that of a lock that was not to be had.
        """
        if self.failed or self.unable:
            return SOME_FAILED
        return conflict if self.left_out else 0


def how_it_ended(code: int) -> str:
    """``exit code 3``, ``killed by signal 9``."""
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
