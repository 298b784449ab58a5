"""The metrics' process from its start to its end: a web server beside one who follows the registry.

Three threads, each with one thing to wait for: the main one for the parent (whose word, or end, ends us at once: the
other two are daemons), one for the registry, and the library's one for each reader. They share the picture, behind one
lock. It is held while what was told is taken in, which waits for nobody, but for the two seconds at most that a new
registry may take to let us in; readers wait as long then.

The listening socket is the daemon's, who opened it before it served anybody: so a port that is taken is told in a
sentence at the start, and when this process dies its successor finds the readers still in the queue.

``cli/daemon.py`` imports this file only if metrics are asked for, and the fork server never does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from ..transport.errors import InvalidSetting, Unreachable
from ..transport.follow import Follower
from ..transport.messages import End, Ended, Ready, Report, Reported
from ..transport.picture import Picture
from ..transport.pipe import Pipe
from ..transport.settings import Settings
from . import log
from .locker_process import begin
from .metrics import Metrics, View, application
from .process import FAILED

COMM = "holdfast-metric"  # as ps and pgrep show it; at most 15 characters
BACKLOG = 16  # readers that may wait while this process is started again, or busy
READERS = 16  # served at the same time
SLOW = 10.0  # seconds that a reader may take for each of its lines
PULSE = 1.0  # seconds between two looks at what is to be counted
PACE = 0.1  # seconds between two readings of what the registry tells, which may have changed a hundred times meanwhile


class Follows(Protocol):
    """What we need of a ``Follower``."""

    picture: Picture

    def update(self, timeout: float | None) -> bool:
        """Take in what was told."""

    def overdue(self, now: float) -> float:
        """Seconds by which a word of the registry is overdue."""

    def fileno(self) -> int:
        """Readable when something was told; always the same."""

    def close(self) -> None:
        """Follow no longer."""


class Watcher:
    """Keeps the picture current; others may look at it.

    Args:
        connect: makes a follower.
        pause: waits for so many seconds.
    """

    def __init__(self, connect: Callable[[], Follows], pause: Callable[[float], None] = time.sleep) -> None:
        self._connect = connect
        self._pause = pause
        self._lock = threading.Lock()
        self._follower: Follows | None = None

    def view(self) -> View | None:
        """What is known now; None while nobody tells us."""
        with self._lock:
            if self._follower is None:
                return None
            picture, now = self._follower.picture, time.monotonic()
            return View(picture.scene(), max(picture.age, self._follower.overdue(now)), now)

    def follow(self, note: Callable[[], object]) -> None:
        """Follow until the registry cannot be reached; ``note`` is called about once a second meanwhile."""
        try:
            follower = self._connect()
        except Unreachable:
            self._pause(PULSE)
            return
        try:
            with suppress(Unreachable):
                follower.update(None)  # no lock: nobody knows it yet
                self._follower = follower
                self._keep_current(follower, note)
        finally:
            with self._lock:
                self._follower = None
            follower.close()
        self._pause(PULSE)

    def _keep_current(self, follower: Follows, note: Callable[[], object]) -> None:
        noted_at = 0.0
        while True:
            select.select([follower.fileno()], [], [], PULSE)
            with self._lock:
                follower.update(0.0)
            now = time.monotonic()
            if now - noted_at >= PULSE:
                noted_at = now
                note()
            self._pause(PACE)


class _Handler(WSGIRequestHandler):
    """One reader."""

    timeout = SLOW

    def log_message(self, format: str, *args: object) -> None:
        """Nobody wants a line in the log every few seconds."""


class Server(ThreadingMixIn, WSGIServer):
    """The library's server has no say in where its socket comes from, so this one is made of the same parts."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, serve: WSGIApplication) -> None:
        host, port = listening.getsockname()[:2]
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = host, port
        self.setup_environ()
        self.set_app(serve)
        self._free = threading.Semaphore(READERS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a reader as soon as there are not too many."""
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a reader, in a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader went away, or was too slow; errors of ours are told by the application's own handler."""


def listen(host: str, port: int) -> socket.socket:
    """A socket at which metrics can be read.

    Raises:
        InvalidSetting: nobody can listen there; the sentence says why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise InvalidSetting(f"metrics cannot be served at {where}: {error.strerror}", key="metrics") from error
    return listening


def main(
    number: int, end: socket.socket, listening: int, settings: Settings, bound: int, version: str, verbose: bool
) -> None:
    """Serve metrics; the target of a ``ChildSpec``.

    Args:
        number: of this child.
        end: our end of the pipe to the incubator.
        listening: descriptor of the listening socket.
        settings: they say where the daemon is.
        bound: how many resource names may become labels.
        version: of this program.
    """
    begin("metrics", COMM, verbose=verbose)
    watcher = Watcher(lambda: Follower(settings, {}))
    metrics = Metrics(watcher.view, bound=bound, version=version)
    server = Server(socket.socket(fileno=listening), application(metrics))
    _start(lambda: _for_ever(lambda: watcher.follow(metrics.note)))
    _start(server.serve_forever)
    pipe = Pipe(end)
    pipe.send(Ready("", os.getpid(), os.getppid(), 0))
    obey(pipe, metrics)


def obey(pipe: Pipe, metrics: Metrics) -> None:
    """Do what the parent says, until it says that this is the end, or is gone."""
    while True:
        select.select([pipe], [], [])
        try:
            message = pipe.receive()
        except EOFError:
            return
        match message:
            case Report():
                pipe.send(Reported(json.dumps({"reads": metrics.reads, "labels": len(metrics.labels())})))
            case End():
                pipe.send(Ended("told to end"))
                return


def _for_ever(once: Callable[[], None]) -> None:
    while True:
        once()


def _start(work: Callable[[], None]) -> None:
    """Do ``work`` in a thread. If it fails the process ends, and another one is started: half of us is no use."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            log.event("HFD010E", exc_info=True)
            os._exit(FAILED)

    threading.Thread(target=guarded, daemon=True).start()
