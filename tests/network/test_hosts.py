"""The hosts of the other tests here: they are joined, they are cut off from each other, and nothing of them stays."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hosts
from hosts import Host, Line, network
from support import LIMIT, alive, wait_line

pytestmark = pytest.mark.slow

ECHO = """
import socket, sys
server = socket.create_server((sys.argv[1], 7), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("listening", flush=True)
connection, peer = server.accept()
print("peer", peer[0], flush=True)
while data := connection.recv(1 << 16):
    connection.sendall(data)
"""
CALL = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7))
data = bytes(int(sys.argv[2]))
connection.sendall(data)
back = 0
while back < len(data):
    back += len(connection.recv(1 << 16))
print("whole")
"""


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_where_there_can_be_no_hosts_their_tests_are_skipped_unless_they_are_required(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(hosts, "why_not", lambda: "no root")
    monkeypatch.setenv("HOLDFAST_TEST_HOSTS", required)
    with pytest.raises(outcome, match="no root"), network("mojan"):
        pass


@pytest.fixture
def two() -> Iterator[list[Host]]:
    with network("mojan", "presanella") as made:
        yield made


def talk(here: Host, there: Host, address: str, size: int) -> str:
    server = there.python(ECHO, address)
    wait_line(server.stdout, "listening")
    assert here.python(CALL, address, str(size)).communicate(timeout=LIMIT)[0] == "whole\n"
    return wait_line(server.stdout, "peer").split()[1]


def test_each_host_has_its_own_name(two: list[Host]) -> None:
    assert [host.command("uname", "-n").stdout for host in two] == ["mojan\n", "presanella\n"]


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
def test_two_hosts_reach_each_other(two: list[Host], version: str) -> None:
    addresses = [getattr(host, version) for host in two]
    assert talk(two[0], two[1], addresses[1], 100_000) == addresses[0]


@pytest.mark.parametrize("ways", [("unplug", "plug"), ("down", "up")])
def test_a_host_can_be_cut_off_and_comes_back(two: list[Host], ways: tuple[str, str]) -> None:
    ask = ("bash", "-c", f"exec 3<>/dev/tcp/{two[1].ipv4}/9")
    getattr(two[1], ways[0])()
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([*two[0].inside.enter, *ask], capture_output=True, timeout=0.5)
    getattr(two[1], ways[1])()
    assert "refused" in two[0].command(*ask).stderr
    assert "refused" in two[1].command("bash", "-c", f"exec 3<>/dev/tcp/{two[0].ipv6}/9").stderr


def test_a_slow_line_delays_and_loses_and_tcp_goes_over_it_whole() -> None:
    with network("near", "far", line=Line(delay=0.05, loss=0.05, seed=1)) as (near, far):
        begin = time.monotonic()
        talk(near, far, far.ipv4, 300_000)
        assert time.monotonic() - begin > 0.2  # the handshake, and there and back


def test_over_a_line_that_loses_everything_nobody_is_reached() -> None:
    with network("near", "far", line=Line(delay=0, loss=1, seed=1)) as (near, far):
        ask = ("bash", "-c", f"exec 3<>/dev/tcp/{far.ipv4}/9")
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run([*near.inside.enter, *ask], capture_output=True, timeout=0.5)


def test_nothing_of_a_host_is_left() -> None:
    with network("mojan") as (host,):
        pid, path = host.inside.pid, host.path
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
        host.python("input()")
    assert not alive(pid)
    assert not Path(path).exists()
