"""Clients work in one window and tell what they did; who fails is listed, or fails the scenario if it is ours.

The kernel's locks stand for all systems: they need no server.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from clients import clients, work
from report import Scenario
from scenarios import FAIRNESS, HAND_OVERS, RATE, allowed, contend, crowds, handed_over, taken_alone
from worker import LAST, Holder, run

SECONDS = 0.05
BENCH = Path(__file__).resolve().parent
BREAKS = """
def test_one(suite, found):
    suite.scenario("S0", "Something", "cycles")
    raise RuntimeError("no server came")

def test_two(suite, found):
    assert [one.broken for one in found] == ["it failed: no server came"]
"""


@pytest.fixture
def scenario() -> Scenario:
    return Scenario("S0", "Something", RATE)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path)


class Nothing:
    """A lock that nobody else wants."""

    def acquire(self) -> None: ...

    release = close = acquire


def test_every_client_works_in_the_window(directory: str) -> None:
    with clients("flock", directory, ["a", "b", "c"]) as some:
        window = work(some, SECONDS)
    assert len(window.cycles) == len(window.waits) == len(window.handed) == 3
    assert min(window.cycles) > 0


def test_a_window_follows_another_with_the_same_clients(directory: str) -> None:
    with clients("flock", directory, ["one"]) as some:
        assert [work(some, SECONDS).cycles[0] > 0 for _ in range(2)] == [True, True]


def test_readers_hold_together_and_a_writer_alone(directory: str) -> None:
    with clients("flock", directory, ["one"] * 3, readers=2) as (first, second, writer):
        for reader in (first, second):
            reader.tell("acquire")
            reader.answer()
        writer.tell("acquire")
        for reader in (first, second):
            reader.tell("release")
        released = [reader.answer() for reader in (first, second)]
        granted = writer.answer()
        writer.tell("release")
        writer.answer()
    assert isinstance(granted, float)
    assert all(isinstance(one, float) and one < granted for one in released)


def test_who_cannot_lock_is_an_error_at_once() -> None:
    with pytest.raises(RuntimeError, match="a client of flock ended"), clients("flock", "/nowhere", ["one"] * 20):
        pass


def test_a_hand_over_lasts_from_the_release_to_the_grant(directory: str) -> None:
    with clients("flock", directory, ["one", "one"]) as (first, second):
        taken = [*handed_over(first, second, 2), *taken_alone(first, 1)]
    assert len(taken) == 3
    assert min(taken) > 0


def test_the_same_holder_again_is_no_hand_over() -> None:
    last = mmap.mmap(-1, LAST.size)
    first, second = Holder(last, 1), Holder(last, 2)
    assert first.given_back() is None
    first.give_back()
    assert first.given_back() is None
    assert 0 < (second.given_back() or 0.0) <= monotonic()


def test_of_two_who_hand_it_on_each_way_is_told(directory: str) -> None:
    with clients("flock", directory, ["one", "one"]) as pair:
        window = work(pair, SECONDS, pause=0.001)
    assert len(window.ways) >= sum(window.handed) - 1
    assert all(way >= 0 for way in window.ways)


@pytest.mark.parametrize(("begins_in", "ways"), [(0.0, 0), (-60.0, 1)])
def test_what_was_given_back_before_the_window_is_none_of_its_ways(begins_in: float, ways: int) -> None:
    last = mmap.mmap(-1, LAST.size)
    Holder(last, 1).give_back()
    start = monotonic() + begins_in
    told = run(Nothing(), Holder(last, 2), start, monotonic() + SECONDS - start, 0.0)
    assert (told["handed"], len(told["ways"])) == (1, ways)


def test_one_client_has_no_figures_of_several(scenario: Scenario) -> None:
    with ExitStack() as stack:
        crowd = crowds(stack, scenario, ["flock"], ["one"])
        contend(scenario, crowd, SECONDS)
    assert set(scenario.figures["flock"]).isdisjoint({FAIRNESS, HAND_OVERS})


@pytest.mark.parametrize("apart", [False, True])
def test_only_clients_of_one_resource_hand_over(scenario: Scenario, apart: bool) -> None:
    with ExitStack() as stack:
        crowd = crowds(stack, scenario, ["flock"], ["a", "b"] if apart else ["a", "a"])
        contend(scenario, crowd, SECONDS, apart=apart)
    assert (HAND_OVERS in scenario.figures["flock"]) is not apart
    assert FAIRNESS in scenario.figures["flock"]


def test_somebody_elses_failure_is_noted_and_the_others_go_on(scenario: Scenario) -> None:
    with ExitStack() as stack:
        crowd = crowds(stack, scenario, ["fcntl", "flock"], ["one"])
        crowd["fcntl"][0].tell("run", "nonsense")
        for _ in range(2):
            contend(scenario, crowd, SECONDS)
    assert list(scenario.failed) == ["fcntl"]
    assert len(scenario.values("flock", RATE)) == 2


def test_our_failure_fails_the_scenario(scenario: Scenario) -> None:
    with pytest.raises(RuntimeError), allowed(scenario, "holdfast"):
        raise RuntimeError
    assert scenario.failed == {}


@pytest.mark.slow
def test_a_scenario_that_fails_before_its_first_round_has_the_reason(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").symlink_to(BENCH / "conftest.py")
    (tmp_path / "test_it.py").write_text(BREAKS)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ["PYTHONPATH"] = os.pathsep.join([str(BENCH), str(BENCH.parent / "tests"), str(BENCH.parent / ".path")])
    words += ["--import-mode=importlib", "--benchmark-disable", str(tmp_path)]
    done = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert "1 failed, 1 passed" in done.stdout, done.stdout


def test_no_room_is_left(scenario: Scenario) -> None:
    with ExitStack() as stack:
        crowds(stack, scenario, ["flock"], ["one"])
        (room,) = Path("/tmp").glob(f"bench-{os.getpid()}-*")
    assert not room.exists()
