"""The manual and the tour are true: their tables are compared with what they are about."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from holdfast.actors.log import EVENTS
from holdfast.cli import exits
from holdfast.cli.commands import batch_command, run_command
from holdfast.cli.config import show
from holdfast.cli.discover import discover
from holdfast.cli.dump import dump
from holdfast.cli.keygen import keygen
from holdfast.cli.mount import mount
from holdfast.cli.serve import serve
from holdfast.cli.status import status
from holdfast.cli.stop import stop
from holdfast.cli.umount import umount
from holdfast.cli.why import why
from holdfast.transport import errors
from holdfast.transport.settings import GROUPS, VARIABLES

ROOT = Path(__file__).resolve().parent.parent
MANUAL = (ROOT / "docs/manual.md").read_text()
FLOORS = ["Floor 0: `transport/`", "Floor 1: `actors/`", "Floor 1: `vfs/`", "Floor 2: `cli/`"]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without the table's own head."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def codes(page: str, heading: str) -> set[str]:
    return {row[0] for row in rows(page, heading)}


@pytest.mark.parametrize(
    ("heading", "command"),
    [
        ("`holdfast run`", run_command()),
        ("`holdfast batch`", batch_command()),
        ("`holdfast status`", status),
        ("`holdfast why`", why),
        ("`holdfast serve`", serve),
        ("`holdfast mount`", mount),
        ("`holdfast umount`", umount),
        ("`holdfast stop`", stop),
        ("`holdfast dump`", dump),
        ("`holdfast discover`", discover),
        ("`holdfast keygen`", keygen),
        ("`holdfast config show`", show),
    ],
)
def test_all_options_are_told(heading: str, command: click.Command) -> None:
    told = {word for row in rows(MANUAL, heading) for word in re.findall(r"(?<=[` ])--?[a-zA-Z][a-z-]*", f" {row[0]}")}
    real = {word for parameter in command.params if isinstance(parameter, click.Option) for word in parameter.opts}
    assert told == real | {"-h", "--help"}


def test_all_keys_are_told() -> None:
    told = [(group, key) for group, key, _ in rows(MANUAL, "Files and keys")]
    assert told == [(group, key) for group, keys in GROUPS.items() for key in keys]


def test_all_variables_are_told() -> None:
    assert [row[0].strip("`") for row in rows(MANUAL, "Environment")] == list(VARIABLES)


def test_all_log_ids_are_told() -> None:
    assert dict(rows(MANUAL, "The log")) == EVENTS


def test_exit_codes_are_those_of_the_table() -> None:
    told = {getattr(errors, name): row[0] for row in rows(MANUAL, "Exit status") for name in re.findall(r"\w+", row[1])}
    assert told == {kind: str(code) for kind, code in exits.CODES.items()}
    ours = {str(code) for code in (exits.NOT_THERE, exits.COMMAND_MISSING, exits.CONFLICT, exits.FAILED)}
    assert codes(MANUAL, "Exit status") == ours | {f"{exits.SIGNALLED}+N", "other"}


def test_the_readme_has_the_same_exit_codes() -> None:
    assert codes((ROOT / "README.md").read_text(), "Exit codes") == codes(MANUAL, "Exit status")


def test_the_tour_passes_every_file() -> None:
    house = (ROOT / "docs/house.md").read_text()
    told = sorted(row[0].strip("`") for floor in FLOORS for row in rows(house, floor) if ".py" in row[0])
    rooms = [folder for folder in ROOT.glob("*/") if (folder / "__init__.py").exists()]
    assert told == sorted(path.name for room in rooms for path in room.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
