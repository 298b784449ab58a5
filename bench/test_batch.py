"""What many short commands cost behind one wrapper, and what they cost without any lock.

The aim is at most 1.3 times as long. What was found, and where the time goes, is told in docs/performance-notes.md.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support import House

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

COMMANDS = 1000


@pytest.mark.parametrize("words", [(), ("-s", "-j", "2")], ids=["one at a time", "two at a time"])
def test_many_commands_under_a_lock(benchmark: BenchmarkFixture, house: House, words: tuple[str, ...]) -> None:
    """A thousand ``true`` through ``holdfast batch``. At most 1.3 times the same by ``xargs`` is the aim."""

    def once() -> None:
        house.run("batch", "-r", "keeper", *words, input="true x\n" * COMMANDS).check_returncode()

    benchmark.pedantic(once, rounds=5)  # type: ignore[no-untyped-call]  # pytest-benchmark's


@pytest.mark.parametrize("jobs", [1, 2])
def test_many_commands_without_a_lock(benchmark: BenchmarkFixture, house: House, jobs: int) -> None:
    """The same thousand through ``xargs``."""

    def once() -> None:
        words = ["xargs", "-n", "1", "-P", str(jobs), "true"]
        subprocess.run(words, env=house.environ, input="x\n" * COMMANDS, text=True, check=True)

    benchmark.pedantic(once, rounds=5)  # type: ignore[no-untyped-call]
