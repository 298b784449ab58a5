"""Key files: who can read them, what is refused, and who is admitted at this moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport import keys
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.keys import Admitted, client_keys, create, daemon_keys, is_name, read_pair, read_public


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return create(str(tmp_path), "alice")


def mode(path: str) -> int:
    return os.stat(path).st_mode & 0o777


def admit(directory: Path, name: str) -> bytes:
    """Put a new key into the directory of the admitted; return it."""
    directory.mkdir(exist_ok=True)
    return read_public(create(str(directory), name)[0])


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_secret_file_is_for_its_owner_alone(pair: tuple[str, str]) -> None:
    public, secret = pair
    assert (Path(public).name, Path(secret).name) == ("alice.key", "alice.key_secret")
    assert (mode(public), mode(secret)) == (0o644, 0o600)
    assert "secret-key" not in Path(public).read_text()
    assert sorted(os.listdir(Path(public).parent)) == ["alice.key", "alice.key_secret"]


def test_both_files_hold_the_same_public_key(pair: tuple[str, str]) -> None:
    assert read_public(pair[0]) == read_public(pair[1]) == read_pair(pair[1]).public


def test_the_secret_is_not_shown_with_the_pair(pair: tuple[str, str]) -> None:
    keys_of_alice = read_pair(pair[1])
    assert keys_of_alice.secret.decode() not in repr(keys_of_alice)


@pytest.mark.parametrize("there", ["alice.key", "alice.key_secret"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(InvalidSetting, match=rf"/{there} is there already and was left as it is"):
        create(str(tmp_path), "alice")
    assert (tmp_path / there).read_text() == "mine"
    assert os.listdir(tmp_path) == [there]


@pytest.mark.parametrize("name", ["", ".alice", "-x", "a/b", "..", "a b", "älice", "a" * 65])
def test_a_name_that_would_be_no_file_or_no_word_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSetting, match="is no name for a key"):
        create(str(tmp_path), name)
    assert os.listdir(tmp_path) == []


def test_where_keys_cannot_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match=r"keys cannot be written to .*/file/keys: Not a directory"):
        create(str(tmp_path / "file" / "keys"), "alice")


@pytest.mark.parametrize("wrong", [0o640, 0o604, 0o620, 0o601])
def test_a_secret_key_that_others_can_reach_is_refused(pair: tuple[str, str], wrong: int) -> None:
    os.chmod(pair[1], wrong)
    with pytest.raises(InvalidSetting, match=rf"others can read the secret key in .*; first: chmod 600 {pair[1]}"):
        read_pair(pair[1])


def test_a_public_file_is_no_secret_one(pair: tuple[str, str]) -> None:
    with pytest.raises(
        InvalidSetting, match=r"holds no secret key; the secret key is in a file such as NAME.key_secret"
    ):
        read_pair(pair[0])


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alice.key")
    with pytest.raises(InvalidSetting, match="is not a key file"):
        read_public(str(tmp_path / "alice.key"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"the key file .*/nobody.key cannot be read: No such file or directory"):
        read_public(str(tmp_path / "nobody.key"))


def test_a_key_may_be_given_as_it_is(pair: tuple[str, str]) -> None:
    key = read_public(pair[0])
    assert read_public(key.decode()) == key


def test_a_file_whose_path_looks_like_a_key_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "k" * (keys.KEY_SIZE - len(keys.PUBLIC))
    key = read_public(create(".", name)[0])
    assert keys.is_key(f"{name}.key".encode())
    assert read_public(f"{name}.key") == key


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f'public-key = "{text}"'.encode()))
def test_whatever_a_file_holds_is_a_key_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.key"
    path.write_bytes(content)
    with contextlib.suppress(InvalidSetting):
        assert keys.is_key(read_public(str(path)))


@given(st.text(max_size=50))
def test_whatever_stands_for_the_key_of_a_daemon_is_one_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidSetting):
        assert keys.is_key(read_public(text))


# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_client_needs_both_keys_or_none(pair: tuple[str, str]) -> None:
    assert client_keys(None, None) is None
    with pytest.raises(InvalidSetting, match="give --curve-server as well"):
        client_keys(pair[1], None)
    with pytest.raises(InvalidSetting, match="give --curve-key as well"):
        client_keys(None, pair[0])
    both = client_keys(pair[1], pair[0])
    assert both is not None
    assert both.own.public == both.server


def test_a_daemon_needs_its_key_and_a_directory(pair: tuple[str, str], tmp_path: Path) -> None:
    assert daemon_keys(None, None) is None
    with pytest.raises(InvalidSetting, match="give --curve-clients"):
        daemon_keys(pair[1], None)
    with pytest.raises(InvalidSetting, match="give --curve-key"):
        daemon_keys(None, str(tmp_path))
    found = daemon_keys(pair[1], str(tmp_path))
    assert found is not None
    assert found.clients == str(tmp_path)


def test_a_directory_that_is_not_there_or_open_to_everybody_is_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="/nowhere is not there; make it: mkdir "):
        daemon_keys(pair[1], str(tmp_path / "nowhere"))
    with pytest.raises(InvalidSetting, match="is not a directory"):
        daemon_keys(pair[1], pair[0])
    (tmp_path / "admins").mkdir()
    os.chmod(tmp_path / "admins", 0o777)
    with pytest.raises(InvalidSetting, match=r"everybody could admit himself by a file in .*/admins; first: chmod o-w"):
        daemon_keys(pair[1], str(tmp_path))


# --- who is admitted --------------------------------------------------------------------------------------------------


def test_a_key_is_known_by_the_name_of_its_file(tmp_path: Path) -> None:
    alice = admit(tmp_path, "alice")
    assert Admitted(str(tmp_path)).who(alice) == "alice"


def test_a_key_that_is_not_there_is_nobody(tmp_path: Path) -> None:
    admit(tmp_path / "here", "alice")
    assert Admitted(str(tmp_path / "here")).who(admit(tmp_path / "elsewhere", "bob")) == ""


def test_who_is_put_in_or_taken_out_is_noticed_at_once(tmp_path: Path) -> None:
    admitted = Admitted(str(tmp_path))
    alice = admit(tmp_path, "alice")
    assert admitted.who(alice) == "alice"
    bob = admit(tmp_path, "bob")
    assert admitted.who(bob) == "bob"
    (tmp_path / "alice.key").unlink()
    assert admitted.who(alice) == ""
    assert admitted.who(bob) == "bob"


class Watch:
    """A clock by which each look at the files takes a second, and which stands still else."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.looks = 0
        self._entries = keys._entries
        monkeypatch.setattr(keys, "_entries", self._look)
        self.admitted = Admitted(str(directory), lambda: self.now)

    def _look(self, directory: str, prefix: str) -> Iterator[keys.Entry]:
        if not prefix:
            self.now += 1.0
            self.looks += 1
        return self._entries(directory, prefix)


