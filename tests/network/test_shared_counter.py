"""Forty clients on two hosts, and a counter that breaks at once if two of them hold the lock together."""

from __future__ import annotations

import pytest

from hosts import Host, Line, network
from support import wait_line

pytestmark = pytest.mark.slow

COUNT = """
import os, sys
from holdfast import Lock
lock = Lock("counter")
for _ in range(int(sys.argv[2])):
    with lock:
        with open(sys.argv[1]) as file:
            number = int(file.read())
        with open(sys.argv[1], "w") as file:
            file.write(str(number + 1))
"""


def counted(daemon: Host, hosts: list[Host], *, clients: int, times: int) -> int:
    """What the counter says when ``clients`` on each host have incremented it ``times`` times each."""
    wait_line(daemon.spawn("serve", "--insecure", "--bind", f"tcp://{daemon.ipv4}:28015").stderr, "HFD001I")
    counter = daemon.path / "counter"
    counter.write_text("0")
    endpoint = f"tcp://{daemon.ipv4}:28015"
    for host in hosts:
        host.environ["HOLDFAST_ENDPOINT"] = endpoint
    started = [host.python(COUNT, str(counter), str(times)) for _ in range(clients) for host in hosts]
    assert [process.communicate()[1] for process in started if process.wait(300)] == []
    return int(counter.read_text())


def test_twenty_clients_on_each_of_two_hosts_lose_no_count(mojan: Host, presanella: Host) -> None:
    assert counted(mojan, [mojan, presanella], clients=20, times=50) == 2000


def test_locks_stay_correct_on_a_line_that_delays_and_loses() -> None:
    with network("near", "far", line=Line(delay=0.05, loss=0.05, seed=4)) as hosts:
        assert counted(hosts[0], hosts, clients=4, times=5) == 40


def test_discovery_finds_the_daemon_over_such_a_line_with_its_attempts() -> None:
    with network("near", "far", line=Line(delay=0.05, loss=0.05, seed=4)) as (near, far):
        patient = ("-A", "239.255.0.1", "-D", "5")
        assert near.flom(*patient, "-d", "-1", "--", "true").returncode == 0
        for _ in range(5):
            done = far.flom(*patient, "-d", "0", "--", "echo", "mine")
            assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")
