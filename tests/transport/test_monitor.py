"""What ZeroMQ tells of connections, in its order."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import pytest
import zmq

from holdfast.transport.monitor import Monitor
from support import LIMIT, wait_until


@pytest.fixture
def router() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        yield router


@pytest.fixture
def failures() -> Counter[str]:
    return Counter()


@pytest.fixture
def monitor(router: zmq.Socket[bytes], failures: Counter[str]) -> Iterator[Monitor]:
    monitor = Monitor(router.context, router, failures)
    yield monitor
    monitor.close()


def heard(monitor: Monitor, number: int) -> list[tuple[int, bool]]:
    found: list[tuple[int, bool]] = []

    def look() -> bool:
        monitor.socket.poll(10)
        while (change := monitor.next()) is not None:
            found.append(change)
        return len(found) >= number

    wait_until(look, f"{number} changes")
    return found


def test_who_comes_and_goes_is_told_in_this_order(router: zmq.Socket[bytes], monitor: Monitor) -> None:
    assert monitor.next() is None
    port = router.bind_to_random_port("tcp://127.0.0.1")
    socket.create_connection(("127.0.0.1", port)).close()
    [(came, first), (went, last)] = heard(monitor, 2)
    assert (came, first, last) == (went, True, False)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"\xff" + bytes(8) + b"\x7f", "ended amid the handshake"),
        (b"\xff" + bytes(8) + b"\x7f\x03\x00GSSAPI" + bytes(46), "does not speak the protocol"),
    ],
)
def test_who_comes_to_nothing_is_counted_by_what_was_wrong(
    router: zmq.Socket[bytes], monitor: Monitor, failures: Counter[str], said: bytes, kind: str
) -> None:
    port = router.bind_to_random_port("tcp://127.0.0.1")
    with socket.create_connection(("127.0.0.1", port)) as bad:
        bad.sendall(said)
        bad.shutdown(socket.SHUT_WR)
        assert [came for _, came in heard(monitor, 2)] == [True, False]
    assert failures == {kind: 1}


def test_however_many_come_unheard_the_next_one_is_served(router: zmq.Socket[bytes], monitor: Monitor) -> None:
    """A full queue would stop the thread that serves all connections."""
    router.setsockopt(zmq.BACKLOG, 4096)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    for _ in range(1500):
        socket.create_connection(("127.0.0.1", port)).close()
    with socket.create_connection(("127.0.0.1", port), LIMIT) as newcomer:
        assert newcomer.recv(1) == b"\xff"  # the greeting
        assert sum(came for _, came in heard(monitor, 3001)) == 1501
