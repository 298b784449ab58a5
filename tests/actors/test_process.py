"""The loop around an actor, with a real mailbox and an actor that does what the test says."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Container, Iterator

import pytest

from holdfast.actors.door import Session
from holdfast.actors.process import FAILED, NAP, PARENT, STRANGERS, Effect, Finish, Process, Unlisten
from holdfast.transport.messages import (
    Echo,
    Ended,
    Fault,
    Gone,
    Granted,
    Queued,
    Quiesce,
    Release,
    Released,
    Stop,
    Stopping,
    Welcome,
)
from holdfast.transport.pipe import Pipe, pipe_pair
from holdfast.transport.sockets import Arrival, Ready, Router
from holdfast.transport.wire import Message, decode, encode
from holdfast.transport.zmtp import Closed
from raw import Raw, hello
from support import LIMIT, wait_until


class Actor:
    """Answers ``Stop`` by an end, everything else by what ``reply`` makes of it; remembers what it was told."""

    def __init__(self, reply: Callable[[Session, Message], list[Effect]]) -> None:
        self.reply = reply
        self.gone: list[Session] = []
        self.heard: list[Message] = []
        self.wake: float | None = None
        self.ticks = 0

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        if isinstance(message, Stop):
            return [(session, Stopping(1)), Finish("told to"), (session, Gone())]
        return self.reply(session, message)

    def left(self, session: Session, now: float) -> list[Effect]:
        self.gone.append(session)
        return []

    def tick(self, now: float) -> list[Effect]:
        self.ticks += 1
        assert self.wake is not None
        assert now >= self.wake
        self.wake = None
        return [Finish("time is up")]

    def wakes_at(self) -> float | None:
        return self.wake

    def failed(self) -> list[Effect]:
        return [(PARENT, Ended("failed"))]

    def told(self, message: Message, now: float) -> list[Effect]:
        self.heard.append(message)
        return [(PARENT, message)]

    def orphaned(self, now: float) -> list[Effect]:
        return [Finish("alone")]


class Bench:
    """A process in a thread of its own."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.actor = Actor(lambda session, message: [(session, Queued(1))])
        self.parent, end = pipe_pair()
        self.router = Router(path, limit=1000)
        self.process = Process(self.actor, self.router, pipe=Pipe(end))
        self.codes: list[int] = []
        self.thread = threading.Thread(target=lambda: self.codes.append(self.process.run()), daemon=True)

    def start(self) -> None:
        self.thread.start()

    def end(self) -> int:
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()
        return self.codes[0]

    def enter(self, *then: Message) -> Raw:
        raw = Raw(self.path)
        raw.enter(hello(), *then)
        return raw


@pytest.fixture
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        bench = Bench(f"{directory}/s")
        yield bench
        bench.parent.close()
        if bench.thread.ident is None:
            bench.router.close()
        else:
            bench.end()


def test_answers_come_in_the_order_of_the_list_and_the_rest_of_it_is_carried_out_at_the_end(bench: Bench) -> None:
    bench.start()
    with bench.enter(Release(1, False), Stop(True)) as raw:
        assert [raw.hear(), raw.hear(), raw.hear()] == [Queued(1), Stopping(1), Gone()]
        with pytest.raises(Closed):
            raw.hear()
    assert bench.end() == 0
    assert not os.path.lexists(bench.path)


def test_a_disconnect_is_told_once(bench: Bench) -> None:
    bench.start()
    raw = bench.enter(Release(1, False))
    raw.hear()
    raw.wire.close()
    [session] = wait_until(lambda: bench.actor.gone, "the end of the session")
    assert session.who.pid == os.getpid()  # the kernel's word


def test_garbage_is_told_so_and_harms_nobody(bench: Bench) -> None:
    bench.start()
    with bench.enter(Release(1, False)) as raw, bench.enter(Release(1, False)) as other:
        assert raw.hear() == Queued(1)
        raw.wire.send(b"\x01\xff\x90")
        assert isinstance(raw.hear(), Fault)
        raw.say(Release(1, False))
        assert raw.hear() == Queued(1)
        assert other.hear() == Queued(1)


def test_who_does_not_read_has_left_and_is_shut(bench: Bench) -> None:
    bench.actor.reply = lambda session, message: [(session, Fault("x" * 4000))] * 500
    bench.start()
    with bench.enter() as deaf:
        frame = encode(Release(1, False))
        deaf.wire.send(frame)
        [session] = wait_until(lambda: bench.actor.gone, "the end of the session")
        assert session.who.pid == os.getpid()
        with pytest.raises(Closed):
            list(iter(deaf.hear, None))
    bench.actor.reply = lambda session, message: [(session, Queued(2))]
    with bench.enter(Release(1, False)) as raw:
        assert raw.hear() == Queued(2)
    assert len(bench.actor.gone) <= 2


def test_who_waits_only_for_a_moment_hears_the_end_of_it_alone(bench: Bench) -> None:
    granted = Granted(7, "", 0.0)
    bench.actor.reply = lambda session, message: [(session, granted if message == Release(2, False) else Queued(1))]
    bench.start()
    with bench.enter(Release(1, False), Release(2, False), Release(1, False)) as raw:
        assert [raw.hear(), raw.hear()] == [granted, Queued(1)]


