"""One event, one line, an id that means one thing."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.actors.log import EVENTS, configure, event
from support import checkout_environ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("holdfast")
    before = (logger.handlers[:], logger.propagate, logger.level)
    yield logger
    logger.handlers[:], logger.propagate = before[:2]
    logger.setLevel(before[2])


def test_an_event_is_one_line_with_its_id_its_sentence_and_its_facts(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("daemon")
    event("HFD001I", socket="/s\x1b\n", pid=7)
    said = capsys.readouterr().err
    assert said.endswith(f" daemon[{os.getpid()}] HFD001I the daemon listens  socket=/s\\x1b\\n  pid=7\n")
    assert said.count("\n") == 1


def test_being_configured_twice_does_not_log_twice(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        configure("daemon")
    event("HFD002I")
    assert capsys.readouterr().err.count("HFD002I") == 1


@pytest.mark.parametrize(("verbose", "level"), [(False, logging.INFO), (True, logging.DEBUG)])
def test_verbose_means_everything(logger: logging.Logger, verbose: bool, level: int) -> None:
    configure("daemon", verbose=verbose)
    assert logger.level == level


def test_the_letter_says_how_bad_it_is(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("holdfast").setLevel(logging.INFO)
    for number in ("HFD001I", "HFD021W", "HFD010E"):
        event(number)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR"]


def test_every_event_of_the_table_is_logged_somewhere_and_no_other() -> None:
    used = {
        number
        for room in ("actors", "cli", "vfs")
        for path in (ROOT / room).glob("*.py")
        if path.name != "log.py"
        for number in re.findall(r'"(HFD\d{3}[A-Z])"', path.read_text())
    }
    assert used == set(EVENTS)


ASKED_WHERE_IT_IS = """
import os, signal
from holdfast.actors.log import stacks_on_signal
signal.signal(signal.SIGUSR2, lambda number, frame: print("chained"))
stacks_on_signal(chain=True)
def here():
    os.kill(os.getpid(), signal.SIGUSR2)
here()
"""


def test_a_process_that_is_asked_says_where_it_is_and_goes_on() -> None:
    words = [sys.executable, "-c", ASKED_WHERE_IT_IS]
    ran = subprocess.run(words, env=checkout_environ(), capture_output=True, text=True, check=True)
    assert "in here" in ran.stderr
    assert ran.stdout == "chained\n"


def test_without_a_stderr_nothing_is_written_anywhere() -> None:
    words = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, ASKED_WHERE_IT_IS]
    ran = subprocess.run(words, env=checkout_environ(), capture_output=True, text=True, check=True)
    assert ran.stdout == "chained\n"
