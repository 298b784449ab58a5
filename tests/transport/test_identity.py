"""Who we are, as we tell it; what cannot be found out is left empty."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys

import pytest

from holdfast.transport import identity
from holdfast.transport.errors import UsageError
from holdfast.transport.wire import decode, encode

ID = bytes(range(16))


def test_this_process_is_told_as_the_kernel_knows_it() -> None:
    hello = identity.hello(ID, {}, reason="nightly")
    assert (hello.session, hello.pid, hello.uid) == (ID, os.getpid(), os.geteuid())
    assert hello.host == os.uname().nodename
    assert hello.user == pwd.getpwuid(os.geteuid()).pw_name
    assert (hello.reason, hello.inside, hello.job) == ("nightly", (), "")
    assert len(hello.boot_id) == 36
    ps = subprocess.run(["ps", "-o", "etimes=", "-p", str(os.getpid())], capture_output=True, check=True)
    up = float(open("/proc/uptime").read().split()[0])  # noqa: SIM115  # it is /proc
    assert abs(up - hello.pid_started / os.sysconf("SC_CLK_TCK") - int(ps.stdout)) < 60
    assert decode(encode(hello)) == hello


def test_two_processes_have_two_starts() -> None:
    code = "from holdfast.transport.identity import hello; print(hello(bytes(16), {}).pid_started)"
    later = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONPATH": path()})
    assert int(later.stdout) > identity.hello(ID, {}).pid_started


def path() -> str:
    return os.pathsep.join(entry for entry in sys.path if entry)


@pytest.mark.parametrize(("shown", "expected"), [("full", "make -j4 all"), ("name", "make"), ("none", "")])
def test_as_much_of_the_command_line_is_shown_as_is_wanted(shown: str, expected: str) -> None:
    assert identity.hello(ID, {}, command=["make", "-j4", "all"], command_lines=shown).command == expected


@pytest.mark.parametrize("word", ["x" * 1000, "\N{SNOWMAN}" * 200, "\udce9" * 200])
def test_a_long_command_line_is_cut(word: str) -> None:
    hello = identity.hello(ID, {}, command=[word])
    assert 253 < len(hello.command.encode("utf-8", "surrogatepass")) <= 256
    assert word.startswith(hello.command)


def test_our_own_command_line_is_shown_where_no_other_is_given() -> None:
    assert identity.hello(ID, {}).command.startswith(sys.orig_argv[0])


@pytest.mark.parametrize("name", identity.JOBS)
def test_a_batch_job_is_told(name: str) -> None:
    assert identity.hello(ID, {name: "4711.server"}).job == "4711.server"


def test_what_is_no_session_is_passed_over() -> None:
    environ = {identity.SESSION: f"{'11' * 16}::nonsense:{'22' * 15}:{'33' * 16}"}
    assert identity.inherited(environ) == (b"\x11" * 16, b"\x33" * 16)
    assert identity.hello(ID, environ).inside == (b"\x11" * 16, b"\x33" * 16)
    assert identity.hello(ID, environ, nest=False).inside == ()


def test_of_too_many_sessions_the_innermost_are_told() -> None:
    environ = {identity.SESSION: ":".join(f"{number:032x}" for number in range(70))}
    inside = identity.hello(ID, environ).inside
    assert (len(inside), inside[-1]) == (64, (69).to_bytes(16, "big"))


def test_a_command_runs_inside_all_that_we_run_inside_and_us() -> None:
    assert identity.handed_down({}, ID) == ID.hex()
    assert identity.handed_down({identity.SESSION: "11" * 16}, ID) == f"{'11' * 16}:{ID.hex()}"


def test_a_reason_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than 4096 bytes"):
        identity.hello(ID, {}, reason="x" * 4097)


def test_an_unknown_user_and_a_missing_proc_leave_their_fields_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 2**31 - 7)
    monkeypatch.setattr(identity, "_first_line", lambda path: "")
    hello = identity.hello(ID, {})
    assert (hello.user, hello.boot_id, hello.pid_started) == ("", "", 0)
    assert decode(encode(hello)) == hello
