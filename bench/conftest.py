"""What benches share: a house, and figures that are no durations, shown below the table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import House


@pytest.fixture
def house() -> Iterator[House]:
    """As in the tests, with a daemon that keeps one resource for ever."""
    with House() as built:
        built.run("run", "-r", "keeper", "--idle", "forever", "--", "true")
        yield built


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    for bench in session.benchmarks if session is not None else ():
        for name, value in bench.extra_info.items():
            terminalreporter.write_line(f"{bench.name}: {name} {value}")
