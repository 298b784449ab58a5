"""Sessions for the tests of the actors: no socket behind them."""

from __future__ import annotations

from itertools import count

from holdfast.actors.door import Session
from holdfast.transport.messages import MINOR, Hello

_NUMBERS = count(1)


def hello(name: int, *, inside: tuple[bytes, ...] = (), uid: int = 1000, command: str = "make") -> Hello:
    """What ``name`` says first."""
    return Hello(MINOR, session_id(name), "node1", "boot", 4711, 1, uid, "alice", command, "", "", inside)


def session_id(name: int) -> bytes:
    """16 bytes for a small number."""
    return name.to_bytes(16, "big")


def somebody(name: int, *, inside: tuple[bytes, ...] = (), uid: int = 1000) -> Session:
    """A session that has begun; its connection is a new one each time."""
    number = next(_NUMBERS)
    return Session(b"\0" + number.to_bytes(4, "big"), hello(name, inside=inside, uid=uid), number)
