"""The first step of ``holdfast run``: whoever asks a command by a signal why it waits does not end it while it starts.

The rule: nothing is loaded here but what that needs, because loading the rest is most of the time that a command takes
to start. An early question is not answered, for nothing is waited for yet; ``run.py`` answers the later ones.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing it costs every command 2 ms; checkers know the name
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the same functions; signal itself makes enums of all their numbers, 3 ms

ASKS_WHY = tuple(getattr(signal, name) for name in ("SIGINFO", "SIGUSR1") if hasattr(signal, name))


def outlive_questions() -> None:
    """Pass over every signal that asks why, until there is an answer."""
    for number in ASKS_WHY:
        if signal.getsignal(number) == signal.SIG_DFL:  # what is ignored stays so, for the command as well
            signal.signal(number, lambda *_: None)
