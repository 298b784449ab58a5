"""Start a program of ours in the background: the daemon, or one that follows it.

The rule: it is a fresh process (``exec``), never a fork of ours: in a session of its own, with no terminal, no
descriptor and no HOLDFAST_ variable of ours. What it needs to know stands on its command line; it answers with one line
through a pipe: ``ready``, or why not.

Loaded by who starts one, and by nobody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from fcntl import F_DUPFD_CLOEXEC, fcntl
from select import POLLIN, poll
from time import monotonic

from .errors import Unreachable
from .settings import Settings
from .target import Target

START = 30.0  # seconds for a daemon to be ready, ours or one that somebody else is starting
REAP = 5.0  # seconds for the process that we started to leave the daemon to itself


def launch(command: Callable[[int], list[str]], environ: Mapping[str, str], prefix: Sequence[str] = ()) -> str:
    """Run a program of ours in the background: the daemon, or one that follows it.

    Args:
        command: makes its command line, in which it is told the descriptor on which we want to hear one line of it.
        prefix: a program that starts it; one that cannot be run counts as one without a word.

    Returns:
        What it has to say: "ready", or why not, or "" if it ended without a word.

    Raises:
        Unreachable: it cannot be run.
    """
    ours, its = _pipe()
    try:
        process = subprocess.Popen(
            [*prefix, *command(its)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment(environ),
            start_new_session=True,
            pass_fds=(its,),
        )
    except OSError as error:
        os.close(ours)
        if prefix:
            return ""
        raise Unreachable(f"cannot start the daemon: {error.strerror}: {sys.executable!r}") from error
    finally:
        os.close(its)
    try:
        return _hear(ours)
    finally:
        os.close(ours)
        try:
            process.wait(REAP)  # the daemon is its child, so that it is nobody's
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pipe() -> tuple[int, int]:
    """The two ends of a pipe, beyond 0, 1 and 2 even if those are free: in the daemon they are /dev/null."""
    ends = os.pipe()
    try:
        return fcntl(ends[0], F_DUPFD_CLOEXEC, 3), fcntl(ends[1], F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(ends[0])
        os.close(ends[1])


def _hear(pipe: int) -> str:
    """The one line that the daemon says, at the latest when it is ready."""
    poller = poll()
    poller.register(pipe, POLLIN)
    until = monotonic() + START
    line = b""
    while not line.endswith(b"\n"):
        if not poller.poll(max(0.0, until - monotonic()) * 1000):
            return f"the daemon has not become ready in {START:.0f}s"
        more = os.read(pipe, 4096)
        if not more:
            break
        line += more
    return line.decode("utf-8", "replace").strip()


def daemon_command(meant: Target, settings: Settings, pipe: int, identity: bytes) -> list[str]:
    """The daemon's command line; ``cli/daemon.py`` reads it.

    Args:
        pipe: the descriptor on which it says that it is ready.
        identity: 16 bytes by which whoever looks for the daemon of a group tells it from others.
    """
    words = {
        "socket": meant.place.socket,
        "directory": meant.place.directory,
        "lifespan": repr(settings.lifespan),
        "comm": settings.comm,
        "pool": str(settings.pool),
        "ready": str(pipe),
    }
    log = settings.daemon_trace_file or settings.log_file
    if log:
        words["log"] = os.path.abspath(log)
    if settings.mount_point:
        words["mount"] = os.path.abspath(settings.mount_point)
    if settings.daemon_trace_file:
        words |= {"verbose": "yes", "fresh": "no" if settings.append_trace_file else "yes"}
    words |= _network_words(meant, settings, identity)
    return [sys.executable, "-P", "-m", "holdfast.cli.daemon", *(f"{key}={value}" for key, value in words.items())]


def _network_words(meant: Target, settings: Settings, identity: bytes) -> dict[str, str]:
    """Where it listens besides; FLoM's daemon is open to everybody, as FLoM's own is."""
    if meant.tcp is None and meant.group is None:
        return {}
    words = {}
    if meant.tcp is not None:
        words["tcp"] = str(meant.tcp)
    if meant.group is not None:
        words |= {"group": str(meant.group), "identity": identity.hex()}
    alive = (settings.tcp_keepalive_time, settings.tcp_keepalive_intvl, settings.tcp_keepalive_probes)
    words["keepalive"] = ",".join(map(str, alive))
    if settings.comm == "flom":
        words["insecure"] = "yes"
    return words


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For a program of ours: ``environ`` without HOLDFAST_ variables; the way to a package that is not installed."""
    env = {name: value for name, value in environ.items() if not name.startswith("HOLDFAST_")}
    here = os.path.dirname(os.path.abspath(sys.modules[__name__.partition(".")[0]].__path__[0]))
    installed = os.path.basename(here) in ("site-packages", "dist-packages")
    if not installed and here in map(os.path.abspath, sys.path):
        env["PYTHONPATH"] = here
    return env
