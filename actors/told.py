"""What an actor tells about a session: never its id, which is a secret, and no text of any length.

The rule: whoever tells about a session (the incubator while it is parked, a locker while it is in line) tells the same
by the same words, so that a viewer cannot see the seam.
"""

from __future__ import annotations

from ..transport.frozen import altered
from ..transport.listeners import Origin
from ..transport.messages import FOREVER, Acquire, Hello, Locate, Standing
from ..transport.records import Claim
from ..transport.records import public_name as public_name  # for whoever tells
from .door import HERE

LONGEST = 256  # bytes of a client's text in a record
ON_ITS_WAY = Hello(0, bytes(16), "", "", 0, 0, 0, "", "", "", "", ())  # of whom nothing is known yet


def cut(text: str, longest: int = LONGEST) -> str:
    """``text``, or as much of its beginning as fits into ``longest`` bytes."""
    if len(text) * 4 <= longest:
        return text
    data = text[:longest].encode("utf-8", "surrogatepass")
    if len(data) <= longest:
        return text[:longest]
    end = longest
    while data[end] & 0xC0 == 0x80:  # amid a character
        end -= 1
    return data[:end].decode("utf-8", "surrogatepass")


def curtailed(who: Hello) -> Hello:
    """``who``, with none of its texts longer than ``LONGEST``."""
    if max(map(len, (who.host, who.user, who.command, who.job, who.reason))) * 4 <= LONGEST:
        return who
    return altered(
        who, host=cut(who.host), user=cut(who.user), command=cut(who.command), job=cut(who.job), reason=cut(who.reason)
    )


def claim_of(
    who: Hello | None,
    ask: Acquire | Locate,
    *,
    actor: int,
    place: int,
    number: int,
    session: str,
    standing: Standing,
    age: float,
    waited: float = 0.0,
    left: float = FOREVER,
    token: int = 0,
    element: str = "",
    arrival: int = 0,
    blockers: tuple[str, ...] = (),
    origin: Origin = HERE,
) -> Claim:
    """The record of a session that holds, waits or is parked.

    Args:
        who: None if it is not here yet: its place is kept.
        session: its public name.
        origin: where it came from, if it is here.
    """
    known = who is not None
    who = curtailed(who or ON_ITS_WAY)
    return Claim(
        actor=actor,
        place=place,
        number=number,
        session=session,
        standing=standing,
        resource=ask.resource,
        mode=ask.mode,
        quantity=ask.quantity,
        age=age,
        waited=waited,
        left=left,
        token=token,
        element=element,
        arrival=arrival,
        blockers=blockers,
        inside=tuple(map(public_name, who.inside)),
        peer=origin.peer if known else "",
        host=who.host,
        pid=who.pid,
        uid=who.uid,
        user=who.user,
        command=who.command,
        job=who.job,
        reason=who.reason,
        key=origin.key if known else "",
    )
