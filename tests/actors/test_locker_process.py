"""A locker process whose parent is gone: what only a real one can get wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.transport.messages import Refusal, Refused, Release, Released
from raw import Raw, acquire, find, hello, holder, start_daemon
from support import House, wait_dead, wait_until

pytestmark = pytest.mark.slow


def test_a_locker_that_is_held_outlives_its_daemon_and_says_so_until_it_is_released(house: House) -> None:
    path = start_daemon(house)
    raw, _, epoch = holder(path, "printer")
    address, _ = find(path, "printer")
    [locker] = house.lockers()
    waiter = Raw(address)
    waiter.enter(hello(), acquire("printer", epoch))
    waiter.hear()
    os.kill(house.daemon(), signal.SIGKILL)
    refused = waiter.hear()
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.STOPPING
    note = Path(path).parent / f"left-behind-{locker}"
    wait_until(note.exists, "the note")
    assert f"process {locker} still serves printer" in note.read_text()
    refused_start = house.run("serve")
    assert refused_start.returncode == 99
    assert f"process {locker} still serves printer" in refused_start.stderr
    raw.say(Release(epoch, False))
    assert raw.hear() == Released()
    wait_dead(locker)
    assert not note.exists()
    for one in (raw, waiter):
        one.wire.close()


def test_lockers_that_nobody_holds_end_with_their_daemon(house: House) -> None:
    path = start_daemon(house)
    find(path, "printer")
    os.kill(house.daemon(), signal.SIGKILL)
    wait_until(lambda: not house.processes(), "the end of all lockers")


def test_a_wait_longer_than_the_kernel_can_count_does_not_end_the_locker(house: House) -> None:
    path = start_daemon(house)
    raw, _, epoch = holder(path, "printer")
    address, _ = find(path, "printer", idle=1e300, timeout=1e300)
    with Raw(address) as waiter:
        waiter.enter(hello(), acquire("printer", epoch, timeout=1e300))
        waiter.hear()
        raw.say(Release(epoch, False))
        assert raw.hear() == Released()
        waiter.hear()
    raw.wire.close()
