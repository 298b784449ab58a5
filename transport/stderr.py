"""What we say to the person: on standard error, one line a sentence, with our name before it.

The rule: what is said can be seen, and obeys no terminal, wherever its words come from; and a standard error that is
closed or full changes nothing, because what runs is worth more than what we have to say about it. Standard output
belongs to the command and to asked-for output.
"""

from __future__ import annotations

import sys


def say(sentence: str, *below: str, program: str = "holdfast", patience: float | None = None) -> None:
    """Write ``program: sentence``, and the lines ``below`` it, if there is anybody to read them.

    Args:
        patience: seconds for who reads too slowly, or not at all (^S, a full pipe); then nothing is said. None: for
            ever. Who holds a lock has little of it.
    """
    if patience is not None and not _is_read(patience):
        return
    lines = [f"{program}: {sentence}", *below]
    if not all(map(str.isprintable, lines)):
        from .phrases import visible  # every command loads this file, and hardly any has need of that one

        lines = [visible(line) for line in lines]
    try:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # None, full, closed
        return


def _is_read(patience: float) -> bool:
    """Whether a few lines can be written without waiting for longer."""
    from select import POLLOUT, poll

    try:
        writable = poll()
        writable.register(sys.stderr.fileno(), POLLOUT)
        return bool(writable.poll(patience * 1000))
    except (AttributeError, OSError, ValueError):  # None, closed, no file
        return True
