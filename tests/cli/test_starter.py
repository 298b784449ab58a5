"""Commands started one after another: the right file, the right environment, and every fault as ``run`` tells it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from holdfast.cli.child import NotRunnable, Signals
from holdfast.cli.starter import Starter, descriptor_of
from holdfast.transport.client import Lock
from holdfast.transport.messages import Mode
from support import LIMIT


@pytest.fixture
def lock() -> SimpleNamespace:
    return SimpleNamespace(resource="x", mode=Mode.EX, quantity=1, element="", token=7, session="ab" * 16)


@pytest.fixture
def starter(lock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Starter:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/first:{tmp_path}/second:/usr/bin:/bin")
    unblocked = cast(Signals, SimpleNamespace(original=signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    return Starter(dict(os.environ), unblocked, cast(Lock, lock))


def code(starter: Starter, *words: str) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(starter.start(list(words)), 0)[1])


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_each_command_finds_the_grant_of_its_own(starter: Starter, lock: SimpleNamespace) -> None:
    assert code(starter, "sh", "-c", '[ "$HOLDFAST_TOKEN,$HOLDFAST_ELEMENT,$HOLDFAST_MODE" = "7,,EX" ]') == 0
    lock.token, lock.element = 8, "gpu\udcff"
    assert code(starter, "sh", "-c", '[ "$HOLDFAST_TOKEN,$HOLDFAST_ELEMENT" = "$(printf "8,gpu\\377")" ]') == 0


def test_the_first_word_stays_as_it_was_said(starter: Starter) -> None:
    assert (
        code(starter, "sh", "-c", '[ "$0" = sh ] && [ "$(tr "\\0" , < /proc/$$/cmdline | cut -c1-2)" = sh ]', "sh") == 0
    )


def test_what_was_found_is_remembered_until_it_is_gone(starter: Starter, tmp_path: Path) -> None:
    script(tmp_path / "second/tool", "#!/bin/sh\nexit 2\n")
    assert code(starter, "tool") == 2
    script(tmp_path / "first/tool", "#!/bin/sh\nexit 1\n")
    assert code(starter, "tool") == 2
    (tmp_path / "second/tool").unlink()
    assert code(starter, "tool") == 1


def test_what_was_not_there_is_looked_for_again(starter: Starter, tmp_path: Path) -> None:
    with pytest.raises(NotRunnable, match="command not found"):
        starter.start(["tool"])
    script(tmp_path / "first/tool", "#!/bin/sh\nexit 1\n")
    assert code(starter, "tool") == 1


def test_a_script_without_a_first_line_is_run_by_the_shell(
    starter: Starter, tmp_path: Path, lock: SimpleNamespace
) -> None:
    script(tmp_path / "first/tool", "exit $HOLDFAST_TOKEN\n")
    assert code(starter, "tool") == 7
    lock.token = 8
    assert code(starter, "tool") == 8


@pytest.mark.parametrize("word", ["", "no-such-command", "/no/such/command", "./no-such-command"])
def test_what_is_nowhere_is_told(starter: Starter, word: str) -> None:
    with pytest.raises(NotRunnable, match="command not found"):
        starter.start([word])


def test_a_file_beside_us_is_no_command(starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "tool", "#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotRunnable, match="command not found"):
        starter.start(["tool"])
    assert code(starter, "./tool") == 0


def test_what_is_not_executable_is_told(starter: Starter, tmp_path: Path) -> None:
    (tmp_path / "first/tool").write_text("")
    with pytest.raises(NotRunnable, match="permission denied"):
        starter.start(["tool"])


def test_a_command_is_waited_for_where_no_descriptor_is_left_to_watch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its worker would end, and give the lock back while it runs."""
    tries = []

    def open_none(pid: int) -> int:
        tries.append(pid)
        if len(tries) == 2:
            os.kill(pid, signal.SIGKILL)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", open_none)
    running = subprocess.Popen(["sleep", "60"])
    assert descriptor_of(running.pid) is None
    assert running.wait(LIMIT) == -signal.SIGKILL
    assert len(tries) >= 2
