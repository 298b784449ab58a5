"""Why a request to a locker is not granted, in a sentence: who is in its way, and since when.

The rule: only who really keeps a request out is named; never a hold that it is made inside, nor a holder that it could
be beside. The same words are said to who would not wait, to whom time ran out, and to who asks while it waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..transport.errors import InvalidName
from ..transport.messages import Acquire, Explain, Explained, Refusal, Refused
from ..transport.names import parse
from ..transport.phrases import limit, span
from .door import Session
from .rules.line import Line, Owner, Verdict
from .words import person_in_words, sentence

BUSY = Refused(Refusal.BUSY, "")  # as the line says it


class Reasons:
    """What is said about one resource.

    Args:
        name: of the resource.
        line: who holds and waits.
        sessions: those that are here.
    """

    def __init__(self, name: str, line: Line, sessions: Mapping[Owner, Session]) -> None:
        self._name = name
        self._line = line
        self._sessions = sessions

    def meaningless(self, ask: Acquire | Explain) -> Refused | None:
        """Why ``ask`` does not even come to the line; None if it does."""
        if ask.quantity < 1:
            return Refused(Refusal.INVALID, f"a quantity of {ask.quantity} has no meaning; ask for 1 or more")
        if ask.resource != self._name:
            try:
                served = parse(ask.resource).locker == self._name
            except InvalidName as error:
                return Refused(Refusal.INVALID, sentence(str(error)))
            if not served:
                return Refused(Refusal.INVALID, sentence(f"{ask.resource} is not served here; locate it first"))
        return None

    def busy(self, ask: Acquire, inside: Sequence[Owner], now: float) -> Refused:
        """It is not free for ``ask``, which would not wait."""
        why = self._why(self._line.explain(ask, now, inside=inside), now)
        return Refused(Refusal.BUSY, sentence(f"{self._name} is not free: {why}"))

    def timed_out(self, owner: Owner, given: float, now: float) -> Refused:
        """``owner`` has waited for as many seconds as it would."""
        why = self._why(self._line.explain_owner(owner, now), now)
        return Refused(Refusal.TIMED_OUT, sentence(f"{self._name} was not granted within {limit(given)}: {why}"))

    def deadlock(self, refused: Refused) -> Refused:
        """What the line says, about this resource."""
        return Refused(refused.why, f"{self._name} {refused.sentence}")

    def explain(self, owner: Owner, ask: Explain, inside: Sequence[Owner], now: float) -> Explained:
        """What would become of ``ask``; what has become of the request of ``owner``, if it is in line."""
        hold = self._line.holder(owner)
        if hold is not None:
            return Explained(True, 0, f"{self._name} is yours, for {span(now - hold.since)}")
        if self._line.waiting(owner):
            verdict = self._line.explain_owner(owner, now)
        else:
            request = Acquire(ask.resource, ask.epoch, ask.mode, ask.quantity, 0.0, ask.nest)
            verdict = self._line.explain(request, now, inside=inside)
        return Explained(verdict.granted, verdict.position, sentence(self._why(verdict, now)))

    def held(self, now: float) -> str:
        """By whom it is held, if it is: ``held by alice on node1, pid 4711 (make), for 12 s, and 1 more``."""
        return self._held(list(self._line.holds), now)

    def _why(self, verdict: Verdict, now: float) -> str:
        if verdict.granted:
            return f"{self._name} is free"
        if verdict.refused is not None:
            refused = verdict.refused
            return (self.deadlock(refused) if refused.why is Refusal.DEADLOCK else refused).sentence
        reasons = [self._held(verdict.blockers, now)] if verdict.blockers else []
        if verdict.ahead:
            first = self._line.waiter(verdict.ahead[0])
            waits = f"who waits for {span(now - first.since)}"
            reasons.append(f"behind {self._person(first.owner)}, {waits}{_more(verdict.ahead)}")
        return "; ".join(reasons) or "it is too early for the next one"

    def _held(self, owners: Sequence[Owner], now: float) -> str:
        first = self._line.holds[owners[0]]
        return f"held by {self._person(first.owner)}, for {span(now - first.since)}{_more(owners)}"

    def _person(self, owner: Owner) -> str:
        session = self._sessions.get(owner)
        return person_in_words(None) if session is None else person_in_words(session.who, session.origin.key)


def _more(owners: Sequence[Owner]) -> str:
    return f", and {len(owners) - 1} more" if len(owners) > 1 else ""
