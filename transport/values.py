"""Texts into values: durations, modes, quantities, answers.

The rule: a word is taken exactly (in upper or lower case) or refused with a sentence that says what was expected; where
it was found is added by the caller. A bare number that is a duration counts seconds on Holdfast's own command line, and
milliseconds on ``flom``'s and in every file, because the keys there are FLoM's and keep FLoM's meaning. With a unit it
means the same everywhere.

FLoM takes a word for what it contains (``maybe`` is yes); that is not kept. What its setters do to numbers is kept.

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

from .errors import InvalidSetting
from .frozen import Frozen
from .messages import FOREVER, Mode, Order, inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from .endpoints import Tcp

    Reader = Callable[[str, "Dialect"], object]
    Value = TypeVar("Value")

SECOND = 1.0
MILLISECOND = 0.001  # seconds
UNITS = {"ms": MILLISECOND, "s": SECOND, "m": 60.0, "h": 3600.0}  # seconds
MAX_NUMBER = 2**63 - 1  # what the wire carries
MAX_POOL = 64
MULTICAST_PORT = 28015  # FLoM's
MIN_DISCOVERY = 0.01  # seconds; whoever waits less for an answer hears nobody, and starts a second daemon
MAX_DURATION = 1e9  # seconds, 31 years: who asks for more means for ever

MODES = {
    "nl": Mode.NL,
    "cr": Mode.CR,
    "cw": Mode.CW,
    "pr": Mode.PR,
    "pw": Mode.PW,
    "ex": Mode.EX,
    "nulllock": Mode.NL,
    "concurrentread": Mode.CR,
    "concurrentwrite": Mode.CW,
    "protectedread": Mode.PR,
    "protectedwrite": Mode.PW,
    "exclusive": Mode.EX,
}
ORDERS = {"fifo": Order.FIFO, "first-fit": Order.FIRST_FIT}
FLOM_ANSWERS = {"yes": True, "no": False, "y": True, "n": False}
ANSWERS = {**FLOM_ANSWERS, "true": True, "false": False, "on": True, "off": False, "1": True, "0": False}


class Dialect(Frozen):
    """How a text is to be read: as FLoM would, what a bare duration counts, and where a path begins.

    Args:
        unit: in seconds.
        relative: paths may begin in the current directory, which only a command line can mean.
    """

    flom: bool
    unit: float
    relative: bool = False


# --- what a person may say --------------------------------------------------------------------------------------------


def duration(text: str, unit: float = SECOND) -> float:
    """Read ``0``, ``1.5``, ``200ms``, ``2m``, ``1h``, ``inf`` or ``forever`` as seconds.

    Args:
        unit: what a bare number counts, in seconds.

    Returns:
        Seconds, never negative; ``math.inf`` for ever.
    """
    word = text.strip().lower()
    if word in ("inf", "forever"):
        return inf
    number = word.rstrip("smh")
    suffix = word[len(number) :]
    number = number.rstrip()
    if number.startswith("-"):
        raise InvalidSetting(f"{text!r} is negative; for no limit say forever")
    if number.strip("0123456789.") or number.count(".") > 1 or number in ("", ".") or suffix not in ("", *UNITS):
        raise InvalidSetting(f"{text!r} is not a duration, such as 0, 1.5, 200ms, 2m, 1h or forever")
    seconds = float(number) * (UNITS[suffix] if suffix else unit)
    return seconds if seconds <= MAX_DURATION else inf


def mode(text: str) -> Mode:
    """Read a lock mode: ``EX`` or ``Exclusive``."""
    return choice(text, MODES, "a lock mode")


def order(text: str) -> Order:
    """Read a queue order: ``fifo`` or ``first-fit``."""
    return choice(text, ORDERS, "a queue order")


def quantity(text: str) -> int:
    """Read a number of units: 1 or more."""
    number = integer(text)
    if number < 1:
        raise InvalidSetting(f"{text!r} is not a quantity; the least is 1")
    return number


def boolean(text: str) -> bool:
    """Read yes or no (also true, on, 1 and false, off, 0)."""
    return choice(text, ANSWERS, "an answer")


def exit_code(text: str) -> int:
    """Read an exit code: 0 to 255."""
    number = integer(text)
    if not 0 <= number <= 255:
        raise InvalidSetting(f"{text!r} is not an exit code; they go from 0 to 255")
    return number


def integer(text: str) -> int:
    """Read a whole number; the largest is ``MAX_NUMBER``, whatever its sign."""
    word = text.strip()
    digits = word.removeprefix("-").lstrip("0") or word[-1:]
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidSetting(f"{text!r} is not a whole number")
    if len(digits) > 19 or int(digits) > MAX_NUMBER:  # Python refuses to read thousands of digits
        raise InvalidSetting(f"{text!r} is too large; the largest is {MAX_NUMBER}")
    return -int(digits) if word.startswith("-") else int(digits)


def choice(text: str, words: Mapping[str, Value], what: str) -> Value:
    """Read one of a few words; ``what`` stands in the sentence that refuses any other."""
    value = words.get(text.strip().lower())
    if value is None:
        raise InvalidSetting(f"{text!r} is not {what}; it is one of: {', '.join(words)}")
    return value


# --- the same, as the dialect wants it --------------------------------------------------------------------------------


def text_or_none(text: str, dialect: Dialect) -> str | None:
    """Any text; an empty one says nothing."""
    return text or None


def place(text: str, dialect: Dialect) -> str | None:
    """A path that says where the daemon is: the same for everybody who reads it, or there would be several daemons."""
    _check_said(text, dialect, "the path")
    if text and not dialect.relative and not text.startswith("/"):
        raise InvalidSetting(f"{text!r} means another place in each directory; give a path that begins with /")
    return text or None


def _check_said(text: str, dialect: Dialect, what: str) -> None:
    """An empty word on a command line is a variable that was never set: who meant one daemon would get another one.

    Raises:
        InvalidSetting: it is one. In a file, an empty value is a key that says nothing.
    """
    if dialect.relative and not text:
        raise InvalidSetting(f"{what} is empty")


def public_key(text: str, dialect: Dialect) -> str | None:
    """A public key of 40 characters, or a file that holds one."""
    from .keys import is_key  # most need none

    return text if is_key(text.encode(errors="replace")) else place(text, dialect)


def endpoint(text: str, dialect: Dialect) -> Tcp | None:
    """Where a daemon listens: ``tcp://HOST:PORT``."""
    _check_said(text, dialect, "the address")
    if not text:
        return None
    from .endpoints import parse  # most stay on this machine

    found = parse(text)
    if not found.port:
        raise InvalidSetting(f"{text!r} has no port at which a daemon could be found")
    return found


