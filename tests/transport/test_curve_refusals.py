"""The wire under CURVE against who should not be let in, or talked to, or listens."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from curve_daemon import HOST, LIMIT, Daemon, place_of, wire_to
from holdfast.transport import curve, discover, keys
from holdfast.transport.errors import Unreachable
from holdfast.transport.peers import Keepalive, Peer, Unanswered


def test_a_key_that_is_not_admitted_is_refused_by_its_file(daemon: Daemon, alice: str) -> None:
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{daemon.port} does not admit the key in {alice}"):
        wire_to(daemon.port, alice, daemon.secret.public)


def test_a_key_that_was_taken_away_is_refused_at_its_next_connection(
    daemon: Daemon, enter: Callable[[], curve.Wire]
) -> None:
    wire = enter()
    (daemon.admitted / "alice.key").unlink()
    with pytest.raises(Unreachable, match="does not admit"):
        enter()
    wire.send(b"still here")
    assert daemon.router.recv_multipart()[1] == b"still here"
    wire.close()


def test_another_daemon_than_the_one_we_know_is_not_talked_to(daemon: Daemon, alice: str, tmp_path: Path) -> None:
    daemon.admit(alice)
    other = keys.read_public(keys.create(str(tmp_path), "other")[0])
    with pytest.raises(Unreachable, match="has another key than the one that --curve-server names"):
        wire_to(daemon.port, alice, other)


def test_a_daemon_without_curve_is_named_as_such(tmp_path: Path, alice: str) -> None:
    daemon = Daemon(tmp_path, curve=False)
    try:
        with pytest.raises(Unreachable, match="speaks no CURVE; leave out --curve-key and --curve-server"):
            wire_to(daemon.port, alice, daemon.secret.public)
    finally:
        daemon.close()


def test_who_has_no_keys_is_told_that_they_are_wanted(daemon: Daemon) -> None:
    with pytest.raises(Unreachable, match="wants CURVE: give --curve-key and --curve-server"):
        discover.enter(place_of(daemon.port, None))


def test_who_has_keys_uses_them_for_lockers_too(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    place = wire.beside(str(daemon.port))
    assert isinstance(place, Peer)
    second = discover.enter(place)
    assert isinstance(second, curve.Wire)
    for each in (wire, second):
        each.close()


def test_a_connection_is_made_though_the_keepalive_is_beyond_what_the_kernel_takes(
    daemon: Daemon, enter: Callable[[], curve.Wire]
) -> None:
    wire = enter()
    assert isinstance(wire.place, Peer)
    second = curve.Wire(replace(wire.place, keepalive=Keepalive(10**9, 10**9, 10**9)), LIMIT)
    for each in (wire, second):
        each.close()


def test_nobody_there_is_told_as_the_kernel_does(alice: str) -> None:
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        with pytest.raises(ConnectionRefusedError):
            wire_to(nobody.getsockname()[1], alice, keys.read_pair(alice).public)


def test_what_is_no_zeromq_is_named(alice: str) -> None:
    with socket.create_server((HOST, 0)) as server:
        thread = threading.Thread(target=_answer_in_http, args=(server,))
        thread.start()
        with pytest.raises(Unreachable, match="does not speak ZMTP"):
            wire_to(server.getsockname()[1], alice, keys.read_pair(alice).public)
        thread.join(LIMIT)


def _answer_in_http(server: socket.socket) -> None:
    for _ in range(2):  # the wire, and its question why
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.close()


def test_silence_is_bounded(alice: str) -> None:
    with (
        socket.create_server((HOST, 0)) as server,
        pytest.raises(Unreachable, match=r"has not let us in for 0\.1s"),
    ):
        wire_to(server.getsockname()[1], alice, keys.read_pair(alice).public, patience=0.1)


def test_who_never_accepts_has_not_answered(alice: str) -> None:
    with ExitStack() as waiting:
        full = waiting.enter_context(socket.create_server((HOST, 0), backlog=0))
        for _ in range(8):  # more than a backlog of 0 takes
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(Unanswered, match=r"has not answered for 0\.1s"):
            wire_to(full.getsockname()[1], alice, keys.read_pair(alice).public, patience=0.1)


def test_where_the_question_why_is_not_answered_either_the_whole_wait_is_told(
    alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]

    def ask_in_vain(peer: Peer) -> str:
        now[0] += 8
        raise Unanswered("it has not answered for 0.5s")

    monkeypatch.setattr(curve, "monotonic", lambda: now[0])
    monkeypatch.setattr(Peer, "mechanism", ask_in_vain)
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        port = nobody.getsockname()[1]
        with pytest.raises(Unanswered, match=rf"^tcp://127\.0\.0\.1:{port} has not answered for 8s$"):
            wire_to(port, alice, keys.read_pair(alice).public)


def test_a_failed_attempt_leaves_nothing(daemon: Daemon, alice: str) -> None:
    def threads_and_descriptors() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    with pytest.raises(Unreachable):
        wire_to(daemon.port, alice, daemon.secret.public)
    before = threads_and_descriptors()
    for _ in range(5):
        with pytest.raises(Unreachable):
            wire_to(daemon.port, alice, daemon.secret.public)
    after = threads_and_descriptors()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 5  # those of the daemon's side that it has not closed yet


# --- who listens and records -----------------------------------------------------------------------------------------


def test_a_session_that_was_recorded_can_be_neither_read_nor_replayed(daemon: Daemon, alice: str) -> None:
    daemon.admit(alice)
    with socket.create_server((HOST, 0)) as between:
        recorded = bytearray()
        thread = threading.Thread(target=_record, args=(between, daemon.port, recorded))
        thread.start()
        wire = wire_to(between.getsockname()[1], alice, daemon.secret.public)
        wire.send(b"a word in confidence")
        sender, frame = daemon.router.recv_multipart()
        daemon.router.send_multipart([sender, b"granted"])
        assert wire.receive(LIMIT) == b"granted"
        wire.close()
        thread.join(LIMIT)
    assert frame == b"a word in confidence"
    assert frame not in recorded
    with socket.create_connection((HOST, daemon.port), LIMIT) as again:
        again.sendall(recorded)
        while again.recv(4096):
            pass
    assert not daemon.router.poll(0)


def _record(between: socket.socket, port: int, recorded: bytearray) -> None:
    """Carry everything between one client and the daemon; keep what the client said."""
    client, _ = between.accept()
    with client, socket.create_connection((HOST, port), LIMIT) as daemon:
        while True:
            for source in select.select([client, daemon], [], [], LIMIT)[0]:
                data = source.recv(4096)
                if not data:
                    return
                if source is client:
                    recorded += data
                (daemon if source is client else client).sendall(data)
