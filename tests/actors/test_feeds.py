"""Connections to other actors: the talk byte by byte, and real mailboxes that listen, greet and read, or do not."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from mailbox import Actor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.door import Session
from holdfast.actors.feeds import FIRST_NAP, LONGEST_NAP, PATIENCE, TURN_BYTES, Connect, Disconnect, Feeds, Talk, ToFeed
from holdfast.actors.process import Effect, Finish
from holdfast.transport import zmtp
from holdfast.transport.errors import RemoteProtocolError
from holdfast.transport.messages import Echo, Fault, Gone, Queued, Watch, Welcome
from holdfast.transport.wire import Message, decode, encode
from raw import hello
from support import LIMIT, wait_until

WELCOME = Welcome(bytes(16), 1, 1)
THEIRS = zmtp.OPENING + zmtp.frame_bytes(encode(WELCOME))  # what a peer says until we are in


def said(data: bytes) -> list[Message]:
    """The messages in what a peer was sent."""
    stream = zmtp.Stream()
    stream.feed(data)
    assert stream.greeting()
    frames = list(iter(stream.frame, None))
    return [decode(body) for flags, body in frames if not flags & 4]


# --- the talk ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), max_size=10))
def test_a_talk_opens_and_hears_whatever_the_portions(sizes: list[int]) -> None:
    data = THEIRS + zmtp.frame_bytes(encode(Fault("x" * 500)))
    who = hello()
    talk = Talk(who)
    heard = []
    for size in sizes:
        heard += talk.hear(data[:size])
        data = data[size:]
    heard += talk.hear(data)
    assert heard == [WELCOME, Fault("x" * 500)]
    assert talk.open
    assert said(talk.unsent) == [who, Echo(WELCOME.nonce)]


def test_nothing_but_the_opening_is_said_before_the_peer_is_ready() -> None:
    talk = Talk(hello())
    talk.hear(THEIRS[:64])
    assert talk.unsent == zmtp.OPENING
    talk.hear(THEIRS[64:-1])
    assert not talk.open


def test_a_ping_is_answered() -> None:
    talk = Talk(hello())
    talk.hear(THEIRS)
    talk.unsent = b""
    assert talk.hear(zmtp.frame_bytes(b"\4PING\0\0abc", 4)) == []
    assert talk.unsent == zmtp.frame_bytes(b"\4PONGabc", 4)


@pytest.mark.parametrize("data", [b"HTTP/1.1 400", zmtp._GREETING + zmtp.frame_bytes(b"\5WRONG", 4), THEIRS + b"\0\1x"])
def test_what_is_no_actor_is_an_error(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Talk(hello()).hear(data)


# --- feeds ------------------------------------------------------------------------------------------------------------


class Peers:
    """Listening sockets, and feeds to them; the clock is the test's own."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.feeds = Feeds(hello)
        self.now = 0.0
        self.listeners: list[socket.socket] = []

    def listen(self, name: str, backlog: int = 10) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(LIMIT)
        listener.bind(self.path(name))
        listener.listen(backlog)
        self.listeners.append(listener)
        return listener

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def news(self) -> list[tuple[int, Message | None]]:
        return self.feeds.news(self.now)

    def wait_news(self, count: int = 1) -> list[tuple[int, Message | None]]:
        found: list[tuple[int, Message | None]] = []
        wait_until(lambda: found.extend(self.news()) or len(found) >= count, f"{count} news")
        return found

    def connect(self, number: int, name: str) -> None:
        self.feeds.carry_out(Connect(number, self.path(name)), self.now)
        self.news()

    def let_in(self, listener: socket.socket) -> socket.socket:
        """Accept a feed and welcome it."""
        connection = listener.accept()[0]
        connection.settimeout(LIMIT)
        connection.sendall(THEIRS)
        assert [message for _, message in self.wait_news()] == [WELCOME]
        return connection


@pytest.fixture
def peers() -> Iterator[Peers]:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        peers = Peers(directory)
        yield peers
        peers.feeds.close()
        for listener in peers.listeners:
            listener.close()


