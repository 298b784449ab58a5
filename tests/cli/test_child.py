"""The command inside the wrapper: real processes, real signals, and a socket pair in the place of the lock."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from holdfast.cli import child
from holdfast.cli.child import SI_KERNEL, NotRunnable, Signals, environment, start
from holdfast.transport import identity
from holdfast.transport.client import Lock
from holdfast.transport.messages import Granted, Mode
from holdfast.transport.settings import Settings
from support import LIMIT, checkout_environ

WRAPPER = """
import os, socket, sys
from holdfast.cli import child
from holdfast.transport.errors import LockLost

class Held(socket.socket):
    def check(self):
        try:
            if self.recv(100, socket.MSG_DONTWAIT) == b"":
                raise LockLost("lost")
        except BlockingIOError:
            pass

def lost(error):
    print("lost", flush=True)
    return "kill" in options

options, ignored, command = sys.argv[1].split(","), [int(n) for n in sys.argv[2].split()], sys.argv[3:]
child.GRACE = 0.01
held = Held(fileno=int(os.environ["HELD"]))
signals = child.Signals(ignored=ignored)
process = child.Child(child.start(command, os.environ, signals), signals)
code = process.wait(held, lost)
print("ended", code, flush=True)
sys.exit(child.die_by(-code) if code < 0 else code)
"""

TELLER = """
import signal
taken = signal.valid_signals() - {signal.SIGCONT}
signal.pthread_sigmask(signal.SIG_BLOCK, taken)
print("ready", flush=True)
while True:
    number = signal.sigwait(taken)
    print(int(number), flush=True)
    if number == signal.SIGUSR2:
        break
"""  # says which signals reach it, up to USR2

PASSED_ON = sorted(
    int(number)
    for number in signal.valid_signals()
    - child.LEFT_ALONE
    - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGUSR2}
)


class Wrapped:
    """A wrapper around ``command``, and our end of the connection that stands for its lock."""

    def __init__(
        self, *command: str, options: str = "", ignored: str = "", around: Sequence[str] = (), **more: str
    ) -> None:
        self.lock, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        words = [*around, sys.executable, "-c", WRAPPER, options, ignored, *command]
        environ = {**checkout_environ(), "HELD": str(theirs.fileno()), **more}
        self.process = subprocess.Popen(
            words,
            env=environ,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )
        theirs.close()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[list[str], int]:
        """Its last lines and how it ended."""
        rest, _ = self.process.communicate(timeout=LIMIT)
        self.lock.close()
        return rest.splitlines(), self.process.returncode


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Our own signals taken, and given back at the end."""
    at_start = signal.getsignal(signal.SIGCHLD)
    taken = Signals()
    yield taken
    signal.signal(signal.SIGCHLD, at_start)
    signal.pthread_sigmask(signal.SIG_SETMASK, taken.original)


def shell(script: str) -> list[str]:
    """A shell that runs ``script`` and then becomes what follows."""
    return ["sh", "-c", f'{script}; exec "$@"', "sh"]


def after(call: str) -> list[str]:
    """A program that makes one ``call`` of the module signal and then becomes what follows."""
    return python(f"import os, sys; from signal import *; {call}; os.execvp(sys.argv[1], sys.argv[1:])")


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.mark.parametrize("code", [0, 1, 97, 255])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert Wrapped("sh", "-c", f"exit {code}").end() == ([f"ended {code}"], code)


@pytest.mark.parametrize(("number", "seen"), [(2, -2), (3, -3), (15, 143), (9, 137), (35, 163)])
def test_a_command_killed_by_a_signal_ends_the_wrapper_likewise(number: int, seen: int) -> None:
    assert Wrapped("sh", "-c", f"kill -{number} $$").end() == ([f"ended -{number}"], seen)


def test_every_signal_reaches_the_command_once() -> None:
    wrapped = Wrapped(*python(TELLER))
    assert wrapped.line() == "ready"
    told = []
    for number in PASSED_ON:
        wrapped.send(number)
        told.append(int(wrapped.line()))
    wrapped.send(signal.SIGUSR2)
    assert told == PASSED_ON
    assert wrapped.end() == (["12", "ended 0"], 0)


