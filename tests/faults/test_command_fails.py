"""A command that fails, dies or does not exist: its code is ours, its number goes back, and the lock is free."""

from __future__ import annotations

import pytest

from support import House

pytestmark = pytest.mark.slow


def number(house: House, script: str) -> tuple[str, int]:
    """Take the next number of a sequence that takes numbers back, and run ``script``."""
    ended = house.run("run", "--idle", "1h", "-r", "_S_failing[9]", "sh", "-c", f'echo "$0"; {script}', "{}")
    return ended.stdout.strip(), ended.returncode


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 1", 1), ("exit 255", 255), ("kill -INT $$", -2), ("kill -QUIT $$", -3), ("kill -KILL $$", 137)],
)
def test_a_failure_rolls_the_number_back(house: House, script: str, code: int) -> None:
    given, ended = number(house, script)
    assert ended == code
    assert number(house, "true") == (given, 0)
    assert number(house, "true") != (given, 0)


def test_a_command_that_does_not_exist_rolls_the_number_back(house: House) -> None:
    assert house.run("run", "--idle", "1h", "-r", "_S_failing[9]", "no-such-command").returncode == 97
    assert number(house, "true")[0] == "1"


def test_a_killed_wrapper_rolls_the_number_back(house: House) -> None:
    ended = house.run("run", "--idle", "1h", "-r", "_S_failing[9]", "sh", "-c", 'echo "$0"; kill -KILL $PPID', "{}")
    assert ended.returncode == -9
    assert number(house, "true")[0] == ended.stdout.strip()
