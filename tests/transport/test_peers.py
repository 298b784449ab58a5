"""A TCP connection is made within its time, watched by the kernel, and never one to ourselves."""

from __future__ import annotations

import _socket
import errno
import socket
from collections.abc import Iterator

import pytest

from holdfast.transport.errors import RemoteProtocolError, Unreachable
from holdfast.transport.peers import Keepalive, Peer

LIMIT = 30.0  # seconds; nothing here should ever take so long
V4 = Peer(socket.AF_INET, ("127.0.0.1", 5))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def connection() -> Iterator[_socket.socket]:
    connection = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    yield connection
    connection.close()


def peer_of(listener: socket.socket, keepalive: Keepalive = Keepalive()) -> Peer:  # noqa: B008  # frozen
    return Peer(socket.AF_INET, listener.getsockname(), keepalive)


def test_a_connection_sends_at_once_and_is_watched(listener: socket.socket, connection: _socket.socket) -> None:
    peer_of(listener, Keepalive(7, 3, 2)).connect(connection, LIMIT)
    tcp = socket.IPPROTO_TCP
    options = (socket.TCP_NODELAY, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    assert [connection.getsockopt(tcp, option) for option in options] == [1, 7, 3, 2]
    assert connection.getsockopt(tcp, socket.TCP_USER_TIMEOUT) == 13_000
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert connection.gettimeout() == 0.0


def test_what_the_kernel_does_not_take_is_cut(connection: _socket.socket) -> None:
    assert Keepalive(0, -1, 0) == Keepalive(1, 1, 1)
    most = Keepalive(10**9, 10**9, 10**9)
    assert most == Keepalive(32_767, 32_767, 127)
    assert most.unacknowledged == 2**31 - 1  # milliseconds; less than its probes take
    most.apply(connection)
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 127


def test_where_nobody_listens_the_connection_is_refused(listener: socket.socket, connection: _socket.socket) -> None:
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        Peer(socket.AF_INET, ("127.0.0.1", _free_port())).connect(connection, LIMIT)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as once:
        return int(once.getsockname()[1])


def test_who_never_accepts_is_not_waited_for_longer_than_we_are_patient(connection: _socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(8):  # more than a backlog of 0 takes
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        with pytest.raises(Unreachable, match=r"has not answered for 0\.01s"):
            peer_of(full).connect(connection, 0.01)
        for one in waiting:
            one.close()


class Blackholed(_socket.socket):
    """What the kernel says where a route is a black hole."""

    def connect_ex(self, address: object) -> int:
        return errno.EINVAL


def test_no_way_is_told_as_such_where_a_route_swallows_everything() -> None:
    connection = Blackholed(_socket.AF_INET, _socket.SOCK_STREAM)
    with pytest.raises(OSError, match="no way leads there") as caught:
        Peer(socket.AF_INET, ("192.0.2.1", 28015)).connect(connection, LIMIT)
    connection.close()
    assert caught.value.errno == errno.ENETUNREACH


def test_a_connection_that_meets_itself_is_none(connection: _socket.socket) -> None:
    connection.bind(("127.0.0.1", 0))
    with pytest.raises(ConnectionRefusedError):
        Peer(socket.AF_INET, connection.getsockname()).connect(connection, LIMIT)


def test_another_port_of_the_same_host_is_beside() -> None:
    scoped = Peer(socket.AF_INET6, ("fe80::1", 5, 0, 2), Keepalive(1, 2, 3))
    assert scoped.beside("7") == Peer(socket.AF_INET6, ("fe80::1", 7, 0, 2), Keepalive(1, 2, 3))
    assert V4.beside("65535").sockaddr == ("127.0.0.1", 65535)


@pytest.mark.parametrize("address", ["", "0", "65536", "locker-1.sock", "-1", "+1", "1 ", "٣", "00000000001"])
def test_what_is_no_port_is_not_beside(address: str) -> None:
    with pytest.raises(RemoteProtocolError, match="names a locker at no port"):
        V4.beside(address)


def test_a_peer_is_told_as_an_endpoint() -> None:
    assert str(V4) == "tcp://127.0.0.1:5"
    assert str(Peer(socket.AF_INET6, ("fe80::1", 5, 0, 2))) == "tcp://[fe80::1%2]:5"