def test_a_crowd_of_strangers_does_not_make_us_look_at_all_files_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "LONGEST_REST", 100.0)
    alice = admit(tmp_path, "alice")
    watch = Watch(tmp_path, monkeypatch)
    for _ in range(1000):
        assert watch.admitted.who(b"x" * keys.KEY_SIZE) == ""
        assert watch.admitted.who(alice) == "alice"
        watch.now += 0.1
    assert watch.looks <= watch.now / (keys.REST + 1) + 1


def test_even_then_is_noticed_at_once_who_is_put_in_or_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = admit(tmp_path / "here", "alice")
    bob = admit(tmp_path / "there", "bob")
    os.utime(tmp_path / "here", (0, 0))  # so that it is not changed twice within a tick of the kernel's clock
    watch = Watch(tmp_path / "here", monkeypatch)
    assert watch.admitted.who(alice) == "alice"
    (tmp_path / "there" / "bob.key").rename(tmp_path / "here" / "bob.key")
    assert watch.admitted.who(bob) == "bob"
    (tmp_path / "here" / "alice.key").write_bytes((tmp_path / "here" / "bob.key").read_bytes() + b" ")
    assert watch.admitted.who(alice) == ""


def test_who_is_written_over_somebody_else_is_noticed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit(tmp_path / "here", "alice")
    bob = admit(tmp_path / "there", "bob")
    watch = Watch(tmp_path / "here", monkeypatch)
    assert watch.admitted.who(bob) == ""
    (tmp_path / "here" / "alice.key").write_bytes((tmp_path / "there" / "bob.key").read_bytes())
    watch.now += keys.LONGEST_REST
    assert watch.admitted.who(bob) == "alice"


