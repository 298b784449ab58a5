"""The options that say which daemon is meant, and with which keys; every command that speaks to one has the same.

The rule: the first three are one choice. Who gives two of them is told so by ``transport/settings.py``, and one of them
replaces whatever files and environment say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from .options import DAEMON

Function = TypeVar("Function", bound=Callable[..., object])


def daemon_options(function: Function) -> Function:
    """Let a command be told which daemon is meant, and the keys with which it is spoken to."""
    for option in reversed(DAEMON):
        function = click.option(*option.words, option.name, metavar=option.metavar, help=option.help)(function)
    return function
