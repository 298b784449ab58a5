"""Mount points: what is there, told from the kernel's table, and who serves it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from holdfast.transport import mountpoint
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.mountpoint import Mount, claim, clear, from_table, place, server, wait_served_by_nobody

UID = os.geteuid()
TABLE = f"""\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
42 27 0:39 / /tmp/a ro,nosuid,nodev,relatime shared:7 master:2 - fuse.holdfast holdfast ro,user_id={UID},group_id=0
43 27 0:40 / /tmp/with\\040blank ro,nosuid - fuse.flom holdfast ro,user_id={UID},group_id=0
44 27 0:41 / /tmp/theirs ro,nosuid - fuse.holdfast holdfast ro,user_id={UID + 1},group_id=0
45 27 0:42 / /tmp/flom rw,nosuid - fuse.flom flom rw,user_id={UID},group_id=0
46 27 0:43 / /tmp/twice rw - tmpfs tmpfs rw
47 46 0:44 / /tmp/twice ro - fuse.holdfast holdfast ro,user_id={UID},group_id=0
"""


def test_a_mount_of_ours_is_known_by_source_type_and_user() -> None:
    assert from_table(TABLE, "/tmp/a") == Mount("/tmp/a", "fuse.holdfast", "holdfast", UID)
    ours = {
        path: mount.ours for path in ("/", "/tmp/a", "/tmp/theirs", "/tmp/flom") if (mount := from_table(TABLE, path))
    }
    assert ours == {"/": False, "/tmp/a": True, "/tmp/theirs": False, "/tmp/flom": False}


def test_blanks_in_a_path_are_written_in_octal() -> None:
    found = from_table(TABLE, "/tmp/with blank")
    assert found is not None
    assert found.ours


def test_what_was_mounted_last_counts() -> None:
    found = from_table(TABLE, "/tmp/twice")
    assert found is not None
    assert found.kind == "fuse.holdfast"


def test_where_nothing_is_mounted_there_is_nothing() -> None:
    assert from_table(TABLE, "/tmp/b") is None
    assert from_table(TABLE, "/tmp") is None


def test_a_place_has_no_link_and_no_slash_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert place(f"{tmp_path}/link/") == str(tmp_path / "real")
    assert place("/") == "/"


@pytest.mark.parametrize(
    ("path", "why"), [("", "empty path"), ("a\0b", "zero byte"), ("/tmp/\udcff", "not valid UTF-8")]
)
def test_a_path_without_meaning_is_refused(path: str, why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        place(path)


def test_what_cannot_be_a_mount_point_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for name, why in (
        ("missing", "does not exist; make it first: mkdir"),
        ("file", "is not a directory"),
        ("full", "is not empty"),
    ):
        with pytest.raises(InvalidSetting, match=why):
            mountpoint.check(str(tmp_path / name))


def test_what_somebody_else_has_mounted_is_left_alone() -> None:
    with pytest.raises(InvalidSetting, match=re.escape("is mounted at /proc already")):
        mountpoint.check("/proc")
    assert not clear("/proc")


def test_without_a_device_or_fusermount_nothing_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountpoint, "DEVICE", str(tmp_path / "fuse"))
    with pytest.raises(InvalidSetting, match="has no /"):
        mountpoint.check(str(tmp_path))
    monkeypatch.setattr(mountpoint, "DEVICE", "/dev/null")
    monkeypatch.setattr(mountpoint, "WHERE", str(tmp_path))
    with pytest.raises(InvalidSetting, match="fusermount is not installed"):
        mountpoint.check(str(tmp_path))


def test_one_process_serves_a_place_and_is_known_as_long_as_it_does(tmp_path: Path) -> None:
    path = str(tmp_path)
    assert server(path) == 0
    with claim(path):
        assert server(path) == os.getpid()
        with pytest.raises(InvalidSetting, match=f"process {os.getpid()} shows files at"):
            claim(path)
        assert server(f"{path}/other") == 0
    assert server(path) == 0
    wait_served_by_nobody(path)
