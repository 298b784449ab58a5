"""What a process waits for and holds: looked at by other threads, and by signals' handlers in the middle of a wait."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

import holdfast
from holdfast.transport.client import Lock
from holdfast.transport.enums import Mode, Order
from holdfast.transport.errors import UsageError
from holdfast.transport.inflight import ASKS, InFlight, in_words, inflight, install_signal_dump, seen
from holdfast.transport.messages import FOREVER, Acquire, Granted, Hello, Locate, Queued
from holdfast.transport.session import Session, State
from holdfast.transport.wire import Message
from scripted_house import LIMIT, House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture
def signalled() -> Iterator[None]:
    """Whatever a test installs is gone afterwards."""
    before = signal.getsignal(ASKS)
    yield
    signal.signal(ASKS, before)


Screen = tuple[int, IO[str]]


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A file, and where what is written to it can be read."""
    inner, outer = os.pipe()
    with os.fdopen(outer, "w") as file:
        yield inner, file
    os.close(inner)


def timeless(text: str) -> str:
    return re.sub(r"\d+\.\d\ds", "N s", text)


def session(state: State) -> Session:
    """One that asked at 100 s and, if it holds, was granted at 160 s."""
    ask = Locate("x", Mode.PR, 1, FOREVER, True, True, 2.0, Order.FIFO)
    found = Session(Hello(0, bytes(16), "", "", 1, 1, 0, "", "", "", "", ()), ask)
    found.acquire(None, 100.0)
    found.granted, found.granted_at, found.state = Granted(17, "red", 59.0), 160.0, state
    return found


def test_nothing_is_in_flight_at_first(house: House) -> None:
    lock = Lock("x", settings=house.settings)
    assert lock.inflight() is None
    with lock:
        pass
    assert lock.inflight() is None
    lock.close()
    assert [entry.resource for entry in inflight()] == []
    assert in_words() == "In-flight locks:\n  none\n"


def test_what_is_held_and_what_is_waited_for_are_listed_the_oldest_first(house: House) -> None:
    def queue() -> list[Message]:
        queued.set()
        return [Queued(1)]

    queued = threading.Event()
    with Lock("red.green", settings=house.settings) as held:
        house.answers[Acquire] = queue
        other = Lock("x[4]", Mode.PR, quantity=3, settings=house.settings)
        thread = threading.Thread(target=other.acquire)
        thread.start()
        assert queued.wait(LIMIT)
        first, second = holdfast.inflight()
        assert (first.resource, first.mode, first.state, first.element, first.token) == (
            *("red.green", Mode.EX, "held"),
            *("red", 17),
        )
        assert (second.resource, second.mode, second.quantity, second.state) == ("x[4]", Mode.PR, 3, "waiting")
        assert (second.element, second.token, second.waited) == ("", 0, second.age)
        assert first.age >= second.age
        assert (first.thread, second.thread) == (threading.get_ident(), thread.ident)
        assert timeless(in_words()) == (
            'In-flight locks:\n  holding "red.green" (red) for N s\n  waiting for "x[4]" (PR, 3 units) for N s\n'
        )
        house.say(Granted(18, "", 0.0))
        thread.join(LIMIT)
        assert [entry.state for entry in inflight()] == ["held", "held"]
        other.close()
    held.close()
    assert inflight() == []


def test_a_lock_that_nobody_has_any_more_is_not_in_flight(house: House) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    assert len(inflight()) == 1
    del lock
    assert inflight() == []


def test_a_lock_of_the_parent_is_not_in_flight_in_a_child(house: House) -> None:
    with Lock("x", settings=house.settings) as lock:
        child = os.fork()
        if child == 0:
            os._exit(len(inflight()))
        assert os.waitpid(child, 0)[1] == 0
    lock.close()


