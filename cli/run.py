"""``holdfast run``: lock, run the command, unlock. The story is ``hold``; ``flom`` tells the same in its own words.

The rule: whatever happens, the lock is ours while the command runs and is given back when it has ended; and every
signal goes to whom it is meant for. While we wait in line a signal ends *us*, or asks us what we wait for; from the
grant on it is kept, and is the command's.
"""

from __future__ import annotations

import os

from ..transport import names
from ..transport.client import Lock
from ..transport.errors import Busy, HoldfastError, LockLost, TimedOut, UsageError
from ..transport.frozen import Frozen
from ..transport.settings import load
from ..transport.stderr import say
from .begin import ASKS_WHY
from .child import Child, NotRunnable, Signals, die_by, environment, inherited, start
from .exits import COMMAND_MISSING, FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import EllipsisType
    from typing import NoReturn

    from ..transport.settings import Loaded, Settings
    from ..transport.wire import Message
    from .options import Value
else:
    import _signal as signal

ENDS_THE_WAIT = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
LONG = 2.0  # seconds until a wait is explained with -v
MOMENT = 1.0  # seconds for a sentence to be read while we hold the lock


class Manner(Frozen):
    """In what ``holdfast run`` and ``flom`` differ."""

    arguments: Callable[[Sequence[str], str], list[str]]  # the command and the granted element → what is executed
    granted: Callable[[Lock], None]  # told before the command starts
    lost: Callable[[LockLost], None]  # told at once, while the command runs
    unlock_failed: Callable[[HoldfastError], None]
    kill_when_lost: bool = False
    ignored: Collection[int] = ()  # signals that end neither us nor the command while it runs
    interrupted: Callable[[int], int] = die_by  # how a signal ends us while we wait
    environ: Callable[[Lock], dict[str, str]] = environment  # what the command finds besides ours
    explains: bool = True  # whether a signal may ask why we wait


