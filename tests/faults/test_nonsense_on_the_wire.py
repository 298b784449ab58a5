"""What is no message, or comes at the wrong time: it is answered with a sentence, and hurts nobody else's lock."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import zmq

from holdfast.transport.errors import HoldfastError
from holdfast.transport.messages import (
    FOREVER,
    MAJOR,
    Acquire,
    Echo,
    Fault,
    Gone,
    Granted,
    Mismatch,
    Mode,
    Refusal,
    Refused,
    Release,
    Released,
    Stay,
    Welcome,
)
from holdfast.transport.wire import MAX_FRAME, encode
from raw import Raw, acquire, find, hello, holder, locate, start_daemon
from support import LIMIT, House

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def daemon() -> Iterator[str]:
    """A daemon for all tests of this file; its lock ``kept`` is held by somebody else all the time."""
    with House() as house:
        path = start_daemon(house)
        raw, _, epoch = holder(path, "kept")
        yield path
        raw.say(Release(epoch, False))
        assert raw.hear() == Released()
        raw.wire.close()


@pytest.fixture
def path(daemon: str) -> Iterator[str]:
    """The daemon's socket; whatever a test does, ``kept`` is still held afterwards."""
    yield daemon
    address, epoch = find(daemon, "kept")
    with Raw(address) as raw:
        raw.enter(hello(), acquire("kept", epoch, timeout=0.0))
        answer = raw.hear()
        assert isinstance(answer, Refused), "somebody's nonsense has taken a lock away"
        assert answer.why is Refusal.BUSY


@pytest.fixture(params=["incubator", "locker"])
def actor(request: pytest.FixtureRequest, path: str) -> str:
    """The socket of either kind of actor."""
    return path if request.param == "incubator" else find(path, "kept")[0]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"", "0 bytes"),
        (b"\1", "1 bytes"),
        (bytes((MAJOR, 200)) + b"\x90", "message number 200 is unknown"),
        (bytes((MAJOR, 20)) + b"\x91\xa1x", "Acquire must be an array of 6 fields"),
        (bytes((MAJOR, 20)) + b"\xc1\xc1\xc1", "Acquire"),
        (bytes((MAJOR, 1)) + b"\x91\x02", "Hello"),
        (bytes((MAJOR, 1)) + b"\xdd\xff\xff\xff\xff", "Hello"),
    ],
)
def test_what_is_no_message_is_answered_with_what_is_wrong(actor: str, frame: bytes, said: str) -> None:
    with Raw(actor) as raw:
        raw.enter(hello())
        raw.wire.send(frame)
        answer = raw.hear()
        assert isinstance(answer, Fault)
        assert said in answer.sentence
        raw.say(locate("other") if actor.endswith("daemon.sock") else Release(1, False))
        assert not isinstance(raw.hear(), Fault), "the session must go on"


def test_another_version_is_told_both_versions_and_what_to_do(actor: str) -> None:
    with Raw(actor) as raw:
        raw.wire.send(bytes((MAJOR + 1, 1)) + b"\x90")
        answer = raw.hear()
        assert isinstance(answer, Mismatch)
        assert f"protocol {MAJOR + 1}" in answer.sentence
        assert f"we speak {MAJOR}." in answer.sentence
        assert "holdfast stop" in answer.sentence


def test_an_oversized_message_ends_only_its_own_connection(actor: str) -> None:
    with Raw(actor) as raw:
        raw.enter(hello())
        raw.wire.send(bytes(MAX_FRAME + 1))
        with pytest.raises(HoldfastError, match="ended"):
            raw.hear()


def test_a_second_hello_is_a_fault_and_the_session_goes_on(actor: str) -> None:
    with Raw(actor) as raw:
        raw.enter(hello(), hello())
        assert isinstance(raw.hear(), Fault)


def test_words_that_are_not_for_a_client_are_a_fault(actor: str) -> None:
    with Raw(actor) as raw:
        raw.enter(hello(), Stay(1))
        answer = raw.hear()
        assert isinstance(answer, Fault)
        assert "not for this process" in answer.sentence


def test_without_the_echo_nothing_is_served(actor: str) -> None:
    with Raw(actor) as raw:
        raw.say(hello())
        assert isinstance(raw.hear(), Welcome)
        raw.say(Echo(bytes(16)))
        assert isinstance(raw.hear(), Fault)


def test_a_session_id_that_is_in_use_is_refused(actor: str) -> None:
    who = hello()
    with Raw(actor) as first, Raw(actor) as second:
        first.enter(who, Stay(1))  # its answer says that the session has begun
        first.hear()
        second.say(who)
        answer = second.hear()
        assert isinstance(answer, Fault)
        assert "session id" in answer.sentence


def test_who_says_nothing_is_shut_out_in_time(actor: str) -> None:
    with Raw(actor) as raw, pytest.raises(HoldfastError):
        raw.hear(limit=LIMIT)


def test_a_peer_that_chooses_its_own_routing_id_is_not_heard(actor: str) -> None:
    context = zmq.Context()
    with context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.ROUTING_ID, b"chosen")
        dealer.connect(f"ipc://{actor}")
        dealer.send(encode(hello()))
        assert dealer.poll(300) == 0
    context.term()


def test_two_frames_in_one_message_are_a_fault(actor: str) -> None:
    context = zmq.Context()
    with context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(f"ipc://{actor}")
        dealer.send_multipart([encode(hello()), b"more"])
        assert dealer.poll(int(LIMIT * 1000))
        assert b"0 bytes" in dealer.recv()
    context.term()


def test_releasing_what_is_not_held_is_a_fault(path: str) -> None:
    address, epoch = find(path, "kept")
    with Raw(address) as raw:
        raw.enter(hello(), Release(epoch, False))
        answer = raw.hear()
        assert isinstance(answer, Fault)
        assert "does not hold" in answer.sentence


def test_another_epoch_is_gone(path: str) -> None:
    address, epoch = find(path, "kept")
    with Raw(address) as raw:
        raw.enter(hello(), acquire("kept", epoch + 1), Release(epoch - 1, False))
        assert (raw.hear(), raw.hear()) == (Gone(), Gone())


def test_a_second_acquire_is_a_fault(path: str) -> None:
    raw, _, epoch = holder(path, "mine")
    raw.say(acquire("mine", epoch))
    answer = raw.hear()
    assert isinstance(answer, Fault)
    assert "second Acquire" in answer.sentence
    raw.wire.close()


@pytest.mark.parametrize(
    ("resource", "quantity", "why"),
    [
        ("units[3]", 0, Refusal.INVALID),
        ("units[3]", 4, Refusal.IMPOSSIBLE),
        ("units[3]", 2**62, Refusal.IMPOSSIBLE),
        ("no such name!", 1, Refusal.INVALID),
        ("elsewhere", 1, Refusal.INVALID),
    ],
)
def test_a_request_without_meaning_is_refused(path: str, resource: str, quantity: int, why: Refusal) -> None:
    address, epoch = find(path, "units[3]")
    with Raw(address) as raw:
        raw.enter(hello(), Acquire(resource, epoch, Mode.EX, quantity, FOREVER, True))
        answer = raw.hear()
        assert isinstance(answer, Refused)
        assert answer.why is why
        assert answer.sentence
        raw.say(acquire("units[3]", epoch))
        assert isinstance(raw.hear(), Granted)


def test_random_bytes_end_nobody(actor: str) -> None:
    dice = random.Random(7)
    with Raw(actor) as raw:
        raw.enter(hello())
        for _ in range(300):
            raw.wire.send(dice.randbytes(dice.randrange(40)))
            assert isinstance(raw.hear(), Fault | Mismatch)
