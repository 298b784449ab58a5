"""A daemon that is found by its multicast group: what becomes of that when a process dies, or somebody talks nonsense.

On the loopback interface, so that no network is needed; ``tests/network`` has real hosts.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from holdfast.transport.endpoints import Tcp
from holdfast.transport.found import Found
from holdfast.transport.multicast import seek
from support import LIMIT, House, wait_dead, wait_line

pytestmark = pytest.mark.slow


@pytest.fixture
def group() -> Tcp:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return Tcp("239.255.80.1", free.getsockname()[1], "lo")


def serving(house: House, group: Tcp, *more: str) -> subprocess.Popen[str]:
    daemon = house.spawn("serve", "--insecure", "--discover", group.where, *more)
    wait_line(daemon.stderr, "HFD001I")
    return daemon


def found(group: Tcp) -> Found:
    (one,) = seek(group, attempts=100, timeout=0.2, ttl=1)
    return one


def discovery(house: House) -> int:
    """The pid of the process that answers."""
    (pid,) = [pid for pid in house.processes() if comm(pid) == "holdfast-discov"]
    return pid


def comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def test_commands_find_it_and_share_its_locks(house: House, group: Tcp) -> None:
    serving(house, group)
    holder = house.hold("-r", "printer", "--discover", group.where)
    other = house.run("run", "-n", "-r", "printer", "--discover", group.where, "--", "true")
    assert other.returncode == 98
    assert house.let_go(holder) == 0


def test_where_it_listens_at_one_address_it_tells_that_one(house: House, group: Tcp) -> None:
    daemon = serving(house, group, "--bind", "tcp://127.0.0.1:0")
    assert daemon.stdout is not None
    assert daemon.stdout.readline() == f"{found(group).tcp}\n"
    assert found(group).address == "127.0.0.1"


def test_with_keys_its_answer_tells_the_public_one_and_only_who_is_admitted_comes_in(house: House, group: Tcp) -> None:
    keys, admitted = house.path / "keys", house.path / "admitted"
    assert house.run("keygen", str(keys), "--name", "daemon", "--name", "alice").returncode == 0
    admitted.mkdir(mode=0o700)
    (admitted / "alice.key").write_bytes((keys / "alice.key").read_bytes())
    daemon = ["--curve-key", str(keys / "daemon.key_secret"), "--curve-clients", str(admitted)]
    wait_line(house.spawn("serve", "--discover", group.where, *daemon).stderr, "HFD001I")
    assert found(group).key in (keys / "daemon.key").read_text()
    alice = ["--curve-key", str(keys / "alice.key_secret"), "--curve-server", str(keys / "daemon.key")]
    assert house.run("run", "-r", "printer", "--discover", group.where, *alice, "--", "true").returncode == 0
    assert house.run("run", "-r", "printer", "--discover", group.where, "--", "true").returncode == 99


def test_floms_first_command_starts_it_and_others_find_that_one(house: House, group: Tcp) -> None:
    flom = [sys.executable, "-m", "holdfast.cli.flom", "-A", group.host, "-P", str(group.port), "-n", "lo"]
    holder = house.popen([*flom, "-d", "-1", "--", "sh", "-c", "echo held; exec cat"])
    assert wait_line(holder.stdout, "held")
    other = house.popen([*flom, "-d", "0", "-o", "0", "--", "true"])
    assert "already locked" in other.communicate(timeout=LIMIT)[1]
    assert other.returncode == 98
    assert house.let_go(holder) == 0
    assert house.run("stop", "--now", "--socket", *map(str, house.run_dir.glob("group-*.sock"))).returncode == 0
    assert seek(group, attempts=1, timeout=0.05, ttl=1) == []


def test_a_discovery_that_is_killed_is_replaced_and_it_is_the_same_daemon(house: House, group: Tcp) -> None:
    daemon = serving(house, group)
    before = found(group)
    killed = discovery(house)
    os.kill(killed, signal.SIGKILL)
    wait_dead(killed)
    after = found(group)  # what was asked meanwhile waited in the socket
    wait_line(daemon.stderr, "HFD024W")
    assert (after.daemon, after.port) == (before.daemon, before.port)
    assert after.age > before.age
    assert house.run("run", "-r", "printer", "--discover", group.where, "--", "true").returncode == 0


def test_nonsense_is_not_answered_and_told_once(house: House, group: Tcp) -> None:
    daemon = serving(house, group)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = socket.inet_aton("0.0.0.0") * 2 + socket.if_nametoindex("lo").to_bytes(4, "little")
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        for size in range(1400):
            asking.sendto(b"??" + os.urandom(size), (group.host, group.port))
        found(group)
        asking.setblocking(False)
        with pytest.raises(BlockingIOError):
            asking.recv(1)
    assert house.run("stop", "--now", "--socket", *map(str, house.run_dir.glob("group-*.sock"))).returncode == 0
    logged = daemon.communicate(timeout=LIMIT)[1]
    assert logged.count("HFD081W") == 1
    assert "kind=not a message" in logged


def test_a_group_that_cannot_be_had_is_told_before_anybody_is_served(house: House) -> None:
    done = house.run("serve", "--insecure", "--discover", "239.255.80.1%no-such-if")
    assert done.returncode == 99
    assert "no network interface no-such-if" in done.stderr
    assert not house.processes()


def test_a_second_daemon_is_not_served_and_it_is_told_how_to_end_the_first(house: House, group: Tcp) -> None:
    first = serving(house, group)
    where = found(group).tcp
    with House() as another:
        second = another.run("serve", "--insecure", "--discover", group.where)
        assert second.returncode == 99
        assert f"a daemon answers to the group {group.where} already, at {where.where}" in second.stderr
        assert f"holdfast stop --endpoint {where}\n" in second.stderr
        assert not another.processes()
        assert another.run("stop", "--now", "--endpoint", str(where)).returncode == 0
        assert first.wait(LIMIT) == 0
        serving(another, group)


def test_a_killed_daemon_s_group_is_answered_until_its_last_lock_is_free(house: House, group: Tcp) -> None:
    daemon = serving(house, group)
    holder = house.hold("-r", "printer", "--discover", group.where)
    before = found(group).daemon
    answering = discovery(house)
    daemon.kill()
    daemon.wait(LIMIT)
    assert found(group).daemon == before
    with House() as another:
        refused = another.run("run", "-n", "-r", "printer", "--discover", group.where, "--", "true")
    assert refused.returncode == 99
    house.let_go(holder)
    wait_dead(answering)
