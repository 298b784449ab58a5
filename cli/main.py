"""The command ``holdfast``: its sub-commands, and what becomes of everything that goes wrong in them.

The rule: a sub-command is imported only when it is asked for (``holdfast run`` pays for nothing else), and raises
freely. Here, and nowhere else, an error becomes a sentence on stderr and an exit code.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

import click

from ..transport.errors import HoldfastError
from ..transport.stderr import say
from .child import die_by
from .exits import FAILED, exit_code, exit_code_from_signal
from .words import check_shown

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a full disk or a dead terminal says
# Each is the object of that name in the module of that name.
COMMANDS = ("run", "batch", "status", "why", "serve", "mount", "umount", "stop", "dump", "discover", "config", "keygen")


class Commands(click.Group):
    """A group that imports a command when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``holdfast`` with ``arguments`` (those of the process if None) and end the process."""
    sys.exit(guarded(lambda: invoke(holdfast, "holdfast", sys.argv[1:] if arguments is None else arguments)))


def invoke(command: click.Command, program: str, arguments: Sequence[str]) -> int:
    """Let click parse ``arguments`` and run ``command``; click's own handling of errors and signals stays out of it."""
    try:
        with command.make_context(program, list(arguments)) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as end:  # --help, --version
        check_shown()
        return end.exit_code
    return code if isinstance(code, int) else 0


def guarded(story: Callable[[], int], program: str = "holdfast") -> int:
    """Run a whole command; whatever it raises becomes a sentence on stderr, after ``program``, and an exit code."""
    try:
        code = story()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        say(f"{error.format_message().rstrip('.')}{hint}", program=program)
        return FAILED
    except click.ClickException as error:
        say(error.format_message(), program=program)
        return FAILED
    except HoldfastError as error:
        say(str(error), program=program)
        return exit_code(error)
    except BrokenPipeError:
        _give_up_stdout()
        return exit_code_from_signal(signal.SIGPIPE)  # as any other program whose reader went away
    except KeyboardInterrupt:
        return die_by(signal.SIGINT)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            _give_up_stdout()
            say(f"what was asked for cannot be written: {error.strerror}", program=program)
            return FAILED
        import traceback

        told = traceback.format_exc().splitlines()
        say(f"internal error, please report it: {error!r}", *told, program=program)
        return FAILED


def _give_up_stdout() -> None:
    """So that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
