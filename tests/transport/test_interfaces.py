"""The network interfaces of this machine."""

from __future__ import annotations

import socket

import pytest

from holdfast.transport import interfaces
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.interfaces import IFF_LOOPBACK, IFF_MULTICAST, IFF_UP

UP_LOOPBACK, UP_CARD, DOWN_CARD, UP_LINE = (
    IFF_UP | IFF_LOOPBACK,
    IFF_UP | IFF_MULTICAST,
    IFF_MULTICAST,
    IFF_UP,  # a point-to-point line without multicast
)


def having(monkeypatch: pytest.MonkeyPatch, *flags: int) -> None:
    """This machine has interfaces 1, 2 … with those flags."""
    names = [(number, str(number)) for number in range(1, len(flags) + 1)]
    monkeypatch.setattr("_socket.if_nameindex", lambda: names)
    monkeypatch.setattr(interfaces, "_flags", lambda asking, name: flags[int(name) - 1])


def test_questions_leave_by_all_that_are_up_and_know_multicast(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, UP_LOOPBACK, UP_CARD, DOWN_CARD, UP_LINE, UP_CARD)
    assert interfaces.outward() == [2, 5]
    assert interfaces.inward() == [1, 2, 5]


def test_a_machine_without_a_network_talks_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, UP_LOOPBACK, DOWN_CARD)
    assert interfaces.outward() == interfaces.inward() == [1]


def test_a_loopback_that_knows_multicast_is_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, UP_LOOPBACK | IFF_MULTICAST, UP_CARD)
    assert interfaces.outward() == [2]
    assert interfaces.inward() == [1, 2]


def test_an_interface_is_known_by_its_name_or_its_number() -> None:
    number = socket.if_nametoindex("lo")
    assert interfaces.number("lo") == interfaces.number(str(number)) == number
    assert number in interfaces.inward()


def test_one_that_is_not_there_is_refused_and_has_no_flags() -> None:
    with pytest.raises(InvalidSetting, match="no network interface no-such-if"):
        interfaces.number("no-such-if")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        assert interfaces._flags(asking, "no-such-if") == 0
