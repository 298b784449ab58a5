"""The page that `make bench` writes says who was missing, who failed, what was reached, and between which bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

import report
from clients import Window
from report import Aim, Scenario, chart, page, table, write


def scenario(key: str = "S0") -> Scenario:
    made = Scenario(key, "Something", "cycles")
    for value in (10.0, 30.0, 20.0):
        made.note("ours", {"cycles": value})
        made.note("slow", {"cycles": value / 4})
    made.missing["theirs"] = "program theirs"
    return made


def test_a_figure_is_the_median_between_its_bounds() -> None:
    assert "| ours | 20 (10 to 30) |" in table(scenario())


def test_a_ratio_is_taken_round_by_round() -> None:
    assert scenario().ratios("cycles", "ours", "slow") == [4, 4, 4]


def test_who_is_missing_is_listed() -> None:
    assert "| theirs | missing: program theirs |" in table(scenario())


def test_who_failed_is_listed_beside_what_was_measured_before() -> None:
    made = scenario()
    made.failed["slow"] = "it ended"
    assert "| slow | 5 (2.5 to 7.5) |" in table(made)
    assert "| slow | failed: it ended |" in table(made)


def test_an_aim_is_met_from_its_bound_on() -> None:
    assert [Aim("S0", "", (value,), 3.0, None).reached for value in (2.9, 3.0)] == ["missed", "met"]
    assert [Aim("S0", "", (value,), None, 3.0).reached for value in (3.0, 3.1)] == ["met", "missed"]


def test_the_median_decides_whether_an_aim_is_met() -> None:
    made = scenario()
    made.aim("by slow", [2.0, 4.0, 9.0], least=4)
    assert "| S0 | by slow | 4 (2 to 9) | at least 4 | met |" in page([made], {}, [], "")


def test_an_aim_that_needs_somebody_missing_is_not_measured() -> None:
    made = scenario()
    made.aim("by theirs", made.ratios("cycles", "ours", "theirs"), least=3)
    assert "| S0 | by theirs | - | at least 3 | not measured |" in page([made], {}, [], "")


def test_a_scenario_without_result_is_not_silent() -> None:
    made = scenario()
    made.broken = "it failed: nobody knows"
    assert "| S0 | no result: it failed: nobody knows | - | - | not measured |" in page([made], {}, [], "")


def test_a_scenario_without_any_figure_is_a_table_all_the_same() -> None:
    made = Scenario("S0", "Something", "cycles")
    made.missing["theirs"] = "program theirs"
    assert table(made).splitlines()[-3:] == ["| | cycles |", "|--|--|", "| theirs | missing: program theirs |"]


def test_a_reason_stays_in_its_cell_however_long_it_is() -> None:
    made = scenario()
    made.broken = made.failed["slow"] = "not | ready:\n" + "log\n" * 500 + "no space"
    row = page([made], {}, [], "").splitlines()[-1]
    assert row.startswith(r"| slow | failed: not \| ready: log log")
    assert row.endswith(" log no space |")
    assert len(row) < 350
    aims = page([made], {}, [], "").partition("## Where")[0]
    assert r"| S0 | no result: not \| ready: log" in aims
    assert aims.rstrip().endswith("log no space | - | - | not measured |")


def test_the_page_says_how_each_system_was_used() -> None:
    made = scenario()
    made.how["theirs"] = "asks again every 0.1 s"
    assert "- theirs: asks again every 0.1 s" in page([made], {}, [], "")


def test_the_page_shows_the_charts_that_there_are() -> None:
    shown = page([scenario("S1"), scenario("S2")], {}, ["S2"], "")
    assert "performance/S2.svg" in shown
    assert "performance/S1.svg" not in shown


def test_the_notes_come_last() -> None:
    assert page([scenario()], {"machine": "one"}, [], "\n## Where the time goes\n").endswith("## Where the time goes\n")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that a run writes, somewhere else."""
    for name in ("RESULTS", "PAGE", "CHARTS", "NOTES"):
        monkeypatch.setattr(report, name, tmp_path / name)
    return tmp_path


def test_a_run_of_all_scenarios_writes_the_page(places: Path) -> None:
    write([scenario(f"S{number}") for number in range(12, 0, -1)])
    text = (places / "PAGE").read_text()
    assert text.index("### S2 ") < text.index("### S10 ")
    assert (places / "RESULTS" / "latest.json").exists()
    assert (places / "RESULTS" / "table.md").exists()


def test_a_run_of_some_scenarios_leaves_the_page_alone(places: Path) -> None:
    write([scenario("S1")])
    assert (places / "RESULTS" / "latest.json").exists()
    assert not (places / "PAGE").exists()


def test_a_chart_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("pygal")
    made = scenario()
    made.note("none", {"cycles": 0.0})  # a logarithmic scale has no zero
    assert chart(made, tmp_path)
    drawn = (tmp_path / "S0.svg").read_text()
    assert "<script" not in drawn
    assert "ours" in drawn


def test_a_window_tells_fairness_and_waits() -> None:
    window = Window(2.0, [3, 4], [[1, 2, 3], [4, 5, 6, 7]], [1, 2], [90, 80, 200])
    assert (window.hand_overs, window.way) == (1.5, 90.0)
    assert (window.rate, window.fairness, window.wait(0.5), window.wait(0.99)) == (3.5, 0.75, 4.0, 7.0)
    assert window.wait(0.5, 0) == 2.0
