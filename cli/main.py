"""The command ``holdfast``, and what becomes of everything that goes wrong in it.

The rule: nothing is imported before it is needed (``holdfast run`` pays for nothing else, and lives from its first
millisecond on by the rule of ``begin.py``), and whoever is called raises freely. Here, and nowhere else, an error
becomes a sentence on stderr and an exit code. What that needs is there from the begin, and is what ``run`` needs
anyway: where no descriptors are left, nothing more can be imported.
"""

from __future__ import annotations

import errno
import os
import sys

from ..transport.errors import HoldfastError
from ..transport.stderr import say
from .begin import all_is_loaded, end, outlive_questions
from .exits import FAILED, exit_code, exit_code_from_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from typing import NoReturn
else:
    import _signal as signal

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a full disk or a dead terminal says
NO_DESCRIPTORS = (os.strerror(errno.ENFILE), os.strerror(errno.EMFILE))  # a library that cannot be loaded has no number


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``holdfast`` with ``arguments`` (those of the process if None) and end the process."""
    end(guarded(lambda: _run(sys.argv[1:] if arguments is None else list(arguments))))


def _run(words: list[str]) -> int:
    if words[:1] == ["run"]:
        outlive_questions()
        from .options import RUN, read

        line = read(RUN, words[1:])
        if line is not None:
            from .run import run

            all_is_loaded()
            options, command = line
            return run(command, **options)
    if words[:1] == ["batch"]:
        outlive_questions()
        from .batch import OPTIONS, batch
        from .options import read

        line = read(OPTIONS, words[1:], anywhere=True)
        if line is not None and len(line[1]) < 2:
            all_is_loaded()
            return batch(*line[1], **line[0])
    from .commands import run_holdfast

    all_is_loaded()
    return run_holdfast(words)


def guarded(story: Callable[[], int], program: str = "holdfast") -> int:
    """Run a whole command; whatever it raises becomes a sentence on stderr, after ``program``, and an exit code."""
    try:
        code = story()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        from .child import die_by

        return die_by(signal.SIGINT)
    except Exception as error:
        return _failed(error, program)


def _failed(error: Exception, program: str) -> int:
    if isinstance(error, HoldfastError):
        say(str(error), program=program)
        return exit_code(error)
    if isinstance(error, BrokenPipeError):
        _give_up_stdout()
        return exit_code_from_signal(signal.SIGPIPE)  # as any other program whose reader went away
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        _give_up_stdout()
        say(f"what was asked for cannot be written: {error.strerror}", program=program)
        return FAILED
    exhausted = next((text for text in NO_DESCRIPTORS if text in str(error)), None)
    if exhausted is not None and isinstance(error, OSError | ImportError):
        say(f"cannot go on: {exhausted}", program=program)
        return FAILED
    say(f"internal error, please report it: {error!r}", *_traceback(error), program=program)
    return FAILED


def _traceback(error: Exception) -> list[str]:
    try:
        import traceback
    except (OSError, ImportError):  # no descriptor is left for it
        return []
    return "".join(traceback.format_exception(error)).splitlines()


def _give_up_stdout() -> None:
    """So that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
