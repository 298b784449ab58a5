"""Whom a session may claim to run inside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.door import Session
from holdfast.actors.kin import kin
from holdfast.actors.rules.line import Owner
from holdfast.transport.listeners import Origin
from people import session_id, somebody

OUTER = somebody(1)
HERE = {Owner(OUTER.who.session): OUTER, Owner(session_id(2)): somebody(2)}
INNER = somebody(3, inside=(session_id(1), session_id(9), session_id(2)))


def test_those_that_are_here_count_in_their_order() -> None:
    assert kin(INNER, HERE) == [session_id(1), session_id(2)]


@pytest.mark.parametrize("other", [{"uid": 0}, {"host": "node2"}, {"boot_id": "another"}])
def test_another_users_or_machines_session_does_not_count(other: dict[str, object]) -> None:
    there = {Owner(session_id(1)): Session(b"", replace(OUTER.who, **other), 3)}  # type: ignore[arg-type]
    assert kin(INNER, there) == []


def by_tcp(name: int, peer: str, *, key: str = "", inside: tuple[bytes, ...] = ()) -> Session:
    return replace(somebody(name, inside=inside), origin=Origin(peer, trusted=False, key=key))


def test_over_the_network_those_from_the_same_address_and_with_the_same_key_count() -> None:
    outer = by_tcp(1, "192.0.2.7/100", key="alice")
    here = {Owner(session_id(1)): outer}
    assert kin(by_tcp(2, "192.0.2.7/200", key="alice", inside=(session_id(1),)), here) == [session_id(1)]


@pytest.mark.parametrize(
    "other",
    [
        by_tcp(2, "192.0.2.8/200", key="alice", inside=(session_id(1),)),
        by_tcp(2, "192.0.2.7/200", key="bob", inside=(session_id(1),)),
        somebody(2, inside=(session_id(1),)),
    ],
)
def test_who_comes_from_elsewhere_or_with_another_key_cannot_claim_to_be_inside(other: Session) -> None:
    here = {Owner(session_id(1)): by_tcp(1, "192.0.2.7/100", key="alice")}
    assert kin(other, here) == []


def test_who_comes_by_the_network_cannot_claim_to_be_inside_of_who_came_by_the_socket() -> None:
    assert kin(by_tcp(3, "localhost/1", inside=(session_id(1),)), HERE) == []
