"""What an actor tells about a session."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from holdfast.actors.told import LONGEST, claim_of, cut, public_name
from holdfast.transport.listeners import Origin
from holdfast.transport.messages import FOREVER, Mode, Standing
from holdfast.transport.records import Claim
from people import hello, session_id
from raw import acquire, locate

ASK = acquire("/a/b", 7)


def told(who: object = None, ask: object = ASK) -> Claim:
    return claim_of(  # type: ignore[arg-type]  # as the test wants it
        who, ask, actor=3, place=4, number=5, session=public_name(session_id(1)), standing=Standing.WAITS, age=1.0
    )


def test_a_public_name_says_nothing_about_the_session_id() -> None:
    name = public_name(bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert name == "a8faed6abbf35c12"
    assert len({public_name(session_id(one)) for one in range(100)}) == 100


@given(st.text())
def test_a_text_is_cut_at_a_whole_character_and_not_sooner_than_it_must(text: str) -> None:
    text *= 20
    short = cut(text)
    assert text.startswith(short)
    assert len(short.encode("utf-8", "surrogatepass")) <= LONGEST
    if short != text:
        assert len(text[: len(short) + 1].encode("utf-8", "surrogatepass")) > LONGEST


def test_a_lone_surrogate_is_no_reason_to_fail() -> None:
    assert cut("\udcff" * 100) == "\udcff" * 85


def test_a_claim_tells_who_asked_for_what_and_no_session_id() -> None:
    who = replace(hello(1, inside=(session_id(2), session_id(3))), job="17", reason="tests")
    claim = told(who)
    assert (claim.actor, claim.place, claim.number, claim.standing) == (3, 4, 5, Standing.WAITS)
    assert (claim.resource, claim.mode, claim.quantity) == ("/a/b", Mode.EX, 1)
    assert (claim.host, claim.pid, claim.uid, claim.user) == ("node1", 4711, 1000, "alice")
    assert (claim.command, claim.job, claim.reason, claim.peer) == ("make", "17", "tests", "localhost/")
    assert claim.inside == (public_name(session_id(2)), public_name(session_id(3)))
    assert (claim.left, claim.token, claim.element) == (FOREVER, 0, "")


def test_a_claim_tells_by_what_address_and_key_its_session_came() -> None:
    origin = Origin("192.0.2.7/48832", trusted=False, key="build")
    facts = {"actor": 3, "place": 4, "number": 5, "session": "x", "standing": Standing.WAITS, "age": 1.0}
    claim = claim_of(hello(1), ASK, **facts, origin=origin)  # type: ignore[arg-type]  # all of them fit
    assert (claim.peer, claim.key) == ("192.0.2.7/48832", "build")
    claim = claim_of(None, ASK, **facts, origin=origin)  # type: ignore[arg-type]  # all of them fit
    assert (claim.peer, claim.key) == ("", "")


def test_of_a_session_that_is_on_its_way_nothing_is_told_but_what_it_asked() -> None:
    claim = told(None, locate("printer"))
    assert (claim.resource, claim.pid, claim.host, claim.peer, claim.user) == ("printer", 0, "", "", "")


def test_every_text_of_a_client_is_cut() -> None:
    long = "x" * 300
    who = replace(hello(1), host=long, user=long, command=long, job=long, reason=long)
    claim = told(who)
    assert {claim.host, claim.user, claim.command, claim.job, claim.reason} == {"x" * LONGEST}
