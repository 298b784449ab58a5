"""Keys for CURVE, ZeroMQ's encryption and mutual authentication: their files, their names, and who is admitted.

The rule: a secret key is in a file that only its owner can read, or it is not used; and who is somebody is decided by
the *names of files in the daemon's own directory*, never by what a client brings along:

* ``NAME.key`` holds a public key, ``NAME.key_secret`` both, in the format of ``zmq.auth`` (RFC 4/ZPL);
* whose public key lies in the directory of the admitted is admitted, and known by the file's name;
* whose public key lies in ``admins/`` below it is admitted, and may end the daemon.

For each newcomer it is looked whether the directory has changed, or the file of that key; the files are read again if
so. Each of the other files is looked at too, but that takes a tenth of our time at most, whoever comes.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field

from .errors import InvalidSetting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUBLIC = ".key"
SECRET = ".key_secret"
ADMINS = "admins"
MAX_NAME = 64  # characters
LARGEST = 65_536  # bytes of a key file
OVERHEAD = 33  # bytes by which CURVE makes a frame longer, as limits of ZeroMQ count it (RFC 26, MESSAGE)
KEY_SIZE = 40  # characters of a key in Z85 (RFC 32)
Z85 = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#")
REST = 9  # times as long as it took to look at all files they are left alone afterwards
LONGEST_REST = 1.0  # seconds
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-")

Entry = tuple[str, str, int, int, int]  # path, name as ``Admitted.who`` says it, inode, size, time


@dataclass(frozen=True, slots=True)
class Pair:
    """A public and a secret key, in Z85."""

    public: bytes
    secret: bytes = field(repr=False)
    path: str = ""


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a client needs: its own keys, and the public key of the daemon."""

    own: Pair
    server: bytes


@dataclass(frozen=True, slots=True)
class DaemonKeys:
    """What a daemon and its children need: its own keys, and where those of the admitted are."""

    own: Pair
    clients: str


def client_keys(own: str | None, server: str | None) -> ClientKeys | None:
    """The keys that a client's settings name; None if they name none.

    Args:
        own: the file of its secret key.
        server: the daemon's public key, or a file that holds it.

    Raises:
        InvalidSetting: one without the other, or a file that cannot be used.
    """
    if own is None and server is None:
        return None
    if own is None or server is None:
        missing, why = ("curve_key", "your own secret key") if own is None else ("curve_server", "the daemon's key")
        option = missing.replace("_", "-")
        raise InvalidSetting(f"CURVE needs two keys, and {why} is missing: give --{option} as well", key=missing)
    return ClientKeys(read_pair(own), read_public(server))


def daemon_keys(own: str | None, clients: str | None) -> DaemonKeys | None:
    """The keys that a daemon's settings name; None if they name none.

    Args:
        own: the file of its secret key.
        clients: the directory of the admitted public keys.

    Raises:
        InvalidSetting: one without the other, or something that cannot be used.
    """
    if own is None and clients is None:
        return None
    if own is None or clients is None:
        missing, why = ("curve_key", "its secret key") if own is None else ("curve_clients", "who is admitted")
        option = missing.replace("_", "-")
        raise InvalidSetting(f"CURVE needs to be told {why} as well: give --{option}", key=missing)
    directory = os.path.abspath(clients)
    _check_directory(directory)
    return DaemonKeys(read_pair(own), directory)


def read_pair(path: str) -> Pair:
    """The keys in a secret file.

    Raises:
        InvalidSetting: it cannot be read, is no such file, or others than its owner may read or change it.
    """
    text, mode = _read(path)
    public, secret = _value(text, "public-key"), _value(text, "secret-key")
    if not public or not secret:
        hint = f"; the secret key is in a file such as NAME{SECRET}" if public else ""
        raise InvalidSetting(f"{path} holds no secret key{hint}", key="curve_key")
    if mode & 0o077:
        raise InvalidSetting(f"others can read the secret key in {path}; first: chmod 600 {path}", key="curve_key")
    return Pair(public, secret, path)


def read_public(text: str) -> bytes:
    """A public key: ``text`` itself in Z85, or what the file of that name holds, if there is one.

    Raises:
        InvalidSetting: it is neither.
    """
    if is_key(text.encode(errors="replace")) and not os.path.exists(text):  # a path may look like a key
        return text.encode()
    public = _value(_read(text)[0], "public-key")
    if not public:
        raise InvalidSetting(f"{text} holds no public key", key="curve_server")
    return public


def is_key(text: bytes) -> bool:
    """Is it a key in Z85?"""
    return len(text) == KEY_SIZE and Z85.issuperset(text)


def is_name(name: str) -> bool:
    """May a key have that name? Letters, digits and ``._@-``, at most ``MAX_NAME``; the first is no ``.`` or ``-``."""
    return 0 < len(name) <= MAX_NAME and NAME.issuperset(name) and name[0] not in ".-"


def create(directory: str, name: str) -> tuple[str, str]:
    """Make a pair of keys and its two files in ``directory``, which is made if need be. Nothing is overwritten.

    Returns:
        The paths of the public and of the secret file.

    Raises:
        InvalidSetting: the name is none, a file is there already, or cannot be written.
    """
    if not is_name(name):
        raise InvalidSetting(f"{name!r} is no name for a key; take letters, digits and ._@-, at most {MAX_NAME}")
    from tempfile import TemporaryDirectory  # what only a person who makes keys waits for

    from zmq.auth import create_certificates

    public, secret = os.path.join(directory, name + PUBLIC), os.path.join(directory, name + SECRET)
    try:
        os.makedirs(directory, exist_ok=True)
        with TemporaryDirectory(dir=directory, prefix=".") as aside:  # of mode 0700
            made = create_certificates(aside, name)
            for path, mode in zip(made, (0o644, 0o600), strict=True):
                os.chmod(path, mode)
            os.link(made[1], secret)
            try:
                os.link(made[0], public)
            except OSError:
                os.unlink(secret)
                raise
    except FileExistsError as error:
        taken = error.filename2 or error.filename
        raise InvalidSetting(f"{taken} is there already and was left as it is; choose another name") from error
    except OSError as error:
        raise InvalidSetting(f"keys cannot be written to {directory}: {error.strerror}") from error
    return public, secret


