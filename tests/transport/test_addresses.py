"""One place for one user; a directory is used only if it is ours alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.transport import addresses
from holdfast.transport.errors import InvalidSetting, Unreachable


def test_the_place_depends_on_nothing_but_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME", "HOLDFAST_RUN_DIR", "HOLDFAST_SOCKET"):
        monkeypatch.setenv(name, "/elsewhere")
    place = addresses.address(None, None, 1000)
    assert place.socket == "/tmp/holdfast-1000/local/daemon.sock"
    assert place.directory == "/tmp/holdfast-1000/local"
    assert place.run_dir == "/tmp/holdfast-1000"


def test_a_run_directory_moves_everything() -> None:
    assert addresses.address("/run/x", None, 1000) == addresses.Address(
        "/run/x/local/daemon.sock", "/run/x/local", "/run/x"
    )


def test_a_named_socket_has_its_directory_beside_it() -> None:
    assert addresses.address("/run/x", "/srv/h.sock", 1000) == addresses.Address("/srv/h.sock", "/srv/h.sock.d", "")


def test_a_relative_path_means_the_directory_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert addresses.address(None, "h.sock", 1).socket == f"{tmp_path}/h.sock"
    assert addresses.address("here", None, 1).directory == f"{tmp_path}/here/local"


@pytest.mark.parametrize("path", ["", "/a\0b", "/" + "x" * 107, "/" + "é" * 45])
def test_a_path_that_no_socket_can_have_is_refused(path: str) -> None:
    with pytest.raises(InvalidSetting):
        addresses.address(None, path, 1)
    with pytest.raises(InvalidSetting):
        addresses.address(path, None, 1)


@pytest.mark.parametrize("path", ["/tmp/\udcff.sock", "\udcff", "here"])
def test_a_path_that_is_no_utf_8_is_refused_in_words_that_can_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    here = tmp_path / "\udcfe"
    here.mkdir()
    monkeypatch.chdir(here)
    for run_dir, socket in ((None, path), (path, None)):
        with pytest.raises(InvalidSetting, match="not valid UTF-8") as caught:
            addresses.address(run_dir, socket, 1)
        str(caught.value).encode()


def test_the_longest_locker_must_fit_too() -> None:
    room = addresses.MAX_PATH - len(".d/" + addresses.LONGEST_NAME)
    fits = "/" + "x" * (room - 1)
    place = addresses.address(None, fits, 1)
    assert len(f"{place.directory}/{addresses.LONGEST_NAME}") == addresses.MAX_PATH
    with pytest.raises(InvalidSetting, match="too long by 1 bytes"):
        addresses.address(None, fits + "x", 1)
    most = 4_194_304  # processes that Linux can have
    assert len(addresses.locker_name(most)) <= len(addresses.LONGEST_NAME)
    assert len(addresses.registry_name(most)) <= len(addresses.LONGEST_NAME)


def test_what_is_prepared_is_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    place = addresses.address(str(tmp_path / "run"), None, 1)
    before = os.umask(0)
    try:
        addresses.prepare(place)
        addresses.prepare(place)
    finally:
        os.umask(before)
    for path in (place.run_dir, place.directory):
        assert os.lstat(path).st_mode & 0o7777 == 0o700


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o710)
    with pytest.raises(Unreachable, match=f"mode 0710.*chmod 700 {tmp_path}"):
        addresses.prepare_directory(str(tmp_path))


def test_a_link_to_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Unreachable, match="not a directory"):
        addresses.prepare_directory(str(tmp_path / "link"))


def test_a_file_in_the_way_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(Unreachable, match="not a directory"):
        addresses.prepare(addresses.address(str(tmp_path / "run"), None, 1))
    assert (tmp_path / "run").read_text() == "mine"


def test_somebody_elses_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(Unreachable, match=f"belongs to user {owner}, not to you"):
        addresses.check_directory(str(tmp_path))


def test_what_is_not_there_is_no_error_but_cannot_be_made_without_a_parent(tmp_path: Path) -> None:
    assert not addresses.check_directory(str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="cannot make the directory"):
        addresses.prepare_directory(str(tmp_path / "none" / "below"))
    (tmp_path / "file").touch()
    with pytest.raises(Unreachable, match="cannot look at"):
        addresses.check_directory(str(tmp_path / "file" / "below"))


def test_the_name_of_a_place_on_the_network_is_a_file_s() -> None:
    place = addresses.networked("/run/x", "tcp-fe80::1%e/0", 5, 1)
    assert place == addresses.Address("/run/x/tcp-fe80__1_e_0-5.sock", "/run/x/tcp-fe80__1_e_0-5.sock.d", "/run/x")
    assert addresses.networked(None, "group-239.255.0.1", 5, 7).socket == "/tmp/holdfast-7/group-239.255.0.1-5.sock"
