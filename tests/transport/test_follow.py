"""Following a picture: real mailboxes, with actors behind them that do what the test says."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from follow_bench import BUSY, Place
from holdfast.transport import follow
from holdfast.transport.errors import Unreachable
from holdfast.transport.follow import Follower, Silent, snapshot
from holdfast.transport.messages import Fault, Gone, Located, Refusal, Refused, Released, Welcome
from holdfast.transport.peers import Peer
from holdfast.transport.wire import Message
from holdfast.transport.zmtp import Wire
from scenes import INCUBATOR, holder, resource
from support import LIMIT, wait_until


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        place = Place(home)
        yield place
        for actor in place.actors:
            actor.end()


def sessions(follower: Follower) -> set[str]:
    """Who holds something, as the follower shows it."""
    return {view.claim.session for one in follower.picture.scene().resources for view in one.holders}


def update_until(follower: Follower, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until
        follower.update(0.1)


def test_the_first_update_returns_with_the_whole_picture(place: Place) -> None:
    place.desk()
    place.teller(*BUSY, *(holder(f"s{number}", token=number) for number in range(300)))
    with place.follow() as follower:
        assert follower.update(None)
        assert len(sessions(follower)) == 301
        assert follower.picture.complete


def test_what_changes_is_told(place: Place) -> None:
    place.desk()
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        assert not follower.update(0.0)
        teller.coming.append(holder("b"))
        assert follower.update(None)
        assert sessions(follower) == {"a", "b"}
        teller.going.append(holder("a"))
        assert follower.update(None)
        assert sessions(follower) == {"b"}


def test_one_descriptor_can_be_waited_for_whatever_becomes_of_the_registry(place: Place) -> None:
    place.desk(Located("r1", 0), Located("r2", 0))
    first = place.teller(*BUSY)
    second = place.teller(*BUSY, name="r2")
    with place.follow() as follower:
        follower.update(None)
        descriptor = follower.fileno()
        first.end()
        second.coming.append(holder("b"))
        update_until(follower, lambda: sessions(follower) == {"a", "b"})
        assert follower.fileno() == descriptor


def test_an_update_waits_no_longer_than_told(place: Place) -> None:
    place.desk()
    place.teller(*BUSY).mute = True
    with place.follow() as follower:
        assert not follower.update(0.0)
        assert not follower.update(0.01)
        assert not follower.picture.complete


def test_a_snapshot_is_the_whole_picture(place: Place) -> None:
    place.desk()
    place.teller(*BUSY)
    scene = snapshot(place.settings, {})
    assert [view.resource.name for view in scene.resources] == ["printer"]
    assert [view.member for view in scene.members] == [INCUBATOR]


# --- the registry dies ------------------------------------------------------------------------------------------------


def test_the_old_picture_stays_until_the_new_one_is_whole(place: Place) -> None:
    place.desk(Located("r1", 0), Located("r2", 0))
    first = place.teller(*BUSY)
    second = place.teller(INCUBATOR, resource("printer"), holder("b"), name="r2")
    second.mute = True
    with place.follow() as follower:
        follower.update(None)
        first.end()
        follower.update(0.05)
        assert sessions(follower) == {"a"}
        second.mute = False
    with place.follow() as follower:
        follower.update(None)
        assert sessions(follower) == {"b"}


def test_a_registry_that_is_not_there_yet_is_asked_for_again(place: Place) -> None:
    desk = place.desk(Located("r0", 0), Located("r0", 0), Located("r1", 0))
    place.teller(*BUSY)
    with place.follow() as follower:
        assert follower.update(None)
        assert desk.asked == 3


def test_a_registry_that_does_not_come_back_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.2)
    place.desk(Located("r1", 0), None)
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        teller.end()
        with pytest.raises(Unreachable, match=r"registry has not been there for 0\.2s.*daemon\.log"):
            follower.update(None)


def test_a_registry_whose_port_leads_nowhere_is_named_with_its_place(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.2)
    place.desk()
    with socket.create_server(("127.0.0.1", 0)) as once:
        there = Peer(socket.AF_INET, once.getsockname())
    with place.follow() as follower:
        monkeypatch.setattr(Wire, "beside", lambda wire, address: there)
        with pytest.raises(
            Silent, match=f"not been there for 0.2s; it is at {there}, where nobody listens; .*forwarded"
        ):
            follower.update(None)


def test_of_a_daemon_on_the_network_no_log_is_looked_for_here(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE", 0.2)
    place.desk()
    place.teller(*BUSY).mute = True
    there = Peer(socket.AF_INET, ("192.0.2.1", 28100))
    with place.follow() as follower:
        monkeypatch.setattr(follower._daemon, "place", there)
        monkeypatch.setattr(follower._daemon, "beside", lambda name: f"{place.socket}.d/{name}")
        with pytest.raises(
            Silent, match=r"told nothing for 0.2s; the log of the daemon at tcp://192.0.2.1:28100, on its"
        ):
            follower.update(None)


def test_a_registry_that_tells_nothing_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE", 0.2)
    place.desk()
    place.teller(*BUSY).mute = True
    with place.follow() as follower, pytest.raises(Unreachable, match=r"told nothing for 0\.2s.*daemon\.log"):
        follower.update(None)


def test_who_goes_on_after_silence_follows_again_once_the_registry_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("SILENCE", 0.1), ("PATIENCE", 0.1), ("ENTRY", 0.05)):
        monkeypatch.setattr(follow, name, seconds)
    desk = place.desk()
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        descriptor = follower.fileno()
        teller.mute = True
        for _ in range(5):
            with pytest.raises(Silent):
                follower.update(None)
        assert desk.asked <= 5, "no more than once each time"
        assert sessions(follower) == {"a"}
        teller.coming.append(holder("b"))
        teller.mute = False
        monkeypatch.setattr(follow, "ENTRY", LIMIT)
        monkeypatch.setattr(follow, "SILENCE", LIMIT)
        _update_through_silence(follower)
        update_until(follower, lambda: sessions(follower) == {"a", "b"})
        assert follower.fileno() == descriptor


def test_who_goes_on_after_a_refusal_follows_the_registry_that_is_started_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.1)
    resting = Refused(Refusal.EXHAUSTED, "it keeps dying")
    place.desk(Located("r1", 0), resting, resting, Located("r2", 0))
    first = place.teller(*BUSY)
    place.teller(INCUBATOR, resource("printer"), holder("b"), name="r2")
    with place.follow() as follower:
        follower.update(None)
        first.end()
        with pytest.raises(Silent, match="it keeps dying"):
            follower.update(None)
        _update_through_silence(follower)
        assert sessions(follower) == {"b"}


def test_a_registry_that_was_given_up_is_asked_for_once_in_a_while(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.3)
    desk = place.desk(Located("r1", 0), Located("r0", 0))
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        teller.end()
        with pytest.raises(Silent, match=r"has not been there for 0\.3s"):
            follower.update(None)
        before = desk.asked
        for _ in range(5):
            with pytest.raises(Silent, match=r"has not been there for 0\.3s"):
                follower.update(None)
        assert desk.asked <= before + 5 + 1  # and one that was on its way when we began to count


def test_an_incubator_that_has_not_answered_is_not_asked_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE", 0.05)
    desk = place.desk(Located("r1", 0), None)
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        teller.end()
        for _ in range(5):
            with pytest.raises(Silent):
                follower.update(None)
        assert desk.asked == 2


def _update_through_silence(follower: Follower) -> None:
    until = time.monotonic() + LIMIT
    while True:
        assert time.monotonic() < until
        with suppress(Silent):
            if follower.update(None):
                return


def test_silence_counts_from_what_was_told_last(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.desk()
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        clock = [time.monotonic()]
        monkeypatch.setattr(follow, "monotonic", lambda: clock[0])
        for name in "bcd":
            clock[0] += 0.9 * follow.SILENCE
            teller.coming.append(holder(name))
            wait_until(lambda: follower.update(0.0), "a change")
        clock[0] += 0.9 * follow.SILENCE
        assert not follower.update(0.0)
        clock[0] += 0.2 * follow.SILENCE
        with pytest.raises(Unreachable, match="told nothing"):
            follower.update(0.0)


def test_a_word_is_overdue_once_a_sign_of_life_did_not_come_or_the_registry_is_gone(place: Place) -> None:
    place.desk(Located("r1", 0), None)
    teller = place.teller(*BUSY)
    before = time.monotonic()
    with place.follow() as follower:
        follower.update(None)
        after = time.monotonic()
        assert follower.overdue(before + follow.LIFE) == 0.0
        assert after - before + 3.0 >= follower.overdue(after + follow.LIFE + 3.0) >= 3.0
        teller.end()
        wait_until(lambda: follower.update(0.0) or follower.overdue(time.monotonic()) > 0.0, "nobody is there")
        gone = time.monotonic()
        assert gone - before + 3.0 >= follower.overdue(gone + 3.0) >= 3.0


def test_a_daemon_that_has_no_registry_says_why(place: Place) -> None:
    place.desk(Refused(Refusal.EXHAUSTED, "it died too often"))
    with place.follow() as follower, pytest.raises(Unreachable, match="died too often"):
        follower.update(None)


# --- the daemon ends, or never was ------------------------------------------------------------------------------------


def test_without_a_daemon_there_is_nothing_to_follow(place: Place) -> None:
    with pytest.raises(Unreachable, match=r"no daemon is running at .*/s"):
        Follower(place.settings, {})
    assert not Path(place.socket).exists()


@pytest.mark.parametrize("registry_first", [True, False])
def test_the_end_of_the_daemon_is_told_at_once(registry_first: bool, place: Place) -> None:
    desk = place.desk()
    teller = place.teller(*BUSY)
    with place.follow() as follower:
        follower.update(None)
        for actor in (teller, desk) if registry_first else (desk, teller):
            actor.end()
        with pytest.raises(Unreachable, match="the daemon has ended"):
            follower.update(None)


@pytest.mark.parametrize(
    ("said", "told"), [(Gone(), "the daemon has ended"), (Refused(Refusal.STOPPING, "it was stopped"), "was stopped")]
)
def test_a_daemon_that_is_ending_is_not_waited_for(said: Message, told: str, place: Place) -> None:
    place.desk(said)
    with place.follow() as follower, pytest.raises(Unreachable, match=told) as raised:
        follower.update(None)
    assert not isinstance(raised.value, Silent)


def test_an_older_daemon_is_named_as_such(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.actors.door.Welcome", lambda nonce, minor, pid: Welcome(nonce, 0, pid))
    place.desk()
    with pytest.raises(Unreachable, match=r"older version.*holdfast stop"):
        Follower(place.settings, {})


def test_a_daemon_that_does_not_know_what_is_asked_is_older_too(place: Place) -> None:
    place.desk(Fault("message number 15 is unknown"))
    with place.follow() as follower, pytest.raises(Unreachable, match="older version"):
        follower.update(None)


def test_nonsense_is_told_as_such(place: Place) -> None:
    place.desk(Released())
    with place.follow() as follower, pytest.raises(Unreachable, match="did not answer as one would"):
        follower.update(None)


def test_closing_twice_does_no_harm(place: Place) -> None:
    place.desk()
    place.teller(*BUSY)
    follower = Follower(place.settings, {})
    follower.update(None)
    follower.close()
    follower.close()
