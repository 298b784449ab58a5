"""Who takes the quick codec and who takes the light one understand each other to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from any_message import messages
from holdfast.transport import quick, wire
from holdfast.transport.errors import RemoteProtocolError


@given(messages)
def test_both_make_the_same_frame_and_read_it(message: wire.Message) -> None:
    frame = wire.encode(message)
    assert quick.encode(message) == frame
    assert quick.decode(frame) == wire.decode(frame) == message


@given(messages, st.data())
def test_both_refuse_the_same_frames(message: wire.Message, data: st.DataObject) -> None:
    frame = bytearray(wire.encode(message))
    frame[data.draw(st.integers(2, len(frame) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    try:
        read = wire.decode(broken)
    except RemoteProtocolError:
        with pytest.raises(RemoteProtocolError):
            quick.decode(broken)
    else:
        assert quick.decode(broken) == read
