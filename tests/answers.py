"""What a daemon answers to whoever looks for it in a group."""

from __future__ import annotations

from holdfast.transport.messages import Here, Seek
from holdfast.transport.wire import decode, encode

A, B = b"a" * 16, b"b" * 16  # two daemons


def nonce(question: bytes) -> bytes:
    message = decode(question)
    assert isinstance(message, Seek)
    return message.nonce


def here(question: bytes, daemon: bytes = A, *, age: float = 10.0, address: str = "", key: str = "") -> bytes:
    return encode(Here(nonce(question), daemon, age, 4711, address, key))
