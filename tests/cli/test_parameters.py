"""The options of the table as click's, and click's part in running a command."""

from __future__ import annotations

import click
import pytest

from holdfast.cli.options import Option
from holdfast.cli.parameters import invoke, parameter


@pytest.mark.parametrize(
    ("option", "words", "value"),
    [
        (Option(("-f",), "flag", "A flag."), [], False),
        (Option(("-f",), "flag", "A flag."), ["-f", "-f"], True),
        (Option(("-v", "--value"), "value", "A value.", "V"), [], None),
        (Option(("-v", "--value"), "value", "A value.", "V", "usual"), [], "usual"),
        (Option(("-v", "--value"), "value", "A value.", "V", "usual"), ["-va", "--value=b"], "b"),
        (Option(("--all",), "all", "Values.", "V", repeated=True), [], ()),
        (Option(("--all",), "all", "Values.", "V", repeated=True), ["--all", "b", "--all=a"], ("b", "a")),
    ],
)
def test_an_option_of_the_table_is_one_of_click_s(option: Option, words: list[str], value: object) -> None:
    found: dict[str, object] = {}
    made = parameter(option)
    invoke(click.Command("x", callback=found.update, params=[made]), "x", words)
    assert found == {option.name: value}
    assert (made.opts, made.help, made.metavar or "") == (list(option.words), option.help, option.metavar)


def test_the_exit_code_of_a_command_is_ours() -> None:
    assert invoke(click.Command("seven", callback=lambda: 7), "seven", []) == 7
    assert invoke(click.Command("none", callback=lambda: None), "none", []) == 0
