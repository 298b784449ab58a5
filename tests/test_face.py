"""The public names, each loaded on its first use."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import holdfast
from holdfast.transport import errors

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", holdfast.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(holdfast, name) is not None
    assert name in dir(holdfast)


def test_every_error_is_promised() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and name[0] != "_"}
    assert defined <= set(holdfast.__all__)


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Wire'"):
        holdfast.Wire  # noqa: B018  # asking is the test


def test_the_version_is_that_of_the_package() -> None:
    assert holdfast.__version__ == PROJECT["version"]
