"""What a program asks for, checked before anything is asked of the daemon.

The rule: what has no meaning is refused where the program says it, in a sentence that shows it. Nothing is rounded,
and no truth value is taken for a number: ``quantity=True`` is a slip, not 1.
"""

from __future__ import annotations

from . import names
from .errors import InvalidName, UsageError
from .messages import FOREVER, Locate, Mode, Order, inf
from .wire import MAX_INT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from types import EllipsisType
    from typing import TypeVar

    Word = TypeVar("Word", bound=IntEnum)


def locate(
    resource: str, mode: Mode, quantity: int, *, nest: bool, create: bool, idle: float, order: Order
) -> tuple[names.Name, Locate]:
    """The resource's name, and the request for it; its timeout is that of each ``acquire``.

    Raises:
        UsageError: one of them has no meaning.
    """
    if not isinstance(resource, str):
        raise InvalidName(f"{resource!r} is not a valid resource name: it is no str")
    name = names.parse(resource)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= MAX_INT:
        raise UsageError(f"a quantity of {quantity!r} has no meaning; it is a whole number, and 1 is the least")
    if not _is_number(idle):
        raise UsageError(f"an idle time of {idle!r} s has no meaning; inf is for ever")
    idle = FOREVER if idle == inf else idle
    return name, Locate(resource, _member(Mode, mode), quantity, FOREVER, nest, create, idle, _member(Order, order))


def limit(timeout: float | None) -> float | None:
    """``timeout`` in seconds; None: for ever.

    Raises:
        UsageError: it is negative, or no number.
    """
    if timeout is None or timeout == inf:
        return None
    if not _is_number(timeout) or timeout < 0:
        raise UsageError(f"a timeout of {timeout!r} s has no meaning; None waits for ever")
    return timeout


def explain(after: float | EllipsisType | None) -> float | EllipsisType | None:
    """When a wait is explained, in seconds; None: never, ``...``: as usual.

    Raises:
        UsageError: it is negative, or no number.
    """
    if after is None or after is ...:
        return after
    if not _is_number(after) or after < 0:
        raise UsageError(f"explain={after!r} has no meaning; it is seconds, None is never and ... is as usual")
    return None if after == inf else after


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # NaN is not


def _member(kind: type[Word], value: Word) -> Word:
    """``value`` as a member of ``kind``; its number will do."""
    try:
        if not isinstance(value, bool):
            return kind(value)
    except ValueError:
        pass
    known = ", ".join(f"{kind.__name__}.{word}" for word in kind.__members__)
    raise UsageError(f"{value!r} is none of {known}")
