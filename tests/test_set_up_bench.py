"""The set-up that ``make bench`` does besides: who cannot be installed is missing, and no service is started.

Each machine is a folder of programs and a copy of the script in a checkout of its own; the virtual environments in it
are scripts that note how they were called. No network and no real package is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "dirname", "cat", "env", "rm", "mktemp", "tee", "chmod", "grep")
PEERS = ("redis-server", "java", "etcd", "etcdctl", "sem")
FORBIDDEN = "exit 101"  # what a rule says that lets no service start; see invoke-rc.d(8)


class Machine:
    """A machine with a few tools, root, apt, and a checkout whose two virtual environments are there."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.checkout, self.policy = folder / "programs", folder / "checkout", folder / "policy-rc.d"
        self.log, self.temporary = folder / "log", folder / "temporary"
        self.log.touch()
        self.temporary.mkdir()
        self.programs.mkdir()
        (self.checkout / ".ci").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "setup-bench", self.checkout / ".ci")
        shutil.copy(ROOT / "pyproject.toml", self.checkout)
        (self.checkout / ".ci" / "setup").write_text("")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.programs / tool).symlink_to(found)
        self.put("id", "echo 0")
        self.put("apt-get", f"{self.noting('apt-get')}; cat {self.policy} >>{self.log} || :")
        self.put("update-rc.d", self.noting("update-rc.d"))
        self.python(
            ".venv", f'case "$*" in "-m pip wheel "*) : >"$9/holdfast-1.whl";; -c*) {sys.executable} "$@";; esac'
        )
        self.python(".venv-bench", "")

    def noting(self, name: str) -> str:
        return f'echo "{name} $*" >>{self.log}'

    def put(self, name: str, script: str) -> None:
        self._write(self.programs / name, script)

    def python(self, environment: str, script: str) -> None:
        """Let the Python of a virtual environment do this; how it was called is noted."""
        place = self.checkout / environment / "bin"
        place.mkdir(parents=True, exist_ok=True)
        (place.parent / "pyvenv.cfg").touch()
        self._write(place / "python", f"{self.noting(environment)}\n{script}")

    def _write(self, path: Path, script: str) -> None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def without(self, *programs: str) -> None:
        for program in programs:
            (self.programs / program).unlink()

    def set_up(self, *, code: int = 0) -> str:
        """Run the set-up, and return what it said."""
        command = [str(self.programs / "sh"), str(self.checkout / ".ci" / "setup-bench")]
        environment = {"PATH": str(self.programs), "POLICY_RC_D": str(self.policy), "TMPDIR": str(self.temporary)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stderr

    def left_behind(self) -> list[Path]:
        """What is still there of building the wheel."""
        return [*self.temporary.iterdir(), *self.checkout.glob("build")]

    def calls(self, beginning: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(beginning)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_is_installed_where_everything_is_there(machine: Machine) -> None:
    for program in PEERS:
        machine.put(program, "")
    machine.set_up()
    assert not any(peer in line for line in machine.calls("apt-get install") for peer in ("redis", "etcd", "parallel"))


def test_what_is_missing_is_installed_while_no_service_may_start(machine: Machine) -> None:
    machine.set_up()
    installed = [line.split()[-1] for line in machine.calls("apt-get install")]
    assert {"redis-server", "zookeeper", "etcd-server", "etcd-client", "parallel"} == set(installed)
    assert len(machine.calls(FORBIDDEN)) == len(machine.calls("apt-get"))
    assert not machine.policy.exists()


def test_services_that_came_along_do_not_start_at_the_next_boot(machine: Machine) -> None:
    machine.set_up()
    assert machine.calls("update-rc.d") == ["update-rc.d redis-server disable", "update-rc.d etcd disable"]


def test_a_service_that_was_there_before_is_left_alone(machine: Machine) -> None:
    machine.put("redis-server", "")
    machine.set_up()
    assert machine.calls("update-rc.d") == ["update-rc.d etcd disable"]


def test_a_rule_that_forbids_starts_stays_as_it_is(machine: Machine) -> None:
    machine.policy.write_text(f"#!/bin/sh\n{FORBIDDEN} # mine\n")
    machine.policy.chmod(0o755)
    machine.set_up()
    assert machine.calls("apt-get install")
    assert "# mine" in machine.policy.read_text()


def test_under_a_rule_that_allows_starts_nothing_is_installed(machine: Machine) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    machine.policy.chmod(0o755)
    assert "cannot keep services from being started" in machine.set_up()
    assert machine.calls("apt-get") == []
    assert machine.policy.exists()


def test_a_package_that_cannot_be_installed_is_said_to_be_missing_and_the_others_follow(machine: Machine) -> None:
    machine.put("apt-get", f'{machine.noting("apt-get")}; case "$*" in *redis-server) exit 100; esac')
    assert "redis-server cannot be installed; the benchmarks will say that it is missing" in machine.set_up()
    assert machine.calls("apt-get install")[-1].endswith("parallel")
    assert machine.calls(".venv-bench -m pip --quiet --disable-pip-version-check install")
    assert machine.calls("update-rc.d") == ["update-rc.d etcd disable"]


def test_an_update_that_fails_does_not_end_it(machine: Machine) -> None:
    machine.put("apt-get", f'{machine.noting("apt-get")}; case "$*" in update*) exit 100; esac')
    assert "apt-get update failed; trying with what it knew before" in machine.set_up()
    assert machine.calls("apt-get install")


@pytest.mark.parametrize("without", ["apt-get", "id"], ids=["no apt-get", "no root and no sudo"])
def test_who_cannot_install_is_told_what_will_be_missing(machine: Machine, without: str) -> None:
    if without == "id":
        machine.put("id", "echo 1000")
    else:
        machine.without(without)
    assert "these will be missing: redis-server" in machine.set_up()
    assert machine.calls("apt-get") == []


def test_who_may_not_use_sudo_is_told_too(machine: Machine) -> None:
    machine.put("id", "echo 1000")
    machine.put("sudo", "exit 1")
    assert "will be missing: redis-server" in machine.set_up()
    assert machine.calls("apt-get") == []


def test_python_packages_that_cannot_be_had_are_named_one_by_one(machine: Machine) -> None:
    machine.python(".venv-bench", 'case "$*" in *"[bench]"|*kazoo*) exit 1; esac')
    said = machine.set_up()
    assert "kazoo>=2.10 cannot be installed; what needs it will be missing" in said
    assert "redis" not in said.partition("one by one")[2]
    assert any(line.endswith("install redis>=5") for line in machine.calls(".venv-bench"))


def test_without_the_benchmarks_own_tools_it_ends_with_a_sentence(machine: Machine) -> None:
    machine.python(".venv-bench", "exit 1")
    assert "the benchmarks cannot run without" in machine.set_up(code=1)
    assert not machine.left_behind()


def test_nothing_of_the_wheel_is_left(machine: Machine) -> None:
    machine.set_up()
    assert machine.calls(".venv -m pip wheel")
    assert not machine.left_behind()


def test_something_else_in_the_place_of_the_virtual_environment_is_left_alone(machine: Machine) -> None:
    place = machine.checkout / ".venv-bench"
    (place / "pyvenv.cfg").unlink()
    assert "exists and is no virtual environment" in machine.set_up(code=1)
    assert os.listdir(place) == ["bin"]
