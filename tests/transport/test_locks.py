"""All locks of this process: none is kept alive by being counted."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from holdfast.transport.client import Lock
from holdfast.transport.locks import all_locks
from holdfast.transport.settings import Settings

SETTINGS = Settings()


def test_a_lock_counts_as_long_as_somebody_has_it() -> None:
    first, second = Lock("first", settings=SETTINGS), Lock("second", settings=SETTINGS)
    assert [lock.resource for lock in all_locks() if lock in (first, second)] == ["first", "second"]
    known = id(first)
    del first
    assert known not in map(id, all_locks())
    assert second in all_locks()


def test_whoever_looks_while_others_come_and_go_sees_a_list() -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            Lock("x", settings=SETTINGS)

    others = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in others:
        thread.start()
    try:
        for _ in range(3000):
            all_locks()
    finally:
        stop.set()
        for thread in others:
            thread.join()


ENDS = """
from holdfast.transport import locks

class Released:
    def wait_released(self):
        print("waited")

lock = Released()
locks.remember(lock)
print("the last line")
"""


@pytest.mark.slow
def test_the_interpreter_ends_only_when_what_was_released_is_known() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n") == ["the last line", "waited", ""]