def group(text: str, dialect: Dialect) -> Tcp | None:
    """The multicast group that a daemon answers, and its port if it is not FLoM's."""
    _check_said(text, dialect, "the group")
    if not text:
        return None
    from .endpoints import parse_group

    return parse_group(text, MULTICAST_PORT)


def yes_or_no(text: str, dialect: Dialect) -> bool:
    """FLoM's answers, or ours as well."""
    return choice(text, FLOM_ANSWERS, "an answer") if dialect.flom else boolean(text)


def count(text: str, dialect: Dialect) -> int:
    """1 or more; FLoM drops the sign and takes 0 for 1."""
    return (abs(integer(text)) or 1) if dialect.flom else quantity(text)


def pool(text: str, dialect: Dialect) -> int:
    """How many processes are to wait for work."""
    number = integer(text)
    if not 0 <= number <= MAX_POOL:
        raise InvalidSetting(f"{text!r} is not a number of spare lockers; they go from 0 to {MAX_POOL}")
    return number


def port(text: str, dialect: Dialect) -> int:
    """A TCP or UDP port."""
    number = count(text, dialect)
    if number > 65535:
        raise InvalidSetting(f"{text!r} is not a port; the highest is 65535")
    return number


def seconds(text: str, dialect: Dialect) -> float:
    """A duration; to FLoM any negative number is one without end."""
    if dialect.flom and text.strip().startswith("-"):
        integer(text)
        return FOREVER
    value = duration(text, dialect.unit)
    return FOREVER if value == inf else value


def timeout(text: str, dialect: Dialect) -> float | None:
    """A duration, or None for ever."""
    value = seconds(text, dialect)
    return None if value < 0 else value


def unsigned_seconds(text: str, dialect: Dialect) -> float:
    """A duration; FLoM drops the sign."""
    return seconds(text.strip().removeprefix("-") if dialect.flom else text, dialect)


def discovery_timeout(text: str, dialect: Dialect) -> float:
    """How long a group is listened to; FLoM drops the sign, and what is too short is for its command to mend."""
    value = unsigned_seconds(text, dialect)
    if 0 <= value < MIN_DISCOVERY and not dialect.flom:
        raise InvalidSetting(f"{text!r} is too short for any answer; the least is {MIN_DISCOVERY * 1000:g}ms")
    return value


def signals(text: str, dialect: Dialect) -> tuple[int, ...]:
    """Names or numbers with ``;`` between them; FLoM drops what it does not know, and regrets what cannot be done."""
    from signal import SIGKILL, SIGSTOP, Signals  # enums are slow to import, and few set this

    names = {signal.name: int(signal) for signal in Signals if signal < 32}
    names |= {str(number): number for number in range(1, 32)}
    words = [word for word in (part.strip() for part in text.split(";")) if word]
    unknown = [word for word in words if word not in names]
    if unknown and not dialect.flom:
        raise InvalidSetting(f"{unknown[0]!r} is not a signal, such as SIGHUP or 1")
    stubborn = [word for word in words if names.get(word) in (SIGKILL, SIGSTOP)]
    if stubborn and not dialect.flom:
        raise InvalidSetting(f"{stubborn[0]} cannot be ignored by anybody")
    return tuple(dict.fromkeys(names[word] for word in words if word in names))


def not_built(reader: Reader, sentence: str) -> Reader:
    """Make a reader that refuses with ``sentence`` what asks for something; FLoM's dialect has words of its own."""

    def read(text: str, dialect: Dialect) -> object:
        value = reader(text, dialect)
        if value and not dialect.flom:
            raise InvalidSetting(sentence)
        return value

    return read


def one_of(*words: str) -> Callable[[str, Dialect], str]:
    """Make a reader that takes one of ``words``."""
    return lambda text, dialect: choice(text, {word: word for word in words}, "one of the words known here")
