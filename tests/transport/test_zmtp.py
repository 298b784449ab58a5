"""The client's wire against the real ZeroMQ, and against everything that is not ZeroMQ."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport import zmtp
from holdfast.transport.errors import RemoteProtocolError, Unreachable
from holdfast.transport.peers import Peer as NetworkPeer

LIMIT = 30.0  # seconds; nothing here should ever take so long


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


@pytest.fixture
def router(path: str) -> Iterator[zmq.Socket[bytes]]:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.rcvtimeo = router.sndtimeo = int(LIMIT * 1000)
    router.bind(f"ipc://{path}")
    yield router
    router.close()
    context.term()


class Peer:
    """The other end of a wire, byte by byte."""

    def __init__(self, path: str) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.listener.settimeout(LIMIT)
        self.wires: list[zmtp.Wire] = []
        self.errors: list[Exception] = []

    def open(self, path: str, *answers: bytes, then_close: bool = False, patience: float = inf) -> None:
        """A wire opens, and hears ``answers``, each in a packet of its own."""
        thread = threading.Thread(target=self._open, args=(path, patience))
        thread.start()
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(LIMIT)
        for answer in answers:
            self.connection.sendall(answer)
        if then_close:
            self.connection.close()
        thread.join(LIMIT)

    def _open(self, path: str, patience: float) -> None:
        try:
            self.wires.append(zmtp.Wire(path, patience))
        except (OSError, RemoteProtocolError) as error:
            self.errors.append(error)

    def close(self) -> None:
        for wire in self.wires:
            wire.close()
        self.connection.close()
        self.listener.close()


@pytest.fixture
def peer(path: str) -> Iterator[Peer]:
    peer = Peer(path)
    yield peer
    peer.close()


GREETING = zmtp._GREETING
READY = zmtp.frame_bytes(b"\5READY\x0bSocket-Type\0\0\0\6ROUTER", 4)
frames = st.lists(st.tuples(st.sampled_from([0, 1, 4]), st.binary(max_size=600)), max_size=6)


@given(frames, st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(zmtp.frame_bytes(body, flags) for flags, body in sent)
    stream, out = zmtp.Stream(), []
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        stream.feed(whole[:size])
        whole = whole[size:]
        while (frame := stream.frame()) is not None:
            out.append((frame[0] & ~2, frame[1]))
    assert out == sent


@given(st.binary(max_size=300))
def test_garbage_gives_frames_or_a_protocol_error(garbage: bytes) -> None:
    stream = zmtp.Stream()
    stream.feed(garbage)
    try:
        while stream.frame() is not None:
            pass
    except RemoteProtocolError:
        pass


def test_a_frame_beyond_the_limit_is_refused_before_it_is_there() -> None:
    stream = zmtp.Stream()
    stream.feed(b"\2" + (65_537).to_bytes(8, "big"))
    with pytest.raises(RemoteProtocolError, match="65537 bytes"):
        stream.frame()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536])
def test_zeromq_and_the_wire_understand_each_other(path: str, router: zmq.Socket[bytes], size: int) -> None:
    body = b"x" * size
    wire = zmtp.Wire(path)
    wire.send(body, b"second")
    who, first = router.recv_multipart()
    assert first == body
    assert router.recv_multipart() == [who, b"second"]
    router.send_multipart([who, body])
    router.send_multipart([who, b"last"])
    assert wire.receive(LIMIT) == body
    assert wire.receive() == b"last"
    wire.close()


def test_nothing_in_time_is_no_error(path: str, router: zmq.Socket[bytes]) -> None:
    wire = zmtp.Wire(path)
    assert wire.receive(0) is None
    assert wire.receive(0.001) is None
    wire.close()
    wire.close()


def test_the_descriptor_wakes_when_something_comes(path: str, router: zmq.Socket[bytes]) -> None:
    wire = zmtp.Wire(path)
    wire.send(b"hello")
    who, _ = router.recv_multipart()
    router.send_multipart([who, b"answer"])
    assert select.select([wire.fileno()], [], [], LIMIT)[0]
    assert wire.receive(0) == b"answer"
    wire.close()


def test_a_more_of_zeromq_is_refused(path: str, router: zmq.Socket[bytes]) -> None:
    wire = zmtp.Wire(path)
    wire.send(b"hello")
    who, _ = router.recv_multipart()
    router.send_multipart([who, b"one", b"two"])
    with pytest.raises(RemoteProtocolError, match="more than one frame"):
        wire.receive(LIMIT)
    wire.close()


def test_the_end_is_told_after_the_last_words(path: str, peer: Peer) -> None:
    peer.open(path, GREETING, READY)
    (wire,) = peer.wires
    peer.connection.sendall(zmtp.frame_bytes(b"last words"))
    peer.connection.close()
    wire.send(b"too late")
    assert wire.receive(LIMIT) == b"last words"
    with pytest.raises(zmtp.Closed, match=path):
        wire.receive(LIMIT)


def test_the_greeting_may_come_byte_by_byte(path: str, peer: Peer) -> None:
    peer.open(path, *(bytes((byte,)) for byte in GREETING + READY + zmtp.frame_bytes(b"first")))
    assert peer.wires[0].receive(LIMIT) == b"first"


def test_a_ping_is_answered_and_other_commands_are_ignored(path: str, peer: Peer) -> None:
    peer.open(path, GREETING, READY)
    (wire,) = peer.wires
    for command in (b"\5LATER\0", b"", b"\4PING\0\1context"):
        peer.connection.sendall(zmtp.frame_bytes(command, 4))
    peer.connection.sendall(zmtp.frame_bytes(b"message"))
    assert wire.receive(LIMIT) == b"message"
    wire.close()
    said = b""
    while more := peer.connection.recv(1000):
        said += more
    assert said.endswith(zmtp.frame_bytes(b"\4PONGcontext", 4))


def test_an_error_command_is_an_error(path: str, peer: Peer) -> None:
    peer.open(path, GREETING, READY, zmtp.frame_bytes(b"\5ERROR\4nope", 4))
    with pytest.raises(RemoteProtocolError, match="nope"):
        peer.wires[0].receive(LIMIT)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"SSH-2.0-OpenSSH", "does not speak ZMTP"),
        (b"\xff" + bytes(9), "does not speak ZMTP"),
        (GREETING.replace(b"NULL", b"CURV"), "security mechanism"),
        (GREETING[:10] + b"\1" + GREETING[11:], "another version"),
        (GREETING + zmtp.frame_bytes(b"hello"), "not READY"),
        (GREETING + b"\x80\0", "unknown flags"),
        (GREETING + zmtp.frame_bytes(b"\5ERROR\0", 4), "not READY"),
    ],
)
def test_what_is_no_zeromq_is_named_with_its_path(path: str, peer: Peer, answer: bytes, sentence: str) -> None:
    peer.open(path, answer)
    (error,) = peer.errors
    assert isinstance(error, Unreachable)
    assert not isinstance(error, zmtp.Closed)
    assert path in str(error)
    assert sentence in str(error)


def test_an_end_within_the_greeting_is_told_as_such(path: str, peer: Peer) -> None:
    peer.open(path, GREETING[:20], then_close=True)
    assert isinstance(peer.errors[0], zmtp.Closed)


@pytest.mark.slow
def test_silence_is_bounded(path: str, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmtp, "PATIENCE", 1)
    peer.open(path, GREETING[:20])
    assert isinstance(peer.errors[0], Unreachable)
    assert f"{path} has not greeted us for 1s" in str(peer.errors[0])


@pytest.mark.parametrize(("patience", "said"), [(0.0, "0s"), (0.01, "0.01s"), (-1.0, "0s")])
def test_who_is_less_patient_waits_less(path: str, peer: Peer, patience: float, said: str) -> None:
    peer.open(path, patience=patience)
    assert f"{path} has not greeted us for {said}" in str(peer.errors[0])


@pytest.mark.slow
def test_a_peer_that_never_reads_is_bounded(path: str, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    peer.open(path, GREETING, READY)
    monkeypatch.setattr(zmtp, "PATIENCE", 1)
    with pytest.raises(Unreachable, match="has read nothing for 1s"):
        peer.wires[0].send(*[bytes(60_000)] * 100)
    assert peer.wires[0].fileno() == -1


def test_signals_do_not_end_the_wait_for_a_full_backlog(path: str) -> None:
    def disturb_then_accept() -> None:
        for _ in range(20):
            signal.pthread_kill(main, signal.SIGUSR1)
            disturbed.wait(0.002)
        accepted.append(listener.accept()[0])
        accepted.append(listener.accept()[0])
        accepted[1].sendall(GREETING + READY)

    main, disturbed = threading.main_thread().ident or 0, threading.Event()
    accepted: list[socket.socket] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        other = threading.Thread(target=disturb_then_accept)
        other.start()
        try:
            zmtp.Wire(path).close()
        finally:
            other.join(LIMIT)
            signal.signal(signal.SIGUSR1, before)
            for one in accepted:
                one.close()


@pytest.mark.slow
def test_a_full_backlog_is_bounded(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmtp, "PATIENCE", 1)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(Unreachable, match="accepted nobody for 1s"):
            zmtp.Wire(path)
        with pytest.raises(Unreachable, match="accepted nobody for 0s"):
            zmtp.Wire(path, 0.0)


def test_nobody_there_is_told_as_the_kernel_does(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        zmtp.Wire(path)
    Path(path).touch()
    with pytest.raises(ConnectionRefusedError):
        zmtp.Wire(path)


def test_a_forked_child_does_not_keep_the_connection(path: str, peer: Peer) -> None:
    peer.open(path, GREETING, READY)
    (wire,) = peer.wires
    done, stop = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(stop)
        os.read(done, 1)
        os._exit(wire.fileno() != -1)
    os.close(done)
    wire.close()  # the only copy left, if the child closed its own
    said = b""
    while more := peer.connection.recv(1000):
        said += more
    os.close(stop)
    assert os.waitpid(child, 0)[1] == 0
    assert said.startswith(GREETING)


# --- over TCP ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def far() -> Iterator[tuple[NetworkPeer, zmq.Socket[bytes]]]:
    """A ROUTER at a port of this host, and how it is reached."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.rcvtimeo = router.sndtimeo = int(LIMIT * 1000)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    yield NetworkPeer(socket.AF_INET, ("127.0.0.1", port)), router
    router.close()
    context.term()


