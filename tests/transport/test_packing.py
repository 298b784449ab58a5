"""Our few bytes of msgpack are those of msgpack, both ways; and what is no value of ours is refused."""

from __future__ import annotations

import math

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.transport.enums import Mode
from holdfast.transport.packing import DEEPEST, MAX_TEXT, MAX_TUPLE, pack, unpack

texts = st.text(st.characters(), max_size=300) | st.text(st.characters(categories=["Cs"]), max_size=5)
EDGES = sorted({0, *(2**power + off for power in (5, 7, 8, 16, 32, 63) for off in (-1, 0, 1)), 2**64 - 1})
numbers = st.sampled_from(EDGES) | st.integers(0, 2**64 - 1)
plain = numbers | texts | st.floats(allow_nan=False) | st.booleans() | st.binary(max_size=300)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=20).map(tuple), max_leaves=80)


def by_msgpack(data: bytes) -> object:
    return msgpack.unpackb(
        data,
        use_list=False,
        unicode_errors="surrogatepass",
        max_str_len=MAX_TEXT,
        max_bin_len=MAX_TEXT,
        max_array_len=MAX_TUPLE,
        max_map_len=0,
        max_ext_len=0,
    )


def same(one: object, other: object) -> bool:
    """Equal, of equal types, and NaN like NaN."""
    if type(one) is tuple and type(other) is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is float and math.isnan(one):
        return type(other) is float and math.isnan(other)
    return type(one) is type(other) and one == other


def strange(value: object) -> bool:
    """Whether it has something that only msgpack knows: an empty map, an extension."""
    return any(map(strange, value)) if type(value) is tuple else type(value) in (dict, msgpack.ExtType)


@given(values)
@example(("",) * 16)
@example(("x" * 31, "x" * 32, "x" * 255, "x" * 256, b"x" * 255, b"x" * 256))
def test_a_value_becomes_the_bytes_of_msgpack_and_comes_back(value: object) -> None:
    data = pack(value)
    assert data == msgpack.packb(value, unicode_errors="surrogatepass")
    assert same(unpack(data), value)


def test_what_is_as_long_as_can_be_comes_back_and_what_is_longer_does_not() -> None:
    for most in ("x" * MAX_TEXT, b"x" * MAX_TEXT, (1,) * MAX_TUPLE):
        assert unpack(pack(most)) == most
        with pytest.raises(ValueError, match="exceed"):
            unpack(pack(most + most[:1]))


def test_a_mode_is_packed_as_its_number() -> None:
    assert pack([Mode.EX, True, 5]) == msgpack.packb([5, True, 5])


@given(values, st.data())
def test_whatever_bytes_come_they_are_read_as_msgpack_reads_them_or_refused(value: object, data: st.DataObject) -> None:
    frame = bytearray(pack(value))
    for _ in range(data.draw(st.integers(0, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    judge(bytes(frame[: data.draw(st.integers(0, len(frame)))] + data.draw(st.binary(max_size=4))))


@given(st.binary(max_size=40))
def test_garbage_is_read_as_msgpack_reads_it_or_refused(garbage: bytes) -> None:
    judge(garbage)


@pytest.mark.parametrize("rest", [b"", b"\0", b"\0\0\0\0", b"\1" * 9, b"\xff" * 9, b"\0\0\0\1\xc0", b"\1\xc0"])
def test_every_first_byte_is_read_as_msgpack_reads_it_or_refused(rest: bytes) -> None:
    for first in range(256):
        judge(bytes((first,)) + rest)


def judge(data: bytes) -> None:
    """See that both read the same, or both refuse."""
    try:
        theirs = by_msgpack(data)
    except (ValueError, TypeError):
        theirs = {}
    if strange(theirs):
        with pytest.raises(ValueError):  # noqa: PT011  # any sentence will do
            unpack(data)
    else:
        assert same(unpack(data), theirs)


def test_arrays_within_arrays_have_an_end() -> None:
    assert unpack(b"\x91" * DEEPEST + b"\x01") == unpack(pack(unpack(b"\x91" * DEEPEST + b"\x01")))
    for deep in (DEEPEST + 1, 60_000):
        with pytest.raises(ValueError, match="within arrays"):
            unpack(b"\x91" * deep + b"\x01")


@pytest.mark.parametrize("value", [None, {}, object(), 1j])
def test_what_no_frame_has_is_not_packed(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be packed"):
        pack([value])


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_number_that_no_field_may_be_is_not_packed(value: int) -> None:
    with pytest.raises(OverflowError):
        pack(value)
