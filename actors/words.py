"""What an actor says in words for a person: who holds something, how long somebody waited."""

from __future__ import annotations

from .door import Session

STOPPED = "the daemon was stopped"


def wait_in_words(wait: float) -> str:
    """A wait as a person said it (``1.5 s``): on its way here a few milliseconds of it were spent.

    Args:
        wait: seconds.
    """
    return f"{round(wait, 2) or wait:g} s"


def holder_in_words(session: Session | None) -> str:
    """A holder on one line: ``alice on node1, pid 4711 (make -j4)``."""
    if session is None:
        return "a session that is on its way here"
    who = session.who
    command = f" ({who.command})" if who.command else ""
    reason = f", {who.reason!r}" if who.reason else ""
    job = f", job {who.job}" if who.job else ""
    told = f"{who.user or who.uid} on {who.host}, pid {who.pid}{command}{job}{reason}"
    return " ".join("".join(letter if letter.isprintable() else " " for letter in told).split())