def test_signals_of_job_control_are_not_passed_on() -> None:
    wrapped = Wrapped(*python(TELLER))
    assert wrapped.line() == "ready"
    for number in (signal.SIGWINCH, signal.SIGCONT, signal.SIGCHLD, signal.SIGUSR2):
        wrapped.send(number)
    assert [line for line in wrapped.end()[0] if line != "17"] == ["12", "ended 0"]


def test_what_is_to_be_ignored_ends_neither_the_wrapper_nor_the_command() -> None:
    wrapped = Wrapped(*python(TELLER), ignored="15 20")
    assert wrapped.line() == "ready"
    for number in (signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR2):
        wrapped.send(number)
    assert wrapped.end() == (["12", "ended 0"], 0)


def test_the_command_starts_with_the_signals_as_they_were() -> None:
    """Asked of a program that touches no signal itself: grep."""
    wrapped = Wrapped("grep", "-h", "^Sig[BI]", "/proc/self/status", around=shell("trap '' HUP TTOU"))
    lines, _ = wrapped.end()
    masks = {
        name: int(value, 16) & ~(3 << 31) for name, value in (line.split(":") for line in lines[:2])
    }  # 32, 33: libc's
    assert masks == {"SigBlk": 0, "SigIgn": 1 << signal.SIGHUP - 1 | 1 << signal.SIGTTOU - 1}


def test_the_command_starts_with_what_was_blocked_at_the_start() -> None:
    wrapped = Wrapped("grep", "-h", "^SigBlk", "/proc/self/status", around=after("pthread_sigmask(SIG_BLOCK, [10])"))
    assert wrapped.end() == (["SigBlk:\t0000000000000200", "ended 0"], 0)


def test_what_was_ignored_at_the_start_stays_ignored() -> None:
    wrapped = Wrapped(*python(TELLER), around=shell("trap '' HUP INT"))
    assert wrapped.line() == "ready"
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR2):
        wrapped.send(number)
    assert wrapped.end() == (["12", "ended 0"], 0)


def test_an_ignored_sigchld_does_not_lose_the_exit_code() -> None:
    assert Wrapped("sh", "-c", "exit 5", around=after("signal(SIGCHLD, SIG_IGN)")).end() == (["ended 5"], 5)


def test_arguments_environment_and_folder_are_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrapped = Wrapped("sh", "-c", 'printf "%s|" "$@" "$ODD"; pwd; echo', "sh", "", "a b", "\udcff", "--", ODD="x=\n")
    assert wrapped.end()[0][:2] == ["|a b|\udcff|--|x=", f"|{tmp_path}"]


def test_a_lost_lock_is_told_at_once_and_the_command_runs_on() -> None:
    wrapped = Wrapped("sh", "-c", "echo ready; read line; exit 3")
    assert wrapped.line() == "ready"
    wrapped.lock.shutdown(socket.SHUT_RDWR)
    assert wrapped.line() == "lost"
    assert wrapped.end() == (["ended 3"], 3)


def test_words_on_the_connection_that_lose_nothing_disturb_nobody() -> None:
    wrapped = Wrapped(*python(TELLER))
    assert wrapped.line() == "ready"
    wrapped.lock.send(b"hello")
    wrapped.send(signal.SIGUSR2)
    assert wrapped.end() == (["12", "ended 0"], 0)


def test_a_lock_lost_before_the_wait_is_told_too() -> None:
    wrapped = Wrapped("cat", around=shell("read wait"))
    wrapped.lock.close()
    assert wrapped.process.stdin is not None
    wrapped.process.stdin.write("\n")
    wrapped.process.stdin.flush()
    assert wrapped.line() == "lost"
    assert wrapped.end() == (["ended 0"], 0)


def test_a_command_that_must_end_for_a_lost_lock_gets_term() -> None:
    wrapped = Wrapped("sh", "-c", "echo ready; exec tail -f /dev/null", options="kill")
    assert wrapped.line() == "ready"
    wrapped.lock.close()
    assert wrapped.end() == (["lost", "ended -15"], 143)


