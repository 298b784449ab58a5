"""An address is taken as it is meant, or refused with a sentence; it can be printed back."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport import endpoints
from holdfast.transport.endpoints import Tcp, parse, parse_group
from holdfast.transport.errors import InvalidSetting


@pytest.mark.parametrize(
    ("text", "tcp"),
    [
        ("tcp://host:28015", Tcp("host", 28015)),
        ("host:1", Tcp("host", 1)),
        ("tcp://192.0.2.1:0", Tcp("192.0.2.1", 0)),
        ("tcp://[::1]:5", Tcp("::1", 5)),
        ("[fe80::1%eth0]:5", Tcp("fe80::1", 5, "eth0")),
        ("tcp://host%eth0:5", Tcp("host", 5, "eth0")),
        ("tcp://[::ffff:192.0.2.1]:5", Tcp("::ffff:192.0.2.1", 5)),
    ],
)
def test_an_endpoint_is_read_and_printed_back(text: str, tcp: Tcp) -> None:
    assert parse(text) == tcp
    assert parse(str(tcp)) == tcp
    assert str(tcp).removeprefix("tcp://") == text.removeprefix("tcp://") == tcp.where


@pytest.mark.parametrize(
    "text",
    [
        *("", "host", "tcp://", ":5", "tcp://:5", "host:", "host:x", "host:65536", "host:-1", "host:+1", "host:1_0"),
        *("::1:5", "[::1]", "[::1]5", "[::1:5", "[host]:5", "[]:5", "host%:5", "a b:5", "udp://host:5", "host:5/x"),
        *("tcp://[::1]:5:6", "h\0:5", "user@host:5", "host:٣"),
    ],
)
def test_what_is_no_endpoint_is_refused_and_its_setting_named(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"such as tcp://") as caught:
        parse(text, "endpoint")
    assert caught.value.key == "endpoint"


@given(st.text(max_size=30))
def test_no_text_is_read_as_something_that_would_not_be_printed_back(text: str) -> None:
    for read in (parse, lambda text: parse_group(text, 28015)):
        try:
            found = read(text)
        except InvalidSetting:
            continue
        assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("239.255.0.1", Tcp("239.255.0.1", 28015)),
        ("239.255.0.1:5", Tcp("239.255.0.1", 5)),
        ("ff15::1", Tcp("ff15::1", 28015)),
        ("[ff15::1]:5", Tcp("ff15::1", 5)),
        ("[ff15::1]", Tcp("ff15::1", 28015)),
        ("ff02::1%eth0", Tcp("ff02::1", 28015, "eth0")),
        ("239.255.0.1%eth0:5", Tcp("239.255.0.1", 5, "eth0")),
    ],
)
def test_a_group_is_read_and_what_is_printed_is_read_again(text: str, group: Tcp) -> None:
    assert parse_group(text, 28015) == group
    assert parse_group(group.where, 1) == group
    assert parse_group(str(group), 1) == group


@pytest.mark.parametrize("text", ["192.0.2.1", "::1", "name", "239.255.0.1:0", "239.255.0.1:x", "", "240.0.0.1"])
def test_what_is_no_group_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        parse_group(text, 28015)


def test_a_literal_address_resolves_to_itself() -> None:
    assert endpoints.resolve(Tcp("127.0.0.1", 5)) == [(socket.AF_INET, ("127.0.0.1", 5))]
    assert endpoints.resolve(Tcp("::1", 5)) == [(socket.AF_INET6, ("::1", 5, 0, 0))]
    assert endpoints.resolve(Tcp("::ffff:127.0.0.1", 5)) == [(socket.AF_INET6, ("::ffff:127.0.0.1", 5, 0, 0))]


def test_a_name_is_all_of_its_addresses_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, 1, 6, "", ("::1", 5, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("127.0.0.1", 5)),
        (socket.AF_INET, 1, 6, "", ("127.0.0.1", 5)),
    ]
    monkeypatch.setattr("_socket.getaddrinfo", lambda *_: found)
    assert endpoints.resolve(Tcp("name", 5)) == [
        (socket.AF_INET6, ("::1", 5, 0, 0)),
        (socket.AF_INET, ("127.0.0.1", 5)),
    ]


def test_an_interface_wants_ipv6_but_has_no_effect_on_a_literal_ipv4_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("_socket.getaddrinfo", lambda *words: asked.append(words) or [])
    endpoints.resolve(Tcp("name", 5, "lo"))
    endpoints.resolve(Tcp("192.0.2.1", 5, "lo"))
    endpoints.resolve(Tcp("name", 5))
    assert [words[2] for words in asked] == [socket.AF_INET6, socket.AF_UNSPEC, socket.AF_UNSPEC]


def test_a_link_local_address_gets_the_number_of_its_interface() -> None:
    number = socket.if_nametoindex("lo")
    assert endpoints.resolve(Tcp("fe80::1", 5, "lo")) == [(socket.AF_INET6, ("fe80::1", 5, 0, number))]
    assert endpoints.resolve(Tcp("fe80::1", 5, "7")) == [(socket.AF_INET6, ("fe80::1", 5, 0, 7))]
    assert endpoints.resolve(Tcp("2001:db8::1", 5, "lo")) == [(socket.AF_INET6, ("2001:db8::1", 5, 0, 0))]


@pytest.mark.parametrize(
    ("tcp", "why"),
    [
        (Tcp("no-such-host.invalid", 5), "cannot be found"),
        (Tcp("x" * 300, 5), "cannot be found"),
        (Tcp("fe80::1", 5), r"\[fe80::1%eth0\]:5"),
        (Tcp("fe80::1", 5, "no-such-if"), "no network interface no-such-if"),
    ],
)
def test_what_cannot_be_resolved_is_told(tcp: Tcp, why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        endpoints.resolve(tcp)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_an_address_that_can_be_bound_is_ours(host: str) -> None:
    assert endpoints.is_ours(*endpoints.resolve(Tcp(host, 1))[0])


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "239.255.0.1", "ff15::1"])
def test_an_address_of_somebody_else_or_of_a_group_is_not_ours(host: str) -> None:
    assert not endpoints.is_ours(*endpoints.resolve(Tcp(host, 1))[0])


def named(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> Tcp:
    """A name of these hosts."""
    found = [endpoints.resolve(Tcp(host, 5))[0] for host in hosts]
    monkeypatch.setattr(endpoints, "resolve", lambda tcp: found)
    return Tcp("name", 5)


def test_the_first_address_of_a_name_that_this_host_has_is_listened_at(monkeypatch: pytest.MonkeyPatch) -> None:
    name = named(monkeypatch, "192.0.2.1", "::1", "127.0.0.1")
    assert endpoints.address_to_bind(name) == (socket.AF_INET6, ("::1", 5, 0, 0))


def test_where_no_address_is_this_hosts_there_is_none_to_listen_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoints.address_to_bind(named(monkeypatch, "192.0.2.1", "239.255.0.1")) is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True)),
        *(("192.0.2.1", False), ("::", False), ("0.0.0.0", False), ("::ffff:192.0.2.1", False), ("fe80::1%2", False)),
    ],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert endpoints.is_loopback((host, 5)) is loopback


@pytest.mark.parametrize(
    ("host", "one"),
    [
        *(("192.0.2.1", True), ("127.0.0.1", True), ("2001:db8::1", True), ("::1", True), ("::ffff:192.0.2.1", True)),
        *(("0.0.0.0", False), ("::", False), ("::ffff:0.0.0.0", False), ("224.0.0.1", False), ("ff15::1", False)),
        *(("255.255.255.255", False), ("node", False), ("", False), ("fe80::1%2", False), ("1.2", False)),
    ],
)
def test_the_literal_address_of_one_host_is_known(host: str, one: bool) -> None:
    assert endpoints.is_unicast(host) is one
