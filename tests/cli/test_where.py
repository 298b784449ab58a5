"""Every command that speaks to a daemon can be told which one."""

from __future__ import annotations

import socket
import subprocess
import sys

import click
import pytest

from holdfast.cli.commands import run_command
from holdfast.cli.config import show
from holdfast.cli.dump import dump
from holdfast.cli.mount import mount
from holdfast.cli.status import status
from holdfast.cli.stop import stop
from holdfast.cli.why import why
from support import LIMIT, House, wait_line


@pytest.mark.parametrize("command", [run_command(), status, why, dump, stop, mount, show])
def test_every_command_that_speaks_to_a_daemon_can_be_told_which(command: click.Command) -> None:
    assert {"socket", "endpoint", "group"} <= {parameter.name for parameter in command.params}


def test_two_of_them_are_refused(house: House) -> None:
    done = house.run("config", "show", "--socket", "/s", "--endpoint", "tcp://h:1")
    assert done.returncode == 99
    assert "socket and endpoint name two daemons" in done.stderr


def test_one_of_them_replaces_the_variables(house: House) -> None:
    done = house.run("config", "show", "--endpoint", "tcp://[::1]:5", environ={"HOLDFAST_SOCKET": "/s"})
    shown = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert (shown["endpoint"], shown["socket"], shown["group"]) == ("tcp://[::1]:5", "-", "-")
    done = house.run("config", "show", "--discover", "239.255.0.1", environ={"HOLDFAST_ENDPOINT": "h:1"})
    assert "239.255.0.1:28015" in done.stdout


@pytest.mark.slow
def test_all_of_them_speak_to_a_daemon_on_the_network(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        where = ("--endpoint", f"tcp://127.0.0.1:{once.getsockname()[1]}")
    holder = house.hold("-r", "printer", *where)  # which starts the daemon, for it is on loopback
    elsewhere = {"HOLDFAST_RUN_DIR": "/tmp/nothing-is-here"}
    status = house.run("status", *where, environ=elsewhere)
    assert status.stdout.splitlines()[1].split()[0] == "printer"
    why = house.run("why", "printer", *where, environ=elsewhere)
    assert "1 holds it, nobody waits" in why.stdout
    explained = house.run("run", "--explain", "-r", "printer", *where, environ=elsewhere)
    assert (explained.returncode, "held by" in explained.stdout) == (98, True)
    busy = house.run("run", "-n", "-r", "printer", "--", "true", environ={**elsewhere, "HOLDFAST_ENDPOINT": where[1]})
    assert busy.returncode == 98
    assert house.run("status", environ=elsewhere).returncode == 99  # that one is another daemon
    assert house.let_go(holder) == 0
    assert house.run("dump", *where).stdout.startswith(str(house.run_dir))
    assert house.run("stop", "--now", *where).returncode == 0


@pytest.mark.slow
def test_a_holder_on_the_network_is_told_at_once_that_its_lock_is_lost(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        where = ("--endpoint", f"tcp://127.0.0.1:{once.getsockname()[1]}")
    holder = house.hold("-r", "printer", *where)
    assert house.run("stop", "--now", *where).returncode == 0
    assert "the lock printer is lost" in wait_line(holder.stderr, "holdfast: ")
    assert house.let_go(holder) == 99


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost"])
def test_flom_starts_a_daemon_at_an_address_of_this_host_and_finds_it_there(house: House, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = str(once.getsockname()[1])
    where = ("-a", host, "-p", port)
    assert flom(house, *where, "-d", "-1", "--", "true").returncode == 0
    assert flom(house, *where, "-d", "0", "--", "true").returncode == 0
    stopped = flom(house, *where, "-X")
    assert stopped.returncode == 0
    none = flom(house, *where, "-d", "0", "--", "true")
    assert (none.returncode, none.stderr.partition(" (")[0]) == (99, "flom_client_connect: ret_cod=-105")


def flom(house: House, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast.cli.flom", *words]
    return subprocess.run(command, env=house.environ, capture_output=True, text=True, timeout=LIMIT, check=False)
