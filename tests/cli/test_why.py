"""``holdfast why``: what it says of a name and of a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import localtime, strftime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from holdfast.cli import why as module
from holdfast.cli.why import why
from holdfast.transport.enums import Mode
from holdfast.transport.errors import InvalidName
from holdfast.transport.picture import Scene
from scenes import NOW, WALL, holder, parked, resource, scene, waiter

HELD = strftime("%H:%M:%S", localtime(WALL - 10))
WAITED = strftime("%H:%M:%S", localtime(WALL - 5))

Ask = Callable[..., Result]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask why, of a scene."""

    def ask(shown: Scene, *words: str) -> Result:
        monkeypatch.setattr(module, "snapshot", lambda settings, environ: shown)
        monkeypatch.setattr(module, "monotonic", lambda: NOW)
        monkeypatch.setattr(module, "time", lambda: WALL)
        return CliRunner().invoke(why, list(words))

    return ask


def lines(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_a_name_is_told_with_its_holder_its_line_and_what_frees_it(ask: Ask) -> None:
    shown = scene(
        *(resource("printer"), holder("a", reason="nightly"), waiter("b", arrival=1, blockers=("a",))),
        waiter("c", arrival=2, user="carol", mode=Mode.PR, job="17"),
    )
    assert lines(ask(shown, "printer")) == [
        "printer: 1 holds it, 2 wait",
        f"held (EX) by alice on node1, pid 4711 (make -j4), 'nightly', since {HELD} (10s)",
        f"1. bob on node1, pid 4712 (./send) waits (EX), since {WAITED} (5.0s)",
        "   until alice on node1, pid 4711 (make -j4), 'nightly' ends or releases",
        f"2. carol on node1, pid 4712 (./send), job 17 waits (PR), since {WAITED} (5.0s)",
        "   behind 1",
    ]


def test_where_nobody_waits_it_is_said_what_frees_it(ask: Ask) -> None:
    assert lines(ask(scene(resource("printer"), holder("a")), "printer"))[-1] == (
        "It is free when alice on node1, pid 4711 (make -j4) ends or releases"
    )
    readers = [holder(one, mode=Mode.PR, token=at, pid=at) for at, one in enumerate("abcde", 1)]
    assert lines(ask(scene(resource("printer"), *readers), "printer"))[-1] == (
        "It is free when all of these end or release: "
        "alice on node1, pid 1; alice on node1, pid 2; alice on node1, pid 3; and 2 more"
    )


def test_units_are_counted(ask: Ask) -> None:
    shown = scene(
        *(resource("pool[8]"), holder("a", "pool[8]", quantity=2), holder("b", "pool[8]", quantity=3, token=18)),
    )
    told = lines(ask(shown, "pool[8]"))
    assert told[1].startswith("held (2 units) by alice")
    assert told[-1] == "3 of 8 are free"
    shown = scene(*_claims(shown), waiter("c", "pool[8]", quantity=4))
    assert lines(ask(shown, "pool[8]"))[-1] == (
        "   needs 1 unit more: until enough of these end or release: alice on node1, pid 4711; alice on node1, pid 4711"
    )


def _claims(shown: Scene) -> list[Any]:
    return [
        record
        for view in shown.resources
        for record in (view.resource, *(one.claim for one in (*view.holders, *view.waiters)))
    ]


def test_of_a_set_the_elements_are_named_and_one_is_enough(ask: Ask) -> None:
    shown = scene(
        *(resource("r.g"), holder("a", "r.g", element="r"), holder("b", "r.g", element="g", token=18)),
        waiter("c", "r.g"),
    )
    told = lines(ask(shown, "r.g"))
    assert told[1].startswith("held (r) by")
    assert told[-1].startswith("   until one of these ends or releases: ")


def test_of_a_tree_only_what_concerns_the_path_is_told(ask: Ask) -> None:
    shown = scene(
        *(resource("/a"), holder("x", "/a/b", mode=Mode.PR), holder("y", "/a/c", token=18, user="carol")),
        waiter("z", "/a/b/d", blockers=("x",)),
    )
    told = lines(ask(shown, "/a/b"))
    assert told[0] == "/a/b: 1 holds it, 1 waits"
    assert told[1].startswith("held (PR, /a/b) by alice")
    assert told[2].startswith("1. bob on node1, pid 4712 (./send) waits (EX, /a/b/d), since")
    assert not [line for line in told if "carol" in line]


def test_a_name_that_nobody_uses_is_an_answer(ask: Ask) -> None:
    assert lines(ask(scene(resource("tape")), "printer")) == ["nobody holds printer; it does not exist"]
    assert lines(ask(scene(resource("tape")), "tape")) == ["tape: nobody holds it, nobody waits"]


def test_who_is_parked_is_told(ask: Ask) -> None:
    assert lines(ask(scene(parked("p")), "disk")) == [
        "nobody holds disk; it does not exist",
        f"bob on node1, pid 4712 (./send) waits until somebody creates it, since {WAITED} (5.0s)",
    ]


def test_a_dead_name_is_told_with_its_sentence(ask: Ask) -> None:
    assert lines(ask(scene(resource("printer", refused="its process died\x1b[2J")), "printer")) == [
        "printer is refused: its process died\\x1b[2J"
    ]


def test_nested_sessions_are_named(ask: Ask) -> None:
    shown = scene(resource("printer"), holder("a"), holder("b", pid=4720, inside=("a", "unknown"), token=18))
    assert "   inside alice on node1, pid 4711, which has printer" in lines(ask(shown, "printer"))


@pytest.mark.parametrize(("state", "until"), [("stopped", "ends or releases"), ("ended", "has started has ended")])
def test_a_holder_that_cannot_let_go_is_told(ask: Ask, monkeypatch: pytest.MonkeyPatch, state: str, until: str) -> None:
    monkeypatch.setattr(module, "condition", lambda claim: state if claim.session == "a" else "")
    told = lines(ask(scene(resource("printer"), holder("a"), waiter("b")), "printer"))
    assert [at for at, line in enumerate(told) if f"   {state}: " in line] == [2]
    assert told[-1].endswith(until)


def test_who_has_a_place_behind_somebody_needs_both(ask: Ask) -> None:
    waiters = [waiter("b", arrival=1), waiter("c", arrival=2, blockers=("a",))]
    assert lines(ask(scene(resource("printer"), holder("a"), *waiters), "printer"))[-2:] == [
        "   until alice on node1, pid 4711 (make -j4) ends or releases",
        "   and behind 1",
    ]


def test_what_a_process_has_stands_before_what_it_wants(ask: Ask) -> None:
    shown = scene(
        *(resource("printer"), holder("a", user="carol"), waiter("b", pid=1, blockers=("a",))),
        *(resource("tape", 4), holder("c", "tape", 4, pid=1)),
    )
    assert ["holds tape" in line for line in lines(ask(shown, "1"))[:2]] == [True, False]


CROSSED = scene(
    *(resource("printer"), holder("a", pid=1), waiter("b2", pid=2, user="carol", blockers=("a",))),
    *(resource("tape", 4), holder("b", "tape", 4, pid=2, user="carol")),
    waiter("a2", "tape", 4, pid=5, inside=("a",), blockers=("b",)),
)


def test_a_chain_and_a_circle_are_told(ask: Ask) -> None:
    told = lines(ask(CROSSED, "printer"))
    assert told[2:4] == [
        "   alice on node1, pid 1 through bob on node1, pid 5, which runs inside it, waits for tape,"
        f" since {WAITED} (5.0s), held by carol on node1, pid 2",
        f"   carol on node1, pid 2 itself waits for printer, since {WAITED} (5.0s), held by alice on node1, pid 1",
    ]
    assert told[-1] == (
        "This is a circle, in which everybody waits for ever; one of these must end: "
        "alice on node1, pid 1; carol on node1, pid 2"
    )


def test_a_process_is_told_with_all_that_it_has_and_wants(ask: Ask) -> None:
    told = lines(ask(CROSSED, "1"))
    assert told[0] == f"alice on node1, pid 1 (make -j4) holds printer (EX), since {HELD} (10s); 1 waits for it"
    assert told[1].startswith("bob on node1, pid 5 (./send) waits for tape (EX), position 1, since")
    assert told[2:4] == [
        "   inside alice on node1, pid 1, which has printer",
        "   until carol on node1, pid 2 (make -j4) ends or releases",
    ]
    assert told[4].startswith("   carol on node1, pid 2 itself waits for printer")
    assert told[5].startswith("This is a circle")


def test_a_process_that_is_parked_says_so(ask: Ask) -> None:
    (told,) = lines(ask(scene(parked("p", pid=8)), "8"))
    assert told.startswith("bob on node1, pid 8 (./send) waits until somebody creates disk, since")


def test_a_process_that_has_inherited_a_connection_holds_by_it(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = scene(resource("printer"), holder("a"))
    monkeypatch.setattr(module, "inherited_by", lambda pid: {"a"} if pid == 99 else set())
    first, second, *_ = lines(ask(shown, "99"))
    assert first == "process 99 has inherited the connection of who is told here:"
    assert second.startswith("alice on node1, pid 4711 (make -j4) holds printer (EX), since")
    assert lines(ask(shown, "98")) == ["process 98 holds nothing and waits for nothing"]
    assert lines(ask(shown, "4711"))[0].startswith("alice on node1, pid 4711")


def test_a_process_that_has_nothing_is_an_answer(ask: Ask) -> None:
    assert lines(ask(CROSSED, "99")) == ["process 99 holds nothing and waits for nothing"]


def test_programs_get_the_same_in_json(ask: Ask) -> None:
    told = json.loads(ask(CROSSED, "printer", "--json").stdout)
    assert (told["v"], told["asked"], told["sessions"]) == (1, "printer", ["a", "b2"])
    assert told["needs"] == [{"session": "b2", "of": ["a"], "every": True, "units": None, "behind": None}]
    assert told["links"][0] == {
        **{"holder": "a", "waiter": "a2", "resource": "tape", "held_by": ["b"], "circle": True},
    }
    assert [one["name"] for one in told["resources"]] == ["printer"]
    told = json.loads(ask(CROSSED, "1", "--json").stdout)
    assert (told["asked"], told["sessions"]) == (1, ["a", "a2"])
    assert [one["name"] for one in told["resources"]] == ["printer", "tape"]
    assert json.loads(ask(CROSSED, "nobody", "--json").stdout)["resources"] == []


def test_what_is_no_name_is_refused(ask: Ask) -> None:
    assert isinstance(ask(CROSSED, "a b").exception, InvalidName)


def test_what_a_client_said_never_reaches_the_terminal_as_it_is(ask: Ask) -> None:
    evil = dict.fromkeys(("command", "user", "host", "job", "reason", "element"), "\x1b[2J\x9b")
    shown = scene(resource("r.g"), holder("a", "r.g", **evil), waiter("b", "r.g", **evil))
    for asked in ("r.g", "4711"):
        assert all(line.isprintable() for line in lines(ask(shown, asked)))
