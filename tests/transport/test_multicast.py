"""The search for the daemon of a group: what counts as an answer, how long it is waited for, and the sockets."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport import interfaces, multicast
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting, Unreachable
from holdfast.transport.found import EQUAL, NAMED, Found, split_brain
from holdfast.transport.messages import MAJOR, Here, Mismatch, Seek
from holdfast.transport.multicast import LEAST, MOST, Membership, Search, listen, seek
from holdfast.transport.wire import decode, encode
from support import LIMIT

A, B = b"a" * 16, b"b" * 16


def search(*, timeout: float = 0.5, thorough: bool = False) -> Search:
    numbers = count(1)
    return Search(timeout, thorough=thorough, nonce=lambda: next(numbers).to_bytes(16, "big"))


def nonce(question: bytes) -> bytes:
    message = decode(question)
    assert isinstance(message, Seek)
    return message.nonce


def here(question: bytes, daemon: bytes = A, *, age: float = 10.0, address: str = "", key: str = "") -> bytes:
    return encode(Here(nonce(question), daemon, age, 4711, address, key))


# --- what counts ------------------------------------------------------------------------------------------------------


def test_an_answer_tells_who_it_is_and_how_long_it_took() -> None:
    one = search()
    question = one.ask(10.0)
    found = one.hear(here(question, age=7.0, key="K"), "192.0.2.1", 10.2)
    assert found is not None
    assert found == Found(A, 7.0, "192.0.2.1", 4711, "K", found.took, found.started_at)
    assert found.took == pytest.approx(0.2)
    assert found.started_at == pytest.approx(3.2)
    assert one.found() == [found]


def test_each_question_has_a_nonce_of_its_own_and_all_count() -> None:
    one = search()
    first, second = one.ask(10.0), one.ask(10.5)
    assert nonce(first) != nonce(second)
    found = one.hear(here(first), "192.0.2.1", 10.6)
    assert found is not None
    assert found.took == pytest.approx(0.6)


@given(st.binary(max_size=200))
def test_what_is_no_answer_is_ignored(datagram: bytes) -> None:
    one = search()
    question = one.ask(10.0)
    assert one.hear(datagram, "192.0.2.1", 10.1) is None
    assert one.hear(question, "192.0.2.1", 10.1) is None
    assert one.found() == []


def test_an_answer_with_a_nonce_that_is_not_ours_is_ignored() -> None:
    one = search()
    one.ask(10.0)
    assert one.hear(here(encode(Seek(b"x" * 16, ""))), "192.0.2.1", 10.1) is None
    assert one.found() == []


def test_one_daemon_counts_once_by_whatever_way_it_answers() -> None:
    one = search()
    question = one.ask(10.0)
    assert one.hear(here(question), "192.0.2.1", 10.1)
    assert one.hear(here(question), "198.51.100.1", 10.1) is None
    assert [found.address for found in one.found()] == ["192.0.2.1"]


def test_an_answer_that_cannot_be_true_is_ignored() -> None:
    one = search()
    question = one.ask(10.0)
    assert one.hear(encode(Here(nonce(question), A, 10.0, 65536, "", "")), "192.0.2.1", 10.1) is None
    assert one.hear(here(question, address="127.0.0.1"), "192.0.2.1", 10.1) is None
    assert one.found() == []


def test_whoever_forges_answers_fills_neither_our_memory_nor_the_sentence() -> None:
    one = search()
    question = one.ask(10.0)
    for number in range(MOST + 5):
        one.hear(here(question, number.to_bytes(16, "big")), "192.0.2.1", 10.1)
    assert len(one.found()) == MOST
    sentence = split_brain(Tcp("239.255.0.1", 28015), one.found())
    assert f"{MOST} daemons answer" in sentence
    assert sentence.count("192.0.2.1") == NAMED + NAMED - 1
    assert f" and {MOST - NAMED} more)" in sentence


# --- which of several -------------------------------------------------------------------------------------------------


def heard(one: Search, *daemons: tuple[bytes, float, float]) -> list[bytes]:
    """The order in which ``one`` names daemons with an identity and a start whose answers are so long on their way."""
    question = one.ask(100.0)
    for daemon, started_at, late in daemons:
        one.hear(here(question, daemon, age=100.0 - started_at), "192.0.2.1", 100.0 + late)
    return [found.daemon for found in one.found()]


def test_the_eldest_is_the_first_whoever_was_quicker() -> None:
    assert heard(search(), (A, 50.0, 0.0), (B, 40.0, 0.3), (b"c" * 16, 60.0, 0.1)) == [B, A, b"c" * 16]


def test_those_that_started_within_a_second_of_the_eldest_come_first_by_their_identity() -> None:
    daemons = (b"c" * 16, 50.0, 0.0), (B, 50.9, 0.0), (A, 51.1, 0.0)
    assert heard(search(), *daemons) == [B, b"c" * 16, A]


NAMES = st.binary(min_size=16, max_size=16)
SPREAD = st.floats(0, EQUAL - 0.3)  # between the starts
LATE = st.tuples(st.floats(0, 0.3), st.floats(0, 0.3))  # answers on their way, to two who ask


@given(st.lists(st.tuples(NAMES, SPREAD, LATE), unique_by=lambda one: one[0], min_size=1))
def test_who_hears_answers_late_chooses_the_same_of_those_that_started_together(
    daemons: list[tuple[bytes, float, tuple[float, float]]],
) -> None:
    orders = [heard(search(), *((name, 50 + at, late[who]) for name, at, late in daemons)) for who in (0, 1)]
    assert orders[0] == orders[1]


def test_of_several_answers_of_one_daemon_the_quickest_says_when_it_started() -> None:
    one = search(thorough=True)
    for asked_at, late in ((100.0, 0.4), (101.0, 0.1), (102.0, 0.2)):
        question = one.ask(asked_at)
        one.hear(here(question, age=asked_at - 50.0), "192.0.2.1", asked_at + late)
    assert one.found()[0].started_at == pytest.approx(50.1)


# --- how long ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "again_at"), [(0.0, 11.1), (0.5, 10.6), (1.05, 10.05), (1.2, None), (50.0, None)])
def test_who_hears_one_that_has_just_started_asks_again_when_all_that_started_beside_it_can_hear(
    age: float, again_at: float | None
) -> None:
    one = search()
    assert one.ask_again_at() is None
    one.hear(here(one.ask(10.0), age=age), "192.0.2.1", 10.0)
    assert one.ask_again_at() == (None if again_at is None else pytest.approx(again_at))
    one.ask(11.2)
    assert one.ask_again_at() is None


@pytest.mark.parametrize(("timeout", "waits"), [(0.5, 0.5), (60.0, multicast.LAST), (-1.0, multicast.LAST)])
def test_where_daemons_may_just_have_started_all_answers_are_waited_for(timeout: float, waits: float) -> None:
    one = search(timeout=timeout)
    one.hear(here(one.ask(10.0), age=2.0), "192.0.2.1", 10.001)
    assert one.until == pytest.approx(10.001 + waits)
    one.ask(20.0)
    assert one.until == pytest.approx(20.0 + waits)


@pytest.mark.parametrize(("took", "waits"), [(0.0, LEAST), (0.001, LEAST), (0.1, 0.1), (0.4, 0.4), (0.9, 0.5)])
def test_after_the_first_answer_it_waits_as_long_again_for_a_second(took: float, waits: float) -> None:
    one = search(timeout=0.5)
    question = one.ask(10.0)
    assert one.until == 10.5
    one.hear(here(question), "192.0.2.1", 10.0 + took)
    assert one.until == pytest.approx(10.0 + took + waits)
    ends = one.until
    one.hear(here(question, B), "192.0.2.2", 10.0 + took)
    assert one.until == ends


def test_a_thorough_search_waits_all_its_time() -> None:
    one = search(thorough=True)
    one.hear(here(one.ask(10.0)), "192.0.2.1", 10.1)
    assert one.until == 10.5


# --- where ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "told", "where"),
    [
        ("192.0.2.1", "", Tcp("192.0.2.1", 4711)),
        ("192.0.2.1", "192.0.2.2", Tcp("192.0.2.2", 4711)),
        ("fe80::1%eth0", "", Tcp("fe80::1", 4711, "eth0")),
        ("fe80::1%eth0", "fe80::2", Tcp("fe80::2", 4711, "eth0")),
        ("fe80::1%eth0", "2001:db8::2", Tcp("2001:db8::2", 4711)),
        ("2001:db8::1", "fe80::2", Tcp("fe80::2", 4711)),
    ],
)
def test_the_daemon_is_where_it_says_else_where_its_answer_came_from(source: str, told: str, where: Tcp) -> None:
    one = search()
    found = one.hear(here(one.ask(10.0), address=told), source, 10.1)
    assert found is not None
    assert found.tcp == where
    assert found.address == (f"{where.host}%{where.interface}" if where.interface else where.host)


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
