"""One question to a daemon over a wire that is open: who we are, what we ask, what it says.

The rule: an answer is bounded in time, and is an answer or a sentence. The wire stays the caller's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from . import identity
from .errors import HoldfastError, Unreachable
from .messages import Echo, Fault, Mismatch, Stop, Stopping, Welcome
from .phrases import too_old
from .wire import ID_SIZE, Message, decode, encode
from .zmtp import Closed, Wire

PATIENCE = 5.0  # seconds for each answer


def ask(wire: Wire, environ: Mapping[str, str], question: Message, *, since: int = 0, lacks: str = "") -> Message:
    """Introduce ourselves, ask, and hear the answer.

    Args:
        since: minor version of the protocol in which there is this question.
        lacks: what a daemon does not do that is older.

    Raises:
        Closed: the connection ended.
        Unreachable: there is no answer, or the daemon is too old to know the question.
        HoldfastError: it refused, and why.
    """
    wire.send(encode(identity.hello(os.urandom(ID_SIZE), environ)))
    welcome = _hear(wire)
    if not isinstance(welcome, Welcome):
        raise not_a_daemon()
    if welcome.minor < since:
        raise Unreachable(too_old(wire.path, lacks))
    wire.send(encode(Echo(welcome.nonce)), encode(question))
    return _hear(wire)


def ask_to_stop(wire: Wire, environ: Mapping[str, str], *, now: bool) -> bool:
    """Say Stop; False if the connection ended before the answer: so does the daemon, then.

    Raises:
        Unreachable, HoldfastError: as ``ask``.
    """
    try:
        answer = ask(wire, environ, Stop(now))
    except Closed:
        return False
    if isinstance(answer, Stopping):
        return True
    raise not_a_daemon()


def not_a_daemon() -> Unreachable:
    """What is said of an answer that belongs to another question."""
    return Unreachable("the daemon did not answer as one would; it may be of another version")


def _hear(wire: Wire) -> Message:
    frame = wire.receive(PATIENCE)
    if frame is None:
        raise Unreachable(f"the daemon at {wire.path} has not answered for {PATIENCE:g}s")
    message = decode(frame)
    if isinstance(message, Fault | Mismatch):
        raise HoldfastError(message.sentence)
    return message
