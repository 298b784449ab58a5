"""Each kind of name has its rules."""

from __future__ import annotations

import pytest

from holdfast.actors.rules.kinds import resource_from_name
from holdfast.transport.names import Kind, parse
from line_model import EVERY_TYPE, ask


@pytest.mark.parametrize("text", EVERY_TYPE)
def test_a_names_kind_is_its_rules(text: str) -> None:
    name = parse(text)
    rules = {Kind.HIERARCHICAL: "tree"}.get(name.kind, name.kind.label)
    assert type(resource_from_name(name, wall=float)).__name__.lower() == rules


def test_all_paths_below_one_root_have_one_trees_rules() -> None:
    tree = resource_from_name(parse("/a/b/c"), wall=float)
    assert tree.refuses(ask("/a/x")) is None
    assert tree.refuses(ask("/x")) is not None
