"""Actors for tests: a mailbox in a thread, and behind it one that does what the test says."""

from __future__ import annotations

import threading

from holdfast.actors.door import Session
from holdfast.actors.feeds import Feeds
from holdfast.actors.process import Effect, Finish, Process
from holdfast.transport.messages import Stop
from holdfast.transport.sockets import Router
from holdfast.transport.wire import Message
from raw import Raw, hello
from support import LIMIT


class Actor:
    """Listens at ``path`` as soon as it is made; ``Stop`` ends it. A subclass says what it answers."""

    def __init__(self, path: str, feeds: Feeds | None = None) -> None:
        self.path = path
        self.codes: list[int] = []  # with which it ended
        self._process = Process(self, Router(path, limit=1000), feeds=feeds)
        self._thread = threading.Thread(target=lambda: self.codes.append(self._process.run()), daemon=True)
        self._thread.start()

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        return [Finish("told to")] if isinstance(message, Stop) else self.answer(session, message, now)

    def answer(self, session: Session, message: Message, now: float) -> list[Effect]:
        return []

    def left(self, session: Session, now: float) -> list[Effect]:
        return []

    def tick(self, now: float) -> list[Effect]:
        return []

    def wakes_at(self) -> float | None:
        return None

    def failed(self) -> list[Effect]:
        return []

    def end(self) -> None:
        """Tell it to end, if it has not, and wait for that."""
        if self._thread.is_alive():
            with Raw(self.path) as raw:
                raw.enter(hello(), Stop(True))
                self.join()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()
