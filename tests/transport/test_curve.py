"""The wire under CURVE against the real ZeroMQ, and against who should not be let in."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from holdfast.transport import curve, discover, keys
from holdfast.transport.errors import RemoteProtocolError, Unreachable
from holdfast.transport.keys import ClientKeys, DaemonKeys
from holdfast.transport.peers import Keepalive, Peer
from holdfast.transport.zap import Doorkeeper
from holdfast.transport.zmtp import Closed

LIMIT = 30.0  # seconds; nothing here should ever take so long
HOST = "127.0.0.1"
F_SETOWN_EX = 15  # man 2 fcntl; Python has no name for it


class Daemon:
    """A ROUTER behind CURVE whose doorkeeper works in a thread of the test, while the test does something else."""

    def __init__(self, where: Path, *, curve: bool = True, host: str = HOST) -> None:
        self.secret = keys.read_pair(keys.create(str(where), "daemon")[1])
        self.admitted = where / "admitted"
        self.admitted.mkdir()
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.ipv6 = True
        self.router.linger = 0
        self.router.rcvtimeo = self.router.sndtimeo = int(LIMIT * 1000)
        self.doorkeeper = Doorkeeper(self.context, DaemonKeys(self.secret, str(self.admitted)))
        if curve:
            self.doorkeeper.guard(self.router)
        self.port = self.router.bind_to_random_port(f"tcp://{host}")
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        poller = zmq.Poller()
        poller.register(self.doorkeeper.zap_socket, zmq.POLLIN)
        poller.register(self._end[0], zmq.POLLIN)
        while self._end[0] not in dict(poller.poll()):
            self.doorkeeper.answer_some()

    def admit(self, client: str) -> None:
        """Admit who has the secret file ``client``."""
        public = Path(client).with_suffix(".key")
        (self.admitted / public.name).write_bytes(public.read_bytes())

    def close(self) -> None:
        os.write(self._end[1], b"x")
        self._thread.join(LIMIT)
        for end in self._end:
            os.close(end)
        self.doorkeeper.stop()
        self.router.close(0)
        self.context.term()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.close()


@pytest.fixture
def alice(tmp_path: Path) -> str:
    """The secret file of somebody."""
    return keys.create(str(tmp_path), "alice")[1]


@pytest.fixture
def enter(daemon: Daemon, alice: str) -> Callable[[], curve.Wire]:
    """What makes a connection of somebody who is admitted."""
    daemon.admit(alice)
    return lambda: wire_to(daemon.port, alice, daemon.secret.public)


def wire_to(port: int, own: str, server: bytes, patience: float = LIMIT) -> curve.Wire:
    return curve.Wire(place_of(port, ClientKeys(keys.read_pair(own), server)), patience)


def place_of(port: int, known: ClientKeys | None) -> Peer:
    return Peer(socket.AF_INET, (HOST, port), keys=known)


def pumps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "holdfast-curve"]


@contextmanager
def forked() -> Iterator[None]:
    """A forked child that lives meanwhile and does nothing."""
    child = os.fork()
    if not child:
        signal.pause()
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 300, 65_536])
def test_messages_of_any_size_go_both_ways(daemon: Daemon, enter: Callable[[], curve.Wire], size: int) -> None:
    wire = enter()
    wire.send(b"x" * size, b"second")
    sender, frame = daemon.router.recv_multipart()
    assert frame == b"x" * size
    assert daemon.router.recv_multipart() == [sender, b"second"]
    daemon.router.send_multipart([sender, b"y" * size])
    assert wire.receive(LIMIT) == b"y" * size
    wire.close()


def test_a_message_carries_the_name_of_the_key(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    daemon.router.recv()
    assert daemon.router.recv(copy=False).get("User-Id") == "alice"
    wire.close()


def test_nothing_in_time_is_no_error(enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    assert wire.receive(0) is None
    assert wire.receive(0.01) is None
    wire.close()


def test_the_descriptor_stays_readable_as_long_as_there_is_something(
    daemon: Daemon, enter: Callable[[], curve.Wire]
) -> None:
    wire = enter()
    wire.send(b"hi")
    sender, _ = daemon.router.recv_multipart()
    for word in (b"one", b"two", b"three"):
        daemon.router.send_multipart([sender, word])
    for word in (b"one", b"two", b"three"):
        assert select.select([wire], [], [], LIMIT)[0]
        assert wire.receive(0) == word
    assert not select.select([wire], [], [], 0)[0]
    wire.close()


def test_the_kernel_signals_what_comes_while_a_command_runs(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    sender, _ = daemon.router.recv_multipart()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    try:
        # To this thread: another one, which does not block it, would die of it.
        fcntl.fcntl(wire, F_SETOWN_EX, struct.pack("ii", 0, threading.get_native_id()))
        fcntl.fcntl(wire, fcntl.F_SETFL, fcntl.fcntl(wire, fcntl.F_GETFL) | os.O_ASYNC)
        daemon.router.send_multipart([sender, b"lost"])
        assert signal.sigtimedwait({signal.SIGIO}, LIMIT)
        assert wire.receive(LIMIT) == b"lost"
        wire.close()
    finally:
        while signal.sigtimedwait({signal.SIGIO}, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_the_thread_takes_no_signal_from_who_waits_for_it(enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    [pump] = pumps()
    status = Path(f"/proc/self/task/{pump.native_id}/status").read_text()
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert blocked & (1 << (signal.SIGTERM - 1))
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    wire.close()


def test_a_message_of_two_frames_is_refused(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    sender, _ = daemon.router.recv_multipart()
    daemon.router.send_multipart([sender, b"one", b"two"])
    with pytest.raises(RemoteProtocolError, match="more than one frame"):
        wire.receive(LIMIT)
    wire.close()


def test_who_does_not_read_is_told_as_such(
    daemon: Daemon, enter: Callable[[], curve.Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "PATIENCE", 0.2)
    daemon.router.rcvhwm = 1
    wire = enter()
    with pytest.raises(Unreachable, match=r"has read nothing for 0\.2s"):
        wire.send(*[b"x" * 65_536] * 10_000)
    assert wire.fileno() == -1
    for pump in pumps():
        pump.join(LIMIT)
    assert not pumps()


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_end_is_told_after_the_last_words(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    sender, _ = daemon.router.recv_multipart()
    for word in (b"one", b"two", b"three"):
        daemon.router.send_multipart([sender, word])
    daemon.router.close(1000)
    assert [wire.receive(LIMIT) for _ in range(3)] == [b"one", b"two", b"three"]
    with pytest.raises(Closed, match="has ended"):
        wire.receive(LIMIT)
    wire.send(b"into the void")
    with pytest.raises(Closed):
        wire.receive(0)
    wire.close()


def test_a_connection_that_ended_is_never_made_again(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    daemon.router.recv_multipart()
    daemon.router.close(0)
    with pytest.raises(Closed):
        wire.receive(LIMIT)
    with socket.create_server((HOST, daemon.port)) as next_daemon:
        wire.send(b"release")
        next_daemon.setblocking(False)
        wire.close()
        with pytest.raises(BlockingIOError):
            next_daemon.accept()


def test_closing_ends_the_connection_before_it_returns(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    daemon.router.router_mandatory = True
    wire = enter()
    wire.send(b"hi")
    daemon.router.recv_multipart()
    monitor = daemon.router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    wire.close()
    assert "holdfast-curve" not in {thread.name for thread in threading.enumerate()}
    assert monitor.poll(int(LIMIT * 1000))
    wire.close()
    daemon.router.disable_monitor()


def test_a_forked_child_does_not_keep_the_connection(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    daemon.router.recv_multipart()
    monitor = daemon.router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    with forked():
        wire.close()
        assert monitor.poll(int(LIMIT * 1000))
    daemon.router.disable_monitor()


def test_the_end_is_told_although_a_forked_child_lives(daemon: Daemon, enter: Callable[[], curve.Wire]) -> None:
    wire = enter()
    wire.send(b"hi")
    sender, _ = daemon.router.recv_multipart()
    with forked():
        daemon.router.send_multipart([sender, b"one", b"two"])  # a child has a copy of the daemon's end as well
        with pytest.raises(RemoteProtocolError):
            wire.receive(LIMIT)
        with pytest.raises(Closed):
            wire.receive(LIMIT)
    wire.close()


# --- who is not let in ------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("host", ["::1", "::ffff:127.0.0.1"])
def test_it_reaches_ipv6(tmp_path: Path, alice: str, host: str) -> None:
    daemon = Daemon(tmp_path, host="[::]")
    try:
        daemon.admit(alice)
        known = ClientKeys(keys.read_pair(alice), daemon.secret.public)
        wire = curve.Wire(Peer(socket.AF_INET6, (host, daemon.port, 0, 0), keys=known))
        wire.send(b"hi")
        assert daemon.router.recv_multipart()[1] == b"hi"
        wire.close()
    finally:
        daemon.close()


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
