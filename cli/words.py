"""What was asked for, on standard output; what we say besides goes elsewhere (``transport/stderr.py``)."""

from __future__ import annotations

import sys


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
