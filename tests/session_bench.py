"""A session without a connection: how far it has come, what it hears, and what it wants next."""

from __future__ import annotations

from holdfast.transport.messages import (
    FOREVER,
    Echo,
    Explained,
    Granted,
    Hello,
    Locate,
    Located,
    Mode,
    Order,
    Parked,
    Queued,
    Released,
    Welcome,
)
from holdfast.transport.session import Open, Receive, Send, Session, State
from holdfast.transport.wire import Message, decode, encode

ID = bytes(16)
HELLO = Hello(0, ID, "host", "boot", 1, 2, 1000, "anna", "make", "", "", ())
LOCATE = Locate("printer", Mode.PW, 2, FOREVER, True, False, 2.0, Order.FIFO)
WELCOME = Welcome(bytes(range(16)), 0, 1)
ECHO = Echo(bytes(range(16)))
GRANTED = Granted(17, "red", 0.5)
EXPLAINED = Explained(False, 2, "anna has it")


def sent(session: Session, now: float = 0.0) -> list[Message]:
    """What it wants to send next."""
    step = session.step(now)
    assert isinstance(step, Send)
    return [decode(frame) for frame in step.frames]


def opens(session: Session) -> tuple[str, float]:
    """Where it wants a connection to, and after which pause."""
    step = session.step(0.0)
    assert isinstance(step, Open)
    return step.address, step.pause


def waits(session: Session, now: float = 0.0) -> float | None:
    """How long it wants to wait for an answer."""
    step = session.step(now)
    assert isinstance(step, Receive)
    return step.timeout


def hears(session: Session, message: Message, now: float = 0.0) -> None:
    waits(session, now)
    session.received(encode(message), now)


def at(state: State, timeout: float | None = None) -> Session:
    """A session that has come as far as ``state`` at the instant 0."""
    session = Session(HELLO, LOCATE)
    if state is State.AWAY:
        return session
    session.acquire(timeout, 0.0)
    while session.state is not state:
        step = session.step(0.0)
        if isinstance(step, Open):
            session.opened(0.0)
        elif isinstance(step, Send):
            pass
        elif session.state in (State.GREETING, State.MEETING):
            session.received(encode(WELCOME), 0.0)
        elif session.state is State.LOCATING:
            session.received(encode(Parked() if state is State.PARKED else Located("locker-4.sock", 99)), 0.0)
        elif session.state is State.ASKING:
            answer: Message = Queued(1) if state is State.QUEUED else GRANTED
            session.received(encode(answer), 0.0)
        elif session.state is State.HELD:
            session.release(rolled_back=False)
        else:
            session.received(encode(Released()), 0.0)
    session.to_send()
    session.heard.clear()
    return session
