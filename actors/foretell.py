"""What would become of a request for a resource that does not exist: what the incubator can say without a locker.

Pure: no socket, no clock; nothing is created.
"""

from __future__ import annotations

from ..transport.errors import InvalidName
from ..transport.messages import Acquire, Explain, Explained, Located, Refusal, Refused
from ..transport.names import parse
from .door import Session
from .lockers import Lockers
from .requests import Request, Requests
from .rules.kinds import resource_from_name
from .rules.line import Resource


def meaning(resource: str) -> tuple[str, Resource]:
    """What serves ``resource`` (its own name, or the root of its hierarchy), and its rules.

    Raises:
        InvalidName: it has no meaning.
    """
    name = parse(resource)
    return name.locker, resource_from_name(name, wall=lambda now: now)  # some names parse and still make no resource


def explain(session: Session, ask: Explain, lockers: Lockers, requests: Requests) -> Explained | Located | Refused:
    """Would ``ask`` be granted now? Or why does ``session`` wait for it?

    Returns:
        ``Located`` if a locker serves it, which knows more.
    """
    try:
        key, resource = meaning(ask.resource)
    except InvalidName as error:
        return Explained(False, 0, str(error))
    if key in lockers.dead:
        return Refused(Refusal.LOCKER_DIED, lockers.dead[key])
    if key in lockers.table:
        return lockers.table[key].located(session)
    refused = resource.refuses(Acquire(ask.resource, ask.epoch, ask.mode, ask.quantity, 0.0, ask.nest))
    if refused is not None:
        return Explained(False, 0, refused.sentence)
    return _of_nothing(ask.resource, requests.of(session), requests.queue(key))


def _of_nothing(resource: str, own: Request | None, queue: list[Request]) -> Explained:
    """What is to be said of a resource that does not exist, and for which ``queue`` waits."""
    place = queue.index(own) + 1 if own in queue else 0
    if any(request.ask.create for request in queue):
        return Explained(False, place, f"{resource} is just being created: its process is being started")
    if place:
        return Explained(False, place, f"nobody has created {resource} yet, and you asked not to create it")
    return Explained(True, 0, f"{resource} does not exist yet; it would be created and granted at once")
