"""The discovery's process: datagrams in, answers out, until its parent says that this is the end, or is gone."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.actors.answerer import Answerer, Being
from holdfast.actors.answerer_process import Discovery, is_locked
from holdfast.transport import multicast
from holdfast.transport.endpoints import Tcp
from holdfast.transport.messages import End, Ended, Report, Reported
from holdfast.transport.multicast import listen, seek
from holdfast.transport.pipe import Pipe, pipe_pair
from holdfast.transport.wire import Message
from support import LIMIT, wait_until

DAEMON = b"d" * 16


@contextmanager
def discovery(*, address: str = "", survived: Callable[[], bool] = lambda: False) -> Iterator[tuple[Tcp, Pipe]]:
    """A discovery that answers a group on the loopback interface, and its parent's end of the pipe."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        group = Tcp("239.255.78.1", free.getsockname()[1], "lo")
    listening = socket.socket(fileno=listen(group).detach())
    being = Being(DAEMON, time.monotonic() - 60.0, 4711, address)
    ours, theirs = pipe_pair()
    one = Discovery(listening, group, Answerer(being), survived)
    thread = threading.Thread(target=one.run, args=(Pipe(theirs),))
    thread.start()
    try:
        yield group, ours
    finally:
        ours.close()
        thread.join(LIMIT)
        assert not thread.is_alive()
        listening.close()
        theirs.close()


def hear(pipe: Pipe) -> Message:
    message = wait_until(pipe.receive, "the child's word")
    assert message is not None
    return message


def reported(pipe: Pipe) -> dict[str, object]:
    pipe.send(Report())
    message = hear(pipe)
    assert isinstance(message, Reported)
    facts = json.loads(message.facts)
    assert isinstance(facts, dict)
    return facts


def test_who_asks_is_answered_with_what_the_daemon_is() -> None:
    with discovery(address="192.0.2.9") as (group, _):
        (found,) = seek(group, attempts=1, timeout=LIMIT, ttl=1)
    assert (found.daemon, found.port, found.address) == (DAEMON, 4711, "192.0.2.9")
    assert found.age >= 60.0


def test_what_waits_in_the_queue_of_the_socket_is_answered_at_once() -> None:
    with discovery() as (group, _):
        answers = []

        def ask() -> None:
            answers.extend(seek(group, attempts=1, timeout=LIMIT, ttl=1))

        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert [found.daemon for found in answers] == [DAEMON] * 40


def test_nonsense_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="holdfast")
    with discovery() as (group, pipe), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        multicast._go_out_by(asking, socket.if_nametoindex("lo"))
        for _ in range(50):
            asking.sendto(b"GET / HTTP/1.0\r\n\r\n", (group.host, group.port))
        assert seek(group, attempts=1, timeout=LIMIT, ttl=1)
        facts = reported(pipe)
    assert facts == {"answered": 1, "passed_over": {"not a message": 50}, "interfaces": 1}
    told = [record.message for record in caplog.records if "HFD081W" in record.message]
    assert len(told) == 1
    assert "kind=not a message" in told[0]


def test_the_log_tells_on_which_interfaces_it_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="holdfast")
    with discovery() as (group, _):
        seek(group, attempts=1, timeout=LIMIT, ttl=1)
    (told,) = [record.message for record in caplog.records if "HFD080I" in record.message]
    assert f"group={group.where}" in told
    assert "interfaces=lo" in told


def test_it_ends_when_it_is_told_to() -> None:
    with discovery() as (_, pipe):
        pipe.send(End())
        assert isinstance(hear(pipe), Ended)


def test_it_ends_with_its_parent() -> None:
    with discovery() as (group, pipe):
        seek(group, attempts=1, timeout=LIMIT, ttl=1)
        pipe.close()


def test_an_answer_that_cannot_be_sent_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with discovery() as (group, pipe):
        monkeypatch.setattr(socket.socket, "sendto", _refuse)
        seek(group, attempts=1, timeout=0.01, ttl=1)
        kind = "its answer cannot be sent: Network is unreachable"
        wait_until(lambda: reported(pipe)["passed_over"] == {kind: 1}, "the count")


def _refuse(self: socket.socket, *_: object) -> int:
    raise OSError(101, "Network is unreachable")


def test_what_a_dead_daemon_left_behind_is_answered_for_until_it_is_gone() -> None:
    left = threading.Event()
    with discovery(survived=lambda: not left.is_set()) as (group, parent):
        parent.close()
        for _ in range(3):
            (found,) = seek(group, attempts=1, timeout=LIMIT, ttl=1)
            assert found.daemon == DAEMON
        left.set()


def test_a_directory_is_locked_as_long_as_somebody_has_its_lock(tmp_path: Path) -> None:
    assert not is_locked(str(tmp_path))
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert is_locked(str(tmp_path))
    os.close(holder)
    assert not is_locked(str(tmp_path))
    assert not is_locked(str(tmp_path / "gone"))
