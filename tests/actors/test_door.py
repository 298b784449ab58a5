"""The door: a session opens only for a connection that lives, and for each of those that asks properly."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.actors.door import HERE, PATIENCE, TAKEN, TOO_EARLY, Door, Outcome, Session
from holdfast.transport.listeners import Origin
from holdfast.transport.messages import MAJOR, MINOR, Echo, Fault, Gone, Hello, Mismatch, Release, Welcome
from holdfast.transport.wire import Message, encode
from people import hello

A, B = b"\0aaaa", b"\0bbbb"  # routing ids


def new_door() -> Door:
    numbers = count(1)
    return Door(lambda: next(numbers).to_bytes(16, "big"), pid=77)


def say(door: Door, routing_id: bytes, fd: int, message: Message, now: float = 0.0) -> Outcome:
    return door.arrival(routing_id, fd, (1000, 4711), encode(message), now)


def nonce_of(outcome: Outcome) -> bytes:
    [(_, welcome)] = outcome.answers
    assert isinstance(welcome, Welcome), welcome
    return welcome.nonce


def enter(door: Door, routing_id: bytes, fd: int, who: Hello, now: float = 0.0) -> Session:
    door.came(fd, now)
    nonce = nonce_of(say(door, routing_id, fd, who, now))
    opened = say(door, routing_id, fd, Echo(nonce), now).opened
    assert opened is not None
    return opened


def test_who_carries_the_nonce_back_has_a_session_until_its_connection_ends() -> None:
    door = new_door()
    session = enter(door, A, 5, hello(1))
    assert door.sessions == {A: session}
    assert door.wakes_at() is None
    assert door.went(5) is session
    assert door.sessions == {}
    assert door.went(5) is None


def test_the_welcome_tells_our_version_and_process() -> None:
    door = new_door()
    door.came(5, 0.0)
    assert say(door, A, 5, hello(1)).answers == [(A, Welcome((1).to_bytes(16, "big"), MINOR, 77))]


def test_a_session_remembers_where_its_hello_came_from() -> None:
    door, origin = new_door(), Origin("192.0.2.7/48832", trusted=False)
    assert enter(door, B, 6, hello(2)).origin == HERE
    door.came(-6, 0.0)
    nonce = nonce_of(door.arrival(A, -6, None, encode(hello(1, uid=0)), 0.0, origin))
    session = door.arrival(A, -6, None, encode(Echo(nonce)), 0.0, origin).opened
    assert session is not None
    assert (session.origin, session.who.uid) == (origin, 0)


def test_who_has_nobody_at_the_other_end_is_not_heard() -> None:
    door = new_door()
    door.came(-6, 0.0)
    assert door.arrival(A, -6, None, encode(hello(1)), 0.0, Origin("", trusted=False)) == Outcome()
    assert door.counts == {}


def test_the_kernel_knows_better_than_the_client_who_it_is() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(door.arrival(A, 5, (33, 99), encode(hello(1, uid=0)), 0.0))
    opened = say(door, A, 5, Echo(nonce)).opened
    assert opened is not None
    assert (opened.who.uid, opened.who.pid) == (33, 99)


def test_without_the_kernels_word_the_clients_own_counts() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(door.arrival(A, 5, None, encode(hello(1, uid=12)), 0.0))
    opened = say(door, A, 5, Echo(nonce)).opened
    assert opened is not None
    assert opened.who.uid == 12


def test_the_hello_of_a_dead_peer_opens_nothing() -> None:
    door = new_door()
    door.came(5, 0.0)
    door.went(5)
    assert say(door, A, 5, hello(1)) == Outcome()
    assert door.counts == {}


def test_an_echo_after_the_end_of_the_connection_opens_nothing() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(say(door, A, 5, hello(1)))
    door.went(5)
    door.came(5, 0.0)  # somebody else, by the same descriptor
    assert say(door, A, 5, Echo(nonce)) == Outcome()
    assert door.sessions == {}


def test_a_dead_peers_hello_on_a_reused_descriptor_does_not_keep_its_new_owner_out() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce_of(say(door, A, 5, hello(1)))  # A is dead already; the descriptor is B's
    session = door.arrival(B, 5, None, encode(Echo(nonce_of(say(door, B, 5, hello(2))))), 0.0).opened
    assert session is not None
    assert session.who.session == hello(2).session
    assert door.went(5) is session


def test_a_dead_peers_hello_does_not_touch_the_session_that_has_its_descriptor_now() -> None:
    door = new_door()
    session = enter(door, B, 5, hello(2))
    assert say(door, A, 5, hello(1)) == Outcome()
    assert door.sessions == {B: session}


@pytest.mark.parametrize("message", [Echo(bytes(16)), Release(1, False), Gone()])
def test_anything_before_hello_is_dropped_and_counted(message: Message) -> None:
    door = new_door()
    door.came(5, 0.0)
    assert say(door, A, 5, message) == Outcome()
    assert door.counts == {"before Hello": 1}


@pytest.mark.parametrize("message", [Echo(bytes(16)), Release(1, False), hello(1)])
def test_anything_before_the_right_echo_is_a_fault(message: Message) -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(say(door, A, 5, hello(1)))
    assert say(door, A, 5, message) == Outcome([(A, TOO_EARLY)])
    assert say(door, A, 5, Echo(nonce)).opened is not None  # and harms nobody


def test_a_peer_that_chose_its_own_routing_id_is_not_heard() -> None:
    door = new_door()
    door.came(5, 0.0)
    assert say(door, b"me", 5, hello(1)) == Outcome()
    assert door.counts == {"chose its own routing id": 1}


@pytest.mark.parametrize(
    ("frame", "answer"), [(b"", Fault), (b"\x01\xff\x90", Fault), (b"\x09\x01\x90", Mismatch), (None, Fault)]
)
def test_what_cannot_be_decoded_is_told_so(frame: bytes | None, answer: type[Message]) -> None:
    door = new_door()
    door.came(5, 0.0)
    [(to, said)] = door.arrival(A, 5, None, frame, 0.0).answers
    assert to == A
    assert isinstance(said, answer)
    if isinstance(said, Mismatch):
        assert (said.major, said.minor) == (MAJOR, MINOR)
    assert door.counts == {"undecodable": 1}


def test_a_session_id_in_use_is_refused_until_its_owner_has_left() -> None:
    door = new_door()
    enter(door, A, 5, hello(1))
    door.came(6, 0.0)
    assert say(door, B, 6, hello(1)) == Outcome([(B, TAKEN)])
    door.went(5)
    assert isinstance(nonce_of(say(door, B, 6, hello(1))), bytes)


def test_of_two_with_one_session_id_the_first_echo_wins() -> None:
    door = new_door()
    nonces = {}
    for routing_id, fd in ((A, 5), (B, 6)):
        door.came(fd, 0.0)
        nonces[routing_id] = nonce_of(say(door, routing_id, fd, hello(1)))
    assert say(door, B, 6, Echo(nonces[B])).opened is not None
    assert say(door, A, 5, Echo(nonces[A])) == Outcome([(A, TAKEN)])


def test_who_says_nothing_is_late_after_our_patience() -> None:
    door = new_door()
    door.came(5, 1.0)
    assert door.wakes_at() == 1.0 + PATIENCE
    assert door.late(1.0 + PATIENCE - 0.001) is None
    assert door.late(1.0 + PATIENCE) == 5
    assert door.late(99.0) is None
    assert door.wakes_at() is None


def test_who_said_hello_has_the_same_time_again_for_the_echo() -> None:
    door = new_door()
    door.came(5, 0.0)
    door.came(6, 1.0)
    say(door, A, 5, hello(1), 4.0)
    assert door.late(1.0 + PATIENCE) == 6
    assert door.late(1.0 + PATIENCE) is None
    assert door.late(4.0 + PATIENCE) == 5


def test_who_says_hello_again_and_again_and_never_reads_has_no_more_time() -> None:
    door = new_door()
    door.came(5, 0.0)
    for instant in range(4, 9):
        nonce_of(say(door, A, 5, hello(1), float(instant)))
        door.unreachable(A)
    assert door.late(4.0 + PATIENCE) == 5
    assert say(door, A, 5, hello(1), 4.0 + PATIENCE) == Outcome()


def test_who_is_late_is_not_heard_any_more() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(say(door, A, 5, hello(1)))
    door.late(99.0)
    assert say(door, A, 5, Echo(nonce)) == Outcome()
    assert say(door, A, 5, hello(1)) == Outcome()


def test_a_latecomer_whose_descriptor_has_a_new_owner_meanwhile_is_not_late() -> None:
    """While one is shut, changes are read; the next one may be somebody else by then."""
    door = new_door()
    for fd in (5, 6):
        door.came(fd, 0.0)
    assert door.late(PATIENCE) == 5
    door.went(6)
    door.came(6, PATIENCE)
    assert door.late(PATIENCE) is None


def test_a_dismissed_session_is_gone_and_its_id_free_while_its_connection_is_being_shut() -> None:
    door = new_door()
    session = enter(door, A, 5, hello(1))
    assert door.dismiss(session) == 5
    assert say(door, A, 5, Release(1, False)) == Outcome()
    enter(door, B, 6, hello(1))
    assert door.went(5) is None
    assert list(door.sessions) == [B]


def test_dismissing_a_session_that_has_left_touches_nobody_else() -> None:
    door = new_door()
    old = enter(door, A, 5, hello(1))
    door.went(5)
    new = enter(door, B, 5, hello(2))
    door.dismiss(old)
    assert door.sessions == {B: new}


def test_a_hello_whose_answer_cannot_be_delivered_is_forgotten() -> None:
    door = new_door()
    door.came(5, 0.0)
    nonce = nonce_of(say(door, A, 5, hello(1)))
    door.unreachable(A)
    door.unreachable(B)
    assert say(door, A, 5, Echo(nonce)) == Outcome()
    assert door.went(5) is None


@dataclass(eq=False)
class Connection:
    """What really is at the other side, and what it has said that the door has not heard yet."""

    routing_id: bytes
    fd: int
    name: int
    lives: bool = True
    said_hello: bool = False
    nonce: bytes = b""
    shut: bool = False
    unheard: list[Message] = field(default_factory=list)


class DoorMachine(RuleBasedStateMachine):
    """Connections come and die, and their messages arrive when they like; only what the connection knew can be said."""

    @initialize()
    def build(self) -> None:
        self.door = new_door()
        self.now = 0.0
        self.numbers = count(1)
        self.all: list[Connection] = []
        self.by_fd: dict[int, Connection] = {}

    @rule(fd=st.integers(3, 6), name=st.integers(1, 4))
    def comes(self, fd: int, name: int) -> None:
        if fd in self.by_fd:
            return
        one = Connection(b"\0" + next(self.numbers).to_bytes(4, "big"), fd, name)
        self.all.append(one)
        self.by_fd[fd] = one
        self.door.came(fd, self.now)

    @rule(data=st.data())
    @precondition(lambda self: self.by_fd)
    def dies(self, data: st.DataObject) -> None:
        one = self.by_fd.pop(data.draw(st.sampled_from(sorted(self.by_fd))))
        one.lives = False
        session = self.door.went(one.fd)
        assert session is None or session.routing_id == one.routing_id

    @rule(data=st.data())
    @precondition(lambda self: self.by_fd)
    def speaks(self, data: st.DataObject) -> None:
        one = self.by_fd[data.draw(st.sampled_from(sorted(self.by_fd)))]
        sayable: list[Message] = [hello(one.name), Release(1, False), Echo(bytes(16))]
        if one.nonce:
            sayable.append(Echo(one.nonce))
        one.unheard.append(data.draw(st.sampled_from(sayable)))

    @rule(data=st.data())
    @precondition(lambda self: any(one.unheard for one in self.all))
    def is_heard(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from([one for one in self.all if one.unheard]))
        self.hear(one, one.unheard.pop(0))

    def hear(self, one: Connection, message: Message) -> Outcome:
        if one.routing_id in self.door.sessions:
            return Outcome()
        outcome = say(self.door, one.routing_id, one.fd, message, self.now)
        for to, answer in outcome.answers:
            assert to == one.routing_id
            if one.lives and isinstance(answer, Welcome):
                one.nonce = answer.nonce
        if outcome.opened is not None:
            assert one.lives
            assert not one.shut
            assert outcome.opened.who.session == hello(one.name).session
        return outcome

    @rule(fd=st.integers(3, 6), name=st.integers(5, 9))
    def whoever_asks_properly_gets_in(self, fd: int, name: int) -> None:
        if fd in self.by_fd or any(
            session.who.session == hello(name).session for session in self.door.sessions.values()
        ):
            return
        self.comes(fd, name)
        one = self.by_fd[fd]
        self.hear(one, hello(name))
        assert self.hear(one, Echo(one.nonce)).opened is not None

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        while (fd := self.door.late(self.now)) is not None:
            assert self.by_fd[fd].routing_id not in self.door.sessions
            self.by_fd[fd].shut = True

    @invariant()
    def sessions_are_alive_and_have_names_of_their_own(self) -> None:
        alive = {one.routing_id for one in self.by_fd.values()}
        assert set(self.door.sessions) <= alive
        names = [session.who.session for session in self.door.sessions.values()]
        assert len(set(names)) == len(names)
        assert self.door._names == set(names)

    @invariant()
    def nothing_of_the_dead_is_kept(self) -> None:
        assert set(self.door.peers) == set(self.by_fd)
        assert set(self.door._strangers) <= set(self.by_fd)
        assert all(self.door.peers.get(one.peer.fd) is one.peer for one in self.door._candidates.values())


TestDoor = DoorMachine.TestCase
