"""The line between a parent and its child."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.transport.errors import RemoteProtocolError
from holdfast.transport.messages import End, Ended, Quiesce, Stay
from holdfast.transport.pipe import Pipe, pipe_pair


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, Pipe]]:
    parent, end = pipe_pair()
    child = Pipe(end)
    yield parent, child
    parent.close()
    child.close()


def test_messages_arrive_whole_and_in_order_both_ways(ends: tuple[Pipe, Pipe]) -> None:
    parent, child = ends
    parent.send(Quiesce())
    parent.send(End())
    child.send(Ended("done"))
    assert [child.receive(), child.receive(), child.receive()] == [Quiesce(), End(), None]
    assert parent.receive() == Ended("done")


def test_what_is_not_read_is_kept_and_sent_later_in_order(ends: tuple[Pipe, Pipe]) -> None:
    parent, child = ends
    sent = 0
    while not parent.wants_to_send:
        parent.send(Stay(sent))
        sent += 1
    for _ in range(3):
        parent.send(Stay(sent))
        sent += 1
    received = []
    while (message := child.receive()) is not None:
        received.append(message)
        parent.flush()
    assert received == [Stay(number) for number in range(sent)]
    assert not parent.wants_to_send


def test_the_end_of_one_side_is_told_after_what_it_said(ends: tuple[Pipe, Pipe]) -> None:
    parent, child = ends
    child.send(Ended("done"))
    child.close()
    assert parent.receive() == Ended("done")
    with pytest.raises(EOFError):
        parent.receive()


def test_an_end_with_something_unread_is_an_end_too(ends: tuple[Pipe, Pipe]) -> None:
    parent, child = ends
    parent.send(Quiesce())
    child.close()
    with pytest.raises(EOFError):
        parent.receive()


def test_what_is_sent_to_a_dead_process_is_dropped(ends: tuple[Pipe, Pipe]) -> None:
    parent, child = ends
    child.close()
    parent.send(End())
    assert not parent.wants_to_send


def test_a_packet_that_is_no_message_is_an_error_of_the_other_side() -> None:
    parent, end = pipe_pair()
    with end:
        end.send(b"\x01\xff\x90")
        with pytest.raises(RemoteProtocolError):
            parent.receive()
    parent.close()
