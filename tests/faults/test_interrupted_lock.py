"""A signal's handler raises in the middle of a program's ``Lock``: at any step, the lock is left and usable again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from holdfast.transport.client import Lock
from holdfast.transport.messages import Acquire, Granted, Queued, Release
from holdfast.transport.session import State
from holdfast.transport.wire import Message
from scripted_house import House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


def interrupt(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def test_a_signal_that_raises_leaves_the_line(house: House) -> None:
    def queue_and_kill() -> list[Message]:
        signal.pthread_kill(main, signal.SIGUSR1)
        return [Queued(1)]

    main = threading.main_thread().ident or 0
    before = signal.signal(signal.SIGUSR1, interrupt)
    lock = Lock("x", settings=house.settings)
    house.answers[Acquire] = queue_and_kill
    try:
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (lock.held, lock.fileno()) == (False, -1)
    lock.close()
    house.answers[Acquire] = [Granted(18, "", 0.0)]
    lock.acquire()
    lock.close()


@pytest.mark.parametrize("step", ["_make_sure", "_send"])
@pytest.mark.parametrize("interrupted", [Lock.release, lambda lock: lock.__exit__(None, None, None)])
def test_an_interrupted_release_gives_it_back_all_the_same(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str, interrupted: Callable[[Lock], None]
) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    with monkeypatch.context() as patch:
        patch.setattr(lock, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lock)
    assert (lock.held, lock.fileno()) == (False, -1)
    with lock:
        lock.check()
    lock.close()


def test_a_block_whose_end_is_interrupted_before_the_release_gives_it_back_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock("x", settings=house.settings)
    with pytest.raises(KeyboardInterrupt), lock:
        monkeypatch.setattr(lock, "release", interrupt)
    assert (lock.held, lock.fileno()) == (False, -1)


def test_an_acquire_on_the_same_connection_that_is_interrupted_is_never_said_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(timeout: float | None, now: float) -> NoReturn:
        ask(timeout, now)
        lock._session.state = State.ATTACHED  # as it is between the two lines that say it
        raise KeyboardInterrupt

    lock = Lock("x", settings=house.settings).acquire()
    lock.release(wait=True)
    ask = lock._session.acquire
    with monkeypatch.context() as patch:
        patch.setattr(lock._session, "acquire", half)
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    house.all_heard()
    with lock:
        house.wait_heard(Acquire)
    house.wait_heard(Release)
    assert house.all_heard() == []
    lock.close()


@pytest.mark.slow
def test_a_lock_survives_interruptions_at_any_step(house: House) -> None:
    before = signal.signal(signal.SIGALRM, interrupt)
    lock = Lock("x", settings=house.settings)
    times = 0
    try:
        for attempt in range(2000):
            try:
                lock.acquire()
                signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + attempt % 60))
                lock.release()
                lock.acquire()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                times += 1
            if lock.held:  # interrupted before the first step of the release, or behind the last of the acquire
                lock.release()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert times > 100
    with lock:
        lock.check()
    lock.close()
