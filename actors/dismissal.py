"""What those in a line are told when it ends under them.

The rule: nobody is left without an answer: who holds has lost it, who waits is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..transport.messages import Cause, Lost, Refusal, Refused

if TYPE_CHECKING:
    from .door import Session
    from .process import Effect
    from .rules.line import Line, Owner


def dismissed(
    line: Line | None, sessions: Mapping[Owner, Session], cause: Cause, why: Refusal, sentence: str
) -> list[Effect]:
    """The last words to all of the ``sessions`` that are in the ``line``, if there is one."""
    effects: list[Effect] = []
    if line is None:
        return effects
    for owner, session in sessions.items():
        if line.holder(owner) is not None:
            effects.append((session, Lost(cause, sentence)))
        elif line.waiting(owner):
            effects.append((session, Refused(why, sentence)))
    return effects
