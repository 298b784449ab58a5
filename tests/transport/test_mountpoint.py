"""Mount points: what is there, told from the kernel's table, and who serves it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from holdfast.transport import mountpoint
from holdfast.transport.errors import InvalidSetting, Unreachable
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


@pytest.mark.parametrize("one", "\r\f\v\x1c\x1d\x1e\x85\u2028\u2029")
def test_a_line_ends_nowhere_else(one: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = f"48 27 0:45 / /tmp/x{one}x rw - fuse.holdfast a{one}b ro,user_id={UID}\n"
    found = from_table(odd + TABLE, f"/tmp/x{one}x")
    assert found is not None
    assert found.source == f"a{one}b"
    assert from_table(odd + TABLE, "/tmp/a") == Mount("/tmp/a", "fuse.holdfast", "holdfast", UID)


def test_another_file_systems_options_are_none_of_ours() -> None:
    found = from_table("48 27 0:45 / /tmp/x rw - tmpfs  rw,user_id=me\n", "/tmp/x")
    assert found == Mount("/tmp/x", "tmpfs", "", -1)


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


def test_a_place_is_found_through_links_without_touching_what_is_mounted_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "second").symlink_to("../mounted")
    (tmp_path / "first").symlink_to(tmp_path / "up/second")
    (tmp_path / "ring").symlink_to("ring")
    (tmp_path / "around").symlink_to(tmp_path)
    mounted = str(tmp_path / "mounted")
    monkeypatch.setattr(mountpoint, "find", lambda path: Mount(path, "", "", 0) if path == mounted else None)
    looked_at = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked_at.append(path) or lstat(path))
    assert place(f"{tmp_path}/first") == mounted
    assert place(f"{tmp_path}/around/mounted") == mounted
    assert place(f"{tmp_path}/ring")
    assert mounted not in looked_at


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


def test_what_is_told_of_a_path_can_be_seen_and_what_is_to_be_typed_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as refused:
        mountpoint.check(f"{tmp_path}/a\x1b[31m b")
    assert str(refused.value).isprintable()
    assert str(refused.value).endswith(rf"mkdir $'{tmp_path}/a\033[31m b'")
    with pytest.raises(InvalidSetting, match=r"mkdir '/.*/a b'"):
        mountpoint.check(f"{tmp_path}/a b")


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
        with pytest.raises(InvalidSetting, match=f"process {os.getpid()}"):
            claim(path)
        assert server(f"{path}/other") == 0
    assert server(path) == 0
    wait_served_by_nobody(path)


def test_who_serves_what_is_mounted_is_to_be_unmounted_and_who_serves_nothing_is_to_go_on_or_to_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pid = str(tmp_path), os.getpid()
    monkeypatch.setattr(mountpoint, "LIMIT", 0.0)
    with claim(path):
        with pytest.raises(InvalidSetting, match=f"process {pid}, which .* kill -CONT {pid}, .* kill -KILL {pid}"):
            claim(path)
        with pytest.raises(Unreachable, match=f"process {pid}, which .* kill -CONT {pid}, .* kill -KILL {pid}"):
            wait_served_by_nobody(path)
        monkeypatch.setattr(mountpoint, "find", lambda path: Mount(path, "", "", 0))
        with pytest.raises(InvalidSetting, match=f"process {pid} shows files at .*: holdfast umount {path}"):
            claim(path)
