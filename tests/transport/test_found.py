"""What is said of several daemons; which is the eldest of them is tried with the search, in ``test_multicast.py``."""

from __future__ import annotations

import pytest

from holdfast.transport.endpoints import Tcp
from holdfast.transport.found import Found, several, split_brain

A, B = b"a" * 16, b"b" * 16


def test_a_split_brain_is_told_with_all_addresses() -> None:
    found = [Found(A, 9.0, "192.0.2.1", 1, "", 0.1, 1.0), Found(B, 1.0, "192.0.2.2", 2, "", 0.1, 9.0)]
    sentence = split_brain(Tcp("239.255.0.1", 28015), found)
    assert "split brain" in sentence
    assert "2 daemons answer to the group 239.255.0.1:28015 (192.0.2.1:1, 192.0.2.2:2)" in sentence


def test_it_is_told_how_to_end_all_but_the_one_that_everybody_uses() -> None:
    hosts = ("192.0.2.1", "192.0.2.2", "fe80::1%eth0")
    found = [Found(A, 9.0, host, port, "", 0.1, 1.0) for port, host in enumerate(hosts, 1)]
    assert split_brain(Tcp("239.255.0.1", 28015), found).endswith(
        "end all but the first: holdfast stop --endpoint tcp://192.0.2.2:2; "
        "holdfast stop --endpoint tcp://[fe80::1%eth0]:3"
    )


@pytest.mark.parametrize(("age", "told"), [(2.9, "have just been started"), (3.0, "split brain")])
def test_those_that_may_still_agree_are_not_called_a_split_brain(age: float, told: str) -> None:
    found = [Found(A, 1.0, "192.0.2.1", 1, "", 0.1, 9.0), Found(B, age, "192.0.2.2", 2, "", 0.1, 9.9)]
    sentence = several(Tcp("239.255.0.1", 28015), found)
    assert told in sentence
    assert "192.0.2.1:1, 192.0.2.2:2" in sentence
