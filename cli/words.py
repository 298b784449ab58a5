"""What we say to the person: on stderr, one line a sentence, with our name before it; and what was asked for.

Standard output belongs to the command and to asked-for output. A stderr that is closed or full changes nothing: what
runs is worth more than what we have to say about it.
"""

from __future__ import annotations

import sys
from contextlib import suppress


def say(sentence: str, *, program: str = "holdfast") -> None:
    """Write ``program: sentence`` on stderr, if there is anybody to read it."""
    if sys.stderr is None:  # closed when we started
        return
    with suppress(OSError):
        sys.stderr.write(f"{program}: {sentence}\n")
        sys.stderr.flush()


def show(text: str, end: str = "\n") -> None:
    """Write asked-for output at once, as far as the encoding of standard output can tell it; nothing if that is closed.

    Raises:
        OSError: it cannot be written.
    """
    if sys.stdout is None:  # closed when we started
        return
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write((text + end).encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
