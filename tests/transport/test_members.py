"""Our members behave as those of ``enum``, whose place they take, do."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from typing import Any

import pytest

from holdfast.transport import enums, members, names, session

OURS: list[Any] = [value for value in vars(enums).values() if isinstance(value, members.Members) and len(value)]
OURS += [names.Kind, session.State, session.Why]
NUMBERED = [kind for kind in OURS if issubclass(kind, int)]


def twin(kind: Any) -> Any:
    """The same as ``enum`` makes it."""
    base = enum.IntEnum if issubclass(kind, int) else enum.Enum
    return base(kind.__name__, {member.name: member.value for member in kind})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", OURS)
def test_members_are_found_shown_and_ordered_as_those_of_enum(kind: Any) -> None:
    other = twin(kind)
    assert len(kind) == len(other) > 0
    for ours, theirs in zip(kind, other, strict=True):
        assert (ours.name, ours.value, repr(ours), str(ours)) == (theirs.name, theirs.value, repr(theirs), str(theirs))
        assert f"{ours}" == f"{theirs}"
        assert kind(ours.value) is kind(ours) is kind[ours.name] is getattr(kind, ours.name) is ours
        assert isinstance(ours, kind)
        assert ours in kind
        assert ours.value in kind
    assert list(kind.__members__) == list(other.__members__)


@pytest.mark.parametrize("kind", NUMBERED)
def test_a_number_among_them_is_a_number(kind: Any) -> None:
    for ours in kind:
        assert isinstance(ours, int)
        assert ours == ours.value
        assert hash(ours) == hash(ours.value)
        assert f"{ours:03}" == f"{ours.value:03}"
        assert json.dumps(ours) == json.dumps(ours.value)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize("value", [99, -1, "nobody", None, []])
def test_what_is_no_member_is_refused_as_enum_does(kind: Any, value: object) -> None:
    with pytest.raises(ValueError, match="not a valid") as theirs:
        twin(kind)(value)
    with pytest.raises(ValueError, match="not a valid") as ours:
        kind(value)
    assert str(ours.value) == str(theirs.value)
    with pytest.raises(KeyError):
        kind["nobody"]


@pytest.mark.parametrize("kind", OURS)
def test_there_is_one_of_each_however_it_was_copied(kind: Any) -> None:
    for ours in kind:
        assert copy.copy(ours) is copy.deepcopy(ours) is ours
        assert all(pickle.loads(pickle.dumps(ours, way)) is ours for way in range(2, pickle.HIGHEST_PROTOCOL + 1))


@pytest.mark.parametrize("kind", OURS)
def test_a_member_cannot_be_changed_or_replaced(kind: Any) -> None:
    first = next(iter(kind))
    with pytest.raises(AttributeError):
        first.value = 7
    with pytest.raises(AttributeError):
        setattr(kind, first.name, 7)


def test_a_member_is_matched() -> None:
    match enums.Mode(5):
        case enums.Mode.PR:
            pytest.fail("that is another one")
        case enums.Mode.EX:
            pass
        case _:
            pytest.fail("it did not match")


def test_what_is_no_value_is_no_member() -> None:
    class Speed(members.IntEnum):
        """How fast."""

        SLOW = 1
        _unit = 3

        @property
        def label(self) -> str:
            return self.name.lower()

    assert [speed.label for speed in Speed] == ["slow"]
    assert Speed.__doc__ == "How fast."
