"""A run of the suite that is told to end leaves nothing behind: no directory, no server, no client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import LIMIT, wait_dead, wait_line, wait_until
from systems.system import run

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def belonging(mark: str) -> list[str]:
    """Processes that were told of a directory whose name begins so."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if mark.encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_leaves_nothing(ending: signal.Signals) -> None:
    words = ["env", "--default-signal=INT,HUP", sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    words += ["bench/test_suite.py", "-k", "s11"]
    kept_out = ("PYTEST", "PYTHONUNBUFFERED")  # what it says must come at once also where Python keeps it back
    environ = {name: value for name, value in os.environ.items() if not name.startswith(kept_out)}
    process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    mark = f"/tmp/bench-{process.pid}-"
    try:
        wait_line(process.stdout, "S11: round 1 of")
        assert belonging(mark)
    finally:
        process.send_signal(ending)
        process.communicate(timeout=3 * LIMIT)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    wait_until(lambda: not belonging(mark), "the end of whatever it started")
    assert list(Path("/tmp").glob(f"bench-{process.pid}-*")) == []


def test_a_command_that_is_cut_short_takes_along_what_it_started(tmp_path: Path) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    script = f"cat; (read line <fifo) & echo $! >{tmp_path}/child; kill -USR1 $PPID; wait"
    os.mkfifo(tmp_path / "fifo")
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["sh", "-c", f"cd {tmp_path}; {script}"], os.environ)
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_dead(int((tmp_path / "child").read_text()))
