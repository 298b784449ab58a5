"""An actor's connections to other actors' mailboxes: it is their client, and must never wait for one of them.

The wire of ``transport/zmtp.py`` waits; this one does not. A feed is kept open as long as it is wanted: whoever does
not listen, greet or read is tried again after a while, from the beginning. What a peer has said is told in its order,
``Welcome`` when a feed is open and None when it has ended.

One epoll descriptor stands for all of them, so that a thousand feeds cost a turn as much as one. A turn takes a bounded
part of what has come; the kernel keeps the rest and puts those who were served behind the others (man 7 epoll).
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..transport.messages import Echo, Hello, Welcome
from ..transport.quick import decode, encode
from ..transport.wire import Message
from ..transport.zmtp import CHUNK, OPENING, Stream, first_word, frame_bytes, message_in
from .alarms import Alarms

PATIENCE = 5.0  # seconds for a peer to let us in, or to read what it is sent
FIRST_NAP, LONGEST_NAP = 0.05, 1.0  # seconds until a feed is opened again; twice as long after each vain attempt
LAST_WORDS = 1.0  # seconds for a feed that is not wanted any more to end by itself
TURN = 16  # feeds that are read in one turn …
TURN_BYTES = 65_536  # … and bytes after which no other one is


@dataclass(frozen=True, slots=True)
class Connect:
    """Keep feed ``number`` open, to the mailbox at ``path``."""

    number: int
    path: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Its peer has ended: take what it still said, and do not open feed ``number`` again."""

    number: int


@dataclass(frozen=True, slots=True)
class ToFeed:
    """Say ``message`` on feed ``number``; nobody hears it if that is not open."""

    number: int
    message: Message


ForFeeds = Connect | Disconnect | ToFeed


class Talk:
    """One connection from our greeting to its end. Pure: bytes go in and come out.

    Args:
        hello: how we introduce ourselves.
    """

    def __init__(self, hello: Hello) -> None:
        self._hello = hello  # said once the peer is ready
        self._stream = Stream()
        self._greeted = False
        self._ready = False
        self.open = False
        self.unsent = OPENING

    def say(self, message: Message) -> None:
        """Put a message behind what is to be sent."""
        self.unsent += frame_bytes(encode(message))

    def hear(self, data: bytes) -> list[Message]:
        """What the peer has said with these bytes and those before; its ``Welcome`` first.

        Raises:
            RemoteProtocolError: it is no actor, or one of another version.
        """
        self._stream.feed(data)
        said: list[Message] = []
        if not self._greeted:
            self._greeted = self._stream.greeting()
        while self._greeted and (frame := self._stream.frame()) is not None:
            if not self._ready:
                first_word(frame)
                self._ready = True
                self.say(self._hello)
                continue
            body, answer = message_in(frame)
            self.unsent += answer
            if body is not None:
                said.append(self._heard(decode(body)))
        return said

    def _heard(self, message: Message) -> Message:
        if isinstance(message, Welcome):
            self.say(Echo(message.nonce))
            self.open = True
        return message


@dataclass(eq=False, slots=True)
class _Feed:
    """A feed that is wanted, or that still may have something to say."""

    number: int
    path: str
    nap: float = FIRST_NAP
    wanted: bool = True
    blocked: bool = False  # the peer does not read
    socket: socket.socket | None = None
    talk: Talk | None = None


