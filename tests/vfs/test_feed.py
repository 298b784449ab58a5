"""The feed: what is shown is what is there now, and the files end with whoever they are for."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.transport import mountpoint
from holdfast.transport.errors import Unreachable
from holdfast.transport.follow import Follower, Silent
from holdfast.transport.messages import End, Ended, Report, Reported
from holdfast.transport.picture import Picture
from holdfast.transport.pipe import Pipe, pipe_pair
from holdfast.vfs import feed as feeds
from holdfast.vfs.feed import Feed, Look, Shared
from holdfast.vfs.tree import File
from scenes import NOW, WALL, changes, holder, resource, waiter
from support import LIMIT, wait_until


class Clock:
    """Two clocks that stand still."""

    def __init__(self) -> None:
        self.now = NOW
        self.wall = WALL

    def go(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


def look_at(picture: Picture, clock: Clock) -> Look:
    return Look(picture, lambda: clock.now, lambda: clock.wall)


def text(look: Look, path: str) -> str:
    found = look.tree().node(path)
    assert isinstance(found, File), path
    return found.content.decode()


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_look_makes_no_second_tree_while_nothing_changes() -> None:
    clock = Clock()
    look = look_at(Picture(), clock)
    first = look.tree()
    clock.go(0.9)
    assert look.tree() is first


def test_a_change_is_seen_at_the_next_look() -> None:
    clock, picture = Clock(), Picture()
    look = look_at(picture, clock)
    assert look.tree().node("/status/lockers/3") is None
    picture.apply(changes(resource("printer")), clock.now)
    look.last_change = clock.now + 0.001
    assert look.tree().node("/status/lockers/3") is not None


def test_what_grows_with_time_is_told_anew_each_second() -> None:
    clock, picture = Clock(), Picture()
    picture.apply(changes(resource("printer"), waiter("b", age=5.0)), clock.now)
    look = look_at(picture, clock)
    assert text(look, "/status/lockers/3/waitings/2/wait") == "5.000\n"
    clock.go(1.0)
    assert text(look, "/status/lockers/3/waitings/2/wait") == "6.000\n"


def test_an_instant_stands_still_though_clocks_are_never_read_at_once() -> None:
    clock, picture = Clock(), Picture()
    picture.apply(changes(resource("printer"), holder("a")), clock.now)
    look = look_at(picture, clock)
    before = text(look, "/status/lockers/3/holders/2/since")
    clock.go(1.0)
    clock.wall += 0.003
    assert text(look, "/status/lockers/3/holders/2/since") == before


def test_a_wall_clock_that_is_set_moves_what_it_tells() -> None:
    clock, picture = Clock(), Picture()
    picture.apply(changes(resource("printer"), holder("a")), clock.now)
    look = look_at(picture, clock)
    assert text(look, "/status/lockers/3/holders/2/since").startswith("2026-11-20T19:34:48")
    clock.go(1.0)
    clock.wall += 3600.0
    assert text(look, "/status/lockers/3/holders/2/since").startswith("2026-11-20T20:34:48")


def test_two_threads_share_a_picture() -> None:
    picture = Shared()
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.is_set():
            number += 1
            picture.apply(changes(*(resource(f"r{one}", one) for one in range(3, 3 + number % 50))), NOW)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            numbers = [view.resource.number for view in picture.scene().resources]
            assert numbers == list(range(3, 3 + len(numbers)))
    finally:
        over.set()
        thread.join()


# --- its end ----------------------------------------------------------------------------------------------------------


class Told(Follower):
    """A follower without a daemon: readable when a test says so."""

    def __init__(self) -> None:
        self.picture = Picture()
        self.news = os.eventfd(0, os.EFD_NONBLOCK)
        self.fault: Exception | None = None
        self.heard = 0

    def fileno(self) -> int:
        return self.news

    def update(self, timeout: float | None) -> bool:
        assert timeout == 0
        try:
            os.eventfd_read(self.news)
        except BlockingIOError:
            return False
        self.heard += 1
        if self.fault:
            raise self.fault
        return True


class Stage:
    """A feed without libfuse: the test is the main thread, and sees what is unmounted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.follower = Told()
        self.parent, theirs = pipe_pair()
        self.pipe = Pipe(theirs)
        self.wakeup = os.eventfd(0)
        self.said: list[str] = []
        self.unmounted = threading.Event()
        monkeypatch.setattr(mountpoint, "unmount", lambda path: self.unmounted.set())
        monkeypatch.setattr(mountpoint, "find", lambda path: None if self.unmounted.is_set() else "mounted")
        self.feed = Feed(self.follower, "/m", wakeup=self.wakeup, parent=self.pipe, failed=self.said.append)
        self.feed.start()
        self.feed.mounted()

    def hear(self) -> object:
        assert select.select([self.parent], [], [], LIMIT)[0]
        return self.parent.receive()

    def news(self) -> None:
        """Let the follower have something to say, and wait until it was heard."""
        heard = self.follower.heard
        os.eventfd_write(self.follower.news, 1)
        wait_until(lambda: self.follower.heard > heard, "the news")
        self.parent.send(Report())
        self.hear()  # so it has taken the news in, and gone on

    def end(self) -> int:
        """As the main thread does when libfuse has returned."""
        assert self.unmounted.wait(LIMIT)
        return self.feed.returned()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    built = Stage(monkeypatch)
    yield built
    built.parent.close()
    built.feed.returned()


