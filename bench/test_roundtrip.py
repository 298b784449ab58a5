"""Lock and unlock through a warm daemon, and how many bare ZeroMQ round trips that is.

A figure in microseconds says as much about the machine as about us; the ratio to a pyzmq DEALER that talks to a pyzmq
ROUTER in another process, taken in turns with ours in the same run, does not. The aims: at most 3 when the unlock is
waited for, at most 1.5 when its acknowledgement rides on the next answer.

The servers are on one CPU, the clients on another (measured: a bare round trip takes 24 µs on one CPU and 95 µs
across two; left alone, the scheduler would decide the ratio).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import pytest
import zmq

from holdfast import Lock
from holdfast.testing import daemon
from support import LIMIT

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

TURNS, REPEATS = 20, 200  # each turn is one round of either
ECHO = """
import sys, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.bind(sys.argv[1])
while True:
    socket.send_multipart(socket.recv_multipart())
"""

pytestmark = pytest.mark.usefixtures("servers")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A daemon that every ``Lock`` finds, and the address of an echo; both on a CPU that is not ours."""
    address = f"ipc://{tmp_path_factory.mktemp('zmq')}/echo"
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})  # who is started now inherits it
    with daemon(), subprocess.Popen([sys.executable, "-c", ECHO, address]) as echo:
        os.sched_setaffinity(0, {min(before)})
        yield address
        os.sched_setaffinity(0, before)
        echo.kill()


@pytest.fixture(scope="module")
def ping(servers: str) -> Iterator[Callable[[], object]]:
    """One bare round trip."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.RCVTIMEO, int(LIMIT * 1000))
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(servers)

        def once() -> object:
            dealer.send(b"ping")
            return dealer.recv()

        assert once() == b"ping"
        yield once


def seconds(once: Callable[[], object]) -> list[float]:
    """How long each of ``REPEATS`` calls takes."""
    taken = []
    for _ in range(REPEATS):
        begin = perf_counter()
        once()
        taken.append(perf_counter() - begin)
    return taken


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Median of ours by median of theirs, taken in turns."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(TURNS)]
    return median(t for pair in pairs for t in pair[0]) / median(t for pair in pairs for t in pair[1])


def test_bare_round_trip(benchmark: BenchmarkFixture, ping: Callable[[], object]) -> None:
    """The measure of the others: pyzmq's DEALER and ROUTER over ipc, in two processes."""
    benchmark(ping)


@pytest.mark.parametrize("wait", [False, True], ids=["rides on the next answer", "waited for"])
def test_lock_and_unlock(benchmark: BenchmarkFixture, ping: Callable[[], object], wait: bool) -> None:
    """One client takes and gives back a free lock; the acknowledgement of the unlock comes as the name says."""
    lock = Lock("bench")

    def once() -> None:
        lock.acquire()
        lock.release(wait=wait)

    benchmark(once)
    if benchmark.enabled:
        benchmark.extra_info["bare round trips"] = round(ratio(once, ping), 2)
    lock.close()


def test_lock_and_unlock_on_a_new_connection(benchmark: BenchmarkFixture) -> None:
    """What a command pays besides its own start: find the daemon, ask where the lock is, lock, unlock."""

    def once() -> None:
        lock = Lock("bench")
        lock.acquire()
        lock.release(wait=True)
        lock.close()

    benchmark(once)
