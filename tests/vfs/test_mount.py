"""The mount, as programs meet it: FLoM's session, and files that behave as files do."""

from __future__ import annotations

import errno
import io
import json
import mmap
import os
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from floms_tree import CREATED, FIRST_SESSION, PARKED
from mounts import FLOM, is_mounted, listed, mount_point, needs_fuse, read, wait_mounted
from support import LIMIT, House, wait_until

pytestmark = [pytest.mark.slow, needs_fuse]


@pytest.fixture
def files(house: House) -> Iterator[Path]:
    with mount_point(house) as path:
        yield path


# --- FLoM's session, as its manual shows it ---------------------------------------------------------------------------


def flom(house: House, *words: str) -> subprocess.Popen[str]:
    """Start a command that ends with its stdin, or by TERM."""
    return house.popen([*FLOM, *words, "--", "cat"])


def test_floms_first_session(house: House, files: Path) -> None:
    holder = flom(house, "-m", f"{files}/")
    wait_mounted(files)
    wait_until(lambda: os.path.isdir(files / "status/lockers/3/holders/2"))
    assert listed(files) == FIRST_SESSION
    assert read(files / "status/lockers/3/holders/2/peer_name") == "localhost/\n"
    holder.terminate()
    wait_until(lambda: not is_mounted(files), "the end of the daemon, which nobody needs any more")
    assert listed(files) == ["/"]


def test_floms_second_session(house: House, files: Path) -> None:
    flom(house, "-m", str(files), "-e", "no", "-r", "num[3]", "-q", "2")
    wait_mounted(files)
    wait_until(lambda: os.path.isdir(files / "status/incubator/2"))
    assert listed(files) == PARKED
    parked = files / "status/incubator/2"
    assert {name: read(parked / name) for name in os.listdir(parked)} == {
        "peer_name": "localhost/\n",
        "resource_name": "num[3]\n",
        "resource_type": "numeric\n",
    }
    lines = subprocess.run(["ls", "-la", parked], check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[0] == "total 0"
    shown = {line.split()[-1]: line.split() for line in lines[1:]}
    assert [(name, *line[:2], line[4]) for name, line in shown.items() if name != ".."] == [
        (".", "dr-xr-x---", "2", "0"),
        ("peer_name", "-r--r-----", "1", "11"),
        ("resource_name", "-r--r-----", "1", "7"),
        ("resource_type", "-r--r-----", "1", "8"),
    ]
    second = flom(house, "-r", "num[3]", "-q", "2")
    locker = files / "status/lockers/4"
    wait_until(lambda: os.path.isdir(locker / "waitings/2"))
    assert listed(files) == CREATED
    assert read(locker / "resource_name") == "num[3]\n"
    assert read(locker / "resource_type") == "numeric\n"
    assert read(locker / "holders/3/quantity") == "2\n"
    assert read(locker / "waitings/2/quantity") == "2\n"
    second.terminate()
    wait_until(lambda: os.path.isdir(locker / "holders/2"))
    assert listed(files)[4:] == [
        "/status/lockers/4",
        "/status/lockers/4/resource_name",
        "/status/lockers/4/resource_type",
        "/status/lockers/4/holders",
        "/status/lockers/4/holders/2",
        "/status/lockers/4/holders/2/peer_name",
        "/status/lockers/4/holders/2/quantity",
        "/status/lockers/4/waitings",
    ]


def test_who_has_given_up_waiting_is_shown_no_longer(house: House, files: Path) -> None:
    flom(house, "-m", str(files))
    wait_mounted(files)
    waits = flom(house, "-e", "no", "-r", "disk")
    wait_until(lambda: os.listdir(files / "status/incubator"))
    waits.kill()
    wait_until(lambda: not os.listdir(files / "status/incubator"))


# --- files that behave ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene() -> Iterator[Path]:
    """Mounted files of a house where two hold and one waits."""
    with House() as house, mount_point(house) as path:
        house.spawn("run", "-r", "printer", "--reason", "nightly", "--lifespan", "forever", "--", "cat")
        wait_until(lambda: "printer" in house.run("status").stdout)
        house.spawn("run", "-r", "printer", "--", "cat")
        house.spawn("run", "-r", "pool[4]", "-q", "3", "--", "cat")
        assert house.run("mount", str(path)).returncode == 0
        wait_until(lambda: len(list(path.glob("status/lockers/*/*/*"))) == 3)
        yield path


@pytest.fixture
def static(scene: Path) -> Path:
    """A directory in which nothing changes."""
    return next(path for path in scene.glob("status/lockers/*") if read(path / "resource_name") == "printer\n")


def output(*words: str | Path) -> bytes:
    return subprocess.run(words, check=True, capture_output=True, timeout=LIMIT).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cat"], b"printer\n"),
        (["head", "-c", "3"], b"pri"),
        (["tail", "-c", "3"], b"er\n"),
        (["wc", "-c"], b"8 "),
        (["busybox", "cat"], b"printer\n"),
        (["dd", "bs=1", "status=none"], b"printer\n"),
    ],
)
def test_programs_read_what_is_there(static: Path, words: list[str], told: bytes) -> None:
    path = str(static / "resource_name")
    assert output(*words, f"if={path}" if words[0] == "dd" else path).startswith(told)


