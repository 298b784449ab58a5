"""A daemon of its own for a test suite that uses Holdfast.

``with daemon():`` in any program, or the fixture ``holdfast_daemon`` in pytest (name the plug-in once, in
``conftest.py``: ``pytest_plugins = ["holdfast.testing"]``).

The rule: inside the block every ``Lock`` of this process and every ``holdfast`` and ``flom`` that it starts finds this
daemon, whatever the user's environment and files say; after it no process and no file of the daemon is left, and the
user's own daemon was never spoken to. Should the suite be killed, its daemon ends by itself.

Variables of the environment are the process's: two threads cannot have a daemon each at the same time.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .transport import discover
from .transport.control import pid_behind, stop_daemon
from .transport.errors import Unreachable
from .transport.identity import JOBS
from .transport.settings import Settings

LIFESPAN = 3600.0  # seconds without clients; only the daemon of a suite that was killed lives so long


@dataclass(frozen=True)
class Daemon:
    """A daemon for tests; all its files are in ``run_dir``."""

    run_dir: str
    settings: Settings  # for Lock(…, settings=…); a Lock without finds the daemon too
    environ: dict[str, str]  # by which it is found; for a child that does not inherit our environment
    pid: int


@contextmanager
def daemon() -> Iterator[Daemon]:
    """Start a daemon, let everything find it, and end it at once at the end of the block, whoever holds or waits.

    Raises:
        Unreachable: it cannot be started, or does not end.
    """
    run_dir = tempfile.mkdtemp(prefix="holdfast-test-", dir="/tmp")  # not TMPDIR: a socket's path has 107 bytes
    settings = Settings(run_dir=run_dir, socket=f"{run_dir}/daemon.sock", lifespan=LIFESPAN)
    environ = {
        "HOLDFAST_RUN_DIR": run_dir,
        "HOLDFAST_SOCKET": f"{run_dir}/daemon.sock",  # also wins over the user's files
        "HOLDFAST_AUTOSTART": "no",  # whoever comes too late must not start another one
    }
    before = {name: os.environ.get(name) for name in environ}
    try:
        pid = _start(settings)
        process = os.pidfd_open(pid)
        try:
            os.environ.update(environ)
            yield Daemon(run_dir, settings, environ, pid)
        finally:
            _put_back(before)
            _end(settings, process)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)  # a locker of a daemon that was killed may be removing its own


def _start(settings: Settings) -> int:
    """Start the daemon inside the batch job that we may belong to: it shall end with it."""
    wire = discover.connect(settings, {name: value for name, value in os.environ.items() if name not in JOBS})
    try:
        return pid_behind(wire.fileno())
    finally:
        wire.close()


def _put_back(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _end(settings: Settings, process: int) -> None:
    """End the daemon; a test may have done that already."""
    try:
        stop_daemon(settings, os.environ, now=True)
    except Unreachable:
        if not select.select([process], [], [], 0)[0]:  # it lives
            signal.pidfd_send_signal(process, signal.SIGKILL)
            raise
    finally:
        os.close(process)


try:
    import pytest
except ImportError:  # the context manager does without
    pass
else:

    @pytest.fixture
    def holdfast_daemon() -> Iterator[Daemon]:
        """A daemon of the test's own; see ``daemon``."""
        with daemon() as started:
            yield started
