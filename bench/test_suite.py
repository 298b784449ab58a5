"""Holdfast and everybody else, scenario by scenario; `make bench` writes docs/performance.md from it.

With timing disabled each scenario runs one short round with whatever systems are installed, to prove that it works.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import pytest

from clients import Client, clients, work
from report import Scenario, by_round
from scenarios import (
    COMMANDS_RATE,
    FAIRNESS,
    HAND_OVERS,
    HANDED,
    P99,
    RATE,
    TIME,
    allowed,
    commands,
    contend,
    crowds,
    first_command,
    hand_over,
    many_commands,
    one_command,
    room,
    serve,
    started,
    taken_alone,
    working,
)
from suite import Suite
from support import private_kib
from systems.everybody import LIBRARIES
from systems.ours import SCRIPTS, Holdfast, clean_environ
from systems.system import free_port, run

OURS, WAITED, PING = "holdfast", "holdfast, waited for", "bare ZeroMQ round trip"
SERVERS, FILES = ("redis-py", "kazoo", "etcd3gw"), ("fcntl", "flock", "filelock")
CROWD = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_s1_one_client(suite: Suite) -> None:
    """One client locks and unlocks; servers on one CPU, clients on another."""
    s1 = suite.scenario("S1", "One client, lock and unlock, warm", RATE)
    with ExitStack() as stack:
        crowd = crowds(stack, s1, [OURS, WAITED, PING, *SERVERS, *FILES], ["one"], pinned=True)
        suite.rounds(7, lambda: contend(s1, crowd, suite.scale(0.5, short=0.02)))
    for name, least in (("redis-py", 3), ("etcd3gw", 30), ("kazoo", 10)):
        s1.aim(f"cycles by {name}'s", s1.ratios(RATE, OURS, name), least=least)
    s1.aim(
        "time of a cycle by a bare round trip, the answer rides on the next one", s1.ratios(RATE, PING, OURS), most=1.5
    )
    s1.aim("time of a cycle by a bare round trip, waited for", s1.ratios(RATE, PING, WAITED), most=3)


def contended(suite: Suite, scenario: Scenario, names: list[str], size: int, *, rounds: int, seconds: float) -> None:
    """``size`` clients on one resource, and what is to be reached there."""
    with ExitStack() as stack:
        crowd = crowds(stack, scenario, names, ["one"] * suite.count(size, short=2))
        suite.rounds(rounds, lambda: contend(scenario, crowd, suite.scale(seconds, short=0.05)))
    scenario.aim("cycles of all by redis-py's", scenario.ratios(RATE, OURS, "redis-py"), least=5)
    scenario.aim(
        "hand-overs from client to client by redis-py's", scenario.ratios(HAND_OVERS, OURS, "redis-py"), least=5
    )
    scenario.aim(FAIRNESS, scenario.values(OURS, FAIRNESS), least=0.6)


def test_s2_eight_clients(suite: Suite) -> None:
    """Eight clients, one resource."""
    s2 = suite.scenario("S2", "8 clients, one resource", RATE)
    contended(suite, s2, [OURS, *SERVERS, *FILES], CROWD, rounds=5, seconds=1.5)


def test_s3_eight_resources(suite: Suite) -> None:
    """Eight clients with a resource each, beside one client alone."""
    s3 = suite.scenario("S3", "8 clients, 8 resources", RATE)
    alone = f"{OURS}, one client"
    resources = [f"r{number}" for number in range(suite.count(CROWD, short=2))]
    with ExitStack() as stack:
        crowd = crowds(stack, s3, [OURS, *SERVERS], resources)

        def once() -> None:
            contend(s3, crowd, suite.scale(1.0, short=0.05), apart=True)
            contend(s3, {alone: crowd[OURS][:1]}, suite.scale(1.0, short=0.05))

        suite.rounds(5, once)
    s3.aim("cycles of all by one client's", s3.ratios(RATE, OURS, alone), least=1.3)


def test_s4_a_crowd(suite: Suite) -> None:
    """Sixty-four clients, one resource."""
    s4 = suite.scenario("S4", "64 clients, one resource", RATE)
    contended(suite, s4, [OURS, *SERVERS, *FILES], 64, rounds=3, seconds=2.0)
    s4.aim("p99 wait by p50", s4.values(OURS, P99), most=3)


def test_s5_hand_over(suite: Suite) -> None:
    """From the release in one process to the next one's running, beside a bare round trip.

    Like with like: a process that has slept for a while runs slower than one that has not. So both are measured after
    the same pauses, and both without any, where two clients hand the lock to each other again and again. Each way is
    taken by itself, from the beginning of a release to the other's grant: how long the lock is held between two of them
    is no part of it. Both have the server on one CPU and all clients on the other.
    """
    s5 = suite.scenario("S5", "Hand-over, after a pause", HANDED)
    unpaused = "without pauses, µs"
    with ExitStack() as stack:
        pairs = crowds(stack, s5, [OURS, *SERVERS, *FILES, PING], ["one", "one"], pinned=True)
        (ping, _), times, seconds = pairs.pop(PING), suite.count(12, short=2), suite.scale(0.3, short=0.02)

        def once() -> None:
            hand_over(s5, pairs, times)
            s5.note(PING, {HANDED: median(taken_alone(ping, times)), unpaused: work([ping], seconds).wait(0.5)})
            s5.note(OURS, {unpaused: work(pairs[OURS], seconds).way})

        suite.rounds(3, once)
    s5.aim("time by a bare round trip, after a pause", s5.ratios(HANDED, OURS, PING), most=1.5)
    s5.aim("time by a bare round trip, without pauses", s5.ratios(unpaused, OURS, PING), most=1.5)


def test_s6_a_command(suite: Suite) -> None:
    """A command that does nothing, under a lock, its start included; and the one that must start the daemon first."""
    s6 = suite.scenario("S6", "A command, -- true, uncontended", TIME)
    ours, bare = "holdfast run", "python -c pass"
    with ExitStack() as stack:
        addresses = started(stack, s6, [bare, ours, "flom", "flock(1)", "etcdctl lock", "sem"])
        suite.rounds(20, lambda: commands(s6, addresses, one_command))
        for _ in range(suite.count(5, short=1)):
            s6.note("holdfast run, starting the daemon", first_command())
    s6.aim("by python -c pass", s6.ratios(TIME, ours, bare), most=2)
    for other in ("etcdctl lock", "sem"):
        s6.aim(f"by {other}", s6.ratios(TIME, ours, other), most=1)


def test_s7_a_thousand_commands(suite: Suite) -> None:
    """A thousand commands through one lock, eight at a time, in four portions taken in turns."""
    s7 = suite.scenario("S7", "1,000 commands through one lock, 8 workers of xargs, in 4 portions", COMMANDS_RATE)
    times = suite.count(250, short=4)
    with ExitStack() as stack:
        addresses = started(stack, s7, ["holdfast run", "flock(1)", "etcdctl lock", "sem"])
        suite.rounds(4, lambda: commands(s7, addresses, lambda c, at: many_commands(c, at, times=times, workers=CROWD)))


def test_s8_new_resources(suite: Suite) -> None:
    """The first lock of a new resource while there are spare lockers, a warm one, and many new resources in a row."""
    first, warm, rate = "first lock, µs", "warm lock on a new connection, µs", "new resources a second"
    s8 = suite.scenario("S8", "New resources: the first lock, and 500 in a row", rate)
    row = suite.count(500, short=5)

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
            for _ in range(suite.count(10, short=2)):
                sleep(0.1)  # the daemon's spare lockers are complete again
                s8.note(OURS, {first: lock(f"new{next(numbers)}"), warm: lock("warm")})
            begin = monotonic()
            for _ in range(row):
                lock(f"new{next(numbers)}")
            s8.note(OURS, {rate: row / (monotonic() - begin)})

    suite.rounds(3, once)
    s8.aim("new resources a second", s8.values(OURS, rate), least=300)
    s8.aim("first lock by a warm one", by_round(s8.values(OURS, first), s8.values(OURS, warm)), most=5)


def test_s9_many_resources(suite: Suite) -> None:
    """A thousand live resources: memory, ``status``, and a lock on one of them beside one where there is no other."""
    memory, status, alone = "MiB private for each locker", "status, ms", f"{OURS}, 1 resource"
    s9 = suite.scenario("S9", "1,000 live resources", memory)
    resources = suite.count(1000, short=5)
    with ExitStack() as stack:
        crowded, single = serve(stack, LIBRARIES[OURS]), serve(stack, LIBRARIES[OURS])
        use_once(crowded, resources)
        environ = clean_environ() | json.loads(crowded)
        crowd = {
            OURS: stack.enter_context(clients(OURS, crowded, [f"r{resources // 2}"])),
            alone: stack.enter_context(clients(OURS, single, ["r0"])),
        }

        def once() -> None:
            s9.note(OURS, {memory: median(locker_memory(json.loads(crowded)["HOLDFAST_RUN_DIR"]))})
            begin = monotonic()
            run([str(SCRIPTS / "holdfast"), "status"], environ)
            s9.note(OURS, {status: (monotonic() - begin) * 1000})
            contend(s9, crowd, suite.scale(1.0, short=0.05))

        suite.rounds(3, once)
    s9.aim(memory, s9.values(OURS, memory), most=3)
    s9.aim("time of a cycle by that with one resource", s9.ratios(RATE, alone, OURS), most=1.3)


def use_once(address: str, resources: int) -> None:
    """Lock and unlock each of them once."""
    for number in range(resources):
        handle = LIBRARIES[OURS].handle(address, f"r{number}")
        handle.acquire()
        handle.release()
        handle.close()


def locker_memory(run_dir: str) -> list[float]:
    """Private MiB of each locker that this run directory's daemon has."""
    mark = f"HOLDFAST_RUN_DIR={run_dir}".encode()
    sizes = []
    for process in Path("/proc").iterdir():
        try:
            environ = (process / "environ").read_bytes().split(b"\0")
            if mark in environ and (process / "comm").read_text() == "holdfast-locker\n":
                sizes.append(private_kib(int(process.name)) / 1024)
        except OSError:
            continue
    return sizes


