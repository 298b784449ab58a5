"""``holdfast run`` in a house of its own: options, exit codes, and what the command sees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from loaded import LIBRARY, OURS, loaded
from support import MARK, House

pytestmark = pytest.mark.slow


HANDED_DOWN = {f"HOLDFAST_{what}" for what in ("RESOURCE", "MODE", "QUANTITY", "ELEMENT", "TOKEN", "SESSION")}


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    """One house for all tests of this file, since none of them harms it."""
    with House() as built:
        yield built


def refused(house: House, *words: str) -> tuple[int, str]:
    ended = house.run("run", *words)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr.removeprefix("holdfast: ").removesuffix("\n")


@pytest.mark.parametrize("code", [0, 1, 96, 99, 255])
def test_the_exit_code_is_the_commands(shared: House, code: int) -> None:
    assert shared.run("run", "-r", "code", "--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize(("number", "code"), [(2, -2), (3, -3), (9, 137), (15, 143)])
def test_a_command_killed_by_a_signal_is_told_as_a_shell_does(shared: House, number: int, code: int) -> None:
    assert shared.run("run", "-r", "killed", "sh", "-c", f"kill -{number} $$").returncode == code


def test_the_three_streams_pass_through_untouched(shared: House) -> None:
    ended = shared.run("run", "-r", "streams", "sh", "-c", "cat; echo said >&2", input="a\0b\n")
    assert (ended.stdout, ended.stderr) == ("a\0b\n", "said\n")


def test_closed_streams_stay_closed(shared: House) -> None:
    """The lock's connection may take their numbers in the wrapper, never in the command."""
    script = 'exec "$@" <&- >&- 2>&-'
    words = ["sh", "-c", script, "sh", *shared.words("run", "-r", "closed", "sh", "-c", "[ ! -e /proc/$$/fd/0 ]")]
    assert shared.popen(words).wait() == 0


def test_no_descriptor_of_ours_reaches_the_command(shared: House) -> None:
    """``ls`` sees its own three streams, and 3, with which it reads the directory."""
    assert shared.run("run", "-r", "fds", "ls", "/proc/self/fd").stdout.split() == ["0", "1", "2", "3"]


def test_options_end_at_the_first_word_that_is_not_one(shared: House) -> None:
    assert shared.run("run", "-r", "words", "echo", "-r", "x", "--", "-n").stdout == "-r x -- -n\n"
    assert shared.run("run", "-r", "words", "--", "echo", "--", "-q").stdout == "-- -q\n"


def test_the_command_is_told_what_it_holds(shared: House) -> None:
    ended = shared.run("run", "-r", "told[5]", "-q", "3", "env")
    told = dict(line.split("=", 1) for line in ended.stdout.splitlines() if line.startswith("HOLDFAST_"))
    assert told["HOLDFAST_RESOURCE"] == "told[5]"
    assert told["HOLDFAST_MODE"] == "EX"
    assert told["HOLDFAST_QUANTITY"] == "3"
    assert told["HOLDFAST_ELEMENT"] == ""
    assert int(told["HOLDFAST_TOKEN"]) > 0
    assert len(bytes.fromhex(told["HOLDFAST_SESSION"])) == 16


def test_the_command_finds_the_environment_that_the_wrapper_was_given(shared: House) -> None:
    """Python adds LC_CTYPE to its own where the locale is C."""
    given = {
        "HOLDFAST_RUN_DIR": str(shared.run_dir),
        "PYTHONPATH": shared.environ["PYTHONPATH"],
        MARK: str(shared.path),
    }

    def found(more: dict[str, str]) -> dict[str, str]:
        words = shared.words("run", "-r", "environ", "/usr/bin/env")
        told = subprocess.run(words, env={**given, **more}, capture_output=True, text=True, check=True).stdout
        return {k: v for k, _, v in (line.partition("=") for line in told.splitlines()) if k not in HANDED_DOWN}

    for more in ({}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "C.UTF-8"}):
        assert found(more) == {**given, **more}


def test_the_granted_element_takes_the_place_of_the_word_for_it(shared: House) -> None:
    assert shared.run("run", "--idle", "1h", "-r", "a.b", "echo", "{}", "x{}").stdout == "a x{}\n"
    assert shared.run("run", "--idle", "1h", "-r", "a.b", "--replace", "%", "echo", "{}", "%").stdout == "{} b\n"


def test_where_no_element_is_handed_out_no_word_is_replaced(shared: House) -> None:
    assert shared.run("run", "-r", "plain", "echo", "{}").stdout == "{}\n"


def test_the_lock_is_held_while_the_command_runs_and_no_longer(shared: House) -> None:
    holder = shared.hold("-r", "held")
    code, sentence = refused(shared, "-r", "held", "-n", "true")
    assert code == 98
    assert "held" in sentence
    assert shared.let_go(holder) == 0
    assert shared.run("run", "-r", "held", "-n", "true").returncode == 0


def test_those_who_share_run_side_by_side_and_exclude_the_others(shared: House) -> None:
    holder = shared.hold("-r", "shared", "-s")
    assert shared.run("run", "-r", "shared", "-s", "-n", "true").returncode == 0
    assert refused(shared, "-r", "shared", "-x", "-n", "true")[0] == 98
    shared.let_go(holder)


def test_a_wait_ends_when_it_was_to_end(shared: House) -> None:
    holder = shared.hold("-r", "wait")
    code, sentence = refused(shared, "-r", "wait", "-t", "10ms", "true")
    assert code == 98
    assert "wait" in sentence
    shared.let_go(holder)


