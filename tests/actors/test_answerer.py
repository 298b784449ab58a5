"""Who is answered that looks for a daemon: whole questions, of enough size, not too often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.answerer import FIRST, FIRST_HOST, LARGER, OFTEN, SOURCES, Answerer, Being, Rate
from holdfast.actors.noise import PAUSE
from holdfast.transport.errors import RemoteProtocolError
from holdfast.transport.messages import MAJOR, Here, Mismatch, Seek, Stop
from holdfast.transport.search import PADDING
from holdfast.transport.wire import decode, encode

NONCE, DAEMON = b"n" * 16, b"d" * 16
QUESTION = encode(Seek(NONCE, PADDING))
SOURCE = ("192.0.2.7", 4000)


def answerer(*, address: str = "", key: str = "") -> Answerer:
    return Answerer(Being(DAEMON, 100.0, 4711, address, key))


def test_a_question_is_answered_with_its_nonce_and_what_the_daemon_is() -> None:
    answer = answerer(address="node1", key="K").answer(QUESTION, SOURCE, 130.0)
    assert answer is not None
    assert decode(answer) == Here(NONCE, DAEMON, 30.0, 4711, "node1", "K")


@given(st.integers(0, 400), st.integers(0, 250), st.integers(0, 40))
def test_no_answer_is_more_than_twice_as_large_as_its_question(padding: int, address: int, key: int) -> None:
    question = encode(Seek(NONCE, "." * padding))
    one = answerer(address="a" * address, key="k" * key)
    answer = one.answer(question, SOURCE, 130.0)
    if answer is None:
        assert one.passed_over == {"too small for its answer": 1}
    else:
        assert len(answer) <= LARGER * len(question)


def test_our_own_questions_have_room_for_the_longest_host_name_and_a_key() -> None:
    assert answerer(address="a" * 253, key="k" * 40).answer(QUESTION, SOURCE, 130.0) is not None


@given(st.binary(max_size=300).filter(lambda datagram: datagram[1:2] != QUESTION[1:2]))
def test_random_datagrams_are_only_counted(datagram: bytes) -> None:
    one = answerer()
    try:
        kind = "not a question"
        assert not isinstance(decode(datagram), Seek)
    except RemoteProtocolError:
        kind = "not a message"
    assert one.answer(datagram, SOURCE, 130.0) is None
    assert one.passed_over == {kind: 1}


def test_a_message_that_is_no_question_is_not_answered() -> None:
    one = answerer()
    for message in (Stop(now=True), Here(NONCE, DAEMON, 1.0, 1, "", ""), Mismatch(MAJOR, 0, "x" * 99)):
        assert one.answer(encode(message), SOURCE, 130.0) is None
    assert one.passed_over == {"not a question": 3}


def test_who_speaks_another_version_is_told_ours() -> None:
    other = bytes((MAJOR + 1,)) + QUESTION[1:]
    answer = answerer().answer(other, SOURCE, 130.0)
    assert answer is not None
    told = decode(answer)
    assert isinstance(told, Mismatch)
    assert told.major == MAJOR
    assert answerer().answer(b"GET / HTTP/1.0\r\n\r\n", SOURCE, 130.0) is None


def test_each_source_is_answered_so_often_and_no_oftener() -> None:
    one = answerer()
    at_once = [one.answer(QUESTION, SOURCE, 130.0) for _ in range(FIRST + 5)]
    assert [answer is not None for answer in at_once] == [True] * FIRST + [False] * 5
    assert one.passed_over == {"too often": 5}
    later = [one.answer(QUESTION, SOURCE, 131.0) for _ in range(FIRST)]
    assert sum(answer is not None for answer in later) == OFTEN


def test_hundreds_of_commands_of_one_host_are_all_answered_at_once() -> None:
    one = answerer()
    assert all(one.answer(QUESTION, ("192.0.2.7", port), 130.0) for port in range(1024, 1024 + 500))


def test_a_flood_from_one_host_is_not_answered_for_ever() -> None:
    one = answerer()
    answers = [one.answer(QUESTION, ("192.0.2.7", port), 130.0) for port in range(1024, 1024 + FIRST_HOST + 100)]
    assert sum(answer is not None for answer in answers) == FIRST_HOST
    assert one.answer(QUESTION, ("192.0.2.8", 1), 130.0) is not None


def test_the_log_hears_of_the_first_of_a_kind_at_once_and_of_the_others_once_a_minute() -> None:
    one = answerer()
    assert one.to_tell(130.0) == []
    assert one.wakes_at() is None
    one.answer(b"?", SOURCE, 130.0)
    assert one.to_tell(130.0) == [("not a message", 1)]
    assert one.wakes_at() is None
    for _ in range(1000):
        one.answer(b"?", SOURCE, 131.0)
    one.answer(encode(Stop(now=True)), SOURCE, 131.0)
    assert one.to_tell(131.0) == [("not a question", 1)]
    assert one.wakes_at() == 130.0 + PAUSE
    assert one.to_tell(130.0 + PAUSE) == [("not a message", 1000)]
    assert one.to_tell(130.0 + 2 * PAUSE) == []


def test_an_answer_that_could_not_be_sent_does_not_count() -> None:
    one = answerer()
    one.answer(QUESTION, SOURCE, 130.0)
    one.not_sent("Network is unreachable")
    assert one.answered == 0
    assert one.to_tell(130.0) == [("its answer cannot be sent: Network is unreachable", 1)]


# --- so many at once, so many a second --------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=200), st.sampled_from([(10.0, 20), (1.0, 1), (3.0, 2)]))
def test_in_no_span_of_time_more_is_allowed_than_was_promised(pauses: list[float], promise: tuple[float, int]) -> None:
    often, first = promise
    rate, now, allowed = Rate(often, first), 0.0, []
    for pause in pauses:
        now += pause
        if rate.take("a", now):
            allowed.append(now)
    for begin, start in enumerate(allowed):
        for end, stop in enumerate(allowed[begin:], begin):
            assert end - begin + 1 <= first + (stop - start) * often + 0.51


@pytest.mark.parametrize("busy", [0.0, 3.0])
def test_who_has_rested_or_is_too_many_is_forgotten(busy: float) -> None:
    rate = Rate(OFTEN, FIRST)
    for who in range(2 * SOURCES):
        assert rate.take(who, who * busy)
    assert len(rate._rested) <= (SOURCES if busy == 0.0 else 1)
