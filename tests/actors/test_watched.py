"""An actor's log of changes: who follows it knows what is there, in the end and at little cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.actors import watched
from holdfast.actors.told import claim_of
from holdfast.actors.watched import LIFE
from holdfast.transport.messages import Changes, Standing
from holdfast.transport.records import Claim, Member, key
from holdfast.transport.wire import MAX_FRAME, encode
from people import hello
from raw import acquire
from watched_bench import BEACON, FOR_EVER, A, B, Followed, records, some


@pytest.fixture
def actor() -> Followed:
    return Followed()


# --- what is told -----------------------------------------------------------------------------------------------------


def test_who_asks_for_everything_is_told_at_once_even_if_there_is_nothing(actor: Followed) -> None:
    changes = some(actor.watch(0))
    assert changes == Changes(actor.log.number, True, False, 0.0, (), (), (), (), (), 0.0)
    assert actor.watch(changes.number) is None


def test_a_change_is_told_with_what_it_is_by_then_and_its_age(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.put(1)
    actor.now += 0.5
    actor.put(1, version=2)
    changes = some(actor.watch(number))
    assert records(changes) == (Member(1, "locker", 2, 0.0, 0),)
    assert (changes.fresh, changes.more, changes.age) == (False, False, 0.5)
    assert changes.number > number


def test_changes_are_told_in_the_order_in_which_they_began(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.now += 1.0
    for one in (3, 1, 2, 3):
        actor.put(one)
    assert [one.number for one in some(actor.watch(number)).members] == [3, 1, 2]


def test_what_is_gone_is_told_by_its_key(actor: Followed) -> None:
    actor.put(1)
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.take(1)
    changes = some(actor.watch(number))
    assert (records(changes), changes.gone) == ((), ("member/1",))


def test_what_came_and_went_before_anybody_was_told_leaves_nothing_behind(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.put(1)
    actor.take(1)
    actor.take(2)
    assert actor.watch(number) is None
    assert not actor.log._pending
    assert not actor.log._log
    assert actor.log.number == number


def test_what_went_and_came_again_is_there(actor: Followed) -> None:
    actor.put(1)
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.take(1)
    actor.put(1, version=2)
    changes = some(actor.watch(number))
    assert (len(changes.members), changes.gone) == (1, ())


def test_a_key_whose_record_cannot_be_made_is_gone(actor: Followed) -> None:
    actor.put(1)
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.log.touch("member/1", actor.now)
    actor.there.clear()
    assert some(actor.watch(number)).gone == ("member/1",)


def test_what_is_cleared_is_gone(actor: Followed) -> None:
    for one in (1, 2):
        actor.put(one)
    number = some(actor.watch(0)).number
    actor.now += 1.0
    actor.put(3)
    actor.there.clear()
    actor.log.clear(actor.now)
    changes = some(actor.watch(number))
    assert (records(changes), set(changes.gone)) == ((), {"member/1", "member/2"})


@pytest.mark.parametrize("since", [0, 999])
def test_a_number_that_is_not_ours_is_answered_afresh(actor: Followed, since: int) -> None:
    actor.put(1)
    actor.watch(0)
    actor.now += 1.0
    changes = some(actor.watch(since))
    assert changes.fresh
    assert len(changes.members) == 1


def test_who_was_away_for_too_long_begins_afresh(actor: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "REMEMBERED", 2)
    for one in range(5):
        actor.put(one)
    number = some(actor.watch(0)).number
    for one in range(3):
        actor.take(one)
    actor.watch(0, session=B)
    actor.now += 1.0
    changes = some(actor.watch(number))
    assert changes.fresh
    assert [one.number for one in changes.members] == [3, 4]
    assert len(actor.log._log) <= 2 + len(actor.there)


# --- when it is told --------------------------------------------------------------------------------------------------


def test_a_second_answer_comes_a_beacon_after_the_first(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.watch(number)
    actor.put(1)
    assert actor.wait(BEACON * 0.9) is None
    changes = some(actor.wait(BEACON * 0.2))
    assert changes.age == pytest.approx(BEACON)


def test_after_a_quiet_time_a_change_is_told_at_once(actor: Followed) -> None:
    actor.watch(some(actor.watch(0)).number)
    actor.wait(1.0)
    actor.put(1)
    assert actor.log.wakes_at() is not None
    assert some(actor.wait(0.0)).age == 0.0


def test_an_answer_with_much_in_it_is_followed_by_a_longer_rest(actor: Followed) -> None:
    for one in range(128):
        actor.put(one)
    changes = some(actor.watch(0))
    assert changes.more
    changes = some(actor.watch(changes.number))
    assert not changes.more
    actor.watch(changes.number)
    actor.put(1, version=1)
    assert actor.wait(BEACON * 1.9) is None
    changes = some(actor.wait(BEACON * 0.2))
    actor.watch(changes.number)
    actor.put(1, version=2)
    assert actor.wait(BEACON * 1.1) is not None


@pytest.mark.parametrize(("patience", "limit"), [(0.5, 0.5), (FOR_EVER, LIFE), (99.0, LIFE)])
def test_nothing_is_told_when_patience_ends(actor: Followed, patience: float, limit: float) -> None:
    number = some(actor.watch(0)).number
    assert actor.watch(number, patience) is None
    assert actor.wait(limit * 0.99) is None
    told = some(actor.wait(limit * 0.02))
    assert told == Changes(number, False, False, 0.0, (), (), (), (), (), told.kept)
    assert limit <= told.kept < limit * 1.02
    assert actor.log.wakes_at() is None


def test_who_has_no_patience_is_answered_at_once(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.put(1)
    assert len(some(actor.watch(number, 0.0)).members) == 1


def test_only_who_asks_is_answered_and_once(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.watch(number)
    actor.put(1)
    assert actor.wait(1.0) is not None
    actor.put(2)
    assert actor.wait(LIFE * 2) is None


def test_who_is_gone_is_told_nothing(actor: Followed) -> None:
    actor.watch(some(actor.watch(0)).number)
    assert actor.log.watched
    actor.log.left(A)
    actor.log.left(B)
    actor.put(1)
    assert not actor.log.watched
    assert actor.log.wakes_at() is None
    assert actor.log.answers(actor.now + LIFE) == []


def test_each_watcher_has_its_own_time(actor: Followed) -> None:
    number = some(actor.watch(0)).number
    actor.watch(number)
    actor.now += BEACON / 2
    assert some(actor.watch(0, session=B)).fresh
    actor.watch(number, session=B)
    actor.put(1)
    assert len(some(actor.wait(1.0)).members) == 1
    assert len(some(actor.wait(1.0, B)).members) == 1


# --- parts ------------------------------------------------------------------------------------------------------------


def parts(actor: Followed, since: int) -> Iterator[Changes]:
    while True:
        changes = some(actor.watch(since))
        yield changes
        since = changes.number
        if not changes.more:
            return


def test_no_answer_has_more_than_64_records(actor: Followed) -> None:
    for one in range(150):
        actor.put(one)
    told = list(parts(actor, 0))
    assert [len(records(changes)) for changes in told] == [64, 64, 22]
    assert [changes.fresh for changes in told] == [True, False, False]


def test_no_answer_has_more_than_64_keys_that_are_gone(actor: Followed) -> None:
    for one in range(150):
        actor.put(one)
    *_, last = parts(actor, 0)
    for one in range(150):
        actor.take(one)
    actor.now += 1.0
    assert [len(changes.gone) for changes in parts(actor, last.number)] == [64, 64, 22]


@pytest.mark.parametrize("text", ["x" * 4096, "ä" * 2048, "\udcff" * 1365])
def test_no_answer_is_bigger_than_a_frame(actor: Followed, text: str) -> None:
    for one in range(64):
        claim = claim_of(
            hello(1, inside=(bytes(16),) * 64),
            acquire(text, 1),
            **{"actor": 1, "place": 1, "number": one, "session": f"{one:016x}", "age": 0.0},  # type: ignore[arg-type]
            standing=Standing.WAITS,
            blockers=("f" * 16,) * 64,
        )
        actor.there[key(claim)] = claim
        actor.log.touch(key(claim), actor.now)
    told = list(parts(actor, 0))
    assert sum(len(changes.claims) for changes in told) == 64
    assert all(len(encode(changes)) <= MAX_FRAME for changes in told)
    assert len(told) < 20
    assert all(isinstance(one, Claim) for changes in told for one in records(changes))


def test_there_is_an_end_to_the_parts_however_fast_things_change(actor: Followed) -> None:
    """Whatever changes between two parts is told again afterwards."""
    for one in range(200):
        actor.put(one)
    told = 0
    for changes in parts(actor, 0):
        told += len(changes.members)
        for one in range(200):
            actor.put(one, version=1)
    assert told == 200
    actor.now += 1.0
    assert sum(len(again.members) for again in parts(actor, changes.number)) == 200


def test_who_asks_for_something_else_amid_the_parts_gets_it(actor: Followed) -> None:
    for one in range(150):
        actor.put(one)
    assert some(actor.watch(0)).more
    actor.now += 1.0
    changes = some(actor.watch(0))
    assert changes.fresh
    assert changes.members[0].number == 0


def test_who_comes_again_amid_the_parts_after_it_was_forgotten_is_told_in_its_turn(
    actor: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody would be told when it goes: it has no number yet."""
    monkeypatch.setattr(watched, "PAGE", 1)
    monkeypatch.setattr(watched, "REMEMBERED", 2)
    for one in (1, 2, 3, 4):
        actor.put(one)
    *_, last = parts(actor, 0)
    for one in (1, 2):
        actor.take(one)
    actor.now += 1.0
    changes = some(actor.watch(last.number))
    assert (changes.gone, changes.more) == (("member/1",), True)
    for one in (3, 4):
        actor.take(one)
    assert some(actor.watch(0, session=B)).fresh
    actor.put(2)
    changes = some(actor.watch(changes.number))
    assert (changes.gone, records(changes), changes.more) == (("member/2",), (), False)


def test_what_came_again_and_went_again_before_it_was_told_is_gone(actor: Followed) -> None:
    actor.put(1)
    number = some(actor.watch(0)).number
    actor.take(1)
    actor.now += 1.0
    number = some(actor.watch(number)).number
    actor.put(1)
    actor.take(1)
    actor.now += 1.0
    assert some(actor.watch(number)).gone == ("member/1",)
    actor.now += 1.0
    assert some(actor.watch(0)).gone == ()


@pytest.mark.parametrize("asks", [True, False])
def test_last_words_are_everything_that_was_not_told_yet(asks: bool, actor: Followed) -> None:
    number = some(actor.watch(0)).number
    some(actor.watch(0, session=B))
    if asks:
        assert actor.watch(number) is None
    for one in range(150):
        actor.put(one)
    words = actor.log.last_words(actor.now)
    for session in (A, B):
        told = [changes for to, changes in words if to is session]  # type: ignore[misc]  # all are answers
        assert sum(len(changes.members) for changes in told) == 150
        assert [changes.more for changes in told] == [True, True, False]
    assert actor.log.last_words(actor.now) == []
