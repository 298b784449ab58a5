"""The daemon is found, or started once; a small program plays the daemon."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from holdfast.transport import addresses, discover, launch, zmtp
from holdfast.transport.errors import Unreachable
from holdfast.transport.frozen import altered
from holdfast.transport.settings import Settings
from holdfast.transport.target import Target
from support import wait_until

LIMIT = 30.0  # seconds; nothing here should ever take so long
DAEMON = f"""
import json, os, signal, socket, sys
words = dict(word.split("=", 1) for word in sys.argv[1:])
if os.fork():
    os._exit(0)
signal.alarm(60)
seen = dict(pid=os.getpid(), leader=os.getsid(0) != int(words["tester"]), cwd=os.getcwd(), env=dict(os.environ),
            fds=sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
            stdin=os.readlink("/proc/self/fd/0"), words=words)
if "says" not in words:
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(words["socket"]):
        os.unlink(words["socket"])
    listener.bind(words["socket"])
    listener.listen(500)
with open(words["directory"] + "/seen", "a") as file:
    print(json.dumps(seen), file=file)
os.write(int(words["ready"]), words.get("says", "ready\\n").encode())
os.close(int(words["ready"]))
connections = []
while "says" not in words:
    connections.append(listener.accept()[0])
    connections[-1].sendall({zmtp._GREETING + zmtp.frame_bytes(zmtp._READY, 4)!r})
"""


class Place:
    """A run directory, and the program that plays the daemon there."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.settings = Settings(run_dir=str(path / "run"))
        self.address = addresses.address_of(self.settings)
        self.script = path / "daemon.py"
        self.script.write_text(DAEMON)
        self.more = [f"tester={os.getsid(0)}"]
        self.patch = patch
        self._command = launch.daemon_command
        patch.setattr(launch, "daemon_command", self.command)

    def command(self, meant: Target, settings: Settings, pipe: int, identity: bytes) -> list[str]:
        return [sys.executable, "-S", str(self.script), *self._command(meant, settings, pipe, identity)[4:], *self.more]

    def started(self) -> list[dict[str, Any]]:
        """What each daemon that was started has seen."""
        path = Path(self.address.directory) / "seen"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def end(self) -> None:
        for seen in self.started():
            if "says" not in seen["words"]:
                os.kill(seen["pid"], signal.SIGKILL)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="hf-") as path:
        place = Place(Path(path), monkeypatch)
        yield place
        place.end()


ENVIRON = {"PATH": os.environ["PATH"], "HOLDFAST_SESSION": "secret", "HOLDFAST_RUN_DIR": "elsewhere", "HOME": "/home/x"}


def test_a_daemon_is_started_where_there_is_none_and_found_then(place: Place) -> None:
    assert discover.find(place.settings) is None
    discover.connect(place.settings, ENVIRON).close()
    discover.connect(place.settings, ENVIRON).close()
    (seen,) = place.started()
    assert seen["words"]["socket"] == place.address.socket
    assert seen["words"]["directory"] == place.address.directory


