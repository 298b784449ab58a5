"""The error tree: as printed on top of its file, and every error survives a trip between processes."""

from __future__ import annotations

import pickle
import re

import pytest

from holdfast.transport import errors
from holdfast.transport.errors import HoldfastError, InvalidSetting, LockLost, TimedOut, Unreachable, UsageError


def all_kinds() -> list[type[HoldfastError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HoldfastError)]


def test_the_tree_on_top_of_the_file_is_the_tree() -> None:
    parents: list[str] = []
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)", line)
        if found and not line.strip().startswith("An"):
            depth = len(found[1]) // 4
            parents[depth:] = [found[2]]
            drawn[found[2]] = parents[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in all_kinds()}


@pytest.mark.parametrize("kind", all_kinds())
def test_every_error_says_its_sentence_and_pickles_with_its_facts(kind: type[HoldfastError]) -> None:
    error = kind("a sentence", resource="printer")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "a sentence"
    assert vars(again) == vars(error)
    assert again.resource == "printer"


@pytest.mark.parametrize("kind", all_kinds())
def test_an_error_without_a_sentence_says_at_least_its_name(kind: type[HoldfastError]) -> None:
    assert str(kind()) == kind.__name__


def test_facts_beyond_the_sentence_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(LockLost("gone", cause="stopped"))).cause == "stopped"
    again = pickle.loads(pickle.dumps(InvalidSetting("bad", file="/etc/f", group="Daemon", key="Pool")))
    assert (again.file, again.group, again.key) == ("/etc/f", "Daemon", "Pool")


@pytest.mark.parametrize(
    ("kind", "usual"), [(UsageError, ValueError), (TimedOut, TimeoutError), (Unreachable, ConnectionError)]
)
def test_who_does_not_know_us_can_catch_the_usual_error(kind: type[HoldfastError], usual: type[Exception]) -> None:
    assert issubclass(kind, usual)
