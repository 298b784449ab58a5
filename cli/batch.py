"""``holdfast batch``: many commands, each of them under the lock, and one wrapper for all.

The rule: each command is run as ``holdfast run`` would run it, with the lock taken for it alone and others let in
between; what is saved is the start of a wrapper and the search for the lock. Nothing is kept back: a command that fails
is told at once, and the exit code tells of all of them, as that of ``xargs``.
"""

from __future__ import annotations

import os
import stat
from errno import EISDIR
from time import monotonic

from ..transport.errors import UsageError
from ..transport.repeated import Repeated
from .begin import ASKS_WHY
from .child import Signals, die_by, inherited
from .exits import CONFLICT, FAILED
from .lines import Source
from .options import RUN, Option
from .progress import Progress
from .run import ENDS_THE_WAIT, LONG, asked_for, element_for, granted, lock_from_settings
from .workers import Manner, Team

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from ..transport.settings import Settings
    from .options import Value
else:
    import _signal as signal

NOT_OURS = ("explain", "hold")  # options of ``run`` that have no meaning for many commands
AGAIN = 0.1  # seconds until it is asked again whether a signal came
MOMENT = 1.0  # seconds for what was said last to be read
MOST = 1000  # commands at a time
EACH = 2  # descriptors of a worker: its connection, and what tells that its command has ended
EACH_WITH_KEYS = 16  # libzmq, which ends the whole process where it finds none left, has ten of its own
SPARE = 8  # for all: two of a pipe, and what is open for a moment
OPTIONS = (
    *(option for option in RUN if option.name not in NOT_OURS),
    Option(("-j", "--jobs"), "jobs", "Run up to N at a time.", "N", "1"),
    Option(("--halt",), "halt", "Start no other command after one that failed."),
)


def batch(file: Value = "-", **options: Value) -> int:
    """Run the commands in FILE, one a line, each while holding the lock NAME.

    Without FILE, or where it is -, they are read from standard input. Words are quoted as in a shell.
    """
    jobs, halt, replace = _jobs(str(options.pop("jobs"))), bool(options.pop("halt")), str(options.pop("replace"))
    settings = asked_for(options)
    source, total = _read(str(file))
    count = jobs if total is None else min(jobs, total)
    _check_room(count, settings)
    began = monotonic()
    stops = {number for number in ENDS_THE_WAIT if signal.getsignal(number) != signal.SIG_IGN}
    progress = Progress(total, wanted=not settings.verbose)
    signals = Signals(ignored=settings.ignored_signals)
    team = Team(source, _manner(settings, replace, halt), signals, progress)
    team.run(lambda: _lock(settings, str(file), alone=count == 1), count, stops - signals.ignored, ASKS_WHY)
    team.teller.do(progress.close)
    team.teller.say(team.outcomes.summary(monotonic() - began, source.found))
    all_is_told = _wait_told(team)
    if team.stopped_by:
        code = die_by(team.stopped_by)
        return code if all_is_told else os._exit(code)  # else the interpreter would wait for who does not read
    if team.loss_is_told:
        return FAILED
    if team.errors:
        raise team.errors[0]
    return team.outcomes.exit_code(CONFLICT if settings.conflict_exit_code is None else settings.conflict_exit_code)


def _wait_told(team: Team) -> bool:
    """Wait until all is told, and if a signal tells us to stop, no longer than a moment; True: it is."""
    told = team.teller.mark()
    while not told.acquire(timeout=AGAIN):
        if team.stopped_by:
            return told.acquire(timeout=MOMENT)
    return True


def _jobs(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise UsageError(f"-j {text}: say how many commands may run at a time, from 1 to {MOST}")


def _check_room(count: int, settings: Settings) -> None:
    """See that ``count`` workers can have their descriptors: whoever found none left would have to stop all.

    Raises:
        UsageError: they cannot.
    """
    limit = os.sysconf("SC_OPEN_MAX")
    each = EACH_WITH_KEYS if settings.curve_server is not None else EACH
    room = max(0, (limit - _open_now() - SPARE) // each)
    if count > room:
        raise UsageError(f"-j {count}: the limit of open files, {limit} (ulimit -n), has room for {room} at a time")


def _open_now() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:  # /proc is not mounted here
        return SPARE


def _read(file: str) -> tuple[Source, int | None]:
    """The command lines in ``file``, and how many there are; None if that is not known before they are read.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        descriptor = _standard_input() if file == "-" else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        source = Source(descriptor)
        return source, source.count() if stat.S_ISREG(kind) else None
    except OSError as error:
        raise UsageError(f"cannot read {'standard input' if file == '-' else file}: {error.strerror}") from error


def _standard_input() -> int:
    """Our list; the commands find nothing on theirs, so that none of them eats what others are to do."""
    ours = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return ours


def _lock(settings: Settings, file: str, *, alone: bool) -> Repeated:
    """A worker's own; several would explain to each other that they wait for each other."""
    explain = LONG if settings.verbose else ... if alone else None
    lock = lock_from_settings(settings, ("holdfast", "batch", file), None, explain, Repeated)
    assert isinstance(lock, Repeated)
    return lock


def _manner(settings: Settings, replace: str, halt: bool) -> Manner:
    return Manner(
        environ=inherited(),
        arguments=element_for(replace),
        granted=(lambda line, lock: f"{line}: {granted(lock)}") if settings.verbose else lambda line, lock: "",
        kill_when_lost=settings.on_lost == "kill",
        halt=halt,
    )
