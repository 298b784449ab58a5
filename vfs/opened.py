"""What readers have open: an open file keeps the content that it had when it was opened.

The rule: the kernel keeps one copy of a file's pages for all who read it, so that it can be mapped into memory. If two
have one path open with different contents, the later one must go around that copy, or it would read the other's bytes.
And whoever asks how long a file is that it has open itself is told of what it opened; everybody else of what is there
now.
"""

from __future__ import annotations

from typing import NamedTuple

from .tree import File


class _Handle(NamedTuple):
    path: bytes
    file: File
    pid: int
    cached: bool  # it reads through the kernel's copy


class Opened:
    """Open files by their handles."""

    def __init__(self) -> None:
        self._handles: dict[int, _Handle] = {}
        self._paths: dict[bytes, list[int]] = {}  # the youngest last
        self._last = 0

    def __len__(self) -> int:
        return len(self._handles)

    def open(self, path: bytes, file: File, pid: int) -> tuple[int, bool]:
        """Process ``pid`` opens what is at ``path`` now.

        Returns:
            Its handle, and whether it must be read around the kernel's copy.
        """
        handles = self._paths.setdefault(path, [])
        others = [self._handles[handle] for handle in handles]
        direct = any(one.cached and one.file.content != file.content for one in others)
        self._last += 1
        self._handles[self._last] = _Handle(path, file, pid, not direct)
        handles.append(self._last)
        return self._last, direct

    def file(self, handle: int) -> File:
        """What was opened."""
        return self._handles[handle].file

    def seen_by(self, path: bytes, pid: int) -> File | None:
        """What process ``pid`` opened last at ``path``, if it has it open still."""
        for handle in reversed(self._paths.get(path, ())):
            if self._handles[handle].pid == pid:
                return self._handles[handle].file
        return None

    def close(self, handle: int) -> None:
        """Nobody reads it any more."""
        path = self._handles.pop(handle).path
        self._paths[path].remove(handle)
        if not self._paths[path]:
            del self._paths[path]

    def __contains__(self, path: bytes) -> bool:
        """Has anybody opened ``path``?"""
        return path in self._paths
