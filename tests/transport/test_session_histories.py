"""A session in random histories: whatever it is told in whatever order, it has a next step or comes to an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.messages import (
    Cause,
    End,
    Fault,
    Gone,
    Located,
    Lost,
    Parked,
    Queued,
    Refusal,
    Refused,
    Released,
)
from holdfast.transport.session import Open, Send, Session, State
from holdfast.transport.wire import Message, encode
from session_bench import EXPLAINED, GRANTED, HELLO, LOCATE, WELCOME

answers = st.sampled_from(
    [
        WELCOME,
        Located("locker-1.sock", 5),
        Parked(),
        Queued(1),
        GRANTED,
        Refused(Refusal.BUSY, "busy"),
        Released(),
        Gone(),
        EXPLAINED,
        Lost(Cause.STOPPED, "stopped"),
        Fault("fault"),
        End(),
    ]
)


@given(st.lists(st.one_of(answers, st.sampled_from(["end", "silence", "acquire", "release", "why"])), max_size=40))
def test_whatever_the_other_side_says_there_is_always_a_next_step_or_an_end(story: list[Message | str]) -> None:
    session = Session(HELLO, LOCATE)
    now = 0.0
    for what in story:
        now += 1.0
        while isinstance(step := session.step(now), Send | Open):
            if isinstance(step, Open):
                session.opened(now)
        if step is None:  # settled: it is our turn
            assert session.state in (State.AWAY, State.HELD, State.ATTACHED)
            assert session.state is not State.HELD or session.granted is not None
            if what == "release" and session.state is State.HELD:
                session.release(rolled_back=False)
            elif what == "acquire" and session.state is not State.HELD:
                session.acquire(3.0, now)
        elif what == "end":
            session.ended()
        elif what == "silence":
            session.silent(now)
        elif what == "why":
            session.explain()
        elif not isinstance(what, str):
            session.received(encode(what), now)
        if session.state is State.HELD:
            assert session.error is None
