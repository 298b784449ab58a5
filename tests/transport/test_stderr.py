"""What we say: one line with our name before it, and no harm if nobody can hear it."""

from __future__ import annotations

import contextlib
import os
import sys

import pytest

from holdfast.transport.stderr import say


def test_a_sentence_goes_to_stderr_with_our_name(capfd: pytest.CaptureFixture[str]) -> None:
    say("it is late")
    say("it is later", "as ever", program="flom")
    assert capfd.readouterr() == ("", "holdfast: it is late\nflom: it is later\nas ever\n")


def test_nothing_that_is_said_obeys_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    say("it is\nlate\x1b[2J", "grün\u202e")
    assert capfd.readouterr().err == "holdfast: it is\\nlate\\x1b[2J\ngrün\\u202e\n"


def test_a_stderr_that_was_closed_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as closed:
        pass
    for stream in (None, closed, object()):
        monkeypatch.setattr(sys, "stderr", stream)
        say("nobody hears it")


def test_a_reader_that_went_away_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stderr", _Unheard(raw.fileno()))
        say("nobody hears it")


def test_who_reads_nothing_is_not_waited_for_longer_than_one_can(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with os.fdopen(writing, "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("nobody hears it", patience=0.01)
        os.read(reading, 65536)
        say("somebody hears it", patience=0.01)
        monkeypatch.undo()
    assert os.read(reading, 100) == b"holdfast: somebody hears it\n"
    os.close(reading)


class _Unheard:
    """A stderr without a buffer that could hide the broken pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, text: str) -> int:
        return os.write(self.descriptor, text.encode())

    def flush(self) -> None:
        pass
