"""What holds for every test: nothing of the caller's environment gets in, and no test is measured by the clock."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

from support import House

hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

for _name in [name for name in os.environ if name.startswith("HOLDFAST_") and not name.startswith("HOLDFAST_TEST_")]:
    del os.environ[_name]


@pytest.fixture
def house() -> Iterator[House]:
    """A run directory with a daemon of its own; at the end of the test no process of it is left."""
    with House() as built:
        yield built
