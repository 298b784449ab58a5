"""Holdfast and everybody else, scenario by scenario; `make bench` writes docs/performance.md from it.

With timing disabled each scenario runs one short round with whatever systems are installed, to prove that it works.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from clients import Client, clients, work
from report import Scenario, ratio, write
from scenarios import (
    COMMANDS_RATE,
    FAIRNESS,
    HANDED,
    P99,
    RATE,
    TIME,
    commands,
    contend,
    crowds,
    hand_over,
    many_commands,
    one_command,
    serve,
)
from support import private_kib
from systems.everybody import LIBRARIES
from systems.ours import SCRIPTS, Holdfast, clean_environ
from systems.system import free_port

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

OURS, WAITED, PING = "holdfast", "holdfast, waited for", "bare ZeroMQ round trip"
SERVERS, FILES = ("redis-py", "kazoo", "etcd3gw"), ("fcntl", "flock", "filelock")
CROWD = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def found(request: pytest.FixtureRequest) -> Iterator[list[Scenario]]:
    """All scenarios of this run; written when they have all been measured."""
    scenarios: list[Scenario] = []
    yield scenarios
    if not request.config.getoption("benchmark_disable"):
        write(scenarios)


@pytest.fixture(autouse=True)
def environ() -> Iterator[None]:
    """Ours as it was: a client in this process finds its daemon by variables, which nobody else must find."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


class Suite:
    """What every scenario does: begin, take rounds, end."""

    def __init__(self, benchmark: BenchmarkFixture, found: list[Scenario]) -> None:
        self._benchmark = benchmark
        self._found = found
        self.full = bool(benchmark.enabled)

    def scenario(self, key: str, title: str, charted: str) -> Scenario:
        self._found.append(Scenario(key, title, charted))
        return self._found[-1]

    def scale(self, full: float, *, short: float) -> float:
        return full if self.full else short

    def rounds(self, number: int, once: object) -> None:
        self._benchmark.pedantic(once, rounds=number if self.full else 1)  # type: ignore[no-untyped-call]  # theirs


@pytest.fixture
def suite(benchmark: BenchmarkFixture, found: list[Scenario]) -> Suite:
    return Suite(benchmark, found)


def crowd_size(suite: Suite, full: int) -> int:
    return int(suite.scale(full, short=2))


def test_s1_one_client(suite: Suite) -> None:
    """One client locks and unlocks; servers on one CPU, clients on another."""
    s1 = suite.scenario("S1", "One client, lock and unlock, warm", RATE)
    with ExitStack() as stack:
        crowd = crowds(stack, s1, [OURS, WAITED, PING, *SERVERS, *FILES], ["one"], pinned=True)
        suite.rounds(7, lambda: contend(s1, crowd, suite.scale(0.7, short=0.02)))
    ours, ping = s1.middle(OURS, RATE), s1.middle(PING, RATE)
    for name, least in (("redis-py", 3), ("etcd3gw", 30), ("kazoo", 10)):
        s1.aim(f"cycles by {name}'s", ratio(ours, s1.middle(name, RATE)), least=least)
    s1.aim("a cycle by a bare round trip, the answer rides on the next one", ratio(ping, ours), most=1.5)
    s1.aim("a cycle by a bare round trip, waited for", ratio(ping, s1.middle(WAITED, RATE)), most=3)


def contended(suite: Suite, scenario: Scenario, names: list[str], size: int, *, rounds: int) -> None:
    """``size`` clients on one resource, and what is to be reached there."""
    with ExitStack() as stack:
        crowd = crowds(stack, scenario, names, ["one"] * crowd_size(suite, size))
        suite.rounds(rounds, lambda: contend(scenario, crowd, suite.scale(2.0, short=0.05)))
    scenario.aim(
        "cycles of all by redis-py's", ratio(scenario.middle(OURS, RATE), scenario.middle("redis-py", RATE)), least=5
    )
    scenario.aim("slowest client by fastest", scenario.middle(OURS, FAIRNESS), least=0.6)


def test_s2_eight_clients(suite: Suite) -> None:
    """Eight clients, one resource."""
    s2 = suite.scenario("S2", "8 clients, one resource", RATE)
    contended(suite, s2, [OURS, *SERVERS, *FILES], CROWD, rounds=5)


def test_s3_eight_resources(suite: Suite) -> None:
    """Eight clients with a resource each, beside one client alone."""
    s3 = suite.scenario("S3", "8 clients, 8 resources", RATE)
    resources = [f"r{number}" for number in range(crowd_size(suite, CROWD))]
    with ExitStack() as stack:
        crowd = crowds(stack, s3, [OURS, *SERVERS], resources)

        def once() -> None:
            contend(s3, crowd, suite.scale(1.5, short=0.05))
            contend(s3, {f"{OURS}, one client": crowd[OURS][:1]}, suite.scale(1.0, short=0.05))

        suite.rounds(5, once)
    alone = s3.middle(f"{OURS}, one client", RATE)
    s3.aim("cycles of all by one client's", ratio(s3.middle(OURS, RATE), alone), least=1.3)


