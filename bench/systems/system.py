"""What a system under comparison is to the suite: something that is started, and locks that its users would take.

The rule: every system is used by the client that its users use, as its documentation shows it, and is started by us on
loopback, on a free port, in a directory of its own that is removed afterwards. A service that the machine runs is never
spoken to.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

LIMIT = 30.0  # seconds that a server may take to start, or to end


class Handle(Protocol):
    """One client's lock on one resource."""

    def acquire(self) -> object:
        """Wait until it is ours."""

    def release(self) -> object:
        """Give it back."""

    def close(self) -> object:
        """End the connection."""


class System(Protocol):
    """One of those that are compared."""

    name: str  # as the tables show it
    how: str  # how its client is used, for the page; "" if there is nothing to say
    modules: Sequence[str]  # what its client imports

    def missing(self) -> str:
        """What is not installed here, "" if it can be used."""

    def serving(self, directory: Path) -> AbstractContextManager[str]:
        """Start it with its files in ``directory``; the block gets its address, in the system's own words."""

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        """A lock, which nobody has asked for yet; ``shared``: together with other readers."""


class Command(Protocol):
    """A system whose command runs another command under a lock."""

    name: str
    how: str

    def missing(self) -> str:
        """As ``System.missing``."""

    def serving(self, directory: Path) -> AbstractContextManager[str]:
        """As ``System.serving``."""

    def words(self, address: str, resource: str) -> list[str]:
        """What stands before the command's own words."""

    def environ(self, address: str) -> dict[str, str]:
        """What it needs to know besides."""


def lacks(*, modules: Sequence[str] = (), programs: Sequence[str] = (), files: Sequence[str] = ()) -> str:
    """Which of these are not there, in words."""
    packages = [name.partition(".")[0] for name in modules]
    absent = [f"Python package {name}" for name in packages if find_spec(name) is None]
    absent += [f"program {name}" for name in programs if shutil.which(name) is None]
    return ", ".join(absent + [name for name in files if not Path(name).exists()])


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Does somebody answer there?"""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def server(
    words: Sequence[str],
    directory: Path,
    ready: Callable[[], bool],
    *,
    environ: Mapping[str, str] | None = None,
    end: int = signal.SIGTERM,
) -> Iterator[None]:
    """Run ``words`` until the block ends, which the signal ``end`` tells it; its output is in ``directory/log``.

    Raises:
        RuntimeError: it ended, or was not ready in time.
    """
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=environ,
            start_new_session=True,  # a ^C means us; we end it
        )
    try:
        _await(ready, process, log)
        yield
    finally:
        process.send_signal(end)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} is not ready: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def run(words: Sequence[str], environ: Mapping[str, str], stdin: str = "") -> None:
    """Run a command to its end; whatever cuts that short ends all that it started.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ, text=True, start_new_session=True
    )
    try:
        process.communicate(stdin)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
