"""The options of the table as click's, for whatever ``options.py`` does not judge: help, what is wrong, and commands
that nobody starts a thousand times.

The rule: a name, a word or a sentence stands in the table, and nothing of it is said here again.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from .options import Option
from .words import check_shown


def parameter(option: Option) -> click.Option:
    """``option`` as one of click's."""
    words = [*option.words, option.name]
    if not option.metavar:
        return click.Option(words, is_flag=True, help=option.help)
    if option.repeated:
        return click.Option(words, metavar=option.metavar, help=option.help, multiple=True)
    return click.Option(words, metavar=option.metavar, help=option.help, default=option.default)


def invoke(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Let click parse ``arguments`` and run ``command``; click's own handling of errors and signals stays out of it.

    Raises:
        click.UsageError: the command line has no meaning.
    """
    try:
        with command.make_context(program, list(arguments)) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as end:  # --help, --version
        check_shown()
        return end.exit_code
    return code if isinstance(code, int) else 0
