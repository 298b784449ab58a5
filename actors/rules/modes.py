"""Which lock modes may be held side by side.

The one table of the house; ``CONFLICTS`` is derived from it. Source: the VAX/VMS distributed lock manager
(VAXcluster Principles, ch. 6), as FLoM has it. It is symmetric, and NL is beside everything.
"""

from __future__ import annotations

from ...transport.messages import Mode

#        asked: NL CR CW PR PW EX
_TABLE = """
    NL          ✓  ✓  ✓  ✓  ✓  ✓
    CR          ✓  ✓  ✓  ✓  ✓  -
    CW          ✓  ✓  ✓  -  -  -
    PR          ✓  ✓  -  ✓  -  -
    PW          ✓  ✓  -  -  -  -
    EX          ✓  -  -  -  -  -
"""  # row: held

CONFLICTS: tuple[tuple[Mode, ...], ...] = tuple(
    tuple(Mode(asked) for asked, cell in enumerate(row.split()[1:]) if cell == "-")
    for row in _TABLE.strip().splitlines()
)


def compatible(held: Mode, asked: Mode) -> bool:
    """May ``asked`` be granted while somebody else has ``held``?"""
    return asked not in CONFLICTS[held]
