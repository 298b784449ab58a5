"""The FUSE operations: what the kernel asks for, answered from a tree in memory.

The rule: every answer is made of the tree of this moment, or of what was opened; nobody else is asked and nothing is
waited for. The kernel keeps none of it (no time for attributes and names), so what is shown is never older than the
picture. The mount is read-only: the kernel itself refuses whatever would change something (EROFS).

This is the only importer of fuse. ``FUSE``'s own methods, which turn each answer from a dictionary into C, are
overridden: an answer is a copy of a prepared structure with three fields filled in, and a directory tells the types of
its entries, so that ``find`` asks for directories alone. Measured on 7,000 entries: 60 % of a bare fusepy's time.

Source: libfuse 2.9, fuse.h; fusepy 3.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable
from stat import S_IFDIR, S_IFREG
from types import SimpleNamespace
from typing import Any

from fuse import FUSE, c_stat, fuse_get_context

from .opened import Opened
from .tree import Directory, File, Node, Tree

FOLDER_MODE, FILE_MODE = S_IFDIR | 0o550, S_IFREG | 0o440
BLOCK = 512  # bytes, of which st_blocks counts the whole ones; so FLoM's small files are as empty to du as FLoM's
SIZE = ctypes.sizeof(c_stat)
ANSWERED = ("getattr", "readdir", "open", "read", "release", "init")  # libfuse itself answers whatever is not here


class Files(FUSE):  # type: ignore[misc]  # fusepy has no types
    """The mount; making one serves it, and returns when it is unmounted. To be called in the main thread.

    Args:
        tree: gives the tree of this moment.
        path: the mount point, as ``transport/mountpoint.py`` names it.
        kind: the second half of the file system's type, ``fuse.kind``.
        mounted: called once it is there.
        opened: keeps what is open.

    Raises:
        RuntimeError: it could not be mounted; libfuse has said why on stderr.
    """

    def __init__(
        self,
        tree: Callable[[], Tree],
        path: str,
        *,
        source: str,
        kind: str,
        mounted: Callable[[], None],
        opened: Opened,
    ) -> None:
        self._tree = tree
        self._opened = opened
        self._mounted = mounted
        self._folder = _prepared(FOLDER_MODE, links=2)
        self._file = _prepared(FILE_MODE, links=1)
        options = {"ro": True, "nosuid": True, "nodev": True, "use_ino": True, "attr_timeout": 0, "entry_timeout": 0}
        wanted = SimpleNamespace(use_ns=True, **dict.fromkeys(ANSWERED, True))
        super().__init__(wanted, path, foreground=True, nothreads=True, fsname=source, subtype=kind, **options)

    def init(self, connection: Any) -> int:
        # libfuse has taken SIGINT, which fusepy had reset for it; it is the feed thread's, as TERM and HUP are.
        signal.signal(signal.SIGINT, lambda number, frame: None)
        self._mounted()
        return 0

    def getattr(self, path: bytes, stat: Any) -> int:
        opened = self._opened
        node: Node | None = None
        if path in opened:
            node = opened.seen_by(path, fuse_get_context()[2])
        if node is None:
            node = self._tree().node(path.decode("utf-8", "surrogateescape"))
        if node is None:
            return -errno.ENOENT
        self._fill(stat, path, node)
        return 0

    def fgetattr(self, path: bytes, stat: Any, info: Any) -> int:
        if not info:
            return self.getattr(path, stat)
        self._fill(stat, path, self._opened.file(info.contents.fh))
        return 0

    def readdir(self, path: bytes, buffer: Any, fill: Any, offset: int, info: Any) -> int:
        node = self._tree().node(path.decode("utf-8", "surrogateescape"))
        if not isinstance(node, Directory):
            return -errno.ENOENT
        below = path.rstrip(b"/")
        folder, file = c_stat.from_buffer_copy(self._folder), c_stat.from_buffer_copy(self._file)
        for name in (b".", b".."):
            folder.st_ino = _inode(path)  # not 0: readdir passes over it
            fill(buffer, name, folder, 0)
        for entry, is_folder in node.entries.items():
            name = entry.encode()
            stat = folder if is_folder else file
            stat.st_ino = _inode(b"%s/%s" % (below, name))
            fill(buffer, name, stat, 0)
        return 0

    def open(self, path: bytes, info: Any) -> int:
        node = self._tree().node(path.decode("utf-8", "surrogateescape"))
        if not isinstance(node, File):
            return -errno.ENOENT
        handle, direct = self._opened.open(path, node, fuse_get_context()[2])
        info.contents.fh = handle
        info.contents.direct_io = int(direct)
        return 0

    def read(self, path: bytes, buffer: Any, size: int, offset: int, info: Any) -> int:
        part = self._opened.file(info.contents.fh).content[offset : offset + size]
        ctypes.memmove(buffer, part, len(part))
        return len(part)

    def release(self, path: bytes, info: Any) -> int:
        self._opened.close(info.contents.fh)
        return 0

    def _fill(self, stat: Any, path: bytes, node: Node) -> None:
        if isinstance(node, File):
            ctypes.memmove(stat, ctypes.byref(self._file), SIZE)
            told = stat.contents
            told.st_size = size = len(node.content)
            told.st_blocks = size // BLOCK
        else:
            ctypes.memmove(stat, ctypes.byref(self._folder), SIZE)
            told = stat.contents
        told.st_ino = _inode(path)
        told.st_mtimespec.tv_sec = told.st_ctimespec.tv_sec = node.changed


def _prepared(mode: int, *, links: int) -> Any:
    stat = c_stat()
    stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid = mode, links, os.geteuid(), os.getegid()
    stat.st_blksize = 4096
    return stat


def _inode(path: bytes) -> int:
    """The same for one path as long as this process lives, and another one for each path."""
    return hash(path) & 0x7FFFFFFFFFFFFFFF or 1