def test_sizes_are_true_and_rights_floms(static: Path) -> None:
    for path in static.rglob("*"):
        found = path.lstat()
        assert (found.st_uid, found.st_gid, found.st_atime) == (os.geteuid(), os.getegid(), 0)
        if path.is_dir():
            assert (found.st_mode, found.st_nlink, found.st_size) == (stat.S_IFDIR | 0o550, 2, 0)
        else:
            assert (found.st_mode, found.st_nlink) == (stat.S_IFREG | 0o440, 1)
            if path.name not in ("statistics", "wait"):
                assert found.st_size == len(path.read_bytes()), path
        assert found.st_mtime == found.st_ctime == int(found.st_mtime)
        assert time.time() - 1000 < found.st_mtime <= time.time()


def test_a_size_that_was_asked_for_while_a_file_is_open_is_that_of_what_is_read(scene: Path) -> None:
    for name in ("status/summary", "status/all.json"):
        with open(scene / name, "rb") as file:
            assert os.fstat(file.fileno()).st_size == len(file.read())


def test_a_copy_has_the_same_bytes(static: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", static, tmp_path / "copy"], check=True)
    names = {str(path.relative_to(static)) for path in static.rglob("*")}
    assert {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")} == names
    for name in names - {name for name in names if name.endswith(("statistics", "wait"))}:
        if (static / name).is_file():
            assert (tmp_path / "copy" / name).read_bytes() == (static / name).read_bytes(), name


def test_an_archive_has_the_same_bytes(static: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(output("tar", "-c", "-C", static, "."))) as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    assert contents["./resource_name"] == b"printer\n"
    assert contents["./resource_type"] == b"simple\n"
    assert len(contents) == sum(path.is_file() for path in static.rglob("*"))


def test_grep_finds_a_reason_in_the_tree(static: Path) -> None:
    found = output("grep", "-r", "nightly", static / "holders").decode()
    assert found.endswith("/reason:nightly\n")
    assert found.count("\n") == 1


def test_find_tells_directories_from_files(static: Path) -> None:
    folders = output("find", static, "-type", "d").decode().split()
    files = output("find", static, "-type", "f").decode().split()
    assert len(folders) + len(files) == len(output("find", static).decode().split())
    assert str(static / "holders") in folders
    assert str(static / "resource_name") in files


def test_a_listing_has_dots_and_every_inode_is_its_own(static: Path) -> None:
    names = output("ls", "-ai", static).decode().split()
    assert names[1] == "."
    assert names[3] == ".."
    inodes = [path.lstat().st_ino for path in static.rglob("*")]
    assert len(set(inodes)) == len(inodes)
    assert str((static / "holders").lstat().st_ino) == names[names.index("holders") - 1]


def test_tail_follows_a_file_that_does_not_change(scene: Path) -> None:
    path = scene / "status/summary"
    with subprocess.Popen(["tail", "-f", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        told = tail.stdout.readline()
        for _ in range(3):
            later = path.read_text()  # others meet another content
        assert later.startswith(told)
        tail.kill()
        assert tail.communicate()[1] == ""


@pytest.mark.parametrize("name", ["resource_name", "statistics", "order"])
def test_a_file_is_mapped_into_memory(static: Path, name: str) -> None:
    with open(static / name, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory:
        assert memory[:] == file.read()


def test_the_whole_document_is_read_at_any_size_of_a_piece(scene: Path) -> None:
    with open(scene / "status/all.json", "rb", buffering=0) as file:
        whole = b"".join(iter(lambda: file.read(7), b""))
        assert os.pread(file.fileno(), 10, 5) == whole[5:15]
    assert json.loads(whole)["v"] == 1


@pytest.mark.parametrize("path", ["x", "status/x", "status/lockers/1/x", "status/summary/x"])
def test_what_is_not_there_is_not_there(scene: Path, path: str) -> None:
    with pytest.raises(OSError, match=r"No such file|Not a directory"):
        os.stat(scene / path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.open(path / "x", os.O_CREAT | os.O_WRONLY),
        lambda path: os.open(path / "resource_name", os.O_WRONLY),
        lambda path: os.open(path / "resource_name", os.O_RDWR | os.O_TRUNC),
        lambda path: os.mkdir(path / "x"),
        lambda path: os.unlink(path / "resource_name"),
        lambda path: os.rmdir(path / "holders"),
        lambda path: os.rename(path / "resource_name", path / "x"),
        lambda path: os.chmod(path / "resource_name", 0o600),
        lambda path: os.truncate(path / "resource_name", 0),
        lambda path: os.utime(path / "resource_name"),
        lambda path: os.symlink("a", path / "x"),
        lambda path: os.link(path / "resource_name", path / "x"),
    ],
)
def test_nothing_is_written_created_or_removed(static: Path, change: Callable[[Path], object]) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        change(static)


def test_removing_everything_removes_nothing_and_says_so(scene: Path, static: Path) -> None:
    done = subprocess.run(["rm", "-rf", scene / "status"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert read(static / "resource_name") == "printer\n"


# --- what is open -----------------------------------------------------------------------------------------------------


def test_an_open_file_keeps_its_content_though_its_session_is_gone(house: House, files: Path) -> None:
    held = house.hold("-r", "printer", "--lifespan", "forever")
    assert house.run("mount", str(files)).returncode == 0
    path = wait_until(lambda: next(iter(files.glob("status/lockers/*/holders/*/pid")), None))
    with open(path, "rb", buffering=0) as file:
        house.let_go(held)
        wait_until(lambda: not os.path.exists(path))
        assert file.read() == f"{held.pid}\n".encode()


def test_two_readers_of_one_path_each_read_what_they_opened(house: House, files: Path) -> None:
    held = house.hold("-r", "printer", "--lifespan", "forever")
    assert house.run("mount", str(files)).returncode == 0
    path = wait_until(lambda: next(iter(files.glob("status/lockers/*/in_use")), None))
    document = files / "status/all.json"
    with open(path, "rb", buffering=0) as old, open(document, "rb") as before:
        size = os.fstat(before.fileno()).st_size
        house.let_go(held)
        wait_until(lambda: read(path) == "0\n")
        assert os.fstat(before.fileno()).st_size == size
        with open(path, "rb", buffering=0) as new, open(document, "rb") as after:
            assert (new.read(), old.read()) == (b"0\n", b"1\n")
            whole = before.read()
            assert len(whole) == size
            assert json.loads(whole)["resources"][0]["in_use"] == 1
            assert json.loads(after.read())["resources"][0]["in_use"] == 0
