"""``holdfast status``: what is in its rows, and when it shows them."""

from __future__ import annotations

import json
import os
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fcntl import ioctl
from time import localtime, strftime
from typing import Any

import pytest
from click.testing import CliRunner

from holdfast.cli import status as module
from holdfast.cli.status import COLUMNS, rows, status
from holdfast.cli.table import table
from holdfast.transport.enums import Mode
from holdfast.transport.errors import Unreachable, UsageError
from holdfast.transport.picture import Picture, Scene
from holdfast.transport.records import Claim, Record
from holdfast.transport.settings import Settings
from scenes import INCUBATOR, NOW, WALL, changes, holder, parked, resource, scene, tally, waiter
from support import LIMIT, House, wait_state, wait_until

HALF_PAST = strftime("%H:%M:%S", localtime(WALL - 10))


def lines(shown: Scene, pattern: str = "", state: Callable[[Claim], str] = lambda claim: "") -> list[list[str]]:
    """The words of the table, without its titles."""
    return [line.split() for line in table(COLUMNS, rows(shown, pattern, NOW, WALL, state))[1:]]


def test_a_resource_stands_above_its_holders_and_its_waiters_in_their_order() -> None:
    shown = scene(
        resource("printer"), holder("a"), waiter("c", arrival=9, user="carol"), waiter("b", arrival=8), INCUBATOR
    )
    assert [(words[0], words[-1]) for words in lines(shown)] == [
        ("printer", "1m00s"),
        ("EX", "-j4"),
        ("EX", "./send"),
        ("EX", "./send"),
    ]
    assert lines(shown)[1] == ["EX", "holds", HALF_PAST, "10s", "alice", "node1", "4711", "make", "-j4"]
    assert [words[1:3] for words in lines(shown)[2:]] == [["waits", "1"], ["waits", "2"]]
    assert [words[5] for words in lines(shown)[2:]] == ["bob", "carol"]


def test_a_job_and_a_reason_are_told_if_there_are_any() -> None:
    shown = scene(resource("printer"), holder("a", job="17", reason="nightly"))
    titles, _, row = table(COLUMNS, rows(shown, "", NOW, WALL, lambda claim: ""))
    assert titles.split() == [
        "NAME",
        "MODE",
        "STATE",
        "SINCE",
        "AGE",
        "USER",
        "HOST",
        "PID",
        "JOB",
        "COMMAND",
        "REASON",
    ]
    assert row.split()[-4:] == ["17", "make", "-j4", "nightly"]


def test_what_is_counted_shows_how_much_of_it_is_in_use() -> None:
    shown = scene(
        *(resource("pool[8]"), holder("a", "pool[8]", quantity=3), holder("b", "pool[8]", quantity=1, token=18)),
        *(resource("red.blue", 4), holder("c", "red.blue", 4, element="blue")),
    )
    pool, three, one, colours, blue = lines(shown)
    assert pool[:4] == ["pool[8]", "4", "of", "8"]
    assert (three[:3], one[:3]) == (["3", "units", "holds"], ["1", "unit", "holds"])
    assert (colours[:4], blue[:2]) == (["red.blue", "1", "of", "2"], ["blue", "holds"])


def test_a_tree_shows_who_has_which_node() -> None:
    shown = scene(resource("/disk"), holder("a", "/disk/home", mode=Mode.PR), waiter("b", "/disk"))
    assert [words[:2] for words in lines(shown)] == [["/disk", "PR"], ["/disk/home", "PR"], ["/disk", "EX"]]


def test_the_parked_and_the_refused_are_told() -> None:
    shown = scene(parked("a"), resource("tape", refused="its process died"), resource("free", 5))
    refused, free, waiting = lines(shown)
    assert (refused[:2], refused[-3:]) == (["tape", "refused"], ["its", "process", "died"])
    assert free[:2] == ["free", "free"]
    assert waiting[:3] == ["disk", "EX", "parked"]


def test_who_is_stopped_and_who_is_on_its_way_is_shown_as_such() -> None:
    shown = scene(resource("printer"), holder("a"), waiter("b", pid=0, host="", user="", command=""))
    _, stopped, coming = lines(shown, state=lambda claim: "stopped" if claim.pid == 4711 else "")
    assert stopped[1:3] == ["holds,", "stopped"]
    assert coming[1:6] == ["waits", "1,", "on", "its", "way"]
    assert len(coming) == 8


