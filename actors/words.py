"""What an actor says in words for a person: who holds something, who waits, and for how long."""

from __future__ import annotations

from ..transport.messages import Hello
from .told import cut

STOPPED = "the daemon was stopped"
LONGEST_SENTENCE = 3000  # bytes; a message may carry 4,096 in one field
UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def wait_in_words(wait: float) -> str:
    """A wait as a person said it (``1.5 s``): on its way here a few milliseconds of it were spent.

    Args:
        wait: seconds.
    """
    return f"{round(wait, 2) or wait:g} s"


def age_in_words(age: float) -> str:
    """How long something lasts already, in its two greatest units: ``12 s``, ``1 min 5 s``, ``1 h 5 min``, ``3 d``.

    Args:
        age: seconds.
    """
    if age < 10:
        return f"{age:.1f} s".replace(".0 ", " ")
    whole = int(age)
    for unit, name, smaller, smaller_name in UNITS:
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{whole} s"


def person_in_words(who: Hello | None) -> str:
    """A session on one line: ``alice on node1, pid 4711 (make -j4), job 17``."""
    if who is None:
        return "a session that is on its way here"
    command = f" ({cut(who.command)})" if who.command else ""
    reason = f", {cut(who.reason)!r}" if who.reason else ""
    job = f", job {cut(who.job)}" if who.job else ""
    told = f"{cut(who.user) or who.uid} on {cut(who.host)}, pid {who.pid}{command}{job}{reason}"
    return " ".join("".join(letter if letter.isprintable() else " " for letter in told).split())


def sentence(text: str) -> str:
    """``text``, not longer than a message can carry, whatever the names and reasons in it."""
    return cut(text, LONGEST_SENTENCE)
