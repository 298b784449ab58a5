"""``flom``: FLoM's command line over the same story as ``holdfast run``.

The rule: what was written for FLoM 1.7.2 (command lines, scripts, configuration files) works unchanged, down to exit
codes and messages; where we differ on purpose, ``docs/flom.md`` says so. Options are in ``flom_options.py``, words in
``flom_texts.py``; here is the order in which things happen.

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import os
import sys

from ..transport.client import Lock
from ..transport.errors import HoldfastError, InvalidSetting
from ..transport.frozen import altered
from ..transport.settings import Settings
from ..transport.stderr import say
from .begin import all_is_loaded, end
from .child import NotRunnable, die_by
from .exits import COMMAND_MISSING, FAILED, exit_code
from .flom_options import OPTIONS, configured, consistent, not_parsed, number_from_text, numbered
from .flom_texts import SIGNALS, VERSION, Told, complain, dump, failed, refused, signal_list, tell, warn
from .main import guarded
from .options import read
from .run import Manner, hold, lock_from_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from typing import NoReturn

    import click

    from ..transport.wire import Message
    from .options import Value

    Trace = Callable[[str], None]
else:
    import _signal as signal

MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
NOT_OFFERED = 1  # what FLoM's debug features end with when they fail
UNTOUCHABLE = (signal.SIGKILL, signal.SIGSTOP)
NO_DAEMON, NONE_MAY_START, UNKNOWN_HOST, CONNECTION_LOST = -2, -105, -110, -130  # FLoM's numbers


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``flom`` with ``arguments`` (those of the process if None) and end the process."""
    words = sys.argv[1:] if arguments is None else arguments

    def story() -> int:
        all_is_loaded()
        return _told(words)

    end(guarded(story, "flom"))


def _told(arguments: Sequence[str]) -> int:
    """Run it, and tell what goes wrong in FLoM's words, or, where it has none, in ours."""
    try:
        line = read(OPTIONS, arguments, anywhere=True)
        if line is None:
            return _by_click(arguments)
        options, command = line
        return flom(command, **options)  # type: ignore[arg-type]  # the table says which are flags
    except Told as error:
        if error.out:
            tell(*error.out)
        complain(*error.err)
        return error.code
    except HoldfastError as error:
        say(str(error), program="flom")
        return exit_code(error)


def _by_click(arguments: Sequence[str]) -> int:
    """Show help, or say what is wrong.

    Raises:
        Told: something is.
    """
    import click

    from .parameters import invoke

    try:
        return invoke(click_command(), "flom", arguments)
    except click.UsageError as error:
        told = error.message
        if isinstance(error, click.NoSuchOption):
            whole = [word for word in arguments if word.partition("=")[0] == error.option_name]
            told = f"Unknown option {(whole or [error.option_name])[0]}"
        elif isinstance(error, click.BadOptionUsage) and error.option_name in arguments:
            told = f"Missing argument for {error.option_name}"
        raise not_parsed(told) from error


def click_command() -> click.Command:
    """``flom`` with the options of its table, as click wants it."""
    import click

    from .parameters import parameter

    made = click.Command("flom", {"max_content_width": 120}, flom, help=flom.__doc__, options_metavar="[OPTION?]")
    made = click.help_option("-h", "--help", help="Show these options.")(made)
    made.params += map(parameter, OPTIONS)
    made.params.append(click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="[-- command to execute]"))
    return made


def flom(
    command: Sequence[str],
    config: str | None,
    debug_feature: str | None,
    *,
    version: bool,
    signal_list: bool,
    unique_id: bool,
    quiesce: bool,
    immediate: bool,
    **given: Value,
) -> int:
    """Lock a resource, execute the command, unlock."""
    numbers = numbered(given)
    if version or signal_list or unique_id:
        return _inform(version=version, signals=signal_list)
    loaded = configured(numbers, config, os.environ)
    trace = _open_trace(loaded.settings, os.environ)
    for warning in loaded.warnings:
        say(warning, program="flom")
    if loaded.settings.verbose:
        tell(*dump(loaded.settings))
    settings = consistent(loaded.settings)
    if not _traced(os.environ):
        settings = altered(settings, daemon_trace_file=None)
    if debug_feature is not None:
        say(f"the debug feature '{debug_feature}' is not offered", program="flom")
        return NOT_OFFERED
    if quiesce or immediate:
        return _stop(settings, now=immediate)
    if not command:
        raise Told(err=("No command to execute!",), code=COMMAND_MISSING)
    return _lock_and_run(settings, command, trace)


