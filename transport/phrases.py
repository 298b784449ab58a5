"""How a person is told of an age, a number, a session: the same words wherever the picture is shown.

The rule: what a client said of itself (its command, its reason, its user) never reaches a terminal as it is. Whatever
is not to be seen (control characters, changes of direction, halves of characters) is written as Python would:
``\\x1b``.

Pure: time comes in as an argument.
"""

from __future__ import annotations

from .messages import Mode
from .names import Kind
from .records import Claim

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


def visible(text: str) -> str:
    """``text`` on one line, with everything that is not to be seen written out."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def span(seconds: float) -> str:
    """A duration in its two greatest units: ``0.4s``, ``12s``, ``1m34s``, ``2h05m``, ``3d04h``.

    Args:
        seconds: below 0 counts as 0.
    """
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d{whole % DAY // HOUR:02}h"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """``1 process``, ``2 processes``; the plural is the noun and an s if not said."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def share(kind: Kind, mode: Mode, quantity: int, element: str = "") -> str:
    """What of a resource is held or wanted: a mode, units, or an element; "" if there is nothing to say."""
    if kind is Kind.NUMERIC:
        return counted(quantity, "unit")
    if kind in (Kind.SIMPLE, Kind.HIERARCHICAL):
        return mode.name
    return visible(element)


def person(claim: Claim) -> str:
    """A session in few words: ``alice on node1, pid 4711``."""
    if not claim.pid:
        return "a session that is on its way"
    return f"{visible(claim.user) or claim.uid} on {visible(claim.host)}, pid {claim.pid}"


def person_at_work(claim: Claim) -> str:
    """A session with what it does: ``alice on node1, pid 4711 (make -j4), job 17, 'nightly'``."""
    command = f" ({visible(claim.command)})" if claim.command else ""
    job = f", job {visible(claim.job)}" if claim.job else ""
    reason = f", '{visible(claim.reason)}'" if claim.reason else ""
    return f"{person(claim)}{command}{job}{reason}"
