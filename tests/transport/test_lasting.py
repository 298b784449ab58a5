"""Locks whose connection others inherit: when it ends, what is said before, and what is refused."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from curve_daemon import Daemon
from holdfast.transport import keys
from holdfast.transport.client import Lock
from holdfast.transport.endpoints import parse
from holdfast.transport.errors import LockLost, RemoteProtocolError, Unreachable, UsageError
from holdfast.transport.lasting import FIRST, SINCE, CommandLock, TreeLock
from holdfast.transport.messages import Acquire, Cause, Conclude, Concluded, Hello, Locate, Lost, Release, Welcome
from holdfast.transport.settings import Settings
from scripted_house import LIMIT, NONCE, House


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        house.answers[Hello] = [Welcome(NONCE, SINCE, 1)]
        house.answers[Conclude] = [Concluded()]
        yield house


class Heir:
    """Whoever has inherited the descriptor of a lock: here a copy of it."""

    def __init__(self, lock: CommandLock | TreeLock) -> None:
        assert os.get_inheritable(lock.inherited)
        assert lock.inherited >= FIRST
        self._connection = socket.socket(fileno=os.dup(lock.inherited))

    def connected(self) -> bool:
        """Has nobody ended the connection?"""
        return not select.select([self._connection], [], [], 0)[0]

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("kind", [CommandLock, TreeLock])
def test_nothing_is_inherited_before_the_grant_and_after_the_end(
    house: House, kind: type[CommandLock | TreeLock]
) -> None:
    lock = kind("x", settings=house.settings)
    for end in (lock.release, lock.close):
        assert lock.inherited == -1
        lock.acquire()
        inherited = lock.inherited
        os.fstat(inherited)
        end()
        assert lock.inherited == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(inherited)


def test_a_command_s_lock_is_given_back_and_ended_whoever_has_inherited_it(house: House) -> None:
    lock = CommandLock("x", settings=house.settings).acquire()
    heir = Heir(lock)
    assert heir.connected()
    lock.release(rolled_back=True)
    assert house.wait_heard(Release) == Release(5, True)
    assert not heir.connected()
    heir.close()


def test_a_tree_s_lock_is_concluded_and_goes_on(house: House) -> None:
    lock = TreeLock("x", settings=house.settings).acquire()
    heir = Heir(lock)
    lock.release(rolled_back=True)
    assert house.wait_heard(Conclude) == Conclude(5, True)
    assert not lock.held
    assert heir.connected()
    heir.close()


def test_a_lost_lock_is_told_at_its_end(house: House) -> None:
    lock = TreeLock("x", settings=house.settings).acquire()
    house.wait_heard(Acquire)
    house.say(Lost(Cause.STOPPED, ""))
    with pytest.raises(LockLost, match="stopped"):
        lock.release()


def test_a_lock_that_is_lost_while_it_is_concluded_is_told(house: House) -> None:
    house.answers[Conclude] = [Lost(Cause.STOPPED, "")]
    lock = TreeLock("x", settings=house.settings).acquire()
    with pytest.raises(LockLost):
        lock.release()


def test_a_daemon_that_is_too_old_is_not_asked_for_a_tree_s_lock(house: House) -> None:
    house.answers[Hello] = [Welcome(NONCE, SINCE - 1, 1)]
    with pytest.raises(RemoteProtocolError, match=r"too old.*holdfast stop"):
        TreeLock("x", settings=house.settings).acquire()
    assert not {Locate, Acquire} & set(house.all_heard())
    with CommandLock("x", settings=house.settings):
        pass


@pytest.mark.parametrize("kind", [CommandLock, TreeLock])
def test_the_next_acquire_begins_from_the_top(house: House, kind: type[Lock]) -> None:
    lock = kind("x", settings=house.settings)
    for _ in range(2):
        with lock:
            pass
        assert house.all_heard().count(Locate) == 1


@pytest.mark.parametrize("kind", [CommandLock, TreeLock])
def test_under_curve_nobody_can_inherit(tmp_path: Path, kind: type[Lock]) -> None:
    daemon = Daemon(tmp_path)
    try:
        own = keys.create(str(tmp_path), "alice")[1]
        daemon.admit(own)
        known = Settings(
            endpoint=parse(f"tcp://127.0.0.1:{daemon.port}"),
            curve_key=own,
            curve_server=str(tmp_path / "daemon.key"),
            lifespan=0,
        )
        with pytest.raises(UsageError, match=r"CURVE.*--hold wrapper"):
            kind("x", settings=known, timeout=LIMIT).acquire()
    finally:
        daemon.close()


def test_where_high_numbers_are_not_allowed_another_one_is_inherited(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.transport.lasting.FIRST", 2**30)
    with TreeLock("x", settings=house.settings) as lock:
        assert lock.inherited > lock.fileno()
        assert os.get_inheritable(lock.inherited)


def test_a_daemon_that_does_not_answer_takes_the_lock_from_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.transport.lasting.UNLOCKING", 0.0)
    house.answers[Conclude] = []
    lock = TreeLock("x", settings=house.settings).acquire()
    heir = Heir(lock)
    with pytest.raises(Unreachable, match="does not answer"):
        lock.release()
    assert heir.connected()
    heir.close()
