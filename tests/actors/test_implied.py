from __future__ import annotations

from holdfast.actors.door import Session
from holdfast.actors.implied import without_the_implied
from holdfast.actors.process import PARENT, Unlisten
from holdfast.transport.messages import Cause, Ended, Granted, Lost, Released
from raw import hello

ONE, OTHER = (Session(bytes(5), hello(), 3) for _ in range(2))
GRANTED = Granted(1, "", 0.0)


def test_released_is_left_out_before_the_next_answer_to_the_same_session() -> None:
    assert without_the_implied([(ONE, Released()), (ONE, GRANTED)]) == [(ONE, GRANTED)]


def test_released_is_said_where_nothing_to_the_same_session_follows() -> None:
    effects = [(ONE, GRANTED), (ONE, Released()), (OTHER, GRANTED)]
    assert without_the_implied([*effects]) == effects


def test_everything_else_is_kept_and_in_its_order() -> None:
    effects = [(ONE, Lost(Cause.STOPPED, "")), (ONE, GRANTED), Unlisten(), (PARENT, Ended("")), (3, Ended(""))]
    assert without_the_implied([*effects]) == effects
