"""Dumps as files: one JSON document each, in the daemon's directory.

The rule: a dump is there whole or not at all (a temporary file, then ``rename``), for its owner alone, and under a name
that no other one has. Old ones are not removed: whoever asked for them may want to compare.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import BinaryIO

from ..transport.report import instant
from .dumps import NO_ANSWER, Facts

PREFIX = "dump-"
UNFINISHED = "~"  # at the end of a name; a daemon that starts removes what its predecessor left so


class DumpFiles:
    """Writes to ``directory``; see ``dumps.Files``.

    Args:
        directory: the daemon's.
        wall: unix seconds.
    """

    def __init__(self, directory: str, wall: Callable[[], float]) -> None:
        self._directory = directory
        self._wall = wall

    def write(self, actors: Sequence[Facts], picture: str) -> str:
        """Write a dump, and take the picture into it.

        Returns:
            Its path.

        Raises:
            OSError: the disk is full, the directory gone.
        """
        now = self._wall()
        path = self._free_path(now)
        unfinished = path + UNFINISHED
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                _write(file, actors, picture, now)
            os.rename(unfinished, path)
        except OSError:
            with suppress(OSError):
                os.unlink(unfinished)
            raise
        finally:
            if picture:
                self.discard(picture)
        return path

    def _free_path(self, now: float) -> str:
        day = time.strftime("%Y%m%dT%H%M%S", time.localtime(now))
        paths = (os.path.join(self._directory, f"{PREFIX}{day}-{number}.json") for number in count(1))
        return next(path for path in paths if not os.path.lexists(path))

    def discard(self, picture: str) -> None:
        """Remove a picture that is not needed any more."""
        with suppress(OSError):
            os.unlink(picture)


def _write(file: BinaryIO, actors: Sequence[Facts], picture: str, now: float) -> None:
    """The picture is copied as it is: it may have megabytes, and the daemon has other things to do than to read it."""
    head = {"v": 1, "ts": instant(now), "actors": list(actors)}
    file.write(json.dumps(head, indent=1).removesuffix("\n}").encode() + b',\n "picture": ')
    try:
        with open(picture, "rb") as told:
            shutil.copyfileobj(told, file)
    except FileNotFoundError:
        file.write(json.dumps(NO_ANSWER).encode())
    file.write(b"\n}\n")
