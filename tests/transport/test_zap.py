"""The doorkeeper without a network: ZeroMQ's questions are asked by the test."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from holdfast.transport import keys
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.keys import DaemonKeys
from holdfast.transport.listeners import Origin
from holdfast.transport.ports import TcpListener, TcpPlace
from holdfast.transport.sockets import Arrival, Router
from holdfast.transport.wire import MAX_FRAME
from holdfast.transport.zap import QUESTIONS, Doorkeeper
from holdfast.transport.zmtp import Wire
from support import wait_until

SOON = 10_000  # ms


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


@pytest.fixture
def admitted(tmp_path: Path) -> Path:
    directory = tmp_path / "admitted"
    directory.mkdir()
    return directory


@pytest.fixture
def doorkeeper(context: zmq.Context[zmq.Socket[bytes]], admitted: Path, tmp_path: Path) -> Iterator[Doorkeeper]:
    own = keys.read_pair(keys.create(str(tmp_path), "daemon")[1])
    doorkeeper = Doorkeeper(context, DaemonKeys(own, str(admitted)))
    yield doorkeeper
    doorkeeper.stop()


@pytest.fixture
def zeromq(context: zmq.Context[zmq.Socket[bytes]], doorkeeper: Doorkeeper) -> Iterator[zmq.Socket[bytes]]:
    """What asks: in a process, ZeroMQ itself."""
    with context.socket(zmq.DEALER) as asking:
        asking.connect("inproc://zeromq.zap.01")
        yield asking


def ask(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper, key: bytes, mechanism: bytes = b"CURVE") -> list[bytes]:
    """Status and user id for somebody who proved that he has ``key``."""
    zeromq.send_multipart([b"", b"1.0", b"7", b"", b"192.0.2.7", b"", mechanism, key])
    doorkeeper.answer_some()
    assert zeromq.poll(SOON)
    _, version, number, status, _, user, _ = zeromq.recv_multipart()
    assert (version, number) == (b"1.0", b"7")
    return [status, user]


def test_who_is_admitted_gets_his_name(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper, admitted: Path) -> None:
    alice = z85.decode(keys.read_public(keys.create(str(admitted), "alice")[0]))
    root = z85.decode(keys.read_public(keys.create(str(admitted / "admins"), "root")[0]))
    assert ask(zeromq, doorkeeper, alice) == [b"200", b"alice"]
    assert ask(zeromq, doorkeeper, root) == [b"200", b"admins/root"]


def test_who_is_not_gets_none(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper) -> None:
    assert not doorkeeper.refused
    assert ask(zeromq, doorkeeper, bytes(32)) == [b"400", b""]
    assert doorkeeper.refused == "192.0.2.7"


def test_a_key_is_looked_for_each_time(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper, admitted: Path) -> None:
    path = keys.create(str(admitted), "alice")[0]
    alice = z85.decode(keys.read_public(path))
    assert ask(zeromq, doorkeeper, alice)[0] == b"200"
    Path(path).unlink()
    assert ask(zeromq, doorkeeper, alice)[0] == b"400"


def test_several_questions_are_answered_at_once(
    zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    with context.socket(zmq.DEALER) as another:
        another.connect("inproc://zeromq.zap.01")
        for asking in (zeromq, another):
            asking.send_multipart([b"", b"1.0", b"1", b"", b"", b"", b"CURVE", bytes(32)])
        doorkeeper.answer_some()
        assert zeromq.poll(SOON)
        assert another.poll(SOON)


def test_a_crowd_is_answered_a_few_at_a_time(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper) -> None:
    for _ in range(QUESTIONS + 1):
        zeromq.send_multipart([b"", b"1.0", b"1", b"", b"", b"", b"CURVE", bytes(32)])
    answered = []
    for _ in range(2):
        doorkeeper.answer_some()
        while zeromq.poll(0):
            zeromq.recv_multipart()
            answered.append(1)
        answered.append(0)
    assert answered == [*[1] * QUESTIONS, 0, 1, 0]


def test_what_is_no_question_is_refused_and_does_no_harm(zeromq: zmq.Socket[bytes], doorkeeper: Doorkeeper) -> None:
    zeromq.send_multipart([b"", b"1.0", b"1"])
    doorkeeper.answer_some()
    assert zeromq.recv_multipart()[3] == b"400"
    assert ask(zeromq, doorkeeper, b"", b"CURVE") == [b"400", b""]


def test_a_directory_that_cannot_be_used_is_told_at_the_start(
    context: zmq.Context[zmq.Socket[bytes]], tmp_path: Path
) -> None:
    own = keys.read_pair(keys.create(str(tmp_path), "daemon")[1])
    with pytest.raises(InvalidSetting, match="is not there"):
        Doorkeeper(context, DaemonKeys(own, str(tmp_path / "nowhere")))


def test_a_router_that_is_guarded_lets_nobody_in_who_speaks_in_plain(
    context: zmq.Context[zmq.Socket[bytes]], doorkeeper: Doorkeeper
) -> None:
    with context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as client:
        client.linger = 0
        doorkeeper.guard(router)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        monitor = router.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        client.connect(f"tcp://127.0.0.1:{port}")
        client.send(b"hi")
        assert monitor.poll(SOON)
        assert not router.poll(0)
        router.disable_monitor()


# --- an actor's mailbox -----------------------------------------------------------------------------------------------


def next_arrival(router: Router) -> Arrival:
    found: list[Arrival] = []

    def look() -> bool:
        router.wait(10)
        received = router.receive(())
        found.extend([received[1]] if received is not None and isinstance(received[1], Arrival) else [])
        return bool(found)

    wait_until(look, "a message")
    return found[0]


def test_a_router_with_keys_answers_while_it_waits_and_tells_whose_key_it_was(admitted: Path, tmp_path: Path) -> None:
    daemon = keys.read_pair(keys.create(str(tmp_path), "daemon")[1])
    mine = keys.read_pair(keys.create(str(tmp_path), "root")[1])
    (admitted / "admins").mkdir()
    (admitted / "admins" / "root.key").write_bytes((tmp_path / "root.key").read_bytes())
    place = TcpPlace(socket.AF_INET, ("127.0.0.1", 0), keys=DaemonKeys(daemon, str(admitted)))
    listener = TcpListener(place.elsewhere(None))
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, zmq.Context() as context:
        router = Router(f"{directory}/s", limit=1000, tcp=listener)
        with context.socket(zmq.DEALER) as client:
            client.curve_serverkey, client.curve_publickey, client.curve_secretkey = (
                daemon.public,
                mine.public,
                mine.secret,
            )
            client.connect(f"tcp://127.0.0.1:{listener.port}")
            client.send(b"x" * MAX_FRAME)
            arrival = next_arrival(router)
            assert arrival.frame == b"x" * MAX_FRAME
            assert (arrival.origin.key, arrival.origin.admin, arrival.origin.trusted) == ("root", True, False)
        assert not any(router.failed_from.values())
        with context.socket(zmq.DEALER) as stranger:
            stranger.curve_serverkey = daemon.public
            stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
            stranger.connect(f"tcp://127.0.0.1:{listener.port}")
            wait_until(lambda: (router.wait(10), router.changes()) and router.failures, "the refusal")
            assert (dict(router.failures), router.failed_from) == (
                {"is not admitted": 1},
                {"is not admitted": "127.0.0.1"},
            )
        with closing(Wire(f"{directory}/s")) as plain:
            plain.send(b"hi")
            arrival = next_arrival(router)
            assert arrival.origin == Origin()
        router.close()
