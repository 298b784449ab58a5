"""``flom`` with a daemon: the commands of FLoM's own documents, exit codes, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.cli import flom as module
from holdfast.cli.flom import main
from loaded import LIBRARY, OURS, loaded
from support import LIMIT, House, alive, wait_dead, wait_line

pytestmark = pytest.mark.slow


class Flom(House):
    """A house in which ``run`` and ``spawn`` take the words after ``flom``, a script of that name."""

    def __init__(self) -> None:
        super().__init__()
        self.environ |= {"HOME": str(self.path), "PATH": f"{self.path}:{self.environ['PATH']}"}
        script = self.path / "flom"
        script.write_text(f"#!{sys.executable}\nfrom holdfast.cli.flom import main\nmain()\n")
        script.chmod(0o755)

    def words(self, *words: str) -> list[str]:
        if words[:1] == ("stop",):
            return super().words(*words)
        return ["flom", *words]

    def hold(self, *words: str) -> subprocess.Popen[str]:  # type: ignore[override]  # the same in flom's words
        process = self.spawn(*words, "--", "sh", "-c", "echo held; exec cat")
        wait_line(process.stdout, "held")
        return process

    def wait(self, *words: str) -> subprocess.Popen[str]:
        """Start a flom that has to wait, and return when it stands in line."""
        process = self.spawn(*words, environ={"FLOM_TRACE_MASK": "1"})
        wait_line(process.stderr, "Queued(")
        return process

    def named_flom(self) -> list[int]:
        """What ``pgrep flom`` would show, of this house alone."""
        return [pid for pid in self.processes() if Path(f"/proc/{pid}/comm").read_text() == "flom\n"]


@pytest.fixture
def own() -> Iterator[Flom]:
    with Flom() as built:
        yield built


@pytest.fixture(scope="module")
def shared() -> Iterator[Flom]:
    """One house for all tests that do not harm it; its daemon lives as long as it."""
    with Flom() as built:
        assert built.run("-d", "-1", "--", "true").returncode == 0
        yield built


def ended(process: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return process.returncode, process.stdout, process.stderr


# --- the commands of FLoM's documents ---------------------------------------------------------------------------------


def test_a_command_is_run_and_a_daemon_started_for_it(own: Flom) -> None:
    code, out, err = ended(own.run("--", "ls", str(own.path)))
    assert (code, err) == (0, "")
    assert out == "flom\nrun\n"


def test_a_daemon_that_never_ends_is_the_one_process_named_flom(own: Flom) -> None:
    assert own.named_flom() == []
    assert ended(own.run("-d", "-1", "--", "true")) == (0, "", "")
    assert own.named_flom() == [own.daemon()]
    assert ended(own.run("-d", "0", "--", "echo", "x")) == (0, "x\n", "")


def test_what_does_not_fit_beside_the_holder_waits_for_it(shared: Flom) -> None:
    holder = shared.hold("-r", "num[3]", "-q", "2")
    waiter = shared.wait("-r", "num[3]", "-q", "2", "--", "echo", "mine")
    assert shared.let_go(holder) == 0
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"


def test_whatever_fits_goes_first(shared: Flom) -> None:
    holder = shared.hold("-r", "fit[3]", "-q", "2")
    waiter = shared.wait("-r", "fit[3]", "-q", "3", "--", "true")
    assert shared.run("-r", "fit[3]", "-o", "0", "--", "true").returncode == 0
    shared.let_go(holder)
    assert waiter.wait(LIMIT) == 0


def test_a_daemon_told_to_quiesce_serves_whom_it_has_and_ends(own: Flom) -> None:
    holder = own.hold("-d", "-1")
    daemon = own.daemon()
    assert ended(own.run("-x")) == (0, "Starting FLoM daemon quiesce shutdown...\n", "")
    assert alive(daemon)
    assert own.let_go(holder) == 0
    wait_dead(daemon)


def test_a_daemon_told_to_end_at_once_is_gone_when_the_command_returns(own: Flom) -> None:
    holder = own.hold("-d", "-1")
    waiter = own.wait("--", "true")
    assert ended(own.run("-X")) == (0, "Starting FLoM daemon immediate shutdown...\n", "")
    assert set(own.processes()) <= {holder.pid, waiter.pid, *_children(holder.pid)}
    assert wait_line(waiter.stderr, "ret_cod").startswith("flom_client_lock: ret_cod=-126 (")
    assert waiter.wait(LIMIT) == 99
    assert wait_line(holder.stderr, "ret_cod").startswith("flom_client_unlock: ret_cod=-130 (")
    assert own.let_go(holder) == 99


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize(("option", "word"), [("-x", "quiesce"), ("-X", "immediate")])
def test_that_there_is_no_daemon_to_end_is_told_by_the_exit_code(own: Flom, option: str, word: str) -> None:
    assert ended(own.run(option, "--", "true")) == (99, f"Starting FLoM daemon {word} shutdown...\n", "")


def test_of_two_ways_to_end_the_daemon_the_quick_one_counts(own: Flom) -> None:
    assert ended(own.run("-x", "-X")) == (99, "Starting FLoM daemon immediate shutdown...\n", "")


def test_settings_that_were_asked_for_and_cannot_be_shown_are_a_failure(shared: Flom) -> None:
    with open("/dev/full", "w") as full:
        process = shared.popen(shared.words("-V", "--", "sh", "-c", "echo ran >&2"), stdout=full)
        _, said = process.communicate(timeout=LIMIT)
    assert (process.returncode, said) == (99, "flom: what was asked for cannot be written: No space left on device\n")


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_reader_of_our_output_sees_its_end_though_a_daemon_was_started(own: Flom) -> None:
    process = own.popen(["sh", "-c", "flom -d -1 -- echo x 2>&1 | cat"], stdin=subprocess.DEVNULL)
    assert process.communicate(timeout=LIMIT)[0] == "x\n"
    assert own.named_flom() == [own.daemon()]


def test_a_lock_is_free_again_when_the_command_returns(shared: Flom) -> None:
    assert [shared.run("-r", "free", "-o", "0", "--", "true").returncode for _ in range(5)] == [0] * 5


@pytest.mark.parametrize("code", [0, 1, 96, 255])
def test_the_exit_code_is_the_commands(shared: Flom, code: int) -> None:
    assert shared.run("--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize(
    ("name", "element"),
    [("a.b", "<a>"), ("_s_a[2]", "<1>"), ("_t_%S[2]", r"<\d\d>"), ("a", ""), ("a[2]", ""), ("/a", "")],
)
def test_the_element_is_the_last_argument(shared: Flom, name: str, element: str) -> None:
    out = shared.run("-r", name, "--", "printf", "<%s>", "own").stdout
    assert re.fullmatch(f"<own>{element}", out)


def test_what_fails_or_is_killed_gives_its_number_back(shared: Flom) -> None:
    def number(script: str, code: int) -> str:
        process = shared.run("-i", "60000", "-r", "_S_back[9]", "--", "sh", "-c", f'echo "$0"; {script}')
        assert process.returncode == code
        return process.stdout

    assert number("exit 3", 3) == number("kill -9 $$", 137) == number("true", 0) == "1\n"
    assert number("true", 0) == "2\n"


def test_a_command_may_be_a_flom_again(shared: Flom) -> None:
    words = ["-r", "outer", "--", "flom", "-r", "inner", "--", "echo", "--", "-q"]
    assert ended(shared.run(*words)) == (0, "-- -q\n", "")


def test_without_two_dashes_the_words_that_are_no_options_are_the_command(shared: Flom) -> None:
    assert ended(shared.run("echo", "a", "-r", "c.d", "b")) == (0, "a b c\n", "")


def test_a_command_that_cannot_be_executed_is_told_as_glib_does(shared: Flom) -> None:
    code, out, err = ended(shared.run("-r", "_S_none[1]", "--", "no-such-command"))
    assert (code, out) == (97, "")
    warning = r"\n\*\* \(flom:\d+\): WARNING \*\*: [\d:.]{12}: Unable to execute command 'no-such-command'\n\n"
    assert re.fullmatch(warning, err)
    assert shared.run("-r", "_S_none[1]", "-o", "0", "--", "echo").stdout == "1\n"


def test_a_verbose_command_shows_settings_and_element_before_the_commands_output(shared: Flom) -> None:
    out = shared.run("-V", "-r", "v.w", "--", "echo").stdout.splitlines()
    assert out[29:] == ["Locked element is 'v'", "v"]


def test_the_users_own_file_is_read(shared: Flom) -> None:
    file = shared.path / ".flom"
    file.write_text("[Resource]\nName=from.file\n[Daemon]\n[Network]\n")
    try:
        assert shared.run("--", "echo").stdout == "from\n"
    finally:
        file.unlink()


def test_it_loads_what_a_run_loads_and_its_own_options_and_words(shared: Flom) -> None:
    """As ``test_run.py`` says: each module costs every command 0.1 ms, many of Python's own 1 to 15."""
    ours, library = loaded(shared, "flom", "-r", "imports", "--", "true")
    assert ours == OURS | {".cli.flom", ".cli.flom_options", ".cli.flom_texts"}
    assert library <= LIBRARY


