"""What being seen costs, and how late one sees: the picture, the files, ``status --watch``.

Ratios are taken within one run. A crowd is made of bare connections, so that the bench's own threads are not measured.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from holdfast import Lock
from holdfast.transport.follow import Follower
from holdfast.transport.messages import Granted, Queued, Release
from holdfast.transport.settings import Settings
from raw import Raw, acquire, find, hello
from support import LIMIT, House, private_kib, wait_until

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

BEACON = 0.05  # seconds; docs/protocol.md
ROUNDS, CYCLES = 15, 400  # of locking with and without spectators
needs_fuse = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no /dev/fuse here: nothing can be mounted")


@pytest.fixture
def house() -> Iterator[House]:
    """A house of its own, in a process that may open as many descriptors as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with House() as built:
        yield built


def settings(house: House) -> Settings:
    return Settings(run_dir=str(house.run_dir))


def scale(benchmark: BenchmarkFixture, full: int, *, least: int) -> int:
    """The whole crowd if something is measured, else a few: enough to see that it works."""
    return full if benchmark.enabled else least


@contextmanager
def serving(house: House, *options: str) -> Iterator[str]:
    """A daemon in the foreground; the path of its socket."""
    process = house.spawn("serve", *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = f"{house.run_dir}/local/daemon.sock"
    wait_until(lambda: os.path.exists(path), "the daemon's socket")
    try:
        yield path
    finally:
        house.run("stop", "--now")
        process.wait(LIMIT)


@contextmanager
def crowd(path: str, resources: int, clients: int) -> Iterator[list[tuple[Raw, str, int]]]:
    """On each resource one who holds and the others in line; the holders: (connection, resource, epoch)."""
    holders = []
    with ExitStack() as connections:
        for number in range(resources):
            name = f"r{number}"
            for place in range(clients):
                who = hello()
                address, epoch = find(path, name, who=who, idle=3600.0)
                raw = connections.enter_context(Raw(address))
                raw.enter(who, acquire(name, epoch))
                assert isinstance(raw.hear(), Queued if place else Granted)
                if not place:
                    holders.append((raw, name, epoch))
        yield holders


def claims(follower: Follower) -> int:
    """How many hold or wait, by what is known now."""
    follower.update(0.1)
    return sum(len(view.holders) + len(view.waiters) for view in follower.picture.scene().resources)


def walk(path: Path, *words: str) -> float:
    """Seconds that ``find`` takes for each entry."""
    begin = perf_counter()
    found = subprocess.run(["find", str(path), *words], check=True, capture_output=True).stdout
    return (perf_counter() - begin) / found.count(b"\n")


@needs_fuse
def test_find_over_the_files(benchmark: BenchmarkFixture, house: House) -> None:
    """``find``, and ``find -ls``, over 200 resources with 10 clients each, and over the same tree as files in memory.

    For the first at most 2.5 times the latter plus 130 µs, per entry, is the aim. The second asks three times as much.
    """
    resources, clients = scale(benchmark, 200, least=3), scale(benchmark, 10, least=2)
    mount = house.path / "mount"
    mount.mkdir()
    with (
        serving(house, "--mount", str(mount)) as path,
        crowd(path, resources, clients),
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        wait_until(lambda: len(list(mount.glob("status/lockers/*/*/*/peer_name"))) == resources * clients, "the crowd")
        copy = Path(memory) / "copy"
        shutil.copytree(mount, copy, copy_function=shutil.copyfile)
        for words in ((), ("-ls",)):
            compare(benchmark, mount, copy, *words)
        benchmark.pedantic(walk, (mount,), rounds=scale(benchmark, 5, least=1))  # type: ignore[no-untyped-call]


def compare(benchmark: BenchmarkFixture, files: Path, plain: Path, *words: str) -> None:
    """Note what ``find`` takes over the files, and what part that is of the aim."""
    pairs = [(walk(files, *words), walk(plain, *words)) for _ in range(scale(benchmark, 5, least=1))]
    ours, theirs = (median(one) * 1e6 for one in zip(*pairs, strict=True))
    told = " ".join(("find", *words))
    benchmark.extra_info[f"{told}, µs an entry"] = f"{ours:.1f}, plain files {theirs:.1f}"
    benchmark.extra_info[f"{told}, of the aim"] = round(ours / (2.5 * theirs + 130), 2)


@needs_fuse
def test_locking_while_others_look_on(benchmark: BenchmarkFixture, house: House) -> None:
    """Locks a second with files mounted and ``status --watch``, in percent of those without; the aim is 90."""
    mount = house.path / "mount"
    mount.mkdir()
    cycles = scale(benchmark, CYCLES, least=10)
    with House() as alone, serving(alone), serving(house, "--mount", str(mount)):
        wait_until((mount / "status").exists, "the mount")
        house.spawn("status", "--watch", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        locks = [Lock("bench", settings=settings(one), idle=3600.0) for one in (alone, house)]
        rates: list[list[float]] = [[], []]

        def both() -> None:
            for lock, found in zip(locks, rates, strict=True):
                begin = perf_counter()
                for _ in range(cycles):
                    lock.acquire()
                    lock.release()
                found.append(cycles / (perf_counter() - begin))

        benchmark.pedantic(both, rounds=scale(benchmark, ROUNDS, least=1))  # type: ignore[no-untyped-call]
        without, seen = median(rates[0]), median(rates[1])
        benchmark.extra_info["locks a second, seen"] = round(seen)
        benchmark.extra_info["% of those unseen"] = round(100 * seen / without)
        for lock in locks:
            lock.close()


def test_age_of_the_picture(benchmark: BenchmarkFixture, house: House) -> None:
    """How long after its answer a grant is in the picture, with 1,000 resources active; the aim is below 4 beacons."""
    resources = scale(benchmark, 1000, least=5)
    with serving(house) as path, crowd(path, resources, 1) as holders:
        follower = Follower(settings(house), os.environ)
        wait_until(lambda: claims(follower) == resources, "the crowd")
        driver = subprocess.Popen([sys.executable, "-c", DRIVER, path, str(resources)], stdout=subprocess.PIPE)
        assert driver.stdout is not None
        driver.stdout.readline()
        turn = cycle(holders)

        def seen() -> float:
            """Lock one of them anew, and wait until everybody can see it."""
            raw, name, epoch = next(turn)
            raw.say(Release(epoch, False), acquire(name, epoch))
            while not isinstance(granted := raw.hear(), Granted):
                pass
            begin = perf_counter()
            while not any(
                holder.claim.token == granted.token
                for view in follower.picture.scene().resources
                if view.resource.name == name
                for holder in view.holders
            ):
                follower.update(LIMIT)
            return perf_counter() - begin

        ages: list[float] = []
        benchmark.pedantic(lambda: ages.append(seen()), rounds=scale(benchmark, 60, least=2))  # type: ignore[no-untyped-call]
        driver.kill()
        driver.wait()
        follower.close()
        benchmark.extra_info["beacons, median"] = round(median(ages) / BEACON, 2)
        benchmark.extra_info["beacons, worst"] = round(max(ages) / BEACON, 2)


DRIVER = """
import sys
from itertools import cycle
sys.path.insert(0, "tests")
from holdfast.transport.messages import Mode, Release, Granted
from raw import Raw, acquire, find, hello
path, resources = sys.argv[1], int(sys.argv[2])
active = []
for number in range(resources):
    who = hello()
    address, epoch = find(path, f"r{number}", who=who)
    raw = Raw(address)
    raw.enter(who, acquire(f"r{number}", epoch, mode=Mode.NL))
    raw.hear()
    active.append((raw, f"r{number}", epoch))
print("active", flush=True)
for raw, name, epoch in cycle(active):
    raw.say(Release(epoch, False), acquire(name, epoch, mode=Mode.NL))
    while not isinstance(raw.hear(), Granted):
        pass
"""


def registry(follower: Follower) -> int:
    """The pid of the registry."""
    return next(view.member.pid for view in follower.picture.scene().members if view.member.role == "registry")


def test_memory_of_the_registry(benchmark: BenchmarkFixture, house: House) -> None:
    """Private memory of the registry for each of 2,000 who hold or wait; below 2 KiB is the aim."""
    resources, clients = 10, scale(benchmark, 200, least=2)
    with serving(house) as path:
        follower = Follower(settings(house), os.environ)
        follower.update(LIMIT)
        before = private_kib(registry(follower))
        with crowd(path, resources, clients):
            wait_until(lambda: claims(follower) == resources * clients, "the crowd")
            after = benchmark(private_kib, registry(follower))
        follower.close()
    benchmark.extra_info["KiB for each"] = round((after - before) / (resources * clients), 2)
    benchmark.extra_info["KiB private, with nobody there"] = before
