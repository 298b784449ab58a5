"""What was asked for is shown, as far as it can be told."""

from __future__ import annotations

import io
import sys

import pytest

from holdfast.cli.words import NotShown, show
from support import LIMIT, House

CLOSED = "holdfast: what was asked for cannot be written: standard output is closed\n"


def test_what_was_asked_for_is_shown_as_far_as_it_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, encoding="latin-1"))
    show("größer 日本")
    assert told.getvalue() == b"gr\xf6\xdfer ??\n"


def test_a_closed_stdout_is_told_and_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(NotShown, match="standard output is closed"):
        show("anything")


@pytest.mark.slow
def test_a_closed_stdout_is_told_by_everything_that_shows_something(house: House) -> None:
    held = house.hold("-r", "printer")
    why, explain = ["why", "printer"], ["run", "--explain", "-r", "printer"]
    for words in (["status"], ["status", "--watch"], ["status", "--json", "--watch"], why, explain, ["dump"]):
        closed = house.popen(["sh", "-c", 'exec "$@" >&-', "sh", *house.words(*words)])
        told = closed.communicate(timeout=LIMIT)[1]
        assert (told, closed.returncode) == (CLOSED, 99), words
    assert house.let_go(held) == 0
