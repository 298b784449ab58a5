"""A bar where somebody looks on, and nothing where nobody does."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from holdfast.cli import progress
from holdfast.cli.progress import Progress
from support import checkout_environ


def looked_on(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written for somebody who looks on."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(progress, "looks_on", lambda: True)
    return written


def test_whoever_looks_on_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked_on(monkeypatch)
    bar = Progress(2)
    bar.step()
    bar.step()
    bar.close()
    assert "0/2" in seen.getvalue()
    assert "2/2" in seen.getvalue()
    assert seen.getvalue().endswith("\n")


def test_a_sentence_has_its_line_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked_on(monkeypatch)
    bar = Progress(2)
    bar.step()
    bar.clear()
    assert seen.getvalue().endswith(" \r")
    seen.write("a sentence\n")
    bar.step()
    bar.close()
    assert "2/2" in seen.getvalue().partition("a sentence\n")[2]


def test_without_the_library_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked_on(monkeypatch)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    bar = Progress(2)
    bar.step()
    bar.close()
    assert seen.getvalue() == ""


def test_whoever_wants_no_bar_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = looked_on(monkeypatch)
    bar = Progress(None, wanted=False)
    bar.step()
    bar.close()
    assert seen.getvalue() == ""


def test_without_a_terminal_the_library_is_not_even_loaded() -> None:
    program = (
        "import sys; from holdfast.cli.progress import Progress; "
        "bar = Progress(1); bar.step(); bar.close(); print('tqdm' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], env=checkout_environ(), capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("False\n", "")
