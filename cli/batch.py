"""``holdfast batch``: many commands, each of them under the lock, and one wrapper for all.

The rule: each command is run as ``holdfast run`` would run it, with the lock taken for it alone and others let in
between; what is saved is the start of a wrapper and the search for the lock. Nothing is kept back: a command that fails
is told at once, and the exit code tells of all of them, as that of ``xargs``.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from time import monotonic
from typing import TextIO

import click

from ..transport.client import Lock
from ..transport.errors import UsageError
from ..transport.settings import Settings
from ..transport.stderr import say
from .child import Signals, die_by, inherited
from .exits import CONFLICT
from .lines import Line, commands
from .options import RUN
from .parameters import parameter
from .progress import Progress
from .run import ENDS_THE_WAIT, LONG, asked_for, lock_from_settings
from .workers import Manner, Team

NOT_OURS = ("explain", "hold")  # options of ``run`` that have no meaning for many commands


def _batch(file: str, jobs: int, halt: bool, replace: str, **options: str | bool | None) -> int:
    """Run the commands in FILE, one a line, each while holding the lock NAME.

    Without FILE, or where it is -, they are read from standard input. Words are quoted as in a shell.
    """
    settings = asked_for(options)
    lines, total = _read(file)
    began = monotonic()
    stops = {number for number in ENDS_THE_WAIT if signal.getsignal(number) is not signal.SIG_IGN}
    progress = Progress(total, wanted=not settings.verbose)
    signals = Signals(ignored=settings.ignored_signals)
    team = Team(lines, _manner(settings, replace, halt), signals, progress)
    count = jobs if total is None else min(jobs, total)
    team.run([_lock(settings, file, alone=count == 1) for _ in range(count)], stops - signals.ignored)
    progress.close()
    say(team.outcomes.summary(monotonic() - began))
    if team.stopped_by:
        return die_by(team.stopped_by)
    if team.errors:
        raise team.errors[0]
    return team.outcomes.exit_code(CONFLICT if settings.conflict_exit_code is None else settings.conflict_exit_code)


batch = click.Command(
    "batch",
    callback=_batch,
    help=_batch.__doc__,
    context_settings={"max_content_width": 120},
    params=[
        *(parameter(option) for option in RUN if option.name not in NOT_OURS),
        click.Option(["-j", "--jobs"], type=click.IntRange(1), metavar="N", default=1, help="Run up to N at a time."),
        click.Option(["--halt"], is_flag=True, help="Start no other command after one that failed."),
        click.Argument(["file"], default="-"),
    ],
)


def _read(file: str) -> tuple[Iterator[Line], int | None]:
    """The command lines in ``file``, and how many there are; None if that is not known before they are read.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        stream = _standard_input() if file == "-" else _text(os.open(file, os.O_RDONLY | os.O_CLOEXEC))
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return commands(stream), None
        with stream:
            lines = list(commands(stream))
    except OSError as error:
        raise UsageError(f"cannot read {'standard input' if file == '-' else file}: {error.strerror}") from error
    return iter(lines), len(lines)


def _standard_input() -> TextIO:
    """Our list; the commands find nothing on theirs, so that none of them eats what others are to do."""
    stream = _text(os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stream


def _text(descriptor: int) -> TextIO:
    return open(descriptor, encoding="utf-8", errors="surrogateescape", newline="\n")


def _lock(settings: Settings, file: str, *, alone: bool) -> Lock:
    """A worker's own; several would explain to each other that they wait for each other."""
    return lock_from_settings(
        settings, ("holdfast", "batch", file), None, LONG if settings.verbose else ... if alone else None
    )


def _manner(settings: Settings, replace: str, halt: bool) -> Manner:
    return Manner(
        environ=inherited(),
        arguments=lambda words, element: [element if element and word == replace else word for word in words],
        granted=_tell_granted if settings.verbose else lambda line, lock: None,
        kill_when_lost=settings.on_lost == "kill",
        halt=halt,
    )


def _tell_granted(line: Line, lock: Lock) -> None:
    element = f", element {lock.element}" if lock.element else ""
    say(f"{line}: granted{element}, token {lock.token}, after {lock.waited:.3f}s")