def test_the_exit_code_of_a_conflict_can_be_chosen(shared: House) -> None:
    holder = shared.hold("-r", "conflict")
    assert refused(shared, "-r", "conflict", "-n", "-E", "0", "true")[0] == 0
    assert refused(shared, "-r", "conflict", "-t", "0.01", "-E", "7", "true")[0] == 7
    shared.let_go(holder)


def test_a_waiter_gets_the_lock_when_the_holder_ends(shared: House) -> None:
    holder = shared.hold("-r", "handover")
    waiter = shared.spawn("run", "-r", "handover", "echo", "mine")
    shared.let_go(holder)
    assert waiter.communicate() == ("mine\n", "")


def test_a_resource_that_is_not_there_is_not_created_against_the_will(shared: House) -> None:
    assert refused(shared, "-r", "absent", "--no-create", "-n", "true")[0] == 96


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["true"], 99, "which resource? name one with -r NAME, or in a configuration file"),
        (["-r", "x"], 97, "no command to run"),
        (["-r", "x", "no-such-command"], 97, "cannot run 'no-such-command': command not found"),
        (["-r", "x", "/"], 97, "cannot run '/': it is a directory"),
        (["-s", "-x", "true"], 99, "say the mode once: -s, -x or --mode"),
        (["-s", "-l", "PR", "true"], 99, "say the mode once: -s, -x or --mode"),
        (["-n", "-t", "5", "true"], 99, "-n does not wait, and -t says how long to wait: give one of them"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(shared: House, words: list[str], code: int, sentence: str) -> None:
    assert refused(shared, *words) == (code, sentence)


@pytest.mark.parametrize(
    "words",
    [
        ["-r", "a b/c"],
        ["-r", "x", "-q", "0"],
        ["-r", "x", "-q", "-1"],
        ["-r", "x", "-l", "XX"],
        ["-r", "x", "-t", "soon"],
        ["-r", "x", "-E", "256"],
        ["-r", "x", "--order", "lifo"],
        ["-r", "x", "--on-lost", "cry"],
        ["-r", "num[2]", "-q", "3"],
        ["-r", "num[2]", "-q", "9223372036854775808"],
        ["-r", "x", "-q", "2"],
        ["-r", "a.b", "-q", "2"],
        ["-r", "/x/y", "-q", "2"],
        ["-r", "_s_x[5]", "-q", "2"],
        ["-r", "x", "-c", "/no/such/file"],
        ["-r", "x", "--socket", "/tmp/" + "x" * 108],
    ],
)
def test_a_value_without_meaning_is_refused_and_named(shared: House, words: list[str]) -> None:
    code, sentence = refused(shared, *words, "true")
    assert code == 99
    assert words[-1] in sentence


def test_a_command_that_cannot_run_gives_the_lock_back(shared: House) -> None:
    shared.run("run", "-r", "back", "no-such-command")
    assert shared.run("run", "-r", "back", "-n", "true").returncode == 0


def test_a_command_that_fails_rolls_its_number_back(shared: House) -> None:
    def number(script: str) -> str:
        return shared.run(
            "run", "--idle", "1h", "-r", "_S_rolled[9]", "sh", "-c", f'echo "$0"; {script}', "{}"
        ).stdout.strip()

    first = number("true")
    second = number("exit 1")
    assert number("kill -9 $$") == second
    assert number("true") == second != first


def test_a_verbose_command_tells_what_it_does(shared: House) -> None:
    said = shared.run("run", "-v", "-r", "x.y", "-t", "5", "true").stderr
    assert "holdfast: name x.y (command line)\n" in said
    assert "holdfast: run dir " in said
    assert "holdfast: granted, element x, token " in said


def test_a_program_reads_its_resource_from_a_file(shared: House) -> None:
    file = shared.path / "own.conf"
    file.write_text("[Resource]\nName=from.file\n")
    assert shared.run("run", "-c", str(file), "echo", "{}").stdout == "from\n"


def test_a_shell_that_started_a_wrapper_under_nohup_sees_it_survive(shared: House) -> None:
    words = [
        "sh",
        "-c",
        "trap '' HUP; exec \"$@\"",
        "sh",
        *shared.words("run", "-r", "nohup", "sh", "-c", "kill -1 $PPID"),
    ]
    process = shared.popen(words, stdout=subprocess.DEVNULL)
    assert process.wait() == 0


def test_a_run_loads_these_modules_and_no_other(shared: House) -> None:
    """Each module costs every command 0.1 ms, many of Python's own 1 to 15.

    Whoever sees this fail has added one to the way of a command for which nothing goes wrong. Load it where it is
    needed instead, inside the function that explains, fails or asks; or, if it is needed each time, measure what it
    costs, and add it here.
    """
    shared.run("run", "-r", "imports", "true")  # so that no daemon has to be started
    ours, library = loaded(shared, "holdfast", "run", "-r", "imports", "--", "true")
    assert ours == OURS
    assert library <= LIBRARY


BETWEEN = """
import os, signal, sys
from holdfast.cli.run import Manner, hold, lock_from_settings
from holdfast.transport.settings import load

lock = lock_from_settings(load("holdfast", {"name": "between"}, os.environ).settings, ["true"])
told = lambda error: None
manner = Manner(
    arguments=lambda command, element: list(command),
    granted=lambda lock: os.kill(os.getpid(), signal.SIGTERM),
    lost=told,
    unlock_failed=told,
)
sys.exit(hold(lock, sys.argv[1:], manner))
"""


def test_a_signal_between_the_grant_and_the_command_is_the_commands(shared: House) -> None:
    wrapper = shared.popen(
        [sys.executable, "-c", BETWEEN, "sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do read x; done"]
    )
    assert wrapper.wait() in (6, 143), "143: it came before the shell was ready for it"
    assert shared.run("run", "-r", "between", "-n", "true").returncode == 0