def test_a_command_that_does_not_obey_term_is_killed() -> None:
    wrapped = Wrapped("sh", "-c", "trap '' TERM; echo ready; exec tail -f /dev/null", options="kill")
    assert wrapped.line() == "ready"
    wrapped.lock.close()
    assert wrapped.end() == (["lost", "ended -9"], 137)


def test_the_sigio_of_somebody_else_is_passed_on_and_hides_no_loss() -> None:
    wrapped = Wrapped(*python(TELLER))
    assert wrapped.line() == "ready"
    wrapped.send(signal.SIGSTOP)
    wrapped.send(signal.SIGIO)
    wrapped.lock.close()  # merges with the pending one
    wrapped.send(signal.SIGCONT)
    assert {wrapped.line(), wrapped.line()} == {"lost", "29"}
    wrapped.send(signal.SIGUSR2)
    assert wrapped.end() == (["12", "ended 0"], 0)


def info(number: int, code: int, pid: int = 4711) -> signal.struct_siginfo:
    return signal.struct_siginfo((number, code, 0, pid, 0, 0, 0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_what_the_terminal_sent_has_reached_the_command_already(signals: Signals, number: int) -> None:
    assert not signals.passes_on(info(number, SI_KERNEL))
    assert signals.passes_on(info(number, 0))


def test_a_terminal_that_hangs_up_tells_the_session_leader_alone(
    signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
    assert signals.passes_on(info(signal.SIGHUP, SI_KERNEL))


def test_an_alarm_set_by_whoever_started_us_is_passed_on(signals: Signals) -> None:
    assert signals.passes_on(info(signal.SIGALRM, SI_KERNEL))


def test_our_own_broken_pipe_is_not_the_commands(signals: Signals) -> None:
    assert not signals.passes_on(info(signal.SIGPIPE, 0, os.getpid()))
    assert signals.passes_on(info(signal.SIGPIPE, 0))


def test_a_script_without_a_first_line_is_run_by_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0" "$@"\n')
    script.chmod(0o755)
    wrapped = Wrapped("script", "a b", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert wrapped.end() == ([f"{script} a b", "ended 0"], 0)


def test_a_command_is_told_what_it_runs_under(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(identity.SESSION, "00" * 16)
    lock = Lock("red.green", Mode.PR, settings=Settings())
    lock._session.granted = Granted(17, "red", 0.5)
    assert environment(lock) == {
        "HOLDFAST_RESOURCE": "red.green",
        "HOLDFAST_MODE": "PR",
        "HOLDFAST_QUANTITY": "1",
        "HOLDFAST_ELEMENT": "red",
        "HOLDFAST_TOKEN": "17",
        "HOLDFAST_SESSION": f"{'00' * 16}:{lock.session}",
    }


def refused(path: Path | str, signals: Signals) -> str:
    with pytest.raises(NotRunnable) as caught:
        start([str(path)], os.environ, signals)
    return str(caught.value)


def test_a_command_that_is_not_there_is_refused(signals: Signals) -> None:
    assert refused("no-such-command", signals) == "cannot run 'no-such-command': command not found"
    assert refused("", signals) == "cannot run '': command not found"


def test_a_file_that_is_not_executable_is_refused(tmp_path: Path, signals: Signals) -> None:
    (tmp_path / "text").write_text("echo no\n")
    assert refused(tmp_path / "text", signals) == f"cannot run '{tmp_path}/text': not executable (permission denied)"


def test_a_directory_is_refused(tmp_path: Path, signals: Signals) -> None:
    assert refused(tmp_path, signals) == f"cannot run '{tmp_path}': it is a directory"


def test_a_script_whose_interpreter_is_missing_is_refused(tmp_path: Path, signals: Signals) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/program\n")
    script.chmod(0o755)
    assert refused(script, signals) == f"cannot run '{script}': the interpreter that its first line names was not found"


def test_any_other_reason_is_told_in_the_systems_words(signals: Signals) -> None:
    assert refused("x" * 300 + "/y", signals).endswith(": File name too long")
