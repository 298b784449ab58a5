"""Who holds a resource, who waits for it, and who is next.

The one queue of the house. A resource type answers small questions (``Resource``); everything that concerns order,
waiting, nesting and leaving is here, once for all six types. No clock and no socket: time comes in as an argument,
answers go out as a list that the caller must deliver in order.

**Order.** ``fifo``: a request that fits is granted if it delays nobody who waits before it. ``first-fit`` (FLoM's
rule): it is compared with the holders only; whoever leaves lets in all that fit, oldest first. In both a release makes
the grants itself; nobody is woken to compete.

**Nesting** (Moss's rule). A request made inside sessions that hold does not conflict with the holds of these, its
ancestors; with every other hold it does. A nested grant is a hold of its own. Of two waiters, the one that has the
other's ancestors and more stands first, for the other (directly or not) waits for those ancestors; with the same
ancestors, the older one; with ancestors that neither includes, neither. Any other precedence locks up: a nested request
would wait behind somebody who waits for its ancestor.

**Deadlock.** A holder that has a nested request waiting cannot end before that is granted. So a nested request that
would not fit even when all others but such holders had left is refused at once (a reduction, as Holt's, "Some deadlock
properties of computer systems", 1972). Precedence adds nothing to it: whoever a waiter lets pass pins the same
ancestors as itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from typing import Protocol

from ...transport.messages import Acquire, Granted, Order, Queued, Refusal, Refused
from .waiters import Group, Hold, Owner, Place, Waiter, Waiters

__all__ = ["Answer", "Hold", "Line", "Owner", "Resource", "Verdict", "Waiter"]

Answer = tuple[Owner, Granted | Queued | Refused]

_NOBODY = Owner(b"")  # asks what would be
_DEADLOCK = (
    "would wait for ever: what it needs is held by sessions that wait, through requests nested inside them,"
    " for a session that this one runs inside"
)


class Resource(Protocol):
    """What one resource type knows: its own capacity, nothing about order."""

    in_turn: bool  # any two requests conflict, so fifo is plain first come, first served

    def refuses(self, ask: Acquire) -> Refused | None:
        """Could it never be granted?"""

    def place(self, ask: Acquire) -> Place:
        """Where it asks; requests conflict only if one place is the other or above it."""

    def key(self, ask: Acquire) -> Hashable:
        """What makes two requests at one place interchangeable."""

    def conflict(self, ask: Acquire, other: Acquire) -> bool:
        """Does either keep the other from being granted, or may it? Symmetric."""

    def fits(self, ask: Acquire, now: float, *, inside: Sequence[Hold]) -> bool:
        """Can it be granted now? ``inside``: its ancestors' holds, outermost first; they do not count."""

    def take(self, hold: Hold, now: float, *, inside: Sequence[Hold]) -> str:
        """Count ``hold`` in; the share handed out, "" if none."""

    def give(self, hold: Hold, *, rolled_back: bool) -> None:
        """Count ``hold`` out."""

    def stuck(self, ask: Acquire, holds: Sequence[Hold], *, inside: Sequence[Hold]) -> bool:
        """Would it not fit even if of all holds only ``holds`` (``inside`` among them) were left?"""

    def wakes_at(self, now: float, *, inside: Sequence[Hold]) -> float | None:
        """When may a request fit that does not now, though nobody leaves?"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a request now, or has become of it.

    Neither granted nor refused, with nobody in its way: it is only too early.
    """

    granted: bool
    refused: Refused | None = None  # why it can never be granted
    position: int = 0  # in the order of arrival, 1 is first; 0: not in line
    blockers: tuple[Owner, ...] = ()  # whose holds are in its way, oldest first
    ahead: tuple[Owner, ...] = ()  # who must be let in before it, oldest first


