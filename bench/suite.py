"""What every scenario does: begin, take rounds, say how far it is, end."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from report import Scenario

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

BEGAN = monotonic()


class Suite:
    """One scenario's run; with timing disabled, in its short form: one round, in which nobody may fail.

    ``found`` gets the scenario; ``say`` shows a line to whoever waits.
    """

    def __init__(self, benchmark: BenchmarkFixture, found: list[Scenario], say: Callable[[str], None]) -> None:
        self._benchmark = benchmark
        self._found = found
        self._say = say
        self._scenario: Scenario | None = None
        self.full = bool(benchmark.enabled)

    def scenario(self, key: str, title: str, charted: str) -> Scenario:
        """Begin one; ``charted`` is the figure that its chart shows."""
        self._scenario = Scenario(key, title, charted)
        self._found.append(self._scenario)
        self._tell("begins")
        return self._scenario

    def broke(self, failure: object) -> None:
        """Note on the page why the scenario has no result, or not all of it."""
        if self._scenario is not None:
            self._scenario.broken = f"it failed: {failure}"

    def scale(self, full: float, *, short: float) -> float:
        """A number of the full form, or the one that is enough to see that it works."""
        return full if self.full else short

    def count(self, full: int, *, short: int) -> int:
        """The same for what can be counted."""
        return full if self.full else short

    def rounds(self, number: int, once: Callable[[], None]) -> None:
        """Take that many rounds."""
        wanted = self.count(number, short=1)
        taken = iter(range(1, wanted + 1))

        def told() -> None:
            self._tell(f"round {next(taken)} of {wanted}")
            once()

        self._benchmark.pedantic(told, rounds=wanted)  # type: ignore[no-untyped-call]  # theirs
        if not self.full and self._found[-1].failed:
            raise RuntimeError(f"{self._found[-1].failed}")

    def _tell(self, what: str) -> None:
        self._say(f"{monotonic() - BEGAN:4.0f} s  {self._found[-1].key}: {what}")
