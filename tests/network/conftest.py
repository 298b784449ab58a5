"""The two hosts of FLoM's use cases, cabled to one switch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts import Host, network


@pytest.fixture
def mojan() -> Iterator[Host]:
    """The first host; ``presanella`` is beside it if a test asks for it too."""
    with network("mojan", "presanella") as (first, _):
        yield first


@pytest.fixture
def presanella(mojan: Host) -> Host:
    """The second host."""
    return mojan.neighbour
