"""Hosts of their own for tests of the network: each has its own interfaces, its own name and its own house.

A host is a process that holds a network and a host-name namespace and nothing else; whatever is started "on" it enters
them. A cable (a veth pair) leads from each host's ``eth0`` to a switch, which is a bridge in a namespace of its own, or
a slow line that loses packets. The kernel takes all of it away with the last process in it, so that nothing is left
even of a test that was killed.

This needs root. Where it cannot be had the tests are skipped and say so, unless ``HOLDFAST_TEST_HOSTS`` is "required".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

import pytest

from support import HOLDS, LIMIT, House, held, is_actor, wait_dead, wait_until

SLOW_LINE = Path(__file__).resolve().parent / "slow_line.py"


class Namespaces:
    """A process that holds namespaces, until it is closed or we end; ``pid`` is what nsenter wants to know."""

    def __init__(self, name: str) -> None:
        hold = [
            "unshare",
            "--net",
            "--uts",
            "sh",
            "-ec",
            f"echo {name} >/proc/sys/kernel/hostname; echo made; exec cat",
        ]
        self._holder = subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"made\n":
            raise OSError(self._holder.communicate()[1].decode())
        self.enter = ["nsenter", f"--target={self._holder.pid}", "--net", "--uts"]
        self.pid = self._holder.pid

    def do(self, script: str) -> str:
        """Run a script of the shell in there, which must succeed."""
        command = [*self.enter, "sh", "-ec", script]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        """Let them go."""
        with self._holder:
            self._holder.kill()


class Host(House):
    """A host of a network, and the house on it: ``run``, ``spawn`` and ``hold`` happen there."""

    def __init__(self, network: Network, name: str, number: int) -> None:
        super().__init__()
        self.name = name
        self.number = number
        self.ipv4 = f"10.28.0.{number}"
        self.ipv6 = f"fd28::{number}"
        self.link_local = f"fe80::28:{number}"
        self.inside = Namespaces(name)
        self._network = network
        self.environ |= {"HOME": str(self.path), "PATH": f"{self.path}:{self.environ['PATH']}"}
        script = self.path / "flom"
        script.write_text(f"#!{sys.executable}\nfrom holdfast.cli.flom import main\nmain()\n")
        script.chmod(0o755)

    @property
    def neighbour(self) -> Host:
        """The next host of its network."""
        return self._network.hosts[self.number % len(self._network.hosts)]

    def words(self, *words: str) -> list[str]:
        """The whole command line of ``holdfast words…`` on this host."""
        return [*self.inside.enter, *super().words(*words)]

    def flom(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``flom words…`` on this host to its end."""
        return self.command("flom", *words, environ=environ)

    def spawn_flom(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``flom words…`` on this host."""
        return self.popen([*self.inside.enter, "flom", *words], environ=environ)

    def hold_flom(self, *words: str) -> subprocess.Popen[str]:
        """Start ``flom words… -- cat`` and return when it holds; ``cat`` ends with its stdin."""
        return held(self.spawn_flom(*words, "--", *HOLDS))

    def command(self, *words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run any command on this host to its end."""
        return subprocess.run(
            [*self.inside.enter, *words],
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    def python(self, source: str | Path, *words: str) -> subprocess.Popen[str]:
        """Start a Python program on this host, from a file or as it stands, which imports what the tests do."""
        program = [str(source)] if isinstance(source, Path) else ["-c", source]
        return self.popen([*self.inside.enter, sys.executable, *program, *words])

    def daemons(self) -> list[int]:
        """The pids of the daemons (their main processes) on this host."""
        lines = [(pid, line) for pid, line in self.processes().items() if not is_actor(pid)]
        pids = [pid for pid, line in lines if "holdfast.cli.daemon" in line or "-m holdfast serve" in line]
        return [pid for pid in pids if _parent(pid) not in pids]

    def named_flom(self) -> list[int]:
        """What ``pgrep flom`` would show on this host."""
        return [pid for pid in self.processes() if Path(f"/proc/{pid}/comm").read_text() == "flom\n"]

    def unplug(self) -> None:
        """Pull the cable out at the switch: the host sees that its interface has no carrier."""
        self._network.switch.do(f"ip link set port{self.number} down")

    def plug(self) -> None:
        """Put it in again."""
        self._network.switch.do(f"ip link set port{self.number} up")
        self._network.wait_joined()

    def down(self) -> None:
        """Take the interface down on the host itself: it has no route to anybody then."""
        self.inside.do("ip link set eth0 down")

    def up(self) -> None:
        """Take it up again, with what goes away with it."""
        self.inside.do(f"ip link set eth0 up\n{self._routes()}")
        self._network.wait_joined()

    def connect(self) -> None:
        """Lead a cable to the switch, and give both ends what they need."""
        self._network.switch.do(
            f"ip link add name port{self.number} type veth peer name eth0 netns {self.inside.pid}\n"
            f"ip link set port{self.number} {self._network.port} up"
        )
        self.inside.do(
            f"ip link set lo up\nip link set eth0 addrgenmode none\nip link set eth0 up\n"
            f"ip address add {self.ipv4}/24 dev eth0\n{self._routes()}"
        )

    def close(self) -> None:
        """End everything on the host, then the host."""
        try:
            for daemon in self.daemons():
                os.kill(daemon, signal.SIGINT)
                wait_dead(daemon)  # or its lockers might stay, for who holds on another host
            super().close()
        finally:
            self.inside.close()

    def _routes(self) -> str:
        return (
            f"ip -6 address replace {self.ipv6}/64 dev eth0 nodad\n"
            f"ip -6 address replace {self.link_local}/64 dev eth0 nodad\n"
            "ip route replace default dev eth0\nip -6 route replace default dev eth0"
        )


@dataclass(frozen=True)
class Line:
    """What a slow line does to each packet: seconds each way, and which part of them is lost, by which dice."""

    delay: float
    loss: float
    seed: int


class Network:
    """A switch, and hosts that are connected to it; with a ``line`` there are two, and it is between them."""

    def __init__(self, names: Sequence[str], line: Line | None = None) -> None:
        self.switch = Namespaces("switch")
        self.port = "" if line else "master bridge"
        self.hosts = [Host(self, name, number) for number, name in enumerate(names, start=1)]
        self._line = line
        self._forwarder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Network:
        self.switch.do("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")  # it is a cable, and says nothing
        if not self._line:
            self.switch.do("ip link add name bridge type bridge mcast_snooping 0; ip link set bridge up")
        for host in self.hosts:
            host.connect()
        if self._line:
            self._forward(self._line)
        self.wait_joined()
        return self

    def wait_joined(self) -> None:
        """Wait until all hosts reach each other, and let them forget when they did not."""
        wait_until(lambda: all("state UP" in host.inside.do("ip link show eth0") for host in self.hosts), "carriers")
        for host in self.hosts:
            host.inside.do("ip neighbour flush dev eth0; ip -6 neighbour flush dev eth0")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as last:
            last.callback(self.switch.close)
            if self._forwarder is not None:
                last.enter_context(self._forwarder)
                last.callback(self._forwarder.kill)
            for host in self.hosts:
                last.callback(host.close)

    def _forward(self, line: Line) -> None:
        words = [sys.executable, "-I", "-S", str(SLOW_LINE), str(line.delay), str(line.loss), str(line.seed)]
        self._forwarder = subprocess.Popen([*self.switch.enter, *words, "port1", "port2"], stdout=subprocess.PIPE)
        assert self._forwarder.stdout is not None
        assert self._forwarder.stdout.readline() == b"forwarding\n"


@cache
def why_not() -> str:
    """Why there can be no hosts here, "" if there can."""
    if os.geteuid() != 0:
        return "hosts of their own need root"
    try:
        Namespaces("probe").close()
    except OSError as error:
        return f"no hosts of their own: {error}"
    return ""


@contextmanager
def network(*names: str, line: Line | None = None) -> Iterator[list[Host]]:
    """Hosts that reach each other, for a ``with``; skips the test where there can be none."""
    if why_not():
        required = os.environ.get("HOLDFAST_TEST_HOSTS") == "required"
        (pytest.fail if required else pytest.skip)(why_not())
    with Network(names, line) as made:
        yield made.hosts


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0