# --- not granted ------------------------------------------------------------------------------------------------------


def test_each_refusal_has_its_words_and_its_code(shared: Flom) -> None:
    holder = shared.hold("-r", "held")

    def refused(*words: str) -> tuple[int, str, str]:
        return ended(shared.run(*words, "--", "echo"))

    busy = "Resource already locked, the lock cannot be obtained\n"
    late = "The lock was not obtained because timeout (20 milliseconds) expired\n"
    never = "Resource will never satisfy the request, the lock cannot be obtained\n"
    absent = "The resource could be available in the future, but the requester can't wait\n"
    assert refused("-r", "held", "-o", "0") == (98, "", busy)
    assert refused("-r", "held", "-o", "20") == (98, "", late)
    assert refused("-r", "absent", "-e", "no", "-o", "20") == (98, "", late)
    assert refused("-r", "absent", "-e", "no", "-o", "0") == (96, "", absent)
    for words in (["-r", "n[2]", "-q", "3"], ["-r", "n[0]"], ["-r", "_s_z[0]"], ["-r", "_t_%S[0]", "-o", "0"]):
        assert refused(*words) == (99, "", never)
    code, out, err = refused("-r", "_t_%Y[1]")
    assert (code, out) == (99, "")
    assert err.startswith("flom_client_lock: ret_cod=-126 (")
    shared.let_go(holder)


