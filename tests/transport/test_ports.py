"""Listening on TCP: how a port is found, who may come by it, and how newcomers wait at it."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Iterator

import pytest

from holdfast.transport.errors import Unreachable
from holdfast.transport.listeners import Origin
from holdfast.transport.peers import Keepalive
from holdfast.transport.ports import TcpListener, TcpPlace, keep_port, named, peer_of
from support import LIMIT

HERE = TcpPlace(socket.AF_INET, ("127.0.0.1", 0))
HERE_6 = TcpPlace(socket.AF_INET6, ("::1", 0, 0, 0))


@pytest.fixture
def listener() -> Iterator[TcpListener]:
    listener = TcpListener(HERE)
    yield listener
    listener.close()


def free_ports() -> tuple[int, int]:
    """Two neighbours that nobody uses now."""
    while True:
        with TcpListenerOnce() as low:
            try:
                TcpListener(TcpPlace(socket.AF_INET, ("127.0.0.1", low + 1))).close()
            except Unreachable:
                continue
        return low, low + 1


class TcpListenerOnce:
    def __enter__(self) -> int:
        self._listener = TcpListener(HERE)
        return self._listener.port

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def connected(listener: TcpListener) -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection."""
    descriptor = listener.resume()
    assert descriptor is not None
    with socket.socket(fileno=descriptor) as accepting:
        client = socket.create_connection(("127.0.0.1", listener.port), LIMIT)
        accepting.setblocking(True)
        return client, accepting.accept()[0]


def test_port_nought_is_one_that_the_system_chooses(listener: TcpListener) -> None:
    assert listener.port > 0
    assert str(listener) == f"127.0.0.1:{listener.port}"


def test_an_address_that_somebody_has_is_refused_with_a_sentence(listener: TcpListener) -> None:
    with pytest.raises(Unreachable, match=rf"cannot listen at 127\.0\.0\.1:{listener.port}: Address already in use"):
        TcpListener(TcpPlace(socket.AF_INET, ("127.0.0.1", listener.port)))


def at(host: str, port: int = 0) -> TcpPlace:
    return TcpPlace(socket.AF_INET6, (host, port, 0, 0)) if ":" in host else TcpPlace(socket.AF_INET, (host, port))


@pytest.mark.parametrize("again", ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::"])
def test_a_port_that_is_kept_is_nobody_elses_whatever_the_address_is_called(host: str, again: str) -> None:
    listener = TcpListener(at(host))
    port = listener.port
    kept = listener.share()
    client, served = connected(listener)
    listener.close()
    for _ in range(2):  # several processes do it
        keep_port(kept)
    with socket.socket() as newcomer:
        assert newcomer.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    with pytest.raises(Unreachable, match="the port is taken, and nobody answers there; a daemon that died has it"):
        TcpListener(at(again, port))
    client.sendall(b"still here")
    assert served.recv(10) == b"still here"
    os.close(kept)
    TcpListener(at(again, port)).close()
    client.close()
    served.close()


def test_a_port_whose_last_keeper_leaves_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = TcpListener(HERE)
    kept = listener.share()
    port = listener.port
    keep_port(kept)
    listener.close()
    monkeypatch.setattr("time.sleep", lambda seconds: os.close(kept))
    TcpListener(at("127.0.0.1", port), patience=LIMIT).close()


def test_an_address_of_somebody_else_is_refused_with_a_sentence() -> None:
    with pytest.raises(Unreachable, match=r"cannot listen at 192\.0\.2\.1:7: "):
        TcpListener(TcpPlace(socket.AF_INET, ("192.0.2.1", 7)))


def test_the_first_free_port_of_a_range_is_taken_until_there_is_none() -> None:
    ports = free_ports()
    place = HERE.elsewhere(ports)
    taken = [TcpListener(place), TcpListener(place)]
    assert tuple(each.port for each in taken) == ports
    with pytest.raises(Unreachable, match=f"^no port is free in {ports[0]}-{ports[1]}$"):
        TcpListener(place)
    taken.pop(0).close()
    again = TcpListener(place)
    assert again.port == ports[0]
    for each in (*taken, again):
        each.close()


def test_elsewhere_is_the_same_address_without_its_port() -> None:
    place = TcpPlace(socket.AF_INET6, ("fe80::1", 28015, 0, 2), keepalive=Keepalive(1, 2, 3))
    assert place.elsewhere((5, 9)) == TcpPlace(socket.AF_INET6, ("fe80::1", 0, 0, 2), (5, 9), Keepalive(1, 2, 3))


@pytest.mark.parametrize(("host", "ipv4_too"), [("::", True), ("::ffff:127.0.0.1", True), ("::1", False)])
def test_ipv4_comes_only_by_an_address_that_means_it(host: str, ipv4_too: bool) -> None:
    listener = TcpListener(TcpPlace(socket.AF_INET6, (host, 0, 0, 0)))
    with socket.socket() as client:
        assert (client.connect_ex(("127.0.0.1", listener.port)) == 0) is ipv4_too
    listener.close()


def test_who_connects_during_a_pause_waits_and_is_let_in_after_it(listener: TcpListener) -> None:
    client, served = connected(listener)
    descriptor = os.dup(served.fileno())
    listener.pause()
    with socket.socket() as newcomer:
        newcomer.setblocking(False)
        newcomer.connect_ex(("127.0.0.1", listener.port))
        client.sendall(b"still here")
        assert served.recv(10) == b"still here"
        assert not select.select([], [newcomer], [], 0)[1]
        assert listener.resume() is None
        assert select.select([], [newcomer], [], LIMIT)[1] == [newcomer]
        assert newcomer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for each in (client, served, socket.socket(fileno=descriptor)):
        each.close()


def test_a_peer_is_known_by_its_address_and_port(listener: TcpListener) -> None:
    client, served = connected(listener)
    assert peer_of(served.fileno()) == f"127.0.0.1/{client.getsockname()[1]}"
    assert Origin(peer_of(served.fileno())).host == "127.0.0.1"
    client.close()
    served.close()


def test_an_ipv4_peer_of_an_ipv6_socket_is_known_by_its_ipv4_address() -> None:
    listener = TcpListener(TcpPlace(socket.AF_INET6, ("::", 0, 0, 0)))
    client, served = connected(listener)
    assert peer_of(served.fileno()).startswith("127.0.0.1/")
    for each in (client, served, listener):
        each.close()


def test_nobody_at_the_other_end_has_no_name(listener: TcpListener) -> None:
    with socket.socket() as alone:
        assert peer_of(alone.fileno()) == ""
    assert peer_of(999_999) == ""


def test_addresses_are_written_as_people_do() -> None:
    assert named(("127.0.0.1", 0), 7) == "127.0.0.1:7"
    assert named(("::1", 0, 0, 0), 7) == "[::1]:7"
    assert named(("fe80::1", 0, 0, 1), 7) == f"[fe80::1%{socket.if_indextoname(1)}]:7"
