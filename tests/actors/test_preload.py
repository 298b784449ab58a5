"""What the nursery imports is all that a locker needs."""

from __future__ import annotations

import subprocess
import sys

from support import checkout_environ

SCRIPT = """
import sys
import holdfast.actors.preload
before = set(sys.modules)
import holdfast.actors.locker_process, holdfast.actors.process, holdfast.actors.locker, holdfast.transport.sockets
import holdfast.actors.registry_process
print(sorted(set(sys.modules) - before), sorted({"click", "asyncio", "ssl"} & set(sys.modules)))
"""


def test_nothing_is_imported_later_and_nothing_heavy_at_all() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=checkout_environ(), capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[] []\n"