def test_where_none_may_be_started_a_missing_daemon_is_told(own: Flom) -> None:
    code, out, err = ended(own.run("-d", "0", "--", "true"))
    assert (code, out) == (99, "")
    assert err.startswith("flom_client_connect: ret_cod=-105 (no daemon is running at ")


def test_a_users_file_in_the_place_of_the_socket_is_left_alone(own: Flom) -> None:
    file = own.path / "mine"
    file.write_text("precious")
    code, out, err = ended(own.run("-s", str(file), "--", "true"))
    assert (code, out) == (99, "")
    assert err.startswith("flom_client_connect: ret_cod=-2 (")
    assert file.read_text() == "precious"


def test_a_socket_may_be_named(own: Flom) -> None:
    path = str(own.path / "s")
    try:
        assert ended(own.run("-s", path, "-d", "-1", "--", "true")) == (0, "", "")
        assert Path(path).is_socket()
        assert own.run("-d", "0", "--", "true").returncode == 99
    finally:
        assert own.run("-s", path, "-X").returncode == 0


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_who_waits_by_its_default_action(shared: Flom, number: signal.Signals) -> None:
    holder = shared.hold("-r", "line")
    waiter = shared.wait("-r", "line", "--", "true")
    waiter.send_signal(number)
    assert waiter.wait(LIMIT) == -number
    shared.let_go(holder)


def test_a_signal_to_flom_is_the_commands(shared: Flom) -> None:
    holder = shared.hold("-r", "forward")
    holder.send_signal(signal.SIGTERM)
    assert holder.wait(LIMIT) == 128 + signal.SIGTERM


def test_an_ignored_signal_reaches_nobody(shared: Flom) -> None:
    words = ["--ignore-signal", "SIGTERM", "--ignore-signal", "nonsense"]
    script = "kill -TERM $PPID; echo lived"
    assert ended(shared.run(*words, "--", "sh", "-c", script)) == (0, "lived\n", "")


