"""How a scenario is run: every system that is here is started, and they take turns, round by round.

The rule: systems of one scenario run in the same run, interleaved, each with the same clients from its first round to
its last; nobody else's clients work meanwhile. A system of others that fails is listed with its failure, and the rest
go on.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from clients import Client, Window, clients, work
from report import Scenario
from systems.everybody import COMMANDS, LIBRARIES, PEERS
from systems.ours import SCRIPTS, clean_environ
from systems.system import Command, System, run

RATE, FAIRNESS, P99 = "cycles a second", "slowest client by fastest", "p99 by p50"
HAND_OVERS = "hand-overs from client to client a second"
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


@contextmanager
def allowed(scenario: Scenario, name: str) -> Iterator[None]:
    """If it is somebody else's system that fails in the block, that is noted, and the run goes on."""
    try:
        yield
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failure:
        if name not in PEERS:
            raise
        scenario.failed[name] = str(failure)


def present(scenario: Scenario, names: Sequence[str], known: dict[str, System] | dict[str, Command]) -> list[str]:
    """Those of ``names`` that are installed; the others are noted as missing."""
    for name in names:
        scenario.how[name] = known[name].how
        if missing := known[name].missing():
            scenario.missing[name] = missing
    return [name for name in names if name not in scenario.missing]


def room(stack: ExitStack) -> Path:
    """A directory of this run until ``stack`` ends; its path is short, as a socket's must be."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"bench-{os.getpid()}-", dir="/tmp")))


def serve(stack: ExitStack, one: System | Command) -> str:
    """Start a system until ``stack`` ends; its address."""
    return stack.enter_context(one.serving(room(stack)))


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
    addresses: dict[str, str] = {}
    crowd: dict[str, list[Client]] = {}
    with servers(stack) if pinned else ExitStack():
        for name in present(scenario, names, LIBRARIES):
            with allowed(scenario, name):
                addresses[name] = serve(stack, LIBRARIES[name])
    for name, address in addresses.items():
        with allowed(scenario, name):
            crowd[name] = stack.enter_context(clients(name, address, resources, readers=readers))
    return crowd


def working(scenario: Scenario, crowd: dict[str, list[Client]]) -> Iterator[tuple[str, list[Client]]]:
    """Those whose system has not failed so far."""
    return ((name, some) for name, some in crowd.items() if name not in scenario.failed)


def contend(scenario: Scenario, crowd: dict[str, list[Client]], seconds: float, *, apart: bool = False) -> None:
    """One round in which each system's clients work for ``seconds``; ``apart``: no two on the same resource."""
    for name, some in working(scenario, crowd):
        with allowed(scenario, name):
            window = work(some, seconds)
            note(scenario, name, window)
            if len(some) > 1 and not apart:
                scenario.note(name, {HAND_OVERS: window.hand_overs})


def note(scenario: Scenario, name: str, window: Window) -> None:
    """The figures of one window; of clients beside each other only where there are several."""
    p50, p99 = window.wait(0.5), window.wait(0.99)
    scenario.note(name, {RATE: window.rate, "p50 wait, µs": p50, "p99 wait, µs": p99, P99: p99 / max(p50, 1.0)})
    if len(window.cycles) > 1:
        least, most = min(window.cycles), max(window.cycles)
        scenario.note(name, {"slowest client, cycles": least, "fastest client, cycles": most})
        scenario.note(name, {FAIRNESS: window.fairness})


def phase(turn: int, times: int) -> float:
    """How long a client stands in line before a hand-over: at every phase of those who ask every 0.1 s."""
    return WAITING + 0.1 * turn / times


def hand_over(scenario: Scenario, crowd: dict[str, list[Client]], times: int) -> None:
    """Of each pair one holds, the other waits; from the release to the other's grant, again and again."""
    for name, (holder, waiter) in working(scenario, crowd):
        with allowed(scenario, name):
            taken = handed_over(holder, waiter, times)
            scenario.note(name, {HANDED: median(taken), "longest, µs": max(taken)})


def handed_over(holder: Client, waiter: Client, times: int) -> list[float]:
    """Microseconds from each release to the other's grant."""
    taken = []
    holder.tell("acquire")
    holder.answer()
    for turn in range(times):
        waiter.tell("acquire")
        sleep(phase(turn, times))
        holder.tell("release")
        released, running = holder.answer(), waiter.answer()
        assert isinstance(released, float)
        assert isinstance(running, float)
        taken.append((running - released) * 1e6)
        holder, waiter = waiter, holder
    holder.tell("release")
    holder.answer()
    return taken


def taken_alone(client: Client, times: int) -> list[float]:
    """Microseconds that one client's request takes after the same pauses as a hand-over has."""
    taken = []
    for turn in range(times):
        sleep(phase(turn, times))
        client.tell("take")
        answer = client.answer()
        assert isinstance(answer, float)
        taken.append(answer)
    return taken


def started(stack: ExitStack, scenario: Scenario, names: Sequence[str]) -> dict[str, str]:
    """Start what those commands need; the address of each."""
    addresses: dict[str, str] = {}
    for name in present(scenario, names, COMMANDS):
        with allowed(scenario, name):
            addresses[name] = serve(stack, COMMANDS[name])
    return addresses


def commands(scenario: Scenario, addresses: dict[str, str], once: Callable[[Command, str], dict[str, float]]) -> None:
    """One round in which ``once`` measures each of these commands."""
    for name, address in addresses.items():
        if name not in scenario.failed:
            with allowed(scenario, name):
                scenario.note(name, once(COMMANDS[name], address))


def one_command(command: Command, address: str) -> dict[str, float]:
    """``true`` under a lock, from start to end."""
    environ = clean_environ() | command.environ(address)
    begin = monotonic()
    run([*command.words(address, "x"), "true"], environ)
    return {TIME: (monotonic() - begin) * 1000}


def first_command() -> dict[str, float]:
    """The same by ``holdfast run`` where no daemon runs yet, so that it starts one."""
    with ExitStack() as stack:
        environ = clean_environ() | {"HOLDFAST_RUN_DIR": str(room(stack))}
        holdfast = str(SCRIPTS / "holdfast")
        stack.callback(run, [holdfast, "stop", "--now"], environ)
        begin = monotonic()
        run([holdfast, "run", "-r", "x", "--", "true"], environ)
        return {TIME: (monotonic() - begin) * 1000}


def many_commands(command: Command, address: str, *, times: int, workers: int) -> dict[str, float]:
    """``times`` commands through one lock, ``workers`` at a time."""
    words = ["xargs", "-P", str(workers), "-n", "1", *command.words(address, "x"), "echo"]
    environ = clean_environ() | command.environ(address)
    begin = monotonic()
    run(words, environ, "\n".join(map(str, range(times))))
    return {COMMANDS_RATE: times / (monotonic() - begin)}
