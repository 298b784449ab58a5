"""The words that people choose among or are told: lock modes, queue orders, standings, refusals, causes."""

from __future__ import annotations

from .members import IntEnum


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


class Refusal(IntEnum):
    """Why a request was refused."""

    BUSY = 1  # not free, and the client would not wait
    TIMED_OUT = 2  # the client waited as long as it said
    IMPOSSIBLE = 3  # can never be granted
    NO_SUCH_RESOURCE = 4  # create=no, and the client would not wait
    DEADLOCK = 5  # would wait for itself
    INVALID = 6  # the request has no meaning (name, mode, quantity)
    LOCKER_DIED = 7  # the resource's process died with the resource
    STOPPING = 8  # the daemon was stopped, or its incubator died
    EXHAUSTED = 9  # no process or descriptor left to serve it


class Cause(IntEnum):
    """Why a lock was lost."""

    STOPPED = 1  # the daemon was told to stop at once
    FAILED = 2  # the locker failed (our bug)
