"""What a person is told of a wait: ``Lock`` against a house that says what the test tells it to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from holdfast.transport import waiting
from holdfast.transport.client import Lock
from holdfast.transport.enums import Mode, Order
from holdfast.transport.errors import TimedOut
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Explain,
    Explained,
    Fault,
    Granted,
    Hello,
    Locate,
    Located,
    Parked,
    Queued,
    Refusal,
    Refused,
    Welcome,
)
from holdfast.transport.session import Session
from holdfast.transport.waiting import explanation, looks_on
from holdfast.transport.wire import Message
from scripted_house import LIMIT, NONCE, House

WHY = Explained(False, 2, "held by anna on node1, pid 4711 (make -j4), for 12s")
TOLD = "holdfast: waiting for x (EX) for a while, position 2: held by anna on node1, pid 4711 (make -j4), for 12s\n"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(waiting, "ANSWER", LIMIT)
    monkeypatch.setattr(waiting, "span", lambda seconds: "a while")
    with House() as house:
        house.answers[Acquire] = [Queued(2)]
        house.answers[Explain] = [WHY, Granted(17, "", 0.5)]
        yield house


@pytest.fixture
def bell() -> Iterator[tuple[int, Callable[[], object]]]:
    """The two ends: what a ``Lock`` listens to, and what rings it."""
    inner, outer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield inner, lambda: os.write(outer, b"\x0a")
    os.close(inner)
    os.close(outer)


def test_a_wait_that_has_become_long_is_explained(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    with Lock("x", explain=0.01, settings=house.settings) as lock:
        assert capsys.readouterr() == ("", TOLD)
    lock.close()


def test_a_wait_is_explained_once(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    def grant() -> list[Message]:
        threading.Timer(0.05, lambda: house.say(Granted(17, "", 0.5))).start()
        return [WHY]

    house.answers[Explain] = grant
    with Lock("x", explain=0, settings=house.settings) as lock:
        assert capsys.readouterr().err == TOLD
    lock.close()
    house.do(lambda: None)  # what it has answered it has put down by now
    assert house.all_heard().count(Explain) == 1


@pytest.mark.parametrize("looks", [True, False])
def test_unless_it_is_said_only_who_looks_at_a_terminal_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], looks: bool
) -> None:
    def grant() -> list[Message]:
        if not looks:
            threading.Timer(0.1, lambda: house.say(Granted(17, "", 0.5))).start()
        return [Queued(2)]

    house.answers[Acquire] = grant
    monkeypatch.setattr(waiting, "AFTER", 0.01)
    monkeypatch.setattr(waiting, "looks_on", lambda: looks)
    with Lock("x", settings=house.settings) as lock:
        assert capsys.readouterr().err == (TOLD if looks else "")
    lock.close()
    house.do(lambda: None)  # what it has answered it has put down by now
    assert (Explain in house.all_heard()) is looks


def test_a_wait_whose_own_end_will_tell_it_is_not_explained_before(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> list[Message]:
        threading.Timer(0.1, lambda: house.say(Refused(Refusal.TIMED_OUT, "anna has it"))).start()
        return [Queued(2)]

    house.answers[Acquire] = refuse
    lock = Lock("x", explain=0, settings=house.settings)
    with pytest.raises(TimedOut, match="anna has it"):
        lock.acquire(timeout=0.5)
    assert capsys.readouterr().err == ""
    lock.close()


def test_who_rings_is_told_at_once_whoever_looks(
    house: House, capsys: pytest.CaptureFixture[str], bell: tuple[int, Callable[[], object]]
) -> None:
    def ring() -> list[Message]:
        bell[1]()
        return [Queued(2)]

    house.answers[Acquire] = ring
    lock = Lock("x", explain=None, settings=house.settings)
    lock.bell = bell[0]
    with lock:
        assert capsys.readouterr().err == TOLD
    lock.close()


def test_who_rings_before_there_is_a_line_is_told_in_it(
    house: House, capsys: pytest.CaptureFixture[str], bell: tuple[int, Callable[[], object]]
) -> None:
    for _ in range(waiting.MANY):
        bell[1]()
    lock = Lock("x", explain=None, settings=house.settings)
    lock.bell = bell[0]
    with lock:
        assert capsys.readouterr().err == TOLD
    lock.close()
    house.do(lambda: None)  # what it has answered it has put down by now
    assert house.all_heard().count(Explain) == 1


def test_who_rings_again_is_told_again(
    house: House, capsys: pytest.CaptureFixture[str], bell: tuple[int, Callable[[], object]]
) -> None:
    times = iter(range(3))

    def ring_again() -> list[Message]:
        if next(times) == 2:
            return [WHY, Granted(17, "", 0.5)]
        threading.Timer(0.05, bell[1]).start()
        return [WHY]

    house.answers[Explain] = ring_again
    lock = Lock("x", explain=0, settings=house.settings)
    lock.bell = bell[0]
    with lock:
        assert capsys.readouterr().err == TOLD * 3
    lock.close()


def test_a_daemon_that_does_not_answer_is_told_to_who_rings(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bell: tuple[int, Callable[[], object]],
) -> None:
    """In the line and before it: here the greeting takes longer than one waits for an answer."""
    released = threading.Event()

    def welcome() -> list[Message]:
        released.wait(LIMIT)
        return [Welcome(NONCE, 0, 1)]

    monkeypatch.setattr(waiting, "ANSWER", 0.01)
    monkeypatch.setattr(waiting, "say", lambda sentence: (said.append(sentence), released.set()))
    said: list[str] = []
    house.answers[Hello] = welcome
    house.answers[Acquire] = [Granted(17, "", 0.0)]
    bell[1]()
    lock = Lock("x", explain=None, settings=house.settings)
    lock.bell = bell[0]
    with lock:
        assert said == ["waiting for x (EX) for a while; the daemon has not said why"]
    lock.close()


def test_an_answer_that_comes_late_is_told_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late() -> list[Message]:
        threading.Timer(0.05, lambda: (house.say(WHY), house.say(Granted(17, "", 0.5)))).start()
        return []

    monkeypatch.setattr(waiting, "ANSWER", 0.01)
    house.answers[Explain] = late
    with Lock("x", explain=0, settings=house.settings) as lock:
        assert capsys.readouterr().err.splitlines(keepends=True)[-1] == TOLD
    lock.close()


@pytest.mark.parametrize("explain", [0.0, None])
def test_a_daemon_that_does_not_know_the_question_is_told_once_and_harms_no_wait(
    house: House,
    capsys: pytest.CaptureFixture[str],
    bell: tuple[int, Callable[[], object]],
    explain: float | None,
) -> None:
    def fault() -> list[Message]:
        threading.Timer(0.1, lambda: house.say(Granted(17, "", 0.5))).start()
        return [Fault("there is no message 18")]

    house.answers[Explain] = fault
    lock = Lock("x", explain=explain, settings=house.settings)
    if explain is None:
        lock.bell = bell[0]
        bell[1]()
    with lock:
        assert lock.token == 17
    lock.close()
    told = "holdfast: waiting for x (EX) for a while; the daemon is of an older version and cannot say why\n"
    assert capsys.readouterr().err == told


def test_who_asks_an_old_daemon_again_is_told_again_what_we_know(
    house: House, monkeypatch: pytest.MonkeyPatch, bell: tuple[int, Callable[[], object]]
) -> None:
    def say(sentence: str) -> None:
        said.append(sentence.partition("; ")[2])
        if len(said) == 1:
            bell[1]()
        else:
            house.say(Granted(17, "", 0.5))

    said: list[str] = []
    monkeypatch.setattr(waiting, "ANSWER", 0.01)
    monkeypatch.setattr(waiting, "say", say)
    house.answers[Explain] = [Fault("there is no message 18")]
    lock = Lock("x", timeout=LIMIT, explain=0.0, settings=house.settings)
    lock.bell = bell[0]
    with lock:
        assert said[-1] == "the daemon has not said why"
    lock.close()


@pytest.mark.parametrize("how", ["nobody can ring it", "it is closed"])
def test_a_bell_that_cannot_ring_any_more_is_not_listened_to(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    def read(descriptor: int, most: int) -> bytes:
        listened.append(descriptor)
        return really_read(descriptor, most)

    listened: list[int] = []
    really_read = os.read
    monkeypatch.setattr(os, "read", read)

    def queue() -> list[Message]:
        threading.Timer(0.1, lambda: house.say(Granted(17, "", 0.5))).start()
        return [Queued(2)]

    house.answers[Acquire] = queue
    inner, outer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    lock = Lock("x", explain=None, settings=house.settings)
    lock.bell = inner
    os.close(outer)
    if how == "it is closed":
        os.close(inner)
        lock.bell = 9999
    with lock:
        assert lock.token == 17
    assert listened.count(lock.bell) == 1
    lock.close()
    house.do(lambda: None)  # what it has answered it has put down by now
    assert Explain not in house.all_heard()
    assert capsys.readouterr().err == ""
    if how == "nobody can ring it":
        os.close(inner)


def test_a_last_ring_is_heard_though_nobody_can_ring_again(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    inner, outer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.write(outer, bytes(waiting.MANY))
    os.close(outer)
    lock = Lock("x", explain=None, settings=house.settings)
    lock.bell = inner
    with lock:
        assert capsys.readouterr().err == TOLD
    lock.close()
    os.close(inner)
    house.do(lambda: None)  # what it has answered it has put down by now
    assert house.all_heard().count(Explain) == 1


def test_who_is_parked_is_told_so(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.answers[Locate] = [Parked()]
    house.answers[Acquire] = [Granted(17, "", 0.5)]
    house.answers[Explain] = [Explained(False, 1, "nobody has created x yet"), Located("locker-1.sock", 5)]
    with Lock("x", explain=0, settings=house.settings) as lock:
        assert (
            capsys.readouterr().err
            == "holdfast: waiting for x (EX) for a while, position 1: nobody has created x yet\n"
        )
    lock.close()


def test_the_grant_that_overtakes_the_answer_is_had_and_the_next_wait_too(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.answers[Explain] = [Granted(17, "", 0.5), WHY]
    lock = Lock("x", explain=0, settings=house.settings)
    for _ in range(3):
        with lock:
            lock.check()
    assert capsys.readouterr().err == ""
    lock.close()


def test_nobody_is_told_that_it_would_be_granted(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.answers[Explain] = [Explained(True, 1, "it is free"), Granted(17, "", 0.5)]
    with Lock("x", explain=0, settings=house.settings) as lock:
        assert capsys.readouterr().err == ""
    lock.close()


def test_a_signal_rings_wherever_it_comes(
    house: House, capsys: pytest.CaptureFixture[str], bell: tuple[int, Callable[[], object]]
) -> None:
    """Between the last look and the poll no handler in Python would run before the poll ends."""

    def signalled() -> list[Message]:
        signal.pthread_kill(main, signal.SIGUSR1)
        return [Queued(2)]

    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    inner, outer = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(outer)
    house.answers[Acquire] = signalled
    try:
        for _ in range(50):
            lock = Lock("x", explain=None, settings=house.settings)
            lock.bell = inner
            with lock:
                assert capsys.readouterr().err == TOLD
            lock.close()
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
        os.close(inner)
        os.close(outer)


def test_a_position_that_there_is_not_is_not_told() -> None:
    ask = Locate("x[4]", Mode.EX, 3, FOREVER, True, True, 2.0, Order.FIFO)
    session = Session(Hello(0, bytes(16), "", "", 1, 1, 0, "", "", "", "", ()), ask)
    session.acquire(None, 100.0)
    told = explanation(session, Explained(False, 0, "it is too early for the next one"), 165.0)
    assert told == "waiting for x[4] (3 units) for 1m05s: it is too early for the next one"


def test_a_standard_error_that_is_closed_or_no_file_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as file:
        for stream in (None, object(), file):
            monkeypatch.setattr("sys.stderr", stream)
            assert not looks_on()
    assert not looks_on()
