"""Ordinary locks while somebody else misbehaves on the daemon's ports.

What counts is the ratio of the median time of a lock (on a connection of its own, from the second of two hosts) under
each kind of bad input to its median without any, in one run. The aim: at most 2. Each kind comes as fast as a fool's
script makes it, a few hundred times a second; who has a whole network at his command can always fill a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hosts import Host, network
from support import wait_line

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

GROUP = "239.255.0.1"
PORT = 28015
PAUSE = 0.003  # seconds between two pieces of bad input
LOCKS = """
import sys
from statistics import median
from time import perf_counter
from holdfast import Lock

def once():
    begin = perf_counter()
    lock = Lock("bench")
    lock.acquire()
    lock.release(wait=True)
    lock.close()
    return perf_counter() - begin

once()
print("ready", flush=True)
for line in sys.stdin:
    print(median(once() for _ in range(int(line))), flush=True)
"""
MISCHIEF = """
import os, random, select, socket, sys, time
kind, host, port, group, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
dice = random.Random(1)
greeting = b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00NULL".ljust(55, b"\\0")
ready = b"\\x04\\x19\\x05READY\\x0bSocket-Type\\x00\\x00\\x00\\x06DEALER"
said = {
    "an HTTP request": b"GET / HTTP/1.1\\r\\nHost: here\\r\\n\\r\\n",
    "a TLS hello": b"\\x16\\x03\\x01\\x00\\xf4\\x01\\x00\\x00\\xf0\\x03\\x03" + dice.randbytes(238),
    "half a greeting": greeting[:20],
    "another version": greeting + ready + b"\\x00\\x03\\x63\\x01\\x90",
    "an oversized frame": greeting + ready + b"\\x02" + (1 << 30).to_bytes(8, "big") + bytes(4096),
    "silence": b"",
}
kept = 1000 if kind in ("silence", "half a greeting") else 20
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
connections = []
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0 if len(connections) < kept and kind == "silence" else pause)[0]:
    if kind == "random datagrams":
        datagrams.sendto(dice.randbytes(dice.randrange(1, 1400)), (group, port))
        continue
    connection = socket.create_connection((host, port))
    connection.setblocking(False)
    connections.append(connection)
    try:
        connection.sendall(said[kind])
    except OSError:
        pass
    if len(connections) > kept:
        connections.pop(0).close()
"""
KINDS = ["random datagrams", "an HTTP request", "a TLS hello", "silence", "half a greeting", "another version"]
KINDS += ["an oversized frame"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    """A daemon on the first host, which answers a group too; the second one's locks go there."""
    with network("mojan", "presanella") as made:
        daemon, other = made
        where = f"tcp://{daemon.ipv4}:{PORT}"
        served = daemon.spawn("serve", "--insecure", "--bind", where, "--discover", f"{GROUP}:{PORT}")
        wait_line(served.stderr, "HFD001I")
        other.environ["HOLDFAST_ENDPOINT"] = where
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_locks_beside(benchmark: BenchmarkFixture, hosts: list[Host], kind: str) -> None:
    """A hundred locks, one after the other, while this comes in."""
    daemon, other = hosts
    locks = other.python(LOCKS)
    wait_line(locks.stdout, "ready")
    assert locks.stdin is not None
    assert locks.stdout is not None

    def median(times: int) -> float:
        print(times, file=locks.stdin, flush=True)
        return float(locks.stdout.readline())  # type: ignore[union-attr]  # a pipe

    times = 100 if benchmark.enabled else 2
    before = median(times)
    fool = other.python(MISCHIEF, kind, daemon.ipv4, str(PORT), GROUP, str(PAUSE))
    wait_line(fool.stdout, "ready")
    under = benchmark.pedantic(median, args=(times,), rounds=1)  # type: ignore[no-untyped-call]  # theirs
    fool.communicate()
    assert fool.returncode == 0
    if benchmark.enabled:
        benchmark.extra_info["times undisturbed"] = round(under / before, 2)
    locks.communicate()
