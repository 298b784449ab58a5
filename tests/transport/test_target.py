"""Which daemon the settings mean, and where it has its place on its host."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from holdfast.transport.addresses import Address
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.settings import Settings
from holdfast.transport.target import Target, shown_command_lines, target


def at(path: str) -> Address:
    return Address(path, path + ".d", "/run/h")


def test_without_a_word_it_is_the_daemon_of_this_machine() -> None:
    assert target(Settings()) == Target(
        Address(*(f"/tmp/holdfast-{os.geteuid()}{end}" for end in ("/local/daemon.sock", "/local", "")))
    )


def test_an_endpoint_is_unicast_and_has_a_place_of_its_own() -> None:
    tcp = Tcp("192.0.2.1", 28015)
    found = target(Settings(run_dir="/run/h", endpoint=tcp))
    assert found == Target(at("/run/h/tcp-192.0.2.1-28015.sock"), tcp)
    assert str(found) == "tcp://192.0.2.1:28015"


def test_a_group_has_a_place_of_its_own() -> None:
    group = Tcp("ff15::1", 28015)
    found = target(Settings(run_dir="/run/h", group=group))
    assert found == Target(at("/run/h/group-ff15__1-28015.sock"), None, group)
    assert str(found) == "the group [ff15::1]:28015"


def test_flom_s_words_mean_the_same() -> None:
    unicast = Settings(unicast_address="fe80::1", unicast_port=5, network_interface="eth0", run_dir="/run/h")
    assert target(unicast) == target(Settings(endpoint=Tcp("fe80::1", 5, "eth0"), run_dir="/run/h"))
    scoped = Settings(unicast_address="[fe80::1%eth0]", unicast_port=5, run_dir="/run/h")
    assert target(scoped) == target(unicast)
    multicast = Settings(multicast_address="239.255.0.1", multicast_port=5, run_dir="/run/h")
    assert target(multicast) == target(Settings(group=Tcp("239.255.0.1", 5), run_dir="/run/h"))


def test_an_endpoint_beside_a_group_is_where_the_daemon_is() -> None:
    both = Settings(unicast_address="h", multicast_address="239.255.0.1", run_dir="/run/h")
    assert target(both) == Target(at("/run/h/tcp-h-28015.sock"), Tcp("h", 28015), Tcp("239.255.0.1", 28015))


def test_a_named_socket_is_the_place_of_a_daemon_on_the_network() -> None:
    found = target(Settings(socket="/srv/s", endpoint=Tcp("h", 1)))
    assert found == Target(Address("/srv/s", "/srv/s.d", ""), Tcp("h", 1))


def test_the_interface_does_not_replace_the_scope_of_an_address() -> None:
    assert target(Settings(endpoint=Tcp("fe80::1", 1, "eth1"), network_interface="eth0")).tcp == Tcp(
        "fe80::1", 1, "eth1"
    )


def test_a_group_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="not a multicast group"):
        target(Settings(multicast_address="192.0.2.1"))


@pytest.mark.parametrize(
    "elsewhere",
    [
        Settings(endpoint=Tcp("h", 1)),
        Settings(group=Tcp("239.255.0.1", 1)),
        Settings(unicast_address="h"),
        Settings(multicast_address="239.255.0.1"),
    ],
)
def test_over_the_network_no_more_than_a_commands_name_is_told(elsewhere: Settings) -> None:
    assert shown_command_lines(elsewhere) == "name"
    assert shown_command_lines(replace(elsewhere, command_lines="none")) == "none"
    assert shown_command_lines(Settings()) == "full"
    assert shown_command_lines(replace(elsewhere, curve_key="/k", curve_server="/s")) == "full"


def test_places_of_long_names_are_cut_and_differ() -> None:
    one, other = (target(Settings(endpoint=Tcp("x" * 200 + end, 1), run_dir="/r")).place.socket for end in "ab")
    assert one != other
    assert len(one) < 75
