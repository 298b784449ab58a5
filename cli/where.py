"""The options that say which daemon is meant, and with which keys; every command that speaks to one has the same.

The rule: the first three are one choice. Who gives two of them is told so by ``transport/settings.py``, and one of them
replaces whatever files and environment say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., object])

OPTIONS = (  # the parameter has the name of the setting
    click.option("--socket", metavar="PATH", help="The daemon's socket."),
    click.option("--endpoint", metavar="tcp://HOST:PORT", help="Where the daemon listens on the network."),
    click.option("--discover", "group", metavar="GROUP[:PORT]", help="The multicast group that it answers."),
    click.option("--curve-key", metavar="FILE", help="Your secret key, if it wants keys on the network."),
    click.option("--curve-server", metavar="KEY|FILE", help="Its public key, or the file that holds it."),
)


def daemon_options(function: Function) -> Function:
    """Let a command be told which daemon is meant, and the keys with which it is spoken to."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
