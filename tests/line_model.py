"""What a line may do, said a second time in other words: slow, from all grants, without a table or a counter.

``Watched`` wraps a ``Line``, repeats each answer in this model and raises at the first one that breaks a promise:

* no two grants that exclude each other, at any time (``may_be_beside``);
* nobody waits who could come in, and nobody is passed who asked before (``held_back``);
* tokens only grow; answers are for those who are in line;
* whoever is refused as a deadlock would really never get in (checked by letting everybody leave who can);
* what is explained is what would happen, and explaining changes nothing (a twin that is never asked to explain gives
  the same answers).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from holdfast.actors.rules.kinds import resource_from_name
from holdfast.actors.rules.line import Answer, Line, Owner, Verdict
from holdfast.transport.messages import Acquire, Granted, Mode, Order, Queued, Refusal, Refused
from holdfast.transport.names import Kind, parse

EVERY_TYPE = ("simple", "units[5]", "red.green.blue", "/a", "_s_ticket[3]", "_S_ticket[3]", "_t_%S[3]")
FIRST_TOKEN = 1000

# What each mode does to the thing, and what it bears others doing at the same time (VAXcluster Principles).
DOES = {
    Mode.NL: set(),
    Mode.CR: {"read"},
    Mode.CW: {"read", "write"},
    Mode.PR: {"read"},
    Mode.PW: {"read", "write"},
    Mode.EX: {"read", "write"},
}
BEARS = {
    Mode.NL: {"read", "write"},
    Mode.CR: {"read", "write"},
    Mode.CW: {"read", "write"},
    Mode.PR: {"read"},
    Mode.PW: {"read"},
    Mode.EX: set(),
}


def ask(resource: str, mode: Mode = Mode.EX, quantity: int = 1, *, timeout: float = -1.0, nest: bool = True) -> Acquire:
    """A request with what matters here."""
    return Acquire(resource, 1, mode, quantity, timeout, nest)


def line(resource: str, order: Order = Order.FIFO) -> Line:
    """A line whose wall clock shows the monotonic time."""
    return Line(resource_from_name(parse(resource), wall=lambda now: now), order=order, token=FIRST_TOKEN)


def told(answers: list[Answer]) -> list[tuple[Owner, str]]:
    """Answers in short: who, and the refusal or the class."""
    return [
        (owner, answer.why.name if isinstance(answer, Refused) else type(answer).__name__) for owner, answer in answers
    ]


def bear_each_other(one: Mode, other: Mode) -> bool:
    """May the two be held side by side?"""
    return DOES[one] <= BEARS[other] and DOES[other] <= BEARS[one]


def one_above_the_other(one: str, other: str) -> bool:
    """Is either path the other, or above it?"""
    return all(mine == theirs for mine, theirs in zip(one.split("/"), other.split("/"), strict=False))


@dataclass
class Party:
    """One who holds or waits."""

    owner: Owner
    ask: Acquire
    claims: tuple[Owner, ...]
    element: str = ""
    parent: Party | None = None  # while it holds
    since: float = 0.0


@dataclass
class Watched:
    """A line, and what must be true of it."""

    resource: str
    order: Order
    now: float = 10_000.0
    token: int = 0
    last_tick: int = -1
    live: dict[Owner, Party] = field(default_factory=dict)
    waiting: dict[Owner, Party] = field(default_factory=dict)  # in the order of arrival

    def __post_init__(self) -> None:
        self.name = parse(self.resource)
        self.line = line(self.resource, self.order)
        self.twin = line(self.resource, self.order)

    # --- what happens ---

    def ask(self, owner: Owner, request: Acquire, claims: tuple[Owner, ...] = ()) -> list[Answer]:
        party = Party(owner, request, claims if request.nest else ())
        could_enter = self.could_enter(party)
        verdict = self.line.explain(request, self.now, inside=claims)
        self.check_verdict(verdict, party)
        answers = self.line.ask(owner, request, self.now, inside=claims)
        assert answers == self.twin.ask(owner, request, self.now, inside=claims)
        assert answers[0][0] == owner
        match answers[0][1]:
            case Granted():
                assert verdict.granted
            case Queued() as queued:
                assert (verdict.granted, verdict.refused, verdict.position) == (False, None, queued.position)
            case Refused(Refusal.BUSY):
                assert not verdict.granted
            case refused:
                assert verdict == Verdict(False, refused)
        if answers[0][1] == Refused(Refusal.BUSY, ""):
            assert request.timeout == 0
            assert not could_enter
        self.waiting[owner] = party
        self.replay(answers)
        self.check()
        return answers

    def leave(self, owner: Owner, *, rolled_back: bool = False) -> list[Answer]:
        gone = self.live.pop(owner, None)
        if gone is None:
            del self.waiting[owner]
        for party in self.live.values():
            if gone is not None and party.parent is gone:
                party.parent = gone.parent
        answers = self.line.leave(owner, self.now, rolled_back=rolled_back)
        assert answers == self.twin.leave(owner, self.now, rolled_back=rolled_back)
        assert all(isinstance(answer, Granted | Refused) for _, answer in answers)
        self.replay(answers)
        self.check()
        return answers

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        at = self.line.wakes_at()
        assert at == self.twin.wakes_at()
        if at is not None and at <= self.now:
            answers = self.line.wake(self.now)
            assert answers == self.twin.wake(self.now)
            self.replay(answers)
        self.check()

    # --- what must be true ---

    def replay(self, answers: list[Answer]) -> None:
        for owner, answer in answers:
            party = self.waiting[owner]
            match answer:
                case Granted():
                    self.granted(party, answer)
                    del self.waiting[owner]
                case Refused(Refusal.DEADLOCK):
                    assert self.is_deadlocked(party), f"{owner!r} would have got in"
                    del self.waiting[owner]
                case Refused():
                    del self.waiting[owner]
                case Queued():
                    assert answer.position == len(self.waiting)

    def granted(self, party: Party, answer: Granted) -> None:
        assert answer.token == max(self.token + 1, FIRST_TOKEN)
        assert self.line.token >= answer.token
        self.token = answer.token
        party.element = answer.element
        assert self.may_be_beside(party, answer.element), f"{party} beside {list(self.live.values())}"
        assert not self.held_back(party), f"{party} passed one who waits"
        above = self.ancestors(party)
        party.parent = above[-1] if above else None
        self.live[party.owner] = party
        self.last_tick = int(self.now)

    def check(self) -> None:
        for place, party in enumerate(self.waiting.values(), 1):
            if self.could_enter(party):
                raise AssertionError(f"{party.owner!r} waits, and nothing is in its way")
            verdict = self.line.explain_owner(party.owner, self.now)
            assert verdict.position == place
            self.check_verdict(verdict, party)
        assert all(self.line.explain_owner(owner, self.now) == Verdict(True) for owner in self.live)
        assert set(self.line.holds) == set(self.live)
        assert [waiter.owner for waiter in self.line.waiters] == list(self.waiting)
        if self.name.kind is Kind.TIMESTAMP and any(
            self.may_be_beside(each, tick=False) for each in self.waiting.values()
        ):
            at = self.line.wakes_at()
            assert at is not None
            assert at <= self.now + 1

    def check_verdict(self, verdict: Verdict, party: Party) -> None:
        if verdict.refused is not None:
            assert not verdict.granted
            return
        assert verdict.granted == self.could_enter(party)
        others = [each for each in self.live.values() if each not in self.ancestors(party)]
        blocked = not self.may_be_beside(party, tick=False)
        blockers = [each.owner for each in others if blocked and self.conflict(party.ask, each.ask)]
        assert sorted(verdict.blockers) == sorted(blockers)
        assert list(verdict.ahead) == [each.owner for each in self.waiting.values() if self.holds_back(each, party)]

    def ancestors(self, party: Party) -> list[Party]:
        return [self.live[owner] for owner in party.claims if owner in self.live]

    def could_enter(self, party: Party) -> bool:
        return self.may_be_beside(party) and not self.held_back(party)

    def conflict(self, one: Acquire, other: Acquire) -> bool:
        match self.name.kind:
            case Kind.SIMPLE:
                return not bear_each_other(one.mode, other.mode)
            case Kind.HIERARCHICAL:
                return not bear_each_other(one.mode, other.mode) and one_above_the_other(one.resource, other.resource)
        return True

    def held_back(self, party: Party) -> bool:
        return any(self.holds_back(other, party) for other in self.waiting.values())

    def holds_back(self, other: Party, party: Party) -> bool:
        if self.order is Order.FIRST_FIT:
            return False
        mine = {each.owner for each in self.ancestors(party)}
        theirs = {each.owner for each in self.ancestors(other)}
        earlier = other is not party and self.came_first(other, party)
        first = mine < theirs or (mine == theirs and earlier)
        return first and self.conflict(party.ask, other.ask)

    def came_first(self, one: Party, other: Party) -> bool:
        order = list(self.waiting)
        return other.owner not in order or order.index(one.owner) < order.index(other.owner)

    def may_be_beside(self, party: Party, element: str | None = None, *, tick: bool = True) -> bool:
        """May ``party`` hold (``element``, if given) beside all who hold now?"""
        above = self.ancestors(party)
        others = [each for each in self.live.values() if each not in above]
        match self.name.kind:
            case Kind.SIMPLE | Kind.HIERARCHICAL:
                return not any(self.conflict(party.ask, each.ask) for each in others)
            case Kind.NUMERIC:
                parent = above[-1] if above else None
                return (
                    self.units([*self.live.values(), Party(party.owner, party.ask, (), parent=parent)])
                    <= self.name.capacity
                )
            case Kind.SET:
                free = [each for each in self.name.elements if each not in [other.element for other in others]]
                return bool(free) if element is None else element in free
            case Kind.SEQUENCE:
                return len(others) < self.name.capacity and element not in [each.element for each in self.live.values()]
            case Kind.TIMESTAMP:
                return len(others) < self.name.capacity and not (tick and int(self.now) <= self.last_tick)

    def units(self, parties: list[Party], parent: Party | None = None) -> int:
        inner = [each for each in parties if each.parent is parent]
        return sum(max(each.ask.quantity, self.units(parties, each)) for each in inner)

    # --- nobody waits for ever ---

    def free_to_leave(self) -> list[Owner]:
        """Holders that wait for nobody inside them."""
        pinned = {owner for party in self.waiting.values() for owner in party.claims}
        return [owner for owner in self.live if owner not in pinned]

    def is_deadlocked(self, party: Party) -> bool:
        """Let everybody leave who can, as often as it takes, ``party`` waiting: is it still blocked?"""
        trial = copy.deepcopy(self)
        trial.line = line(self.resource, Order.FIRST_FIT)  # not asked any more
        while True:
            if trial.may_be_beside(trial.waiting[party.owner], tick=False):
                return False
            free = trial.free_to_leave()
            for owner in free:
                gone = trial.live.pop(owner)
                for each in trial.live.values():
                    each.parent = gone.parent if each.parent is gone else each.parent
            entering = next((each for each in trial.waiting.values() if trial.may_be_beside(each, tick=False)), None)
            if entering is not None and entering.owner != party.owner:
                del trial.waiting[entering.owner]  # it came in, did its work and left
            elif not free:
                return True

    def empty(self) -> None:
        """Everybody leaves in turn; fails if somebody is left who cannot get in."""
        while self.live or self.waiting:
            free = self.free_to_leave()
            if free:
                self.leave(free[0])
            else:
                assert self.name.kind is Kind.TIMESTAMP, f"stuck: {self.waiting}"
                before = len(self.waiting)
                self.pass_time(1.0)
                assert len(self.waiting) < before, f"stuck: {self.waiting}"
