"""The page that `make bench` writes says who was missing, what was reached, and between which bounds."""

from __future__ import annotations

from clients import Window
from report import Aim, Scenario, page, ratio, table


def scenario() -> Scenario:
    made = Scenario("S0", "Something", "cycles")
    for value in (10.0, 30.0, 20.0):
        made.note("ours", {"cycles": value})
    made.missing["theirs"] = "program theirs"
    return made


def test_a_figure_is_the_median_between_its_bounds() -> None:
    assert "| ours | 20 (10 to 30) |" in table(scenario())


def test_ratios_are_made_of_medians() -> None:
    assert scenario().middle("ours", "cycles") == 20


def test_who_is_missing_is_listed() -> None:
    assert "| theirs | missing: program theirs |" in table(scenario())


def test_an_aim_is_reached_from_its_bound_on() -> None:
    assert [Aim("S0", "", value, 3.0, None).reached for value in (2.9, 3.0)] == ["no", "yes"]
    assert [Aim("S0", "", value, None, 3.0).reached for value in (3.0, 3.1)] == ["yes", "no"]


def test_an_aim_that_needs_somebody_missing_is_not_measured() -> None:
    made = scenario()
    made.aim("by theirs", ratio(made.middle("ours", "cycles"), made.middle("theirs", "cycles")), least=3)
    assert "| S0 | by theirs | - | at least 3 | not measured |" in page([made], {}, "")


def test_the_notes_come_last() -> None:
    assert page([scenario()], {"machine": "one"}, "\n## Where the time goes\n").endswith("## Where the time goes\n")


def test_a_window_tells_fairness_and_waits() -> None:
    window = Window(2.0, [3, 4], [[1, 2, 3], [4, 5, 6, 7]])
    assert (window.rate, window.fairness, window.wait(0.5), window.wait(0.99)) == (3.5, 0.75, 4.0, 7.0)
    assert window.wait(0.5, 0) == 2.0
