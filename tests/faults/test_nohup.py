"""What was ignored when the wrapper started stays ignored, in the wrapper and in the command."""

from __future__ import annotations

import signal
import subprocess

import pytest

from support import House, wait_line

pytestmark = pytest.mark.slow


def nohup(house: House, *words: str) -> subprocess.Popen[str]:
    return house.popen(["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh", *house.words("run", "-r", "left", *words)])


def test_a_wrapper_and_its_command_survive_what_is_ignored(house: House) -> None:
    wrapper = nohup(house, "sh", "-c", 'echo ready; read line; kill -HUP $$; kill -INT $$; echo "alive $line"')
    wait_line(wrapper.stdout, "ready")
    wrapper.send_signal(signal.SIGHUP)
    wrapper.send_signal(signal.SIGINT)
    assert wrapper.communicate("still\n") == ("alive still\n", "")
    assert wrapper.returncode == 0


def test_a_waiting_wrapper_survives_what_is_ignored(house: House) -> None:
    holder = house.hold("-r", "left")
    wrapper = nohup(house, "-v", "echo", "mine")
    wait_line(wrapper.stderr, "waiting in line")
    wrapper.send_signal(signal.SIGHUP)
    wrapper.send_signal(signal.SIGINT)
    house.let_go(holder)
    assert wrapper.communicate()[0] == "mine\n"
    assert wrapper.returncode == 0
