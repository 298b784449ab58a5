"""One search for the daemons of a multicast group: what is asked, what counts as an answer, how long it is waited for.

The rule: only an answer with the nonce of one of our questions counts, and of those only what can be true
(``hearsay.py``). It knows no clock and sends nothing; ``multicast.py`` does that.

Source: ``docs/protocol.md``, Discovery.
"""

from __future__ import annotations

from .errors import RemoteProtocolError
from .found import SETTLED, YOUNG, Found, eldest_first
from .frozen import altered
from .hearsay import credible
from .messages import Here, Mismatch, Seek, inf
from .wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1000  # daemons that one search remembers: whoever forges answers shall not fill our memory
LEAST = 0.01  # seconds that a second answer is waited for
LAST = 2.0  # seconds that a last question waits for its answers at most; a new daemon waits longer for a client
PADDING = "." * 192  # so that there is room for an answer with a long address and a key, which may be twice as large


class Search:
    """The questions of one search, and who answered.

    Args:
        timeout: seconds that one question waits for its first answer; negative: for ever.
        thorough: it waits as long for all others, too.
        nonce: makes 16 bytes that nobody can guess.
    """

    def __init__(self, timeout: float, *, thorough: bool, nonce: Callable[[], bytes]) -> None:
        self.until = inf  # when the question that was asked last has waited long enough
        self.other_version: Mismatch | None = None
        self._timeout = timeout if timeout >= 0 else inf
        self._thorough = thorough
        self._nonce = nonce
        self._asked: dict[bytes, float] = {}  # nonce -> when
        self._asked_at = -inf  # the last question
        self._found: dict[bytes, Found] = {}  # by daemon

    def ask(self, now: float) -> bytes:
        """The next question, as a datagram."""
        nonce = self._nonce()
        self._asked[nonce] = self._asked_at = now
        self.until = now + (min(self._timeout, LAST) if self._found else self._timeout)
        return encode(Seek(nonce, PADDING))

    def ask_again_at(self) -> float | None:
        """When to ask once more, because one that started beside the eldest may not have heard us; None: no need."""
        if not self._found:
            return None
        heard_by_all_at = self._first_start() + YOUNG
        return heard_by_all_at if self._asked_at < heard_by_all_at else None

    def _first_start(self) -> float:
        return min(one.started_at for one in self._found.values())

    def hear(self, datagram: bytes, source: str, now: float) -> Found | None:
        """Take in ``datagram`` from the host ``source``.

        Returns:
            A daemon that was not heard before, if it is the answer of one.
        """
        try:
            message = decode(datagram)
        except RemoteProtocolError:
            return None
        if isinstance(message, Mismatch):
            self.other_version = message
        if not isinstance(message, Here) or message.nonce not in self._asked or not credible(message, source):
            return None
        started_at = now - max(0.0, message.age)
        known = self._found.get(message.daemon)
        if known is not None:
            self._found[known.daemon] = altered(known, started_at=min(known.started_at, started_at))
        if known is not None or len(self._found) >= MOST:
            return None
        took = now - self._asked[message.nonce]
        address = _with_scope_of(source, message.address) if message.address else source
        found = Found(message.daemon, message.age, address, message.port, message.key, took, started_at)
        if not self._found and not self._thorough:
            wait = max(took, LEAST) if message.age >= SETTLED else LAST
            self.until = now + min(wait, self._timeout)
        self._found[found.daemon] = found
        return found

    def found(self) -> list[Found]:
        """Who answered, the eldest first."""
        return eldest_first(self._found.values())


def _with_scope_of(source: str, address: str) -> str:
    """A link-local address is told without its interface, which has another name at our end: the one it came by."""
    _, percent, scope = source.partition("%")
    return f"{address}%{scope}" if percent and address.lower().startswith("fe") and ":" in address else address
