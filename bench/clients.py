"""Clients of one system in processes of their own, started once and alive throughout: see ``worker.py``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from systems.ours import clean_environ

WORKER = Path(__file__).with_name("worker.py")
SOON = 0.05  # seconds; by then every worker has its order
AT_ONCE = 8  # clients that may be starting at the same time


class Client:
    """One of them."""

    def __init__(self, system: str, address: str, resource: str, *, shared: bool = False) -> None:
        words = [sys.executable, str(WORKER), system, address, resource, "shared" if shared else "exclusive"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environ()
        )

    def tell(self, *order: object) -> None:
        """Give an order; ``answer`` has its answer."""
        assert self._process.stdin is not None
        print(*order, file=self._process.stdin, flush=True)

    def answer(self) -> object:
        """Wait for the answer to the oldest order.

        Raises:
            RuntimeError: the client ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a client ended: {self._process.args!r}")
        return json.loads(line)

    def close(self) -> None:
        """Let it end; by force if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def clients(system: str, address: str, resources: Sequence[str], *, readers: int = 0) -> Iterator[list[Client]]:
    """One client for each of ``resources``, the first ``readers`` shared; all have had their lock once."""
    made: list[Client] = []
    try:
        for number, resource in enumerate(resources):
            made.append(Client(system, address, resource, shared=number < readers))
            if len(made) > AT_ONCE:
                made[-AT_ONCE - 1].answer()
        for client in made[-AT_ONCE:]:
            client.answer()
        yield made
    finally:
        for client in made:
            client.close()


@dataclass(frozen=True)
class Window:
    """What clients did in one window of time: cycles of each, and their waits in microseconds."""

    seconds: float
    cycles: list[int]
    waits: list[list[int]]

    @property
    def rate(self) -> float:
        """Cycles of all, a second."""
        return sum(self.cycles) / self.seconds

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
    return Window(seconds, [one["cycles"] for one in told], [one["waits"] for one in told])
