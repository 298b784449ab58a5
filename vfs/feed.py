"""The feed: keeps the picture current, and ends the mount.

The rule: libfuse owns the main thread; this one thread owns everything else: the connection to the registry, the
parent's pipe, the signals, and the unmounting. It publishes what has changed by one assignment; a tree is made of it by
whoever looks, so nobody pays while nobody looks. A reader never waits for a socket.

A tree is made anew when the picture has changed, and each second, because durations grow.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from json import dumps

from ..transport import mountpoint
from ..transport.errors import HoldfastError, Unreachable
from ..transport.follow import Follower
from ..transport.messages import Changes, End, Ended, Report, Reported
from ..transport.picture import Picture, Scene
from ..transport.pipe import Pipe
from ..transport.wire import Message
from .opened import Opened
from .tree import Stamps, Tree

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
                if self._follower.update(0):
                    self.look.last_change = time.monotonic()
        except HoldfastError as error:
            self._replaced = True
            self._failed(str(error))
        finally:  # also after a fault of ours, lest there be files that nobody keeps current
            self._unmount()

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

    def _unmount(self) -> None:
        """Take the files away, and end the process if libfuse does not return."""
        self._is_mounted.wait(0.0 if self._has_returned.is_set() else START)
        if not self._has_returned.is_set() and mountpoint.find(self._path) is not None:
            try:
                mountpoint.unmount(self._path)
            except Unreachable as error:
                self._failed(str(error))
        if not self._has_returned.wait(RETURN):
            os._exit(self._say_ended())

    def _say_ended(self) -> int:
        """Tell the incubator, unless another one is to take our place; give the exit code."""
        if self._parent is not None and not self._replaced:
            self._parent.send(Ended("told to, or unmounted"))
        return int(self._replaced)
