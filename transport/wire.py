"""A message as a frame, and a frame as a message.

The rule: what comes out of ``decode`` is a whole, checked message, or it is a ``RemoteProtocolError``; never anything
between. Sizes are limited before and while parsing, types are exact (a bool is no number), a number outside its enum is
a fault. What is too big or has the wrong type never gets out of ``encode`` either: that is a ``LocalProtocolError``.

The contract is ``docs/protocol.md``: byte 0 the major version, byte 1 the message's number, then a msgpack array of the
fields. Every byte string of the protocol is an id of 16 bytes. The checks of each class are found once, from its
annotations.
"""

from __future__ import annotations

from .errors import LocalProtocolError, RemoteProtocolError
from .frozen import Frozen
from .messages import (
    FOREVER,
    MAJOR,
    MINOR,
    Acquire,
    Assign,
    Cause,
    Changes,
    Conclude,
    Concluded,
    Dump,
    Dumped,
    Echo,
    End,
    Ended,
    Expect,
    Explain,
    Explained,
    Fault,
    Gone,
    Granted,
    Hello,
    Here,
    Leave,
    Locate,
    Located,
    Lost,
    Mismatch,
    Mode,
    Observe,
    Order,
    Parked,
    Place,
    Queued,
    Quiesce,
    Ready,
    Refusal,
    Refused,
    Release,
    Released,
    Report,
    Reported,
    Retiring,
    Seek,
    Serving,
    Standing,
    Stay,
    Stop,
    Stopping,
    Watch,
    Welcome,
    inf,
)
from .packing import MAX_TEXT as MAX_TEXT
from .packing import MAX_TUPLE as MAX_TUPLE
from .packing import pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import Record

    _Check = Callable[[object], object]

MAX_FRAME = 65_536  # bytes
ID_SIZE = 16  # bytes, of a session or a nonce
MAX_INT = 2**63 - 1

Message = (
    Mismatch | Hello | Welcome | Echo | Fault
    | Locate | Located | Parked | Stop | Stopping | Observe | Dump | Dumped | Explain | Explained
    | Acquire | Queued | Granted | Refused | Release | Released | Gone | Lost | Conclude | Concluded | Watch | Changes
    | Ready | Assign | Place | Retiring | Stay | Leave | Quiesce | End | Ended
    | Expect | Serving | Report | Reported
    | Seek | Here
)  # fmt: skip

NUMBERS: dict[int, type[Message]] = {
    0: Mismatch,
    1: Hello,
    2: Welcome,
    3: Echo,
    4: Fault,
    10: Locate,
    11: Located,
    12: Parked,
    13: Stop,
    14: Stopping,
    15: Observe,
    16: Dump,
    17: Dumped,
    18: Explain,
    19: Explained,
    20: Acquire,
    21: Queued,
    22: Granted,
    23: Refused,
    24: Release,
    25: Released,
    26: Gone,
    27: Lost,
    28: Conclude,
    29: Concluded,
    30: Watch,
    31: Changes,
    40: Ready,
    41: Assign,
    42: Place,
    43: Retiring,
    44: Stay,
    45: Leave,
    46: Quiesce,
    47: End,
    48: Ended,
    49: Expect,
    50: Serving,
    51: Report,
    52: Reported,
    60: Seek,
    61: Here,
}


class OtherVersion(RemoteProtocolError):
    """A frame of another major version; the answer to it is ``Mismatch``.

    Args:
        theirs: the other side's major version.
    """

    def __init__(self, theirs: int) -> None:
        super().__init__(
            f"the other side speaks protocol {theirs}, we speak {MAJOR}.{MINOR}; "
            "end the old daemon with `holdfast stop` of the version that started it"
        )
        self.theirs = theirs
        self.ours = MAJOR


# --- what a field may be: each returns the value, or raises ValueError with what is wanted instead ---


