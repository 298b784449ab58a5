"""The words that people choose among, and under which they see a session: lock modes, queue orders, standings."""

from __future__ import annotations

from enum import IntEnum


class Mode(IntEnum):
    """The six lock modes of the VAX/VMS lock manager; ``rules/modes.py`` says which may be held side by side."""

    NL = 0  # null
    CR = 1  # concurrent read
    CW = 2  # concurrent write
    PR = 3  # protected read: shared
    PW = 4  # protected write
    EX = 5  # exclusive


class Order(IntEnum):
    """Who is next; chosen by whoever creates the resource."""

    FIFO = 0  # first come, first served
    FIRST_FIT = 1  # FLoM's rule: whatever fits now


class Standing(IntEnum):
    """What a session is doing."""

    HOLDS = 1
    WAITS = 2  # in line
    PARKED = 3  # until somebody creates the resource
