"""The messages as types: frozen values of the few kinds that can travel."""

from __future__ import annotations

import dataclasses
import re

import pytest

from holdfast.transport import messages
from holdfast.transport.frozen import Frozen
from holdfast.transport.members import IntEnum

PLAIN = {"str", "int", "float", "bool", "bytes", "tuple[bytes, ...]", "tuple[str, ...]", "tuple[int, ...]"}
RECORDS = {f"tuple[{name}, ...]" for name in ("Claim", "Resource", "Tally", "Member")}
ENUMS = {name for name, kind in vars(messages).items() if isinstance(kind, type) and issubclass(kind, IntEnum)}
MESSAGES = [kind for kind in vars(messages).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_is_a_frozen_value_with_slots_and_nothing_to_do(kind: type) -> None:
    assert issubclass(kind, Frozen)
    assert not hasattr(kind(*kind.__match_args__), "__dict__")
    assert not [name for name in vars(kind) if callable(getattr(kind, name)) and not name.startswith("_")]


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_holds_only_what_can_travel(kind: type) -> None:
    assert {str(field.type) for field in dataclasses.fields(kind)} <= PLAIN | ENUMS | RECORDS


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_has_no_default_that_a_sender_might_forget(kind: type) -> None:
    assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(kind))


@pytest.mark.parametrize("kind", MESSAGES)
def test_durations_travel_and_instants_do_not(kind: type) -> None:
    assert not [field.name for field in dataclasses.fields(kind) if re.search(r"_at$|deadline", field.name)]


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_says_what_it_is(kind: type) -> None:
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")


def test_the_modes_have_the_numbers_that_flom_shows() -> None:
    assert {mode.name: mode.value for mode in messages.Mode} == {"NL": 0, "CR": 1, "CW": 2, "PR": 3, "PW": 4, "EX": 5}
