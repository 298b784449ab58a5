"""``Lock`` against an incubator and a locker that say what the test tells them."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from math import inf, nan
from pathlib import Path
from typing import NoReturn

import pytest

from holdfast.transport import discover, identity, locks
from holdfast.transport.client import Lock
from holdfast.transport.errors import Busy, LockLost, RemoteProtocolError, TimedOut, Unreachable, UsageError
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Cause,
    Granted,
    Hello,
    Locate,
    Located,
    Lost,
    Mode,
    Order,
    Queued,
    Refusal,
    Refused,
    Release,
    Welcome,
)
from holdfast.transport.peers import Peer
from holdfast.transport.session import State
from holdfast.transport.settings import Settings
from holdfast.transport.wire import Message
from holdfast.transport.zmtp import Closed, Wire
from scripted_house import LIMIT, House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


def test_a_lock_is_had_and_given_back(house: House) -> None:
    with Lock("red.green", Mode.PW, quantity=1, timeout=30, settings=house.settings) as held:
        assert held.held
        assert (held.element, held.token, held.waited) == ("red", 17, 0.5)
        held.check()
    assert not held.held
    assert isinstance(house.wait_heard(Locate), Locate)
    acquire = house.wait_heard(Acquire)
    assert isinstance(acquire, Acquire)
    assert (acquire.resource, acquire.epoch, acquire.mode, acquire.nest) == ("red.green", 5, Mode.PW, True)
    assert 29 < acquire.timeout <= 30
    assert house.wait_heard(Release) == Release(5, False)
    held.close()


def test_the_whole_request_is_told(house: House) -> None:
    lock = Lock("x[4]", Mode.CR, quantity=3, create=False, idle=inf, order=Order.FIRST_FIT, settings=house.settings)
    lock.acquire()
    assert house.wait_heard(Locate) == Locate("x[4]", Mode.CR, 3, FOREVER, True, False, FOREVER, Order.FIRST_FIT)
    lock.close()


def test_the_next_acquire_costs_one_message(house: House) -> None:
    lock = Lock("x", settings=house.settings)
    with lock:
        pass
    house.wait_heard(Release)
    with lock:
        pass
    house.wait_heard(Release)
    with lock:
        house.wait_heard(Acquire)
        assert house.all_heard() == []
    lock.close()


def test_an_exception_in_the_block_rolls_back_and_comes_through(house: House) -> None:
    with pytest.raises(KeyError, match="mine"), Lock("x", settings=house.settings):
        raise KeyError("mine")
    assert house.wait_heard(Release) == Release(5, True)


def test_an_exception_in_the_block_is_not_hidden_by_a_lost_lock(house: House) -> None:
    def work() -> NoReturn:
        house.hang_up()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught, Lock("x", settings=house.settings):
        work()
    assert "x is lost" in caught.value.__notes__[0]


def test_a_lock_lost_in_the_block_is_told_at_its_end(house: House) -> None:
    with pytest.raises(LockLost, match="ended"), Lock("x", settings=house.settings):
        house.hang_up()


def test_a_timeout_of_the_call_counts_before_that_of_the_lock(house: House) -> None:
    lock = Lock("x", timeout=100, settings=house.settings)
    for timeout in (0, None, inf, ...):
        lock.acquire(timeout)
        lock.release()
    said = [house.wait_heard(Acquire) for _ in range(4)]
    told = [message.timeout for message in said if isinstance(message, Acquire)]
    assert told[:3] == [0, FOREVER, FOREVER]
    assert 0 < told[3] <= 100
    lock.close()


@pytest.mark.parametrize("why", [Refusal.BUSY, Refusal.TIMED_OUT])
def test_trying_says_whether(house: House, why: Refusal) -> None:
    lock = Lock("x", settings=house.settings)
    house.answers[Acquire] = [Refused(why, "anna has it")]
    assert not lock.try_acquire()
    house.answers[Acquire] = [Granted(18, "", 0.0)]
    assert lock.try_acquire()
    lock.close()


def test_a_refusal_is_an_error_and_the_connection_is_kept_for_the_next_time(house: House) -> None:
    lock = Lock("x", settings=house.settings)
    house.answers[Acquire] = [Queued(1), Refused(Refusal.TIMED_OUT, "anna has it")]
    with pytest.raises(TimedOut, match="anna has it"):
        lock.acquire(timeout=3)
    with pytest.raises(UsageError, match="not held"):
        lock.release()
    house.all_heard()
    house.answers[Acquire] = [Refused(Refusal.BUSY, "still")]
    with pytest.raises(Busy):
        lock.acquire(timeout=0)
    house.wait_heard(Acquire)
    lock.close()


def test_the_descriptor_wakes_when_the_lock_is_lost(house: House) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    house.say(Lost(Cause.STOPPED, "it was stopped"))
    assert select.select([lock], [], [], LIMIT)[0] == [lock]
    for question in (lock.check, lock.release, lock.check):
        with pytest.raises(LockLost, match="it was stopped"):
            question()
    assert not lock.held
    assert lock.fileno() == -1
    lock.acquire()
    lock.check()
    lock.close()


def test_a_waited_release_without_an_answer_says_so(house: House) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    house.answers[Release] = []

    def hang_up_then() -> None:
        house.wait_heard(Release)
        house.hang_up()

    threading.Thread(target=hang_up_then).start()
    with pytest.raises(Unreachable, match="outcome unknown"):
        lock.release(wait=True)


def test_a_transactional_sequence_always_waits(house: House) -> None:
    lock = Lock("_S_ticket[3]", settings=house.settings).acquire()
    lock.release()
    assert lock._session.state is State.ATTACHED
    lock.close()


def test_the_end_of_the_interpreter_waits_for_what_was_released(house: House) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    lock.release()
    assert lock._session.state is State.RELEASING
    locks._wait_all()
    assert str(lock._session.state) == str(State.ATTACHED)
    lock.close()


def test_a_locker_that_is_gone_is_located_again(house: House) -> None:
    places = iter(["locker-9.sock", "locker-1.sock"])
    house.answers[Locate] = lambda: [Located(next(places), 5)]
    with Lock("x", settings=house.settings) as held:
        assert held.token == 17
    held.close()


def test_a_locker_whose_port_leads_nowhere_is_named_with_its_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    there = Peer(socket.AF_INET, ("127.0.0.1", port))
    monkeypatch.setattr(Wire, "beside", lambda wire, address: there)
    with pytest.raises(Unreachable, match=f"x is served at tcp://127.0.0.1:{port}, where nobody listens; .*forwarded"):
        Lock("x", settings=house.settings).acquire()


def test_what_keeps_us_from_the_daemon_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def lets_nobody_in(*_: object) -> NoReturn:
        raise Closed("lets nobody in at tcp://192.0.2.1:4711")

    monkeypatch.setattr(discover, "connect", lets_nobody_in)
    with pytest.raises(Unreachable, match=r"in 5 attempts: lets nobody in at tcp://192.0.2.1:4711"):
        Lock("x", settings=house.settings).acquire()


def test_a_connection_that_ended_while_nothing_was_held_is_silently_made_again(house: House) -> None:
    lock = Lock("x", settings=house.settings)
    with lock:
        pass
    house.hang_up()
    with lock:
        assert lock.held
    lock.close()


def test_a_locker_outside_of_the_directory_is_refused(house: House) -> None:
    house.answers[Locate] = [Located("../evil.sock", 5)]
    with pytest.raises(RemoteProtocolError, match="outside"):
        Lock("x", settings=house.settings).acquire()


def test_everything_that_came_is_told(house: House) -> None:
    house.answers[Acquire] = [Queued(2), Granted(17, "", 0.5)]
    told: list[Message] = []
    lock = Lock("x", settings=house.settings, tell=told.append).acquire()
    assert [type(message) for message in told] == [Welcome, Located, Welcome, Queued, Granted]
    lock.close()


def test_a_second_thread_is_told_and_does_no_harm(house: House) -> None:
    house.answers[Acquire] = [Queued(1)]
    lock = Lock("x", settings=house.settings)
    first = threading.Thread(target=lock.acquire)
    first.start()
    house.wait_heard(Acquire)
    for verb in (lock.acquire, lock.release, lock.check, lock.close):
        with pytest.raises(UsageError, match="another thread"):
            verb()
    house.say(Granted(19, "", 0.0))
    first.join(LIMIT)
    assert lock.token == 19
    lock.close()


def test_a_forked_child_cannot_use_the_lock(house: House) -> None:
    lock = Lock("x", settings=house.settings).acquire()
    child = os.fork()
    if child == 0:
        refused = 10 * lock.held
        for verb in (lock.acquire, lock.release, lock.check):
            try:
                verb()
            except UsageError:
                refused += 1
        lock.close()
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    lock.check()
    lock.close()


def test_what_is_held_cannot_be_acquired_again(house: House) -> None:
    with Lock("x", settings=house.settings) as lock:
        with pytest.raises(UsageError, match="held already"):
            lock.acquire()
        with pytest.raises(UsageError, match="held already"):
            lock.__enter__()
        lock.check()
    with lock.acquire(timeout=3) as same:
        assert same is lock
    assert not lock.held
    lock.close()


def test_a_block_that_was_never_left_does_not_count_once_the_lock_was_given_back(house: House) -> None:
    lock = Lock("x", settings=house.settings)
    lock.__enter__()
    lock.release()
    with lock:
        lock.check()
    lock.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lock(b"x"),  # type: ignore[arg-type]  # as are all of these that no checker has seen
        lambda: Lock("x", "EX"),  # type: ignore[arg-type]
        lambda: Lock("x", quantity=1.5),  # type: ignore[arg-type]
        lambda: Lock("x", order=7),  # type: ignore[arg-type]
        lambda: Lock("x", reason=b"y"),  # type: ignore[arg-type]
        lambda: Lock(""),
        lambda: Lock("x y"),
        lambda: Lock("x", quantity=0),
        lambda: Lock("x", quantity=-1),
        lambda: Lock("x", quantity=2**63),
        lambda: Lock("x", timeout=-1),
        lambda: Lock("x", timeout=nan),
        lambda: Lock("x", idle=nan),
        lambda: Lock("x", reason="x" * 4097),
        lambda: Lock("x", settings=Settings(run_dir="/nowhere")).acquire(timeout=-0.1),
    ],
)
def test_what_has_no_meaning_is_refused_at_once(make: Callable[[], Lock]) -> None:
    with pytest.raises(UsageError):
        make()


def test_no_daemon_is_unreachable(tmp_path: Path) -> None:
    lock = Lock("x", settings=Settings(run_dir=str(tmp_path / "none"), lifespan=0))
    with pytest.raises(Unreachable, match="holdfast serve"):
        lock.acquire()
    lock.close()


def test_the_sessions_around_it_are_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(identity.SESSION, "00" * 16)
    with Lock("red.green", Mode.PR, settings=house.settings) as lock:
        lock.check()
    hello = house.wait_heard(Hello)
    assert isinstance(hello, Hello)
    assert (hello.session.hex(), hello.inside) == (lock.session, (bytes(16),))
    lock.close()
    assert Lock("x", nest=False, settings=house.settings)._session._hello.inside == ()