def test_s4_a_crowd(suite: Suite) -> None:
    """Sixty-four clients, one resource."""
    s4 = suite.scenario("S4", "64 clients, one resource", RATE)
    contended(suite, s4, [OURS, *SERVERS, *FILES], 64, rounds=3)
    s4.aim("p99 wait by p50", s4.middle(OURS, P99), most=3)


def test_s5_hand_over(suite: Suite) -> None:
    """From the release in one process to the next one's running."""
    s5 = suite.scenario("S5", "Hand-over", HANDED)
    with ExitStack() as stack:
        pairs = crowds(stack, s5, [OURS, *SERVERS, *FILES, PING], ["one", "one"], pinned=True)
        ping = pairs.pop(PING)[:1]

        def once() -> None:
            for name, pair in pairs.items():
                hand_over(s5, name, pair, int(suite.scale(20, short=2)))
            s5.note(PING, {HANDED: work_alone(ping, suite)})

        suite.rounds(3, once)
    s5.aim("by a bare round trip", ratio(s5.middle(OURS, HANDED), s5.middle(PING, HANDED)), most=1.5)


def work_alone(some: list[Client], suite: Suite) -> float:
    """Microseconds of a cycle of one client."""
    return work(some, suite.scale(0.5, short=0.02)).wait(0.5)


def test_s6_a_command(suite: Suite) -> None:
    """A command that does nothing, under a lock, its start included."""
    s6 = suite.scenario("S6", "A command, -- true, uncontended", TIME)
    ours, bare = "holdfast run", "python -c pass"
    names = [bare, ours, "flom", "flock(1)", "etcdctl lock", "sem"]
    suite.rounds(1, lambda: commands(s6, names, int(suite.scale(20, short=1)), one_command))
    s6.aim("by python -c pass", ratio(s6.middle(ours, TIME), s6.middle(bare, TIME)), most=2)
    for other in ("etcdctl lock", "sem"):
        s6.aim(f"by {other}", ratio(s6.middle(ours, TIME), s6.middle(other, TIME)), most=1)


def test_s7_a_thousand_commands(suite: Suite) -> None:
    """A thousand commands through one lock, eight at a time, in five portions taken in turns."""
    s7 = suite.scenario("S7", "1,000 commands through one lock, 8 workers of xargs", COMMANDS_RATE)
    times = int(suite.scale(200, short=4))
    names = ["holdfast run", "flock(1)", "etcdctl lock", "sem"]
    turns = int(suite.scale(5, short=1))
    suite.rounds(1, lambda: commands(s7, names, turns, lambda c, at: many_commands(c, at, times=times, workers=CROWD)))


def test_s10_readers_and_a_writer(suite: Suite) -> None:
    """A hundred readers and one writer; what counts is how long the writer waits."""
    waited = "p99 wait of the writer, µs"
    s10 = suite.scenario("S10", "100 readers and 1 writer", waited)
    readers = crowd_size(suite, 100)
    with ExitStack() as stack:
        crowd = crowds(stack, s10, [OURS, "kazoo", "fcntl", "flock"], ["one"] * (readers + 1), readers=readers)

        def once() -> None:
            for name, some in crowd.items():
                window = work(some, suite.scale(3.0, short=0.05), pause=0.001)
                s10.note(
                    name, {waited: window.wait(0.99, readers), "p50 wait of the writer, µs": window.wait(0.5, readers)}
                )
                s10.note(name, {"writes": window.cycles[readers], "reads": sum(window.cycles[:readers])})

        suite.rounds(3, once)


def test_s11_over_the_network(suite: Suite) -> None:
    """One client and eight, by UNIX socket, by TCP on loopback, and by CURVE."""
    s11 = suite.scenario("S11", "S1 and S2 over TCP on loopback, and with CURVE", RATE)
    with ExitStack() as stack:
        names = [OURS, "holdfast, TCP", "holdfast, CURVE", "redis-py"]
        crowd = crowds(stack, s11, names, ["one"] * crowd_size(suite, CROWD))
        alone = {f"{name}, 1 client": some[:1] for name, some in crowd.items()}
        together = {f"{name}, {CROWD} clients": some for name, some in crowd.items()}
        suite.rounds(5, lambda: contend(s11, alone | together, suite.scale(1.0, short=0.05)))


