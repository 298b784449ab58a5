"""A mount point of the files: what is mounted there, who serves it, and how it is unmounted.

The rule: nobody but the process that serves the files touches the path of a mount, because a process that is stopped,
or dead, would stop us as well. What is mounted is read from ``/proc/self/mountinfo``; whether its server lives is asked
of the kernel, where the server keeps a socket with a name made of the path; and ``fusermount`` is a child with a limit.
A mount is ours if its source and type say so, and if our user made it.

Source: man 5 proc (mountinfo), man 7 unix (abstract names), man 1 fusermount.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from .control import credentials
from .errors import InvalidSetting, Unreachable
from .phrases import quoted, visible

SOURCE = "holdfast"
TYPES = ("fuse.holdfast", "fuse.flom")  # the second one of a daemon that flom started, as FLoM's own
DEVICE = "/dev/fuse"
LIMIT = 5.0  # seconds for fusermount, and for the process that served the files to end
AGAIN = 0.01  # seconds until we look again whether it has
LINKS = 40  # that lead from one to the next, as many as the kernel follows
QUESTIONS = 4096  # how often it can be asked who serves; nobody accepts these connections
WHERE = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"  # of fusermount, for a daemon without PATH


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo."""

    path: str
    kind: str  # the type of its file system
    source: str
    uid: int  # who mounted it; -1: not told

    @property
    def ours(self) -> bool:
        return self.kind in TYPES and self.source == SOURCE and self.uid == os.geteuid()


# --- what is there ----------------------------------------------------------------------------------------------------


def place(path: str) -> str:
    """The one name of a mount point, with no link in it, found without touching what is mounted there.

    Raises:
        InvalidSetting: the path has no meaning.
    """
    if not path or "\0" in path:
        raise InvalidSetting("the mount point has an empty path" if not path else "the mount point has a zero byte")
    path = os.path.abspath(path)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InvalidSetting(f"the mount point {path!r} is not valid UTF-8; choose another one") from error
    for _ in range(LINKS):
        if find(path) is not None:
            break
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if find(path) is not None or not os.path.islink(path):
            break
        path = os.path.abspath(os.path.join(os.path.dirname(path), os.readlink(path)))
    return path


def find(path: str) -> Mount | None:
    """What is mounted at ``path``; the last one if there are several."""
    with open("/proc/self/mountinfo", errors="surrogateescape", newline="\n") as table:
        return from_table(table.read(), path)


def from_table(table: str, path: str) -> Mount | None:
    """As ``find``, in the text of mountinfo, where "\\n" alone ends a line: a path may hold all other characters."""
    found = None
    for line in table.split("\n")[:-1]:
        words, _, more = line.partition(" - ")
        if _unescaped(words.split(" ")[4]) == path:
            kind, source, options = more.split(" ")[:3]
            uids = [int(option[8:]) for option in options.split(",") if re.fullmatch(r"user_id=\d+", option)]
            found = Mount(path, kind, _unescaped(source), uids[0] if uids else -1)
    return found


def _unescaped(word: str) -> str:
    """Blanks and the like are written in octal: ``\\040``."""
    first, *others = word.split("\\")
    return first + "".join(chr(int(other[:3], 8)) + other[3:] for other in others)


def check(path: str) -> None:
    """Make sure, as far as can be seen at once, that the files can be shown at ``path`` (as ``place`` gives it).

    Raises:
        InvalidSetting: they cannot; the sentence says why, and what to do.
    """
    mounted = find(path)
    if mounted is not None and not (mounted.ours and not server(path)):
        other = f"{visible(mounted.source)} ({mounted.kind}) is"
        what = "Holdfast's files are" if mounted.source == SOURCE else other
        raise InvalidSetting(f"{what} mounted at {visible(path)} already; unmount it, or choose another directory")
    if mounted is None:
        _check_directory(path)
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        why = "you may not use" if os.path.exists(DEVICE) else "this machine, or container, has no"
        raise InvalidSetting(f"the files cannot be shown: {why} {DEVICE}")
    if not _fusermount():
        raise InvalidSetting("the files cannot be shown: fusermount is not installed (package fuse or fuse3)")


