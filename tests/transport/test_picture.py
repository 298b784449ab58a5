"""The picture: what was told, put together; positions, units in use and counters worked out once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.enums import Mode, Order, Standing
from holdfast.transport.messages import Changes, Watch
from holdfast.transport.names import Kind
from holdfast.transport.picture import LATE, Picture, Questions, bucket, total, with_ongoing
from holdfast.transport.records import Claim, Member, Record, Resource, Tally, by_kind, key

PRINTER = Resource(4, 3, "printer", "printer", 5.0, Order.FIFO, 2.0, 17, "")
MEMBER = Member(0, "incubator", 77, 9.0, 0)
TALLY = Tally(4, 3, Mode.EX, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0.5, 0.5, (0, 1), 0.0, 0.0, ())


def claim(session: str, standing: Standing, **more: object) -> Claim:
    told = {
        **{"actor": 4, "place": 3, "number": 2, "session": session, "standing": standing, "resource": "printer"},
        **{"mode": Mode.EX, "quantity": 1, "age": 1.0, "waited": 0.0, "left": -1.0, "token": 0, "element": ""},
        **{"arrival": 0, "blockers": (), "inside": (), "peer": "localhost/", "host": "h", "pid": 1, "uid": 0},
        **{"user": "root", "command": "make", "job": "", "reason": "", "key": ""},
        **more,
    }
    return Claim(**told)  # type: ignore[arg-type]


def changes(
    *records: Record, number: int = 1, fresh: bool = False, more: bool = False, gone: str = "", kept: float = 0.0
) -> Changes:
    return Changes(
        number,
        fresh,
        more,
        0.0,
        *by_kind(records),
        tuple(gone.split()),
        kept,
    )


def picture(*records: Record, now: float = 100.0) -> Picture:
    made = Picture()
    made.apply(changes(*records, fresh=True), now)
    return made


def test_a_resource_shows_its_holders_and_its_waiters_in_their_order() -> None:
    scene = picture(
        claim("c", Standing.WAITS, arrival=9),
        PRINTER,
        claim("b", Standing.WAITS, arrival=7),
        claim("a", Standing.HOLDS, token=17),
    ).scene()
    (printer,) = scene.resources
    assert [view.claim.session for view in printer.holders] == ["a"]
    assert [(view.claim.session, view.position) for view in printer.waiters] == [("b", 1), ("c", 2)]
    assert (printer.mode, printer.kind, printer.in_use, printer.capacity) == (Mode.EX, Kind.SIMPLE, 1, 0)
    assert printer.since_at == 95.0


def test_units_in_use_are_those_of_the_holders() -> None:
    pool = replace(PRINTER, name="pool[8]")
    scene = picture(pool, *(claim(name, Standing.HOLDS, quantity=3) for name in "ab")).scene()
    assert (scene.resources[0].in_use, scene.resources[0].capacity) == (6, 8)


def test_an_element_of_a_set_counts_one() -> None:
    scene = picture(replace(PRINTER, name="red.green"), claim("a", Standing.HOLDS, element="red")).scene()
    assert (scene.resources[0].in_use, scene.resources[0].capacity) == (1, 2)


def test_half_a_picture_is_not_shown() -> None:
    known = picture(PRINTER, claim("a", Standing.HOLDS))
    before = known.scene()
    known.apply(changes(PRINTER, fresh=True, more=True, number=5), 101.0)
    assert known.scene() is before
    known.apply(changes(claim("b", Standing.HOLDS), number=6), 101.0)
    assert [view.claim.session for view in known.scene().resources[0].holders] == ["b"]


def test_half_a_change_is_not_shown_either() -> None:
    known = picture(PRINTER, claim("a", Standing.HOLDS))
    known.apply(changes(claim("b", Standing.WAITS), more=True, number=5), 101.0)
    assert known.scene().resources[0].waiters == ()
    known.apply(changes(claim("c", Standing.WAITS, arrival=3), number=6), 101.0)
    assert [view.claim.session for view in known.scene().resources[0].waiters] == ["b", "c"]


def test_the_first_picture_is_complete_when_there_is_no_more() -> None:
    made = Picture()
    made.apply(changes(PRINTER, fresh=True, more=True), 1.0)
    assert not made.complete
    made.apply(changes(number=2), 1.0)
    assert made.complete
    assert made.number == 2


def test_what_is_gone_is_not_shown() -> None:
    known = picture(PRINTER, claim("a", Standing.HOLDS))
    known.apply(changes(gone=key(claim("a", Standing.HOLDS)), number=2), 101.0)
    assert known.scene().resources[0].holders == ()


def test_an_instant_does_not_move_because_a_message_took_longer() -> None:
    known = picture(claim("a", Standing.WAITS), PRINTER)
    known.apply(changes(claim("a", Standing.WAITS, age=2.0, blockers=("x",)), number=2), 101.3)
    assert known.scene().resources[0].waiters[0].since_at == 99.0


def test_a_grant_begins_a_new_age() -> None:
    known = picture(claim("a", Standing.WAITS), PRINTER)
    known.apply(changes(claim("a", Standing.HOLDS, age=0.0, token=18), number=2), 99.5)
    assert known.scene().resources[0].holders[0].since_at == 99.5


def test_who_has_come_to_its_locker_is_parked_no_longer() -> None:
    parked = claim("a", Standing.PARKED, actor=0, place=0)
    assert [view.claim.session for view in picture(parked).scene().parked] == ["a"]
    assert picture(parked, PRINTER, claim("a", Standing.WAITS)).scene().parked == ()


def test_processes_and_what_has_ended_are_told_once_each() -> None:
    scene = picture(MEMBER, replace(TALLY, place=0), replace(TALLY, actor=5, place=0), PRINTER, TALLY).scene()
    assert [view.member.role for view in scene.members] == ["incubator"]
    assert [(tally.requests, tally.waits) for tally in scene.ended] == [(4, (0, 2))]
    assert scene.resources[0].tallies == (TALLY,)


def test_a_lock_that_nobody_gets_shows_up_as_the_worst() -> None:
    (printer,) = picture(PRINTER, TALLY, claim("b", Standing.WAITS, age=40.0)).scene().resources
    (tally,) = with_ongoing(printer, 120.0)
    assert (tally.wait_max, tally.wait_sum) == (60.0, 60.5)
    assert tally.waits[bucket(60.0)] == 1
    assert sum(tally.waits) == sum(TALLY.waits) + 1


@given(st.floats(0, 1e6))
def test_a_time_counts_in_the_smallest_power_of_two_above_it(seconds: float) -> None:
    entry = bucket(seconds)
    assert int(seconds * 1e6) < 2**entry
    assert entry == 0 or int(seconds * 1e6) >= 2 ** (entry - 1)


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=4))
def test_a_total_loses_nothing(histograms: list[list[int]]) -> None:
    tallies = [replace(TALLY, waits=tuple(one), wait_max=float(len(one))) for one in histograms]
    summed = total(tallies)
    assert sum(summed.waits) == sum(map(sum, histograms))
    assert summed.requests == 2 * len(tallies)
    assert summed.wait_max == max(map(len, histograms))


def test_what_comes_in_time_is_followed_by_what_comes_next() -> None:
    questions = Questions(10.0)
    assert questions.ask(0, 50.0) == Watch(0, 10.0)
    assert questions.after(changes(number=7, kept=9.0), 59.0 + LATE) == Watch(7, 10.0)


def test_after_an_answer_that_lay_unread_everything_is_asked_for_once() -> None:
    questions = Questions(10.0)
    questions.ask(7, 50.0)
    assert questions.after(changes(number=8, kept=2.0), 99.0) == Watch(0, 10.0)
    assert questions.after(changes(number=9, kept=0.0, fresh=True), 120.0) == Watch(9, 10.0)
    assert questions.after(changes(number=10, kept=0.0), 120.5) == Watch(10, 10.0)
    assert questions.after(changes(number=11, kept=0.0), 140.0) == Watch(0, 10.0)
