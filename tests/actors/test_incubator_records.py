"""What the incubator tells of itself: its processes, who is parked, which names died."""

from __future__ import annotations

from holdfast.actors.incubator_records import BEACON
from holdfast.actors.told import public_name
from holdfast.transport.messages import FOREVER, Changes, Order, Standing, Watch
from holdfast.transport.records import Claim, Member, Resource
from incubator_bench import CLOCK, PID, A, B, Bench, C
from people import session_id, somebody

WATCHER = somebody(80)


class Watcher:
    """Follows an incubator, from the beginning."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.number = 0

    def look(self) -> Changes:
        """What has changed since the last look."""
        self.bench.wait(BEACON)
        [(to, changes)] = self.bench.say(WATCHER, Watch(self.number, 0.0))  # type: ignore[misc]
        assert to is WATCHER
        assert isinstance(changes, Changes)
        assert not changes.more
        self.number = changes.number
        return changes


def test_the_incubator_and_every_child_that_is_ready_are_members() -> None:
    bench = Bench(pool=1, roles=["registry"])
    watcher = Watcher(bench)
    assert watcher.look().members == (Member(0, "incubator", PID, bench.now - 100.0, 0),)
    bench.ready(2)
    bench.now += 1.0
    bench.ready(1)
    assert sorted(watcher.look().members, key=lambda member: member.number) == [
        Member(1, "locker", 4001, bench.now - 100.0, 0),
        Member(2, "registry", 4002, bench.now - 100.0, 0),
    ]


def test_who_died_is_gone_and_who_replaced_it_is_told_with_its_restarts() -> None:
    bench = Bench(roles=["registry"])
    watcher = Watcher(bench)
    bench.ready(1)
    watcher.look()
    bench.died(1)
    assert watcher.look().gone == ("member/1",)
    bench.ready(2)
    [member] = watcher.look().members
    assert (member.number, member.role, member.restarts) == (2, "registry", 1)


def test_who_is_parked_is_told_with_its_number_and_what_is_left_of_its_wait() -> None:
    bench = Bench()
    watcher = Watcher(bench)
    watcher.look()
    bench.locate(A, create=False, timeout=9.0)
    bench.locate(B, create=False)
    bench.wait(2.0 - BEACON)
    first, second = watcher.look().claims
    assert isinstance(first, Claim)
    assert (first.actor, first.place, first.number, first.standing) == (0, 0, 2, Standing.PARKED)
    assert first.session == public_name(session_id(1))
    assert (round(first.age, 6), round(first.left, 6)) == (2.0, 7.0)
    assert (first.resource, first.user, first.pid) == ("printer", "alice", 4711)
    assert (second.number, second.left) == (3, FOREVER)
    assert first.arrival < second.arrival


def test_who_is_parked_again_stands_behind_who_came_meanwhile() -> None:
    bench = Bench()
    bench.locate(A, create=False, timeout=1.0)
    bench.locate(B, create=False)
    bench.wait(1.0)
    bench.locate(A, create=False)
    first, second = sorted(Watcher(bench).look().claims, key=lambda claim: claim.arrival)
    assert (first.number, second.number) == (3, 2)


def test_who_is_parked_no_longer_is_gone_whatever_the_reason() -> None:
    bench = Bench()
    watcher = Watcher(bench)
    for resource, session, timeout in (("a", A, 1.0), ("b", B, FOREVER), ("c", C, FOREVER)):
        bench.locate(session, resource, create=False, timeout=timeout)
    assert len(watcher.look().claims) == 3
    bench.wait(1.0)  # A times out
    bench.left(B)
    bench.locate(somebody(4), "c")
    bench.ready(1)
    assert set(watcher.look().gone) == {f"claim/0/{public_name(session_id(name))}" for name in (1, 2, 3)}


def test_who_waits_for_a_locker_that_is_being_started_is_not_parked() -> None:
    bench = Bench()
    watcher = Watcher(bench)
    bench.locate(A)
    bench.locate(B, create=False)
    assert watcher.look().claims == ()


def test_a_name_whose_locker_died_is_told_as_refused() -> None:
    bench = Bench()
    watcher = Watcher(bench)
    number = bench.serve("/a/b", idle=3.0)
    watcher.look()
    bench.now += 1.0
    bench.died(number)
    [resource] = watcher.look().resources
    assert isinstance(resource, Resource)
    assert (resource.actor, resource.number, resource.name, resource.asked) == (0, 3, "/a", "/a/b")
    assert (resource.order, resource.idle, resource.epoch) == (Order.FIFO, 3.0, CLOCK)
    assert resource.refused == bench.incubator._lockers.dead["/a"]


def test_a_watcher_that_waits_is_told_when_something_happens_and_forgotten_when_it_left() -> None:
    bench = Bench()
    watcher = Watcher(bench)
    watcher.look()
    bench.wait(BEACON)
    assert bench.say(WATCHER, Watch(watcher.number, 5.0)) == []
    bench.locate(A, create=False)
    [(to, changes)] = bench.wait(BEACON)  # type: ignore[misc]
    assert to is WATCHER
    assert isinstance(changes, Changes)
    assert len(changes.claims) == 1
    bench.say(WATCHER, Watch(changes.number, 5.0))
    bench.left(WATCHER)
    bench.left(A)
    assert bench.wait(60.0) == []


def test_watching_keeps_no_daemon_alive() -> None:
    bench = Bench(lifespan=5.0)
    Watcher(bench).look()
    assert bench.wait(5.0) != []
    assert bench.incubator.wakes_at() is None or bench.incubator._life.value == "ending"
