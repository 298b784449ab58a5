"""What tests with real processes share: a house of their own, and waiting without sleeping.

The rule: whatever a test starts is ended by the test, and nothing is left. Every process of a house, its daemon and all
the daemon's actors included, is known by one variable in its environment, whatever became of its parents, its session
or its command line.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

from holdfast.transport.control import write_dump
from holdfast.transport.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 20.0 * float(os.environ.get("HOLDFAST_TEST_SLOWNESS", "1"))  # seconds; only a broken test waits so long
MARK = "HOUSE_UNDER_TEST"

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str = "", *, limit: float = LIMIT) -> T:
    """Look again and again until ``condition`` is true, and return what it said.

    Only for what cannot be waited for in any other way.
    """
    deadline = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {limit:g} s: {what or condition}"
        time.sleep(0.002)


def alive(pid: int) -> bool:
    """Does process ``pid`` live? A zombie does not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([descriptor], [], [], 0)[0]
    finally:
        os.close(descriptor)


def wait_dead(pid: int, *, limit: float = LIMIT) -> None:
    """Wait until process ``pid`` has ended; it need not be a child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], limit)[0], f"process {pid} lives after {limit:g} s"
    finally:
        os.close(descriptor)


def wait_state(pid: int, state: str, *, limit: float = LIMIT) -> None:
    """Wait until the kernel says that process ``pid`` is in ``state`` ("S" sleeps, "T" is stopped, "Z" is dead)."""
    wait_until(lambda: state_of(pid) == state, f"process {pid} in state {state}", limit=limit)


def state_of(pid: int) -> str:
    """The one letter that /proc has for the state of process ``pid``, "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_actor(pid: int) -> bool:
    """Is ``pid`` a child of a daemon? It has the daemon's command line, and a name of its own."""
    return _read(pid, "comm").startswith(b"holdfast-")


def private_kib(pid: int) -> int:
    """Memory that would be free if process ``pid`` alone ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def wait_line(stream: IO[str] | None, wanted: str) -> str:
    """Read a process's lines up to the one that has ``wanted`` in it, and return that line."""
    assert stream is not None
    read = []
    for line in stream:
        read.append(line)
        if wanted in line:
            return line
    raise AssertionError(f"no {wanted!r} in {read}")


def checkout_environ() -> dict[str, str]:
    """Our environment without Holdfast's variables; Python finds this checkout in it even where it is not installed.

    Compiled modules may be kept, as an installation would: without them each command starts twice as slowly.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / ".path"), environ.get("PYTHONPATH", "")]))
    return environ


HOLDS = ("sh", "-c", "echo held; exec cat")  # a command that tells that it runs, and ends with its stdin


def held(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """``process``, whose command is ``HOLDS``, when it holds its lock."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != "held\n":
        process.kill()
        raise AssertionError(f"not held: {line!r} {process.communicate()}")
    return process


class House:
    """A directory with a daemon of its own, and the commands that use it.

    Leaving it ends them all, and sees that none is left.
    ``run`` and ``spawn`` take the words after ``holdfast``; standard streams are text.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        # Not pytest's tmp_path: a UNIX socket's path has 107 bytes at most.
        self.path = Path(tempfile.mkdtemp(prefix="house-", dir="/tmp"))
        self.run_dir = self.path / "run"
        self.environ = {
            **checkout_environ(),
            MARK: str(self.path),
            "HOLDFAST_RUN_DIR": str(self.run_dir),
            **(environ or {}),
        }
        self._spawned: list[subprocess.Popen[str]] = []

    def __enter__(self) -> House:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def words(self, *words: str) -> list[str]:
        """The whole command line of ``holdfast words…``."""
        return [sys.executable, "-m", "holdfast", *words]

    def run(
        self, *words: str, environ: Mapping[str, str] | None = None, **more: object
    ) -> subprocess.CompletedProcess[str]:
        """Run ``holdfast words…`` to its end."""
        options: dict[str, object] = {"capture_output": True, "text": True, "timeout": LIMIT, **more}
        if "stdin" not in options and "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        return subprocess.run(self.words(*words), env={**self.environ, **(environ or {})}, check=False, **options)  # type: ignore[call-overload,no-any-return]  # options of Popen

    def spawn(self, *words: str, environ: Mapping[str, str] | None = None, **more: object) -> subprocess.Popen[str]:
        """Start ``holdfast words…``; its three streams are pipes unless said otherwise."""
        return self.popen(self.words(*words), environ=environ, **more)

    def popen(
        self, words: Sequence[str], *, environ: Mapping[str, str] | None = None, **more: object
    ) -> subprocess.Popen[str]:
        """Start any command inside the house."""
        pipes: dict[str, object] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]  # options of Popen
            words, env={**self.environ, **(environ or {})}, text=True, bufsize=1, **{**pipes, **more}
        )
        self._spawned.append(process)
        return process

    def hold(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``holdfast run words… -- cat`` and return when it holds; ``cat`` ends with its stdin."""
        return held(self.spawn("run", *words, "--", *HOLDS, environ=environ))

    def let_go(self, process: subprocess.Popen[str]) -> int:
        """End what ``hold`` started, and return its exit code."""
        process.communicate(timeout=LIMIT)
        return process.returncode

    def processes(self) -> dict[int, str]:
        """Every living process of this house, the daemon's included: pid and command line."""
        mark = f"{MARK}={self.path}".encode()
        return {
            pid: _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
            for pid in _pids()
            if mark in _read(pid, "environ").split(b"\0")
        }

    def daemon(self) -> int:
        """The pid of this house's incubator."""
        lines = self.processes().items()
        pids = [pid for pid, line in lines if "holdfast.cli.daemon" in line and not is_actor(pid)]
        leaders = [pid for pid in pids if _parent(pid) not in pids]
        assert len(leaders) == 1, f"one daemon expected: {self.processes()}"
        return leaders[0]

    def lockers(self) -> set[int]:
        """The pids of the lockers that have clients; who only watches is none."""
        dump = write_dump(Settings(run_dir=str(self.run_dir)), {})
        lockers = [actor for actor in json.loads(Path(dump).read_text())["actors"] if actor["role"] == "locker"]
        return {locker["pid"] for locker in lockers if locker["pid"] and locker["statistics"]["sessions"]}

    def close(self) -> None:
        """End everything, and fail if anything did not want to."""
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
            with process:
                process.wait(LIMIT)
        try:
            if self.processes():
                self.run("stop", "--now")
            wait_until(lambda: not self.processes(), "the end of every process of the house")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"left behind: {self._kill_all()}") from error
        finally:
            shutil.rmtree(self.path)

    def _kill_all(self) -> dict[int, str]:
        left = self.processes()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            wait_dead(pid)
        return left


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    return int(_read(pid, "stat").rpartition(b")")[2].split()[1] or 0)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
