"""What was asked for, on standard output; what we say besides goes elsewhere (``transport/stderr.py``)."""

from __future__ import annotations

import sys

from ..transport.errors import HoldfastError


class NotShown(HoldfastError):
    """What was asked for has nowhere to go."""


def show(text: str, end: str = "\n") -> None:
    """Write asked-for output at once, as far as the encoding of standard output can tell it.

    Raises:
        NotShown: standard output is closed.
        OSError: it cannot be written.
    """
    check_shown()
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write((text + end).encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def check_shown() -> None:
    """See that there is a standard output.

    Raises:
        NotShown: it is closed.
    """
    if sys.stdout is None:  # so the interpreter found it when we started
        raise NotShown("what was asked for cannot be written: standard output is closed")
