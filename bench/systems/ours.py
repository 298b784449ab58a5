"""Holdfast itself, over each of its transports, and the bare ZeroMQ round trip that it is measured by.

The daemon is started as a user's is, by the installed package; nothing in it is set for measuring.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .system import Handle, free_port, server

SCRIPTS = Path(sys.executable).parent
ECHO = """
import sys, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.bind(sys.argv[1])
while True:
    socket.send_multipart(socket.recv_multipart())
"""


def clean_environ() -> dict[str, str]:
    """Our environment without Holdfast's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}


@contextmanager
def daemon(directory: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Run ``holdfast serve`` with its files in ``directory``; the variables by which its clients find it."""
    run_dir = directory / "run"
    run_dir.mkdir(mode=0o700)
    ours = {"HOLDFAST_RUN_DIR": str(run_dir), "HOLDFAST_AUTOSTART": "no"}
    words = [str(SCRIPTS / "holdfast"), "serve", *options]

    def listens() -> bool:
        return "HFD001I" in (directory / "log").read_text()

    with server(words, directory, listens, environ=clean_environ() | ours, end=signal.SIGINT):
        yield ours | (environ or {})


class LockHandle:
    """``holdfast.Lock``, as the documentation has it; ``wait``: the unlock's answer is waited for."""

    def __init__(self, address: str, resource: str, *, shared: bool, wait: bool) -> None:
        os.environ.update(json.loads(address))
        from holdfast import Lock, Mode

        self._lock = Lock(resource, Mode.PR if shared else Mode.EX, idle=float("inf"))
        self._wait = wait
        self.acquire, self.close = self._lock.acquire, self._lock.close

    def release(self) -> None:
        self._lock.release(wait=self._wait)


class Holdfast:
    """Over the UNIX socket, with whatever the daemon is started with besides."""

    modules: Sequence[str] = ("holdfast.transport.client",)

    def __init__(self, name: str = "holdfast", *options: str, wait: bool = False) -> None:
        self.name = name
        self.how = f"`Lock(name)`, `release({'wait=True' if wait else ''})`"
        self._options = options
        self._wait = wait

    def missing(self) -> str:
        return ""

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        with daemon(directory, *self._options) as variables:
            yield json.dumps(variables)

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return LockHandle(address, resource, shared=shared, wait=self._wait)


class HoldfastTcp(Holdfast):
    """Over TCP on loopback; ``curve``: encrypted."""

    def __init__(self, name: str, *, curve: bool) -> None:
        super().__init__(name)
        self.how += ", over TCP on loopback" + (", encrypted" if curve else "")
        self._curve = curve

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        where = f"tcp://127.0.0.1:{free_port()}"
        options, environ = ["--bind", where], {"HOLDFAST_ENDPOINT": where}
        if self._curve:
            more, keys = _keys(directory)
            options += more
            environ |= keys
        with daemon(directory, *options, environ=environ) as variables:
            yield json.dumps(variables)


def _keys(directory: Path) -> tuple[list[str], dict[str, str]]:
    """Make keys: the daemon's options, the client's variables."""
    admitted = directory / "admitted"
    admitted.mkdir()
    words = [str(SCRIPTS / "holdfast"), "keygen", str(directory), "--name", "daemon", "--name", "client"]
    subprocess.run(words, env=clean_environ(), check=True, capture_output=True)
    (admitted / "client.key").write_bytes((directory / "client.key").read_bytes())
    options = ["--curve-key", f"{directory}/daemon.key_secret", "--curve-clients", str(admitted)]
    variables = {"HOLDFAST_CURVE_KEY": f"{directory}/client.key_secret"}
    return options, {**variables, "HOLDFAST_CURVE_SERVER": f"{directory}/daemon.key"}


class HoldfastCommand:
    """An installed script; the daemon runs already."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self.how = f"`{' '.join(words)} -r NAME -- COMMAND`"
        self._words = list(words)

    def missing(self) -> str:
        return ""

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        with daemon(directory) as variables:
            yield json.dumps(variables)

    def words(self, address: str, resource: str) -> list[str]:
        return [str(SCRIPTS / self._words[0]), *self._words[1:], "-r", resource, "--"]

    def environ(self, address: str) -> dict[str, str]:
        variables: dict[str, str] = json.loads(address)
        return variables


class Python:
    """No lock at all: what of a command is the start of Python."""

    name = "python -c pass"
    how = "no lock at all, with the Python that runs Holdfast"

    def missing(self) -> str:
        return ""

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        yield ""

    def words(self, address: str, resource: str) -> list[str]:
        return [sys.executable, "-c", "pass"]

    def environ(self, address: str) -> dict[str, str]:
        return {}


class PingHandle:
    """One round trip; there is nothing to give back."""

    def __init__(self, address: str) -> None:
        import zmq

        self._context = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.LINGER, 0)
        self._dealer.connect(address)

    def acquire(self) -> None:
        self._dealer.send(b"ping")
        self._dealer.recv()

    def release(self) -> None:
        """Nothing was taken."""

    def close(self) -> None:
        self._context.destroy()


class Ping:
    """A bare pyzmq DEALER that talks to a bare pyzmq ROUTER over ipc."""

    name = "bare ZeroMQ round trip"
    how = "no lock at all: pyzmq's DEALER and ROUTER over ipc, one message there and back"
    modules: Sequence[str] = ("zmq",)

    def missing(self) -> str:
        return ""

    @contextmanager
    def serving(self, directory: Path) -> Iterator[str]:
        path = directory / "echo"
        with server([sys.executable, "-c", ECHO, f"ipc://{path}"], directory, path.exists):
            yield f"ipc://{path}"

    def handle(self, address: str, resource: str, *, shared: bool = False) -> Handle:
        return PingHandle(address)


__all__ = ["Holdfast", "HoldfastCommand", "HoldfastTcp", "Ping", "Python", "clean_environ", "daemon"]
