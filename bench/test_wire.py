"""Messages to frames and back: what each message costs before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from holdfast.transport.messages import Acquire, Granted, Hello, Mode, Release
from holdfast.transport.wire import Message, decode, encode

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

EPOCH = 1_766_000_000_000_000
MESSAGES = [
    Acquire("printer", EPOCH, Mode.EX, 1, -1.0, True),
    Granted(EPOCH, "", 0.0),
    Release(EPOCH, False),
    Hello(0, bytes(16), "host", "b" * 36, 4711, 815, 1000, "anna", "make -j4", "", "", (bytes(16),)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_encode(benchmark: BenchmarkFixture, message: Message) -> None:
    """A message becomes a frame."""
    benchmark(encode, message)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_decode(benchmark: BenchmarkFixture, message: Message) -> None:
    """A frame becomes a message, all limits checked."""
    assert benchmark(decode, encode(message)) == message