def _text(value: object) -> str:
    if type(value) is str and (len(value) <= MAX_TEXT // 4 or len(value.encode("utf-8", "surrogatepass")) <= MAX_TEXT):
        return value
    raise ValueError(f"a string of at most {MAX_TEXT} bytes")


def _number(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_INT:
        return value
    raise ValueError("a whole number from 0 to 2^63-1")


def _duration(value: object) -> float:
    if type(value) is float:
        if 0.0 <= value < inf:
            return value
        if value == value:  # not NaN
            return FOREVER
    raise ValueError("seconds as a float")


def _flag(value: object) -> bool:
    if type(value) is bool:
        return value
    raise ValueError("true or false")


def _id(value: object) -> bytes:
    if type(value) is bytes and len(value) == ID_SIZE:
        return value
    raise ValueError(f"an id of {ID_SIZE} bytes")


def _many(what: str, check: _Check) -> _Check:
    def entries(value: object) -> tuple[object, ...]:
        if type(value) is tuple and len(value) <= MAX_TUPLE:
            return tuple([check(entry) for entry in value])
        raise ValueError(f"at most {MAX_TUPLE} {what}")

    return entries


def _told(kind: type[Record]) -> _Check:
    """A record on its way out: the values of its fields."""

    def values(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"a {kind.__name__}")
        return _values(value)

    return values


def _heard(kind: type[Record]) -> _Check:
    """A record that came in."""

    def record(value: object) -> object:
        return tuple.__new__(kind, _checked(kind, value))  # the checks are the class's own types

    return record


def _member_of(
    kind: type[Mode] | type[Order] | type[Standing] | type[Refusal] | type[Cause],
) -> Callable[[object], object]:
    known: dict[object, object] = {int(member): member for member in kind}

    def member(value: object) -> object:
        if type(value) in (int, kind) and value in known:
            return known[value]
        raise ValueError(f"a known {kind.__name__.lower()}")

    return member


_CHECKS: dict[str, _Check] = {
    "str": _text,
    "int": _number,
    "float": _duration,
    "bool": _flag,
    "bytes": _id,
    "tuple[bytes, ...]": _many("ids", _id),
    "tuple[str, ...]": _many("strings", _text),
    "tuple[int, ...]": _many("numbers", _number),
    "Mode": _member_of(Mode),
    "Order": _member_of(Order),
    "Standing": _member_of(Standing),
    "Refusal": _member_of(Refusal),
    "Cause": _member_of(Cause),
}


class _Fields(dict[type, "list[tuple[str, _Check]]"]):
    """Each class's fields and their checks, found when it is first said or heard: a command needs a few of them.

    Args:
        record: makes the check of a record from its class.
    """

    def __init__(self, record: Callable[[type[Record]], _Check]) -> None:
        self._record = record

    def __missing__(self, kind: type) -> list[tuple[str, _Check]]:
        found = [(name, _CHECKS.get(type_) or self._records(type_)) for name, type_ in kind.__annotations__.items()]
        self[kind] = found
        return found

    def _records(self, type_: str) -> _Check:
        """The check of a tuple of records, such as ``tuple[Claim, ...]``."""
        from . import records  # those who follow what actors tell

        kind = getattr(records, type_.removeprefix("tuple[").removesuffix(", ...]"))
        return _many("records", self._record(kind))


_OUT_FIELDS = _Fields(_told)
_IN_FIELDS = _Fields(_heard)
_LATER: dict[str, tuple[object, ...]] = {  # the last fields, where an older minor version has none
    "Claim": ("",),  # no key before 1.2
}
_HEADS: dict[type, bytes] = {kind: bytes((MAJOR, number)) for number, kind in NUMBERS.items()}


def _values(value: Frozen) -> list[object]:
    """The fields of a message or a record, checked."""
    kind = type(value)
    values = []
    for (name, check), field in zip(_OUT_FIELDS[kind], value):  # noqa: B905  # strict costs a tenth, and they fit
        try:
            values.append(check(float(field) if check is _duration else field))  # type: ignore[arg-type]  # an int will do
        except ValueError as wanted:
            raise ValueError(f"{kind.__name__}.{name} must be {wanted}") from None
    return values


def _checked(kind: type, values: object) -> list[object]:
    """What stands in an array, as the fields of ``kind``; more of it is from a later version, less from an earlier."""
    fields = _IN_FIELDS[kind]
    missing = len(fields) - len(values) if type(values) is tuple else len(fields)
    later = _LATER.get(kind.__name__, ())
    if type(values) is not tuple or missing > len(later):
        raise ValueError(f"{kind.__name__} must be an array of {len(fields)} fields")
    if missing > 0:
        values += later[-missing:]
    checked = []
    for (name, check), value in zip(fields, values):  # noqa: B905  # what is too much is left out
        try:
            checked.append(check(value))
        except ValueError as wanted:
            raise ValueError(f"{kind.__name__}.{name} must be {wanted}") from None
    return checked


class Codec:
    """Messages as frames, and frames as messages.

    Args:
        pack: the checked fields as msgpack.
        unpack: the other way, arrays as tuples; a ValueError if it is none, or longer than our limits.
    """

    def __init__(self, pack: Callable[[object], bytes], unpack: Callable[[bytes], object]) -> None:
        self._pack = pack
        self._unpack = unpack

    def encode(self, message: Message) -> bytes:
        """``message`` as a frame.

        Raises:
            LocalProtocolError: it is too big, or a field of the wrong type. (An int will do for a duration.)
        """
        try:
            frame = _HEADS[type(message)] + self._pack(_values(message))
        except ValueError as wrong:
            raise LocalProtocolError(str(wrong)) from None
        if len(frame) > MAX_FRAME:
            raise LocalProtocolError(f"{type(message).__name__} must be a frame of at most {MAX_FRAME} bytes")
        return frame

    def decode(self, frame: bytes) -> Message:
        """The message in ``frame``; fields that we do not know yet are ignored.

        Raises:
            OtherVersion: another major version; only its ``Mismatch`` can be read.
            RemoteProtocolError: anything else that is not exactly a message.
        """
        if not 2 < len(frame) <= MAX_FRAME:
            raise RemoteProtocolError(f"a frame of {len(frame)} bytes; 3 to {MAX_FRAME} are allowed")
        number = frame[1]
        if frame[0] != MAJOR and number != 0:
            raise OtherVersion(frame[0])
        kind = NUMBERS.get(number)
        if kind is None:
            raise RemoteProtocolError(f"message number {number} is unknown to protocol {MAJOR}.{MINOR}")
        try:
            values = self._unpack(frame[2:])
        except (ValueError, TypeError) as error:
            raise RemoteProtocolError(f"{kind.__name__}: {error}") from error
        try:
            return tuple.__new__(kind, _checked(kind, values))  # the checks are the classes' own types
        except ValueError as wrong:
            raise RemoteProtocolError(str(wrong)) from None


_codec = Codec(pack, unpack)
encode, decode = _codec.encode, _codec.decode
