"""Would a lock be granted now, and why not? Asks those who know, and takes nothing.

The rule: nothing is created, nobody stands in a line, and no daemon is started. The incubator answers for a resource
that does not exist, its locker for one that does. Between the two answers the resource may go: then it is asked again
from the top, as often as for a lock.

Source: docs/protocol.md, "Explaining".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from time import sleep

from . import discover, identity
from .absent import absent
from .errors import HoldfastError, RemoteProtocolError, Unreachable
from .messages import Echo, Explain, Explained, Fault, Gone, Hello, Locate, Located, Mismatch, Refused, Welcome
from .session import ENDING, PAUSES, error_from_refusal
from .settings import Settings
from .target import shown_command_lines
from .wire import ID_SIZE, Message, decode, encode
from .zmtp import Closed, Wire

PATIENCE = 5.0  # seconds for each answer


@dataclass(frozen=True)
class Finding:
    """What the daemon says of a request."""

    why: Explained
    exists: bool  # the resource


def inquire(settings: Settings, environ: Mapping[str, str], ask: Locate) -> Finding | None:
    """Ask whether ``ask`` would be granted at this moment.

    Returns:
        None: no daemon is running.

    Raises:
        Unreachable: the daemon does not answer, or is too old to know.
        HoldfastError: it would be refused for good, and why.
    """
    who = identity.hello(os.urandom(ID_SIZE), environ, nest=ask.nest, command_lines=shown_command_lines(settings))
    met = ENDING
    for pause in (0.0, *PAUSES):
        sleep(pause)
        place = None
        try:
            wire = discover.find(settings)
            if wire is None:
                return None
            answer = _question(wire, who, ask, 0)
            exists = isinstance(answer, Located)
            if isinstance(answer, Located):
                place = wire.beside(answer.address)
                answer = _question(discover.enter(place), who, ask, answer.epoch)
        except (Closed, FileNotFoundError, ConnectionRefusedError) as error:  # who should answer is just ending
            met = absent(f"{ask.resource} is served", place, error)
            continue
        met = ENDING
        if isinstance(answer, Explained):
            return Finding(answer, exists)
        if not isinstance(answer, Gone):
            raise _wrong(answer, ask)
    raise Unreachable(f"{ask.resource}: no answer in {len(PAUSES) + 1} attempts: {met}")


def _question(wire: Wire, who: Hello, ask: Locate, epoch: int) -> Message:
    """Say who we are, ask, and hang up; the answer."""
    try:
        wire.send(encode(who))
        welcome = _hear(wire)
        if not isinstance(welcome, Welcome):
            return welcome
        question = Explain(ask.resource, epoch, ask.mode, ask.quantity, ask.nest)
        wire.send(encode(Echo(welcome.nonce)), encode(question))
        return _hear(wire)
    finally:
        wire.close()


def _hear(wire: Wire) -> Message:
    frame = wire.receive(PATIENCE)
    if frame is None:
        raise Unreachable(f"what listens at {wire.path} has not answered for {PATIENCE:g}s")
    return decode(frame)


def _wrong(answer: Message, ask: Locate) -> HoldfastError:
    match answer:
        case Refused():
            return error_from_refusal(answer, ask.resource)
        case Fault(sentence=sentence):
            return Unreachable(f"the daemon cannot explain, it may be of an older version: {sentence}")
        case Mismatch(sentence=sentence):
            return RemoteProtocolError(sentence)
    return RemoteProtocolError(f"{type(answer).__name__} came in answer to a question")
