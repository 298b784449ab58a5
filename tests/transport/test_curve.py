"""The wire under CURVE against the real ZeroMQ: messages, and the end."""

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
from pathlib import Path

import pytest
import zmq

from curve_daemon import HOST, LIMIT, Daemon
from holdfast.transport import curve, keys
from holdfast.transport.errors import RemoteProtocolError, Unreachable
from holdfast.transport.keys import ClientKeys
from holdfast.transport.peers import Peer
from holdfast.transport.zmtp import Closed

F_SETOWN_EX = 15  # man 2 fcntl; Python has no name for it


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


@pytest.mark.parametrize("closed_by", ["parent", "child"])
def test_a_child_closes_nothing_else_that_has_the_number_of_a_closed_connection(
    enter: Callable[[], curve.Wire], closed_by: str
) -> None:
    wire = enter()
    connection = wire._pump.connection
    if closed_by == "parent":
        wire.close()
    if (child := os.fork()) == 0:
        with open("/dev/null") as other:
            os.dup2(other.fileno(), connection)
        if (grandchild := os.fork()) == 0:
            os._exit(os.readlink(f"/proc/self/fd/{connection}") != "/dev/null")
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    wire.close()


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


def test_no_thread_is_born_that_a_signal_could_find(
    enter: Callable[[], curve.Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = []
    new_socket = zmq.Context.socket

    def listened(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
        blocked.append(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
        return new_socket(context, kind)

    monkeypatch.setattr(zmq.Context, "socket", listened)
    enter().close()
    before = len(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    assert before == 0
    assert blocked[0] >= len(signal.valid_signals()) - 2, "KILL and STOP cannot be"
