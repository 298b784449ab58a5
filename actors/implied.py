"""Which answers need not be sent, because a later one to the same session implies them.

The rule: only a ``Released`` is left out, and only where an answer to the same session follows it in the same turn
(docs/protocol.md, "Client to locker"). A client that releases and asks again in one breath is woken once instead of
twice, and waking is what costs most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transport.messages import Released
from .door import Session

if TYPE_CHECKING:
    from .process import Effect


def without_the_implied(effects: list[Effect]) -> list[Effect]:
    """``effects`` without each ``Released`` that is followed by an answer to the same session."""
    answered: set[Session] = set()
    kept: list[Effect] = []
    for effect in reversed(effects):
        if isinstance(effect, tuple) and isinstance(effect[0], Session):
            if effect[0] in answered and isinstance(effect[1], Released):
                continue
            answered.add(effect[0])
        kept.append(effect)
    kept.reverse()
    return kept
