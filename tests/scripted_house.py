"""An incubator and a locker in a thread, which say what a test wants them to."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import zmq

from holdfast.transport.messages import (
    Acquire,
    Echo,
    Granted,
    Hello,
    Locate,
    Located,
    Release,
    Released,
    Welcome,
)
from holdfast.transport.settings import Settings
from holdfast.transport.wire import Message, decode, encode

LIMIT = 30.0  # seconds; nothing here should ever take so long
NONCE = bytes(range(16))


class House(threading.Thread):
    """An incubator and a locker. ``answers`` says what follows what; ``heard`` is all that was said to them.

    Leaving it ends them, and nothing is left.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._run_dir = tempfile.TemporaryDirectory(prefix="hf-")
        self.settings = Settings(run_dir=self._run_dir.name, lifespan=0)
        self.heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.answers: dict[type, list[Message] | Callable[[], list[Message]]] = {
            Hello: [Welcome(NONCE, 0, 1)],
            Echo: [],
            Locate: [Located("locker-1.sock", 5)],
            Acquire: [Granted(17, "red", 0.5)],
            Release: [Released()],
        }
        self._context = zmq.Context()
        self._orders: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._bell, self._ring = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        self._bell.bind("inproc://bell")
        self._ring.connect("inproc://bell")
        self._directory = Path(self._run_dir.name) / "local"
        self._directory.mkdir(mode=0o700)
        self._incubator = self._listen("daemon.sock")
        self._locker = self._listen("locker-1.sock")
        self._last = b""  # who spoke last to the locker
        self.start()

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self, name: str) -> zmq.Socket[bytes]:
        router = zmq.Context().socket(zmq.ROUTER)  # a context of its own: its end is the end of all its connections
        router.linger = 0
        router.bind(f"ipc://{self._directory}/{name}")
        return router

    def run(self) -> None:
        open_ = True
        while open_:
            for ready in zmq.select([self._bell, self._incubator, self._locker], [], [])[0]:
                if ready is self._bell:
                    self._bell.recv()
                    open_ = self._orders.get()() is not False
                    break  # what else was ready may be closed now
                else:
                    self._serve(ready)

    def _serve(self, router: zmq.Socket[bytes]) -> None:
        who, frame = router.recv_multipart()
        message = decode(frame)
        if router is self._locker:
            self._last = who
        answers = self.answers[type(message)]
        for answer in answers() if callable(answers) else answers:
            router.send_multipart([who, encode(answer)])
        self.heard.put(message)

    def do(self, order: Callable[[], object]) -> None:
        """Let the house do something, and wait until it has."""
        done = threading.Event()

        def work() -> object:
            try:
                return order()
            finally:
                done.set()

        self._orders.put(work)
        self._ring.send(b"")
        assert done.wait(LIMIT)

    def say(self, message: Message) -> None:
        """The locker says something to whoever spoke to it last."""
        self.do(lambda: self._locker.send_multipart([self._last, encode(message)]) and None)

    def hang_up(self) -> None:
        """The locker closes all connections, and listens again."""

        def again() -> None:
            self._locker.context.destroy(linger=0)
            self._locker = self._listen("locker-1.sock")

        self.do(again)

    def wait_heard(self, kind: type[Message]) -> Message:
        """What was said, up to the first message of ``kind``."""
        while not isinstance(message := self.heard.get(timeout=LIMIT), kind):
            pass
        return message

    def all_heard(self) -> list[type[Message]]:
        """The kinds of messages that have come since the last question."""
        found = []
        while not self.heard.empty():
            found.append(type(self.heard.get()))
        return found

    def close(self) -> None:
        """End."""
        self.do(lambda: False)
        self.join(LIMIT)
        for context in (self._context, self._incubator.context, self._locker.context):
            context.destroy(linger=0)
        self._run_dir.cleanup()
