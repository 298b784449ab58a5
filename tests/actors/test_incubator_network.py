"""The incubator of a daemon that others reach by TCP: who may end it, and what if there are no ports left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.lockers import FULL
from holdfast.actors.process import StartChild
from holdfast.actors.staff import LOCKER, REGISTRY
from holdfast.transport.listeners import Origin
from holdfast.transport.messages import (
    Dump,
    Ended,
    Fault,
    Located,
    Observe,
    Ready,
    Refusal,
    Refused,
    Stopping,
)
from incubator_bench import PID, A, B, Bench, refusals
from people import somebody

PEER = "192.0.2.7/48832"
REMOTE = replace(A, origin=Origin(PEER, trusted=False))
PORTS = (28100, 28102)  # one for the registry, two for lockers


@pytest.mark.parametrize(
    ("origin", "insecure", "may"),
    [
        (Origin(PEER, trusted=False), False, False),
        (Origin(PEER, trusted=False, key="alice"), False, False),
        (Origin(PEER, trusted=False, key="alice", admin=True), False, True),
        (Origin(PEER, trusted=False), True, True),
    ],
)
@pytest.mark.parametrize("uid", [0, 1000, 1001])
def test_over_tcp_a_user_id_proves_nothing(origin: Origin, insecure: bool, may: bool, uid: int) -> None:
    session = replace(somebody(1, uid=uid), origin=origin)
    [(_, answer), *_] = Bench(insecure=insecure).stop(session, now=True)  # type: ignore[misc]
    assert isinstance(answer, Stopping if may else Fault)
    dumped = Bench(insecure=insecure).say(session, Dump())
    assert any(isinstance(effect, tuple) and isinstance(effect[1], Fault) for effect in dumped) is not may


def test_who_came_by_tcp_is_told_the_ports_of_locker_and_registry() -> None:
    bench = Bench(roles=[REGISTRY])
    bench.said(1, Ready("registry-1.sock", 4001, 3999, 28100))
    bench.locate(REMOTE)
    effects = bench.said(2, Ready("locker-2.sock", 4002, 3999, 28101))
    assert [effect[1].address for effect in effects if effect[0] is REMOTE] == ["28101"]  # type: ignore[index,union-attr]
    assert bench.say(REMOTE, Observe()) == [(REMOTE, Located("28100", 0))]
    assert bench.say(B, Observe()) == [(B, Located("registry-1.sock", 0))]


def test_a_registry_without_a_port_is_not_to_be_had_by_tcp() -> None:
    bench = Bench(roles=[REGISTRY])
    bench.ready(1)
    assert refusals(bench.say(REMOTE, Observe())) == [(REMOTE, Refusal.EXHAUSTED)]
    assert bench.say(B, Observe()) == [(B, Located("registry-1.sock", 0))]


def test_there_are_no_more_lockers_than_ports_and_who_would_need_one_is_refused_with_a_sentence() -> None:
    bench = Bench(pool=2, roles=[REGISTRY], locker_ports=PORTS)
    assert bench.opening.count(StartChild(1, LOCKER)) + bench.opening.count(StartChild(2, LOCKER)) == 2
    for number, name in ((1, "a"), (2, "b")):
        bench.ready(number)
        bench.locate(somebody(number), name)
    [(who, refused)] = bench.locate(REMOTE, "c")  # type: ignore[misc]
    assert who is REMOTE
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.EXHAUSTED
    assert "no port is free in 28100-28102" in refused.sentence


def test_a_locker_that_finds_no_port_ends_and_the_request_is_refused_with_its_sentence() -> None:
    bench = Bench(locker_ports=PORTS)
    assert bench.locate(REMOTE) == [StartChild(1, LOCKER)]
    assert bench.said(1, Ended("no port is free in 28100-28102")) == []
    assert refusals(bench.died(1)) == [(REMOTE, Refusal.EXHAUSTED)]
    assert refusals(bench.locate(B)) == [(B, Refusal.EXHAUSTED)]
    bench.wait(FULL)
    assert bench.locate(B) == [StartChild(2, LOCKER)]


def test_who_asks_while_a_locker_is_starting_waits_for_that_one_though_there_is_no_port_for_another() -> None:
    bench = Bench(locker_ports=(28100, 28101))
    assert bench.locate(A, "a") == [StartChild(1, LOCKER)]
    assert bench.locate(B, "b") == []
    effects = bench.ready(1)
    assert refusals(effects) == [(B, Refusal.EXHAUSTED)]
    assert any(effect[0] is A and isinstance(effect[1], Located) for effect in effects)  # type: ignore[index]


def test_the_pid_to_wait_for_is_told_over_tcp_too() -> None:
    assert Stopping(PID) in [effect[1] for effect in Bench(insecure=True).stop(REMOTE)]  # type: ignore[index]
