"""What surrounds the registry: how it introduces itself, and the file that it writes for a dump."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest

from holdfast.actors.registry_process import introduction, listen, write
from holdfast.transport.ports import TcpPlace
from scenes import NOW, holder, resource, scene


def test_it_introduces_itself_as_somebody_new_each_time() -> None:
    assert introduction().session != introduction().session
    assert introduction().inside == ()


def test_without_a_free_port_it_serves_those_on_this_machine(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = listen(TcpPlace(socket.AF_INET, ("127.0.0.1", 0)))
    assert listener is not None
    monkeypatch.setattr(logging.getLogger("holdfast"), "propagate", True)
    assert listen(TcpPlace(socket.AF_INET, ("127.0.0.1", 0), (listener.port, listener.port))) is None
    assert f"no port is free in {listener.port}-{listener.port}" in caplog.text
    assert listen(None) is None
    listener.close()


def test_the_picture_is_written_for_us_alone(tmp_path: Path) -> None:
    path = Path(write(str(tmp_path), scene(resource("printer"), holder("a")), NOW))
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o777 == 0o600
    [told] = json.loads(path.read_text())["resources"]
    assert told["name"] == "printer"


def test_each_picture_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert write(str(tmp_path), scene(), NOW) != write(str(tmp_path), scene(), NOW)


def test_a_picture_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    assert write(str(tmp_path / "gone"), scene(), NOW) == ""