class Feeds:
    """All feeds of an actor, each with a number.

    Args:
        hello: makes an introduction, each time with a new session id.
    """

    def __init__(self, hello: Callable[[], Hello]) -> None:
        self._hello = hello
        self._feeds: dict[int, _Feed] = {}
        self._owners: dict[int, _Feed] = {}  # descriptor -> feed
        self._epoll = select.epoll()
        self._alarms: Alarms[int] = Alarms()  # when to open a feed, or when our patience with its peer ends

    def fileno(self) -> int:
        return self._epoll.fileno()

    def wakes_at(self) -> float | None:
        """When ``news`` has something to do even if nothing comes."""
        return self._alarms.wakes_at()

    def carry_out(self, effect: ForFeeds, now: float) -> None:
        """Do what the actor says about a feed."""
        match effect:
            case Connect(number, path):
                self._connect(number, path, now)
            case Disconnect(number):
                self._disconnect(number, now)
            case ToFeed(number, message):
                self._send(number, message, now)

    def _connect(self, number: int, path: str, now: float) -> None:
        assert number not in self._feeds, "one feed, one number"
        self._feeds[number] = _Feed(number, path)
        self._alarms.set(number, now)

    def _disconnect(self, number: int, now: float) -> None:
        feed = self._feeds.get(number)
        if feed is not None:
            feed.wanted = False
            self._alarms.set(number, now + LAST_WORDS if feed.socket is not None else now)

    def _send(self, number: int, message: Message, now: float) -> None:
        feed = self._feeds.get(number)
        if feed is not None and feed.talk is not None and feed.talk.open:
            feed.talk.say(message)
            self._flush(feed, now)

    def news(self, now: float) -> list[tuple[int, Message | None]]:
        """What was said since the last call, as far as it fits into a turn; None: that feed has ended."""
        found: list[tuple[int, Message | None]] = []
        taken = 0
        for descriptor, _ in self._epoll.poll(0, TURN):
            taken += self._listen(self._owners[descriptor], found, now)
            if taken >= TURN_BYTES:
                break
        while (number := self._alarms.due(now)) is not None:
            feed = self._feeds[number]
            if feed.socket is None and feed.wanted:
                self._open(feed, now)
            else:
                self._ended(feed, found, now)
        return found

    def _open(self, feed: _Feed, now: float) -> None:
        ours = None
        try:
            ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            ours.connect(feed.path)
        except OSError:  # nobody there (yet), or EAGAIN: its queue is full
            if ours is not None:
                ours.close()
            self._nap(feed, now)
            return
        feed.socket, feed.talk = ours, Talk(self._hello())
        self._owners[ours.fileno()] = feed
        self._epoll.register(ours.fileno(), select.EPOLLIN)
        self._alarms.set(feed.number, now + PATIENCE)
        self._flush(feed, now)

    def _nap(self, feed: _Feed, now: float) -> None:
        self._alarms.set(feed.number, now + feed.nap)
        feed.nap = min(2 * feed.nap, LONGEST_NAP)

    def _listen(self, feed: _Feed, found: list[tuple[int, Message | None]], now: float) -> int:
        """Read one feed once; return how many bytes there were."""
        assert feed.socket is not None
        assert feed.talk is not None
        try:
            data = feed.socket.recv(CHUNK)
        except BlockingIOError:  # it can be written to, that is all
            self._flush(feed, now)
            return 0
        except OSError:
            data = b""
        if not data:
            self._ended(feed, found, now)
            return 0
        strange = not feed.talk.open
        found += ((feed.number, message) for message in feed.talk.hear(data))
        if strange and feed.talk.open:
            feed.nap = FIRST_NAP
            if feed.wanted:
                self._alarms.cancel(feed.number)
        self._flush(feed, now)
        return len(data)

    def _flush(self, feed: _Feed, now: float) -> None:
        """Send what the kernel takes. That the peer is gone is met when we read."""
        assert feed.socket is not None
        assert feed.talk is not None
        unsent = feed.talk.unsent
        if not unsent:
            return
        with suppress(OSError):
            unsent = unsent[feed.socket.send(unsent, socket.MSG_NOSIGNAL) :]
        feed.talk.unsent = unsent
        if bool(unsent) == feed.blocked:
            return
        feed.blocked = bool(unsent)
        self._epoll.modify(feed.socket.fileno(), select.EPOLLIN | (select.EPOLLOUT if unsent else 0))
        if feed.talk.open and feed.wanted:
            if unsent:
                self._alarms.set(feed.number, now + PATIENCE)
            else:
                self._alarms.cancel(feed.number)

    def _ended(self, feed: _Feed, found: list[tuple[int, Message | None]], now: float) -> None:
        """A connection is over, or a feed that is not wanted any more."""
        was_open = feed.talk is not None and feed.talk.open
        self._close(feed)
        if feed.wanted:
            self._nap(feed, now)
        else:
            del self._feeds[feed.number]
            self._alarms.cancel(feed.number)
        if was_open or not feed.wanted:
            found.append((feed.number, None))

    def _close(self, feed: _Feed) -> None:
        if feed.socket is not None:
            del self._owners[feed.socket.fileno()]
            feed.socket.close()  # which takes it out of the epoll too
        feed.socket = feed.talk = None
        feed.blocked = False

    def close(self) -> None:
        """End all feeds."""
        for feed in self._feeds.values():
            self._close(feed)
        self._feeds.clear()
        self._epoll.close()