def test_over_tcp_it_is_the_same_wire(far: tuple[NetworkPeer, zmq.Socket[bytes]]) -> None:
    peer, router = far
    wire = zmtp.Wire(peer)
    wire.send(b"x" * 65_536, b"second")
    who, first = router.recv_multipart()
    assert len(first) == 65_536
    assert router.recv_multipart() == [who, b"second"]
    router.send_multipart([who, b"answer"])
    assert wire.receive(LIMIT) == b"answer"
    assert wire.path == str(peer)
    assert wire.beside("7") == peer.beside("7")
    router.close()
    with pytest.raises(zmtp.Closed, match=str(peer)):
        wire.receive(LIMIT)
    wire.close()


def test_a_port_that_nobody_listens_at_is_refused_as_it_is_by_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        address = once.getsockname()
    with pytest.raises(ConnectionRefusedError):
        zmtp.Wire(NetworkPeer(socket.AF_INET, address))


def test_a_file_beside_a_socket_is_in_its_directory_or_in_the_one_that_was_named(
    path: str, router: zmq.Socket[bytes]
) -> None:
    for wire, expected in ((zmtp.Wire(path), os.path.dirname(path)), (zmtp.Wire(path, directory="/d"), "/d")):
        assert wire.beside("locker-1.sock") == f"{expected}/locker-1.sock"
        for outside in ("../s", "/s", "a\0b"):
            with pytest.raises(RemoteProtocolError, match="outside its directory"):
                wire.beside(outside)
        wire.close()


class Dead:
    """A socket whose other end has vanished, as the kernel tells it."""

    def __init__(self, number: int) -> None:
        self._error = OSError(number, os.strerror(number))

    def recv(self, *_: int) -> bytes:
        raise self._error

    def send(self, *_: object) -> int:
        raise self._error

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET])
def test_a_connection_that_the_network_ended_has_ended(path: str, router: zmq.Socket[bytes], number: int) -> None:
    wire = zmtp.Wire(path)
    wire.send(b"hello")
    who, _ = router.recv_multipart()
    router.send_multipart([who, b"answer"])  # so that there is something to read
    alive, wire._socket = wire._socket, Dead(number)  # type: ignore[assignment]  # enough of one
    wire.send(b"unheard")
    with pytest.raises(zmtp.Closed, match="has ended"):
        wire.receive(LIMIT)
    alive.close()
