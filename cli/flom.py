"""``flom``: FLoM's command line over the same story as ``holdfast run``.

The rule: what was written for FLoM 1.7.2 (command lines, scripts, configuration files) works unchanged, down to exit
codes and messages; where we differ on purpose, ``docs/flom.md`` says so. Options are in ``flom_options.py``, words in
``flom_texts.py``; here is the order in which things happen.

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NoReturn

import click

from ..transport import discover
from ..transport.client import Lock
from ..transport.control import stop_daemon
from ..transport.errors import HoldfastError, InvalidSetting
from ..transport.frozen import altered
from ..transport.settings import Settings
from ..transport.stderr import say
from ..transport.wire import Message
from .child import NotRunnable, die_by
from .exits import COMMAND_MISSING, FAILED, exit_code
from .flom_options import configured, consistent, number_from_text, options, parse_failure
from .flom_texts import SIGNALS, VERSION, Told, complain, dump, failed, refused, signal_list, tell, warn
from .main import guarded, invoke
from .run import Manner, hold, lock_from_settings

MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
NOT_OFFERED = 1  # what FLoM's debug features end with when they fail
UNTOUCHABLE = (signal.SIGKILL, signal.SIGSTOP)
NO_DAEMON, NONE_MAY_START, UNKNOWN_HOST, CONNECTION_LOST = -2, -105, -110, -130  # FLoM's numbers

Trace = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``flom`` with ``arguments`` (those of the process if None) and end the process."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(guarded(lambda: _told(words), "flom"))


def _told(arguments: Sequence[str]) -> int:
    """Run it, and tell what goes wrong in FLoM's words, or, where it has none, in ours."""
    try:
        return invoke(flom, "flom", arguments)
    except click.UsageError as error:
        complain(parse_failure(error, arguments))
        return FAILED
    except Told as error:
        if error.out:
            tell(*error.out)
        complain(*error.err)
        return error.code
    except HoldfastError as error:
        say(str(error), program="flom")
        return exit_code(error)


@click.command(options_metavar="[OPTION?]", context_settings={"max_content_width": 120})
@options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- command to execute]")
def flom(
    command: tuple[str, ...],
    config: str | None,
    debug_feature: str | None,
    *,
    version: bool,
    signal_list: bool,
    unique_id: bool,
    quiesce: bool,
    immediate: bool,
    **given: str | int | bool | tuple[str, ...] | None,
) -> int:
    """Lock a resource, execute the command, unlock."""
    if version or signal_list or unique_id:
        return _inform(version=version, signals=signal_list)
    loaded = configured(given, config, os.environ)
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
        now = datetime.now().isoformat(" ", timespec="microseconds")
        line = f"{now} [{os.getpid()}/{threading.get_native_id()}] {text}"
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
        interrupted=partial(die_by, always=True),
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
