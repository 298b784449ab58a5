"""Several daemons that answer groups: each group finds its own, two in one group are seen and told.

FLoM's daemons hear all groups that anybody on their machine has joined, so that two of them on one port may both
answer: commands then choose one at random, and the lock excludes nobody.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from hosts import Host
from support import wait_line

pytestmark = pytest.mark.slow

PAIRS = [("239.255.0.1", "239.255.0.2"), ("ff15::1", "ff15::2")]


def answering(host: Host, group: str, *words: str) -> subprocess.Popen[str]:
    """A daemon of a group in the foreground, ready."""
    daemon = host.spawn("serve", "--insecure", "--discover", group, *words)
    wait_line(daemon.stderr, "HFD001I")
    return daemon


def answering_unheard(host: Host, group: str) -> None:
    """A daemon that is started while its host can hear of no other one."""
    host.unplug()
    answering(host, group)
    host.plug()


def discovered(host: Host, group: str) -> tuple[int, str]:
    done = host.run("discover", group)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_groups_on_one_port_of_one_host_find_each_its_own(
    mojan: Host, presanella: Host, one: str, other: str
) -> None:
    answering(mojan, one)
    answering(mojan, other)
    assert [discovered(presanella, group)[0] for group in (one, other)] == [0, 0]
    holder = presanella.hold("-r", "printer", "--discover", one)
    assert presanella.run("run", "-n", "-r", "printer", "--discover", one, "--", "true").returncode == 98
    assert presanella.run("run", "-n", "-r", "printer", "--discover", other, "--", "true").returncode == 0
    assert presanella.let_go(holder) == 0


@pytest.mark.parametrize("group", ["239.255.0.1", "ff15::1"])
def test_two_daemons_in_one_group_are_reported(mojan: Host, presanella: Host, group: str) -> None:
    answering(mojan, group)
    assert discovered(presanella, group)[0] == 0
    answering_unheard(presanella, group)
    for host in (mojan, presanella):
        code, told = discovered(host, group)
        assert code == 1
        assert "split brain" in told


@pytest.mark.parametrize("group", ["239.255.0.1", "ff15::1"])
def test_the_older_of_two_daemons_is_taken_and_it_is_said(mojan: Host, presanella: Host, group: str) -> None:
    answering(mojan, group)
    assert discovered(presanella, group)[0] == 0  # it asks for a second; starts within one count as equal
    answering_unheard(presanella, group)
    address = f"[{mojan.ipv6}]" if ":" in group else mojan.ipv4
    for host in (mojan, presanella):
        done = host.run("run", "-v", "-r", "printer", "--discover", group, "--", "sleep", "0")
        assert done.returncode == 0
        assert f"the oldest is taken, tcp://{address}" in done.stderr
    holder = presanella.hold("-r", "printer", "--discover", group)
    assert _holders(mojan) == ["presanella"]
    assert presanella.let_go(holder) == 0


def _holders(host: Host) -> list[str]:
    """The hosts of the holders at the daemon in the foreground of ``host``, asked beside the network."""
    (socket,) = host.run_dir.glob("group-*.sock")
    picture = json.loads(host.run("status", "--json", "--socket", str(socket)).stdout)
    return [holder["host"] for resource in picture["resources"] for holder in resource["holders"]]


def test_nobody_in_a_group_is_told_by_exit_code_3(mojan: Host) -> None:
    assert discovered(mojan, "239.255.0.9")[0] == 3
