"""Exit codes: the only place with numbers.

The rule: one table, from error to code; an error that is not in it counts as the nearest of its ancestors that is. A
command that ran gives its own code, or 128 plus the signal that ended it.

Source: FLoM 1.7.2, EXIT STATUS of its manual; 128+N is the shells' way.
"""

from __future__ import annotations

from ..transport.errors import Busy, HoldfastError, NoSuchResource, TimedOut

SEVERAL = 1  # ``discover``: more than one daemon answers to a group
NOBODY = 3  # ``discover``: none does
NOT_THERE = 96  # the resource does not exist, was not to be created, and we were not to wait
COMMAND_MISSING = 97  # the command is missing or cannot be executed
CONFLICT = 98  # held by others: we were not to wait, or waited long enough
FAILED = 99  # everything else of ours
SOME_FAILED = 123  # ``batch``: a command failed, or could not be run; as xargs
SIGNALLED = 128  # + the signal's number

CODES: dict[type[HoldfastError], int] = {
    NoSuchResource: NOT_THERE,
    Busy: CONFLICT,
    TimedOut: CONFLICT,
    HoldfastError: FAILED,
}


def exit_code(error: HoldfastError) -> int:
    """The code with which a command ends because of ``error``."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def exit_code_from_signal(signal: int) -> int:
    """The code that tells a shell that ``signal`` ended the command."""
    return SIGNALLED + signal