def test_who_is_told_to_end_unmounts_and_says_that_it_wanted_to(stage: Stage) -> None:
    stage.parent.send(End())
    assert stage.end() == 0
    assert isinstance(stage.hear(), Ended)
    assert stage.said == []


def test_the_end_of_the_parent_is_the_end_of_the_files(stage: Stage) -> None:
    stage.parent.close()
    assert stage.end() == 0


def test_a_signal_unmounts_and_lets_another_one_take_our_place(stage: Stage) -> None:
    os.eventfd_write(stage.wakeup, 1)
    assert stage.end() == 1
    assert stage.parent.receive() is None


def test_the_end_of_the_picture_is_told(stage: Stage) -> None:
    stage.follower.fault = Unreachable("the daemon has ended")
    os.eventfd_write(stage.follower.news, 1)
    assert stage.end() == 1
    assert stage.said == ["the daemon has ended"]


def test_a_silent_registry_ends_nothing_and_nothing_old_is_shown_until_it_speaks(stage: Stage) -> None:
    look = stage.feed.look
    stage.follower.picture.apply(changes(resource("printer")), NOW)
    for why in ("it told nothing", "it is not there"):
        stage.follower.fault = Silent(why)
        stage.news()
        assert "it told nothing" in text(look, "/status/summary"), "since when, counts from the first time"
        assert look.tree().node("/status/lockers") is None
    stage.follower.fault = None
    stage.news()
    assert look.tree().node("/status/lockers/3") is not None
    assert not stage.unmounted.is_set()
    stage.parent.send(End())
    assert stage.end() == 0
    assert stage.said == []


@pytest.mark.parametrize("find", ["works", "fails too"])
def test_a_fault_of_ours_is_the_end_of_the_mount_and_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, find: str
) -> None:
    def fail(path: str) -> None:
        raise IndexError("x")

    if find == "fails too":
        monkeypatch.setattr(mountpoint, "find", fail)
    stage.follower.fault = IndexError("list index out of range")
    os.eventfd_write(stage.follower.news, 1)
    assert stage.end() == 1
    assert stage.said == ["a fault of ours, please report it: IndexError('list index out of range')"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("also", ["", "unmount", "failed", "send"])
def test_the_process_ends_though_libfuse_does_not_return_whatever_else_fails(
    monkeypatch: pytest.MonkeyPatch, also: str
) -> None:
    stage = Stage(monkeypatch)
    codes: list[int] = []
    unmount = mountpoint.unmount

    def fail(*anything: object) -> None:
        unmount("")
        raise RuntimeError("x")

    monkeypatch.setattr(feeds, "RETURN", 0.0)
    monkeypatch.setattr(os, "_exit", codes.append)
    if also == "unmount":
        monkeypatch.setattr(mountpoint, "unmount", fail)
    elif also == "failed":
        stage.follower.fault = IndexError("x")
        monkeypatch.setattr(stage.feed, "_failed", fail)
    elif also == "send":
        monkeypatch.setattr(stage.pipe, "send", fail)
    if stage.follower.fault:
        os.eventfd_write(stage.follower.news, 1)
    else:
        stage.parent.send(End())
    stage.feed._thread.join(LIMIT)
    assert codes == [int(also in ("failed", "send"))]
    assert stage.unmounted.is_set()
    stage.parent.close()


def test_files_that_somebody_else_unmounted_are_not_unmounted_again(stage: Stage) -> None:
    assert stage.feed.returned() == 0
    assert isinstance(stage.hear(), Ended)
    assert not stage.unmounted.is_set()


def test_a_report_tells_how_many_files_are_open(stage: Stage) -> None:
    stage.feed.opened.open(b"/a", File(b"", 0), 1)
    stage.parent.send(Report())
    told = stage.hear()
    assert isinstance(told, Reported)
    assert json.loads(told.facts) == {"path": "/m", "mounted": True, "open_files": 1}


def test_news_change_what_is_shown(stage: Stage) -> None:
    before = stage.feed.look.last_change
    stage.news()
    stage.parent.send(End())
    stage.end()
    assert stage.follower.heard == 1
    assert stage.feed.look.last_change > before


def test_a_mount_that_is_still_coming_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(feeds, "START", LIMIT)
    follower, wakeup = Told(), os.eventfd(0)
    unmounted = threading.Event()
    monkeypatch.setattr(mountpoint, "unmount", lambda path: unmounted.set())
    monkeypatch.setattr(mountpoint, "find", lambda path: "mounted")
    feed = Feed(follower, "/m", wakeup=wakeup, parent=None, failed=lambda sentence: None)
    os.eventfd_write(wakeup, 1)
    feed.start()
    assert not unmounted.is_set()
    feed.mounted()
    assert unmounted.wait(LIMIT)
    feed.returned()
