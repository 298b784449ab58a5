"""Which answers need not be sent, because a later one to the same session implies them, and which come last.

The rule: left out are a ``Released`` where an answer to the same session follows in the same turn, and a ``Queued``
where the grant or refusal follows within ``SOON`` (docs/protocol.md, "Client to locker"). Everything else is sent, and
to each session in its order. To wake a client costs more than all the rest of what is done for it; so who releases and
asks again in one breath is woken once instead of twice, and so is everybody in a line that moves on quickly.

A ``Released`` is the last thing that a turn says. Whoever is next waits for the grant, and the way there is what a lock
costs where many want it; who has released mostly waits for nothing, and asks again in the same breath.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport.messages import Granted, Queued, Refused, Released
from .door import Session

if TYPE_CHECKING:
    from ..transport.wire import Message
    from .process import Effect

SOON = 0.04  # seconds in line that nobody need be told of; a crowd of some hundred is served in them


def in_order(effects: list[Effect]) -> tuple[list[Effect], list[Effect]]:
    """``effects`` without each ``Released`` that is followed by an answer to the same session: the others, and the
    ``Released`` that are left."""
    answered: set[Session] = set()
    first: list[Effect] = []
    last: list[Effect] = []
    for effect in reversed(effects):
        kept = first
        if isinstance(effect, tuple) and isinstance(effect[0], Session):
            if isinstance(effect[1], Released):
                if effect[0] in answered:
                    continue
                kept = last
            answered.add(effect[0])
        kept.append(effect)
    first.reverse()
    last.reverse()
    return first, last


class Unsaid:
    """The answers that are held back for a moment. Pure: time comes in as an argument."""

    def __init__(self) -> None:
        self._queued: dict[Session, tuple[Queued, float]] = {}  # and until when; the soonest stands first

    def before(self, session: Session, message: Message) -> Queued | None:
        """What ``session`` must hear before ``message``, which it is told now."""
        if session not in self._queued:
            return None
        queued, _ = self._queued.pop(session)
        return None if isinstance(message, Granted | Refused) else queued

    def hold(self, session: Session, queued: Queued, now: float) -> None:
        """Do not tell ``session`` yet."""
        self._queued[session] = queued, now + SOON

    def wakes_at(self) -> float | None:
        """When ``due`` may have something to say."""
        return next(iter(self._queued.values()))[1] if self._queued else None

    def due(self, now: float) -> tuple[Session, Queued] | None:
        """Take out the next one that must be told by now."""
        at = self.wakes_at()
        if at is None or at > now:
            return None
        session = next(iter(self._queued))
        return session, self._queued.pop(session)[0]
