"""``holdfast serve --bind``: a daemon on the network, and what comes to its ports besides commands."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdfast.cli.serve import serve as serve_command
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.messages import MAJOR, Located, Mismatch
from holdfast.transport.peers import Keepalive, Peer
from mounts import needs_fuse
from raw import Raw, acquire, hello, locate
from support import LIMIT, House, wait_dead, wait_line, wait_until

pytestmark = pytest.mark.slow

BUSY = 98
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)


class Served:
    """A daemon on the network."""

    def __init__(self, house: House, *more: str, bind: str = "tcp://127.0.0.1:0") -> None:
        self.house = house
        self.process = house.spawn("serve", "--bind", bind, *more)
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().strip()
        self.port = int(self.endpoint.rpartition(":")[2])
        self.environ = {"HOLDFAST_ENDPOINT": self.endpoint}

    def peer(self, port: int = 0) -> Peer:
        return Peer(socket.AF_INET, ("127.0.0.1", port or self.port), Keepalive())

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.house.run(*words, environ=self.environ)

    def hold(self, name: str) -> subprocess.Popen[str]:
        return self.house.hold("-r", name, environ=self.environ)

    def end(self) -> str:
        """End it; what it logged."""
        self.process.send_signal(signal.SIGINT)
        _, logged = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0
        return logged


@pytest.fixture
def served(house: House) -> Iterator[Served]:
    served = Served(house)
    yield served
    if served.process.poll() is None:
        served.end()


def test_commands_find_it_by_its_endpoint_and_are_known_by_their_address(served: Served) -> None:
    held = served.hold("printer")
    shown = json.loads(served.run("status", "--json").stdout)
    assert "127.0.0.1/" in json.dumps(shown)
    assert served.run("run", "-r", "printer", "-t", "0", "--", "true").returncode == BUSY
    assert served.house.let_go(held) == 0
    assert served.run("run", "-r", "printer", "--", "true").returncode == 0
    logged = served.end()
    assert f"HFD006I the daemon listens on the network  endpoint={served.endpoint}" in logged
    assert "Traceback" not in logged


@pytest.mark.parametrize(("bind", "peer"), [("tcp://[::1]:0", "::1/"), ("tcp://[::ffff:127.0.0.1]:0", "127.0.0.1/")])
def test_by_ipv6_it_is_the_same(house: House, bind: str, peer: str) -> None:
    served = Served(house, bind=bind)
    held = served.hold("printer")
    assert f'"{peer}' in json.dumps(json.loads(served.run("status", "--json").stdout))
    assert house.let_go(held) == 0
    served.end()


def test_over_tcp_nobody_may_stop_it_whatever_user_he_says_he_is(served: Served) -> None:
    for words in (("stop",), ("stop", "--now"), ("dump",)):
        refused = served.run(*words)
        assert refused.returncode == 99
        assert "only the user whom this daemon belongs to" in refused.stderr
    assert served.run("run", "-r", "printer", "--", "true").returncode == 0


def test_an_insecure_one_is_stopped_by_whoever_asks_and_says_so_in_its_log(house: House) -> None:
    served = Served(house, "--insecure")
    assert "HFD007W" in wait_line(served.process.stderr, "HFD007W")
    assert served.run("stop", "--now").returncode == 0
    assert served.process.wait(LIMIT) == 0


@pytest.mark.parametrize("bind", ["tcp://0.0.0.0:0", "tcp://[::]:0"])
def test_what_others_can_reach_is_refused_unless_it_is_said_that_this_is_meant(house: House, bind: str) -> None:
    result = CliRunner().invoke(serve_command, ["--bind", bind])
    assert isinstance(result.exception, InvalidSetting)
    assert "--insecure" in str(result.exception)
    served = Served(house, "--insecure", bind=bind)
    served.endpoint = f"tcp://127.0.0.1:{served.port}"
    served.environ = {"HOLDFAST_ENDPOINT": served.endpoint}
    assert served.run("run", "-r", "printer", "--", "true").returncode == 0
    served.end()


def test_a_group_for_what_only_this_host_can_use_is_answered_and_it_is_said(house: House) -> None:
    served = Served(house, "--discover", f"239.255.77.1:{free_ports(1)}")
    told = served.end()
    assert told.count("can use it on this host only, because tcp://127.0.0.1:0 is this host's alone\n") == 1


def test_without_a_group_a_daemon_of_this_host_alone_says_nothing_of_it(served: Served) -> None:
    assert "on this host only" not in served.end()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--bind", "127.0.0.1"], "its port is missing"),
        (["--bind", "tcp://127.0.0.1:0", "--locker-ports", "7"], "is not a range of ports"),
        (["--bind", "tcp://127.0.0.1:0", "--locker-ports", "28100-28100"], "are too few"),
        (["--locker-ports", "28100-28199"], "only with --bind or --discover"),
        (["--bind", "tcp://239.1.1.1:0", "--insecure"], "is a multicast group"),
        (["--bind", "tcp://[ff15::1]:0", "--insecure"], "is a multicast group"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(words: list[str], why: str) -> None:
    result = CliRunner().invoke(serve_command, words)
    assert isinstance(result.exception, InvalidSetting)
    assert why in str(result.exception)


def test_a_port_that_somebody_has_is_refused_with_a_sentence(served: Served) -> None:
    refused = served.house.run("serve", "--bind", served.endpoint, "--socket", f"{served.house.path}/other.sock")
    assert refused.returncode == 99
    assert f"cannot listen at 127.0.0.1:{served.port}: Address already in use" in refused.stderr


def test_lockers_keep_to_their_ports_and_without_one_a_request_is_refused(house: House) -> None:
    low = free_ports(3)
    served = Served(house, "--locker-ports", f"{low}-{low + 2}")
    held = [served.hold(name) for name in ("a", "b")]
    refused = served.run("run", "-r", "c", "--", "true")
    assert refused.returncode == 99
    assert f"no port is free in {low}-{low + 2}" in refused.stderr
    assert "a" in served.run("status").stdout
    house.let_go(held[0])
    wait_until(lambda: served.run("run", "-r", "c", "--", "true").returncode == 0, "a port that came free")
    house.let_go(held[1])
    served.end()


def free_ports(number: int) -> int:
    """The first of so many neighbours that nobody uses now."""
    for low in range(20_000 + os.getpid() % 1000 * 10, 65_000, number):
        with ExitStack() as all_of_them:
            try:
                for port in range(low, low + number):
                    all_of_them.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return low
    raise AssertionError("no free ports")


@needs_fuse
def test_its_own_files_and_metrics_find_it_by_its_socket(house: House) -> None:
    port = free_ports(1)
    with tempfile.TemporaryDirectory(dir="/tmp") as mount:
        served = Served(house, "--mount", mount, "--metrics", f"127.0.0.1:{port}")
        held = served.hold("printer")

        def peers() -> set[str]:
            return {path.read_text().partition("/")[0] for path in Path(mount).rglob("peer_name")}

        wait_until(lambda: peers() == {"127.0.0.1"}, "the holder among the files")

        def metrics() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT) as answer:
                return str(answer.read(), "utf-8")

        wait_until(lambda: 'resource="printer"' in metrics(), "the holder among the metrics")
        house.let_go(held)
        served.end()


def test_a_holder_by_tcp_that_is_killed_leaves_its_lock_to_the_next(served: Served) -> None:
    raw, _, _ = remote_holder(served, "printer")
    waiting = served.house.spawn("run", "-r", "printer", "--", "true", environ=served.environ)
    raw.wire.close()
    assert waiting.wait(LIMIT) == 0


def remote_holder(served: Served, name: str) -> tuple[Raw, Located, int]:
    who = hello()
    with Raw(served.peer()) as asking:  # type: ignore[arg-type]  # a place, too
        asking.enter(who, locate(name))
        located = asking.hear()
    assert isinstance(located, Located)
    raw = Raw(served.peer(int(located.address)))  # type: ignore[arg-type]  # a place, too
    raw.enter(who, acquire(name, located.epoch))
    raw.hear()
    return raw, located, located.epoch


def test_a_locker_that_is_held_by_tcp_outlives_its_daemon(served: Served) -> None:
    raw, _, _ = remote_holder(served, "printer")
    served.process.kill()
    notes = wait_until(lambda: list(served.house.run_dir.rglob("left-behind-*")), "the locker's note")
    [locker] = [int(note.name.rpartition("-")[2]) for note in notes]
    assert locker in served.house.processes()
    raw.wire.close()
    wait_dead(locker)


# --- what comes to the ports besides ----------------------------------------------------------------------------------


BAD = {
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x00\xf4" + bytes(range(244)),
    "half a greeting": GREETING[:20],
    "another mechanism": GREETING.replace(b"NULL", b"GSSAPI")[:64],
    "a frame beyond all limits": GREETING + b"\x02" + (1 << 40).to_bytes(8, "big"),
    "noise": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_client_hurts_nobody(served: Served, what: str) -> None:
    raw, located, _ = remote_holder(served, "printer")
    with ExitStack() as connections:
        for port in (served.port, int(located.address)) * 20:
            bad = connections.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT))
            bad.sendall(BAD[what])
        assert served.run("run", "-r", "other", "--", "true").returncode == 0
        assert served.run("run", "-r", "printer", "-t", "0", "--", "true").returncode == BUSY
    raw.wire.close()
    logged = served.end()
    assert "Traceback" not in logged
    kinds = [line.partition("kind=")[2].partition("  ")[0] for line in logged.splitlines() if "HFD034W" in line]
    assert len(kinds) <= 2 * len(set(kinds))  # once in the incubator, once in the locker


def test_another_version_is_answered_with_ours(served: Served) -> None:
    with Raw(served.peer()) as raw:  # type: ignore[arg-type]  # a place, too
        raw.wire.send(bytes([MAJOR + 1, 1, 0x90]))
        told = raw.hear()
        assert isinstance(told, Mismatch)
        assert told.major == MAJOR
    logged = served.end()
    assert "HFD034W" in logged


def test_a_thousand_connections_that_say_nothing_are_shut_and_hurt_nobody(served: Served) -> None:
    with ExitStack() as connections:
        silent = [
            connections.enter_context(socket.create_connection(("127.0.0.1", served.port), LIMIT)) for _ in range(1000)
        ]
        assert served.run("run", "-r", "other", "--", "true").returncode == 0
        for one in silent:
            one.settimeout(LIMIT)
            assert wait_for_end(one)
    logged = served.end()
    assert sum("HFD034W" in line for line in logged.splitlines()) <= 3


def wait_for_end(connection: socket.socket) -> bool:
    """Read the greeting, and then nothing more."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return True
