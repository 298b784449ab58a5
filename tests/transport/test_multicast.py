"""Asking a multicast group and listening to it: the sockets."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from answers import A, B, here
from holdfast.transport import interfaces, multicast
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting, Unreachable
from holdfast.transport.found import Found
from holdfast.transport.messages import MAJOR, Mismatch, Seek
from holdfast.transport.multicast import Membership, listen, seek
from holdfast.transport.wire import encode
from support import LIMIT

# --- sockets, on the loopback interface: no network is needed ---------------------------------------------------------


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


@contextmanager
def daemon(group: Tcp, reply: Callable[[bytes], list[bytes]]) -> Iterator[list[bytes]]:
    """Hears ``group`` and answers each datagram with what ``reply`` says; gives what it heard."""
    listening = listen(group)
    assert Membership(listening, group).renew() == []
    bell, ring = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            ready, _, _ = select.select([listening, bell], [], [], LIMIT)
            if listening not in ready:
                return
            datagram, source = listening.recvfrom(multicast.LARGEST)
            heard.append(datagram)
            for answer in reply(datagram):
                listening.sendto(answer, source)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        ring.close()
        thread.join(LIMIT)
        listening.close()
        bell.close()


def group_of(last: int, port: int) -> Tcp:
    return Tcp(f"239.255.77.{last}", port, "lo")


def test_a_daemon_is_found() -> None:
    group = group_of(1, free_port())
    told: list[Found] = []
    with daemon(group, lambda question: [here(question, age=5.0)]) as heard:
        found = seek(group, attempts=2, timeout=LIMIT, ttl=1, heard=told.append)
    assert [(one.daemon, one.age, one.port) for one in found] == [(A, 5.0, 4711)]
    assert told == found
    assert len(heard) == 1


def test_two_daemons_of_one_group_are_both_asked_and_both_heard() -> None:
    group = group_of(1, free_port())
    with (
        daemon(group, lambda question: [here(question, A, age=5.0), here(question, B, age=7.0)]) as heard,
        daemon(group, lambda question: []) as heard_by_the_other,
    ):
        found = seek(group, attempts=1, timeout=LIMIT, ttl=1)
    assert [one.daemon for one in found] == [B, A]
    assert heard == heard_by_the_other


def test_two_groups_on_one_port_hear_their_own_questions_only() -> None:
    port = free_port()
    one, other = group_of(1, port), group_of(2, port)
    with (
        daemon(one, lambda question: [here(question, A)]) as heard_by_one,
        daemon(other, lambda question: [here(question, B)]) as heard_by_other,
    ):
        for group, expected in ((one, A), (other, B), (one, A)):
            assert [found.daemon for found in seek(group, attempts=1, timeout=LIMIT, ttl=1)] == [expected]
    assert len(heard_by_one) == 2
    assert len(heard_by_other) == 1


def test_a_datagram_to_the_host_itself_is_not_heard() -> None:
    group = group_of(1, free_port())
    with daemon(group, lambda question: []) as heard:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"directly", ("127.0.0.1", group.port))
        seek(group, attempts=1, timeout=0.05, ttl=1)
    assert len(heard) == 1


def test_a_question_that_is_lost_is_asked_again() -> None:
    group = group_of(1, free_port())
    asked = count(1)
    with daemon(group, lambda question: [here(question)] if next(asked) >= 3 else []) as heard:
        found = seek(group, attempts=500, timeout=0.05, ttl=1)
    assert [one.daemon for one in found] == [A]
    assert len(heard) >= 3
    assert len(set(heard)) == len(heard)


def test_where_nobody_answers_all_attempts_are_made_and_nobody_is_found() -> None:
    group = group_of(1, free_port())
    with daemon(group, lambda question: [b"nonsense", here(encode(Seek(b"x" * 16, "")))]) as heard:
        assert seek(group, attempts=3, timeout=0.05, ttl=1) == []
    assert len(heard) == 3


def test_a_thorough_search_asks_all_its_questions() -> None:
    group = group_of(1, free_port())
    with daemon(group, lambda question: [here(question)]) as heard:
        seek(group, attempts=3, timeout=0.05, ttl=1, thorough=True)
    assert len(heard) == 3


def test_patience_ends_the_search() -> None:
    group = group_of(1, free_port())
    with daemon(group, lambda question: []) as heard:
        assert seek(group, attempts=1000, timeout=1000.0, ttl=1, patience=0.05) == []
    assert len(heard) == 1


def test_a_daemon_of_another_version_is_told_apart_from_none() -> None:
    group = group_of(1, free_port())
    answer = encode(Mismatch(MAJOR + 1, 3, ""))
    with daemon(group, lambda question: [answer]), pytest.raises(Unreachable, match=rf"protocol, {MAJOR + 1}\.3"):
        seek(group, attempts=500, timeout=0.05, ttl=1)


@pytest.mark.parametrize("host", ["239.255.77.1", "ff15::77"])
def test_an_interface_that_is_not_there_is_refused(host: str) -> None:
    group = Tcp(host, 28015, "no-such-if")
    with pytest.raises(InvalidSetting, match="no network interface no-such-if"):
        seek(group, attempts=1, timeout=0.05, ttl=1)
    with pytest.raises(InvalidSetting, match="no network interface no-such-if"):
        listen(group)


def test_what_cannot_be_listened_to_is_told_in_a_sentence() -> None:
    with pytest.raises(InvalidSetting, match=r"nobody can listen to the group 192\.0\.2\.99:28015: "):
        listen(Tcp("192.0.2.99", 28015))


def test_what_cannot_be_asked_is_told_in_a_sentence() -> None:
    with pytest.raises(Unreachable, match=r"the group \[ff15::77%lo\]:28015 cannot be asked: "):
        seek(Tcp("ff15::77", 28015, "lo"), attempts=1, timeout=0.05, ttl=1)


# --- interfaces -------------------------------------------------------------------------------------------------------


def test_a_group_is_joined_on_the_named_interface_only() -> None:
    group = group_of(1, free_port())
    listening = listen(group)
    try:
        membership = Membership(listening, group)
        assert membership.renew() == []
        assert membership.joined == {socket.if_nametoindex("lo")}
    finally:
        listening.close()


@pytest.mark.parametrize("host", ["239.255.77.1", "ff15::77", "ff02::77"])
def test_without_a_name_it_is_joined_on_all_that_are_up_and_a_second_look_changes_nothing(host: str) -> None:
    group = Tcp(host, free_port())
    listening = listen(group)
    try:
        membership = Membership(listening, group)
        membership.renew()
        joined = set(membership.joined)
        assert socket.if_nametoindex("lo") in joined
        assert membership.renew() == []
        assert membership.joined == joined
        successor = Membership(listening, group)  # after the process died that had joined
        assert successor.renew() == []
        assert successor.joined == joined
    finally:
        listening.close()


def test_an_interface_that_is_gone_is_joined_again_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[list[int]] = [[1], [], [1]]
    joins: list[int] = []
    monkeypatch.setattr(interfaces, "inward", lambda: there.pop(0))
    monkeypatch.setattr(Membership, "_join", lambda self, number: joins.append(number))
    listening = listen(Tcp("239.255.77.1", free_port()))
    try:
        membership = Membership(listening, Tcp("239.255.77.1", 28015))
        for _ in range(3):
            membership.renew()
    finally:
        listening.close()
    assert joins == [1, 1]
