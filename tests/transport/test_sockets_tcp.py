"""The mailbox of an actor that listens on TCP besides: nobody is taken for somebody else, and no dead peer stays."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from holdfast.transport.listeners import Origin
from holdfast.transport.messages import Gone
from holdfast.transport.peers import Keepalive, Peer
from holdfast.transport.ports import TcpListener, TcpPlace
from holdfast.transport.sockets import Arrival, Change, Router
from holdfast.transport.wire import encode
from holdfast.transport.zmtp import Closed, Wire, frame_bytes
from support import LIMIT, checkout_environ, wait_until

PLACE = TcpPlace(socket.AF_INET, ("127.0.0.1", 0), keepalive=Keepalive(7, 3, 2))
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield f"{directory}/s"


@pytest.fixture
def listener() -> TcpListener:
    return TcpListener(PLACE)


@pytest.fixture
def router(path: str, listener: TcpListener) -> Iterator[Router]:
    router = Router(path, limit=1000, tcp=listener)
    yield router
    router.close()


def peer(listener: TcpListener) -> Peer:
    return Peer(socket.AF_INET, ("127.0.0.1", listener.port), Keepalive())


def changes(router: Router, number: int) -> list[Change]:
    found: list[Change] = []

    def look() -> bool:
        router.wait(10)
        found.extend(router.changes())
        return len(found) >= number

    wait_until(look, f"{number} changes")
    return found


def next_message(router: Router, known: tuple[bytes, ...] = ()) -> tuple[bytes, bytes | Arrival]:
    def look() -> tuple[bytes, bytes | Arrival] | None:
        router.wait(10)
        return router.receive(known)

    return wait_until(look, "a message")  # type: ignore[return-value]  # true, so not None


def arrival(router: Router) -> tuple[bytes, Arrival]:
    routing_id, content = next_message(router)
    assert isinstance(content, Arrival)
    return routing_id, content


def greeted(connection: socket.socket, identity: bytes = b"", **more: bytes) -> None:
    """Speak ZMTP up to READY, with a routing id of one's own choice, and whatever else one says of oneself."""
    said = {"Socket-Type": b"DEALER", "Identity": identity, **more}
    properties = b"".join(
        bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value for name, value in said.items()
    )
    ready = b"\x05READY" + properties
    connection.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
    connection.settimeout(LIMIT)
    heard = b""
    while b"READY" not in heard:  # before it, the first message would not be taken as one
        heard += connection.recv(1000)


def test_who_comes_by_tcp_is_known_by_address_and_port_and_has_no_credentials(
    router: Router, listener: TcpListener
) -> None:
    wire = Wire(peer(listener))
    wire.send(b"hello")
    [change] = changes(router, 1)
    assert change.fd < 0
    routing_id, arrived = arrival(router)
    with socket.socket(fileno=os.dup(wire.fileno())) as copy:
        port = copy.getsockname()[1]
    assert arrived == Arrival(change.fd, None, b"hello", Origin(f"127.0.0.1/{port}", trusted=False))
    assert routing_id.startswith(b"\0")
    wire.close()
    assert changes(router, 1) == [Change(change.fd, came=False)]


def test_each_is_answered_on_its_own_transport(router: Router, listener: TcpListener, path: str) -> None:
    wires = [Wire(path), Wire(peer(listener)), Wire(peer(listener)), Wire(path)]
    known = {}
    for number, wire in enumerate(wires):
        wire.send(b"hello")
        routing_id, _ = arrival(router)
        known[routing_id] = bytes([number])
    assert sorted(map(len, known)) == [5, 5, 6, 6]
    for routing_id, answer in known.items():
        assert router.send(routing_id, answer)
    for number, wire in enumerate(wires):
        assert wire.receive(LIMIT) == bytes([number])
        wire.send(b"again")
        routing_id, frame = next_message(router, tuple(known))
        assert (known[routing_id], frame) == (bytes([number]), b"again")
        wire.close()


