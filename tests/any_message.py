"""Any message of the protocol, with anything in its fields that may travel, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from holdfast.transport import wire
from holdfast.transport.enums import Cause, Mode, Order, Refusal, Standing
from holdfast.transport.messages import FOREVER
from holdfast.transport.records import Claim, Member, Resource, Tally

texts = st.text(st.characters(), max_size=40) | st.text(st.characters(categories=["Cs"]), max_size=5)
VALUES: dict[str, st.SearchStrategy[object]] = {
    "str": texts,
    "int": st.integers(0, wire.MAX_INT),
    "float": st.floats(0, allow_infinity=False, allow_nan=False) | st.just(FOREVER),
    "bool": st.booleans(),
    "bytes": st.binary(min_size=16, max_size=16),
    "tuple[bytes, ...]": st.lists(st.binary(min_size=16, max_size=16), max_size=5).map(tuple),
    "tuple[str, ...]": st.lists(texts, max_size=5).map(tuple),
    "tuple[int, ...]": st.lists(st.integers(0, wire.MAX_INT), max_size=64).map(tuple),
    "Mode": st.sampled_from(list(Mode)),
    "Standing": st.sampled_from(list(Standing)),
    "Order": st.sampled_from(list(Order)),
    "Refusal": st.sampled_from(list(Refusal)),
    "Cause": st.sampled_from(list(Cause)),
}
VALUES |= {
    f"tuple[{kind.__name__}, ...]": st.lists(
        st.builds(kind, *(VALUES[type_] for type_ in kind.__annotations__.values())), max_size=3
    ).map(tuple)
    for kind in (Claim, Resource, Tally, Member)
}
messages = st.sampled_from(list(wire.NUMBERS.values())).flatmap(
    lambda kind: st.builds(kind, *(VALUES[type_] for type_ in kind.__annotations__.values()))
)
