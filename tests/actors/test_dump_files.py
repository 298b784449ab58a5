"""A dump as a file: whole or not there, its owner's alone, one document."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from holdfast.actors import dump_files
from holdfast.actors.dump_files import DumpFiles
from holdfast.actors.dumps import NO_ANSWER, Facts

NOON = 1_795_176_000.5
ACTORS: list[Facts] = [{"role": "incubator", "pid": 1, "number": 0, "statistics": {"command": "\udcff"}}]


def files(directory: Path) -> DumpFiles:
    return DumpFiles(str(directory), lambda: NOON)


def test_a_dump_is_one_document_with_the_picture_in_it(tmp_path: Path) -> None:
    picture = tmp_path / "picture-1.json"
    picture.write_text('{"resources": []}')
    path = Path(files(tmp_path).write(ACTORS, str(picture)))
    assert json.loads(path.read_text()) == {
        "v": 1,
        "ts": "2026-11-20T12:00:00.500Z",
        "actors": ACTORS,
        "picture": {"resources": []},
    }
    assert os.listdir(tmp_path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("picture", ["", "/nowhere/picture"])
def test_without_a_picture_it_says_so(tmp_path: Path, picture: str) -> None:
    path = Path(files(tmp_path).write(ACTORS, picture))
    assert json.loads(path.read_text())["picture"] == NO_ANSWER


def test_two_dumps_in_one_second_have_two_names(tmp_path: Path) -> None:
    first, second = (Path(files(tmp_path).write(ACTORS, "")).name for _ in range(2))
    assert first.startswith("dump-202611")
    assert first.endswith("-1.json")
    assert second == first.replace("-1.json", "-2.json")


def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "picture-1.json"
    picture.touch()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dump_files.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        files(tmp_path).write(ACTORS, str(picture))
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        files(tmp_path / "gone").write(ACTORS, "")


def test_a_picture_that_is_not_needed_is_removed_if_it_is_there(tmp_path: Path) -> None:
    picture = tmp_path / "picture-1.json"
    picture.touch()
    for _ in range(2):
        files(tmp_path).discard(str(picture))
    assert os.listdir(tmp_path) == []
