"""Every message comes back as it went; nothing else comes out of a frame."""

from __future__ import annotations

import dataclasses
import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from any_message import messages
from holdfast.transport import wire
from holdfast.transport.errors import LocalProtocolError, RemoteProtocolError
from holdfast.transport.messages import (
    FOREVER,
    Acquire,
    Changes,
    Fault,
    Gone,
    Granted,
    Hello,
    Mismatch,
    Mode,
    Queued,
    Stop,
    Welcome,
)
from holdfast.transport.records import Claim
from scenes import holder

ID = bytes(range(16))
HELLO = Hello(0, ID, "host", "boot", 1, 2, 1000, "anna", "make -j4", "", "nightly", (ID, ID))


def frame(number: int, *fields: object, major: int = 1) -> bytes:
    """A frame by hand, as no ``encode`` of ours would make it."""
    return bytes((major, number)) + bytes(msgpack.packb(fields))


@given(messages)
def test_every_message_comes_back_as_it_went(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(messages, st.data())
def test_every_prefix_is_refused(message: wire.Message, data: st.DataObject) -> None:
    whole = wire.encode(message)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(RemoteProtocolError):
        wire.decode(cut)


@given(messages, st.data())
def test_every_flipped_bit_gives_a_message_or_a_protocol_error(message: wire.Message, data: st.DataObject) -> None:
    bits = bytearray(wire.encode(message))
    at = data.draw(st.integers(0, len(bits) * 8 - 1))
    bits[at // 8] ^= 1 << at % 8
    try:
        back = wire.decode(bytes(bits))
    except RemoteProtocolError:
        return
    assert wire.decode(wire.encode(back)) == back


@given(st.binary(max_size=200), st.sampled_from(list(wire.NUMBERS)))
def test_garbage_gives_a_message_or_a_protocol_error(garbage: bytes, number: int) -> None:
    try:
        back = wire.decode(bytes((1, number)) + garbage)
    except RemoteProtocolError:
        return
    assert type(back) is wire.NUMBERS[number]


def test_unknown_trailing_fields_are_ignored() -> None:
    assert wire.decode(frame(21, 3, "later", True)) == Queued(3)


def test_a_claim_of_an_older_minor_version_has_no_key() -> None:
    new = holder("a" * 16, key="node7")
    old = wire.decode(frame(31, 1, False, False, 0.0, [wire_fields(new)[:-1]], [], [], [], [], 0.0))
    assert isinstance(old, Changes)
    assert old.claims == (dataclasses.replace(new, key=""),)
    with pytest.raises(RemoteProtocolError, match="Claim must be an array of"):
        wire.decode(frame(31, 1, False, False, 0.0, [wire_fields(new)[:-2]], [], [], [], [], 0.0))


def wire_fields(claim: Claim) -> list[object]:
    return [list(value) if isinstance(value, tuple) else value for value in dataclasses.astuple(claim)]


@pytest.mark.parametrize(
    "wrong",
    [
        frame(21),  # a field is missing
        frame(21, True),  # a bool is no number
        frame(21, -1),
        frame(21, 2**63),
        frame(21, 1.0),
        frame(21, "1"),
        frame(13, 1),  # a number is no bool
        frame(22, 1, "", math.nan),
        frame(22, 1, "", 3),  # a duration is a float
        frame(22, 1, b"x", 1.0),
        frame(23, 99, "no such refusal"),
        frame(23, True, "a bool is no refusal"),
        frame(23, [1], "nor is an array"),
        frame(3, bytes(15)),
        frame(3, "x" * 16),
        frame(4, "x" * 4097),
        frame(4, {}),
        frame(4, {1: 2}),
        frame(4, msgpack.ExtType(4, b"ext")),
        frame(4, msgpack.Timestamp(1, 1)),
        frame(26) + b"\0",  # more than one value
        b"\1\x1a\xc0",  # not an array
        b"\1\4\x91\xa1\xff",  # not UTF-8
        frame(1, 0, ID, "h", "b", 1, 2, 3, "u", "c", "j", "r", [ID] * 65),
        frame(1, 0, ID, "h", "b", 1, 2, 3, "u", "c", "j", "r", [ID, ID[:15]]),
        frame(99),
        b"\1" * 2,
        b"\1\4" + b"\x91" * 70_000,
        b"\1\4" + b"\x91" * 60_000,
        b"",
    ],
)
def test_what_is_not_exactly_a_message_is_refused(wrong: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        wire.decode(wrong)


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="65537 bytes"):
        wire.decode(frame(26).ljust(wire.MAX_FRAME + 1, b"\0"))


def test_the_longest_that_is_allowed_passes() -> None:
    long, snow = "x" * 4096, "\N{SNOWMAN}" * 1365 + "x"
    hello = Hello(0, ID, snow, snow, 1, 2, 3, long, long, long, long, (ID,) * 64)
    assert wire.decode(wire.encode(hello)) == hello


@pytest.mark.parametrize("endless", [-0.5, -math.inf, math.inf])
def test_a_duration_without_end_has_one_form(endless: float) -> None:
    assert wire.decode(frame(22, 1, "", endless)) == Granted(1, "", FOREVER)


def test_an_int_will_do_for_a_duration() -> None:
    assert wire.decode(wire.encode(Acquire("x", 1, Mode.EX, 1, 5, True))) == Acquire("x", 1, Mode.EX, 1, 5.0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        Queued(-1),
        Queued(True),
        Fault("x" * 4097),
        Fault("\N{SNOWMAN}" * 1366),
        Welcome(b"short", 0, 1),
        Hello(0, ID, "h", "b", 1, 2, 3, "u", "c", "j", "r", (ID,) * 65),
        Granted(1, "", math.nan),
        Stop(1),  # type: ignore[arg-type]  # on purpose
        Acquire("x", 1, 9, 1, 0.0, True),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_what_could_not_be_read_is_never_sent(wrong: wire.Message) -> None:
    with pytest.raises(LocalProtocolError, match=type(wrong).__name__):
        wire.encode(wrong)
    assert wire.decode(wire.encode(Gone())) == Gone()  # and leaves nothing behind


def test_another_version_is_named() -> None:
    with pytest.raises(wire.OtherVersion, match=r"protocol 2, we speak 1\.3.*holdfast stop") as caught:
        wire.decode(frame(21, 1, major=2))
    assert (caught.value.theirs, caught.value.ours) == (2, 1)


def test_the_mismatch_of_another_version_can_be_read() -> None:
    assert wire.decode(frame(0, 2, 7, "end me", "later", major=2)) == Mismatch(2, 7, "end me")


def test_any_file_name_can_be_told() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    message = Fault(name)
    assert wire.decode(wire.encode(message)) == message


def test_a_whole_hello_fits() -> None:
    assert wire.decode(wire.encode(HELLO)) == HELLO
