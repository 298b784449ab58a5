"""A group without a daemon, and commands on several hosts at the same moment: they agree on one daemon, which stays.

Each of the commands hears nobody and starts a daemon. A directory that all hosts share shows whether two of the
commands have run at the same time.
"""

from __future__ import annotations

import pytest

from hosts import Host, network
from support import LIMIT, wait_until

pytestmark = pytest.mark.slow

GROUPS = {"ipv4": "239.255.0.1", "ipv6": "ff15::1"}
ALONE = 'mkdir "$0" || { echo not alone; exit 9; }; sleep 0.2; rmdir "$0"; echo done'


ROUNDS = 4


@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
@pytest.mark.parametrize("commands", [1, 3])
def test_commands_on_three_hosts_agree_on_one_daemon(commands: int, version: str) -> None:
    """One round in which they do is enough: an answer that a busy machine holds back for longer than anybody waits may
    leave two daemons, as the manual says; without the second look there is hardly ever a round without two holders."""
    complaints = []
    for _ in range(ROUNDS):
        with network("mojan", "presanella", "cevedale") as hosts:
            complaint = start_at_once(hosts, commands, version)
        if not complaint:
            return
        complaints.append(complaint)
    pytest.fail("\n".join(complaints))


def start_at_once(hosts: list[Host], commands: int, version: str) -> str:
    """Start them; say what went wrong, if anything did."""
    words = ("-A", GROUPS[version], "-I", "200", "-d", "-1", "-r", "printer")
    detector = str(hosts[0].path / "detector")
    started = [host.spawn_flom(*words, "--", "sh", "-c", ALONE, detector) for _ in range(commands) for host in hosts]
    ended = [(one.communicate(timeout=4 * LIMIT), one.returncode) for one in started]
    if [(out, code) for (out, _), code in ended] != [("done\n", 0)] * len(started):
        return str(ended)
    wait_until(lambda: sum(len(host.daemons()) for host in hosts) == 1, "the end of all daemons but one")
    seen = [host.run("discover", GROUPS[version]).returncode for host in hosts]
    return "" if seen == [0, 0, 0] else f"discover ends with {seen}"
