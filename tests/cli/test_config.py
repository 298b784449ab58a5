"""``holdfast config show``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.config import config
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.settings import Settings

Show = Callable[..., Result]


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.setenv("HOME", str(tmp_path))

    def show(*arguments: str) -> Result:
        return CliRunner().invoke(config, ["show", *arguments])

    return show


def rows(result: Result) -> dict[str, list[str]]:
    assert result.exit_code == 0
    return {line.split()[0]: line.split(maxsplit=2)[1:] for line in result.stdout.splitlines()}


def test_every_setting_is_shown_with_its_value_and_where_it_came_from(show: Show) -> None:
    shown = rows(show())
    assert list(shown) == [field.name for field in dataclasses.fields(Settings)]
    assert shown["mode"] == ["EX", "default"]
    assert shown["order"] == ["fifo", "default"]
    assert shown["timeout"] == ["forever", "default"]
    assert shown["autostart"] == ["yes", "default"]
    assert shown["name"] == ["-", "default"]


def test_the_columns_stand_below_each_other(show: Show) -> None:
    lines = show().stdout.splitlines()
    assert len({line.index("default") for line in lines if line.endswith("default")}) == 1


def test_files_and_variables_are_named(show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = tmp_path / ".config/holdfast.conf"
    at_home.parent.mkdir()
    at_home.write_text("[Resource]\nName=printer\n[Daemon]\nLifespan=forever\n")
    named = tmp_path / "named.conf"
    named.write_text("[Resource]\nLockMode=PR\n")
    monkeypatch.setenv("HOLDFAST_AUTOSTART", "no")
    shown = rows(show("-c", str(named)))
    assert shown["name"] == ["printer", str(at_home)]
    assert shown["lifespan"] == ["forever", str(at_home)]
    assert shown["mode"] == ["PR", str(named)]
    assert shown["autostart"] == ["no", "HOLDFAST_AUTOSTART"]


def test_json_has_the_same(show: Show, tmp_path: Path) -> None:
    named = tmp_path / "named.conf"
    named.write_text("[Resource]\nTimeout=1500\nOrder=first-fit\n[Monitor]\nIgnoredSignals=SIGHUP\n")
    shown = json.loads(show("--json", "-c", str(named)).stdout)
    assert shown["timeout"] == {"value": 1.5, "from": str(named)}
    assert shown["order"]["value"] == "first-fit"
    assert shown["ignored_signals"]["value"] == [1]
    assert shown["mode"] == {"value": "EX", "from": "default"}
    assert shown["name"] == {"value": None, "from": "default"}


def test_a_bad_file_is_the_same_error_as_everywhere(show: Show) -> None:
    result = show("-c", "/nowhere")
    assert isinstance(result.exception, InvalidSetting)
    assert "/nowhere cannot be read" in str(result.exception)
