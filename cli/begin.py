"""The first and the last step of a command that somebody starts a thousand times.

The rule: nothing is loaded here but what that needs, because loading the rest is most of the time that a command takes
to start. Whoever asks it by a signal why it waits does not end it while it starts: an early question is not answered,
for nothing is waited for yet; ``run.py`` answers the later ones. Whoever interrupts it then (^C) ends it by that
signal, and sees no traceback of what was being loaded. And nobody looks for garbage in what is being loaded, nor clears
up an interpreter that is not used again.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import NoReturn
else:
    import _signal as signal

ASKS_WHY = tuple(getattr(signal, name) for name in ("SIGINFO", "SIGUSR1") if hasattr(signal, name))


def begin() -> None:
    """What comes before anything else is loaded; ``all_is_loaded`` takes it back. The scripts call it.

    That nobody looks for garbage meanwhile saves 2 ms.
    """
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # what is ignored stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def outlive_questions() -> None:
    """Pass over every signal that asks why, until there is an answer."""
    for number in ASKS_WHY:
        if signal.getsignal(number) == signal.SIG_DFL:  # what is ignored stays so, for the command as well
            signal.signal(number, lambda *_: None)


def all_is_loaded() -> None:
    """Look for garbage from here on, and never in what was loaded; an interruption is an exception again."""
    gc.freeze()
    gc.enable()
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def end(code: int) -> NoReturn:
    """End the process with ``code``, as ``sys.exit`` does; what was written must have been flushed.

    What the interpreter does last, to take apart all that was loaded, takes 3 ms and is of no use to anybody. Only
    threads would be waited for there, so whoever has some ends as ever.
    """
    if "threading" in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    os._exit(code)
