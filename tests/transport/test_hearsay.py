"""Which answers to the question for a group's daemon can be true."""

from __future__ import annotations

from math import inf

import pytest

from holdfast.transport.hearsay import LONGEST_LIFE, credible
from holdfast.transport.messages import Here

ELSEWHERE = "192.0.2.1"  # an address for documentation: no host has it


def here(*, age: float = 10.0, port: int = 4711, address: str = "") -> Here:
    return Here(bytes(16), bytes(16), age, port, address, "")


@pytest.mark.parametrize(("port", "counts"), [(0, False), (1, True), (65535, True), (65536, False), (9999999, False)])
def test_it_names_a_port(port: int, counts: bool) -> None:
    assert credible(here(port=port), ELSEWHERE) is counts


@pytest.mark.parametrize(("age", "counts"), [(0.0, True), (LONGEST_LIFE, True), (1e300, False), (inf, False)])
def test_no_daemon_runs_for_more_than_a_hundred_years(age: float, counts: bool) -> None:
    assert credible(here(age=age), ELSEWHERE) is counts


@pytest.mark.parametrize(
    ("address", "counts"),
    [
        ("", True),
        ("198.51.100.1", True),
        ("2001:db8::2", True),
        ("fe80::2", True),
        ("::ffff:198.51.100.1", True),
        ("node1", False),
        ("fe80::2%eth0", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:0.0.0.0", False),
        ("239.255.0.1", False),
        ("255.255.255.255", False),
        ("ff15::1", False),
    ],
)
def test_it_names_one_host_by_its_address_or_leaves_it_out(address: str, counts: bool) -> None:
    assert credible(here(address=address), ELSEWHERE) is counts


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_a_loopback_address_counts_only_from_this_host(address: str) -> None:
    assert not credible(here(address=address), ELSEWHERE)
    assert not credible(here(address=address), "2001:db8::1")
    assert credible(here(address=address), "127.0.0.1")
