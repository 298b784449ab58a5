"""What a person is told while a lock is waited for: for what, for how long, and who has it.

The rule: a wait is explained once, when it has become long (``AFTER``) and somebody looks at a terminal; and whenever
the person asks. The answer to a question is never left out: if the daemon does not say why within ``ANSWER``, or does
not know the question (protocol 1.0), we say what we know ourselves. Nobody is told twice: not if the wait ends by
itself right afterwards, and tells the same.

Whoever asks by a signal may do so at any instant, so a signal's handler does nothing here. Its number comes through a
pipe that the interpreter's own C handler writes to (``signal.set_wakeup_fd``), and the wait listens to both: a handler
in Python that comes between our last look and the poll would not run before the poll ends.

Loaded by who waits, and by nobody else.
"""

from __future__ import annotations

import os
import select
import sys
from time import monotonic

from .messages import Explained, Fault
from .phrases import span, wanted
from .session import WAITS
from .stderr import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import EllipsisType

    from .session import Session
    from .wire import Message
    from .zmtp import Wire

AFTER = 2.0  # seconds until a wait is explained to whoever looks at a terminal
ANSWER = 1.0  # seconds for the daemon to say why; also what must be left of a wait that is worth explaining
MANY = 4096  # rings that are read at once


class Waiting:
    """One wait of a session: listens for it, and explains it.

    Args:
        session: asks the daemon; in the middle of an ``acquire``.
        after: seconds of waiting until it is explained; None: not before somebody asks; ``...``: ``AFTER``, if standard
            error is a terminal and we are in its foreground.
        bell: a descriptor that does not block; whatever can be read there asks for an explanation. -1: none.
    """

    def __init__(self, session: Session, after: float | EllipsisType | None, bell: int) -> None:
        self._session = session
        self._always = after is not ...
        self._bell = bell
        self._wanted = False
        self._due_at: float | None = None  # the explanation, or our own if the daemon gives none
        if after is not None:
            due_at = session.asked_at + (AFTER if after is ... else after)
            if session.deadline is None or session.deadline >= due_at + ANSWER:
                self._due_at = due_at

    def receive(self, wire: Wire, timeout: float | None) -> bytes | None:
        """As ``wire.receive``; but None may also mean that the session has something to say."""
        if self._wanted and self._session.explain():
            return None
        frame = wire.receive(0)
        if frame is None:
            self._listen(wire, timeout)
            frame = wire.receive(0)
        return frame

    def hear(self, message: Message) -> None:
        """What the daemon said; the answer to our question may be among it."""
        if isinstance(message, Fault) and self._wanted:  # it does not know the question
            told = self._due_at is None
            self._settle()
            if not told:
                self._say_ourselves("the daemon is of an older version and cannot say why")
        elif isinstance(message, Explained) and self._wanted and self._session.state in WAITS:
            self._settle()
            if not message.granted:
                say(explanation(self._session, message, monotonic()))

    def _listen(self, wire: Wire, timeout: float | None) -> None:
        """Sleep until there is something to read, to do or to answer, or ``timeout`` is over."""
        poll = select.poll()
        poll.register(wire.fileno(), select.POLLIN)
        if self._bell >= 0:
            poll.register(self._bell, select.POLLIN)
        if self._due_at is not None:
            due = max(0.0, self._due_at - monotonic())
            timeout = due if timeout is None else min(timeout, due)
        # Milliseconds are rounded up, as in Wire: one that ends early would be followed by an empty one.
        ready = poll.poll(None if timeout is None else -int(-min(timeout, 1e6) * 1000 // 1))
        if any(descriptor == self._bell for descriptor, _ in ready) and self._is_rung():
            self._ring()
        if self._due_at is not None and self._due_at <= monotonic():
            self._be_due()

    def _is_rung(self) -> bool:
        """Take in what there is at the bell; listen to it no longer if nobody can ring it any more."""
        try:
            first = more = os.read(self._bell, MANY)
            while len(more) == MANY:
                more = os.read(self._bell, MANY)
        except BlockingIOError:  # that was all, or another wait has the same bell and was faster
            return True
        except OSError:
            first = b""
        if not first:
            self._bell = -1
        return bool(first)

    def _ring(self) -> None:
        """Somebody asks: at once, and every time."""
        if self._due_at is None or not self._wanted:
            self._want()

    def _be_due(self) -> None:
        if self._wanted:
            self._due_at = None  # what the daemon says later is told all the same
            self._say_ourselves("the daemon has not said why")
        elif self._always or looks_on():
            self._want()
        else:
            self._settle()

    def _say_ourselves(self, because: str) -> None:
        say(f"{wait_in_words(self._session, monotonic())}; {because}")

    def _want(self) -> None:
        self._wanted = True
        self._due_at = monotonic() + ANSWER

    def _settle(self) -> None:
        self._wanted = False
        self._due_at = None


def explanation(session: Session, why: Explained, now: float) -> str:
    """A wait in one sentence: ``waiting for printer (EX) for 2.0s, position 2: held by …``."""
    position = f", position {why.position}" if why.position else ""
    return f"{wait_in_words(session, now)}{position}: {why.sentence}"


def wait_in_words(session: Session, now: float) -> str:
    """``waiting for licence[5] (2 units) for 1m12s``."""
    ask = session.ask
    return f"waiting for {wanted(ask.resource, ask.mode, ask.quantity)} for {span(now - session.asked_at)}"


def looks_on() -> bool:
    """Whether standard error is a terminal, and it is ours at the moment: not a background job's."""
    try:
        descriptor = sys.stderr.fileno()
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # None, closed, or something that is no file
        return False
