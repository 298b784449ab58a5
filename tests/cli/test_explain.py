"""``holdfast run --explain``: the sentence and the exit code, and that nothing has happened."""

from __future__ import annotations

import pytest

from holdfast.cli.explain import tell_whether_free, verdict
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import NoSuchResource, Unreachable
from holdfast.transport.inquiry import Finding
from holdfast.transport.messages import Explained
from holdfast.transport.settings import Settings
from support import House

FREE, WAITS = Explained(True, 0, ""), Explained(False, 2, "held by anna")


@pytest.mark.parametrize(
    ("found", "granted", "sentence"),
    [
        (None, True, "no daemon is running: it would be started, and the lock granted"),
        (Finding(FREE, exists=True), True, "x would be granted now"),
        (Finding(FREE, exists=False), True, "x would be granted now: it does not exist yet, and would be created"),
        (Finding(WAITS, exists=True), False, "not now: held by anna; you would have position 2 in line"),
        (Finding(Explained(False, 0, "8 of 5"), exists=False), False, "no: 8 of 5"),
    ],
)
def test_it_is_said_whether_it_would_be_granted(found: Finding | None, granted: bool, sentence: str) -> None:
    assert verdict(Settings(name="x"), found) == (granted, sentence)


@pytest.mark.parametrize("found", [None, Finding(FREE, exists=False)])
def test_what_does_not_exist_and_is_not_to_be_created_would_be_waited_for(found: Finding | None) -> None:
    settings = Settings(name="x", create=False)
    assert verdict(settings, found) == (
        False,
        "not now: x does not exist, and would be waited for until somebody creates it",
    )
    with pytest.raises(NoSuchResource):
        verdict(Settings(name="x", create=False, timeout=0.0), found)


def test_what_exists_is_not_to_be_created_anyway() -> None:
    assert verdict(Settings(name="x", create=False, timeout=0.0), Finding(FREE, exists=True))[0]


@pytest.mark.parametrize("settings", [Settings(name="x", lifespan=0), Settings(name="x", autostart=False)])
def test_where_no_daemon_may_be_started_none_is_reached(settings: Settings) -> None:
    with pytest.raises(Unreachable, match="none may be started here"):
        verdict(settings, None)


def test_where_none_could_be_started_the_lock_would_not_be_granted() -> None:
    with pytest.raises(Unreachable, match="open to the network is not started unasked"):
        verdict(Settings(name="x", group=Tcp("239.255.0.1", 28015)), None)


def test_nothing_that_is_said_obeys_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Finding(Explained(False, 1, "held by \x1b[2J"), exists=True)
    monkeypatch.setattr("holdfast.cli.explain.inquire", lambda *_: found)
    assert tell_whether_free(Settings(name="x", conflict_exit_code=7)) == 7
    assert capsys.readouterr().out == "not now: held by \\x1b[2J; you would have position 1 in line\n"


def explained(house: House, *words: str, **environ: str) -> tuple[int, str, str]:
    ended = house.run("run", "--explain", *words, environ=environ)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.slow
def test_without_a_daemon_none_is_started_and_no_command_is_needed(house: House) -> None:
    assert explained(house, "-r", "x") == (0, "no daemon is running: it would be started, and the lock granted\n", "")
    assert not house.run_dir.exists()
    assert explained(house, "-r", "x", HOLDFAST_AUTOSTART="no")[0] == 99


@pytest.mark.slow
def test_with_a_daemon_it_is_said_who_has_it_and_nothing_is_taken(house: House) -> None:
    holder = house.hold("-r", "x", "--reason", "nightly")
    code, said, _ = explained(house, "-r", "x")
    assert (code, said.startswith("not now: ")) == (98, True)
    assert f"pid {holder.pid}" in said
    assert "position 1" in said
    assert explained(house, "-r", "x", "-E", "7")[0] == 7
    assert explained(house, "-r", "x", "-l", "NL") == (0, "x would be granted now\n", "")
    house.let_go(holder)
    assert explained(house, "-r", "x")[0] == 0
    assert house.run("run", "-n", "-r", "x", "echo", "mine").stdout == "mine\n"


@pytest.mark.slow
def test_what_does_not_exist_is_not_created(house: House) -> None:
    holder = house.hold("-r", "other")
    assert explained(house, "-r", "x")[:2] == (
        0,
        "x would be granted now: it does not exist yet, and would be created\n",
    )
    assert explained(house, "-r", "x", "--no-create")[0] == 98
    assert explained(house, "-r", "x", "--no-create", "-n")[0] == 96
    assert house.run("run", "--no-create", "-n", "-r", "x", "true").returncode == 96
    house.let_go(holder)


@pytest.mark.slow
def test_units_and_what_can_never_be_are_told(house: House) -> None:
    holder = house.hold("-r", "x[5]", "-q", "3")
    assert explained(house, "-r", "x[5]", "-q", "2")[0] == 0
    assert explained(house, "-r", "x[5]", "-q", "3")[0] == 98
    for name in ("x[5]", "y[5]"):
        code, said, _ = explained(house, "-r", name, "-q", "8")
        assert (code, said.startswith("no: ")) == (98, True)
    house.let_go(holder)


@pytest.mark.slow
def test_what_the_commands_around_hold_is_shared(house: House) -> None:
    inside = house.words("run", "--explain", "-r", "x")
    assert house.run("run", "-r", "x", *inside).returncode == 0
    assert house.run("run", "-r", "x", *inside, "--no-nest").returncode == 98