def test_s10_readers_and_a_writer(suite: Suite) -> None:
    """A hundred readers and one writer; what counts is how long the writer waits."""
    waited = "p99 wait of the writer, µs"
    s10 = suite.scenario("S10", "100 readers and 1 writer", waited)
    readers = suite.count(100, short=2)
    with ExitStack() as stack:
        crowd = crowds(stack, s10, [OURS, "kazoo", "fcntl", "flock"], ["one"] * (readers + 1), readers=readers)

        def measure(name: str, some: list[Client]) -> None:
            window = work(some, suite.scale(2.0, short=0.05), pause=0.001)
            s10.note(
                name, {waited: window.wait(0.99, readers), "p50 wait of the writer, µs": window.wait(0.5, readers)}
            )
            s10.note(name, {"writes": window.cycles[readers], "reads": sum(window.cycles[:readers])})

        def once() -> None:
            for name, some in working(s10, crowd):
                with allowed(s10, name):
                    measure(name, some)

        suite.rounds(3, once)


def test_s11_over_the_network(suite: Suite) -> None:
    """One client and eight, by UNIX socket, by TCP on loopback, and by CURVE."""
    s11 = suite.scenario("S11", "S1 and S2 over TCP on loopback, and with CURVE", RATE)
    with ExitStack() as stack:
        names = [OURS, "holdfast, TCP", "holdfast, CURVE", "redis-py"]
        crowd = crowds(stack, s11, names, ["one"] * suite.count(CROWD, short=2))
        alone = {f"{name}, 1 client": some[:1] for name, some in crowd.items()}
        together = {f"{name}, {CROWD} clients": some for name, some in crowd.items()}
        suite.rounds(5, lambda: contend(s11, alone | together, suite.scale(0.8, short=0.05)))


