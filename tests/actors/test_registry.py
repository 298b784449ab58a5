"""The registry among actors that tell what the test says: no socket, no process, the test's own clock."""

from __future__ import annotations

import gc
import json
import tracemalloc
from dataclasses import replace

import pytest

from holdfast.actors.feeds import Disconnect, ToFeed
from holdfast.actors.process import PARENT, UNEXPECTED, Finish
from holdfast.actors.registry import BEACON, SETTLE
from holdfast.actors.watched import LIFE
from holdfast.transport.enums import Mode
from holdfast.transport.messages import Changes, End, Fault, Gone, Quiesce, Report, Reported, Retiring, Serving, Watch
from holdfast.transport.records import Member, key
from holdfast.transport.wire import decode, encode
from people import somebody
from registry_bench import LOCKER_BEACON, Daemon, keys
from scenes import holder, parked, resource, tally, waiter


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


BUSY = (resource("printer"), holder("a"), waiter("b"), tally())
OTHER = (resource("disk", 5), holder("c", "disk", 5), tally(5))


def test_a_watcher_is_told_what_all_actors_tell(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.start(5, *OTHER)
    daemon.sources[0].put(daemon.now, parked("d"))
    daemon.sleep(1.0)
    picture = daemon.follow()
    assert keys(picture) == daemon.expected()
    assert len(daemon.expected()) == 3 + 1 + len(BUSY) + len(OTHER)


def test_a_change_reaches_who_watches_within_a_beacon_of_each(daemon: Daemon) -> None:
    source = daemon.start(3, *BUSY)
    picture = daemon.follow()
    daemon.sleep(1.0)
    for name in "xyz":  # the second and third begin while everybody rests
        source.put(daemon.now, waiter(name))
        daemon.sleep(LOCKER_BEACON + BEACON)
        assert keys(picture) == daemon.expected()
    source.take(daemon.now, waiter("y"))
    daemon.sleep(LOCKER_BEACON + BEACON)
    assert keys(picture) == daemon.expected()


def test_a_late_watcher_is_told_everything_then_what_changes(daemon: Daemon) -> None:
    source = daemon.start(3, *BUSY)
    daemon.follow()
    daemon.sleep(1.0)
    daemon.applied.clear()
    late = daemon.follow()
    source.put(daemon.now, waiter("x"))
    daemon.sleep(1.0)
    assert keys(late) == daemon.expected()
    assert [changes.fresh for changes in daemon.applied] == [True, False, False]  # the two last: one for each watcher


def test_nothing_that_happens_is_nothing_that_is_told(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.follow()
    daemon.sleep(1.0)
    daemon.applied.clear()
    daemon.sleep(LIFE - 1.0)
    assert daemon.applied == []


def test_ages_are_those_of_the_moment_at_which_they_are_told(daemon: Daemon) -> None:
    daemon.start(3, resource("printer", age=60.0), waiter("b", age=5.0, left=30.0), waiter("c", age=5.0, left=-1.0))
    daemon.sleep(7.0)
    [view] = daemon.follow().scene().resources
    assert daemon.now - view.since_at == pytest.approx(67.0)
    finite, endless = view.waiters
    assert daemon.now - finite.since_at == pytest.approx(12.0)
    assert finite.claim.left == pytest.approx(23.0)
    assert endless.claim.left == -1.0
    daemon.sleep(30.0)
    assert daemon.follow().scene().resources[0].waiters[0].claim.left == 0.0


def test_the_age_of_changes_counts_from_where_they_happened(daemon: Daemon) -> None:
    source = daemon.start(3, *BUSY)
    daemon.follow()
    daemon.sleep(1.0)
    daemon.applied.clear()
    source.put(daemon.now - 0.02, waiter("y"))
    daemon.sleep(LOCKER_BEACON + BEACON)
    assert [changes.age for changes in daemon.applied] == pytest.approx([0.02])


def test_nobody_is_shown_a_part_of_what_an_actor_tells(daemon: Daemon) -> None:
    daemon.start(3).open = False
    picture = daemon.follow()
    daemon.sleep(SETTLE)
    before = keys(picture)
    for number in (1, 2):
        part = Changes(number, number == 1, number < 3, 0.0, (waiter(f"w{number}"),), (BUSY[0],), (), (), (), 0.0)
        assert daemon.registry.heard(3, part, daemon.now) == [ToFeed(3, Watch(number, LIFE))]
        daemon.sleep(1.0)
        assert keys(picture) == before
    daemon.registry.heard(3, Changes(3, False, False, 0.0, (), (), (), (), (key(waiter("w1")),), 0.0), daemon.now)
    daemon.sleep(1.0)
    assert keys(picture) - before >= {key(waiter("w2")), key(BUSY[0])}
    assert key(waiter("w1")) not in keys(picture)


# --- the end of others ------------------------------------------------------------------------------------------------


def test_what_a_dead_locker_told_vanishes_and_its_counters_stay(daemon: Daemon) -> None:
    picture = daemon.follow()
    daemon.start(3, *BUSY)
    daemon.start(5, *OTHER, tally(5, place=0, requests=4, waits=(1, 2, 3), wait_max=0.25))
    daemon.sleep(1.0)
    daemon.end(3)
    daemon.end(5)
    daemon.sleep(1.0)
    assert keys(picture) == {"member/0"}
    [ended] = picture.scene().ended
    assert (ended.actor, ended.place, ended.mode) == (0, 0, Mode.EX)
    assert (ended.requests, ended.grants, ended.wait_sum, ended.wait_max) == (6, 3, 1.5, 0.5)
    assert ended.waits == (1, 4, 3)
    assert daemon.follow().scene().ended == picture.scene().ended


def test_what_a_locker_still_said_when_it_died_counts(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.sleep(1.0)
    assert daemon.registry.told(Serving(3, ""), daemon.now) == [Disconnect(3)]
    last = Changes(99, False, False, 0.0, (), (), (tally(grants=8),), (), (), 0.0)
    daemon.registry.heard(3, last, daemon.now)
    daemon.registry.heard(3, None, daemon.now)
    [ended] = daemon.follow().scene().ended
    assert ended.grants == 8
    assert daemon.registry.heard(3, None, daemon.now) == []  # as when the end was met before we said Disconnect


def test_a_connection_that_ends_takes_nothing_out_of_the_picture(daemon: Daemon) -> None:
    source = daemon.start(3, *BUSY)
    picture = daemon.follow()
    daemon.sleep(1.0)
    daemon.cut(3)
    source.take(daemon.now, waiter("b"))
    daemon.sleep(1.0)
    assert key(waiter("b")) in keys(picture)
    daemon.applied.clear()
    daemon.open(3)
    daemon.sleep(1.0)
    assert keys(picture) == daemon.expected()
    assert sum(len(changes.claims) + len(changes.gone) for changes in daemon.applied) == 1  # the one that changed


def test_what_an_actor_no_longer_tells_when_it_begins_afresh_is_gone(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    picture = daemon.follow()
    daemon.sleep(1.0)
    daemon.registry.heard(3, Changes(7, True, False, 0.0, (holder("a"),), (BUSY[0],), (), (), (), 0.0), daemon.now)
    daemon.sleep(1.0)
    assert keys(picture) == {"member/0", "member/3", key(holder("a")), key(BUSY[0])}


# --- a new registry ---------------------------------------------------------------------------------------------------


def test_another_registry_shows_the_same_as_the_last_one(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.start(5, *OTHER)
    daemon.sleep(1.0)
    before = daemon.follow().scene()
    daemon.restart()
    after = daemon.follow().scene()
    assert keys(after) == keys(before) == daemon.expected()
    for old, new in zip(before.resources, after.resources, strict=True):
        assert new.since_at == pytest.approx(old.since_at)
        assert [view.claim.number for view in new.holders] == [view.claim.number for view in old.holders]


def test_who_comes_early_is_answered_when_everybody_has_told(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    slow = daemon.start(5, *OTHER)
    slow.open = False
    daemon.restart()
    picture = daemon.follow()
    daemon.sleep(SETTLE / 2)
    assert not picture.complete
    slow.open = True
    daemon.open(5)
    assert keys(picture) == daemon.expected()


def test_a_locker_of_which_only_the_incubator_told_is_waited_for(daemon: Daemon) -> None:
    daemon.sources[0].put(daemon.now, Member(3, "locker", 1003, 0.0, 0))
    daemon.restart()
    picture = daemon.follow()
    daemon.sleep(SETTLE / 2)
    assert not picture.complete
    daemon.start(3, *BUSY)
    assert keys(picture) == daemon.expected()


def test_who_is_stopped_is_not_waited_for_for_ever(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.start(5).open = False
    daemon.restart()
    picture = daemon.follow()
    assert not picture.complete
    daemon.sleep(SETTLE)
    assert keys(picture) == daemon.expected()
    assert daemon.follow().complete


def test_who_came_early_and_left_is_forgotten(daemon: Daemon) -> None:
    daemon.sources[0].open = False
    daemon.restart()
    daemon.follow()
    [session] = daemon.pictures
    assert daemon.registry.left(session, daemon.now) == []
    daemon.sleep(SETTLE)
    assert daemon.applied == []


# --- the incubator's words --------------------------------------------------------------------------------------------


def test_a_report_tells_how_much_there_is_and_where_the_picture_was_written(daemon: Daemon) -> None:
    daemon.start(3, *BUSY)
    daemon.follow()
    daemon.sleep(1.0)
    daemon.end(3)
    daemon.start(5, *OTHER)
    daemon.sleep(1.0)
    [(to, reported)] = daemon.registry.told(Report(), daemon.now)  # type: ignore[misc]  # an answer
    assert to is PARENT
    assert isinstance(reported, Reported)
    assert json.loads(reported.facts) == {"feeds": 2, "claims": 1, "watchers": 1, "picture": "/d/picture"}
    [scene] = daemon.seen
    assert keys(scene) == daemon.expected()
    assert scene == replace(daemon.follow().scene(), number=scene.number)


def test_it_ends_at_once_when_told_and_when_it_is_alone(daemon: Daemon) -> None:
    assert daemon.registry.told(Quiesce(), daemon.now) == []
    assert daemon.registry.told(End(), daemon.now)[-1] == Finish("told to end")
    assert isinstance(daemon.registry.orphaned(daemon.now)[-1], Finish)
    assert daemon.registry.failed() == []


def test_what_it_hears_twice_it_does_once(daemon: Daemon) -> None:
    daemon.start(3)
    assert daemon.registry.told(Serving(3, "locker-3"), daemon.now) == []
    assert daemon.registry.told(Serving(4, ""), daemon.now) == []


def test_what_makes_no_sense_is_refused_or_fails_loudly(daemon: Daemon) -> None:
    session = somebody(2)
    assert daemon.registry.handle(session, Gone(), daemon.now) == [(session, UNEXPECTED)]
    with pytest.raises(ValueError, match="actor 0 said"):
        daemon.registry.heard(0, Fault("what?"), daemon.now)
    with pytest.raises(ValueError, match="incubator said"):
        daemon.registry.told(Retiring(1, 0), daemon.now)


def test_texts_that_many_have_are_kept_once(daemon: Daemon) -> None:
    long = "make " * 20
    claims = [holder(f"s{number}", command="".join([*long]), token=number) for number in range(50)]
    assert len({id(claim.command) for claim in claims}) == 50
    daemon.start(3, resource("printer"), *claims)
    daemon.sleep(1.0)
    [view] = daemon.follow().scene().resources
    assert len({id(one.claim.command) for one in view.holders}) == 1


@pytest.mark.slow
def test_a_claim_costs_less_than_two_kibibytes(daemon: Daemon) -> None:
    for number in range(1, 101):
        daemon.start(number, resource(f"r{number}", number))
    tracemalloc.start()
    for number in range(2000):
        at = number % 100 + 1
        claim = waiter(f"{number:016x}", f"r{at}", at, command=f"{number} ".ljust(110, "x"), reason=f"night {number}")
        told = decode(encode(Changes(number + 9, False, False, 0.0, (claim,), (), (tally(at),), (), (), 0.0)))
        daemon.registry.heard(at, told, daemon.now)
    session = somebody(2)
    told_to_somebody = daemon.registry.handle(session, Watch(0, 0.0), daemon.now)
    assert told_to_somebody
    daemon.registry.left(session, daemon.now)
    del claim, told, told_to_somebody
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / 2000 < 2048
