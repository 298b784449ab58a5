"""The one picture while its maker, or what it shows, is killed; and after a crowd has come and gone."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from holdfast.transport.follow import Follower, snapshot
from holdfast.transport.messages import Granted, Located, Queued, Refused, Release, Released
from holdfast.transport.picture import Scene
from holdfast.transport.settings import Settings
from raw import Raw, acquire, find, hello, holder, locate, start_daemon
from support import LIMIT, House, wait_dead, wait_until

pytestmark = pytest.mark.slow


class Watched:
    """A daemon, and somebody who follows it."""

    def __init__(self, house: House) -> None:
        self.socket = start_daemon(house)
        self.settings = Settings(run_dir=str(house.run_dir))
        self.follower = Follower(self.settings, {})
        self.follower.update(LIMIT)

    def scene(self) -> Scene:
        return self.follower.picture.scene()

    def until(self, condition: Callable[[Scene], bool]) -> Scene:
        """Follow until the picture is as it should be."""

        def seen() -> bool:
            self.follower.update(0.05)
            return condition(self.scene())

        wait_until(seen, "another picture")
        return self.scene()

    def registry(self) -> int:
        """Its pid."""
        [pid] = registries(self.scene())
        return pid


@pytest.fixture
def daemon() -> Iterator[Watched]:
    with House() as house:
        daemon = Watched(house)
        with closing(daemon.follower):
            yield daemon


def claims(scene: Scene) -> set[tuple[int, str, str, int, int]]:
    """Who holds and who waits: number, session, resource, standing, position."""
    return {
        (view.claim.number, view.claim.session, view.claim.resource, view.claim.standing, view.position)
        for one in scene.resources
        for view in (*one.holders, *one.waiters)
    }


def registries(scene: Scene) -> list[int]:
    """The pids of those whom the picture shows."""
    return [view.member.pid for view in scene.members if view.member.role == "registry"]


def test_who_comes_late_sees_everything_and_then_what_changes(daemon: Watched) -> None:
    raw, _, epoch = holder(daemon.socket, "printer")
    with raw:
        seen = daemon.until(lambda scene: len(claims(scene)) == 1)
        with closing(Follower(daemon.settings, {})) as late:
            late.update(LIMIT)
            assert claims(late.picture.scene()) == claims(seen)
            raw.say(Release(epoch, False))
            wait_until(lambda: late.update(0.05) and not claims(late.picture.scene()), "the release to be seen")
            assert [tally.released for tally in late.picture.scene().resources[0].tallies] == [1]


def test_another_registry_shows_the_same_with_the_same_numbers(daemon: Watched) -> None:
    with ExitStack() as stack:
        for name in ("a", "b", "c"):
            raw, _, epoch = holder(daemon.socket, name)
            stack.enter_context(raw)
            who = hello()
            waiter = stack.enter_context(Raw(find(daemon.socket, name, who=who)[0]))
            waiter.enter(who, acquire(name, epoch))
            assert waiter.hear() == Queued(1)
        before = daemon.until(lambda scene: len(claims(scene)) == 6)
        assert 0 not in {number for number, *_ in claims(before)}
        killed = daemon.registry()
        os.kill(killed, signal.SIGKILL)
        wait_dead(killed)
        after = daemon.until(lambda scene: claims(scene) == claims(before) and registries(scene) not in ([], [killed]))
        for old, new in zip(before.resources, after.resources, strict=True):
            assert new.resource.number == old.resource.number
            assert abs(new.since_at - old.since_at) < 1.0
        assert claims(snapshot(daemon.settings, {})) == claims(before)


def test_the_picture_is_never_empty_while_the_registry_is_away(daemon: Watched) -> None:
    raw, _, _ = holder(daemon.socket, "printer")
    with raw:
        before = daemon.until(lambda scene: len(claims(scene)) == 1)
        killed = daemon.registry()
        os.kill(killed, signal.SIGKILL)

        def still_there_and_new() -> bool:
            daemon.follower.update(0.001)
            assert claims(daemon.scene()) == claims(before)
            return registries(daemon.scene()) not in ([], [killed])

        wait_until(still_there_and_new, "the next registry")


def test_what_a_killed_locker_held_vanishes_and_its_name_shows_as_refused(daemon: Watched) -> None:
    raw, _, _ = holder(daemon.socket, "printer")
    other, _, _ = holder(daemon.socket, "disk")
    with raw, other:
        seen = daemon.until(lambda scene: len(claims(scene)) == 2)
        [actor] = [one.resource.actor for one in seen.resources if one.resource.name == "printer"]
        [pid] = [view.member.pid for view in seen.members if view.member.number == actor]
        os.kill(pid, signal.SIGKILL)
        seen = daemon.until(
            lambda scene: len(claims(scene)) == 1 and any(one.resource.refused for one in scene.resources)
        )
        refused = {one.resource.name: bool(one.resource.refused) for one in seen.resources}
        assert refused == {"printer": True, "disk": False}
        assert actor not in {view.member.number for view in seen.members}
        with Raw(daemon.socket) as asking:
            asking.enter(hello(), locate("printer"))
            assert isinstance(asking.hear(), Refused)


class Visitor:
    """A session that asks for one resource, holds it, and goes, politely or not."""

    def __init__(self, socket: str, name: str, polite: bool) -> None:
        who = hello()
        self.polite = polite
        with Raw(socket) as asking:
            asking.enter(who, locate(name, idle=0.1))
            located = asking.hear()
        assert isinstance(located, Located)
        self.epoch = located.epoch
        self.raw = Raw(os.path.join(os.path.dirname(socket), located.address))
        self.raw.enter(who, acquire(name, located.epoch))

    def leave(self) -> None:
        """Wait for the grant, then go."""
        while not isinstance(said := self.raw.hear(), Granted):
            assert isinstance(said, Queued)
        if self.polite:
            self.raw.say(Release(self.epoch, False))
            assert self.raw.hear() == Released()
        self.raw.wire.close()


def test_after_a_crowd_has_come_and_gone_nothing_is_left_but_the_counters(daemon: Watched) -> None:
    chance = random.Random(3)
    inside: list[Visitor] = []
    polite = 0
    for number in range(300):
        inside.append(Visitor(daemon.socket, f"r{number % 20}", polite=chance.random() < 0.5))
        polite += inside[-1].polite
        if len(inside) > 100:
            inside.pop(0).leave()
        if number == 150:
            os.kill(daemon.registry(), signal.SIGKILL)
    seen = daemon.until(lambda scene: len(claims(scene)) == len(inside))
    assert len(seen.resources) == 20
    assert len({number for number, *_ in claims(seen)} - {0}) == len(inside)
    while inside:
        inside.pop(0).leave()
    seen = daemon.until(lambda scene: not scene.resources and sum(tally.grants for tally in scene.ended) == 300)
    assert not seen.parked
    [ended] = seen.ended
    assert (ended.requests, ended.released, ended.vanished) == (300, polite, 300 - polite)
    assert (sum(ended.waits), sum(ended.holds)) == (300, 300)
    [also] = snapshot(daemon.settings, {}).ended
    assert replace(also, actor=0) == replace(ended, actor=0)  # whose it is depends on who still lives