class Interrupted(BaseException):
    """A signal told us to stop waiting. Not an Exception: nobody on the way may take it for a fault of the network."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def hold(lock: Lock, command: Sequence[str], manner: Manner) -> int:
    """Lock, run the command, unlock.

    Returns:
        The exit code: the command's; 128+N if signal N ended it or us (after INT and QUIT we do not return at all); 99
        if the command succeeded without the lock.

    Raises:
        NotRunnable: there is no such command; the lock is given back.
        HoldfastError: the lock is not ours.
    """
    try:
        signals = wait_granted(lock, manner.ignored, ASKS_WHY if manner.explains else ())
    except Interrupted as interrupted:
        lock.close()
        return manner.interrupted(interrupted.number)
    manner.granted(lock)
    try:
        pid = start(manner.arguments(command, lock.element), {**inherited(), **manner.environ(lock)}, signals)
    except NotRunnable:
        _unlock(lock, manner, rolled_back=True)
        raise
    losses: list[LockLost] = []

    def lost(error: LockLost) -> bool:
        losses.append(error)
        manner.lost(error)
        return manner.kill_when_lost

    code = Child(pid, signals).wait(lock, lost)
    unlocked = not losses and _unlock(lock, manner, rolled_back=code != 0)
    if code < 0:
        return die_by(-code)
    return code if code or unlocked else FAILED


def wait_granted(lock: Lock, ignored: Collection[int], asks_why: Collection[int] = ()) -> Signals:
    """Wait in line, and block every signal once the lock is ours.

    Args:
        asks_why: signals that, unless ignored when we started, ask what we wait for.

    Raises:
        Interrupted: INT, QUIT, TERM or HUP (unless ignored when we started) came first; we may still be in line.
    """
    heard = [number for number in ENDS_THE_WAIT if signal.getsignal(number) != signal.SIG_IGN]

    def interrupt(number: int, frame: object) -> NoReturn:
        signal.pthread_sigmask(signal.SIG_BLOCK, heard)  # one is enough
        raise Interrupted(number)

    lock.bell, rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # A handler runs only between two steps of the interpreter: not if the signal comes after the last one before a
        # system call that sleeps. This is written to in the instant in which it comes.
        signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
        for number in asks_why:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)  # its number comes by the bell
        for number in heard:
            signal.signal(number, interrupt)
        lock.acquire()
        return Signals(ignored=ignored)
    finally:
        signal.set_wakeup_fd(-1)
        os.close(rope)
        os.close(lock.bell)


def _unlock(lock: Lock, manner: Manner, *, rolled_back: bool) -> bool:
    """Give the lock back and wait until the daemon has heard it; say so if it has not."""
    try:
        lock.release(rolled_back=rolled_back, wait=True)
    except HoldfastError as error:
        manner.unlock_failed(error)
        return False
    return True


def run(command: Sequence[str], *, explain: Value = False, **options: Value) -> int:
    """Run COMMAND while holding the lock NAME.

    Options end at the first word that is not one.
    """
    replace = str(options.pop("replace"))
    settings = asked_for(options)
    if explain:
        from .explain import tell_whether_free

        return tell_whether_free(settings)
    if not command:
        say("no command to run")
        return COMMAND_MISSING
    try:
        return hold(_lock(settings, command), command, _manner(settings, replace))
    except NotRunnable as error:
        say(str(error))
        return COMMAND_MISSING
    except (Busy, TimedOut) as error:
        if settings.conflict_exit_code is None:
            raise
        say(str(error))
        return settings.conflict_exit_code


def asked_for(said: Mapping[str, Value]) -> Settings:
    """What a command line asks for, with what files and environment say; warnings and sources are told.

    Args:
        said: by the names of the options of ``run``, all but ``explain`` and ``replace``.

    Raises:
        UsageError: it has no meaning, or names no resource.
    """
    options = dict(said)
    config = options.pop("config")
    loaded = load("holdfast", _given(options), os.environ, None if config is None else str(config))
    settings = loaded.settings
    for warning in loaded.warnings:
        say(warning)
    if settings.verbose:
        _tell(loaded)
    if not settings.name:
        raise UsageError("which resource? name one with -r NAME, or in a configuration file")
    if settings.quantity != 1 and names.parse(settings.name).kind is not names.Kind.NUMERIC:
        raise UsageError(f"{settings.name} has no units of which to take {settings.quantity}; a name such as x[5] has")
    return settings


def _lock(settings: Settings, command: Sequence[str]) -> Lock:
    kind = Lock
    if settings.hold != "wrapper":
        from .hold import kind_of_lock

        kind = kind_of_lock(settings)
    if settings.verbose:
        return lock_from_settings(settings, command, _tell_message, LONG, kind)
    return lock_from_settings(settings, command, None, ..., kind)


def lock_from_settings(
    settings: Settings,
    command: Sequence[str],
    tell: Callable[[Message], None] | None = None,
    explain: float | EllipsisType | None = None,
    kind: type[Lock] = Lock,
) -> Lock:
    """The lock that the settings describe; they must name a resource.

    Args:
        explain: as that of ``Lock``.
    """
    assert settings.name
    return kind(
        settings.name,
        settings.mode,
        quantity=settings.quantity,
        timeout=settings.timeout,
        create=settings.create,
        idle=settings.idle,
        order=settings.order,
        reason=settings.reason,
        nest=settings.nest,
        settings=settings,
        command=command,
        tell=tell,
        explain=explain,
    )


def _manner(settings: Settings, replace: str) -> Manner:
    environ = environment
    if settings.hold != "wrapper":
        from .hold import environment_with_descriptor as environ
    return Manner(
        arguments=element_for(replace),
        granted=_tell_granted if settings.verbose else lambda lock: None,
        lost=lambda error: say(str(error), patience=MOMENT),
        unlock_failed=lambda error: say(str(error)),
        kill_when_lost=settings.on_lost == "kill",
        ignored=settings.ignored_signals,
        environ=environ,
    )


def element_for(replace: str) -> Callable[[Sequence[str], str], list[str]]:
    """What puts the granted element, if there is one, into the place of each argument that is ``replace``."""
    return lambda words, element: [element if element and word == replace else word for word in words]


def _given(options: dict[str, Value]) -> dict[str, object]:
    """The command line in the words of the settings; what contradicts itself is refused."""
    flags = {
        name: bool(options.pop(name)) for name in ("shared", "exclusive", "no_wait", "no_create", "no_nest", "verbose")
    }
    if flags["shared"] + flags["exclusive"] + (options["mode"] is not None) > 1:
        raise UsageError("say the mode once: -s, -x or --mode")
    if flags["no_wait"] and options["timeout"] is not None:
        raise UsageError("-n does not wait, and -t says how long to wait: give one of them")
    words = {
        "mode": "PR" if flags["shared"] else "EX" if flags["exclusive"] else options["mode"],
        "timeout": "0" if flags["no_wait"] else options["timeout"],
        "create": False if flags["no_create"] else None,
        "nest": False if flags["no_nest"] else None,
        "verbose": True if flags["verbose"] else None,
    }
    return {**options, **words}


def _tell(loaded: Loaded) -> None:
    for setting in loaded.sources:
        say(f"{setting.replace('_', ' ')} {getattr(loaded.settings, setting)!s} ({loaded.source(setting)})")


def _tell_message(message: Message) -> None:
    from ..transport.messages import Located, Parked, Queued

    match message:
        case Located(address=address):
            say(f"located at {address}")
        case Parked():
            say("waiting until somebody creates the resource")
        case Queued(position=position):
            say(f"waiting in line, position {position}")


def _tell_granted(lock: Lock) -> None:
    say(granted(lock), patience=MOMENT)


def granted(lock: Lock) -> str:
    """What ``-v`` says of a grant."""
    element = f", element {lock.element}" if lock.element else ""
    return f"granted{element}, token {lock.token}, after {lock.waited:.3f}s"
