"""A client that says exactly what a test tells it to, and a daemon for it to talk to."""

from __future__ import annotations

import os
from types import TracebackType

from holdfast.transport.messages import (
    FOREVER,
    MINOR,
    Acquire,
    Echo,
    Granted,
    Hello,
    Locate,
    Located,
    Mode,
    Order,
    Release,
    Welcome,
)
from holdfast.transport.wire import Message, decode, encode
from holdfast.transport.zmtp import Wire
from support import LIMIT, House


def start_daemon(house: House, *more: str) -> str:
    """Start a daemon that never ends by itself; return the path of its socket."""
    directory = house.run_dir / "local"
    directory.mkdir(mode=0o700, parents=True)
    house.run_dir.chmod(0o700)
    path = f"{directory}/daemon.sock"
    words = (
        "-P",
        "-m",
        "holdfast.cli.daemon",
        f"socket={path}",
        f"directory={directory}",
        "lifespan=-1",
        "ready=1",
        *more,
    )
    starter = house.popen([house.words()[0], *words])
    answer, _ = starter.communicate(timeout=LIMIT)
    assert answer == "ready\n", answer
    return path


def hello(session: bytes | None = None, *, inside: tuple[bytes, ...] = (), host: str = "here", uid: int = 0) -> Hello:
    """An introduction; a new session if none is named."""
    session = session if session is not None else os.urandom(16)
    return Hello(MINOR, session, host, "boot", os.getpid(), 1, uid, "tester", "a test", "", "", inside)


def locate(resource: str, *, create: bool = True, timeout: float = FOREVER, idle: float = 2.0) -> Locate:
    """Where is it?"""
    return Locate(resource, Mode.EX, 1, timeout, True, create, idle, Order.FIFO)


class Raw:
    """One connection, and what was said on it."""

    def __init__(self, path: str) -> None:
        self.wire = Wire(path)

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.wire.close()

    def say(self, *messages: Message) -> None:
        self.wire.send(*map(encode, messages))

    def hear(self, *, limit: float = LIMIT) -> Message:
        """The next message."""
        frame = self.wire.receive(limit)
        assert frame is not None, f"nothing heard within {limit:g} s"
        return decode(frame)

    def enter(self, who: Hello, *then: Message) -> None:
        """Begin a session, and say more in the same breath."""
        self.say(who)
        welcome = self.hear()
        assert isinstance(welcome, Welcome), welcome
        self.say(Echo(welcome.nonce), *then)


def find(path: str, resource: str, *, who: Hello | None = None, **more: object) -> tuple[str, int]:
    """Ask the incubator at ``path``: the path of the resource's locker, and its epoch."""
    with Raw(path) as raw:
        raw.enter(who or hello(), locate(resource, **more))  # type: ignore[arg-type]  # options of locate
        located = raw.hear()
        assert isinstance(located, Located), located
        return os.path.join(os.path.dirname(path), located.address), located.epoch


def acquire(resource: str, epoch: int, *, mode: Mode = Mode.EX, timeout: float = FOREVER, nest: bool = True) -> Acquire:
    """Give me."""
    return Acquire(resource, epoch, mode, 1, timeout, nest)


def holder(path: str, resource: str, *, who: Hello | None = None, mode: Mode = Mode.EX) -> tuple[Raw, Granted, int]:
    """A connection that holds ``resource``; close it, or release it by ``Release(epoch, …)``."""
    who = who or hello()
    address, epoch = find(path, resource, who=who)
    raw = Raw(address)
    raw.enter(who, acquire(resource, epoch, mode=mode))
    granted = raw.hear()
    assert isinstance(granted, Granted), granted
    return raw, granted, epoch


__all__ = ["Raw", "Release", "acquire", "find", "hello", "holder", "locate", "start_daemon"]
