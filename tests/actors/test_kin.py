"""Whom a session may claim to run inside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.door import Session
from holdfast.actors.kin import kin
from holdfast.actors.rules.line import Owner
from people import hello, session_id, somebody

OUTER = somebody(1)
HERE = {Owner(OUTER.who.session): OUTER, Owner(session_id(2)): somebody(2)}
INNER = hello(3, inside=(session_id(1), session_id(9), session_id(2)))


def test_those_that_are_here_count_in_their_order() -> None:
    assert kin(INNER, HERE) == [session_id(1), session_id(2)]


@pytest.mark.parametrize("other", [{"uid": 0}, {"host": "node2"}, {"boot_id": "another"}])
def test_another_users_or_machines_session_does_not_count(other: dict[str, object]) -> None:
    there = {Owner(session_id(1)): Session(b"", replace(OUTER.who, **other), 3)}  # type: ignore[arg-type]
    assert kin(INNER, there) == []
