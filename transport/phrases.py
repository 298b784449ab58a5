"""How a person is told of a duration, a number, a session: the same words wherever somebody reads them.

The rule: what a client said of itself (its command, its reason, its user) never reaches a terminal as it is. Whatever
is not to be seen (control characters, changes of direction, halves of characters) is written as Python would:
``\\x1b``.

Pure: time comes in as an argument.
"""

from __future__ import annotations

from time import localtime, strftime

from .enums import Mode
from .names import Kind, parse

TYPE_CHECKING = False  # importing it costs 2 ms, and whoever waits loads us; checkers know the name
if TYPE_CHECKING:
    from typing import Protocol

    class Person(Protocol):
        """A session as it is told: ``Hello`` of itself, ``Claim`` of others. ``pid`` is 0 while it is on its way."""

        @property
        def pid(self) -> int: ...
        @property
        def uid(self) -> int: ...
        @property
        def user(self) -> str: ...
        @property
        def host(self) -> str: ...
        @property
        def command(self) -> str: ...
        @property
        def job(self) -> str: ...
        @property
        def reason(self) -> str: ...


MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
DECIDED_BY_MODES = (Kind.SIMPLE, Kind.HIERARCHICAL)  # these have no capacity; the others do not look at the mode


def visible(text: str) -> str:
    """``text`` on one line, with everything that is not to be seen written out."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def quoted(word: str) -> str:
    """``word`` as a shell takes it, to be copied from a terminal into a command."""
    if word and all((one.isascii() and one.isalnum()) or one in "_-+./:,@%=" for one in word):
        return word
    if word.isprintable() and "'" not in word:
        return f"'{word}'"
    hidden = {one for one in word if one in "\\'" or not one.isprintable()}
    octal = {ord(one): "".join(f"\\{byte:03o}" for byte in one.encode(errors="surrogateescape")) for one in hidden}
    return f"$'{word.translate(octal)}'"


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


def hour(at: float, now: float, wall: float) -> str:
    """When something was, in local time: ``22:06:18``; of another day without its seconds: ``2026-11-19 22:06``.

    Args:
        at: monotonic seconds.
        now: monotonic seconds at this moment.
        wall: Unix seconds at this moment.
    """
    then, today = localtime(wall - (now - at)), localtime(wall)
    return strftime("%H:%M:%S" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def limit(seconds: float) -> str:
    """A time limit as it was said, in seconds (``1.5s``, ``90s``): on its way a few milliseconds of it were spent."""
    return f"{round(seconds, 2) or seconds:g}s"


def too_old(socket: str, lacks: str) -> str:
    """What is said of a daemon of an older version at ``socket``: what it ``lacks``, and what to do."""
    return (
        f"the daemon at {socket} is of an older version and {lacks}; restart it when nobody holds a lock: holdfast stop"
    )


def counted(number: int, noun: str, nouns: str = "") -> str:
    """``1 process``, ``2 processes``; ``1 waits``, ``2 wait``; the plural is the noun and an s if not said."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def share(kind: Kind, mode: Mode, quantity: int, element: str = "") -> str:
    """What of a resource is held or wanted: a mode, units, or an element; "" if there is nothing to say."""
    if kind is Kind.NUMERIC:
        return counted(quantity, "unit")
    if kind in DECIDED_BY_MODES:
        return mode.name
    return visible(element)


def wanted(resource: str, mode: Mode, quantity: int) -> str:
    """What is asked for: ``printer (EX)``, ``licence[5] (2 units)``, ``gpu0.gpu1``."""
    told = share(parse(resource).kind, mode, quantity)
    return visible(resource) + (f" ({told})" if told else "")


def person(who: Person, key: str = "") -> str:
    """A session in few words: ``alice on node1, pid 4711, key alice``.

    Args:
        key: with which it came, as we know it; nobody can say so of himself, so a ``Claim`` has it and a ``Hello`` not.
    """
    if not who.pid:
        return "a session that is on its way"
    key = key or getattr(who, "key", "")
    return f"{visible(who.user) or who.uid} on {visible(who.host)}, pid {who.pid}" + (f", key {key}" if key else "")


def person_at_work(who: Person, key: str = "") -> str:
    """A session with what it does: ``alice on node1, pid 4711 (make -j4), job 17, 'nightly'``."""
    command = f" ({visible(who.command)})" if who.command else ""
    job = f", job {visible(who.job)}" if who.job else ""
    reason = f", '{visible(who.reason)}'" if who.reason else ""
    return f"{person(who, key)}{command}{job}{reason}"
