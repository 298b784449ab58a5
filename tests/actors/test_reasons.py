"""Why a request is not granted, in a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.actors.door import Session
from holdfast.actors.reasons import Reasons
from holdfast.actors.rules.line import Owner
from holdfast.transport.listeners import Origin
from holdfast.transport.messages import Explain, Explained, Mode
from holdfast.transport.wire import encode
from line_model import ask, line
from people import hello

ALICE, BOB, CAROL, DAVE = (Owner(bytes([letter]) * 16) for letter in b"ABCD")
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol", DAVE: "dave"}


class Scene:
    """A line in which everybody is here."""

    def __init__(self, resource: str = "simple") -> None:
        self.resource = resource
        self.line = line(resource)
        self.sessions = {owner: self.session(owner) for owner in NAMES}
        self.reasons = Reasons(resource, self.line, self.sessions)

    def session(self, owner: Owner) -> Session:
        return Session(b"", replace(hello(1), session=owner, user=NAMES[owner], command="make"), 3)

    def asks(self, owner: Owner, mode: Mode = Mode.EX, *, now: float, inside: tuple[Owner, ...] = ()) -> None:
        self.line.ask(owner, ask(self.resource, mode), now, inside=inside)

    def busy(self, mode: Mode = Mode.EX, *, now: float, inside: tuple[Owner, ...] = ()) -> str:
        return self.reasons.busy(ask(self.resource, mode, timeout=0), inside, now).sentence

    def explain(self, owner: Owner, mode: Mode = Mode.EX, *, quantity: int = 1, now: float) -> Explained:
        return self.reasons.explain(owner, Explain(self.resource, 1, mode, quantity, True), (), now)


def test_the_holder_is_named_and_since_when() -> None:
    scene = Scene()
    scene.asks(ALICE, now=10.0)
    assert scene.busy(now=75.0) == "simple is not free: held by alice on node1, pid 4711 (make), for 1m05s"


def test_the_holder_is_named_with_its_key() -> None:
    scene = Scene()
    scene.sessions[ALICE].origin = Origin("192.0.2.7/48832", trusted=False, key="build")
    scene.asks(ALICE, now=10.0)
    assert "held by alice on node1, pid 4711, key build (make), for" in scene.busy(now=75.0)


def test_the_oldest_holder_is_named_and_the_others_are_counted() -> None:
    scene = Scene()
    for owner in (BOB, ALICE, CAROL):
        scene.asks(owner, Mode.PR, now=10.0)
    assert scene.busy(now=10.0) == "simple is not free: held by bob on node1, pid 4711 (make), for 0.0s, and 2 more"


def test_holders_that_are_not_in_the_way_are_not_counted() -> None:
    scene = Scene()
    scene.asks(ALICE, Mode.NL, now=10.0)
    scene.asks(BOB, Mode.CR, now=10.0)
    scene.asks(CAROL, Mode.PR, now=11.0)
    assert scene.busy(Mode.PW, now=14.0) == "simple is not free: held by carol on node1, pid 4711 (make), for 3.0s"


def test_the_hold_that_it_is_made_inside_is_not_counted() -> None:
    scene = Scene()
    for owner in (ALICE, BOB):
        scene.asks(owner, Mode.PR, now=10.0)
    assert "held by bob" in scene.busy(now=11.0, inside=(ALICE,))
    assert "more" not in scene.busy(now=11.0, inside=(ALICE,))


def test_who_stands_behind_somebody_hears_behind_whom() -> None:
    scene = Scene()
    scene.asks(ALICE, Mode.PR, now=10.0)
    scene.asks(BOB, now=20.0)
    scene.asks(CAROL, now=21.0)
    behind = "behind bob on node1, pid 4711 (make), who waits for 5.0s, and 1 more"
    assert scene.busy(Mode.PR, now=25.0) == f"simple is not free: {behind}"
    assert scene.busy(now=25.0) == f"simple is not free: held by alice on node1, pid 4711 (make), for 15s; {behind}"


def test_who_waits_hears_its_position_and_why() -> None:
    scene = Scene()
    for now, owner in enumerate((ALICE, BOB, CAROL)):
        scene.asks(owner, now=10.0 + now)
    told = scene.explain(CAROL, now=15.0)
    assert (told.granted, told.position) == (False, 2)
    assert told.sentence.startswith("held by alice on node1, pid 4711 (make), for 5.0s; behind bob")
    assert scene.reasons.timed_out(CAROL, 3.0, 15.0).sentence == f"simple was not granted within 3s: {told.sentence}"


def test_who_holds_hears_that_it_does() -> None:
    scene = Scene()
    scene.asks(ALICE, now=10.0)
    assert scene.explain(ALICE, now=12.0) == Explained(True, 0, "simple is yours, for 2.0s")


def test_who_could_have_it_hears_that_it_is_free() -> None:
    assert Scene().explain(DAVE, now=10.0) == Explained(True, 0, "simple is free")


def test_what_can_never_be_granted_is_told_with_its_reason() -> None:
    told = Scene("units[5]").explain(DAVE, quantity=6, now=10.0)
    assert (told.granted, told.position) == (False, 0)
    assert told.sentence == "6 units asked, units[5] has 5"


def test_a_deadlock_is_told_as_it_would_be_refused() -> None:
    scene = Scene()
    for owner in (ALICE, BOB):
        scene.asks(owner, Mode.PR, now=10.0)
    scene.asks(CAROL, now=11.0, inside=(ALICE,))
    told = scene.reasons.explain(DAVE, Explain("simple", 1, Mode.EX, 1, True), (BOB,), 12.0)
    assert (told.granted, told.position) == (False, 0)
    assert told.sentence.startswith("simple would wait for ever")


def test_when_it_is_only_too_early_that_is_said() -> None:
    scene = Scene("_t_%M[1]")
    scene.asks(ALICE, now=60.0)
    scene.line.leave(ALICE, 61.0)
    assert scene.busy(now=62.0) == "_t_%M[1] is not free: it is too early for the next one"


@pytest.mark.parametrize(
    ("resource", "quantity", "sentence"),
    [("printer", 0, "a quantity of 0"), ("plotter", 1, "plotter is not served here"), ("a..b" * 200, 1, "not a valid")],
)
def test_a_request_without_meaning_does_not_come_to_the_line(resource: str, quantity: int, sentence: str) -> None:
    refused = Scene("printer").reasons.meaningless(ask(resource, quantity=quantity))
    assert refused is not None
    assert sentence in refused.sentence


def test_a_node_below_the_root_has_a_meaning() -> None:
    assert Reasons("/a", line("/a"), {}).meaningless(ask("/a/b")) is None


def test_no_sentence_is_too_long_for_a_message() -> None:
    scene = Scene()
    long = "\U0001f600" * 1024
    for owner in (ALICE, BOB, CAROL):
        session = scene.session(owner)
        session.who = replace(session.who, user=long, host=long, command=long, job=long, reason="\x1b" * 4096)
        scene.sessions[owner] = session
        scene.asks(owner, now=10.0)
    for refused in (scene.reasons.busy(ask("simple"), (), 11.0), scene.reasons.timed_out(CAROL, 1.0, 11.0)):
        assert encode(refused)
    assert encode(scene.explain(CAROL, now=11.0))
    assert len(scene.reasons.held(11.0).encode()) < 4096


def test_a_holder_that_is_on_its_way_has_no_name() -> None:
    scene = Scene()
    scene.asks(ALICE, now=10.0)
    del scene.sessions[ALICE]
    assert scene.busy(now=11.0) == "simple is not free: held by a session that is on its way, for 1.0s"