def test_an_instant_of_another_day_has_its_date() -> None:
    (row,) = lines(scene(resource("printer", age=200000.0)))
    assert row[2:] == [*strftime("%Y-%m-%d %H:%M", localtime(WALL - 200000)).split(), "2d07h"]


def test_a_pattern_chooses_the_rows() -> None:
    shown = scene(resource("printer"), holder("a"), resource("tape", 5), parked("b"))
    assert len(lines(shown, "p*")) == 2
    assert lines(shown, "disk")[0][0] == "disk"


def test_what_a_client_said_never_reaches_the_terminal_as_it_is() -> None:
    evil = "\x1b[2J\u202e\x9b"
    shown = scene(
        resource("printer"), holder("a", **dict.fromkeys(("command", "user", "host", "key", "job", "reason"), evil))
    )
    told = "\n".join(table(COLUMNS, rows(shown, "", NOW, WALL, lambda claim: "")))
    assert told.replace("\n", "").isprintable()
    assert told.count("\\x1b[2J\\u202e\\x9b") == 6


# --- when it is shown -------------------------------------------------------------------------------------------------


class Script:
    """A follower that has seen what a test wrote down; then its daemon ends."""

    def __init__(self, pictures: Sequence[Sequence[Record]]) -> None:
        self.picture = Picture()
        self.closed = False
        self._coming = list(enumerate(pictures, 1))

    def __call__(self, settings: Settings, environ: Mapping[str, str]) -> Script:
        return self

    def update(self, timeout: float | None) -> bool:
        if not self._coming:
            raise Unreachable("the daemon has ended")
        number, records = self._coming.pop(0)
        self.picture.apply(changes(*records, number=number), NOW)
        return True

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Pictures as the daemon tells them one after the other; the clock stands still."""

    def follow(*pictures: Sequence[Record]) -> Script:
        script = Script(pictures)
        monkeypatch.setattr(module, "Follower", script)
        monkeypatch.setattr(module, "monotonic", lambda: NOW)
        monkeypatch.setattr(module, "time", lambda: WALL)
        monkeypatch.delenv("COLUMNS", raising=False)
        return script

    return follow


Follow = Callable[..., Script]
PRINTER = [resource("printer"), holder("a"), tally()]


def test_a_table_is_not_cut_where_no_terminal_is(follow: Follow) -> None:
    script = follow([resource("printer"), holder("a", command="make " * 50)])
    result = CliRunner().invoke(status)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "make " * 49 in result.stdout
    assert "\x1b" not in result.stdout
    assert script.closed


def test_a_table_is_cut_to_the_columns_that_the_environment_tells(follow: Follow) -> None:
    follow([resource("printer"), holder("a", command="make " * 50, host=os.uname().nodename)])
    told = CliRunner(env={"COLUMNS": "60"}).invoke(status).stdout.splitlines()
    assert max(map(len, told)) <= 60
    assert "…" in told[2]
    assert "SINCE" not in told[0]
    assert "HOST" not in told[0]


def test_a_narrow_table_names_a_host_that_is_not_ours(follow: Follow) -> None:
    follow([resource("printer"), holder("a", host="node7")])
    assert "node7" in CliRunner(env={"COLUMNS": "60"}).invoke(status).stdout


def test_where_several_hosts_are_shown_they_are_told_apart_however_narrow_it_is(follow: Follow) -> None:
    follow([resource("printer"), holder("a"), waiter("b", host="node2")])
    told = CliRunner(env={"COLUMNS": "80"}).invoke(status).stdout
    assert "node1" in told
    assert "node2" in told


@pytest.mark.parametrize(
    ("words", "sentence"), [([], "nobody holds anything, and nobody waits"), (["x*"], "no resource matches 'x*'")]
)
def test_nothing_to_show_is_said_and_is_no_fault(follow: Follow, words: list[str], sentence: str) -> None:
    follow([resource("tape")] if words else [])
    result = CliRunner().invoke(status, words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"holdfast: {sentence}\n")


def test_programs_get_one_document(follow: Follow) -> None:
    follow(PRINTER)
    told = json.loads(CliRunner().invoke(status, ["--json"]).stdout)
    assert (told["v"], [one["name"] for one in told["resources"]]) == (1, ["printer"])
    follow(PRINTER)
    result = CliRunner().invoke(status, ["--json", "x"])
    assert (json.loads(result.stdout)["resources"], result.stderr) == ([], "")


def test_a_watcher_that_is_no_terminal_gets_a_line_for_each_change(follow: Follow) -> None:
    follow(PRINTER, PRINTER, [*PRINTER, waiter("b")])
    result = CliRunner().invoke(status, ["--watch", "--json", "--interval", "0"])
    assert isinstance(result.exception, Unreachable)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["number"], len(one["resources"][0]["waiters"])) for one in told] == [(1, 0), (3, 1)]


def test_what_a_pattern_leaves_out_is_no_reason_to_tell_anything(follow: Follow) -> None:
    follow(PRINTER, [*PRINTER, resource("tape", 5)], [*PRINTER[:2], tally(requests=7)])
    told = CliRunner().invoke(status, ["printer", "--watch", "--interval", "0"]).stdout
    assert told.count("printer") == 1
    follow(PRINTER, [*PRINTER, resource("tape", 5)], [*PRINTER[:2], tally(requests=7)])
    assert len(CliRunner().invoke(status, ["printer", "--watch", "--json", "--interval", "0"]).stdout.splitlines()) == 2


def test_what_only_grew_older_is_not_told_again(follow: Follow) -> None:
    older = [resource("printer", age=69.0), holder("a", age=19.0), tally(), waiter("b", age=7.0, left=3.0)]
    for words in (["--watch"], ["--watch", "--json"]):
        follow([resource("printer"), holder("a"), tally(), waiter("b", left=5.0)], older)
        assert CliRunner().invoke(status, [*words, "--interval", "0"]).stdout.count("make -j4") == 1


def test_an_interval_needs_a_watch(follow: Follow) -> None:
    follow(PRINTER)
    assert isinstance(CliRunner().invoke(status, ["--interval", "1"]).exception, UsageError)


# --- with a daemon ----------------------------------------------------------------------------------------------------


class Screen:
    """A terminal of 24 lines and 80 columns, on which ``holdfast`` runs."""

    def __init__(self, house: House, *words: str) -> None:
        self._keyboard, inside = os.openpty()
        ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.process = house.popen(
            house.words(*words),
            environ={"TERM": "xterm"},
            **{"stdin": inside, "stdout": inside, "stderr": inside, "preexec_fn": lambda: os.login_tty(os.dup(inside))},
        )
        os.close(inside)
        self.shown = ""

    def wait(self, wanted: str) -> None:
        """Read on until ``wanted`` has come since the last question."""
        at = len(self.shown)
        while wanted not in self.shown[at:]:
            self.shown += os.read(self._keyboard, 65536).decode()

    def type(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def end(self) -> int:
        """Read to the end, and tell how the process ended."""
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            while more := os.read(self._keyboard, 65536):
                self.shown += more.decode()
        os.close(self._keyboard)
        return self.process.wait(LIMIT)


def resources(told: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(told)["resources"]}


def registry(house: House) -> int:
    (pid,) = [
        one["pid"] for one in json.loads(house.run("status", "--json").stdout)["actors"] if one["role"] == "registry"
    ]
    assert isinstance(pid, int)
    return pid


@pytest.mark.slow
@pytest.mark.parametrize("words", [["status"], ["status", "--watch"], ["why", "printer"]])
def test_without_a_daemon_that_is_said(house: House, words: list[str]) -> None:
    told = house.run(*words)
    assert (told.returncode, told.stdout) == (99, "")
    assert told.stderr.startswith("holdfast: no daemon is running at ")
    assert not house.processes()


@pytest.mark.slow
def test_what_is_held_is_shown_and_for_whom_others_wait(house: House) -> None:
    held = house.hold("-r", "printer", "--reason", "nightly")
    waiting = house.spawn("run", "-r", "printer", "--", "true")
    wait_until(lambda: resources(house.run("status", "--json").stdout)["printer"]["waiters"], "somebody waits")
    printer = resources(house.run("status", "--json", "p*").stdout)["printer"]
    assert [(one["pid"], one["reason"]) for one in printer["holders"]] == [(held.pid, "nightly")]
    assert [(one["pid"], one["command"], one["position"]) for one in printer["waiters"]] == [(waiting.pid, "true", 1)]
    assert printer["waiters"][0]["blockers"] == [printer["holders"][0]["session"]]
    assert printer["counters"]["EX"]["requests"] == 2
    os.kill(held.pid, signal.SIGSTOP)
    wait_state(held.pid, "T")
    assert "holds, stopped" in house.run("status").stdout
    assert "stopped: it goes on only when somebody continues it" in house.run("why", "printer").stdout
    os.kill(held.pid, signal.SIGCONT)
    assert house.let_go(held) == 0
    assert waiting.wait(LIMIT) == 0


@pytest.mark.slow
def test_who_watches_sees_each_change_and_at_last_the_end(house: House) -> None:
    held = house.hold("-r", "printer")
    watching = house.spawn("status", "--watch", "--json", "--interval", "0")
    assert watching.stdout is not None
    lines = iter(watching.stdout)
    assert len(resources(next(lines))["printer"]["holders"]) == 1
    killed = registry(house)
    os.kill(killed, signal.SIGKILL)
    house.let_go(held)
    assert next(line for line in lines if not resources(line).get("printer", {}).get("holders"))
    house.run("stop", "--now")
    ends = ["holdfast: the daemon has ended\n", "holdfast: the daemon was stopped\n"]  # whichever connection ends first
    assert watching.communicate(timeout=LIMIT)[1] in ends
    assert watching.returncode == 99


@pytest.mark.slow
def test_on_a_terminal_it_is_drawn_over_what_was_there(house: House) -> None:
    held = house.hold("-r", "printer")
    screen = Screen(house, "status", "--watch")
    screen.wait("cat")
    assert screen.shown.startswith("\x1b[H")
    assert "\x1b[32mholds\x1b[0m" in screen.shown
    waiting = house.spawn("run", "-r", "printer", "--", "true")
    screen.wait("waits 1")
    screen.type(b"\x03")
    assert screen.end() == -signal.SIGINT
    assert "Traceback" not in screen.shown
    assert screen.shown.count("\n") == screen.shown.count("\x1b[K\r\n")  # each line ends what was there before
    assert "\x1b[J\x1b[H" in screen.shown  # and so does each picture
    house.let_go(held)
    assert waiting.wait(LIMIT) == 0


@pytest.mark.slow
def test_ages_go_on_though_nothing_changes(house: House) -> None:
    house.hold("-r", "printer")
    screen = Screen(house, "status", "--watch")
    screen.wait("cat")
    screen.wait("cat")
    screen.wait("cat")
    screen.type(b"\x03")
    assert screen.end() == -signal.SIGINT


@pytest.mark.slow
def test_more_than_a_terminal_shows_is_counted(house: House) -> None:
    held = [house.hold("-r", f"printer{number}") for number in range(12)]
    screen = Screen(house, "status", "--watch")
    screen.wait("lines more")
    screen.type(b"\x03")
    screen.end()
    drawn = screen.shown.split("\x1b[H")[1]
    assert drawn.count("\n") == 23
    assert "… and 5 lines more" in drawn
    assert [house.let_go(one) for one in held] == [0] * 12


@pytest.mark.slow
def test_a_watcher_whose_reader_went_away_ends(house: House) -> None:
    held = house.hold("-r", "printer")
    watching = house.spawn("status", "--watch", "--json")
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.stdout.close()
    assert watching.wait(LIMIT) == 141
    assert house.let_go(held) == 0


@pytest.mark.slow
def test_words_that_an_output_cannot_tell_are_no_fault(house: House) -> None:
    held = house.hold("-r", "printer", "--reason", "日本")
    for words in (["status"], ["why", "printer"]):
        told = house.run(*words, environ={"PYTHONIOENCODING": "latin-1"})
        assert (told.returncode, told.stderr) == (0, "")
        assert "??" in told.stdout
    assert house.let_go(held) == 0
