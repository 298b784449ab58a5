"""Locks that follow the work: others inherit the connection of ``holdfast run``, and hold as long as it is open.

The rule: the connection is the lock. Whoever has inherited its descriptor holds on by having it open and by nothing
else; so a death of ours takes the lock from nobody who works under it. There is one reader, and that is we, as long as
we live; afterwards nobody is told anything any more.

Which end is whose:

* ``CommandLock`` ends when it is released, or with the last copy of the descriptor, if we are killed before. What the
  command has left running in the background holds nothing then.
* ``TreeLock`` ends with the last copy, whoever has it. A release tells the daemon the outcome, and gives up our copy.

Under CURVE there is nothing to inherit: the keys and the thread that uses them are ours (``curve.py``).

The kernel's SIGIO (``cli/child.py``) belongs to what is inherited, too. Its owner is a process, of which the kernel
keeps more than the number, so it comes to nobody else when we are dead and the number is used again (tried).

Source: man 1 flock; man 2 fcntl, F_DUPFD and F_SETOWN.
"""

from __future__ import annotations

import fcntl
import os
from _socket import SHUT_RDWR, socket

from .client import Lock
from .errors import LocalProtocolError, RemoteProtocolError, UsageError
from .messages import Conclude, Concluded
from .session import UNLOCKING, Session, State
from .wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import EllipsisType
    from typing import Self

    from .messages import Welcome
    from .session import Open
    from .wire import Message

FIRST = 100  # the least number of the inherited descriptor: out of the way of scripts that say ``exec 3>file``
SINCE = 3  # the minor version of the protocol that knows ``Conclude``
TOO_OLD = (
    "the daemon that runs is too old to hold a lock until a whole tree of processes has ended; "
    "end it with `holdfast stop`, and the next command starts a new one"
)
NO_KEYS = "under CURVE a lock cannot outlive `holdfast run`: nobody inherits its keys; say --hold wrapper"


class _TreeSession(Session):
    """A conversation that ends with an outcome instead of a release."""

    def release(self, *, rolled_back: bool) -> None:
        """Hold no more ourselves; whoever has inherited the connection does."""
        if self.state is not State.HELD:
            raise LocalProtocolError(f"release while {self.state.value}")
        self._outbox.append(encode(Conclude(self._epoch, rolled_back)))
        self._patience = UNLOCKING
        self.state = State.RELEASING

    def _following(self, message: Message) -> State:
        if isinstance(message, Concluded) and self.state is State.RELEASING:
            return State.ATTACHED
        return super()._following(message)

    def _say_echo(self, welcome: Welcome, now: float) -> None:
        if welcome.minor < SINCE:  # before anything is asked: nobody need wait in line to hear it
            self.ended(RemoteProtocolError(TOO_OLD))
        else:
            super()._say_echo(welcome, now)


class _Lasting(Lock):
    """What both have in common.

    ``inherited`` is the descriptor that processes inherit from us while we hold, -1 if we do not.
    """

    inherited = -1

    def acquire(self, timeout: float | EllipsisType | None = ...) -> Self:
        """Wait in line until the lock is ours, and let others inherit it.

        Raises:
            UsageError: also under CURVE.
            RemoteProtocolError: also if the daemon is too old for it.
        """
        super().acquire(timeout)
        self.inherited = _inheritable(self.fileno())
        return self

    def _open(self, wanted: Open) -> None:
        super()._open(wanted)
        if self._wire is not None and not isinstance(self._wire.place, str) and self._wire.place.keys is not None:
            raise UsageError(NO_KEYS, resource=self.resource)

    def _hang_up(self) -> None:
        if self.inherited >= 0:
            os.close(self.inherited)
            self.inherited = -1
        super()._hang_up()


class CommandLock(_Lasting):
    """A lock whose connection a command inherits, and that is given back when it has ended, whoever runs on."""

    def release(self, *, rolled_back: bool = False, wait: bool = False) -> None:
        """Give the lock back; the arguments and errors are those of ``Lock``. It is always waited for."""
        super().release(rolled_back=rolled_back, wait=True)
        self._drop()

    def _hang_up(self) -> None:
        if self.inherited >= 0:
            _end(self.inherited)
        super()._hang_up()


class TreeLock(_Lasting):
    """A lock that is free when all have ended who inherited its connection."""

    _speaks = _TreeSession

    def release(self, *, rolled_back: bool = False, wait: bool = False) -> None:
        """Hold no more ourselves; the arguments and errors are those of ``Lock``. It is always waited for."""
        super().release(rolled_back=rolled_back, wait=True)
        self._drop()


def _inheritable(descriptor: int) -> int:
    """A copy of ``descriptor`` that commands inherit."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, FIRST)
    except OSError:  # so many are not allowed here
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, descriptor)


def _end(descriptor: int) -> None:
    """End the connection behind ``descriptor``, whoever has inherited it."""
    connection = socket(fileno=os.dup(descriptor))
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:  # the other side was faster
        return
    finally:
        connection.close()
