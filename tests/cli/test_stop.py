"""``holdfast stop``: what it says, and that it is true."""

from __future__ import annotations

import pytest

from support import House, alive, wait_dead

pytestmark = pytest.mark.slow


def test_without_a_daemon_it_says_so(house: House) -> None:
    stopped = house.run("stop")
    assert stopped.returncode == 99
    assert stopped.stderr.startswith("holdfast: no daemon is running at ")


def test_now_leaves_no_process(house: House) -> None:
    house.hold("-r", "printer")
    pid = house.daemon()
    stopped = house.run("stop", "--now")
    assert stopped.stderr == f"holdfast: the daemon (process {pid}) has ended\n"
    assert stopped.returncode == 0
    assert not [line for line in house.processes().values() if "multiprocessing" in line or "daemon" in line]


def test_when_idle_those_inside_finish(house: House) -> None:
    held = house.hold("-r", "printer")
    pid = house.daemon()
    stopped = house.run("stop")
    assert stopped.stderr == f"holdfast: the daemon (process {pid}) ends when it is idle\n"
    assert stopped.returncode == 0
    assert alive(pid)
    assert house.let_go(held) == 0
    wait_dead(pid)


def test_another_socket_is_another_daemon(house: House) -> None:
    house.hold("-r", "printer")
    stopped = house.run("stop", "--now", "--socket", f"{house.path}/other")
    assert stopped.returncode == 99
    assert f"no daemon is running at {house.path}/other" in stopped.stderr
    assert alive(house.daemon())
