"""What several tests of the transport need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config_files import Write
from curve_daemon import Daemon, wire_to
from holdfast.transport import curve, keys


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """What writes a configuration file."""

    def write(text: str, name: str = "a.conf") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.close()


@pytest.fixture
def alice(tmp_path: Path) -> str:
    """The secret file of somebody."""
    return keys.create(str(tmp_path), "alice")[1]


@pytest.fixture
def enter(daemon: Daemon, alice: str) -> Callable[[], curve.Wire]:
    """What makes a connection of somebody who is admitted."""
    daemon.admit(alice)
    return lambda: wire_to(daemon.port, alice, daemon.secret.public)