def test_s8_new_resources(suite: Suite) -> None:
    """The first lock of a new resource while there are spare lockers, a warm one, and many new resources in a row."""
    first, warm, rate = "first lock, µs", "warm lock on a new connection, µs", "new resources a second"
    s8 = suite.scenario("S8", "New resources: the first lock, and 500 in a row", rate)
    row = int(suite.scale(500, short=5))

    def once() -> None:
        with ExitStack() as stack:
            address = serve(stack, LIBRARIES[OURS])
            numbers = count()

            def lock(resource: str) -> float:
                handle = LIBRARIES[OURS].handle(address, resource)
                begin = monotonic()
                handle.acquire()
                taken = (monotonic() - begin) * 1e6
                handle.release()
                handle.close()
                return taken

            lock("warm")
            for _ in range(int(suite.scale(10, short=2))):
                sleep(0.1)  # the daemon's spare lockers are complete again
                s8.note(OURS, {first: lock(f"new{next(numbers)}"), warm: lock("warm")})
            begin = monotonic()
            for _ in range(row):
                lock(f"new{next(numbers)}")
            s8.note(OURS, {rate: row / (monotonic() - begin)})

    suite.rounds(3, once)
    s8.aim("new resources a second", s8.middle(OURS, rate), least=300)
    s8.aim("first lock by a warm one", ratio(s8.middle(OURS, first), s8.middle(OURS, warm)), most=5)


def test_s9_many_resources(suite: Suite) -> None:
    """A thousand live resources: memory, ``status``, and a lock on one of them."""
    memory, status = "MiB private for each locker", "status, ms"
    s9 = suite.scenario("S9", "1,000 live resources", memory)
    resources = int(suite.scale(1000, short=5))
    with ExitStack() as stack:
        address = serve(stack, LIBRARIES[OURS])
        environ = clean_environ() | json.loads(address)
        with ExitStack() as alone:
            one = alone.enter_context(clients(OURS, address, ["r0"]))
            alone_rate = work(one, suite.scale(1.0, short=0.05)).rate
        for number in range(1, resources):
            handle = LIBRARIES[OURS].handle(address, f"r{number}")
            handle.acquire()
            handle.release()
            handle.close()

        def once() -> None:
            begin = monotonic()
            subprocess.run([str(SCRIPTS / "holdfast"), "status"], env=environ, check=True, capture_output=True)
            s9.note(OURS, {status: (monotonic() - begin) * 1000})
            with clients(OURS, address, [f"r{resources // 2}"]) as some:
                s9.note(OURS, {RATE: work(some, suite.scale(1.0, short=0.05)).rate})

        sizes = locker_memory(json.loads(address)["HOLDFAST_RUN_DIR"])
        s9.note(OURS, {memory: median(sizes), "cycles a second, with 1 resource": alone_rate})
        suite.rounds(3, once)
    s9.aim(memory, s9.middle(OURS, memory), most=3)
    s9.aim("time of a cycle by that with one resource", ratio(alone_rate, s9.middle(OURS, RATE)), most=1.3)


def locker_memory(run_dir: str) -> list[float]:
    """Private MiB of each locker that this run directory's daemon has."""
    mark = f"HOLDFAST_RUN_DIR={run_dir}".encode()
    sizes = []
    for process in Path("/proc").iterdir():
        try:
            if (process / "comm").read_text() == "holdfast-locker\n" and mark in (process / "environ").read_bytes():
                sizes.append(private_kib(int(process.name)) / 1024)
        except OSError:
            continue
    return sizes


def test_s12_being_seen(suite: Suite) -> None:
    """S2 with files, metrics and a viewer, in percent of S2 without."""
    seen = "holdfast, seen"
    s12 = suite.scenario("S12", "S2 with file system, metrics and status --watch", RATE)
    with ExitStack() as stack:
        mount = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp"))) / "mount"
        mount.mkdir()
        files = ["--mount", str(mount)] if os.path.exists("/dev/fuse") else []
        if not files:
            s12.missing["files"] = "no /dev/fuse"
        watched = Holdfast(seen, *files, "--metrics", f"127.0.0.1:{free_port()}")
        addresses = {OURS: serve(stack, LIBRARIES[OURS]), seen: serve(stack, watched)}
        environ = clean_environ() | json.loads(addresses[seen])
        viewer = stack.enter_context(
            subprocess.Popen([str(SCRIPTS / "holdfast"), "status", "--watch"], env=environ, stdout=subprocess.DEVNULL)
        )
        stack.callback(viewer.kill)
        size = crowd_size(suite, CROWD)
        crowd = {
            name: stack.enter_context(clients(OURS, address, ["one"] * size)) for name, address in addresses.items()
        }
        suite.rounds(7, lambda: contend(s12, crowd, suite.scale(1.5, short=0.05)))
    s12.aim("cycles seen by unseen", ratio(s12.middle(seen, RATE), s12.middle(OURS, RATE)), least=0.85)
