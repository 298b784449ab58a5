"""How a process logs: one event, one line, a stable id.

``HFD022E a locker died with its resource  resource=printer``: the id, a sentence, then what belongs to it. The letter
says how bad it is, as in FLoM's ``FLM009W``: I information, W warning, E error. Secrets (session ids) are never
logged.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from signal import SIGUSR2

from ..transport.phrases import visible

EVENTS = {
    "HFD001I": "the daemon listens",
    "HFD002I": "the daemon ends",
    "HFD003I": "told to end when idle",
    "HFD004I": "told to end at once",
    "HFD005W": "the fork server died; the daemon ends when it is idle",
    "HFD006I": "the daemon listens on the network",
    "HFD007W": "anybody who can reach this daemon may use and stop it",
    "HFD010E": "an actor failed; this is a bug, please report it",
    "HFD020E": "a process cannot be started",
    "HFD021W": "a spare locker died",
    "HFD022E": "a locker died with its resource",
    "HFD023W": "a process did not end when told and was killed",
    "HFD024W": "a process beside the lockers died and is started again",
    "HFD025E": "a process beside the lockers keeps dying and is not started again before a minute is over",
    "HFD030W": "the incubator is gone; locks that are held stay until they are released",
    "HFD031W": "descriptors run out; new connections wait",
    "HFD032I": "descriptors are free again; new connections are let in",
    "HFD033W": "a note for whoever wants to start a daemon cannot be written",
    "HFD034W": "something came to a socket that is no client, or none that keeps to the protocol",
    "HFD035W": "the registry has no port; on other machines nobody sees who holds and waits",
    "HFD040I": "a dump is written",
    "HFD041W": "a dump cannot be written",
    "HFD042I": "a process is asked for its stack, which follows",
    "HFD050I": "the files are shown",
    "HFD051W": "the files are not shown; locks are the same without them",
    "HFD080I": "questions to the group are answered on these interfaces",
    "HFD081W": "datagrams to the group were passed over",
    "HFD082W": "the daemon is gone; its group is answered until the last of its locks is free",
}
_LEVELS = {"I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR}


def event(number: str, *, exc_info: bool = False, **facts: object) -> None:
    """Log one event of the table above with what belongs to it."""
    belongs = (f"{name}={visible(str(value))}" for name, value in facts.items())
    told = "  ".join((f"{number} {EVENTS[number]}", *belongs))
    logging.getLogger("holdfast").log(_LEVELS[number[-1]], told, exc_info=exc_info)


def configure(role: str, *, verbose: bool = False) -> None:
    """Let this process log to stderr, each line with the time, its pid and its role.

    One that was forked from a process that does so keeps what can be kept: what a child need not do makes it start
    sooner.
    """
    logger = logging.getLogger("holdfast")
    if not (logger.handlers and getattr(logger.handlers[0], "stream", None) is sys.stderr):
        logger.handlers[:] = [logging.StreamHandler(sys.stderr)]
        logger.propagate = False
        logging.raiseExceptions = False  # a full disk under the log is no reason for a traceback in it
    form = f"%(asctime)s {role}[{os.getpid()}] %(message)s"
    logger.handlers[0].setFormatter(logging.Formatter(form, validate=False))  # no more than a look at our own words
    level = logging.DEBUG if verbose else logging.INFO
    if logger.level != level:
        logger.setLevel(level)


def stacks_on_signal(*, chain: bool = False) -> None:
    """Let SIGUSR2 write the stacks of all threads to stderr, for somebody who looks for a fault.

    Args:
        chain: a handler that was there before is called too.
    """
    if sys.stderr is not None:  # closed when we started
        faulthandler.register(SIGUSR2, file=sys.stderr, all_threads=True, chain=chain)
