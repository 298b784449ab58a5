"""The first step of ``holdfast``: whoever asks a command by a signal why it waits does not end it while it is starting.

The rule: nothing is loaded here but what that needs, because loading the rest is most of the time that a command takes
to start. An early question is not answered, for nothing is waited for yet; ``run.py`` answers the later ones.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

ASKS_WHY = tuple(getattr(signal, name) for name in ("SIGINFO", "SIGUSR1") if hasattr(signal, name))


def main() -> NoReturn:
    """Run ``holdfast`` with the arguments of the process and end the process."""
    if sys.argv[1:2] == ["run"]:
        for number in ASKS_WHY:
            if signal.getsignal(number) is signal.SIG_DFL:  # what is ignored stays so, for the command as well
                signal.signal(number, lambda *_: None)
    from .main import main

    main()
