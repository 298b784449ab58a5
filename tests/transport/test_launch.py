"""What a program of ours that is started is told, and what it inherits; ``test_discover.py`` really starts some."""

from __future__ import annotations

import sys

import pytest

from holdfast.transport import launch
from holdfast.transport.endpoints import Tcp
from holdfast.transport.settings import Settings
from holdfast.transport.target import target

IDENTITY = b"\x7f" * 16


def test_the_daemons_command_line_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings = Settings(run_dir="/r", lifespan=1.5, comm="flom", pool=3, daemon_trace_file="trace", mount_point="dir/")
    assert launch.daemon_command(target(settings), settings, 9, IDENTITY)[1:] == [
        *("-P", "-m", "holdfast.cli.daemon", "socket=/r/local/daemon.sock", "directory=/r/local", "lifespan=1.5"),
        *("comm=flom", "pool=3", "ready=9", "log=/trace", "mount=/dir", "verbose=yes"),
        "fresh=yes",
    ]


@pytest.mark.parametrize(
    ("package", "path", "added"),
    [
        ("/src/.path/holdfast", ["/src/.path"], "/src/.path"),
        ("/venv/site-packages/holdfast", ["/venv/site-packages"], None),
        ("/src/main", ["/venv/site-packages"], None),  # an editable install finds its way itself
    ],
)
def test_a_package_that_is_not_installed_is_found_by_its_daemon_too(
    monkeypatch: pytest.MonkeyPatch, package: str, path: list[str], added: str | None
) -> None:
    monkeypatch.setattr(sys.modules["holdfast"], "__path__", [package])
    monkeypatch.setattr(sys, "path", path)
    assert launch.environment({}).get("PYTHONPATH") == added


def test_a_daemon_on_the_network_is_told_where_it_listens_and_when_a_connection_is_dead() -> None:
    settings = Settings(run_dir="/r", endpoint=Tcp("::1", 5), tcp_keepalive_time=7)
    words = launch.daemon_command(target(settings), settings, 9, IDENTITY)[4:]
    assert words[:2] == ["socket=/r/tcp-__1-5.sock", "directory=/r/tcp-__1-5.sock.d"]
    assert words[-2:] == ["tcp=tcp://[::1]:5", "keepalive=7,10,6"]


def test_flom_s_daemon_answers_its_group_and_is_open_to_everybody() -> None:
    settings = Settings(comm="flom", unicast_address="h", multicast_address="239.255.0.1", multicast_port=7)
    words = launch.daemon_command(target(settings), settings, 9, IDENTITY)[4:]
    assert words[-5:] == [
        *("tcp=tcp://h:28015", "group=239.255.0.1:7", f"identity={IDENTITY.hex()}"),
        *("keepalive=60,10,6", "insecure=yes"),
    ]
