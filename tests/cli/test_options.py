"""Both readers of a command line find the same in it, or the quick one leaves it to click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.cli.commands import run_command
from holdfast.cli.flom import click_command
from holdfast.cli.flom_options import OPTIONS
from holdfast.cli.options import RUN, Option, read

if TYPE_CHECKING:
    from holdfast.cli.options import Value

TABLES = [(RUN, False), (OPTIONS, True)]
COMMANDS = {RUN: run_command(), OPTIONS: click_command()}


def by_click(options: Sequence[Option], words: Sequence[str]) -> tuple[dict[str, Value], tuple[str, ...]] | None:
    """What click finds; None: it refuses the line, or shows something."""
    command = COMMANDS[tuple(options)]
    try:
        found = command.make_context("x", list(words), help_option_names=["-h", "--help"]).params
    except (click.UsageError, click.exceptions.Exit):
        return None
    return {name: value for name, value in found.items() if name != "command"}, found["command"]


def forms(options: Sequence[Option]) -> st.SearchStrategy[list[str]]:
    """Words as people write them, and as they do not."""
    called = st.sampled_from([word for option in options for word in option.words] + ["-h", "--help", "-Z", "--none"])
    short = st.sampled_from([word[1] for option in options for word in option.words if len(word) == 2] + ["Z", "="])
    value = st.sampled_from(["", "x", "-", "--", "-s", "--mode", "a b", "=", "ü", "\udc80", "-1", "{}"])
    word = st.one_of(
        called,
        value,
        st.builds("{}={}".format, called, value),
        st.builds("{}{}".format, called, value),
        st.lists(short, min_size=1, max_size=4).map(lambda letters: f"-{''.join(letters)}"),
        called.map(lambda whole: whole[:-1]),  # an abbreviation
    )
    return st.lists(word, max_size=6)


def same(options: Sequence[Option], anywhere: bool, words: Sequence[str]) -> None:
    found, expected = read(options, words, anywhere=anywhere), by_click(options, words)
    assert found == expected
    if found is not None and expected is not None:
        assert list(found[0]) == list(expected[0]), "the first fault that is told is the first one of the line"


@given(forms(RUN))
@example(["-sx", "-rNAME", "--mode=", "--", "-r"])
@example(["-r", "--", "-q=3", "make", "-j4", "--", "-x"])
@example(["-nr"])
@example(["-n=1"])
@example(["--no-wait=1"])
@example(["-r", "a", "--resource", "b", "-rc"])
@example(["-s-x"])
def test_what_run_is_asked_for_is_the_same_by_both(words: list[str]) -> None:
    same(RUN, False, words)


@given(forms(OPTIONS))
@example(["--ignore-signal", "a", "echo", "--ignore-signal=b", "-r", "x", "--", "-r"])
@example(["a", "-V", "-", "b"])
def test_what_flom_is_asked_for_is_the_same_by_both(words: list[str]) -> None:
    same(OPTIONS, True, words)


@pytest.mark.parametrize(("options", "anywhere"), TABLES)
def test_every_option_is_read_in_every_form_that_it_has(options: Sequence[Option], anywhere: bool) -> None:
    for option in options:
        for word in option.words:
            whole = [word] if not option.metavar else [word, "v"]
            joined = [word] if not option.metavar else [f"{word}v" if len(word) == 2 else f"{word}=v"]
            for words in (whole, joined, [*whole, *joined]):
                assert read(options, words, anywhere=anywhere) is not None
                same(options, anywhere, [*words, "command", word])


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["-r"], ["--no-such"], ["-sZ"], ["-s=1"], ["--explain=no"]])
def test_what_it_does_not_know_for_certain_it_leaves_to_click(words: list[str]) -> None:
    assert read(RUN, words) is None


@pytest.mark.parametrize(("options", "anywhere"), TABLES)
def test_no_word_and_no_name_stands_twice_in_a_table(options: Sequence[Option], anywhere: bool) -> None:
    words = [word for option in options for word in option.words]
    names = [option.name for option in options]
    assert len(words) == len(set(words))
    assert len(names) == len(set(names))
