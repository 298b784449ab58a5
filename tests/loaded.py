"""Which modules a command loads, and which it may: what the tests of ``run`` and ``flom`` compare."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import LIMIT, House

TOLD = "import time:"  # what each line of Python about an import begins with
ROOT = Path(__file__).resolve().parent.parent
LIBRARY = {
    "__future__",
    "_collections",
    "_socket",
    "_struct",
    "atexit",
    "errno",
    "fcntl",
    "gc",
    "math",
    "pwd",
    "select",
}
OURS = {
    *("", ".cli", ".transport"),
    *(f".cli.{name}" for name in ("begin", "child", "exits", "main", "options", "run")),
    *(f".transport.{name}" for name in ("addresses", "asked", "client", "discover", "enums", "errors", "frozen")),
    *(f".transport.{name}" for name in ("identity", "locks", "members", "messages", "names", "packing")),
    *(f".transport.{name}" for name in ("session", "settings", "stderr", "target", "turn", "values", "wire", "zmtp")),
}


def loaded(house: House, script: str, *words: str) -> tuple[set[str], set[str]]:
    """Which modules of ours, and which others, a command loads that Python alone has not loaded already."""

    def told(*words: str) -> set[str]:
        command = [sys.executable, "-S", "-X", "importtime", *words]  # -S: what else is installed is not ours
        done = subprocess.run(
            command,
            env=house.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )
        return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith(TOLD)}

    found = told(str(ROOT / "scripts" / script), *words) - told("-c", "import site")
    ours = {name for name in found if name.partition(".")[0] == "holdfast"}
    return {name.removeprefix("holdfast") for name in ours}, found - ours