def test_a_daemon_has_nothing_of_ours(place: Place) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    discover.connect(place.settings, ENVIRON).close()
    os.close(writer)
    os.close(reader)
    (seen,) = place.started()
    assert seen["leader"]
    assert seen["cwd"] == "/"
    assert seen["stdin"] == "/dev/null"
    assert len(seen["fds"]) == 4  # 0, 1, 2, and the pipe to us
    assert seen["env"]["HOME"] == "/home/x"
    assert not [name for name in seen["env"] if name.startswith("HOLDFAST_")]


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("job", [{}, {"PBS_JOBID": "7"}])
def test_a_daemon_is_started_with_all_of_the_standard_streams_closed(place: Place, job: dict[str, str]) -> None:
    child = os.fork()
    if child == 0:
        os.closerange(0, 3)
        sys.stderr = None
        failed = True
        try:
            discover.connect(place.settings, {**ENVIRON, **job, "PATH": "/nowhere"})
            failed = False
        finally:
            os._exit(failed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (seen,) = place.started()
    assert seen["stdin"] == "/dev/null"
    assert len(seen["fds"]) == 4


@pytest.mark.slow
def test_many_at_once_start_one(place: Place) -> None:
    wires: list[zmtp.Wire] = []
    threads = [
        threading.Thread(target=lambda: wires.append(discover.connect(place.settings, ENVIRON))) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len(wires) == 30
    assert len(place.started()) == 1
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("may", [Settings(lifespan=0), Settings(autostart=False), Settings()])
def test_who_comes_while_another_starts_one_connects_to_it(place: Place, may: Settings) -> None:
    settings = altered(place.settings, lifespan=may.lifespan, autostart=may.autostart)
    addresses.prepare(place.address)
    starting = os.open(f"{place.address.directory}/starting", os.O_RDWR | os.O_CREAT)
    fcntl.flock(starting, fcntl.LOCK_EX)
    wires: list[zmtp.Wire] = []
    waits = threading.Event()
    place.patch.setattr(discover, "sleep", lambda seconds: waits.set())
    thread = threading.Thread(target=lambda: wires.append(discover.connect(settings, ENVIRON)))
    thread.start()
    assert waits.wait(LIMIT)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place.address.socket)
        listener.listen()
        listener.settimeout(LIMIT)
        connection = listener.accept()[0]
        connection.sendall(zmtp._GREETING + zmtp.frame_bytes(zmtp._READY, 4))
        thread.join(LIMIT)
        connection.close()
    os.close(starting)
    assert len(wires) == 1
    assert place.started() == []
    wires[0].close()


def test_somebody_who_starts_one_for_ever_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "START", 0.0)
    addresses.prepare(place.address)
    starting = os.open(f"{place.address.directory}/starting", os.O_RDWR | os.O_CREAT)
    fcntl.flock(starting, fcntl.LOCK_EX)
    with pytest.raises(Unreachable, match="in vain"):
        discover.connect(place.settings, ENVIRON)
    os.close(starting)


def test_who_is_not_patient_waits_neither_for_a_greeting_nor_for_others_to_start_one(place: Place) -> None:
    addresses.prepare(place.address)
    starting = os.open(f"{place.address.directory}/starting", os.O_RDWR | os.O_CREAT)
    fcntl.flock(starting, fcntl.LOCK_EX)
    with pytest.raises(Unreachable, match=r"0\.01s in vain"):
        discover.connect(place.settings, ENVIRON, 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place.address.socket)
        listener.listen()
        with pytest.raises(Unreachable, match=r"not greeted us for 0\.01s"):
            discover.connect(place.settings, ENVIRON, 0.01)
    os.close(starting)


def test_who_starts_one_is_patient(place: Place) -> None:
    discover.connect(place.settings, ENVIRON, 0.0).close()
    assert len(place.started()) == 1


@pytest.mark.parametrize("settings", [Settings(lifespan=0), Settings(autostart=False)])
def test_where_none_may_be_started_the_sentence_says_how(place: Place, settings: Settings) -> None:
    settings = Settings(run_dir=place.settings.run_dir, lifespan=settings.lifespan, autostart=settings.autostart)
    with pytest.raises(Unreachable, match=rf"{place.address.socket}.*holdfast serve"):
        discover.connect(settings, ENVIRON)
    assert not os.path.exists(place.address.run_dir)


def test_where_one_was_started_once_and_none_may_be_now_it_is_said_at_once(place: Place) -> None:
    addresses.prepare(place.address)
    os.close(addresses.open_starting(place.address.directory))
    with pytest.raises(Unreachable, match="none may be started here"):
        discover.connect(altered(place.settings, autostart=False), ENVIRON)
    assert place.started() == []


