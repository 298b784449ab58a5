"""Nobody in a line is left without an answer when it ends."""

from __future__ import annotations

from holdfast.actors.dismissal import dismissed
from holdfast.actors.rules.kinds import resource_from_name
from holdfast.actors.rules.line import Line, Owner
from holdfast.transport.messages import Cause, Lost, Order, Refusal, Refused
from holdfast.transport.names import parse
from locker_bench import EPOCH, A, B, C
from raw import acquire


def test_holders_lose_and_waiters_are_refused_and_who_is_not_in_line_hears_nothing() -> None:
    line = Line(resource_from_name(parse("printer"), wall=lambda now: now), order=Order.FIFO, token=EPOCH)
    sessions = {Owner(session.who.session): session for session in (A, B, C)}
    for session in (A, B):
        line.ask(Owner(session.who.session), acquire("printer", EPOCH), 1.0)
    told = dismissed(line, sessions, Cause.STOPPED, Refusal.STOPPING, "over")
    assert told == [(A, Lost(Cause.STOPPED, "over")), (B, Refused(Refusal.STOPPING, "over"))]


def test_without_a_line_nobody_hears_anything() -> None:
    assert dismissed(None, {Owner(A.who.session): A}, Cause.FAILED, Refusal.LOCKER_DIED, "over") == []
