"""Configuration files, for the tests of settings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.transport.errors import InvalidSetting
from holdfast.transport.settings import load

FLOM = "[Resource]\n[Daemon]\n[Network]\n"  # the groups that each of FLoM's has
Write = Callable[..., str]  # makes a file of a text, and returns its path


def refused(program: str, config: str) -> InvalidSetting:
    """Why ``program`` does not take the file ``config``."""
    with pytest.raises(InvalidSetting) as caught:
        load(program, {}, {}, config, [])
    assert caught.value.file == config
    assert config in str(caught.value)
    return caught.value
