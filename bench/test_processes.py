"""What processes cost: a new resource, its memory, a command, and a death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import Lock
from holdfast.transport.settings import Settings
from support import LIMIT, House, private_kib, state_of, wait_until

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

POOL = 2  # spare lockers, the default


def settings(house: House) -> Settings:
    return Settings(run_dir=str(house.run_dir), pool=POOL)


def lockers(house: House) -> list[int]:
    """The pids of all lockers of the house, spare ones included."""
    return [pid for pid in house.processes() if Path(f"/proc/{pid}/comm").read_text().strip() == "holdfast-locker"]


def test_first_lock_of_a_new_resource(benchmark: BenchmarkFixture, house: House) -> None:
    """Find the daemon, have a spare locker assigned, and lock; the pool is warm. At most 5 ms is the aim."""
    numbers = count(1)

    def warm() -> tuple[tuple[Lock], dict[str, object]]:
        number = next(numbers)
        wait_until(lambda: len(lockers(house)) == number + POOL and at_rest(house), "a full pool")
        return (Lock(f"r{number}", settings=settings(house), idle=float("inf")),), {}

    benchmark.pedantic(Lock.acquire, setup=warm, rounds=30)  # type: ignore[no-untyped-call]  # pytest-benchmark's


def at_rest(house: House) -> bool:
    return all(state_of(pid) == "S" for pid in [house.daemon(), *lockers(house)])


def test_memory_of_an_idle_locker(benchmark: BenchmarkFixture, house: House) -> None:
    """Private memory of a locker after one use. At most 3 MiB is the aim."""
    others = house.lockers()
    lock = Lock("once", settings=settings(house), idle=float("inf"))
    with lock:
        (locker,) = house.lockers() - others
    lock.close()
    benchmark.extra_info["KiB private"] = benchmark(private_kib, locker)
    benchmark.extra_info["KiB private, incubator"] = private_kib(house.daemon())


def test_a_command(benchmark: BenchmarkFixture, house: House) -> None:
    """``holdfast run -r keeper -- true`` from start to end, the daemon being there."""

    def once() -> None:
        subprocess.run(house.words("run", "-r", "keeper", "--", "true"), env=house.environ, check=True)

    benchmark(once)


def test_python_alone(benchmark: BenchmarkFixture, house: House) -> None:
    """What of the above is Python's own start."""
    benchmark(lambda: subprocess.run([sys.executable, "-c", "pass"], env=house.environ, check=True))


def test_a_killed_holder_lets_the_next_one_in(benchmark: BenchmarkFixture, house: House) -> None:
    """From kill -9 of a wrapper that holds to the grant of the next one. At most 50 ms is the aim."""
    waiter = Lock("x", settings=settings(house))

    def hold() -> tuple[tuple[int], dict[str, object]]:
        if waiter.held:
            waiter.release(wait=True)
        return (house.hold("-r", "x").pid,), {}

    def kill(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        waiter.acquire(LIMIT)

    benchmark.pedantic(kill, setup=hold, rounds=20)  # type: ignore[no-untyped-call]
    waiter.close()
