"""Find the daemon, and start it if nobody has.

The rule: whatever happens at once, one daemon is started. Who finds none takes the lock of the file ``starting`` in the
daemon's directory, tries to connect again, and only then starts one, holding the lock until it is ready. While somebody
else holds it, we keep trying to connect: 200 commands at once cost one start.

A daemon is a fresh process (``exec``), never a fork of ours: in a session of its own, with no terminal, no descriptor
and no HOLDFAST_ variable of ours. What it needs to know stands on its command line; it answers with one line through a
pipe: ``ready``, or why not. What lies at the socket's path and is no socket is never touched.
"""

from __future__ import annotations

import os
import stat
import sys
from fcntl import F_DUPFD_CLOEXEC, LOCK_EX, LOCK_NB, fcntl, flock
from math import inf
from select import POLLIN, poll
from time import monotonic, sleep

from . import addresses, identity
from .addresses import Address
from .errors import Unreachable
from .stderr import say
from .zmtp import Closed, Wire

TYPE_CHECKING = False  # importing it costs every command 2 ms; checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .settings import Settings

START = 30.0  # seconds for a daemon to be ready, ours or one that somebody else is starting
AGAIN = 0.05  # seconds until we try again while somebody else starts one
REAP = 5.0  # seconds for the process that we started to leave the daemon to itself


def connect(settings: Settings, environ: Mapping[str, str], patience: float = inf) -> Wire:
    """A connection to the incubator of the daemon that ``settings`` mean; it is started if need be.

    Args:
        patience: seconds for one that is there to greet us, or for somebody else to start one. If it is we who start
            it, that takes as long as it takes.

    Raises:
        InvalidSetting: no socket can be there.
        Closed: the connection ended at once: a daemon that is ending. Try again.
        Unreachable: there is no daemon, and none may be or could be started; the sentence says what to do.
    """
    place = addresses.address_of(settings)
    wire = find(place, patience)
    if wire is not None:
        return wire
    if settings.lifespan == 0 or not settings.autostart:
        raise Unreachable(
            f"no daemon is running at {place.socket}, and none may be started here; start one with: holdfast serve"
        )
    addresses.prepare(place)
    return _start_or_wait(place, settings, environ, min(START, patience))


def find(place: Address, patience: float = inf) -> Wire | None:
    """A connection to the daemon at ``place``; None if there is none.

    Args:
        patience: as that of ``Wire``.

    Raises:
        Closed: the connection ended at once: a daemon that is ending.
        Unreachable: something else is there, or it does not answer.
    """
    if place.run_dir and not addresses.check_directory(place.run_dir):
        return None
    try:
        return Wire(place.socket, patience)
    except FileNotFoundError:
        return None
    except ConnectionRefusedError as error:
        _check_socket(place.socket, error)
        return None
    except Unreachable:
        raise
    except OSError as error:
        raise Unreachable(f"cannot connect to {place.socket}: {error.strerror}") from error


def _check_socket(path: str, refused: ConnectionRefusedError) -> None:
    """A dead daemon's socket refuses connections; so does whatever is no socket, and that is not ours to replace."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise Unreachable(
            f"{path} is not a socket; it was left as it is: remove it, or choose another path"
        ) from refused


def _start_or_wait(place: Address, settings: Settings, environ: Mapping[str, str], patience: float) -> Wire:
    """Start the daemon, or connect to the one that somebody else is starting."""
    try:
        file = os.open(f"{place.directory}/starting", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unreachable(f"cannot write to the directory {place.directory}: {error.strerror}") from error
    try:
        until = monotonic() + patience
        while True:
            first = _take(file)
            wire = find(place, until - monotonic())
            if wire is not None:
                return wire
            if first:
                return _start(place, settings, environ)
            if monotonic() > until:
                raise Unreachable(
                    f"somebody has been starting the daemon at {place.socket} for {patience:.2g}s in vain"
                )
            sleep(AGAIN)
    finally:
        os.close(file)


def _take(file: int) -> bool:
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(place: Address, settings: Settings, environ: Mapping[str, str]) -> Wire:
    def command(pipe: int) -> list[str]:
        return _command(place, settings, pipe)

    said = ""
    if identity.job(environ):
        said = launch(command, environ, ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"])
        if not said:
            say(
                "the daemon is started inside this batch job and ends with it, even if other jobs still need it "
                "(HOLDFAST_AUTOSTART=no refuses that)"
            )
    said = said or launch(command, environ)
    if said != "ready":
        raise Unreachable(said or f"the daemon ended before it was ready; to see why: {_by_hand(place)}")
    wire = find(place)
    if wire is None:
        raise Closed(f"the daemon at {place.socket} ended as soon as it was ready")
    return wire


def _by_hand(place: Address) -> str:
    return f"holdfast serve --socket {place.socket}"


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
    import subprocess  # 10 ms that only who starts a daemon pays

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


def _command(place: Address, settings: Settings, pipe: int) -> list[str]:
    """The daemon's command line; ``cli/daemon.py`` reads it."""
    words = {
        "socket": place.socket,
        "directory": place.directory,
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
    return [sys.executable, "-P", "-m", "holdfast.cli.daemon", *(f"{key}={value}" for key, value in words.items())]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For a program of ours: ``environ`` without HOLDFAST_ variables; the way to a package that is not installed."""
    env = {name: value for name, value in environ.items() if not name.startswith("HOLDFAST_")}
    here = os.path.dirname(os.path.abspath(sys.modules[__name__.partition(".")[0]].__path__[0]))
    installed = os.path.basename(here) in ("site-packages", "dist-packages")
    if not installed and here in map(os.path.abspath, sys.path):
        env["PYTHONPATH"] = here
    return env
