"""Frozen values behave as the frozen dataclasses do whose place they take."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.frozen import Frozen, altered


class Point(Frozen):
    """A place."""

    x: int
    y: int = 2
    tag: str = ""


class Vector(Frozen):
    x: int
    y: int = 2
    tag: str = ""


class Nothing(Frozen):
    """No fields."""


@dataclasses.dataclass(frozen=True)
class Twin:
    x: int
    y: int = 2
    tag: str = ""


@given(st.integers(), st.integers(), st.text())
def test_a_value_reads_and_shows_as_a_dataclass_does(x: int, y: int, tag: str) -> None:
    value, twin = Point(x, y=y, tag=tag), Twin(x, y, tag)
    assert (value.x, value.y, value.tag) == (x, y, tag)
    assert repr(value) == repr(twin).replace("Twin", "Point")
    assert dataclasses.asdict(value) == dataclasses.asdict(twin)
    assert value == Point(x, y, tag)
    assert hash(value) == hash(Point(x, y, tag))


def test_a_field_that_is_not_given_has_its_default() -> None:
    assert Point(1) == Point(1, 2, "")
    assert Point(y=5, x=1) == Point(1, 5)


@pytest.mark.parametrize(
    ("values", "named", "told"),
    [
        ((), {}, "needs x"),
        ((), {"y": 1}, "needs x"),
        ((1, 2, "", 4), {}, "too much: 4 values"),
        ((1,), {"x": 1}, "too much: x"),
        ((1,), {"z": 1}, "too much: z"),
    ],
)
def test_what_does_not_fit_the_fields_is_refused(
    values: tuple[object, ...], named: dict[str, object], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        Point(*values, **named)  # type: ignore[arg-type]


def test_a_value_cannot_be_changed_and_has_no_room_for_more() -> None:
    value = Point(1)
    for name in ("x", "z"):
        with pytest.raises(AttributeError):
            setattr(value, name, 3)


def test_only_values_of_the_same_class_are_equal() -> None:
    assert Point(1) != Vector(1)
    assert Point(1) != (1, 2, "")
    assert Point(1) != (1, 2, "")
    assert not Point(1) == (1, 2, "")  # noqa: SIM201  # both operators are our own
    assert not Point(1) != Point(1)  # noqa: SIM202


def test_a_value_without_fields_is_true() -> None:
    assert Nothing()
    assert repr(Nothing()) == "Nothing()"


def test_fields_are_matched_by_place() -> None:
    match Point(1, 3):
        case Point(x, 3, tag=tag):
            assert (x, tag) == (1, "")
        case _:
            pytest.fail("it did not match")


def test_a_value_is_a_dataclass_to_whoever_asks() -> None:
    assert dataclasses.is_dataclass(Point)
    assert not dataclasses.is_dataclass(Frozen)
    assert [(field.name, field.type, field.default) for field in dataclasses.fields(Point)] == [
        ("x", "int", dataclasses.MISSING),
        ("y", "int", 2),
        ("tag", "str", ""),
    ]
    assert not dataclasses.fields(Nothing)


def test_a_value_can_be_made_from_another_one() -> None:
    assert dataclasses.replace(Point(1, 3), tag="here") == Point(1, 3, "here")


def test_a_copy_may_have_other_fields_and_makes_no_class_for_it() -> None:
    class Place(Frozen):
        x: int
        tag: str = ""

    assert altered(Place(1), tag="here") == Place(1, "here")
    assert altered(Place(1), tag="here", x=3) == Place(3, "here")
    assert "__dataclass_fields__" not in vars(Place)
    with pytest.raises(TypeError, match="Place has no z"):
        altered(Place(1), x=2, z=3)


def test_a_value_survives_copying_and_pickling() -> None:
    value = Point(1, 3, "here")
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    assert type(pickle.loads(pickle.dumps(value))) is Point
