"""Classes with a fixed set of members, as ``enum`` makes them, for a tenth of its price.

The rule: what a program or a person does with a member of ours gives what it gives with one of ``enum``: its name, its
value, ``Mode(5)``, ``Mode["EX"]``, all of them in their order, how it is shown, copied, pickled and matched. Importing
``enum`` costs every command 3 ms; and there a member's hash, name and value are worked out by Python, here they are
found in a dict. Type checkers see ``enum`` itself.

What ``enum`` does besides (flags, aliases, values made by themselves) is not here: nobody needs it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum as Enum
    from enum import IntEnum as IntEnum
    from typing import Any


class Members(type):
    """Makes a member of each public name that has a number or a text after its ``=``."""

    __members__: dict[str, Any]
    _by_value: dict[object, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Members:
        values = {word: value for word, value in namespace.items() if word[0] != "_" and type(value) in (int, str)}
        kind = super().__new__(mcs, name, bases, {word: namespace[word] for word in namespace.keys() - values})
        kind.__members__, kind._by_value = {}, {}
        for word, value in values.items():
            member: Any = int.__new__(kind, value) if issubclass(kind, int) else object.__new__(kind)
            member.__dict__.update(name=word, value=value)
            kind.__members__[word] = kind._by_value[value] = kind._by_value[member] = member
            type.__setattr__(kind, word, member)
        return kind

    def __call__(cls, value: object) -> Any:
        """The member with this value.

        Raises:
            ValueError: there is none.
        """
        try:
            return cls._by_value[value]
        except (KeyError, TypeError):
            raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

    def __getitem__(cls, name: str) -> Any:
        return cls.__members__[name]

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls.__members__.values())

    def __len__(cls) -> int:
        return len(cls.__members__)

    def __contains__(cls, value: object) -> bool:
        return value in cls._by_value

    def __setattr__(cls, name: str, value: object) -> None:
        if name in vars(cls).get("__members__", ()):
            raise AttributeError(f"{cls.__qualname__}.{name} is what it is")
        super().__setattr__(name, value)


if not TYPE_CHECKING:

    class Enum(metaclass=Members):
        """A member of its class, and nothing else."""

        def __setattr__(self, name, value):
            raise AttributeError(f"{self!r} cannot be changed")

        def __repr__(self):
            return f"<{type(self).__qualname__}.{self.name}: {self.value!r}>"

        def __str__(self):
            return f"{type(self).__qualname__}.{self.name}"

        def __reduce__(self):
            return type(self), (self.value,)

    class IntEnum(int, Enum):
        """A member of its class that is a number as well, and is printed as one."""

        __repr__ = Enum.__repr__
        __str__ = int.__repr__
        __format__ = int.__format__
