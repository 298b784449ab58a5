"""Every command that speaks to a daemon can be told which one."""

from __future__ import annotations

import click
import pytest

from holdfast.cli.config import show
from holdfast.cli.dump import dump
from holdfast.cli.mount import mount
from holdfast.cli.run import run
from holdfast.cli.status import status
from holdfast.cli.stop import stop
from holdfast.cli.why import why
from support import House


@pytest.mark.parametrize("command", [run, status, why, dump, stop, mount, show])
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
