"""What ships, and that a checkout finds itself: see docs/decisions/0001."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FACE = {"__init__.py", "__main__.py", "testing.py"}
ROOMS = {"actors", "cli", "transport", "vfs"}
SCRIPTS = {"holdfast": "main", "flom": "flom"}  # each goes to a module of cli
NOT_SHIPPED = ["tests", "bench", "docs"]
LEFT_BEHIND = shutil.ignore_patterns(".*_cache", ".git", ".venv*", "__pycache__", "build", "dist", "*.egg-info")


def package_folders() -> set[str]:
    inits = [path for room in ROOMS for path in (ROOT / room).rglob("__init__.py")]
    return {".".join(["holdfast", *path.relative_to(ROOT).parts[:-1]]) for path in inits}


def test_every_package_folder_is_listed() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == {"holdfast"} | package_folders()


def test_every_folder_of_the_rooms_with_code_is_a_package() -> None:
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_nothing_else_stands_at_the_root() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == FACE


def test_everything_that_ships_has_its_link() -> None:
    links = {link.name: link for link in (ROOT / ".path/holdfast").iterdir() if link.name != "__pycache__"}
    assert set(links) == FACE | ROOMS | {"py.typed"}
    assert {name: link.resolve() for name, link in links.items()} == {name: ROOT / name for name in links}


def test_both_commands_are_there() -> None:
    assert PROJECT["tool"]["setuptools"]["script-files"] == [f"scripts/{name}" for name in SCRIPTS]
    assert "scripts" not in PROJECT["project"], "pip would write over ours"


@pytest.mark.parametrize(("name", "module"), SCRIPTS.items())
def test_a_script_is_started_by_python_and_goes_straight_to_its_command(name: str, module: str) -> None:
    script = ROOT / "scripts" / name
    assert script.read_text().startswith("#!python\n"), "what an installer replaces by its interpreter"
    assert os.access(script, os.X_OK)
    lines = [ast.unparse(node) for node in ast.parse(script.read_text()).body[1:]]
    assert lines == [
        "from holdfast.cli.begin import begin",
        "begin()",
        f"from holdfast.cli.{module} import main",
        "main()",
    ]


def build(kind: str, folder: Path) -> Path:
    """Build a wheel or an sdist of a copy of the checkout; nothing is written into the checkout itself."""
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_BEHIND)
    code = f"import setuptools.build_meta as build; build.build_{kind}({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    return next(path for path in folder.iterdir() if path.suffix in (".whl", ".gz"))


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        scripts = {Path(name).name for name in names if ".data/scripts/" in name}
        licenses = [name for name in wheel.namelist() if name.endswith("LICENSE")]
    sources = {path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    code = {name for name in names if ".data/scripts/" not in name}
    assert code == {f"holdfast/{path}" for path in [*sources, *FACE, "py.typed"]}
    assert scripts == set(SCRIPTS)
    assert licenses


@pytest.mark.slow
def test_the_sdist_carries_what_is_needed_to_check_it(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "tests/test_packaging.py",
        "Makefile",
        ".ci/setup",
        "LICENSE",
        "docs/protocol.md",
        "transport/wire.py",
        "scripts/holdfast",
        "scripts/flom",
    } <= names
    assert all(any(name.startswith(f"{folder}/") for name in names) for folder in NOT_SHIPPED)
