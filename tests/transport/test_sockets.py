"""The mailbox of an actor: what is listened at, who is told of, who is shut, and what if descriptors run out."""

from __future__ import annotations

import os
import select
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.transport.messages import Gone, Release
from holdfast.transport.sockets import Arrival, Change, Router, raise_descriptor_limit
from holdfast.transport.wire import MAX_FRAME, encode
from holdfast.transport.zmtp import Closed, Wire, frame_bytes
from support import LIMIT, checkout_environ, wait_until


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # tmp_path is too long for a socket
        yield f"{directory}/s"


@pytest.fixture
def router(path: str) -> Iterator[Router]:
    router = Router(path, limit=1000)
    yield router
    router.close()


def connect(router: Router, path: str) -> tuple[Wire, int]:
    """A connection, and its descriptor as the router tells it."""
    wire = Wire(path)
    return wire, next_change(router, came=True)


def next_change(router: Router, *, came: bool) -> int:
    found: list[Change] = []

    def look() -> list[Change]:
        router.wait(10)
        found.extend(router.changes())
        return found

    [change] = wait_until(look, "a change")
    assert change.came is came
    return change.fd


def next_message(router: Router, known: tuple[bytes, ...] = ()) -> tuple[bytes, bytes | Arrival]:
    def look() -> tuple[bytes, bytes | Arrival] | None:
        router.wait(10)
        return router.receive(known)

    return wait_until(look, "a message")  # type: ignore[return-value]  # true, so not None


def hears_the_end(wire: Wire) -> bool:
    with pytest.raises(Closed):
        wire.receive(LIMIT)
    wire.close()
    return True


# --- who comes, speaks and goes ---------------------------------------------------------------------------------------


def test_who_comes_and_goes_is_told_by_descriptor(router: Router, path: str) -> None:
    wire, fd = connect(router, path)
    wire.close()
    assert next_change(router, came=False) == fd


def test_a_message_of_somebody_unknown_tells_its_connection_and_process(router: Router, path: str) -> None:
    wire, fd = connect(router, path)
    wire.send(b"hello")
    routing_id, arrival = next_message(router)
    assert routing_id.startswith(b"\0")
    assert arrival == Arrival(fd, (os.getuid(), os.getpid()), b"hello")
    wire.close()


def test_a_message_of_somebody_known_is_its_frame_and_can_be_answered(router: Router, path: str) -> None:
    wire, _ = connect(router, path)
    wire.send(b"hello")
    routing_id, _ = next_message(router)
    wire.send(b"again")
    assert next_message(router, (routing_id,)) == (routing_id, b"again")
    assert router.send(routing_id, encode(Gone()))
    assert wire.receive(LIMIT) == encode(Gone())
    wire.close()


def test_all_messages_that_have_come_are_received_without_waiting_again(router: Router, path: str) -> None:
    wire, _ = connect(router, path)
    frames = [bytes((number,)) for number in range(1, 9)]
    wire.send(*frames)  # one write, so libzmq reads them together
    received = [next_message(router)]
    while (more := router.receive(())) is not None:
        received.append(more)
    assert [arrival.frame for _, arrival in received if isinstance(arrival, Arrival)] == frames
    assert router.receive(()) is None
    wire.close()


def test_a_message_of_several_frames_is_told_as_none(router: Router, path: str) -> None:
    wire, fd = connect(router, path)
    more = b"\x01\x01a" + frame_bytes(b"b")
    os.write(wire.fileno(), more)
    routing_id, arrival = next_message(router)
    assert isinstance(arrival, Arrival)
    assert (arrival.fd, arrival.frame) == (fd, None)
    os.write(wire.fileno(), more)
    wire.send(b"whole")
    assert next_message(router, (routing_id,)) == (routing_id, b"")
    assert next_message(router, (routing_id,)) == (routing_id, b"whole")
    wire.close()


def test_an_answer_to_somebody_who_left_is_not_delivered(router: Router, path: str) -> None:
    wire, _ = connect(router, path)
    wire.send(b"hello")
    routing_id, _ = next_message(router)
    wire.close()
    next_change(router, came=False)
    wait_until(lambda: not router.send(routing_id, b"answer"), "an answer that is not delivered")


def test_an_answer_to_somebody_who_does_not_read_is_not_delivered_and_others_are_served(
    router: Router, path: str
) -> None:
    deaf, _ = connect(router, path)
    deaf.send(b"hello")
    deaf_id, _ = next_message(router)
    wait_until(lambda: not router.send(deaf_id, bytes(60_000)), "an answer that is not delivered")
    wire, _ = connect(router, path)
    wire.send(b"hello")
    routing_id, _ = next_message(router)
    assert router.send(routing_id, b"answer")
    assert wire.receive(LIMIT) == b"answer"
    for one in (deaf, wire):
        one.close()


def test_an_oversized_message_ends_its_own_connection_only(router: Router, path: str) -> None:
    good, _ = connect(router, path)
    bad, fd = connect(router, path)
    os.write(bad.fileno(), b"\x02" + (MAX_FRAME + 1).to_bytes(8, "big") + bytes(1000))
    assert next_change(router, came=False) == fd
    assert hears_the_end(bad)
    good.send(encode(Release(1, False)))
    assert next_message(router)[1][2] == encode(Release(1, False))
    good.close()


# --- shutting ---------------------------------------------------------------------------------------------------------


