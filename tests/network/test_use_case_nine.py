"""FLoM's use case 9 on two hosts, word for word: a daemon found by multicast, and two terminals.

Source: FLoM's use case 9, "distributed command/script synchronization, dynamic network mode".
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts import Host
from support import LIMIT, wait_line

pytestmark = pytest.mark.slow

GROUP = ("-A", "239.255.0.1")


def listening(pid: int, protocol: str, state: str) -> list[tuple[str, int]]:
    """The local addresses that ``netstat -punta`` would show of a protocol."""
    lines = [line.split() for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]]
    found = [line[1].split(":") for line in lines if line[3] == state]
    return [(".".join(str(byte) for byte in bytes.fromhex(host)[::-1]), int(port, 16)) for host, port in found]


def test_the_daemon_is_the_one_process_named_flom_and_listens_as_told(mojan: Host) -> None:
    assert mojan.named_flom() == []
    done = mojan.flom(*GROUP, "-d", "-1", "--", "true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (daemon,) = mojan.named_flom()
    assert daemon in mojan.daemons()
    assert "0.0.0.0" in [host for host, port in listening(daemon, "tcp", "0A")]
    assert listening(daemon, "udp", "07") == [("239.255.0.1", 28015)]


def test_both_hosts_are_served_by_the_one_daemon(mojan: Host, presanella: Host) -> None:
    mojan.flom(*GROUP, "-d", "-1", "--", "true")
    for host in (mojan, presanella):
        done = host.flom(*GROUP, "-d", "0", "--", "ls", "/usr")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == host.command("ls", "/usr").stdout.split()
    assert len(mojan.named_flom()) == 1
    assert presanella.daemons() == []


def test_the_two_terminals_are_synchronized(mojan: Host, presanella: Host) -> None:
    mojan.flom(*GROUP, "-d", "-1", "--", "true")
    second = presanella.hold_flom(*GROUP, "-d", "0")
    traced = {"FLOM_TRACE_MASK": "1"}
    first = mojan.spawn_flom(*GROUP, "-d", "0", "--", "echo", "mine", environ=traced)
    wait_line(first.stderr, "Queued(")
    assert first.poll() is None
    assert presanella.let_go(second) == 0
    assert first.communicate(timeout=LIMIT)[0] == "mine\n"
    assert first.returncode == 0
