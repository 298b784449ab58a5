"""The right to be the daemon of a directory: who has it, and how long it is waited for.

The rule: at most one daemon, and the lockers of one that died are a part of it, so a descriptor of each right is open
in all of them. The directory's own lock is what counts; a name in the kernel counts as well, for directories can be
removed. Whoever looks for a daemon while one starts waits, and need not know who starts it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from contextlib import suppress
from errno import ECONNREFUSED, ENOENT

from ..transport.addresses import open_starting
from ..transport.control import credentials
from ..transport.errors import Unreachable

ENDING = 6.0  # seconds for another daemon to be there or gone; the incubator gives its children 5 to end
AGAIN = 0.05  # seconds until the right is tried again
QUESTIONS = 4096  # how often it can be asked who has the right; nobody accepts these connections


def lock_directory(path: str) -> int:
    """Take the right to be the daemon at ``path``.

    Returns:
        A descriptor; the right lasts as long as it, or a copy of it in a locker, is open.

    Raises:
        Unreachable: another daemon has it, or lockers of a dead one still serve.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Unreachable(_who_holds_on(path)) from None
    if not os.path.samestat(os.fstat(descriptor), os.stat(path)):
        os.close(descriptor)
        raise Unreachable(f"{path} was replaced while a daemon was being started; try again")
    return descriptor


def claim(path: str) -> socket.socket:
    """Take the same right once more, where nobody can remove it by accident: a name in the kernel, not in a directory.

    Who removes the directory of a daemon that runs (``rm -rf``, a cleaner of /tmp) would else let a second one start
    beside it, and both would grant the same lock. The name is made of the path and of the directory two steps above
    it, which are other ones in a container with a /tmp of its own.

    Returns:
        A socket; the right lasts as long as it, or a copy of it in a locker, is open.

    Raises:
        Unreachable: a process of ours has it.
    """
    above = os.stat(os.path.dirname(os.path.dirname(path)))
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    name = f"\0holdfast-{os.geteuid()}-{above.st_dev:x}-{above.st_ino:x}-{digest}"
    right = socket.socket(socket.AF_UNIX)
    try:
        right.bind(name)
        right.listen(QUESTIONS)
    except OSError:
        pid = _owner(name)
        if pid:
            right.close()
            raise Unreachable(
                f"process {pid} still serves {path}, which was removed or replaced under it; "
                f"end that daemon first: kill {pid}"
            ) from None
    return right


def _owner(name: str) -> int:
    """The process of ours that listens at ``name``; 0 if it is somebody else's, who cannot keep us from starting."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(name)  # nobody accepts: whoever asks leaves an entry in the queue for good
        except OSError:
            return 0
        pid, uid = credentials(asking.fileno())
        return pid if uid == os.geteuid() else 0


def lock_when_ended(directory: str, public: str) -> tuple[int, int]:
    """As ``lock_directory`` and ``claim``; a daemon that is just ending, or starting, is given a moment.

    Nobody listens at ``public``, its socket, whether there is one or not: one that was killed has left it, and its last
    idle lockers are just ending. One that starts, and then listens, is a daemon that runs already.

    Returns:
        The descriptors of both.
    """
    until = time.monotonic() + ENDING
    while True:
        try:
            right = lock_directory(directory)
            try:
                return right, claim(directory).detach()
            except Unreachable:
                os.close(right)
                raise
        except Unreachable:
            if _serves(public) or _notes(directory) or time.monotonic() > until:
                raise
        time.sleep(AGAIN)


def _serves(path: str) -> bool:
    """Whether somebody listens there, or could: a full queue is somebody's, too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        return asking.connect_ex(path) not in (ECONNREFUSED, ENOENT)


def _notes(path: str) -> list[str]:
    """What the lockers of a daemon that died, which are still held, have to say."""
    notes = []
    for name in sorted(os.listdir(path)):
        if name.startswith("left-behind-"):
            with suppress(FileNotFoundError), open(os.path.join(path, name)) as file:
                notes.append(file.read().strip())
    return notes


def _who_holds_on(path: str) -> str:
    notes = _notes(path)
    if notes:
        told = "; ".join(notes)
        return f"the last daemon died, and no new one can start before its locks are released: {told}"
    return f"a daemon is running already for {path}, or is starting or ending"


def say_starting(directory: str) -> int:
    """Let whoever looks for a daemon wait for us, as for one that he has started; who has started us may do it already.

    Returns:
        A descriptor; we are waited for as long as it is open.

    Raises:
        Unreachable: nothing can be written there.
    """
    starting = open_starting(directory)
    with suppress(BlockingIOError):
        fcntl.flock(starting, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return starting
