"""FLoM's table of lifespans, all twelve rows, over IPv4 and IPv6: which daemon is meant, who starts one, when it ends.

Source: FLoM 1.7.2, its manual: ``-a``, ``-A`` and ``-d``.
"""

from __future__ import annotations

import pytest

from hosts import Host
from support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("version", ["ipv4", "ipv6"])]

GROUPS = {"ipv4": "239.255.0.1", "ipv6": "ff15::1"}
ROWS = ["local", "dynamic", "unicast", "both"]


def words(row: str, host: Host, version: str) -> list[str]:
    """The options that name the daemon of ``host`` in this row; searches are short."""
    unicast = ["-a", getattr(host, version)] if row in ("unicast", "both") else []
    dynamic = ["-A", GROUPS[version], "-I", "200"] if row in ("dynamic", "both") else []
    return unicast + dynamic


def lifespans(host: Host) -> list[str]:
    """What the daemons of a host were told about their end."""
    lines = host.processes()
    return [word for pid in host.daemons() for word in lines[pid].split() if word.startswith("lifespan=")]


@pytest.mark.parametrize("row", ROWS)
def test_with_a_negative_lifespan_one_is_started_that_never_ends(mojan: Host, row: str, version: str) -> None:
    done = mojan.flom(*words(row, mojan, version), "-d", "-1", "--", "true")
    assert (done.returncode, done.stderr) == (0, "")
    (lifespan,) = lifespans(mojan)
    assert float(lifespan.partition("=")[2]) < 0
    assert mojan.flom(*words(row, mojan, version), "-d", "0", "--", "true").returncode == 0


@pytest.mark.parametrize("row", ROWS)
def test_with_a_lifespan_one_is_started_that_ends_when_it_is_idle(mojan: Host, row: str, version: str) -> None:
    done = mojan.flom(*words(row, mojan, version), "-d", "100", "--", "sh", "-c", "echo mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")
    wait_until(lambda: not mojan.processes(), "the end of the daemon")


@pytest.mark.parametrize("row", ROWS)
def test_with_lifespan_0_none_is_started(mojan: Host, row: str, version: str) -> None:
    done = mojan.flom(*words(row, mojan, version), "-d", "0", "--", "true")
    assert done.returncode == 99
    assert done.stderr.startswith("flom_client_connect: ret_cod=-105 (")
    assert mojan.processes() == {}


@pytest.mark.parametrize("lifespan", ["-1", "0", "5000"])
@pytest.mark.parametrize("row", ["dynamic", "unicast", "both"])
def test_one_that_is_there_is_taken_whatever_the_lifespan(
    mojan: Host, presanella: Host, row: str, lifespan: str, version: str
) -> None:
    where = words(row, presanella, version)
    assert presanella.flom(*where, "-d", "-1", "--", "true").returncode == 0
    holder = mojan.hold_flom(*where, "-d", lifespan)
    assert mojan.daemons() == []
    assert presanella.flom(*where, "-d", "0", "-o", "0", "--", "true").returncode == 98
    assert mojan.let_go(holder) == 0


@pytest.mark.parametrize(("row", "code"), [("unicast", 99), ("both", 0)])
def test_one_with_an_address_answers_the_group_only_if_it_was_named(
    mojan: Host, presanella: Host, row: str, code: int, version: str
) -> None:
    assert mojan.flom(*words(row, mojan, version), "-d", "-1", "--", "true").returncode == 0
    found = presanella.flom(*words("dynamic", mojan, version), "-d", "0", "--", "true")
    assert found.returncode == code


def test_with_an_address_nobody_is_looked_for_in_the_group(mojan: Host, presanella: Host, version: str) -> None:
    assert presanella.flom(*words("dynamic", presanella, version), "-d", "-1", "--", "true").returncode == 0
    assert mojan.flom(*words("both", mojan, version), "-d", "0", "--", "true").returncode == 99


@pytest.mark.parametrize("row", ["unicast", "both"])
@pytest.mark.parametrize("lifespan", ["-1", "5000"])
def test_none_is_started_for_another_hosts_address(
    mojan: Host, presanella: Host, row: str, lifespan: str, version: str
) -> None:
    done = mojan.flom(*words(row, presanella, version), "-d", lifespan, "--", "true")
    assert done.returncode == 99
    assert getattr(presanella, version) in done.stderr
    assert mojan.processes() == {}
