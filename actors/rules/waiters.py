"""Those who hold and those who wait, and how a waiter is found without looking at all the others.

Waiters that are interchangeable (same place, same key, same ancestors) form a *group*: if its oldest cannot be granted,
none of it can, so the line looks at the heads of groups only, and 10,000 waiters for one lock cost what one costs.

Groups hang in a tree of *places*. Only a hierarchical resource has more than its root, and there two requests meet only
if one place is above the other; so what happens at ``/a/b`` leaves the groups at ``/a/c`` alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NewType

from ...transport.messages import Acquire

Owner = NewType("Owner", bytes)  # a session
Place = tuple[str, ...]  # () for all types but the hierarchical one


class Hold:
    """A grant that has not ended."""

    __slots__ = ("ask", "element", "owner", "since", "token", "waited")

    def __init__(self, owner: Owner, ask: Acquire, token: int, since: float, waited: float) -> None:
        self.owner = owner
        self.ask = ask
        self.element = ""  # the share handed out, if the type hands out one
        self.token = token
        self.since = since  # monotonic; when it was granted
        self.waited = waited  # seconds, before that


class Waiter:
    """A request that has not been granted yet."""

    __slots__ = ("above", "ancestors", "ask", "group", "inside", "number", "owner", "since")

    def __init__(self, owner: Owner, ask: Acquire, since: float, number: int, inside: tuple[Owner, ...]) -> None:
        self.owner = owner
        self.ask = ask
        self.since = since  # monotonic; when it was asked
        self.number = number  # arrival
        self.inside = inside  # the sessions it runs inside, outermost first ...
        self.above: tuple[Hold, ...] = ()  # ... and the holds of those that hold now
        self.ancestors: frozenset[Owner] = frozenset()  # their owners
        self.group: Group  # while in line

    def find_ancestors(self, holds: dict[Owner, Hold]) -> None:
        """Look up who of ``inside`` holds now."""
        if self.inside:
            self.above = tuple(holds[owner] for owner in self.inside if owner in holds)
            self.ancestors = frozenset(hold.owner for hold in self.above)


class Group:
    """Interchangeable waiters, oldest first; never empty while it hangs in a place."""

    __slots__ = ("ancestors", "key", "members", "place")

    def __init__(self, place: Place, key: Hashable, ancestors: frozenset[Owner]) -> None:
        self.place = place
        self.key = key
        self.ancestors = ancestors
        self.members: OrderedDict[Owner, Waiter] = OrderedDict()  # a dict's first item is slow after many deletions

    @property
    def head(self) -> Waiter:
        """The oldest."""
        return next(iter(self.members.values()))

    def add(self, waiter: Waiter) -> None:
        """Put ``waiter`` where its arrival belongs: a newcomer is the last, one whose ancestors changed may not be."""
        late = self.members and next(reversed(self.members.values())).number > waiter.number
        self.members[waiter.owner] = waiter
        if late:
            for other in sorted(self.members.values(), key=lambda member: member.number):
                self.members.move_to_end(other.owner)


class _Spot:
    """One place: the groups that wait there, and the places below."""

    __slots__ = ("below", "groups")

    def __init__(self) -> None:
        self.groups: dict[Hashable, Group] = {}
        self.below: dict[str, _Spot] = {}


class Waiters:
    """All waiters of one line, in the order of arrival, and by group and place."""

    def __init__(self) -> None:
        self.all: dict[Owner, Waiter] = {}
        self.groups = 0
        self._root = _Spot()
        self._kin: dict[Owner, dict[Owner, Waiter]] = {}  # session -> those who say that they run inside it

    def __bool__(self) -> bool:
        return bool(self.all)

    def add(self, waiter: Waiter, place: Place, key: Hashable) -> None:
        """Put ``waiter`` in line."""
        self.all[waiter.owner] = waiter
        for owner in waiter.inside:
            self._kin.setdefault(owner, {})[waiter.owner] = waiter
        self._join(waiter, place, key)

    def remove(self, waiter: Waiter) -> None:
        """Take ``waiter`` out of the line."""
        del self.all[waiter.owner]
        for owner in waiter.inside:
            kin = self._kin[owner]
            del kin[waiter.owner]
            if not kin:
                del self._kin[owner]
        self._part(waiter)

    def regroup(self, waiter: Waiter, holds: dict[Owner, Hold]) -> None:
        """One of the sessions that ``waiter`` runs inside holds since now, or does not any more."""
        place, key = waiter.group.place, waiter.group.key
        self._part(waiter)
        waiter.find_ancestors(holds)
        self._join(waiter, place, key)

    def kin(self, owner: Owner) -> list[Waiter]:
        """Those who wait inside the session ``owner``."""
        return list(self._kin.get(owner, {}).values()) if self._kin else []

    def nested(self) -> list[Waiter]:
        """Those who have ancestors."""
        inside = {waiter.owner: waiter for kin in self._kin.values() for waiter in kin.values()}
        return [waiter for waiter in inside.values() if waiter.above]

    def related(self, place: Place) -> list[Group]:
        """The groups that a request at ``place`` may meet: there, above and below."""
        spot = self._root
        found = list(spot.groups.values())
        for part in place:
            if part not in spot.below:
                return found
            spot = spot.below[part]
            found += spot.groups.values()
        beneath = list(spot.below.values())
        while beneath:
            spot = beneath.pop()
            found += spot.groups.values()
            beneath += spot.below.values()
        return found

    def _join(self, waiter: Waiter, place: Place, key: Hashable) -> None:
        spot = self._root
        for part in place:
            spot = spot.below.setdefault(part, _Spot())
        group = spot.groups.get((key, waiter.ancestors))
        if group is None:
            group = spot.groups[key, waiter.ancestors] = Group(place, key, waiter.ancestors)
            self.groups += 1
        group.add(waiter)
        waiter.group = group

    def _part(self, waiter: Waiter) -> None:
        group = waiter.group
        del group.members[waiter.owner]
        if group.members:
            return
        self.groups -= 1
        path = [self._root]
        for part in group.place:
            path.append(path[-1].below[part])
        del path[-1].groups[group.key, group.ancestors]
        for upper, part, lower in reversed(list(zip(path, group.place, path[1:], strict=False))):
            if not lower.groups and not lower.below:
                del upper.below[part]
