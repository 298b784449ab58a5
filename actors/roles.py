"""What the specific part of a process must be able to do: four roles, of which an actor plays one or several.

The rule: each method returns a list of effects (``process.py``) and does nothing else; what the generic part may call
depends on what it was given: a pipe to a parent, children, feeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..transport.messages import Ended

if TYPE_CHECKING:
    from ..transport.wire import Message
    from .door import Session
    from .process import Effect


class NotStarted(Ended):
    """Said for a child that never was; its death follows."""

    reason: str


class Actor(Protocol):
    """The specific part of a process. ``now`` is monotonic seconds, the same for all that came in one turn."""

    def handle(self, session: Session, message: Message, now: float) -> list[Effect]:
        """A client said something."""

    def left(self, session: Session, now: float) -> list[Effect]:
        """A client is gone."""

    def tick(self, now: float) -> list[Effect]:
        """``wakes_at`` has come."""

    def wakes_at(self) -> float | None:
        """When ``tick`` is wanted, if nothing happens before."""

    def failed(self) -> list[Effect]:
        """The actor raised: who must be told what."""


class Child(Actor, Protocol):
    """An actor with a parent."""

    def told(self, message: Message, now: float) -> list[Effect]:
        """The parent said something."""

    def orphaned(self, now: float) -> list[Effect]:
        """The parent is gone."""


class Parent(Actor, Protocol):
    """An actor with children."""

    def child_said(self, number: int, message: Message, now: float) -> list[Effect]:
        """A child said something; ``NotStarted``: it could not be started."""

    def child_died(self, number: int, now: float) -> list[Effect]:
        """A child is gone, or could not be started."""

    def fork_server_died(self, now: float) -> list[Effect]:
        """No child can be started any more."""

    def signalled(self, number: int, now: float) -> list[Effect]:
        """A signal came."""


class Listener(Actor, Protocol):
    """An actor with feeds."""

    def heard(self, number: int, message: Message | None, now: float) -> list[Effect]:
        """What came by a feed: ``Welcome`` when it is open, None when it has ended."""