class Admitted:
    """Who is admitted, as the directory says at this moment.

    A key that is taken away is noticed at once, and so is a file that is put there; one that is written over in its
    place may take ``LONGEST_REST`` to admit somebody new. ``complaints`` says which files were passed over when it was
    read last.

    Args:
        clock: seconds that only grow.

    Raises:
        InvalidSetting: it is no directory, or everybody on this machine could put a key into it.
    """

    def __init__(self, directory: str, clock: Callable[[], float] = time.monotonic) -> None:
        _check_directory(directory)
        self._directory = directory
        self._clock = clock
        self._entries: list[Entry] | None = None
        self._names: dict[bytes, Entry] = {}
        self._marks: list[tuple[int, int, int]] = []  # of the directories themselves
        self._look_at = 0.0
        self.complaints: list[str] = []

    def who(self, public: bytes) -> str:
        """The name of ``public``; ``admins/NAME`` if it is marked so; "" if it is not admitted.

        A directory that cannot be read any more admits nobody.
        """
        if self._clock() >= self._look_at or self._changed(public):
            self.look()
        entry = self._names.get(public)
        return "" if entry is None else entry[1]

    def _changed(self, public: bytes) -> bool:
        """Is it plain to see that something in the directory, or the file of this key, is not what it was?"""
        if self._entries is None or self._marks != self._mark():
            return True
        entry = self._names.get(public)
        return entry is not None and _look(entry[0]) != entry[2:]

    def _mark(self) -> list[tuple[int, int, int]]:
        return [_look(self._directory), _look(f"{self._directory}/{ADMINS}")]

    def look(self) -> list[str]:
        """Read the directory again if it has changed; return ``complaints``."""
        begin = self._clock()
        self._marks = self._mark()
        try:
            entries = sorted([*_entries(self._directory, ""), *_entries(f"{self._directory}/{ADMINS}", f"{ADMINS}/")])
        except OSError as error:
            self._entries, self._names = None, {}
            self.complaints = [f"{self._directory} cannot be read: {error.strerror}"]
        else:
            if entries != self._entries:
                self._take(entries)
        end = self._clock()
        self._look_at = end + min(LONGEST_REST, REST * (end - begin))
        return self.complaints

    def _take(self, entries: list[Entry]) -> None:
        self._entries, self._names, self.complaints = entries, {}, []
        for entry in entries:
            path, name = entry[:2]
            if not is_name(os.path.basename(name)):
                self.complaints.append(f"no key can have the name of {path!r}")
                continue
            try:
                public = read_public(path)
            except InvalidSetting as error:
                self.complaints.append(str(error))
                continue
            known, admin = self._names.get(public), name.startswith(f"{ADMINS}/")
            if known is None or (admin and not known[1].startswith(f"{ADMINS}/")):
                self._names[public] = entry


def split_name(who: str) -> tuple[str, bool]:
    """The name of a key as ``Admitted.who`` says it: the name for people, and whether it is an admin's."""
    name = who.removeprefix(f"{ADMINS}/")
    return name, name != who


def _entries(directory: str, prefix: str) -> Iterator[Entry]:
    """The public keys in a directory; nothing if there is no ``admins``."""
    try:
        with os.scandir(directory) as found:
            for entry in found:
                if entry.name.endswith(PUBLIC):
                    name = f"{prefix}{entry.name.removesuffix(PUBLIC)}"
                    yield entry.path, name, *_look(entry.path)
    except FileNotFoundError:
        if not prefix:
            raise


def _look(path: str) -> tuple[int, int, int]:
    """What changes when a file does; zeros for one that is just being removed, or a link to nowhere."""
    try:
        seen = os.stat(path)
    except OSError:
        return 0, 0, 0
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _check_directory(path: str) -> None:
    for directory in (path, f"{path}/{ADMINS}"):
        try:
            seen = os.stat(directory)
        except FileNotFoundError as error:
            if directory == path:
                raise InvalidSetting(f"{path} is not there; make it: mkdir {path}", key="curve_clients") from error
            continue
        except OSError as error:
            raise InvalidSetting(f"{directory} cannot be read: {error.strerror}", key="curve_clients") from error
        if not stat.S_ISDIR(seen.st_mode):
            raise InvalidSetting(f"{directory} is not a directory", key="curve_clients")
        if seen.st_mode & stat.S_IWOTH:
            raise InvalidSetting(
                f"everybody could admit himself by a file in {directory}; first: chmod o-w {directory}",
                key="curve_clients",
            )


def _read(path: str) -> tuple[str, int]:
    """The text of a key file, and its mode."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would keep us for ever
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InvalidSetting(f"{path} is not a key file")
            return os.read(descriptor, LARGEST).decode("utf-8", "replace"), stat.S_IMODE(mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InvalidSetting(f"the key file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, InvalidSetting):
            raise
        raise InvalidSetting(f"{path!r} is not the name of a file") from error


def _value(text: str, name: str) -> bytes:
    """The key called ``name`` in the text of a key file, b"" if there is none."""
    for line in text.splitlines():
        word, equals, value = line.partition("=")
        if equals and word.strip() == name:
            key = value.strip().strip('"').encode(errors="replace")
            return key if is_key(key) else b""
    return b""
