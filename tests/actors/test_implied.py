from __future__ import annotations

import pytest

from holdfast.actors.door import Session
from holdfast.actors.implied import SOON, Unsaid, in_order
from holdfast.actors.process import PARENT, Effect, Unlisten
from holdfast.transport.messages import Cause, Ended, Granted, Lost, Queued, Refusal, Refused, Released
from holdfast.transport.wire import Message
from raw import hello

ONE, OTHER = (Session(bytes(5), hello(), 3) for _ in range(2))
GRANTED = Granted(1, "", 0.0)


def test_released_is_left_out_before_the_next_answer_to_the_same_session() -> None:
    assert in_order([(ONE, Released()), (ONE, GRANTED)]) == ([(ONE, GRANTED)], [])


def test_released_comes_behind_what_others_are_told() -> None:
    effects: list[Effect] = [(ONE, GRANTED), (ONE, Released()), (OTHER, GRANTED)]
    assert in_order(effects) == ([(ONE, GRANTED), (OTHER, GRANTED)], [(ONE, Released())])
    assert in_order([(ONE, Released()), (OTHER, Released())]) == ([], [(ONE, Released()), (OTHER, Released())])


def test_everything_else_is_kept_and_in_its_order() -> None:
    effects = [(ONE, Lost(Cause.STOPPED, "")), (ONE, GRANTED), Unlisten(), (PARENT, Ended("")), (3, Ended(""))]
    assert in_order([*effects]) == (effects, [])


@pytest.mark.parametrize("end", [GRANTED, Refused(Refusal.STOPPING, "")])
def test_who_waits_only_for_a_moment_is_not_told_so(end: Message) -> None:
    unsaid = Unsaid()
    unsaid.hold(ONE, Queued(1), 5.0)
    assert unsaid.before(OTHER, end) is None
    assert unsaid.before(ONE, end) is None
    assert unsaid.wakes_at() is None
    assert unsaid.due(9.0) is None


def test_who_waits_longer_is_told_so_when_the_moment_is_over_and_once() -> None:
    unsaid = Unsaid()
    unsaid.hold(ONE, Queued(1), 5.0)
    unsaid.hold(OTHER, Queued(2), 5.01)
    assert unsaid.due(5.0) is None
    assert unsaid.wakes_at() == 5.0 + SOON
    assert unsaid.due(5.0 + SOON) == (ONE, Queued(1))
    assert unsaid.due(5.0 + SOON) is None
    assert unsaid.due(6.0) == (OTHER, Queued(2))
    assert unsaid.due(6.0) is None


def test_any_other_answer_comes_after_what_was_held_back() -> None:
    unsaid = Unsaid()
    unsaid.hold(ONE, Queued(1), 5.0)
    assert unsaid.before(ONE, Released()) == Queued(1)
    assert unsaid.before(ONE, Released()) is None
