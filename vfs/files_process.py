"""The process that shows the picture as files, from its start to its end: an actor of the daemon, or one of its own.

``main`` is the actor: it says ``Ready`` before it mounts, because locking does not depend on it; what keeps it from
mounting is logged, and then it ends for good. Run as ``python -P -m holdfast.vfs.files_process key=value …`` (by
``holdfast mount``) it serves a daemon that is none of its parents, and ends with it:

======= ================================================================================================
socket  path of that daemon's socket, if it was named outright …
rundir  … or its run directory
mount   the mount point, as ``transport/mountpoint.py`` names it
ready   descriptor that is told ``ready`` once the files are there, or why not, and closed
======= ================================================================================================

TERM, INT and HUP unmount: they come as bytes from a descriptor that the feed thread waits for, because the main thread
is libfuse's.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..transport import mountpoint
from ..transport.endpoints import parse, parse_group
from ..transport.errors import HoldfastError, InvalidSetting
from ..transport.follow import Follower, Silent
from ..transport.messages import Ended, Ready
from ..transport.pipe import Pipe
from ..transport.settings import Settings
from ..transport.stderr import say
from .feed import Feed

COMM = "holdfast-files"  # as ps and pgrep show it; at most 15 characters
LOST = 99  # exit code of what cannot be done
Log = Callable[..., None]


def main(
    number: int, end: socket.socket, settings: Settings, path: str, kind: str, configure: Log, event: Log, verbose: bool
) -> None:
    """Run the files actor; the target of a ``ChildSpec``.

    Args:
        end: our end of the pipe to the incubator.
        settings: by which the daemon is found.
        path: the mount point.
        kind: the second half of the file system's type: "holdfast" or "flom".
        configure: lets this process log.
        event: logs one event.
    """
    configure("files", verbose=verbose)
    wakeup = _prepare()
    pipe = Pipe(end)
    pipe.send(Ready("", os.getpid(), os.getppid(), 0))
    try:
        code = show(
            settings,
            path,
            kind,
            wakeup=wakeup,
            parent=pipe,
            shown=lambda: event("HFD050I", path=path),
            failed=lambda sentence: event("HFD051W", path=path, why=sentence),
        )
    except InvalidSetting as error:
        event("HFD051W", path=path, why=error)
        pipe.send(Ended(str(error)))
        code = 0
    except HoldfastError as error:
        event("HFD051W", path=path, why=error)
        code = 1
    sys.exit(code)


def show(
    settings: Settings,
    path: str,
    kind: str,
    *,
    wakeup: int,
    parent: Pipe | None,
    shown: Callable[[], None],
    failed: Callable[[str], None],
) -> int:
    """Show the files at ``path`` until they are to be gone.

    Args:
        shown: called once they are there.
        failed: told what a person should know of their end.

    Returns:
        The exit code; 0 if nobody is to take our place.

    Raises:
        InvalidSetting: they cannot be shown here, now or later.
        Unreachable: there is no daemon, or no picture, now.
    """
    path = mountpoint.place(path)
    mountpoint.clear(path)
    mountpoint.check(path)
    try:
        from .mount import Files  # needs libfuse, which need not be there
    except OSError as error:
        raise InvalidSetting(f"the files cannot be shown: {error} (package libfuse2)") from error
    right = mountpoint.claim(path)
    follower = Follower(settings, {})
    feed = Feed(follower, path, wakeup=wakeup, parent=parent, failed=failed)
    try:
        follower.update(None)
    except Silent as silence:
        if parent is None:
            raise
        feed.miss(str(silence))  # whoever was started again shows the same as whoever was there before
    feed.start()

    def mounted() -> None:
        feed.mounted()
        shown()

    why = ""
    try:
        Files(feed.look.tree, path, source=mountpoint.SOURCE, kind=kind, mounted=mounted, opened=feed.opened)
    except RuntimeError:
        why = f"the files cannot be shown at {path}: libfuse could not mount them"
    code = feed.returned()
    follower.close()
    right.close()
    if why:
        raise InvalidSetting(why)
    return code


def _prepare() -> int:
    """Take a name and the signals; return the descriptor that tells of them."""
    with open("/proc/self/comm", "w") as file:
        file.write(COMM)
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    signal.set_wakeup_fd(writing.detach())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if sys.stderr is not None:
        faulthandler.register(signal.SIGUSR2, file=sys.stderr, all_threads=True)
    return reading.detach()


def alone(words: Sequence[str]) -> int:
    """Run as a process of its own, as ``words`` say."""
    given = dict(word.split("=", 1) for word in words)
    if "ready" in given and os.fork():
        os._exit(0)  # so that we are nobody's child
    settings = Settings(
        socket=given.get("socket"),
        run_dir=given.get("rundir"),
        endpoint=parse(given["endpoint"]) if "endpoint" in given else None,
        group=parse_group(given["group"], 0) if "group" in given else None,
        curve_key=given.get("curvekey"),
        curve_server=given.get("curveserver"),
    )
    starter = int(given.get("ready", "-1"))

    def answer(sentence: str) -> None:
        """To whoever started us and waits, else to a person; nobody need hear it."""
        nonlocal starter
        with suppress(OSError):
            if starter >= 0:
                os.write(starter, f"{sentence}\n".encode(errors="surrogateescape"))
                os.close(starter)
            elif sentence != "ready":
                say(sentence)
        starter = -1

    try:
        show(
            settings,
            given["mount"],
            "holdfast",
            wakeup=_prepare(),
            parent=None,
            shown=lambda: answer("ready"),
            failed=answer,
        )
    except (HoldfastError, OSError) as error:
        answer(str(error))
        return LOST
    return 0


if __name__ == "__main__":
    sys.exit(alone(sys.argv[1:]))