def test_what_nobody_can_ignore_is_told(shared: Flom) -> None:
    code, out, err = ended(shared.run("--ignore-signal", "9", "--", "echo", "x"))
    assert (code, out) == (0, "x\n")
    told = "Warning: couldn't ignore signal 9:SIGKILL\nWarning: couldn't restore default behavior for 9:SIGKILL\n"
    assert err == told


def test_term_ends_the_daemon_at_once(own: Flom) -> None:
    assert own.run("-d", "-1", "-i", "60000", "--", "true").returncode == 0
    daemon = own.daemon()
    os.kill(daemon, signal.SIGTERM)
    wait_dead(daemon)


# --- traces -----------------------------------------------------------------------------------------------------------

LINE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[\d+/\d+\] .+"


def traced(house: Flom, *words: str) -> list[str]:
    process = house.run(*words, "--", "true", environ={"FLOM_TRACE_MASK": "0x1"})
    assert process.returncode == 0
    return process.stderr.splitlines()


def test_with_a_mask_the_command_traces_to_stderr(shared: Flom) -> None:
    lines = traced(shared)
    assert lines
    assert all(re.fullmatch(LINE, line) for line in lines)


def test_a_trace_file_is_made_in_any_case_emptied_and_filled_only_with_a_mask(shared: Flom) -> None:
    file = shared.path / "command.trace"
    file.write_text("old\n")
    assert ended(shared.run("-T", str(file), "--", "true")) == (0, "", "")
    assert file.read_text() == ""
    assert traced(shared, "-T", str(file)) == []
    first = file.read_text().splitlines()
    assert all(re.fullmatch(LINE, line) for line in first)
    traced(shared, "-T", str(file), "--append-trace-file", "yes")
    assert len(file.read_text().splitlines()) == 2 * len(first) > 0


def test_the_daemons_log_goes_to_its_trace_file_with_a_mask_only(own: Flom) -> None:
    file = own.path / "daemon.trace"
    assert own.run("-t", str(file), "--", "true").returncode == 0
    assert not file.exists()
    own.run("-X")
    file.write_text("old\n")
    traced(own, "-t", str(file), "--append-trace-file", "yes")
    own.run("-X")
    assert file.read_text().startswith("old\n")
    assert file.stat().st_size > len("old\n")
    traced(own, "-t", str(file))
    assert not file.read_text().startswith("old\n")


# --- without a daemon -------------------------------------------------------------------------------------------------


def told(words: Sequence[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert isinstance(caught.value.code, int)
    return (caught.value.code, *capfd.readouterr())


def test_version_and_signals_are_told_in_one_call_and_no_file_is_read(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(["--signal-list", "-v", "-c", "/no/such", "-r", "a_b"], capfd)
    assert (code, err) == (0, "")
    assert out.startswith("FLoM: Free Lock Manager\n")
    assert out.endswith("\t31) SIGSYS\t\n")


def test_help_shows_the_usage_and_every_option_in_floms_order(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(["-h"], capfd)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: flom [OPTION?] [-- command to execute]\n")
    shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", out, re.MULTILINE)
    assert (len(shown), shown[0], shown[4], shown[-1]) == (37, "--help", "--resource-name", "--debug-feature")


def test_the_machines_id_is_told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "id").write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(module, "MACHINE_IDS", (str(tmp_path / "none"), str(tmp_path / "id")))
    assert told(["--unique-id"], capfd) == (0, "0123456789abcdef0123456789abcdef\n", "")
    monkeypatch.setattr(module, "MACHINE_IDS", (str(tmp_path / "none"),))
    code, out, err = told(["--unique-id"], capfd)
    assert (code, out) == (99, "")
    assert err.startswith("flom: this machine has no id")


def test_no_command_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert told([], capfd) == (97, "", "No command to execute!\n")


def test_a_debug_feature_is_not_offered(capfd: pytest.CaptureFixture[str]) -> None:
    assert told(["--debug-feature=tls.server"], capfd)[:2] == (1, "")


def test_a_trace_file_that_cannot_be_written_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    sentence = "flom: the trace file /no/such/file cannot be written: No such file or directory\n"
    assert told(["-T", "/no/such/file", "true"], capfd) == (99, "", sentence)
