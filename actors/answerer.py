"""Who is answered that looks for a daemon of our group.

The rule: only a whole question of at least half the size of its answer is answered, and each source only so often: with
a forged sender's address nobody gains much by letting us answer in his place. Everything else is counted by its kind
and told once a minute, not once a datagram. Who is passed over hears nothing and asks again.

A *source* is an address with its port, which is one command; a host may have hundreds of them at the same moment, and
one that hears nothing would start a second daemon. So a host as a whole has a limit of its own that only a flood
meets. Pure: no socket and no clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ..transport.errors import RemoteProtocolError
from ..transport.messages import MAJOR, MINOR, Here, Mismatch, Seek
from ..transport.quick import decode, encode
from ..transport.wire import NUMBERS, Message, OtherVersion
from .noise import Noise

LARGER = 2  # so many times as large as its question may an answer be
OFTEN = 10.0  # answers a second to one source …
FIRST = 20  # … after so many at once
OFTEN_HOST = 1000.0  # answers a second to one host …
FIRST_HOST = 2000  # … after so many at once
SOURCES = 4096  # that are remembered; the one that has asked least lately is forgotten first


@dataclass(frozen=True, slots=True)
class Being:
    """What a daemon tells of itself.

    Args:
        daemon: 16 random bytes.
        started_at: monotonic seconds.
        port: where it listens on TCP.
        address: where, if who asks cannot see that for himself.
        key: its public CURVE key; "" if it has none.
    """

    daemon: bytes
    started_at: float
    port: int
    address: str = ""
    key: str = ""


class Answerer:
    """The discovery of one daemon."""

    def __init__(self, being: Being) -> None:
        self.answered = 0
        self.passed_over: dict[str, int] = {}  # kind -> how many since we started
        self._being = being
        self._sources = Rate(OFTEN, FIRST)
        self._hosts = Rate(OFTEN_HOST, FIRST_HOST)
        self._noise = Noise(self.passed_over)

    def answer(self, frame: bytes, source: tuple[str, int], now: float) -> bytes | None:
        """The answer to the datagram ``frame``; None if there is none.

        Args:
            source: address and port.
            now: monotonic seconds; never smaller than in an earlier call.
        """
        host, _ = source
        message = self._message(frame, now)
        if isinstance(message, str):
            self._pass_over(message)
            return None
        answer = encode(message)
        if len(answer) > LARGER * len(frame):
            self._pass_over("too small for its answer")
            return None
        if not (self._sources.take(source, now) and self._hosts.take(host, now)):
            self._pass_over("too often")
            return None
        self.answered += 1
        return answer

    def _message(self, frame: bytes, now: float) -> Message | str:
        """The answer, or of what kind that is which gets none."""
        try:
            question = decode(frame)
        except OtherVersion:
            asks = NUMBERS.get(frame[1]) is Seek  # as far as we can know; most of what comes here is nobody's version
            return Mismatch(MAJOR, MINOR, "") if asks else "not a message"
        except RemoteProtocolError:
            return "not a message"
        if not isinstance(question, Seek):
            return "not a question"
        being = self._being
        age = max(0.0, now - being.started_at)
        return Here(question.nonce, being.daemon, age, being.port, being.address, being.key)

    def not_sent(self, why: str) -> None:
        """The last answer could not be sent."""
        self.answered -= 1
        self._pass_over(f"its answer cannot be sent: {why}")

    def _pass_over(self, kind: str) -> None:
        self.passed_over[kind] = self.passed_over.get(kind, 0) + 1

    def to_tell(self, now: float) -> list[tuple[str, int]]:
        """The kinds of what was passed over that the log should hear of now, each with its number since the last time.

        The first of a kind is told at once, the next ones when a minute has passed.
        """
        return self._noise.to_tell(now)

    def wakes_at(self) -> float | None:
        """When there is more to tell; None if everything is told."""
        return self._noise.wakes_at()


class Rate:
    """So many at once and then so many a second, for each of many.

    Args:
        often: a second.
        first: at once, after a silence.
    """

    def __init__(self, often: float, first: int) -> None:
        self._each = 1 / often
        self._span = first / often
        self._rested: OrderedDict[object, float] = OrderedDict()  # who -> when nothing counts against him any more

    def take(self, who: object, now: float) -> bool:
        """May ``who`` have one more now?"""
        rested = max(self._rested.pop(who, now), now) + self._each
        allowed = rested <= now + self._span + self._each / 2  # half of one: sums of floats are not exact
        self._rested[who] = rested if allowed else rested - self._each
        self._forget(now)
        return allowed

    def _forget(self, now: float) -> None:
        """Forget who has rested, and whoever is too many."""
        while self._rested:
            least_lately = next(iter(self._rested))
            if len(self._rested) <= SOURCES and self._rested[least_lately] > now:
                return
            del self._rested[least_lately]
