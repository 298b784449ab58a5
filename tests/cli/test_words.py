"""What we say: one line with our name before it, and no harm if nobody can hear it."""

from __future__ import annotations

import io
import os
import sys

import pytest

from holdfast.cli.words import say, show


def test_a_sentence_goes_to_stderr_with_our_name(capfd: pytest.CaptureFixture[str]) -> None:
    say("it is late")
    say("it is later", program="flom")
    assert capfd.readouterr() == ("", "holdfast: it is late\nflom: it is later\n")


def test_a_stderr_that_was_closed_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    say("nobody hears it")


def test_a_reader_that_went_away_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stderr", _Unheard(raw.fileno()))
        say("nobody hears it")


class _Unheard:
    """A stderr without a buffer that could hide the broken pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, text: str) -> int:
        return os.write(self.descriptor, text.encode())

    def flush(self) -> None:
        pass


def test_what_was_asked_for_is_shown_as_far_as_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, encoding="latin-1"))
    show("größer 日本")
    assert told.getvalue() == b"gr\xf6\xdfer ??\n"


def test_a_closed_stdout_is_no_reason_to_complain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    show("anything")
