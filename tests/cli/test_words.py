"""What was asked for is shown, as far as it can be told."""

from __future__ import annotations

import io
import sys

import pytest

from holdfast.cli.words import show


def test_what_was_asked_for_is_shown_as_far_as_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, encoding="latin-1"))
    show("größer 日本")
    assert told.getvalue() == b"gr\xf6\xdfer ??\n"


def test_a_closed_stdout_is_no_reason_to_complain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    show("anything")
