"""Resource names: what may be one, and what it says about its resource.

The name alone decides the type (six grammars that never overlap) and is the identity of the resource: ``a[2]`` and
``a[02]`` are two resources, ``red.green`` and ``green.red`` are two sets. Only hierarchical names share: all paths
below ``/a`` are served by one locker, ``/a``.

The grammars are FLoM's (manual of 1.7.2), with two holes closed: a name is one line of at most 240 bytes. Written
without ``re``, because this is on the way of every command's start.
"""

from __future__ import annotations

from .errors import InvalidName as InvalidName
from .frozen import Frozen
from .members import IntEnum

RESERVED = "_RESOURCE"  # the name of whoever names nothing
LONGEST = 240  # bytes


class Kind(IntEnum):
    """The six resource types, with FLoM's numbers."""

    SIMPLE = 1
    NUMERIC = 2
    SET = 3
    HIERARCHICAL = 4
    SEQUENCE = 5
    TIMESTAMP = 6

    @property
    def label(self) -> str:
        """The type in lower-case letters, as people read it."""
        return self.name.lower()


class Name(Frozen):
    """A valid resource name and what it says; fields that the kind does not use are empty."""

    text: str
    kind: Kind
    capacity: int = 0  # numeric: units; sequence, timestamp: values in use at once; 0 can never be granted
    elements: tuple[str, ...] = ()  # set
    path: tuple[str, ...] = ()  # hierarchical
    format: str = ""  # timestamp
    transactional: bool = False  # sequence
    reserved: bool = False

    @property
    def locker(self) -> str:
        """The name of the resource that serves this one: the root of a hierarchy, else the name itself."""
        return "/" + self.path[0] if self.path else self.text


_GRAMMAR = {
    Kind.SIMPLE: "a simple name is a letter, then letters and digits, such as printer1",
    Kind.NUMERIC: "a numeric name is a simple name and the number of units, such as licence[5]",
    Kind.SET: "a set is simple names joined by dots, such as red.green.blue",
    Kind.HIERARCHICAL: "a hierarchical name is a path such as /disk/home, with no empty part and no backslash",
    Kind.SEQUENCE: "a sequence is _s_NAME[N], or _S_NAME[N] if failed work gives its number back, such as _s_ticket[3]",
    Kind.TIMESTAMP: "a timestamp is _t_FORMAT[N]; FORMAT is letters, digits and % # . : such as _t_%H%M%S#ff[1]",
}


def parse(text: str) -> Name:
    """Say what ``text`` names.

    Raises:
        InvalidName: it is outside all grammars; the sentence says what is wrong with it and shows the nearest grammar.
    """
    if text == RESERVED:
        return Name(text, Kind.SIMPLE, reserved=True)
    if not text:
        raise invalid(text, "it is empty", Kind.SIMPLE)
    if len(text) > LONGEST or len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise InvalidName(
            f"'{text[:20]}…' is not a valid resource name: it is longer than {LONGEST} bytes; give a shorter one",
            resource=text,
        )
    if "\n" in text or "\r" in text or "\0" in text:
        raise invalid(text, "it has a line break or a zero byte in it", Kind.SIMPLE)
    if text[0] == "/":
        return _hierarchical(text)
    if text[0] == "_":
        return _underscored(text)
    if text[-1] == "]" or "[" in text:
        return _numeric(text)
    if "." in text:
        return _set(text)
    wrong = _wrong_word(text)
    if wrong:
        raise invalid(text, wrong, Kind.SIMPLE)
    return Name(text, Kind.SIMPLE)


def invalid(text: str, what: str, nearest: Kind) -> InvalidName:
    """The error for a name: ``what`` is wrong with it, and the grammar ``nearest`` to what was probably meant."""
    return InvalidName(f"{text!r} is not a valid resource name: {what}; {_GRAMMAR[nearest]}", resource=text)


def _hierarchical(text: str) -> Name:
    path = tuple(text[1:].split("/"))
    if "\\" in text:
        raise invalid(text, "it has a backslash in it", Kind.HIERARCHICAL)
    if not all(path):
        what = "it ends with '/'" if text.endswith("/") else "there is nothing between two '/'"
        raise invalid(text, what, Kind.HIERARCHICAL)
    return Name(text, Kind.HIERARCHICAL, path=path)


def _underscored(text: str) -> Name:
    kind = {"_s_": Kind.SEQUENCE, "_S_": Kind.SEQUENCE, "_t_": Kind.TIMESTAMP}.get(text[:3])
    if kind is None:
        raise invalid(text, "after '_' only s_, S_ and t_ have a meaning", Kind.SEQUENCE)
    inner, capacity = _bracketed(text, text[3:], kind)
    wrong = _wrong_word(inner) if kind is Kind.SEQUENCE else _wrong_format(inner)
    if wrong:
        raise invalid(text, wrong, kind)
    if kind is Kind.SEQUENCE:
        return Name(text, kind, capacity, transactional=text[1] == "S")
    return Name(text, kind, capacity, format=inner)


def _numeric(text: str) -> Name:
    word, capacity = _bracketed(text, text, Kind.NUMERIC)
    wrong = "a set has no number of units" if "." in word else _wrong_word(word)
    if wrong:
        raise invalid(text, wrong, Kind.NUMERIC)
    return Name(text, Kind.NUMERIC, capacity)


def _set(text: str) -> Name:
    elements = tuple(text.split("."))
    for element in elements:
        wrong = _wrong_word(element)
        if wrong:
            raise invalid(text, wrong, Kind.SET)
    return Name(text, Kind.SET, elements=elements)


def _bracketed(text: str, rest: str, kind: Kind) -> tuple[str, int]:
    """Take ``word[digits]`` apart."""
    word, bracket, digits = rest.partition("[")
    if not bracket or not digits.endswith("]"):
        raise invalid(text, "it does not end with a number in brackets", kind)
    digits = digits[:-1]
    if not (digits.isascii() and digits.isdigit()):
        raise invalid(text, f"between the brackets stands {digits!r}, not a number", kind)
    return word, int(digits)


def _wrong_word(word: str) -> str:
    """What keeps ``word`` from being a letter followed by letters and digits; "" if nothing does."""
    if not word:
        return "a part of it is empty"
    if not (word[0].isascii() and word[0].isalpha()):
        return f"{word!r} does not begin with a letter (a to z)"
    for character in word:
        if not (character.isascii() and character.isalnum()):
            return f"{character!r} is neither a letter (a to z) nor a digit"
    return ""


def _wrong_format(text: str) -> str:
    """What keeps ``text`` from being a timestamp's format; "" if nothing does."""
    if not text:
        return "its format is empty"
    if text[0] in ".:" or text[0].isdigit():
        return f"its format begins with {text[0]!r}"
    for character in text:
        if not (character.isascii() and (character.isalnum() or character in "%#.:")):
            return f"{character!r} may not stand in a format"
    return ""
