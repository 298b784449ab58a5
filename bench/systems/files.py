"""Locks on a file, without any server: the kernel's two, and filelock, which most Python programs take.

They know no line: when the holder lets go, whoever runs next gets the lock, and that is mostly the former holder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .system import Handle, lacks


@contextmanager
def _directory(directory: Path) -> Iterator[str]:
    yield str(directory)


class KernelLock:
    """flock(2) or fcntl(2) on one descriptor."""

    def __init__(self, path: str, *, whole_file: bool, shared: bool) -> None:
        self._lock = fcntl.flock if whole_file else fcntl.lockf
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def acquire(self) -> None:
        self._lock(self._descriptor, self._kind)

    def release(self) -> None:
        self._lock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class Kernel:
    """The kernel's locks, called from the program itself: no system with a server can be faster."""

    modules: Sequence[str] = ()

    def __init__(self, name: str, *, whole_file: bool) -> None:
        self.name = name
        self.how = "called in the client's own process; the kernel keeps the lock, and no order among those who wait"
        self._whole_file = whole_file

    def missing(self) -> str:
        return ""

    serving = staticmethod(_directory)

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return KernelLock(f"{address}/{resource}", whole_file=self._whole_file, shared=shared)


class FileLockHandle:
    """filelock.FileLock under our three names."""

    def __init__(self, path: str) -> None:
        from filelock import FileLock

        lock = FileLock(path)
        self.acquire, self.release = lock.acquire, lock.release

    def close(self) -> None:
        """There is no connection."""


class FileLock:
    """filelock."""

    name = "filelock"
    how = "`FileLock(path)`, with its own defaults: who waits asks again every 0.05 s"
    modules: Sequence[str] = ("filelock",)

    def missing(self) -> str:
        return lacks(modules=self.modules)

    serving = staticmethod(_directory)

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return FileLockHandle(f"{address}/{resource}")


class Flock:
    """flock(1)."""

    name = "flock(1)"
    how = "`flock FILE COMMAND`"

    def missing(self) -> str:
        return lacks(programs=["flock"])

    serving = staticmethod(_directory)

    def words(self, address: str, resource: str) -> list[str]:
        return ["flock", f"{address}/{resource}"]

    def environ(self, address: str) -> dict[str, str]:
        return {}


class Sem:
    """GNU parallel's sem; its files are below the home directory, so it gets one of its own."""

    name = "sem"
    how = "`sem --fg --id NAME COMMAND`"

    def missing(self) -> str:
        return lacks(programs=["sem"])

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        (directory / ".parallel").mkdir()
        (directory / ".parallel" / "will-cite").touch()  # else it speaks of citation for a while
        yield str(directory)

    def words(self, address: str, resource: str) -> list[str]:
        return ["sem", "--fg", "--id", resource]

    def environ(self, address: str) -> dict[str, str]:
        return {"HOME": address, "PARALLEL_HOME": f"{address}/.parallel"}
