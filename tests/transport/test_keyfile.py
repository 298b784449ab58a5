"""The syntax of configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.transport import keyfile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.conf"


def test_groups_keys_comments_and_blank_lines(file: Path) -> None:
    file.write_text("# top\n\n[Resource]\nName = a # b\n\n# more\n[Daemon]\n")
    assert keyfile.read(str(file)) == {"Resource": {"Name": "a # b"}, "Daemon": {}}


def test_of_duplicates_the_last_wins_and_groups_merge(file: Path) -> None:
    file.write_text("[A]\nx=1\ny=1\n[B]\n[A]\nx=2\n")
    assert keyfile.read(str(file)) == {"A": {"x": "2", "y": "1"}, "B": {}}


def test_keys_and_groups_are_exact(file: Path) -> None:
    file.write_text("[A]\nKey=1\nkey=2\n[a]\n")
    assert keyfile.read(str(file)) == {"A": {"Key": "1", "key": "2"}, "a": {}}


def test_an_indented_line_is_a_line_of_its_own_as_in_glib(file: Path) -> None:
    file.write_text("[A]\nx=1\n  y=2\n")
    assert keyfile.read(str(file)) == {"A": {"x": "1", "y": "2"}}


def test_colons_semicolons_percent_signs_and_default_mean_nothing_special(file: Path) -> None:
    file.write_text("[DEFAULT]\nx=1\n[A]\nName=_t_%Y:%m[1]\nb=;c\n")
    assert keyfile.read(str(file)) == {"DEFAULT": {"x": "1"}, "A": {"Name": "_t_%Y:%m[1]", "b": ";c"}}


def test_a_byte_order_mark_is_no_part_of_the_file(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[A]\r\nx=1\r\n")
    assert keyfile.read(str(file)) == {"A": {"x": "1"}}


def test_a_file_name_that_is_no_utf8_survives(file: Path) -> None:
    file.write_bytes(b"[A]\nx=/tmp/\xff\n")
    assert keyfile.read(str(file))["A"]["x"].encode("utf-8", "surrogateescape") == b"/tmp/\xff"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x=1\n", "line 1: there is no"),
        ("[A]\nx=1\nnonsense\n", "line 3: neither"),
        ("; x=1\n", "line 1: a comment begins with #, not with ;"),
        ("[A]\n ; why\n", "line 2: a comment begins with #, not with ;"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_line(file: Path, text: str, line: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=line):
        keyfile.read(str(file))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(), st.text(alphabet="[]=#;:A \t\n\r\\%").map(str.encode)))
def test_any_bytes_are_read_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    try:
        groups = keyfile.read(str(file))
    except ValueError:
        return
    assert all(isinstance(text, str) for keys in groups.values() for text in keys.values())


def test_the_nearest_word_is_named_and_nothing_if_none_is_near() -> None:
    assert keyfile.nearest("lockmode", ["LockMode", "Name"]) == "; did you mean LockMode?"
    assert keyfile.nearest("zzz", ["LockMode", "Name"]) == ""