def _check_directory(path: str) -> None:
    told = f"the mount point {visible(path)}"
    try:
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise InvalidSetting(f"{told} is not a directory")
        if os.geteuid() not in (0, found.st_uid):
            raise InvalidSetting(f"{told} belongs to user {found.st_uid}, not to you")
        if os.listdir(path):
            raise InvalidSetting(f"{told} is not empty; choose an empty directory")
    except FileNotFoundError as error:
        raise InvalidSetting(f"{told} does not exist; make it first: mkdir {quoted(path)}") from error
    except OSError as error:
        raise InvalidSetting(f"{told} cannot be used: {error.strerror}") from error


# --- who serves it ----------------------------------------------------------------------------------------------------


def claim(path: str) -> socket.socket:
    """Be the server of the files at ``path``, as long as the socket is open.

    Raises:
        InvalidSetting: a process of ours is that already.
    """
    right = socket.socket(socket.AF_UNIX)
    try:
        right.bind(_right(path))
        right.listen(QUESTIONS)
    except OSError:
        right.close()
        pid = server(path)
        who = f"process {pid}" if pid else "somebody else"
        told = f"{who} shows files at {visible(path)} already; unmount them: holdfast umount {quoted(path)}"
        raise InvalidSetting(_not_ended(path, pid) if pid and find(path) is None else told) from None
    return right


def server(path: str) -> int:
    """The process of ours that serves the files at ``path``; 0 if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(_right(path))  # nobody accepts: the kernel knows enough
        except OSError:
            return 0
        pid, uid = credentials(asking.fileno())
        return pid if uid == os.geteuid() else 0


def _right(path: str) -> str:
    """A name in the kernel. The directory above tells apart what has one path in two containers."""
    above = ""
    with suppress(OSError):
        found = os.stat(os.path.dirname(path))
        above = f"{found.st_dev:x}-{found.st_ino:x}"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return f"\0holdfast-files-{os.geteuid()}-{above}-{digest}"


# --- its end ----------------------------------------------------------------------------------------------------------


def clear(path: str) -> bool:
    """Unmount what a server of ours that is dead left at ``path``.

    Returns:
        Whether there was something.

    Raises:
        Unreachable: it stays, and why.
    """
    found = find(path)
    if found is None or not found.ours or server(path):
        return False
    unmount(path)
    return True


def unmount(path: str) -> None:
    """Take the files at ``path`` away, whoever looks at them.

    Raises:
        Unreachable: they stay, and why.
    """
    why = "fusermount is not installed"
    for words in _ways(path):
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT
            )
            why = done.stderr.decode(errors="replace").strip()
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        if find(path) is None:
            return
    raise Unreachable(f"the files at {visible(path)} cannot be unmounted: {why}")


def _ways(path: str) -> list[list[str]]:
    """Lazily: a reader that sits inside does not keep it."""
    fusermount, umount = _fusermount(), shutil.which("umount", path=WHERE)
    ways = [[fusermount, "-u", "-z", "--", path]] if fusermount else []
    if umount and os.geteuid() == 0:
        ways.append([umount, "-l", "--", path])
    return ways


def _fusermount() -> str | None:
    return shutil.which("fusermount3", path=WHERE) or shutil.which("fusermount", path=WHERE)


def wait_served_by_nobody(path: str) -> None:
    """Wait until whoever served the files at ``path`` has understood that they are gone.

    Raises:
        Unreachable: not in time.
    """
    until = time.monotonic() + LIMIT
    while pid := server(path):
        if time.monotonic() > until:
            raise Unreachable(_not_ended(path, pid))
        time.sleep(AGAIN)


def _not_ended(path: str, pid: int) -> str:
    return (
        f"no files are mounted at {visible(path)}, but process {pid}, which serves them, has not ended; "
        f"if it is stopped it goes on by: kill -CONT {pid}, and ends at once by: kill -KILL {pid}"
    )
