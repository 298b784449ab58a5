"""From a resource's name to its rules: the only list of the six types."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from ...transport.names import Kind, Name
from .line import Resource
from .numeric import Numeric
from .sequence import Sequence
from .sets import Set
from .simple import Simple
from .timestamp import Timestamp
from .tree import Tree


def resource_from_name(name: Name, *, wall: Callable[[float], float]) -> Resource:
    """The resource that ``name`` (its ``locker``, if hierarchical) stands for, with nothing held.

    Args:
        wall: Unix time in seconds at the monotonic instant given; only timestamps ask.

    Raises:
        InvalidName: a timestamp whose text changes less often than every hour.
    """
    match name.kind:
        case Kind.SIMPLE:
            return Simple()
        case Kind.NUMERIC:
            return Numeric(name.text, name.capacity)
        case Kind.SET:
            return Set(name.elements)
        case Kind.HIERARCHICAL:
            return Tree(name.path[:1])
        case Kind.SEQUENCE:
            return Sequence(name.text, name.capacity, transactional=name.transactional)
        case Kind.TIMESTAMP:
            return Timestamp(name, wall)
        case _:
            assert_never(name.kind)
