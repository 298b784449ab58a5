"""Holdfast as click knows it: what is wrong with a command line becomes our sentence."""

from __future__ import annotations

import click
import pytest

from holdfast.cli import commands
from holdfast.cli.commands import COMMANDS, holdfast, run_holdfast
from holdfast.transport.errors import UsageError


def test_every_command_is_there() -> None:
    context = click.Context(holdfast)
    found = [holdfast.get_command(context, name) for name in holdfast.list_commands(context)]
    assert [command and command.name for command in found] == list(COMMANDS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["walk"], "No such command 'walk' (see 'holdfast --help')"),
        (["run", "-Z"], "No such option '-Z' (see 'holdfast run --help')"),
        (["config", "walk"], "No such command 'walk' (see 'holdfast config --help')"),
    ],
)
def test_what_click_refuses_is_told_in_a_sentence_with_a_way_to_help(words: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        run_holdfast(words)
    assert str(caught.value) == told


def test_an_error_of_click_s_that_is_nobody_s_command_line_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> int:
        raise click.ClickException("nonsense")

    monkeypatch.setattr(commands, "invoke", fails)
    with pytest.raises(UsageError, match=r"^nonsense$"):
        run_holdfast([])


def test_a_shell_is_told_how_a_word_could_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_HOLDFAST_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "holdfast run --re")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run_holdfast([]) == 0
    assert capsys.readouterr().out.split() == ["plain,--resource", "plain,--reason", "plain,--replace"]
