"""The table in docs/protocol.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.transport import messages, records, wire

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| `(\w+)` \| ([\w ]*?) ?\| (.+?) \|$", PAGE, re.MULTILINE)
RECORDS = re.findall(r"^\| `(\w+)` \| (\w+)/([\w/]+) \| (.+?) \|$", PAGE, re.MULTILINE)
ROLES = {"any", "client", "actor", "incubator", "locker", "child", "parent", "daemon"}


def test_the_numbers_are_those_of_the_page() -> None:
    assert {int(number): name for number, name, _, _ in ROWS} == {
        number: kind.__name__ for number, kind in wire.NUMBERS.items()
    }


def test_the_fields_are_those_of_the_page_in_their_order() -> None:
    assert {name: fields.split() for _, name, fields, _ in ROWS} == {
        kind.__name__: list(kind.__annotations__) for kind in wire.NUMBERS.values()
    }


def test_every_message_has_a_direction_between_known_roles() -> None:
    for _, name, _, direction in ROWS:
        assert set(direction.split(" → ")) <= ROLES, name
        assert direction.count(" → ") == 1, name


def test_the_records_are_those_of_the_page_with_their_fields_in_order() -> None:
    defined = {kind for kind in vars(records).values() if hasattr(kind, "__dataclass_fields__")}
    assert {name: fields.split() for name, _, _, fields in RECORDS} == {
        kind.__name__: list(kind.__annotations__) for kind in defined
    }


def test_a_key_is_made_of_the_fields_that_the_page_names() -> None:
    for name, word, fields, _ in RECORDS:
        kind = getattr(records, name)
        values = {field: index for index, field in enumerate(kind.__annotations__)}
        key = "/".join([word, *(str(values[field]) for field in fields.split("/"))])
        assert records.key(kind(**values)) == key


def test_every_message_of_the_file_has_a_number() -> None:
    defined = {kind for kind in vars(messages).values() if getattr(kind, "__module__", "") == messages.__name__}
    defined = {kind for kind in defined if hasattr(kind, "__dataclass_fields__")}
    assert defined == set(wire.NUMBERS.values())


def test_the_version_and_the_limits_are_those_of_the_page() -> None:
    assert f"protocol, version {messages.MAJOR}.{messages.MINOR}\n" in PAGE
    assert f"at most {wire.MAX_FRAME:,} bytes" in PAGE
    assert f"byte strings at most {wire.MAX_TEXT:,}; tuples at most {wire.MAX_TUPLE} entries" in PAGE
