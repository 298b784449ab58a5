"""What holds for every test: nothing of the caller gets in, and no test is measured by the clock.

Nothing of its environment, and nothing of its signals: a shell's background job, cron and CI start their commands with
INT and QUIT ignored, and what is ignored stays so in every command that a test would like to interrupt.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from support import House
from terminal import Terminal

hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

signal.pthread_sigmask(signal.SIG_SETMASK, ())
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
    signal.signal(_number, signal.SIG_DFL)

for _name in [name for name in os.environ if name.startswith("HOLDFAST_") and not name.startswith("HOLDFAST_TEST_")]:
    del os.environ[_name]


@pytest.fixture
def house() -> Iterator[House]:
    """A run directory with a daemon of its own; at the end of the test no process of it is left."""
    with House() as built:
        yield built


@pytest.fixture
def terminal(house: House) -> Iterator[type[Terminal]]:
    """Terminals that are closed at the end of the test."""
    opened = []

    class Closed(Terminal):
        def __init__(self, house: House, words: list[str]) -> None:
            super().__init__(house, words)
            opened.append(self)

    yield Closed
    for one in opened:
        one.hang_up()