class Line:
    """The holders and waiters of one resource.

    Args:
        resource: what is locked; this line's own from now on.
        order: who is next.
        token: the first grant's fencing token; each later grant has one more.
    """

    def __init__(self, resource: Resource, *, order: Order, token: int) -> None:
        self.token = 0  # the last one given; 0: none yet
        self._resource = resource
        self._fifo = order is Order.FIFO
        self._holds: dict[Owner, Hold] = {}
        self._waiters = Waiters()
        self._next_token = token
        self._arrivals = 0
        self._wakes_at: float | None = None

    # --- what may happen ------------------------------------------------------------------------------------------

    def ask(self, owner: Owner, ask: Acquire, now: float, *, inside: Sequence[Owner] = ()) -> list[Answer]:
        """``owner`` wants in.

        Args:
            now: monotonic seconds; never smaller than in an earlier call. So in all verbs.
            inside: the sessions that ``owner`` runs inside, outermost first; only those that hold here count.

        Returns:
            The answer to ``owner`` first; then answers to others, if any, in the order in which they must be delivered.

        Raises:
            ValueError: ``owner`` holds or waits already (a caller's bug).
        """
        if owner in self._holds or owner in self._waiters.all:
            raise ValueError(f"session {owner.hex()} is in line already")
        refused = self._resource.refuses(ask)
        if refused:
            return [(owner, refused)]
        self._arrivals += 1
        waiter = self._newcomer(owner, ask, now, self._arrivals, inside)
        if self._fits(waiter, now) and not (self._waiters and self._held_back(waiter)):
            granted = [self._grant(waiter, now)]
            kin = self._waiters.kin(owner)
            return granted + self._adopt(kin, now) if kin else granted
        if ask.timeout == 0:
            return [(owner, Refused(Refusal.BUSY, ""))]
        if self._deadlocked(waiter):
            return [(owner, Refused(Refusal.DEADLOCK, _DEADLOCK))]
        self._waiters.add(waiter, self._resource.place(ask), self._key(ask))
        return [(owner, Queued(len(self._waiters.all)))]

    def leave(self, owner: Owner, now: float, *, rolled_back: bool = False) -> list[Answer]:
        """``owner`` unlocks, hangs up, times out or dies; answer whoever gets in instead.

        Args:
            rolled_back: the owner's work failed; a transactional sequence takes its number back.

        Raises:
            KeyError: ``owner`` is not in line (a caller's bug; a client cannot cause it).
        """
        hold = self._holds.pop(owner, None)
        if hold is None:
            waiter = self._waiters.all[owner]
            self._waiters.remove(waiter)
            return self._settle(waiter.group.place, now) if self._fifo else []
        self._resource.give(hold, rolled_back=rolled_back)
        if not self._waiters:
            return []
        kin = self._waiters.kin(owner)
        for waiter in kin:
            self._waiters.regroup(waiter, self._holds)
        return self._settle(() if kin else self._resource.place(hold.ask), now)

    def wake(self, now: float) -> list[Answer]:
        """A moment has come that ``wakes_at`` named; answer whoever gets in."""
        return self._settle((), now)

    # --- what is ----------------------------------------------------------------------------------------------------

    def wakes_at(self) -> float | None:
        """When ``wake`` must be called; None if only somebody's leaving can change anything."""
        return self._wakes_at if self._waiters else None

    @property
    def holds(self) -> Mapping[Owner, Hold]:
        """All holds by owner, oldest first."""
        return self._holds

    @property
    def waiters(self) -> ValuesView[Waiter]:
        """All who wait, in the order of arrival."""
        return self._waiters.all.values()

    def holder(self, owner: Owner) -> Hold | None:
        """What ``owner`` holds."""
        return self._holds.get(owner)

    def waiter(self, owner: Owner) -> Waiter:
        """What ``owner`` waits for.

        Raises:
            KeyError: ``owner`` does not wait.
        """
        return self._waiters.all[owner]

    def waiting(self, owner: Owner) -> bool:
        """Does ``owner`` wait?"""
        return owner in self._waiters.all

    def blockers(self, owner: Owner) -> list[Owner]:
        """The owners of the holds that block the waiter ``owner``; if only older waiters do, of all but its ancestors'.

        Raises:
            KeyError: ``owner`` does not wait.
        """
        waiter = self._waiters.all[owner]
        return self._in_the_way(waiter) or [other for other in self._holds if other not in waiter.ancestors]

    def explain(self, ask: Acquire, now: float, *, inside: Sequence[Owner] = ()) -> Verdict:
        """What would become of ``ask``, from somebody who is not in line? Changes nothing."""
        refused = self._resource.refuses(ask)
        if refused:
            return Verdict(False, refused)
        waiter = self._newcomer(_NOBODY, ask, now, self._arrivals + 1, inside)
        verdict = self._verdict(waiter, now, len(self._waiters.all) + 1)
        if not verdict.granted and self._deadlocked(waiter):
            return Verdict(False, Refused(Refusal.DEADLOCK, _DEADLOCK))
        return verdict

    def explain_owner(self, owner: Owner, now: float) -> Verdict:
        """What has become of the request of ``owner``? Changes nothing.

        Raises:
            KeyError: ``owner`` is not in line.
        """
        if owner in self._holds:
            return Verdict(True)
        waiter = self._waiters.all[owner]
        position = next(place for place, waiting in enumerate(self._waiters.all, 1) if waiting == owner)
        return self._verdict(waiter, now, position)

    # --- how --------------------------------------------------------------------------------------------------------

    def _newcomer(self, owner: Owner, ask: Acquire, now: float, number: int, inside: Sequence[Owner]) -> Waiter:
        waiter = Waiter(owner, ask, now, number, tuple(dict.fromkeys(inside)) if inside and ask.nest else ())
        waiter.find_ancestors(self._holds)
        return waiter

    def _verdict(self, waiter: Waiter, now: float, position: int) -> Verdict:
        ahead = self._ahead(waiter)
        if self._resource.fits(waiter.ask, now, inside=waiter.above):
            return Verdict(False, None, position, (), ahead) if ahead else Verdict(True)
        early = self._resource.wakes_at(now, inside=waiter.above) is not None
        return Verdict(False, None, position, () if early else tuple(self._in_the_way(waiter)), ahead)

    def _in_the_way(self, waiter: Waiter) -> list[Owner]:
        """The owners of the holds that it conflicts with."""
        return [
            hold.owner
            for hold in self._holds.values()
            if hold.owner not in waiter.ancestors and self._resource.conflict(waiter.ask, hold.ask)
        ]

    def _key(self, ask: Acquire) -> Hashable:
        """First come, first served needs one group only: its head keeps everybody else back."""
        return None if self._fifo and self._resource.in_turn else self._resource.key(ask)

    def _fits(self, waiter: Waiter, now: float) -> bool:
        """Do the holders leave room for it? If it is only too early, remember when not."""
        if self._resource.fits(waiter.ask, now, inside=waiter.above):
            return True
        at = self._resource.wakes_at(now, inside=waiter.above)
        if at is not None and (self._wakes_at is None or at < self._wakes_at):
            self._wakes_at = at
        return False

    def _held_back(self, waiter: Waiter) -> bool:
        """Does somebody wait whom ``waiter`` may not pass, and would delay?"""
        if not self._fifo:
            return False
        for group in self._waiters.related(self._resource.place(waiter.ask)):
            if not waiter.ancestors <= group.ancestors:
                continue
            head = group.head
            first = head.number < waiter.number or waiter.ancestors != group.ancestors
            if first and self._resource.conflict(waiter.ask, head.ask):
                return True
        return False

    def _ahead(self, waiter: Waiter) -> tuple[Owner, ...]:
        """All who hold it back, in the order of arrival."""
        if not self._fifo:
            return ()
        found = [
            other
            for group in self._waiters.related(self._resource.place(waiter.ask))
            if waiter.ancestors <= group.ancestors and self._resource.conflict(waiter.ask, group.head.ask)
            for other in group.members.values()
            if other.number < waiter.number or waiter.ancestors != group.ancestors
        ]
        return tuple(other.owner for other in sorted(found, key=lambda other: other.number))

    def _settle(self, place: Place, now: float) -> list[Answer]:
        """Let in who can come in, now that something has changed at ``place``.

        One pass over the heads of the groups that may be concerned, in their precedence, is enough: a grant leaves room
        for nobody who did not fit before it.
        """
        answers: list[Answer] = []
        self._wakes_at = None
        queue = [_precedence(group) for group in self._waiters.related(place)]
        heapify(queue)
        while queue:
            group = queue[0][2]
            waiter = group.head
            if not self._fits(waiter, now) or (self._waiters.groups > 1 and self._held_back(waiter)):
                heappop(queue)
                continue
            self._waiters.remove(waiter)
            answers.append(self._grant(waiter, now))
            kin = self._waiters.kin(waiter.owner)
            if kin:
                return answers + self._adopt(kin, now)
            if not group.members:
                heappop(queue)
            elif len(queue) > 1:
                heapreplace(queue, _precedence(group))
        return answers

    def _adopt(self, kin: list[Waiter], now: float) -> list[Answer]:
        """The session that ``kin`` run inside was granted only now: what they wait for may have become a deadlock."""
        answers: list[Answer] = []
        for waiter in kin:
            self._waiters.regroup(waiter, self._holds)
        for waiter in kin:
            if self._deadlocked(waiter):
                self._waiters.remove(waiter)
                answers.append((waiter.owner, Refused(Refusal.DEADLOCK, _DEADLOCK)))
        return answers + self._settle((), now)

    def _grant(self, waiter: Waiter, now: float) -> Answer:
        owner = waiter.owner
        token = self.token = self._next_token
        self._next_token = token + 1
        hold = self._holds[owner] = Hold(owner, waiter.ask, token, now, now - waiter.since)
        hold.element = self._resource.take(hold, now, inside=waiter.above)
        return owner, Granted(token, hold.element, hold.waited)

    def _deadlocked(self, waiter: Waiter) -> bool:
        """Would ``waiter`` never be granted, though everybody leaves who can?"""
        if not waiter.above:
            return False  # nobody waits for it to end
        pending = [other for other in self._waiters.nested() if other is not waiter] + [waiter]
        while True:
            pinned = list({hold.owner: hold for other in pending for hold in other.above}.values())
            stuck = [other for other in pending if self._resource.stuck(other.ask, pinned, inside=other.above)]
            if waiter not in stuck:
                return False
            if len(stuck) == len(pending):
                return True
            pending = stuck


def _precedence(group: Group) -> tuple[int, int, Group]:
    """Before whom its head stands; the number is unique, so two groups are never compared themselves."""
    return -len(group.ancestors), group.head.number, group