def test_a_descriptor_is_another_one_on_the_other_transport(router: Router, listener: TcpListener, path: str) -> None:
    """Its number may be used again by a connection of the other transport before we hear that the first one went."""
    wire = Wire(peer(listener))
    [came] = changes(router, 1)
    wire.close()
    wait_until(lambda: not os.path.exists(f"/proc/self/fd/{~came.fd}"), "the end of the connection")
    local = Wire(path)
    local.send(b"hello")
    assert router.shut(came.fd, {came.fd}) in (
        [Change(~came.fd, came=True), Change(came.fd, came=False)],
        [Change(came.fd, came=False), Change(~came.fd, came=True)],
    )
    assert next_message(router)[1][2] == b"hello"
    local.close()


def test_who_is_shut_hears_the_end_and_nobody_else_does(router: Router, listener: TcpListener, path: str) -> None:
    local, wire = Wire(path), Wire(peer(listener))
    by_tcp = next(change.fd for change in changes(router, 2) if change.fd < 0)
    router.shut(by_tcp, {by_tcp})
    with pytest.raises(Closed):
        wire.receive(LIMIT)
    local.send(b"still here")
    assert next_message(router)[1][2] == b"still here"
    for each in (local, wire):
        each.close()


@pytest.mark.parametrize("identity", [b"\0abc", b"\0abcd\1", b"chosen"])
def test_a_routing_id_of_ones_own_choice_is_nobody_elses(
    router: Router, listener: TcpListener, path: str, identity: bytes
) -> None:
    """Four bytes by TCP would look like five that libzmq gave to a UNIX connection, six there like five by TCP."""
    for family, place in ((socket.AF_INET, ("127.0.0.1", listener.port)), (socket.AF_UNIX, path)):
        with socket.socket(family) as connection:
            connection.connect(place)
            greeted(connection, identity)
            connection.sendall(frame_bytes(b"hello"))
            routing_id, _ = next_message(router, (identity, identity + b"\1"))
            assert not routing_id.startswith(b"\0")


FORGED = {"User-Id": b"admins/evil", "Peer-Address": b"localhost:4711:4711:1", "__fd": b"1", "Identity": b""}


def test_what_a_client_says_of_itself_in_its_handshake_makes_it_nobody_else(
    router: Router, listener: TcpListener, path: str
) -> None:
    """libzmq keeps the properties that a peer sends in one table with its own."""
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        greeted(connection, **FORGED)
        connection.sendall(frame_bytes(b"hello"))
        [change] = changes(router, 1)
        port = connection.getsockname()[1]
        origin = Origin(f"127.0.0.1/{port}", trusted=False)
        assert arrival(router)[1] == Arrival(change.fd, None, b"hello", origin)
    changes(router, 1)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        greeted(connection, **FORGED)
        connection.sendall(frame_bytes(b"hello"))
        [change] = changes(router, 1)
        assert arrival(router)[1] == Arrival(change.fd, (os.geteuid(), os.getpid()), b"hello", Origin())


def test_nobody_can_foresee_which_routing_ids_are_given(path: str) -> None:
    """Who chose one that is about to be given would make libzmq abort."""
    given = set()
    for number in range(2):
        ctypes.CDLL(None).srand(1)
        router = Router(f"{path}-{number}", limit=1000)
        wire = Wire(f"{path}-{number}")
        wire.send(b"hello")
        given.add(arrival(router)[0])
        wire.close()
        router.close()
    assert len(given) == 2


def test_the_kernel_watches_over_each_connection(router: Router, listener: TcpListener) -> None:
    wire = Wire(peer(listener))
    [change] = changes(router, 1)
    with socket.socket(fileno=os.dup(~change.fd)) as theirs:
        assert theirs.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        asked = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [theirs.getsockopt(socket.IPPROTO_TCP, option) for option in asked] == [7, 3, 2, 13_000]
    wire.close()


