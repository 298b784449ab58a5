"""Values whose fields never change: what a frozen dataclass with slots is, for a tenth of its price at import.

The rule: a field costs nothing but its place in a tuple. A dataclass writes source text for each class and compiles it,
0.4 ms a class, and every command pays for fifty of them before it does anything. Here a class is a tuple with names: it
is made and read by the interpreter's own C, and is a dataclass to whoever asks (``dataclasses.replace``, ``fields``).

A value equals only one of its own class, is always true, and is no sequence to its users: they read it by name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import Field
    from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

    Value = TypeVar("Value", bound="Frozen")

    def _tuplegetter(place: int, text: str | None) -> object: ...
else:
    from _collections import _tuplegetter  # what makes a named tuple's fields

    def dataclass_transform(**_):
        return lambda kind: kind


class _AsDataclass:
    """The fields as ``dataclasses`` wants to see them, made when it first does."""

    def __get__(self, _value: object, kind: type[Frozen]) -> dict[str, Field[Any]]:
        if kind is Frozen:  # it has no fields
            raise AttributeError("__dataclass_fields__")
        from dataclasses import field, make_dataclass

        kinds = kind.__annotations__
        defaults = {name: field(default=value) for name, value in kind._defaults.items()}
        told = [(name, kinds[name], defaults.get(name, field())) for name in kind.__match_args__]
        twin: Any = make_dataclass(kind.__name__, told)
        kind.__dataclass_fields__ = twin.__dataclass_fields__
        return kind.__dataclass_fields__


@dataclass_transform(frozen_default=True)
class Kind(type):
    """Makes a class of values from its annotations; what stands after ``=`` is a field's default."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Kind:
        fields = tuple(namespace.get("__annotations__", ()))
        namespace["_defaults"] = {field: namespace[field] for field in fields if field in namespace}
        for place, field in enumerate(fields):
            namespace[field] = _tuplegetter(place, None)
        namespace["__match_args__"] = fields
        namespace["__slots__"] = ()
        return super().__new__(mcs, name, bases, namespace)


class Frozen(tuple[object, ...], metaclass=Kind):
    """A value; its subclasses name the fields.

    Raises:
        TypeError: a field is missing, unknown or given twice (a caller's bug).
    """

    if TYPE_CHECKING:
        __match_args__: ClassVar[tuple[str, ...]]
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
        _defaults: ClassVar[dict[str, object]]
    else:
        __dataclass_fields__ = _AsDataclass()

    def __new__(cls, *values: object, **named: object) -> Self:
        if named or len(values) != len(cls.__match_args__):
            values = _filled(cls, values, named)
        return tuple.__new__(cls, values)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self.__match_args__, self, strict=True))
        return f"{type(self).__qualname__}({fields})"

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)


def altered(value: Value, **fields: object) -> Value:
    """A copy of ``value`` with other ``fields``.

    ``dataclasses.replace`` does the same, but makes a class for it first, in each process: 0.4 ms, and memory that it
    no longer shares with others.

    Raises:
        TypeError: there is no such field (a caller's bug).
    """
    kind = type(value)
    values = [fields.pop(name, field) for name, field in zip(kind.__match_args__, value, strict=True)]
    if fields:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(fields))}")
    return kind(*values)


def _filled(cls: type[Frozen], values: tuple[object, ...], named: dict[str, object]) -> tuple[object, ...]:
    """The fields in their order, where some are given by name or not at all."""
    fields = cls.__match_args__
    given = dict(zip(fields, values, strict=False))
    wrong = sorted((named.keys() & given) | (named.keys() - set(fields)))
    if wrong or len(values) > len(fields):
        raise TypeError(f"{cls.__name__} got too much: {', '.join(wrong) or f'{len(values)} values'}")
    found = {**cls._defaults, **given, **named}
    missing = [field for field in fields if field not in found]
    if missing:
        raise TypeError(f"{cls.__name__} needs {', '.join(missing)}")
    return tuple([found[field] for field in fields])
