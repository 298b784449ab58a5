"""``holdfast batch`` in a house of its own: which commands run, under which lock, and what is told of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from loaded import LIBRARY, OURS, loaded
from support import LIMIT, House

pytestmark = pytest.mark.slow

BESIDE_A_RUN = {
    ".cli.batch",
    ".cli.lines",
    ".cli.outcomes",
    ".cli.progress",
    ".cli.starter",
    ".cli.teller",
    ".cli.workers",
    ".transport.phrases",
    ".transport.repeated",
    ".transport.waiting",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[House]:
    """One house for all tests of this file that do not harm it."""
    with House() as built:
        yield built


def batch(house: House, lines: str, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, standard output, and what we said without our name."""
    ended = house.run("batch", *words, input=lines)
    return ended.returncode, ended.stdout, [one.removeprefix("holdfast: ") for one in ended.stderr.splitlines()]


def test_each_line_is_a_command_run_in_turn(shared: House) -> None:
    code, out, said = batch(shared, "echo a\n# none\n\necho 'b  c'\nprintf '%s\\n' d e\n", "-r", "turn")
    assert (code, out) == (0, "a\nb  c\nd\ne\n")
    assert len(said) == 1
    assert said[0].startswith("3 commands in ")


def test_the_list_may_be_a_file_and_then_standard_input_is_the_commands(shared: House) -> None:
    file = shared.path / "list"
    file.write_text("cat\necho end\n")
    ended = shared.run("batch", "-r", "file", str(file), input="theirs\n")
    assert (ended.returncode, ended.stdout) == (0, "theirs\nend\n")


def test_a_command_does_not_eat_the_list(shared: House) -> None:
    assert batch(shared, "readlink /proc/self/fd/0\necho here\n", "-r", "eat")[:2] == (0, "/dev/null\nhere\n")


def test_a_list_that_cannot_be_read_is_told_in_a_sentence(shared: House) -> None:
    code, _, said = batch(shared, "", "-r", "x", "/no/such/list")
    assert (code, said) == (99, ["cannot read /no/such/list: No such file or directory"])


def test_a_directory_is_no_list(shared: House) -> None:
    assert batch(shared, "", "-r", "x", "/") == (99, "", ["cannot read /: Is a directory"])


def test_an_empty_list_is_done(shared: House) -> None:
    code, _, said = batch(shared, "\n", "-r", "empty", "/dev/null")
    assert code == 0
    assert said == ["0 commands in 0.0s, 0 failed; waited 0.0s for the lock in all"]


def test_what_fails_is_told_and_the_others_run_on(shared: House) -> None:
    lines = "sh -c 'exit 3'\nno-such-command\necho 'open\nsh -c 'kill -9 $$'\necho last\n"
    code, out, said = batch(shared, lines, "-r", "fails")
    assert (code, out) == (123, "last\n")
    assert said[:-1] == [
        "line 1 (sh -c 'exit 3'): exit code 3",
        "line 2 (no-such-command): cannot run 'no-such-command': command not found",
        "line 3 (echo 'open): no closing quotation",
        "line 4 (sh -c 'kill -9 $$'): killed by signal 9",
    ]
    assert said[-1].startswith("3 commands in ")
    assert ", 2 failed; 2 could not be run; longest " in said[-1]


def test_who_cannot_be_read_any_more_ends_the_list(shared: House) -> None:
    code, _, said = batch(shared, "true\nsh -c 'kill -PIPE $$'\n" + "echo never\n" * 3, "-r", "pipe")
    assert code == 123
    assert said[0] == "line 2 (sh -c 'kill -PIPE $$'): killed by signal 13"
    assert said[-1].startswith("2 commands in ")
    assert ", 1 failed; 3 not run; " in said[-1]


def test_after_the_first_failure_nothing_starts_if_so_wanted(shared: House) -> None:
    code, out, said = batch(shared, "echo a\nfalse\necho b\n", "-r", "halt", "--halt")
    assert (code, out) == (123, "a\n")
    assert "2 commands in " in said[-1]
    assert "; 1 not run; " in said[-1]
    file = shared.path / "three"
    file.write_text("true\nfalse\necho b\n")
    assert "; 1 not run; " in shared.run("batch", "-r", "halt", "--halt", str(file)).stderr