def _inform(*, version: bool, signals: bool) -> int:
    """What is told without a look at any file: of version and signals both, else this machine's id."""
    if version:
        tell(VERSION)
    if signals:
        tell(signal_list())
    if not version and not signals:
        tell(_unique_id())
    return 0


def _unique_id() -> str:
    for path in MACHINE_IDS:
        try:
            with open(path) as file:
                return file.readline().strip()
        except OSError:
            continue
    raise HoldfastError(f"this machine has no id: there is neither {' nor '.join(MACHINE_IDS)}")


def _open_trace(settings: Settings, environ: Mapping[str, str]) -> Trace:
    """What writes a line of our trace: into its file, which is made in any case, or stderr; only with a mask."""
    path = settings.command_trace_file
    if path is not None:
        try:
            open(path, "a" if settings.append_trace_file else "w").close()
        except OSError as error:
            raise InvalidSetting(f"the trace file {path} cannot be written: {error.strerror}") from error
    if not _traced(environ):
        return lambda text: None

    def trace(text: str) -> None:
        from _thread import get_native_id
        from datetime import datetime

        now = datetime.now().isoformat(" ", timespec="microseconds")
        line = f"{now} [{os.getpid()}/{get_native_id()}] {text}"
        if path is None:
            complain(line)
            return
        with open(path, "a", errors="surrogateescape") as file:
            print(line, file=file)

    return trace


def _traced(environ: Mapping[str, str]) -> bool:
    try:
        return number_from_text(environ.get("FLOM_TRACE_MASK", "0")) != 0
    except ValueError:
        return False


def _stop(settings: Settings, *, now: bool) -> int:
    """End the daemon. That there is none is told by the exit code alone."""
    tell(f"Starting FLoM daemon {'immediate' if now else 'quiesce'} shutdown...")
    from ..transport import discover
    from ..transport.control import stop_daemon

    wire = discover.find(settings)
    if wire is None:
        return FAILED
    wire.close()
    stop_daemon(settings, os.environ, now=now)
    return 0


def _lock_and_run(settings: Settings, command: Sequence[str], trace: Trace) -> int:
    heard: list[Message] = []

    def listen(message: Message) -> None:
        heard.append(message)
        trace(str(message))

    lock = lock_from_settings(settings, command, listen)
    try:
        code = hold(lock, command, _manner(settings, trace))
    except NotRunnable:
        warn(f"Unable to execute command '{command[0]}'")
        return COMMAND_MISSING
    except HoldfastError as error:
        if heard:
            raise Told(err=(refused(error, settings.timeout),), code=exit_code(error)) from error
        line = failed("client_connect", _number(error, settings), error)
        raise Told(err=(line,), code=exit_code(error)) from error
    _regret(settings, "Warning: couldn't restore default behavior for {}:SIG{}")
    trace(f"the command has ended, exit code {code}")
    return code


def _number(error: HoldfastError, settings: Settings) -> int:
    """FLoM's number for why there is no daemon."""
    if isinstance(error, InvalidSetting):
        return UNKNOWN_HOST
    return NO_DAEMON if settings.lifespan != 0 and settings.autostart else NONE_MAY_START


def _manner(settings: Settings, trace: Trace) -> Manner:
    def granted(lock: Lock) -> None:
        trace(f"granted {lock.resource!r} element {lock.element!r} token {lock.token}")
        if lock.element and settings.verbose:
            tell(f"Locked element is '{lock.element}'")
        _regret(settings, "Warning: couldn't ignore signal {}:SIG{}")

    return Manner(
        arguments=lambda words, element: [*words, element] if element else list(words),
        granted=granted,
        lost=_tell_not_unlocked,
        unlock_failed=_tell_not_unlocked,
        ignored=settings.ignored_signals,
        interrupted=lambda number: die_by(number, always=True),
        explains=False,
    )


def _tell_not_unlocked(error: HoldfastError) -> None:
    complain(failed("client_unlock", CONNECTION_LOST, error))


def _regret(settings: Settings, sentence: str) -> None:
    """Say which signals nobody can ignore."""
    for number in UNTOUCHABLE:
        if number in settings.ignored_signals:
            complain(sentence.format(int(number), SIGNALS[number - 1]))


if __name__ == "__main__":
    main()
