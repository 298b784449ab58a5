"""``holdfast`` as click knows it: its sub-commands, of which only the one that is asked for is imported.

The rule: nobody comes here whose command line ``options.py`` can read, so what is slow to start here costs only those
who ask for help, or for something that is not ``run``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

import click

from ..transport.errors import UsageError
from ..transport.stderr import say
from .exits import FAILED
from .options import RUN
from .parameters import invoke, parameter

# But for the first two, each is the object of that name in the module of that name.
COMMANDS = ("run", "batch", "status", "why", "serve", "mount", "umount", "stop", "dump", "discover", "config", "keygen")
NO_ARGUMENTS: tuple[type[click.UsageError], ...] = (  # to a group of commands; click 8.1 shows its help instead
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()
)
COMPLETE = "_HOLDFAST_COMPLETE"  # by which a shell asks what could come next; it gives us no arguments then


class Commands(click.Group):
    """A group that imports a command when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "run":
            return run_command()
        if cmd_name == "batch":
            return batch_command()
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


def run_command() -> click.Command:
    """``holdfast run`` with the options of its table."""
    from .run import run

    return click.Command(
        "run",
        callback=run,
        help=run.__doc__,
        context_settings={"allow_interspersed_args": False, "max_content_width": 120},
        params=[*map(parameter, RUN), click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)],
    )


def batch_command() -> click.Command:
    """``holdfast batch`` with the options of its table."""
    from .batch import OPTIONS, batch

    return click.Command(
        "batch",
        callback=batch,
        help=batch.__doc__,
        context_settings={"max_content_width": 120},
        params=[*map(parameter, OPTIONS), click.Argument(["file"], default="-")],
    )


def _tell_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from .. import __version__  # costs a look into the installed packages

        click.echo(f"holdfast {__version__}")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help="Show the version."
)
def holdfast() -> None:
    """A lock manager for commands and programs."""


def run_holdfast(arguments: Sequence[str]) -> int:
    """Run ``holdfast`` with ``arguments``, or tell a shell how they could go on.

    Returns:
        The exit code.

    Raises:
        UsageError: click cannot make sense of them.
    """
    wanted = os.environ.get(COMPLETE)
    if wanted:
        from click.shell_completion import shell_complete

        return shell_complete(holdfast, {}, "holdfast", COMPLETE, wanted)
    try:
        return invoke(holdfast, "holdfast", arguments)
    except NO_ARGUMENTS as error:
        say("which command?", *error.format_message().splitlines())
        return FAILED
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        raise UsageError(f"{error.format_message().rstrip('.')}{hint}") from error
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error