def test_a_file_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    alice = admit(tmp_path / "here", "alice")
    admitted = Admitted(str(tmp_path / "here"))
    assert admitted.who(alice) == "alice"
    other = admit(tmp_path / "new", "alice")
    (tmp_path / "new" / "alice.key").replace(tmp_path / "here" / "alice.key")
    assert admitted.who(alice) == ""
    assert admitted.who(other) == "alice"


def test_an_admin_is_who_lies_in_admins_whatever_else_he_is_called(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    root = admit(tmp_path / "admins", "root")
    (tmp_path / "aaron.key").write_bytes((tmp_path / "admins" / "root.key").read_bytes())
    (tmp_path / "zoe.key").write_bytes((tmp_path / "admins" / "root.key").read_bytes())
    who = Admitted(str(tmp_path)).who(root)
    assert keys.split_name(who) == ("root", True)


def test_two_keys_of_one_name_are_told_apart(tmp_path: Path) -> None:
    user, admin = admit(tmp_path, "alice"), admit(tmp_path / "admins", "alice")
    admitted = Admitted(str(tmp_path))
    assert keys.split_name(admitted.who(user)) == ("alice", False)
    assert keys.split_name(admitted.who(admin)) == ("alice", True)


def test_nobody_becomes_an_admin_by_what_his_own_file_says(tmp_path: Path) -> None:
    alice = admit(tmp_path, "alice")
    path = tmp_path / "alice.key"
    path.write_text(path.read_text().replace("metadata\n", "metadata\n    admin = yes\n    name = admins/root\n"))
    assert keys.split_name(Admitted(str(tmp_path)).who(alice)) == ("alice", False)


def test_what_is_no_key_is_passed_over_with_a_complaint(tmp_path: Path) -> None:
    alice = admit(tmp_path, "alice")
    (tmp_path / "bad.key").write_text("nothing")
    (tmp_path / "lost.key").symlink_to("/nowhere")
    (tmp_path / "a b.key").write_bytes((tmp_path / "alice.key").read_bytes())
    (tmp_path / "README").write_text("not a key")
    admitted = Admitted(str(tmp_path))
    assert admitted.who(alice) == "alice"
    assert [complaint.rpartition("/")[2] for complaint in admitted.complaints] == [
        "a b.key'",
        "bad.key holds no public key",
        "lost.key cannot be read: No such file or directory",
    ]


def test_a_directory_that_went_away_admits_nobody(tmp_path: Path) -> None:
    directory = tmp_path / "here"
    alice = admit(directory, "alice")
    admitted = Admitted(str(directory))
    assert admitted.who(alice) == "alice"
    directory.rename(tmp_path / "there")
    assert admitted.who(alice) == ""
    assert "cannot be read" in admitted.complaints[0]
    (tmp_path / "there").rename(directory)
    assert admitted.who(alice) == "alice"


@given(st.text(max_size=70))
def test_a_name_is_a_file_name_and_obeys_no_terminal(name: str) -> None:
    if is_name(name):
        assert os.path.basename(name) == name
        assert name.isascii()
        assert name.isprintable()
