"""New names while no process can be started for them, and many of them at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.actors.nursery import COMM
from support import House, wait_state, wait_until

pytestmark = pytest.mark.slow
NAMES = 12  # more than there are spare lockers, and more than may die in a minute


def test_who_waits_is_served_when_the_fork_server_goes_on(house: House) -> None:
    holder = house.hold("-r", "printer")
    log = house.run_dir / "local" / "daemon.log"
    (fork_server,) = (pid for pid in house.processes() if Path(f"/proc/{pid}/comm").read_text().strip() == COMM)
    os.kill(fork_server, signal.SIGSTOP)
    wait_state(fork_server, "T")
    waiting = [house.spawn("run", "-t", "60", "-r", f"n{number}", "--", "echo", "mine") for number in range(NAMES)]
    wait_until(lambda: "HFD020E" in log.read_text(), "a process that cannot be started")
    os.kill(fork_server, signal.SIGCONT)
    assert [process.communicate(timeout=60)[0] for process in waiting] == ["mine\n"] * NAMES
    assert "HFD021W" not in log.read_text()
    assert house.let_go(holder) == 0
