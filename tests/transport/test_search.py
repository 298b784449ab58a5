"""One search: what counts as an answer, which daemon is the eldest, how long it is waited for."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import A, B, here, nonce
from holdfast.transport.endpoints import Tcp
from holdfast.transport.found import EQUAL, NAMED, Found, split_brain
from holdfast.transport.messages import Here, Seek
from holdfast.transport.search import LAST, LEAST, MOST, Search
from holdfast.transport.wire import encode


def search(*, timeout: float = 0.5, thorough: bool = False) -> Search:
    numbers = count(1)
    return Search(timeout, thorough=thorough, nonce=lambda: next(numbers).to_bytes(16, "big"))


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


@pytest.mark.parametrize(("timeout", "waits"), [(0.5, 0.5), (60.0, LAST), (-1.0, LAST)])
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
