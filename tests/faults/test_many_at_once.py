"""Two hundred commands at once, and no daemon yet: one is started, nobody fails, and the lock excludes."""

from __future__ import annotations

import sys

import pytest

from support import House

COMMANDS = 200
BREAKS_WITHOUT_EXCLUSION = """
import sys
with open(sys.argv[1]) as file:
    number = int(file.read())
with open(sys.argv[1], "w") as file:
    file.write(str(number + 1))
"""

pytestmark = pytest.mark.slow


def test_two_hundred_commands_that_find_no_daemon_start_one(house: House) -> None:
    counter = house.path / "counter"
    counter.write_text("0")
    command = ("--", sys.executable, "-I", "-S", "-c", BREAKS_WITHOUT_EXCLUSION, str(counter))
    # The daemon outlives a slow machine's pauses between two commands.
    started = [house.spawn("run", "-r", "counter", "--lifespan", "5m", *command) for _ in range(COMMANDS)]
    failed = [process.communicate()[1] for process in started if process.wait(300) != 0]
    assert failed == []
    assert counter.read_text() == str(COMMANDS)
    assert (house.run_dir / "local" / "daemon.log").read_text().count("HFD001I") == 1
