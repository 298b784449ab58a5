"""What benches share: a house, figures that are no durations, and the suite's one list of what it found.

A run that is told to end (^C, SIGTERM, or its terminal closes) leaves nothing behind: what it started ends with the
block that started it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from report import Scenario, write
from suite import Suite
from support import House

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


@pytest.fixture
def house() -> Iterator[House]:
    """As in the tests, with a daemon that keeps one resource for ever."""
    with House() as built:
        built.run("run", "-r", "keeper", "--idle", "forever", "--", "true")
        yield built


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[list[Scenario]]:
    """All scenarios of the suite; written when they have all been measured, and not if somebody ended the run."""
    scenarios: list[Scenario] = []
    before = {end: signal.getsignal(end) for end in (signal.SIGTERM, signal.SIGHUP)}
    for end in before:
        if before[end] is not signal.SIG_IGN:  # as nohup has it
            signal.signal(end, signal.default_int_handler)
    yield scenarios
    for end, handler in before.items():
        signal.signal(end, handler)
    ended = request.session.exitstatus == pytest.ExitCode.INTERRUPTED
    if not request.config.getoption("benchmark_disable") and not ended:
        write(scenarios)
        for aim in (aim for scenario in scenarios for aim in scenario.aims):
            say(aim.row())


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Show a line at once, though the output of tests is kept; nothing where nobody looks."""
    terminal = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def show(line: str) -> None:
        if terminal is not None and capture is not None and not request.config.getoption("benchmark_disable"):
            with capture.global_and_fixture_disabled():
                terminal.write_line(line)
                terminal.flush()  # in a pipe it would wait until there are 8 KiB

    return show


@pytest.fixture
def suite(benchmark: BenchmarkFixture, found: list[Scenario], say: Callable[[str], None]) -> Iterator[Suite]:
    """One scenario's run. Our environment is afterwards as it was: a client in this process finds its daemon by it."""
    before = dict(os.environ)
    yield Suite(benchmark, found, say)
    os.environ.clear()
    os.environ.update(before)


def pytest_exception_interact(node: pytest.Item, call: pytest.CallInfo[None]) -> None:
    one = getattr(node, "funcargs", {}).get("suite")
    if one is not None and call.excinfo is not None:
        one.broke(call.excinfo.value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    for bench in session.benchmarks if session is not None else ():
        for name, value in bench.extra_info.items():
            terminalreporter.write_line(f"{bench.name}: {name} {value}")
