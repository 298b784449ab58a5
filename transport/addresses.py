"""Where things are: the daemon's socket, and the directory with its lockers' sockets.

The rule: without a word to the contrary it is ``/tmp/holdfast-<uid>``, whatever the environment says, because a cron
job, a batch job and a login shell of one user must find the same daemon (XDG_RUNTIME_DIR and TMPDIR differ between
them, and go away with the last login). A directory is used only if nobody else can have put anything into it: a real
directory, ours, closed to group and world. Paths are checked before anything is created.
"""

from __future__ import annotations

import os
import stat

from .errors import InvalidSetting, Unreachable
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

MAX_PATH = 107  # bytes; sun_path of man 7 unix, less its final zero byte
LONGEST_NAME = "registry-9999999.sock"
LONGEST_HOST = 48  # characters of a host, or a group, that name a daemon's place


class Address(Frozen):
    """One daemon's place on this machine; all paths are absolute.

    ``run_dir`` is "" if the socket was named outright.
    """

    socket: str
    directory: str
    run_dir: str


def address(run_dir: str | None, socket: str | None, uid: int) -> Address:
    """The place of the daemon; nothing is created or looked at.

    Args:
        run_dir: instead of ``/tmp/holdfast-<uid>``.
        socket: the daemon's socket itself; then ``run_dir`` does not matter.

    Raises:
        InvalidSetting: a path that is empty, is no UTF-8, has a zero byte, or is too long for a UNIX socket.
    """
    if socket is not None:
        path = _absolute(socket, "the socket")
        found = Address(path, path + ".d", "")
    else:
        home = _absolute(run_dir if run_dir is not None else f"/tmp/holdfast-{uid}", "the run directory")
        found = Address(f"{home}/local/daemon.sock", f"{home}/local", home)
    return _checked(found)


def networked(run_dir: str | None, name: str, port: int, uid: int) -> Address:
    """The place, on its host, of a daemon that is on the network: ``NAME-PORT.sock`` in the run directory.

    Args:
        name: what it is called there, ``tcp-HOST`` or ``group-GROUP``; what no file is called becomes ``_``, and what
            is too long is cut, with a digest in place of the rest.

    Raises:
        InvalidSetting: as ``address``.
    """
    home = _absolute(run_dir if run_dir is not None else f"/tmp/holdfast-{uid}", "the run directory")
    plain = "".join(each if each.isascii() and (each.isalnum() or each in ".-") else "_" for each in name)
    if len(plain) > LONGEST_HOST:
        from hashlib import sha256  # who has a name that long can wait for it

        plain = f"{plain[: LONGEST_HOST - 13]}-{sha256(name.encode(errors='surrogateescape')).hexdigest()[:12]}"
    path = f"{home}/{plain}-{port}.sock"
    return _checked(Address(path, path + ".d", home))


def _checked(found: Address) -> Address:
    longest = len(os.fsencode(f"{found.directory}/{LONGEST_NAME}"))
    if longest > MAX_PATH:
        raise InvalidSetting(
            f"the socket path {found.socket} is too long by {longest - MAX_PATH} bytes: "
            f"a UNIX socket's path has at most {MAX_PATH}; choose a shorter one"
        )
    return found


def address_of(settings: Settings) -> Address:
    """The place of the daemon that this process's user means by ``settings``, if it is one of this machine."""
    return address(settings.run_dir, settings.socket, os.geteuid())


def locker_name(number: int) -> str:
    """The file name of the socket of locker ``number``, in the daemon's directory."""
    return f"locker-{number}.sock"


def registry_name(number: int) -> str:
    """The file name of the socket of registry ``number``, in the daemon's directory."""
    return f"registry-{number}.sock"


def check_directory(path: str) -> bool:
    """Whether ``path`` is there.

    Raises:
        Unreachable: it is there, but others could have put something into it.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unreachable(f"cannot look at {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise Unreachable(
            f"{path} is not a directory; remove it, or choose another by HOLDFAST_RUN_DIR or HOLDFAST_SOCKET"
        )
    if found.st_uid != os.geteuid():
        raise Unreachable(
            f"{path} belongs to user {found.st_uid}, not to you; choose another by HOLDFAST_RUN_DIR or HOLDFAST_SOCKET"
        )
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise Unreachable(f"{path} is open to others (mode {mode:04o}); if what is in it is yours: chmod 700 {path}")
    return True


def prepare_directory(path: str) -> None:
    """Make the directory ``path`` if it is not there; its parent must be.

    Raises:
        Unreachable: it cannot be made, or others could have put something into it.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise Unreachable(f"cannot make the directory {path}: {error.strerror}") from error
    check_directory(path)


def open_starting(directory: str) -> int:
    """Open the file whose lock (flock) is held by whoever starts the daemon of ``directory``, until it is ready.

    Returns:
        A descriptor.

    Raises:
        Unreachable: it cannot be made.
    """
    try:
        return os.open(f"{directory}/starting", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unreachable(f"cannot write to the directory {directory}: {error.strerror}") from error


def has_been_started(place: Address) -> bool:
    """Whether anybody has ever begun to start a daemon there, since its directory was made."""
    return os.path.lexists(f"{place.directory}/starting")


def prepare(place: Address) -> None:
    """Make the directories of ``place``, and make sure that they are ours alone.

    Raises:
        Unreachable: as ``prepare_directory``.
    """
    if place.run_dir:
        prepare_directory(place.run_dir)
    prepare_directory(place.directory)


def _absolute(path: str, what: str) -> str:
    if not path:
        raise InvalidSetting(f"{what} has an empty path")
    if "\0" in path:
        raise InvalidSetting(f"{what} has a zero byte in its path: {path!r}")
    path = os.path.abspath(path)
    try:
        path.encode()
    except UnicodeEncodeError as error:  # libzmq's binding takes text, and so do the messages that tell it
        raise InvalidSetting(f"{what} has a path that is not valid UTF-8: {path!r}; choose another") from error
    return path
