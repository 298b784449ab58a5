"""What we say to the person: on standard error, one line a sentence, with our name before it.

The rule: what is said can be seen, and obeys no terminal, wherever its words come from; and a standard error that is
closed or full changes nothing, because what runs is worth more than what we have to say about it. Standard output
belongs to the command and to asked-for output.
"""

from __future__ import annotations

import sys


def say(sentence: str, *below: str, program: str = "holdfast") -> None:
    """Write ``program: sentence``, and the lines ``below`` it, if there is anybody to read them."""
    lines = [f"{program}: {sentence}", *below]
    if not all(map(str.isprintable, lines)):
        from .phrases import visible  # every command loads this file, and hardly any has need of that one

        lines = [visible(line) for line in lines]
    try:
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # None, full, closed
        return
