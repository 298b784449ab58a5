"""How a scenario is run: every system that is here is started, and they take turns, round by round.

The rule: systems of one scenario run in the same run, interleaved, each with the same clients from its first round to
its last; nobody else's clients work meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from clients import Client, Window, clients, work
from report import Scenario
from systems.everybody import COMMANDS, LIBRARIES
from systems.ours import clean_environ
from systems.system import Command, System

RATE, FAIRNESS, P99 = "cycles a second", "slowest by fastest", "p99 by p50"
HANDED, TIME, COMMANDS_RATE = "hand-over, µs", "milliseconds", "commands a second"
WAITING = 0.02  # seconds after which a client that was told to ask stands in line, whichever the system


@contextmanager
def servers(stack: ExitStack) -> Iterator[None]:
    """Who is started in the block is on a CPU of its own, and everybody started later on the others.

    Left alone, the scheduler would decide the ratio: a bare round trip takes 24 µs on one CPU, 95 µs across two.
    """
    before = os.sched_getaffinity(0)
    stack.callback(os.sched_setaffinity, 0, before)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before - {max(before)} or before)


def present(scenario: Scenario, names: Sequence[str], known: dict[str, System] | dict[str, Command]) -> list[str]:
    """Those of ``names`` that are installed; the others are noted as missing."""
    for name in names:
        if missing := known[name].missing():
            scenario.missing[name] = missing
    return [name for name in names if name not in scenario.missing]


def serve(stack: ExitStack, one: System | Command) -> str:
    """Start a system until ``stack`` ends; its address."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp"))
    return stack.enter_context(one.serving(Path(directory)))


def crowds(
    stack: ExitStack,
    scenario: Scenario,
    names: Sequence[str],
    resources: Sequence[str],
    *,
    readers: int = 0,
    pinned: bool = False,
) -> dict[str, list[Client]]:
    """Start those systems, and for each of them one client a resource."""
    here = present(scenario, names, LIBRARIES)
    with servers(stack) if pinned else ExitStack():
        addresses = {name: serve(stack, LIBRARIES[name]) for name in here}
    return {
        name: stack.enter_context(clients(name, address, resources, readers=readers))
        for name, address in addresses.items()
    }


def contend(scenario: Scenario, crowd: dict[str, list[Client]], seconds: float) -> None:
    """One round in which each system's clients work for ``seconds``."""
    for name, some in crowd.items():
        note(scenario, name, work(some, seconds))


def note(scenario: Scenario, name: str, window: Window) -> None:
    """The figures of one window."""
    p50, p99 = window.wait(0.5), window.wait(0.99)
    scenario.note(name, {RATE: window.rate, FAIRNESS: window.fairness})
    scenario.note(name, {"least of a client": min(window.cycles), "most of a client": max(window.cycles)})
    scenario.note(name, {"p50 wait, µs": p50, "p99 wait, µs": p99, P99: p99 / max(p50, 1.0)})


def hand_over(scenario: Scenario, name: str, pair: list[Client], times: int) -> None:
    """One holds, the other waits; from the release to the other's grant, again and again."""
    holder, waiter = pair
    holder.tell("acquire")
    holder.answer()
    for turn in range(times):
        waiter.tell("acquire")
        sleep(WAITING + 0.1 * turn / times)  # at every phase of those who ask every 0.1 s
        holder.tell("release")
        released, running = holder.answer(), waiter.answer()
        assert isinstance(released, float)
        assert isinstance(running, float)
        scenario.note(name, {HANDED: (running - released) * 1e6})
        holder, waiter = waiter, holder
    holder.tell("release")
    holder.answer()


def commands(
    scenario: Scenario, names: Sequence[str], rounds: int, once: Callable[[Command, str], dict[str, float]]
) -> None:
    """Let ``once`` measure each of these commands, in turns, ``rounds`` times; the first time is not counted."""
    with ExitStack() as stack:
        here = present(scenario, names, COMMANDS)
        addresses = {name: serve(stack, COMMANDS[name]) for name in here}
        for turn in range(rounds + 1):
            for name, address in addresses.items():
                figures = once(COMMANDS[name], address)
                if turn:
                    scenario.note(name, figures)


def one_command(command: Command, address: str) -> dict[str, float]:
    """``true`` under a lock, from start to end."""
    words, environ = [*command.words(address, "x"), "true"], clean_environ() | command.environ(address)
    begin = monotonic()
    subprocess.run(words, env=environ, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return {TIME: (monotonic() - begin) * 1000}


def many_commands(command: Command, address: str, *, times: int, workers: int) -> dict[str, float]:
    """``times`` commands through one lock, ``workers`` at a time."""
    words = ["xargs", "-P", str(workers), "-n", "1", *command.words(address, "x"), "echo"]
    numbers = "\n".join(map(str, range(times)))
    begin = monotonic()
    environ = clean_environ() | command.environ(address)
    subprocess.run(words, env=environ, check=True, input=numbers, text=True, stdout=subprocess.DEVNULL)
    return {COMMANDS_RATE: times / (monotonic() - begin)}
