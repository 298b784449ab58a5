"""``holdfast keygen``: what it makes, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.cli.main import main
from holdfast.transport import identity, keys


def keygen(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    """Exit code, output, errors."""
    with pytest.raises(SystemExit) as end:
        main(["keygen", *words])
    return (end.value.code, *capsys.readouterr())


def test_each_name_gets_its_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = tmp_path / "keys"
    code, told, _ = keygen(capsys, str(where), "--name", "daemon", "--name", "alice")
    assert code == 0
    assert told.splitlines() == [
        f"{where}/daemon.key",
        f"{where}/daemon.key_secret (secret)",
        f"{where}/alice.key",
        f"{where}/alice.key_secret (secret)",
    ]
    assert keys.read_pair(f"{where}/alice.key_secret").public == keys.read_public(f"{where}/alice.key")
    assert os.stat(where / "alice.key_secret").st_mode & 0o777 == 0o600


def test_without_a_name_they_are_those_of_user_and_host(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keygen(capsys, str(tmp_path))
    name = f"{identity.user(os.geteuid())}@{os.uname().nodename}"
    assert sorted(os.listdir(tmp_path)) == [f"{name}.key", f"{name}.key_secret"]


def test_a_user_without_a_name_is_asked_for_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "user", lambda uid: "")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("", "-bad host", "", "", "")))
    code, _, said = keygen(capsys, str(tmp_path))
    assert (code, os.listdir(tmp_path)) == (99, [])
    assert said == "holdfast: '@-bad host' is no name for a key; choose another one with --name\n"


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keygen(capsys, str(tmp_path), "--name", "alice")
    before = (tmp_path / "alice.key_secret").read_bytes()
    code, _, said = keygen(capsys, str(tmp_path), "--name", "alice")
    assert code == 99
    assert said == (
        f"holdfast: {tmp_path}/alice.key_secret is there already and was left as it is; choose another name\n"
    )
    assert (tmp_path / "alice.key_secret").read_bytes() == before
