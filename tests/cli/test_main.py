"""What becomes of everything that goes wrong: one sentence on stderr, one exit code."""

from __future__ import annotations

import builtins
import errno
import os
import subprocess
import sys
from typing import NoReturn

import pytest

from holdfast.cli import run as run_module
from holdfast.cli.commands import COMMANDS
from holdfast.cli.main import guarded, main
from holdfast.transport.errors import Busy, Deadlock, NoSuchResource, TimedOut, Unreachable, UsageError
from support import LIMIT, checkout_environ

CLOSED = "holdfast: what was asked for cannot be written: standard output is closed\n"


def ended(*words: str, stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
    process = subprocess.run(
        [sys.executable, "-m", "holdfast", *words],
        env=checkout_environ(),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return process.returncode, process.stdout or "", process.stderr


def fails(error: BaseException) -> int:
    def story() -> int:
        raise error

    return guarded(story)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoSuchResource("not there"), 96),
        (Busy("held"), 98),
        (TimedOut("late"), 98),
        (Deadlock("circle"), 99),
        (Unreachable("nobody"), 99),
        (UsageError("nonsense"), 99),
    ],
)
def test_an_error_becomes_one_sentence_and_its_exit_code(
    error: Exception, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fails(error) == code
    assert capfd.readouterr() == ("", f"holdfast: {error}\n")


def test_our_own_bug_is_told_with_all_that_finds_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert fails(ZeroDivisionError("oops")) == 99
    said = capfd.readouterr().err
    assert said.startswith("holdfast: internal error, please report it: ZeroDivisionError('oops')\nTraceback")


def test_a_fault_of_the_system_that_nobody_thought_of_is_our_bug(capfd: pytest.CaptureFixture[str]) -> None:
    assert fails(FileNotFoundError(2, "oops")) == 99
    assert "internal error" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x.py"), "Too many open files"),
        (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), "Too many open files in system"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "Too many open files"),
    ],
)
def test_that_no_descriptor_is_left_is_no_bug_of_ours(
    error: Exception, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fails(error) == 99
    assert capfd.readouterr() == ("", f"holdfast: cannot go on: {why}\n")


def test_a_bug_is_told_also_where_nothing_can_be_imported(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none_left(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.delitem(sys.modules, "traceback")
    monkeypatch.setattr(builtins, "__import__", none_left)
    code = fails(ZeroDivisionError("oops"))
    monkeypatch.undo()
    assert code == 99
    assert capfd.readouterr().err == "holdfast: internal error, please report it: ZeroDivisionError('oops')\n"


def test_an_unknown_option_is_refused_with_a_way_to_help() -> None:
    code, out, said = ended("run", "--no-such-option", "true")
    assert (code, out) == (99, "")
    assert said == "holdfast: No such option '--no-such-option' (see 'holdfast run --help')\n"


def test_an_unknown_command_is_refused() -> None:
    assert ended("walk") == (99, "", "holdfast: No such command 'walk' (see 'holdfast --help')\n")


def test_the_version_is_told() -> None:
    code, out, said = ended("--version")
    assert (code, said) == (0, "")
    assert out.split()[0] == "holdfast"
    assert out.split()[1][0].isdigit()


def test_help_lists_every_command_and_ends_well() -> None:
    code, out, _ = ended("--help")
    assert code == 0
    assert set(COMMANDS) <= {line.split()[0] for line in out.splitlines() if line.startswith("  ")}


@pytest.mark.parametrize("words", [[], ["config"]])
def test_without_a_command_the_help_is_shown_line_by_line(words: list[str]) -> None:
    code, out, said = ended(*words)
    _, helped, _ = ended(*words, "--help")
    assert (code, out) == (99, "")
    assert said == f"holdfast: which command?\n{helped}"


def test_a_reader_that_goes_away_is_no_reason_to_complain() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert ended("--help", stdout=writing)[::2] == (141, "")
    os.close(writing)


@pytest.mark.parametrize("words", [["--version"], ["config", "show"], ["run", "-h"]])
def test_a_full_stdout_is_told_in_a_sentence(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        code, _, said = ended(*words, stdout=full.fileno())
    assert (code, said) == (99, "holdfast: what was asked for cannot be written: No space left on device\n")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["config", "show"], ["run", "-h"]])
def test_a_closed_stdout_is_told_in_a_sentence(words: list[str]) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "holdfast", *words]
    told = subprocess.run(shell, env=checkout_environ(), stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
    assert (told.returncode, told.stderr) == (99, CLOSED)


def test_a_closed_stderr_changes_no_exit_code() -> None:
    words = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "holdfast", "walk"]
    assert subprocess.run(words, env=checkout_environ(), timeout=LIMIT, check=False).returncode == 99


def test_a_command_is_imported_only_when_it_is_asked_for() -> None:
    program = "import sys, holdfast.cli.commands; print([name for name in sys.modules if name in sys.argv])"
    unwanted = [f"holdfast.cli.{name}" for name in COMMANDS]
    told = subprocess.run(
        [sys.executable, "-c", program, *unwanted, "zmq", "fuse"],
        env=checkout_environ(),
        capture_output=True,
        text=True,
    )
    assert told.stdout == "[]\n"


def test_the_exit_code_of_a_command_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def run(command: tuple[str, ...], **options: object) -> int:
        asked.extend((command, options["name"], options["shared"]))
        return 7

    monkeypatch.setattr(run_module, "run", run)
    with pytest.raises(SystemExit) as caught:
        main(["run", "-sr", "x", "make", "-j4"])
    assert (caught.value.code, asked) == (7, [("make", "-j4"), "x", True])
