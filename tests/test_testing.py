"""A program's own test suite, as it would use Holdfast."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import Lock, Unreachable
from holdfast.testing import daemon
from support import LIMIT, alive, checkout_environ, wait_dead

pytestmark = pytest.mark.slow

BUSY = 98
OTHER_PLACES = {"HOLDFAST_SOCKET": "/nonexistent/socket", "HOLDFAST_AUTOSTART": "yes", "SLURM_JOB_ID": "7"}


def holdfast(*words: str, environ: dict[str, str] | None = None) -> int:
    """Run ``holdfast words…`` and return its exit code."""
    environ = {"PYTHONPATH": checkout_environ()["PYTHONPATH"], **(os.environ if environ is None else environ)}
    words = (sys.executable, "-m", "holdfast", *words)
    return subprocess.run(words, env=environ, timeout=LIMIT, check=False).returncode


def processes_of(run_dir: str) -> list[str]:
    """The command lines of all processes that have to do with ``run_dir``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if run_dir in words:
            found.append(words)
    return found


def test_this_process_and_its_children_find_the_daemon() -> None:
    with daemon(), Lock("x"):
        assert holdfast("run", "-n", "-r", "x", "--", "true") == BUSY
        assert holdfast("run", "-n", "-r", "y", "--", "true") == 0


def test_what_a_child_must_know_can_be_handed_to_it() -> None:
    with daemon() as started, Lock("x", settings=started.settings):
        environ = {"PATH": os.environ["PATH"], **started.environ}
        assert holdfast("run", "-n", "-r", "x", "--", "true", environ=environ) == BUSY


def test_nothing_is_left_of_it_even_if_somebody_holds_a_lock() -> None:
    with daemon() as started:
        lock = Lock("x").acquire()
        assert alive(started.pid)
        assert processes_of(started.run_dir)
    assert not alive(started.pid)
    assert processes_of(started.run_dir) == []
    assert not Path(started.run_dir).exists()
    lock.close()


def test_nothing_is_left_of_it_if_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), daemon() as started:
        raise ZeroDivisionError
    assert not alive(started.pid)
    assert not Path(started.run_dir).exists()


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OTHER_PLACES.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with daemon() as started:
        assert os.environ["HOLDFAST_RUN_DIR"] == started.run_dir
        with Lock("x"):  # not at the user's other places
            pass
    assert dict(os.environ) == before


def test_the_files_of_the_user_do_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/holdfast.conf").write_text("[Daemon]\nSocketName=/nonexistent/socket\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with daemon(), Lock("x") as lock:
        assert lock.held


def test_one_inside_another_is_another() -> None:
    with daemon() as outer, Lock("x"):
        with daemon() as inner, Lock("x"):
            assert inner.pid != outer.pid
        assert not Lock("x").try_acquire()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_test_may_end_it(number: int) -> None:
    with daemon() as started:
        os.kill(started.pid, number)
        wait_dead(started.pid)
        with pytest.raises(Unreachable):
            Lock("x").acquire()


def test_one_that_does_not_answer_is_killed_and_complained_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.transport.zmtp.PATIENCE", 1)
    with pytest.raises(Unreachable), daemon() as started:
        os.kill(started.pid, signal.SIGSTOP)
    wait_dead(started.pid)
    assert not Path(started.run_dir).exists()


def test_pytest_has_a_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["holdfast.testing"]')
    (tmp_path / "test_it.py").write_text(
        "from holdfast import Lock\n"
        "def test_it(holdfast_daemon):\n"
        "    with Lock('x', settings=holdfast_daemon.settings) as lock:\n"
        "        assert lock.held\n"
    )
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, env=checkout_environ(), capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout


def test_the_context_manager_does_without_pytest() -> None:
    code = "import sys; sys.modules['pytest'] = None\nfrom holdfast.testing import daemon\n"
    code += "with daemon() as started: print(started.pid)"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=checkout_environ(), capture_output=True, text=True, check=True)
    wait_dead(int(done.stdout))
