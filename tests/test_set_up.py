"""The set-up that ``make`` does, on machines where something is missing. Each machine is a folder of programs.

No network and no real package is touched: where the set-up would go on to make a virtual environment, it meets
something else in that place, which it must not harm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "dirname", "cat", "cksum", "grep", "sed", "tr", "env")


class Machine:
    """A machine with a few tools, Python, and whatever is put on it."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.log = folder / "log"
        self.log.touch()
        self.occupied = folder / "occupied"
        self.occupied.mkdir()
        (self.occupied / "precious").touch()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.programs / tool).symlink_to(found)
        self.put("python3", f'exec {sys.executable} "$@"')
        self.put("ip", "")
        self.put("pgrep", "")
        self.put("busybox", "")
        self.put("ldconfig", "echo libfuse.so.2")
        self.user("0")

    def put(self, name: str, script: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def user(self, uid: str) -> None:
        self.put("id", f"echo {uid}")

    def put_apt(self, *known: str) -> None:
        self.put("apt-get", f'echo "apt-get $*" >>{self.log}')
        self.put("apt-cache", f'case " {" ".join(known)} " in *" $2 "*) echo Package: $2;; *) exit 100;; esac')

    def set_up(self, **environment: str) -> str:
        """Run the set-up, which must fail, and return what it said last."""
        environment = {"PATH": str(self.programs), "VENV": str(self.occupied), **environment}
        command = [str(self.programs / "sh"), str(ROOT / ".ci/setup")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 1
        assert (self.occupied / "precious").exists()
        return done.stderr.splitlines()[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_something_else_in_the_place_of_the_virtual_environment_is_left_alone(machine: Machine) -> None:
    machine.put("fusermount", "")
    assert "exists and is no virtual environment" in machine.set_up()
    assert machine.log.read_text() == ""


def test_without_apt_the_missing_packages_are_named(machine: Machine) -> None:
    assert "no apt-get to install them: fuse or fuse3" in machine.set_up()


def test_without_root_and_sudo_somebody_with_root_is_asked(machine: Machine) -> None:
    machine.put_apt()
    machine.user("1000")
    machine.put("ldconfig", "")
    assert "ask somebody with root to install them, then try again: fuse or fuse3 libfuse2" in machine.set_up()
    assert machine.log.read_text() == ""


def test_root_installs_what_this_release_calls_it(machine: Machine) -> None:
    machine.put_apt("fuse3", "libfuse2")
    machine.put("ldconfig", "")
    machine.set_up()
    updated, installed = machine.log.read_text().splitlines()
    assert updated.startswith("apt-get update")
    assert installed.endswith(" fuse3 libfuse2")


def test_who_is_not_root_installs_with_sudo(machine: Machine) -> None:
    machine.put_apt("fuse")
    machine.user("1000")
    machine.put("sudo", f'echo "sudo" >>{machine.log}; exec "$@"')
    machine.set_up()
    assert [line.split()[0] for line in machine.log.read_text().splitlines()] == ["sudo", "apt-get"] * 2


def test_an_installation_that_fails_says_so(machine: Machine) -> None:
    machine.put_apt("fuse")
    machine.put("apt-get", "exit 1")
    assert "apt-get could not install fuse; install them by hand" in machine.set_up()


def test_a_python_without_venv_needs_a_package_too(machine: Machine) -> None:
    machine.put("fusermount", "")
    machine.put("python3", f'case "$*" in *ensurepip*) exit 1; esac; exec {sys.executable} "$@"')
    version = "{}.{}".format(*sys.version_info)
    assert machine.set_up().endswith(f": python{version}-venv or python3-venv")


def test_an_old_python_is_refused_with_the_way_out(machine: Machine) -> None:
    machine.put("python3.1", "exit 1")
    assert "Python 3.11 or newer is needed, and python3.1 is not" in machine.set_up(PYTHON="python3.1")


def test_when_python3_is_too_old_a_newer_one_is_found(machine: Machine) -> None:
    os.rename(machine.programs / "python3", machine.programs / "python3.12")
    machine.put("python3", "exit 1")
    machine.put("fusermount", "")
    assert "exists and is no virtual environment" in machine.set_up()
