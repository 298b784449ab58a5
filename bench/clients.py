"""Clients of one system in processes of their own, started once and alive throughout: see ``worker.py``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from systems.ours import clean_environ

WORKER = Path(__file__).with_name("worker.py")
SOON = 0.05  # seconds; by then every worker has its order
AT_ONCE = 8  # clients that may be making their connection at the same time
PATIENCE = 60.0  # seconds; a client that takes so much longer than it was told never answers
LIMIT = 10.0  # seconds that clients may take to end


class Client:
    """One of them, as its orders and answers."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self._name = name
        self._connection = connection
        self._connection.settimeout(PATIENCE)
        self._orders, self._answers = connection.makefile("w"), connection.makefile()

    def tell(self, *order: object) -> None:
        """Give an order; ``answer`` has its answer."""
        print(*order, file=self._orders, flush=True)

    def answer(self) -> object:
        """Wait for the answer to the oldest order.

        Raises:
            RuntimeError: the client ended, or does not answer.
        """
        try:
            line = self._answers.readline()
        except TimeoutError:
            raise RuntimeError(f"a client of {self._name} does not answer") from None
        if not line:
            raise RuntimeError(f"a client of {self._name} ended")
        return json.loads(line)

    def close(self) -> None:
        """Let it end."""
        with suppress(OSError):  # it ended before; what it did not read is of no interest
            self._orders.close()
        self._answers.close()
        self._connection.close()


@contextmanager
def clients(system: str, address: str, resources: Sequence[str], *, readers: int = 0) -> Iterator[list[Client]]:
    """One client for each of ``resources``, the first ``readers`` shared; all have had their lock once.

    Raises:
        RuntimeError: one of them cannot lock.
    """
    pairs = [socket.socketpair() for _ in resources]
    made = [Client(system, ours) for ours, _ in pairs]
    process = _start(system, address, resources, readers, [theirs for _, theirs in pairs])
    try:
        _open(made)
        yield made
    finally:
        for client in made:
            client.close()
        _end(process)


def _start(
    system: str, address: str, resources: Sequence[str], readers: int, theirs: Sequence[socket.socket]
) -> subprocess.Popen[bytes]:
    """Start the process that divides itself; it is out of reach of a ^C, whose meaning only we know."""
    modes = ["shared" if number < readers else "exclusive" for number in range(len(resources))]
    descriptors = [one.fileno() for one in theirs]
    words = [":".join(map(str, place)) for place in zip(descriptors, modes, resources, strict=True)]
    process = subprocess.Popen(
        [sys.executable, str(WORKER), system, address, *words],
        stdin=subprocess.DEVNULL,
        env=clean_environ(),
        pass_fds=descriptors,
        start_new_session=True,
    )
    for one in theirs:
        one.close()
    return process


def _open(made: Sequence[Client]) -> None:
    for number, client in enumerate(made):
        client.tell("open")
        if number >= AT_ONCE:
            made[number - AT_ONCE].answer()
    for client in made[-AT_ONCE:]:
        client.answer()


def _end(process: subprocess.Popen[bytes]) -> None:
    """All of them have been told; by force if one does not obey."""
    try:
        process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True)
class Window:
    """What clients did in one window of time: cycles of each, their waits in microseconds, how often each got the lock
    from somebody else, and how many microseconds that took of all, from the beginning of the release to the grant."""

    seconds: float
    cycles: list[int]
    waits: list[list[int]]
    handed: list[int]
    ways: list[int]

    @property
    def rate(self) -> float:
        """Cycles of all, a second."""
        return sum(self.cycles) / self.seconds

    @property
    def hand_overs(self) -> float:
        """How often the lock went from one client to another, a second."""
        return sum(self.handed) / self.seconds

    @property
    def way(self) -> float:
        """Microseconds from the beginning of one client's release to another's grant, the median."""
        return float(median(self.ways)) if self.ways else float("nan")

    @property
    def fairness(self) -> float:
        """The slowest client's cycles by the fastest one's."""
        return min(self.cycles) / max(max(self.cycles), 1)

    def wait(self, part: float, client: int | None = None) -> float:
        """Microseconds that ``part`` of the waits (0.5: the median) were shorter than; of one client, or of all."""
        chosen = self.waits if client is None else [self.waits[client]]
        pooled = sorted(wait for waits in chosen for wait in waits)
        return float(pooled[min(len(pooled) - 1, int(part * len(pooled)))]) if pooled else float("nan")


def work(some: Sequence[Client], seconds: float, *, pause: float = 0.0) -> Window:
    """Let all of them lock and unlock for ``seconds``, each lock being held for ``pause``."""
    start = time.monotonic() + SOON + 0.002 * len(some)
    for client in some:
        client.tell("run", start, seconds, pause)
    answers = [client.answer() for client in some]
    told = [answer for answer in answers if isinstance(answer, dict)]
    return Window(
        seconds,
        [one["cycles"] for one in told],
        [one["waits"] for one in told],
        [one["handed"] for one in told],
        [way for one in told for way in one["ways"]],
    )
