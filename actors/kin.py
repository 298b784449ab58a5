"""The sessions that a session may claim to run inside."""

from __future__ import annotations

from collections.abc import Mapping

from ..transport.messages import Hello
from .door import Session
from .rules.line import Owner


def kin(who: Hello, sessions: Mapping[Owner, Session]) -> list[Owner]:
    """Those of ``who.inside`` that are connected here, on the same boot of the same host, of the same user.

    (Which of them hold, and when, is the line's business.)
    """
    found = []
    for claimed in map(Owner, who.inside):
        other = sessions.get(claimed)
        if other is not None:
            theirs = other.who
            if (theirs.host, theirs.boot_id, theirs.uid) == (who.host, who.boot_id, who.uid):
                found.append(claimed)
    return found