def test_s12_being_seen(suite: Suite) -> None:
    """S2 with files, metrics and a viewer, beside S2 without."""
    seen = "holdfast, seen"
    s12 = suite.scenario("S12", "S2 with file system, metrics and status --watch", RATE)
    with ExitStack() as stack:
        mount = room(stack) / "mount"
        mount.mkdir()
        files = ["--mount", str(mount)] if os.path.exists("/dev/fuse") else []
        if not files:
            s12.missing["files"] = "no /dev/fuse"
        watched = Holdfast(seen, *files, "--metrics", f"127.0.0.1:{free_port()}")
        addresses = {OURS: serve(stack, LIBRARIES[OURS]), seen: serve(stack, watched)}
        stack.enter_context(viewer(json.loads(addresses[seen])))
        resources = ["one"] * suite.count(CROWD, short=2)
        crowd = {name: stack.enter_context(clients(OURS, address, resources)) for name, address in addresses.items()}
        suite.rounds(7, lambda: contend(s12, crowd, suite.scale(1.5, short=0.05)))
    s12.aim("cycles seen by unseen", s12.ratios(RATE, seen, OURS), least=0.85)


@contextmanager
def viewer(variables: dict[str, str]) -> Iterator[None]:
    """``holdfast status --watch`` beside the block."""
    words = [str(SCRIPTS / "holdfast"), "status", "--watch"]
    environ = clean_environ() | variables
    with subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield
        finally:
            process.kill()
