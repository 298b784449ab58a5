"""Records are values like messages: frozen, without defaults, of the few kinds that can travel."""

from __future__ import annotations

import dataclasses
import re

import pytest

from holdfast.transport import enums, records
from holdfast.transport.frozen import Frozen

RECORDS: list[type] = [records.Claim, records.Resource, records.Tally, records.Member]
PLAIN = {"str", "int", "float", "tuple[str, ...]", "tuple[int, ...]", *vars(enums)}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_is_a_frozen_value_of_what_can_travel(kind: type) -> None:
    fields = dataclasses.fields(kind)
    assert issubclass(kind, Frozen)
    assert not hasattr(kind(*kind.__match_args__), "__dict__")
    assert {str(field.type) for field in fields} <= PLAIN
    assert all(field.default is dataclasses.MISSING for field in fields)


@pytest.mark.parametrize("kind", RECORDS)
def test_durations_travel_and_instants_do_not(kind: type) -> None:
    assert not [field.name for field in dataclasses.fields(kind) if re.search(r"_at$|since$|deadline", field.name)]


def test_keys_of_different_kinds_of_records_never_meet() -> None:
    made = [kind(*(1 for _ in dataclasses.fields(kind))) for kind in RECORDS]
    assert len({records.key(one) for one in made}) == len(made)