def test_who_is_let_in_hears_it_before_anything_else_is_heard_and_who_let_him_in_hears_it_last(bench: Bench) -> None:
    let_in = Granted(7, "", 0.0)
    sessions: list[Session] = []
    heard: list[Message] = []

    def reply(session: Session, message: Message) -> list[Effect]:
        if message == Release(2, False):
            return [(session, Released()), (sessions[0], let_in)]
        if message == Release(3, False):
            heard.append(waiter.hear())
            return []
        sessions.append(session)
        return [(session, Gone())]

    bench.actor.reply = reply
    bench.start()
    with bench.enter(Release(1, False)) as waiter:
        assert waiter.hear() == Gone()
        with bench.enter(Release(1, False)) as holder:
            assert holder.hear() == Gone()
            holder.say(Release(2, False), Release(3, False))
            assert holder.hear() == Released()
    assert heard == [let_in]


def test_who_releases_and_asks_in_one_breath_hears_one_answer(bench: Bench) -> None:
    answers: dict[Message, Message] = {Release(1, False): Queued(1), Release(2, False): Released()}
    bench.actor.reply = lambda session, message: [(session, answers.get(message, Gone()))]
    bench.start()

    def at_once() -> bool:
        raw.say(Release(2, False), Release(3, False))
        if raw.hear() == Gone():
            return True
        assert raw.hear() == Gone()  # one write may still be two reads, and two turns
        return False

    with bench.enter(Release(1, False)) as raw:
        raw.hear()
        wait_until(at_once, "two requests in one turn")


def test_after_unlisten_nobody_new_is_let_in_and_those_inside_stay(bench: Bench) -> None:
    bench.actor.reply = lambda session, message: [Unlisten(), (session, Queued(1))]
    bench.start()
    with bench.enter(Release(1, False)) as raw:
        raw.hear()
        with pytest.raises(FileNotFoundError):
            Raw(bench.path)
        raw.say(Release(1, False))
        assert raw.hear() == Queued(1)


def test_what_the_parent_says_is_heard_and_answered(bench: Bench) -> None:
    bench.parent.send(Quiesce())
    bench.start()
    assert wait_until(bench.parent.receive, "an answer") == Quiesce()
    assert bench.actor.heard == [Quiesce()]


def test_what_the_parent_said_before_somebody_came_is_heard_before_him_even_amid_a_turn(bench: Bench) -> None:
    heard: list[list[Message]] = []

    def reply(session: Session, message: Message) -> list[Effect]:
        heard.append([*bench.actor.heard])
        return []

    def go_on_amid_a_turn() -> bytes:
        bench.process._take_messages(0.0, [])  # where nobody looks at what poll says
        return raw.wire.receive(0.01) or b""

    bench.actor.reply = reply
    with Raw(bench.path) as raw:
        raw.say(hello())
        welcome = decode(wait_until(go_on_amid_a_turn, "Welcome"))
        assert isinstance(welcome, Welcome)
        bench.parent.send(Quiesce())
        raw.say(Echo(welcome.nonce), Release(1, False))
        wait_until(lambda: go_on_amid_a_turn() or heard, "the message behind the Echo")
    assert heard == [[Quiesce()]]


class Crowded(Router):
    """A mailbox in which there is always one more message of a stranger."""

    taken = 0

    def wait(self, timeout: int | None) -> Ready:
        return Ready(changes=False, messages=True, others=frozenset())

    def receive(self, known: Container[bytes]) -> tuple[bytes, bytes | Arrival] | None:
        self.taken += 1
        return b"\0abcd", Arrival(5, None, b"hello")


def test_a_crowd_of_strangers_leaves_everything_else_its_turn(bench: Bench) -> None:
    actor = Actor(lambda session, message: [])
    actor.wake = 0.0
    router = Crowded(f"{bench.path}-crowded", limit=1000)
    assert Process(actor, router).run() == 0
    assert router.taken == STRANGERS


def test_the_end_of_the_parent_is_noticed(bench: Bench) -> None:
    bench.start()
    bench.parent.close()
    assert bench.end() == 0


def test_an_actor_that_raises_tells_what_it_can_and_ends_as_failed(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(session: Session, message: Message) -> list[Effect]:
        raise ZeroDivisionError("our bug")

    bench.actor.reply = fail
    bench.start()
    with bench.enter(Release(1, False)):
        assert bench.end() == FAILED
    assert bench.parent.receive() == Ended("failed")
    assert "HFD010E" in caplog.text
    assert "our bug" in caplog.text


def test_an_actor_is_woken_when_it_said_and_not_before(bench: Bench) -> None:
    bench.actor.wake = 0.0  # long ago
    bench.start()
    assert bench.end() == 0
    assert bench.actor.ticks == 1


class Minded(Actor):
    """Ends when it has heard of as many signals as ``enough``."""

    enough = 3

    def __init__(self) -> None:
        super().__init__(lambda session, message: [])
        self.signals: list[int] = []

    def signalled(self, number: int, now: float) -> list[Effect]:
        self.signals.append(number)
        return [Finish("told to")] if len(self.signals) == self.enough else []


def test_each_signal_that_has_come_is_told_to_the_actor(bench: Bench) -> None:
    actor = Minded()
    ours, theirs = os.pipe()
    try:
        process = Process(actor, Router(f"{bench.path}-minded", limit=1000), signals=ours)
        os.write(theirs, bytes((15, 2, 15)))
        assert process.run() == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert actor.signals == [15, 2, 15]


@pytest.mark.parametrize("left", [0.0, -1.0, -1e9, float("-inf")])
def test_a_wake_up_call_that_is_due_or_late_is_no_nap_at_all(bench: Bench, left: float) -> None:
    bench.actor.wake = time.monotonic() + left
    assert bench.process._patience() == 0


@pytest.mark.parametrize("at", [1e12, 1e300, float("inf")])
def test_a_wake_up_call_beyond_all_counting_is_a_long_nap(bench: Bench, at: float) -> None:
    bench.actor.wake = at
    assert bench.process._patience() == NAP * 1000 + 1