def test_what_the_daemon_has_to_say_is_told(place: Place) -> None:
    place.more.append("says=the last daemon died, and process 4711 holds on\n")
    with pytest.raises(Unreachable, match="process 4711 holds on"):
        discover.connect(place.settings, ENVIRON)


def test_if_another_daemon_was_faster_than_the_one_that_we_started_that_one_is_taken(place: Place) -> None:
    addresses.prepare(place.address)
    place.more.append("says=a daemon is running already\n")
    with socket.socket(socket.AF_UNIX) as listener:

        def faster(meant: Target, settings: Settings, pipe: int, identity: bytes) -> list[str]:
            listener.bind(place.address.socket)
            listener.listen()
            return place.command(meant, settings, pipe, identity)

        place.patch.setattr(launch, "daemon_command", faster)
        with ThreadPoolExecutor() as threads:
            found = threads.submit(discover.connect, place.settings, ENVIRON)
            wait_until(lambda: place.started() or found.done(), "the daemon that we started")
            listener.settimeout(LIMIT)
            connection = listener.accept()[0]
            connection.sendall(zmtp._GREETING + zmtp.frame_bytes(zmtp._READY, 4))
            found.result(LIMIT).close()
            connection.close()
    assert len(place.started()) == 1


def test_a_daemon_that_ends_without_a_word_is_told(place: Place) -> None:
    place.script.write_text("raise SystemExit(1)")
    with pytest.raises(Unreachable, match=r"before it was ready.*holdfast serve"):
        discover.connect(place.settings, ENVIRON)


def test_a_daemon_that_never_gets_ready_is_told_and_reaped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "START", 0.0)
    monkeypatch.setattr(launch, "REAP", 0.0)
    place.script.write_text("import signal; signal.pause()")
    with pytest.raises(Unreachable, match="not become ready"):
        discover.connect(place.settings, ENVIRON)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_python_that_is_not_there_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Unreachable, match=r"cannot start the daemon.*/no/such/python"):
        discover.connect(place.settings, ENVIRON)


def test_a_file_at_the_sockets_path_is_left_alone(place: Place) -> None:
    addresses.prepare(place.address)
    Path(place.address.socket).write_text("mine")
    with pytest.raises(Unreachable, match="is not a socket; it was left as it is"):
        discover.connect(place.settings, ENVIRON)
    assert Path(place.address.socket).read_text() == "mine"
    assert place.started() == []


def test_a_dead_daemons_socket_is_no_daemon(place: Place) -> None:
    addresses.prepare(place.address)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place.address.socket)
    discover.connect(place.settings, ENVIRON).close()
    assert len(place.started()) == 1


def test_a_run_directory_that_others_can_write_to_is_not_trusted(place: Place) -> None:
    os.mkdir(place.address.run_dir, 0o755)
    with pytest.raises(Unreachable, match="open to others"):
        discover.connect(place.settings, ENVIRON)
    assert place.started() == []


@pytest.mark.parametrize(("works", "warned"), [(True, False), (False, True)])
def test_in_a_batch_job_the_daemon_is_put_outside_of_it_or_it_is_said(
    place: Place, capfd: pytest.CaptureFixture[str], works: bool, warned: bool
) -> None:
    tool = place.script.with_name("systemd-run")
    tool.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@" scope=yes\n')
    tool.chmod(0o700 if works else 0o600)
    environ = {**ENVIRON, "PATH": f"{tool.parent}", "SLURM_JOB_ID": "7"}
    discover.connect(place.settings, environ).close()
    (seen,) = place.started()
    assert ("scope" in seen["words"]) == works
    assert ("holdfast: the daemon is started inside this batch job" in capfd.readouterr().err) == warned


def test_a_batch_job_without_a_user_manager_starts_it_all_the_same(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    tool = place.script.with_name("systemd-run")
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o700)
    discover.connect(place.settings, {**ENVIRON, "PATH": f"{tool.parent}:/bin", "PBS_JOBID": "7"}).close()
    assert len(place.started()) == 1
    assert "batch job" in capfd.readouterr().err