@pytest.mark.parametrize("state", State)
def test_the_ages_are_those_of_what_it_does(state: State) -> None:
    found = seen(session(state), 7, 175.0)
    if state in (State.AWAY, State.ATTACHED, State.RELEASING):
        assert found is None
    elif state is State.HELD:
        assert found == InFlight("x", Mode.PR, 1, "held", 15.0, 60.0, "red", 17, 7)
    else:
        assert found == InFlight("x", Mode.PR, 1, "waiting", 75.0, 75.0, "", 0, 7)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(47.26, "47.26s"), (94.0, "1m34.00s"), (59.999, "1m0.00s"), (3754.004, "1h2m34.00s"), (3600.0, "1h0m0.00s")],
)
def test_an_age_is_told_to_the_hundredth(monkeypatch: pytest.MonkeyPatch, seconds: float, words: str) -> None:
    entry = InFlight("/disk/h\x1bme", Mode.PR, 1, "waiting", seconds, seconds, "", 0, 1)
    monkeypatch.setattr("holdfast.transport.inflight.inflight", lambda: [entry])
    assert in_words() == f'In-flight locks:\n  waiting for "/disk/h\\x1bme" (PR) for {words}\n'


def test_a_signal_shows_the_list_and_the_wait_goes_on(house: House, screen: Screen, signalled: None) -> None:
    def signal_and_grant() -> list[Message]:
        threading.Timer(0.05, kill).start()
        return [Queued(1)]

    def kill() -> None:
        signal.pthread_kill(main, ASKS)
        shown.append(os.read(screen[0], 4096).decode())
        house.say(Granted(17, "", 0.0))

    main = threading.main_thread().ident or 0
    shown: list[str] = []
    holdfast.install_signal_dump(file=screen[1])
    house.answers[Acquire] = signal_and_grant
    with Lock("printer", settings=house.settings) as lock:
        assert [timeless(text) for text in shown] == ['In-flight locks:\n  waiting for "printer" for N s\n']
    lock.close()


def test_another_file_and_another_signal_will_do(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    try:
        with open(tmp_path / "list", "w") as file:
            install_signal_dump(signal.SIGUSR2, file)
            signal.raise_signal(signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (tmp_path / "list").read_text() == "In-flight locks:\n  none\n"


def test_the_handler_before_is_called_afterwards_and_the_list_is_shown_once(screen: Screen, signalled: None) -> None:
    called: list[int] = []
    signal.signal(ASKS, lambda number, frame: called.append(number))
    install_signal_dump(file=screen[1])
    install_signal_dump(file=screen[1])
    signal.raise_signal(ASKS)
    assert called == [ASKS]
    assert os.read(screen[0], 4096) == b"In-flight locks:\n  none\n"


@pytest.mark.parametrize("stderr", [sys.__stderr__, None, object()])
def test_without_a_file_it_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], signalled: None, stderr: object
) -> None:
    """If that is none of the system's files: to where it is by birth."""
    install_signal_dump()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        signal.raise_signal(ASKS)
    assert capfd.readouterr().err == "In-flight locks:\n  none\n"


def test_a_file_that_cannot_be_written_harms_nobody(signalled: None) -> None:
    with open(os.devnull) as file:
        install_signal_dump(file=file)
        signal.raise_signal(ASKS)


@pytest.mark.parametrize("number", [signal.SIGKILL, 12345, 0, "x", None, 1.5])
def test_a_signal_that_nobody_can_handle_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match="no handler for signal"):
        install_signal_dump(number)


@pytest.mark.parametrize("file", ["x", 2, io.StringIO(), object])
def test_what_is_no_file_is_refused(signalled: None, file: object) -> None:
    before = signal.getsignal(ASKS)
    with pytest.raises(UsageError, match="is no file to which a signal's handler can write"):
        install_signal_dump(file=file)  # type: ignore[arg-type]  # on purpose
    assert signal.getsignal(ASKS) is before


def test_a_file_that_is_closed_is_refused(signalled: None) -> None:
    with open(os.devnull, "w") as file:
        pass
    with pytest.raises(UsageError, match="is no file"):
        install_signal_dump(file=file)


def test_another_thread_than_the_main_one_is_refused() -> None:
    refused: list[UsageError] = []

    def install() -> None:
        try:
            install_signal_dump()
        except UsageError as error:
            refused.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join(LIMIT)
    assert len(refused) == 1
    assert "main thread" in str(refused[0])
