"""The sessions that a session may claim to run inside."""

from __future__ import annotations

from collections.abc import Mapping

from .door import Session
from .rules.line import Owner


def kin(session: Session, sessions: Mapping[Owner, Session]) -> list[Owner]:
    """Those of the sessions that ``session`` says it runs inside that are connected here, on the same boot of the same
    host, of the same user.

    Over TCP these are its own words; so it must also come from the same network address, and with the same key.
    (Which of them hold, and when, is the line's business.)
    """
    found = []
    mine = _home(session)
    for claimed in map(Owner, session.who.inside):
        other = sessions.get(claimed)
        if other is not None and _home(other) == mine:
            found.append(claimed)
    return found


def _home(session: Session) -> tuple[object, ...]:
    who, origin = session.who, session.origin
    return who.host, who.boot_id, who.uid, origin.trusted, origin.host, origin.key