def test_what_is_no_client_is_counted_and_hurts_nobody(router: Router, listener: TcpListener) -> None:
    good = Wire(peer(listener))
    with socket.create_connection(("127.0.0.1", listener.port)) as bad:
        bad.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00GSSAPI" + bytes(46))
        bad.settimeout(LIMIT)
        while bad.recv(1000):
            pass
    changes(router, 3)
    assert router.failures == {"does not speak the protocol": 1}
    good.send(encode(Gone()))
    assert next_message(router)[1][2] == encode(Gone())
    good.close()


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x00\xf4" + bytes(range(244)), b"\x01\x00\x03\x00ab" * 3])
def test_what_is_taken_for_an_old_version_of_zmtp_is_from_nobody(
    router: Router, listener: TcpListener, said: bytes
) -> None:
    """A TLS hello is; libzmq does not know by which descriptor such a message came."""
    with socket.create_connection(("127.0.0.1", listener.port)) as bad:
        bad.sendall(said)
        [change] = changes(router, 1)
        _, arrived = arrival(router)
        assert arrived.fd not in (change.fd, ~change.fd)
        assert arrived.origin.peer == ""


def test_a_connection_is_made_though_the_keepalive_is_beyond_what_the_kernel_takes(path: str) -> None:
    listener = TcpListener(TcpPlace(socket.AF_INET, ("127.0.0.1", 0), keepalive=Keepalive(10**9, 0, 10**9)))
    router = Router(path, limit=1000, tcp=listener)
    wire = Wire(peer(listener))
    wire.send(b"hello")
    assert arrival(router)[1].frame == b"hello"
    wire.close()
    router.close()


def test_after_it_stopped_listening_nobody_gets_in_and_those_inside_are_served(
    router: Router, listener: TcpListener
) -> None:
    inside = Wire(peer(listener))
    router.stop_listening()
    assert not router.listening
    with socket.socket() as newcomer:
        newcomer.setblocking(False)
        newcomer.connect_ex(("127.0.0.1", listener_port(inside)))
        inside.send(b"still here")
        assert next_message(router)[1][2] == b"still here"
        assert not select.select([], [newcomer], [], 0)[1]
    inside.close()


def listener_port(wire: Wire) -> int:
    with socket.socket(fileno=os.dup(wire.fileno())) as copy:
        return int(copy.getpeername()[1])


SERVER = """
import resource, socket, sys
from holdfast.transport.ports import TcpListener, TcpPlace
from holdfast.transport.sockets import Router, raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
listener = TcpListener(TcpPlace(socket.AF_INET, ("127.0.0.1", 0)))
router = Router(sys.argv[1], limit=raise_descriptor_limit(), tcp=listener)
print(listener.port, flush=True)
paused = False
while True:
    router.wait(None)
    router.changes()
    if router.listening == paused:
        paused = not paused
        print("paused" if paused else "again", flush=True)
    while (received := router.receive(())) is not None:
        router.send(received[0], received[1].frame)
"""


@pytest.mark.slow
def test_with_few_descriptors_connections_wait_and_are_served_later(path: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, path], env=checkout_environ(), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert server.stdout is not None
    inside: list[Wire] = []
    try:
        where = ("127.0.0.1", int(server.stdout.readline()))

        def answered() -> Wire:
            wire = Wire(Peer(socket.AF_INET, where, Keepalive()))
            wire.send(b"you there?")
            assert wire.receive(LIMIT) == b"you there?"
            return wire

        for _ in range(2):
            while not select.select([server.stdout], [], [], 0)[0]:
                inside.append(answered())  # one at a time: the next one comes when the server has seen this one
            assert server.stdout.readline() == "paused\n"
            with socket.socket() as newcomer:
                newcomer.setblocking(False)
                newcomer.connect_ex(where)
                inside[0].send(b"still here")
                assert inside[0].receive(LIMIT) == b"still here"
                assert not select.select([], [newcomer], [], 0)[1]
                while inside:
                    inside.pop().close()
                assert server.stdout.readline() == "again\n"
                newcomer.settimeout(LIMIT)
                assert newcomer.recv(1) == b"\xff"  # the greeting
            answered().close()
        assert server.poll() is None
    finally:
        server.kill()
        server.communicate(timeout=LIMIT)
        for wire in inside:
            wire.close()
