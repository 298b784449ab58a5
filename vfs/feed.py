"""The feed: keeps the picture current, and ends the mount.

The rule: libfuse owns the main thread; this one thread owns everything else: the connection to the registry, the
parent's pipe, the signals, and the unmounting. It publishes what has changed by one assignment; a tree is made of it by
whoever looks, so nobody pays while nobody looks. A reader never waits for a socket.

A tree is made anew when the picture has changed, and each second, because durations grow. While the registry does not
answer there is no picture, and nothing old is shown for it.

Whatever fails here, a fault of ours too, is the end of the mount and of the process: nobody would keep the files
current, or take them away.
"""

from __future__ import annotations

import os
import select
import threading
import time
import traceback
from collections.abc import Callable
from json import dumps

from ..transport import mountpoint
from ..transport.errors import HoldfastError
from ..transport.follow import Follower, Silent
from ..transport.messages import Changes, End, Ended, Report, Reported
from ..transport.picture import Picture, Scene
from ..transport.pipe import Pipe
from ..transport.wire import Message
from .opened import Opened
from .tree import Missing, Stamps, Tree

START = 5.0  # seconds for libfuse to mount
RETURN = 1.0  # seconds for libfuse to notice that it is unmounted; a reader who sits inside keeps it from that
GUARD = 5.0  # seconds until the follower looks whether the registry is silent for too long
STEP = 0.5  # seconds; the two clocks' difference moves by less only because reading them takes time


class Shared(Picture):
    """A picture that one thread changes and another one looks at."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def apply(self, changes: Changes, now: float) -> None:
        with self._lock:
            super().apply(changes, now)

    def scene(self) -> Scene:
        with self._lock:
            return super().scene()


class Look:
    """The tree of this moment, for the thread that answers the kernel.

    Args:
        picture: what it shows.
        monotonic: the clock that ``picture`` is kept by.
        wall: Unix seconds.
    """

    def __init__(
        self,
        picture: Picture,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._picture = picture
        self._monotonic = monotonic
        self._wall = wall
        self._began = monotonic()
        self._offset = wall() - self._began
        self._stamps = Stamps()
        self.last_change: float = self._began  # assigned by the feed; equal only to itself
        self.missing: Missing | None = None  # assigned by the feed, before that
        self._made_of: tuple[float, int] | None = None
        self._tree: Tree | None = None

    def tree(self) -> Tree:
        """What there is to see now."""
        now = self._monotonic()
        made_of = (self.last_change, int(now))
        if self._tree is None or made_of != self._made_of:
            self._tree = Tree(
                self._picture.scene(),
                now=now,
                offset=self._clocks(now),
                began=self._began,
                last=made_of[0],
                stamps=self._stamps,
                missing=self.missing,
            )
            self._made_of = made_of
        return self._tree

    def _clocks(self, now: float) -> float:
        offset = self._wall() - now
        if abs(offset - self._offset) > STEP:  # somebody has set the clock
            self._offset = offset
        return self._offset


class Feed:
    """The feed thread.

    Args:
        follower: follows the registry; its picture is replaced by one that two threads can use.
        path: the mount point.
        wakeup: a descriptor that becomes readable when a signal says to end.
        parent: the line to the incubator, if it is our parent.
        failed: told what a person should know of the end.
    """

    def __init__(
        self, follower: Follower, path: str, *, wakeup: int, parent: Pipe | None, failed: Callable[[str], None]
    ) -> None:
        follower.picture = Shared()
        self._follower = follower
        self._path = path
        self._wakeup = wakeup
        self._parent = parent
        self._failed = failed
        self._is_mounted = threading.Event()
        self._has_returned = threading.Event()
        self._returned = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)  # POLLPRI: something has changed
        self._poll = select.poll()
        self._poll.register(self._mounts, select.POLLPRI)
        for descriptor in (follower.fileno(), wakeup, self._returned, *([parent.fileno()] if parent else [])):
            self._poll.register(descriptor, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._replaced = False  # another one is to take our place
        self.opened = Opened()
        self.look = Look(follower.picture)

    def start(self) -> None:
        """Let the thread run."""
        self._thread.start()

    def miss(self, why: str) -> None:
        """Show that there is no picture. The first reason counts until there is one."""
        if self.look.missing is None:
            now = time.monotonic()
            self.look.missing = Missing(why, now)
            self.look.last_change = now

    # --- called by the main thread ------------------------------------------------------------------------------------

    def mounted(self) -> None:
        """The files are there."""
        self._is_mounted.set()

    def returned(self) -> int:
        """The main thread serves no longer: wait for this one to end.

        Returns:
            The exit code.
        """
        self._has_returned.set()
        os.eventfd_write(self._returned, 1)
        self._thread.join()
        return self._say_ended()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._has_returned.is_set() and not self._told_to_end():
                self._update()
        except Exception as error:
            self._replaced = True
            self._failed(_told(error))
        finally:
            self._end()

    def _update(self) -> None:
        try:
            if self._follower.update(0):
                self.look.missing = None
                self.look.last_change = time.monotonic()
        except Silent as silence:
            self.miss(str(silence))

    def _told_to_end(self) -> bool:
        """Wait for something to do; say whether it is to end."""
        ready = {descriptor for descriptor, _ in self._poll.poll(GUARD * 1000)}
        if self._wakeup in ready:
            self._replaced = True  # who wants the files gone unmounts them
            return True
        if self._mounts in ready and self._is_mounted.is_set() and mountpoint.find(self._path) is None:
            return True  # a reader may sit inside, and libfuse not notice it
        if self._parent is not None and self._parent.fileno() in ready:
            try:
                while (message := self._parent.receive()) is not None:
                    if self._obey(message):
                        return True
            except EOFError:
                return True
        return False

    def _obey(self, message: Message) -> bool:
        assert self._parent is not None
        if isinstance(message, Report):
            facts = {"path": self._path, "mounted": self._is_mounted.is_set(), "open_files": len(self.opened)}
            self._parent.send(Reported(dumps(facts)))
        return isinstance(message, End)

    def _end(self) -> None:
        """Take the files away, and end the process if libfuse does not return."""
        try:
            self._is_mounted.wait(0.0 if self._has_returned.is_set() else START)
            if not self._has_returned.is_set() and self._may_be_mounted():
                mountpoint.unmount(self._path)
        except Exception as error:
            self._failed(_told(error))
        finally:
            if not self._has_returned.wait(RETURN):
                try:
                    code = self._say_ended()
                except Exception:
                    code = 1
                os._exit(code)

    def _may_be_mounted(self) -> bool:
        try:
            return mountpoint.find(self._path) is not None
        except Exception:  # that may be why we end
            return True

    def _say_ended(self) -> int:
        """Tell the incubator, unless another one is to take our place; give the exit code."""
        if self._parent is not None and not self._replaced:
            self._parent.send(Ended("told to, or unmounted"))
        return int(self._replaced)


def _told(error: Exception) -> str:
    """What went wrong, for a person; a fault of ours with its stack on stderr."""
    if isinstance(error, HoldfastError):
        return str(error)
    traceback.print_exception(error)
    return f"a fault of ours, please report it: {error!r}"
