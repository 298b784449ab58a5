"""How long a decision takes, without any process: floor 1's part of every number above it."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from holdfast.actors.rules.line import Owner
from holdfast.transport.messages import Mode
from holdfast.transport.names import parse
from line_model import EVERY_TYPE, ask, line

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

OWNER, FIRST = Owner(b"owner"), Owner(b"first")


@pytest.mark.parametrize("resource", EVERY_TYPE)
def test_grant_and_release(benchmark: BenchmarkFixture, resource: str) -> None:
    """One request that is granted at once, and its release."""
    some, request, now = line(resource), ask(resource), cycle(range(10**9))

    def once() -> None:
        at = float(next(now))
        some.ask(OWNER, request, at)
        some.leave(OWNER, at)

    benchmark(once)


@pytest.mark.parametrize("waiters", [0, 100, 10_000])
@pytest.mark.parametrize("resource", ["simple", "units[1]", "a.a", "/a", "_s_ticket[1]"])
def test_hand_over(benchmark: BenchmarkFixture, resource: str, waiters: int) -> None:
    """A release that lets the oldest waiter in, and a new request that goes to the end of the line."""
    some, request = line(resource), ask(resource)
    owners = [Owner(number.to_bytes(4, "big")) for number in range(waiters + 2)]
    for owner in owners:
        some.ask(owner, request, 0.0)
    holders = cycle(owners)

    def once() -> None:
        owner = next(holders)
        some.leave(owner, 1.0)
        some.ask(owner, request, 1.0)

    benchmark(once)


def test_grant_beside_ten_thousand_readers(benchmark: BenchmarkFixture) -> None:
    """One more reader comes and goes."""
    some, request = line("simple"), ask("simple", Mode.PR)
    for number in range(10_000):
        some.ask(Owner(number.to_bytes(4, "big")), request, 0.0)

    def once() -> None:
        some.ask(OWNER, request, 1.0)
        some.leave(OWNER, 1.0)

    benchmark(once)


def test_release_beside_five_thousand_other_nodes(benchmark: BenchmarkFixture) -> None:
    """A node changes hands in a tree where 5,000 siblings are held and waited for."""
    some = line("/a")
    for number in range(5_000):
        for turn in b"hw":
            some.ask(Owner(bytes([turn]) + number.to_bytes(4, "big")), ask(f"/a/{number}"), 0.0)
    request = ask("/a/x")
    some.ask(FIRST, request, 0.0)
    some.ask(OWNER, request, 0.0)
    holders = cycle([FIRST, OWNER])

    def once() -> None:
        owner = next(holders)
        some.leave(owner, 1.0)
        some.ask(owner, request, 1.0)

    benchmark(once)


def test_a_deep_nested_request(benchmark: BenchmarkFixture) -> None:
    """Units asked inside ten sessions that hold."""
    some, request, inside = line("units[5]"), ask("units[5]"), []
    for number in range(10):
        inside.append(Owner(bytes([number])))
        some.ask(inside[-1], request, 0.0, inside=inside[:-1])

    def once() -> None:
        some.ask(OWNER, request, 1.0, inside=inside)
        some.leave(OWNER, 1.0)

    benchmark(once)


def test_parse_a_name(benchmark: BenchmarkFixture) -> None:
    """On the way of every command."""
    benchmark(parse, "_t_%Y%m%d.%H%M%S#ff[1]")