def test_a_feed_opens_and_carries_messages_both_ways(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(7, "a")
    with peers.let_in(listener) as connection:
        peers.feeds.carry_out(ToFeed(7, Watch(3, 10.0)), peers.now)
        data = wait_until(lambda: _all_of(connection, b"", encode(Watch(3, 10.0))), "our words")
        assert said(data)[1:] == [Echo(WELCOME.nonce), Watch(3, 10.0)]
        connection.sendall(zmtp.frame_bytes(encode(Gone())))
        assert peers.wait_news() == [(7, Gone())]
        assert peers.feeds.wakes_at() is None


def _all_of(connection: socket.socket, data: bytes, end: bytes) -> bytes:
    while not data.endswith(end):
        data += connection.recv(4096)
    return data


def test_what_was_said_before_the_end_comes_before_the_end(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    with peers.let_in(listener) as connection:
        connection.sendall(zmtp.frame_bytes(encode(Gone())))
    assert peers.wait_news(2) == [(1, Gone()), (1, None)]


def test_who_is_not_there_is_tried_again_ever_more_seldom(peers: Peers) -> None:
    peers.connect(1, "a")
    naps = []
    for _ in range(8):
        at = peers.feeds.wakes_at()
        assert at is not None
        naps.append(at - peers.now)
        peers.now = at
        assert peers.news() == []
    assert naps[0] == FIRST_NAP
    assert naps == sorted(naps)
    assert naps[-1] == LONGEST_NAP
    listener = peers.listen("a")
    peers.now += LONGEST_NAP
    peers.news()
    peers.let_in(listener).close()


def test_who_ends_the_connection_is_tried_again(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    peers.let_in(listener).close()
    assert peers.wait_news() == [(1, None)]
    peers.now += FIRST_NAP
    peers.news()
    peers.let_in(listener).close()


def test_a_full_queue_is_tried_again(peers: Peers) -> None:
    listener = peers.listen("a", backlog=0)
    waiting = []
    while not waiting or waiting[-1] == 0:
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        waiting.append(one.connect_ex(peers.path("a")))
        peers.listeners.append(one)
    peers.connect(1, "a")
    while len(waiting) > 1:
        waiting.pop()
        listener.accept()[0].close()
    peers.now += FIRST_NAP
    peers.news()
    peers.let_in(listener).close()


def test_who_does_not_greet_in_time_is_tried_again(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    with listener.accept()[0] as connection:
        connection.settimeout(LIMIT)
        peers.now += PATIENCE
        assert peers.news() == []  # nobody was ever told that it was open
        assert _all_of_it(connection) == zmtp.OPENING
    peers.now += FIRST_NAP
    peers.news()
    peers.let_in(listener).close()


def _all_of_it(connection: socket.socket) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def test_who_does_not_read_is_ended_and_tried_again(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    with peers.let_in(listener):
        while peers.feeds.wakes_at() is None:
            peers.feeds.carry_out(ToFeed(1, Fault("x" * 4000)), peers.now)
        assert peers.news() == []
        peers.now += PATIENCE
        assert peers.news() == [(1, None)]
    peers.now += FIRST_NAP
    peers.news()
    peers.let_in(listener).close()


def test_who_reads_at_last_is_sent_the_rest(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    with peers.let_in(listener) as connection:
        sent = 0
        while peers.feeds.wakes_at() is None:
            peers.feeds.carry_out(ToFeed(1, Fault("x" * 4000)), peers.now)
            sent += 1
        data = b""
        while len(data) < sent * 4000 or peers.feeds.wakes_at() is not None:
            assert peers.news() == []
            data += connection.recv(65536)
        peers.feeds.carry_out(ToFeed(1, Gone()), peers.now)
        data = _all_of(connection, data, encode(Gone()))
        assert said(data)[2:] == [Fault("x" * 4000)] * sent + [Gone()]


def test_a_feed_whose_peer_ended_is_read_to_its_end_and_not_opened_again(peers: Peers) -> None:
    listener = peers.listen("a")
    peers.connect(1, "a")
    with peers.let_in(listener) as connection:
        connection.sendall(zmtp.frame_bytes(encode(Gone())))
    peers.feeds.carry_out(Disconnect(1), peers.now)
    assert peers.wait_news(2) == [(1, Gone()), (1, None)]
    assert peers.feeds.wakes_at() is None
    peers.feeds.carry_out(ToFeed(1, Gone()), peers.now)  # nobody hears it


@pytest.mark.parametrize("there", [True, False])
def test_a_feed_that_is_not_wanted_ends_even_if_its_peer_does_not(there: bool, peers: Peers) -> None:
    if there:
        listener = peers.listen("a")
        peers.connect(1, "a")
        connection = peers.let_in(listener)
        peers.feeds.carry_out(Disconnect(1), peers.now)
        assert peers.news() == []
        peers.now = peers.feeds.wakes_at() or 0.0
        assert peers.news() == [(1, None)]
        assert _all_of_it(connection)
        connection.close()
    else:
        peers.connect(1, "a")
        peers.feeds.carry_out(Disconnect(1), peers.now)
        assert peers.news() == [(1, None)]
    assert peers.feeds.wakes_at() is None


def test_a_turn_takes_a_part_of_what_has_come_and_nobody_is_forgotten(peers: Peers) -> None:
    listener = peers.listen("a", backlog=60)
    connections = []
    for number in range(1, 51):
        peers.connect(number, "a")
        connections.append(peers.let_in(listener))
    for connection in connections:
        connection.sendall(zmtp.frame_bytes(encode(Fault("x" * 4000))) * 10)
    first = peers.news()
    assert 0 < 4000 * len(first) < 2 * TURN_BYTES
    rest = peers.wait_news(10 * len(connections) - len(first))
    assert sorted(number for number, _ in first + rest) == sorted(list(range(1, 51)) * 10)
    for connection in connections:
        connection.close()


# --- in a process -----------------------------------------------------------------------------------------------------


class Echoing(Actor):
    """Answers each ``Watch``."""

    def answer(self, session: Session, message: Message, now: float) -> list[Effect]:
        return [(session, Queued(message.since))] if isinstance(message, Watch) else []


class Asking(Actor):
    """An actor with feeds: connects them when asked for, says one thing on each, and ends with the first of them."""

    def __init__(self, path: str, feeds: Feeds, effects: list[Effect]) -> None:
        self.heard_of: list[tuple[int, Message | None]] = []
        self.effects = effects
        super().__init__(path, feeds)

    def wakes_at(self) -> float | None:
        return 0.0 if self.effects else None

    def tick(self, now: float) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects

    def heard(self, number: int, message: Message | None, now: float) -> list[Effect]:
        self.heard_of.append((number, message))
        if isinstance(message, Welcome):
            return [ToFeed(number, Watch(40 + number, 1.0))]
        return [] if message is not None else [Finish("the feed has ended")]


def test_an_actor_s_feeds_are_served_by_its_loop() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        other = Echoing(f"{directory}/other")
        feeds = Feeds(lambda: hello(os.urandom(16)))
        actor = Asking(f"{directory}/actor", feeds, [Connect(2, other.path)])
        wait_until(lambda: len(actor.heard_of) == 2, "an answer")
        assert actor.heard_of[1] == (2, Queued(42))
        other.end()
        actor.join()
        assert other.codes == actor.codes == [0]
        assert actor.heard_of[2:] == [(2, None)]
        feeds.close()