def test_the_lock_is_held_while_a_command_runs_and_free_for_others_between(shared: House) -> None:
    inside = "sh -c '! " + " ".join(shared.words("run", "-r", "held", "--no-nest", "-n", "true")) + " 2>/dev/null'\n"
    assert batch(shared, inside * 2, "-r", "held")[0] == 0
    assert shared.run("run", "-r", "held", "-n", "true").returncode == 0


def test_the_granted_element_takes_the_place_of_the_word_for_it(shared: House) -> None:
    code, out, _ = batch(shared, "echo {}\necho {}\n", "-r", "gpu0.gpu1")
    assert code == 0
    assert set(out.split()) <= {"gpu0", "gpu1"}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_commands_get_the_bytes_of_the_list_in_every_locale(shared: House, locale: str) -> None:
    plain = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    lines = "printf %s € ü\nprintf %s 'ü'\n".encode() + b"printf %s \xff\n"
    ended = shared.run("batch", "-r", "bytes", environ=plain, input=lines, text=False)
    assert (ended.returncode, ended.stdout) == (0, "€üü".encode() + b"\xff")


def test_a_command_whose_lock_is_not_to_be_had_is_left_out(shared: House) -> None:
    holder = shared.hold("-r", "busy")
    code, out, said = batch(shared, "echo a\necho b\n", "-r", "busy", "-n")
    assert (code, out) == (98, "")
    assert said[0].startswith("line 1 (echo a) not run: ")
    assert "; 2 not run; " in said[-1]
    assert "waited 0.0s" not in batch(shared, "echo a\n", "-r", "busy", "-t", "200ms")[2][-1]
    assert batch(shared, "echo a\n", "-r", "busy", "-t", "10ms", "-E", "7")[0] == 7
    shared.let_go(holder)


def test_what_can_never_be_granted_ends_all(shared: House) -> None:
    code, out, said = batch(shared, "echo a\necho b\n", "-r", "units[2]", "-q", "3")
    assert (code, out) == (99, "")
    assert len(said) == 2


def test_verbose_tells_of_each_grant(shared: House) -> None:
    _, _, said = batch(shared, "true\n", "-r", "told", "-v")
    assert any(one.startswith("line 1 (true): granted, token ") for one in said)


@pytest.mark.parametrize(
    "words",
    [
        ["-j", "0"],
        ["-j", "x"],
        ["-j", ""],
        ["-j", "1001"],
        ["-j", "9" * 5000],
        ["--explain"],
        ["--hold=tree"],
        ["a", "b"],
    ],
)
def test_an_option_without_meaning_is_refused(shared: House, words: list[str]) -> None:
    assert batch(shared, "true\n", "-r", "x", *words)[0] == 99


@pytest.mark.parametrize(("limit", "jobs"), [(6, 1), (8, 8), (24, 64)])
def test_more_at_a_time_than_there_are_descriptors_for_is_refused(shared: House, limit: int, jobs: int) -> None:
    """A worker that found none left would end all, in the middle of the list."""
    code, said = with_few_descriptors(shared, limit, jobs)
    told = f"holdfast: -j {jobs}: the limit of open files, {limit} \\(ulimit -n\\), has room for (\\d+) at a time\n"
    refused = re.fullmatch(told, said)
    assert code == 99
    assert refused is not None
    room = int(refused[1])
    if room:
        assert with_few_descriptors(shared, limit, room)[0] == 0


def with_few_descriptors(house: House, limit: int, jobs: int) -> tuple[int, str]:
    """Exit code of a batch, and what it said."""
    words = [*house.words("batch", "-r", "few", "-s", "-j", str(jobs))]
    process = house.popen(["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *words])
    _, said = process.communicate("true\n" * 64, timeout=LIMIT)
    return process.returncode, said


def test_a_batch_loads_these_modules_beside_those_of_a_run_and_no_other(shared: House) -> None:
    """See that of ``run``: no click, no threading, no dataclasses, and no bar where nobody looks on."""
    (shared.path / "few").write_text("true\n")
    shared.run("run", "-r", "imports", "true")
    ours, library = loaded(shared, "holdfast", "batch", "-r", "imports", str(shared.path / "few"))
    assert ours - OURS == BESIDE_A_RUN
    assert library <= LIBRARY | {"warnings"}  # that is os.get_exec_path
