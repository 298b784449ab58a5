"""An actor's log of changes: who follows it knows what is there, in the end and at little cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.actors import watched
from holdfast.actors.door import Session
from holdfast.actors.told import claim_of
from holdfast.actors.watched import LIFE, Watched
from holdfast.transport.messages import Changes, Standing, Watch
from holdfast.transport.records import Claim, Member, Record, key
from holdfast.transport.wire import MAX_FRAME, encode
from people import hello, somebody
from raw import acquire

BEACON = 0.04
A, B = somebody(1), somebody(2)
FOR_EVER = -1.0


def records(changes: Changes) -> tuple[Record, ...]:
    return (*changes.claims, *changes.resources, *changes.tallies, *changes.members)


class Followed:
    """An actor that keeps members, what it tells, and a clock that only we move."""

    def __init__(self) -> None:
        self.there: dict[str, Record] = {}
        self.log = Watched(lambda name, now: self.there.get(name), BEACON)
        self.now = 100.0

    def put(self, number: int, version: int = 0) -> None:
        member = Member(number, "locker", version, 0.0, 0)
        self.there[key(member)] = member
        self.log.touch(key(member), self.now)

    def take(self, number: int) -> None:
        self.there.pop(f"member/{number}", None)
        self.log.drop(f"member/{number}", self.now)

    def watch(self, since: int, patience: float = FOR_EVER, session: Session = A) -> Changes | None:
        answers = self.log.watch(session, Watch(since, patience), self.now)
        return self.only(answers, session)

    def wait(self, seconds: float, session: Session = A) -> Changes | None:
        """Let time pass; what ``session`` is told at the first instant at which anybody is told."""
        until = self.now + seconds
        while (at := self.log.wakes_at()) is not None and at <= until:
            self.now = max(at, self.now)
            answers = self.log.answers(self.now)
            if answers:
                return self.only(answers, session)
        self.now = until
        return None

    @staticmethod
    def only(answers: list[tuple[Session, Changes]], session: Session) -> Changes | None:
        told = [changes for to, changes in answers if to is session]
        assert len(told) <= 1
        return told[0] if told else None


@pytest.fixture
def actor() -> Followed:
    return Followed()


def some(changes: Changes | None) -> Changes:
    assert changes is not None
    return changes


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


# --- everything at once -----------------------------------------------------------------------------------------------


class Follower:
    """Applies what it is told, and asks for the rest."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.since = 0
        self.known: dict[str, Record] = {}
        self.coming: dict[str, Record] | None = None
        self.waits = False

    def apply(self, changes: Changes) -> None:
        assert self.waits, "answered without being asked"
        self.waits = False
        assert changes.fresh or changes.number >= self.since
        if changes.fresh:
            self.coming = {}
        target = self.known if self.coming is None else self.coming
        told = [key(record) for record in records(changes)]
        assert len({*told, *changes.gone}) == len(told) + len(changes.gone)
        target.update(zip(told, records(changes), strict=True))
        for name in changes.gone:
            target.pop(name, None)
        self.since = changes.number
        if not changes.more and self.coming is not None:
            self.known, self.coming = self.coming, None


class Histories(RuleBasedStateMachine):
    """Keys come, change and go; watchers come, ask, are slow and go; pages and memory are small."""

    @initialize(page=st.integers(1, 3), remembered=st.integers(0, 3))
    def build(self, page: int, remembered: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(watched, "PAGE", page)
        self.patch.setattr(watched, "REMEMBERED", remembered)
        self.actor = Followed()
        self.version = 0
        self.followers: dict[int, Follower] = {}

    def teardown(self) -> None:
        if not hasattr(self, "patch"):
            return
        self.everybody_catches_up()
        self.patch.undo()

    def deliver(self, answers: list[tuple[Session, Changes]]) -> None:
        for session, changes in answers:
            [follower] = [one for one in self.followers.values() if one.session is session]
            follower.apply(changes)

    @rule(number=st.integers(0, 7))
    def changes(self, number: int) -> None:
        self.version += 1
        self.actor.put(number, self.version)

    @rule(number=st.integers(0, 7))
    def goes(self, number: int) -> None:
        self.actor.take(number)

    @rule(number=st.integers(0, 7))
    def is_gone_after_all(self, number: int) -> None:
        if f"member/{number}" in self.actor.there:
            self.actor.log.touch(f"member/{number}", self.actor.now)
            del self.actor.there[f"member/{number}"]

    @rule()
    def all_go(self) -> None:
        self.actor.there.clear()
        self.actor.log.clear(self.actor.now)

    @rule(name=st.integers(0, 2), patience=st.sampled_from([0.0, 0.01, 1.0, FOR_EVER]))
    def asks(self, name: int, patience: float) -> None:
        follower = self.followers.setdefault(name, Follower(somebody(name)))
        follower.waits = True
        self.deliver(self.actor.log.watch(follower.session, Watch(follower.since, patience), self.actor.now))
        assert patience or not follower.waits

    @rule(name=st.integers(0, 2))
    def breaks_off(self, name: int) -> None:
        """It comes again by another connection, and knows what it knew."""
        follower = self.followers.get(name)
        if follower is not None:
            self.actor.log.left(follower.session)
            follower.session = somebody(name)
            follower.waits = False

    @rule(name=st.integers(0, 2))
    def forgets(self, name: int) -> None:
        follower = self.followers.pop(name, None)
        if follower is not None:
            self.actor.log.left(follower.session)

    @rule(seconds=st.floats(0, 0.1))
    def time_passes(self, seconds: float) -> None:
        self.actor.now += seconds
        self.deliver(self.actor.log.answers(self.actor.now))

    @rule()
    def everybody_catches_up(self) -> None:
        for name, follower in self.followers.items():
            self.asks(name, 0.0)
            for _ in range(100):
                if follower.since == self.actor.log.number and not self.actor.log._pending:
                    break
                self.asks(name, 0.0)
            assert follower.known == self.actor.there
        log = self.actor.log
        assert len(log._gone) <= watched.REMEMBERED
        assert set(log._gone) <= set(log._log)
        assert [number for number, _ in log._log.values()] == sorted(number for number, _ in log._log.values())


TestHistories = Histories.TestCase
