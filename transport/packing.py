"""The part of msgpack that our frames are made of, written here because importing msgpack costs a command 2 ms.

The rule: what ``pack`` gives is byte for byte what msgpack gives; ``unpack`` reads what msgpack reads, or raises a
``ValueError``: on what is cut short, left over or longer than our limits, on maps and extensions, which no frame of
ours has, and on arrays within arrays beyond ``DEEPEST``. Nothing is made of a size before its bytes are there.

A client says and hears a dozen short frames in its life. Who speaks all day takes msgpack itself: ``quick.py``.

Source: the msgpack specification (https://github.com/msgpack/msgpack/blob/master/spec.md).
"""

from __future__ import annotations

from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT = 4_096  # bytes, of a string or a byte string
MAX_TUPLE = 64  # entries
DEEPEST = 16  # arrays within each other; our frames have four

_DOUBLE = Struct(">Bd")  # behind its first byte
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}  # first byte: bytes of the number behind it
_SIGNED = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}  # first byte: bytes of the length behind it
_BINARIES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}


# --- out --------------------------------------------------------------------------------------------------------------


def pack(value: object) -> bytes:
    """Turn ``value`` into bytes: a number, truth value, text, byte string, or a list or tuple of such.

    Raises:
        TypeError: it is of another type (our own bug).
        OverflowError: a whole number is negative, or larger than 8 bytes (our own bug).
    """
    return _PACKERS[type(value)](value)


def _number(value: int) -> bytes:
    return value.to_bytes(1, "big") if 0 <= value < 0x80 else _headed(value, b"\xcc\xcd\xce\xcf")


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    size = len(data)
    return (bytes((0xA0 | size,)) if size < 32 else _headed(size, b"\xd9\xda\xdb")) + data


def _array(values: list[object]) -> bytes:
    size = len(values)
    head = bytes((0x90 | size,)) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
    return head + b"".join([_PACKERS[type(value)](value) for value in values])


def _headed(number: int, firsts: bytes) -> bytes:
    """``number`` behind the one of ``firsts`` that says how many bytes it takes: 1, 2, 4 or 8."""
    power = max(0, (number.bit_length() - 1) >> 3).bit_length()
    return firsts[power : power + 1] + number.to_bytes(min(1 << power, 8), "big")


class _Packers(dict[type, "Callable[..., bytes]"]):
    """How each type is packed; a mode, and the other words of ``enums.py``, are numbers."""

    def __missing__(self, kind: type) -> Callable[..., bytes]:
        if not issubclass(kind, int):
            raise TypeError(f"a {kind.__name__} cannot be packed")
        self[kind] = _number
        return _number


_PACKERS = _Packers(
    {
        int: _number,
        str: _text,
        bool: lambda value: b"\xc3" if value else b"\xc2",
        float: lambda value: _DOUBLE.pack(0xCB, value),
        bytes: lambda value: _headed(len(value), b"\xc4\xc5\xc6") + value,
        list: _array,
        tuple: _array,
    }
)


# --- in ---------------------------------------------------------------------------------------------------------------


def unpack(data: bytes) -> object:
    """Read the one value that ``data`` is; arrays become tuples.

    Raises:
        ValueError: it is not exactly one value of ours.
    """
    try:
        (value,), end = _entries(data, 0, 1, DEEPEST)
    except IndexError:
        raise ValueError("it is cut short") from None
    if end != len(data):
        raise ValueError("there is more behind it")
    return value


def _entries(data: bytes, at: int, size: int, deeper: int) -> tuple[tuple[object, ...], int]:
    """The ``size`` values that begin at ``at``, and where they end."""
    if size > MAX_TUPLE:
        raise ValueError(f"{size} entries exceed {MAX_TUPLE}")
    if deeper < 0:
        raise ValueError(f"arrays within arrays exceed {DEEPEST}")
    entries: list[object] = []
    for _ in range(size):
        first = data[at]
        at += 1
        value: object
        if first < 0x80:
            value = first
        elif 0xA0 <= first < 0xC0:
            value, at = _string(data, at, first & 0x1F)
        elif first == 0xCB:
            value = _DOUBLE.unpack(_span(data, at - 1, 9))[1]
            at += 8
        elif first in _CONSTANTS:
            value = _CONSTANTS[first]
        elif 0x90 <= first < 0xA0:
            value, at = _entries(data, at, first & 0x0F, deeper - 1)
        else:
            value, at = _longer(data, at, first, deeper)
        entries.append(value)
    return tuple(entries), at


def _longer(data: bytes, at: int, first: int, deeper: int) -> tuple[object, int]:
    """The value that begins with ``first`` before ``at``, and where it ends."""
    if first in _UNSIGNED:
        return _whole(data, at, _UNSIGNED[first])
    if first in _BINARIES:
        size, at = _whole(data, at, _BINARIES[first])
        return _span(data, at, size), at + size
    if first in _TEXTS:
        size, at = _whole(data, at, _TEXTS[first])
        return _string(data, at, size)
    if first in _ARRAYS:
        size, at = _whole(data, at, _ARRAYS[first])
        return _entries(data, at, size, deeper - 1)
    if first >= 0xE0:
        return first - 0x100, at
    if first in _SIGNED:
        return _whole(data, at, _SIGNED[first], signed=True)
    if first == 0xCA:
        return Struct(">f").unpack(_span(data, at, 4))[0], at + 4
    raise ValueError(f"nothing of ours begins with byte {first:#x}")


def _string(data: bytes, at: int, size: int) -> tuple[str, int]:
    return str(_span(data, at, size), "utf-8", "surrogatepass"), at + size


def _whole(data: bytes, at: int, size: int, *, signed: bool = False) -> tuple[int, int]:
    return int.from_bytes(_span(data, at, size), "big", signed=signed), at + size


def _span(data: bytes, at: int, size: int) -> bytes:
    if size > MAX_TEXT:
        raise ValueError(f"{size} bytes exceed {MAX_TEXT}")
    if at + size > len(data):
        raise IndexError
    return data[at : at + size]