def test_who_is_shut_hears_the_end_and_nobody_else_does(router: Router, path: str) -> None:
    wire, fd = connect(router, path)
    other, other_fd = connect(router, path)
    assert router.shut(fd, {fd, other_fd}) == []
    assert hears_the_end(wire)
    other.send(b"still here")
    assert next_message(router)[1][2] == b"still here"
    other.close()


def test_a_descriptor_that_somebody_else_has_by_now_is_not_shut(router: Router, path: str) -> None:
    old, fd = connect(router, path)
    old.close()
    wait_until(lambda: not os.path.exists(f"/proc/self/fd/{fd}"), "the end of the old connection")
    new = Wire(path)
    new.send(b"hello")
    router.wait(None)
    wait_until(lambda: os.path.exists(f"/proc/self/fd/{fd}"), "the number's new owner")
    assert Change(fd, came=False) in router.shut(fd, {fd})
    assert next_message(router)[1][2] == b"hello"
    new.send(b"still here")
    assert next_message(router)[1][2] == b"still here"
    new.close()


def test_a_descriptor_that_is_no_connection_any_more_is_let_be(router: Router, path: str) -> None:
    wire, fd = connect(router, path)
    wire.close()
    wait_until(lambda: not os.path.exists(f"/proc/self/fd/{fd}"), "the end of the connection")
    before = set(os.listdir("/proc/self/fd"))
    assert Change(fd, came=False) in router.shut(fd, {fd})
    taken = os.open("/dev/null", os.O_RDONLY)
    os.dup2(taken, fd)
    assert router.shut(fd, ()) == []
    os.fstat(fd)
    for descriptor in {taken, fd}:
        os.close(descriptor)
    assert set(os.listdir("/proc/self/fd")) == before


# --- listening --------------------------------------------------------------------------------------------------------


def test_while_it_pauses_those_inside_are_served_and_newcomers_wait(router: Router, path: str) -> None:
    inside, _ = connect(router, path)
    router.pause()
    assert not router.listening
    with socket.socket(socket.AF_UNIX) as newcomer:
        newcomer.connect(path)
        inside.send(b"still here")
        assert next_message(router)[1][2] == b"still here"  # there is room, so it listens again
        assert router.listening
        newcomer.settimeout(LIMIT)
        assert newcomer.recv(1) == b"\xff"  # the greeting
    inside.close()


def test_descriptors_that_come_free_in_whatever_way_let_newcomers_in(path: str) -> None:
    router = Router(path, limit=300)
    taken = [os.dup(0) for _ in range(120)]
    router.pause()
    router.wait(0)
    assert not router.listening
    for descriptor in taken:
        os.close(descriptor)

    def look() -> bool:
        router.wait(None)
        return router.listening

    wait_until(look, "a router that listens again")
    router.close()


def test_after_it_stopped_listening_its_name_is_free_and_those_inside_are_served(router: Router, path: str) -> None:
    inside, _ = connect(router, path)
    router.stop_listening()
    assert not os.path.lexists(path)
    router.listen()
    assert not router.listening
    inside.send(b"still here")
    assert next_message(router)[1][2] == b"still here"
    inside.close()


def test_what_somebody_else_put_at_its_path_is_not_removed(path: str) -> None:
    router = Router(path, limit=1000)
    os.unlink(path)
    Path(path).write_text("mine")
    router.close()
    assert Path(path).read_text() == "mine"


def test_a_pause_leaves_no_moment_without_a_socket(router: Router, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "unlink", lambda path: pytest.fail(f"{path} was removed"))
    router.pause()
    assert stat.S_ISSOCK(os.lstat(path).st_mode)
    monkeypatch.undo()


def test_the_limit_in_force_is_the_hard_one() -> None:
    code = (
        "import resource; from holdfast.transport.sockets import raise_descriptor_limit as up;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 60)); print(up(), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=checkout_environ(), capture_output=True, text=True, check=True
    )
    assert ran.stdout == "60 (60, 60)\n"
    assert raise_descriptor_limit() > 0


SERVER = """
import resource, sys
from holdfast.transport.sockets import Router, raise_descriptor_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
router = Router(sys.argv[1], limit=raise_descriptor_limit())
print("ready", flush=True)
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


def answered(path: str) -> Wire:
    wire = Wire(path)
    wire.send(b"you there?")
    assert wire.receive(LIMIT) == b"you there?"
    return wire


@pytest.mark.slow
def test_with_few_descriptors_connections_wait_and_are_served_later(path: str) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, path], env=checkout_environ(), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert server.stdout is not None
    inside: list[Wire] = []
    try:
        assert server.stdout.readline() == "ready\n"
        for _ in range(3):
            while not select.select([server.stdout], [], [], 0)[0]:
                inside.append(answered(path))  # one at a time: the next one comes when the server has seen this one
            assert server.stdout.readline() == "paused\n"
            with socket.socket(socket.AF_UNIX) as newcomer:
                newcomer.connect(path)
                while inside:
                    inside.pop().close()
                assert server.stdout.readline() == "again\n"
                newcomer.settimeout(LIMIT)
                assert newcomer.recv(1) == b"\xff"  # the greeting
            answered(path).close()
        assert server.poll() is None
    finally:
        server.kill()
        server.communicate(timeout=LIMIT)
        for wire in inside:
            wire.close()
