"""A daemon with keys: who is let in, who is not and why, and whose word ends it. Its incubator and lockers alike."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.transport import curve, keys
from holdfast.transport.client import Lock
from holdfast.transport.endpoints import parse
from holdfast.transport.errors import LockLost, Unreachable
from holdfast.transport.keys import ClientKeys
from holdfast.transport.messages import Echo, Located, Welcome
from holdfast.transport.peers import Peer
from holdfast.transport.settings import Settings
from holdfast.transport.wire import decode, encode
from raw import hello, locate
from support import LIMIT, House

pytestmark = pytest.mark.slow


class Guarded:
    """A daemon that admits alice, and root as an admin; bob has keys that it does not know."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keys = house.path / "keys"
        self.admitted = house.path / "admitted"
        (self.admitted / "admins").mkdir(parents=True)
        for name in ("daemon", "alice", "root", "bob"):
            keys.create(str(self.keys), name)
        self.admit("alice", self.admitted)
        self.admit("root", self.admitted / "admins")
        self.process = house.spawn(
            "serve",
            *("--bind", "tcp://127.0.0.1:0"),
            *("--curve-key", self.secret("daemon"), "--curve-clients", str(self.admitted)),
        )
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().strip()
        # As if they were on another host: they do not find the daemon's UNIX socket.
        self.elsewhere = {"HOLDFAST_RUN_DIR": str(house.path / "elsewhere"), "HOLDFAST_ENDPOINT": self.endpoint}

    def admit(self, name: str, where: Path) -> None:
        (where / f"{name}.key").write_bytes((self.keys / f"{name}.key").read_bytes())

    def secret(self, name: str) -> str:
        return str(self.keys / f"{name}.key_secret")

    def environ(self, name: str, daemon: str = "daemon") -> dict[str, str]:
        known = {"HOLDFAST_CURVE_KEY": self.secret(name), "HOLDFAST_CURVE_SERVER": str(self.keys / f"{daemon}.key")}
        return {**self.elsewhere, **known}

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.house.run(*words, environ=self.environ(name))

    def settings(self, name: str) -> Settings:
        return Settings(
            run_dir=self.elsewhere["HOLDFAST_RUN_DIR"],
            endpoint=parse(self.endpoint),
            curve_key=self.secret(name),
            curve_server=keys.read_public(self.secret("daemon")).decode(),
        )

    def place(self, name: str) -> Peer:
        own = keys.read_pair(self.secret(name))
        known = ClientKeys(own, keys.read_public(self.secret("daemon")))
        return Peer(socket.AF_INET, ("127.0.0.1", parse(self.endpoint).port), keys=known)


@pytest.fixture
def guarded(house: House) -> Iterator[Guarded]:
    guarded = Guarded(house)
    yield guarded
    guarded.process.send_signal(signal.SIGINT)
    guarded.process.wait(LIMIT)


def test_who_has_an_admitted_key_locks_and_is_shown_with_it(guarded: Guarded) -> None:
    held = guarded.house.hold("-r", "printer", environ=guarded.environ("alice"))
    told = guarded.run("alice", "why", "printer").stdout
    assert ", key alice" in told
    picture = json.loads(guarded.run("root", "status", "--json").stdout)
    assert '"alice"' in json.dumps(picture)
    assert guarded.house.let_go(held) == 0


@pytest.mark.parametrize(
    ("name", "daemon", "sentence"),
    [
        ("bob", "daemon", "does not admit the key in "),
        ("daemon", "daemon", "does not admit the key in "),
        ("alice", "bob", "has another key than the one that --curve-server names"),
    ],
)
def test_who_has_another_key_is_refused_with_the_reason(
    guarded: Guarded, name: str, daemon: str, sentence: str
) -> None:
    refused = guarded.house.run("run", "-r", "printer", "--", "true", environ=guarded.environ(name, daemon))
    assert refused.returncode == 99
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_who_has_no_key_is_told_that_it_wants_one(guarded: Guarded) -> None:
    refused = guarded.house.run("run", "-r", "printer", "--", "true", environ=guarded.elsewhere)
    assert refused.returncode == 99
    assert refused.stderr == (
        f"holdfast: the daemon at {guarded.endpoint} wants CURVE: give --curve-key and --curve-server\n"
    )


def test_a_daemon_without_keys_is_named_to_who_has_some(guarded: Guarded, house: House) -> None:
    plain = house.spawn("serve", "--bind", "tcp://127.0.0.1:0", environ={"HOLDFAST_RUN_DIR": str(house.path / "plain")})
    assert plain.stdout is not None
    environ = {**guarded.environ("alice"), "HOLDFAST_ENDPOINT": plain.stdout.readline().strip()}
    refused = house.run("run", "-r", "printer", "--", "true", environ=environ)
    plain.send_signal(signal.SIGINT)
    assert refused.returncode == 99
    assert "speaks no CURVE; leave out --curve-key and --curve-server" in refused.stderr
    assert plain.wait(LIMIT) == 0


def test_a_locker_asks_for_the_key_as_the_incubator_does(guarded: Guarded) -> None:
    wire = curve.Wire(guarded.place("alice"))
    wire.send(encode(hello()))
    welcome = decode(wire.receive(LIMIT) or b"")
    assert isinstance(welcome, Welcome)
    wire.send(encode(Echo(welcome.nonce)), encode(locate("printer")))
    located = decode(wire.receive(LIMIT) or b"")
    assert isinstance(located, Located)
    locker = curve.Wire(guarded.place("alice").beside(located.address))
    with pytest.raises(Unreachable, match="does not admit"):
        curve.Wire(guarded.place("bob").beside(located.address))
    (guarded.admitted / "alice.key").unlink()
    with pytest.raises(Unreachable, match="does not admit"):
        curve.Wire(guarded.place("alice").beside(located.address))
    for each in (wire, locker):
        each.close()


def test_a_key_that_is_taken_away_is_refused_next_time_and_keeps_its_lock(guarded: Guarded) -> None:
    held = guarded.house.hold("-r", "printer", environ=guarded.environ("alice"))
    (guarded.admitted / "alice.key").unlink()
    assert "does not admit" in guarded.run("alice", "run", "-r", "other", "--", "true").stderr
    guarded.admit("bob", guarded.admitted)
    assert guarded.run("bob", "run", "-n", "-r", "printer", "--", "true").returncode == 98
    assert guarded.house.let_go(held) == 0
    assert guarded.run("bob", "run", "-r", "printer", "--", "true").returncode == 0


def test_only_an_admins_key_ends_the_daemon_and_holders_hear_it_at_once(guarded: Guarded) -> None:
    held = guarded.house.hold("-r", "printer", "--on-lost", "kill", environ=guarded.environ("alice"))
    refused = guarded.run("alice", "stop", "--now")
    assert refused.returncode == 99
    assert "who has an admin's key may stop it" in refused.stderr
    assert guarded.run("root", "stop", "--now").returncode == 0
    assert held.wait(LIMIT) == 128 + signal.SIGTERM  # the loss came while only a signal could tell it
    assert held.stderr is not None
    assert "the lock printer is lost: the daemon was stopped" in held.stderr.read()


def test_programs_lock_with_keys_too(guarded: Guarded) -> None:
    lock = Lock("printer", settings=guarded.settings("alice"))
    with lock:
        busy = guarded.run("root", "run", "-n", "-r", "printer", "--", "true")
        assert busy.returncode == 98
        assert "key alice" in busy.stderr
    lock.acquire()
    guarded.run("root", "stop", "--now")
    assert select.select([lock], [], [], LIMIT)[0]
    with pytest.raises(LockLost):
        lock.check()


def test_without_a_daemon_nobody_starts_one_that_has_no_keys(guarded: Guarded) -> None:
    guarded.run("root", "stop", "--now")
    refused = guarded.run("alice", "run", "-r", "printer", "--", "true")
    assert refused.returncode == 99
    assert "only who has its keys can start it: holdfast serve --bind tcp://" in refused.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--bind", "tcp://127.0.0.1:0", "--curve-key", "KEY"), "give --curve-clients"),
        (("--bind", "tcp://127.0.0.1:0", "--curve-clients", "DIR"), "give --curve-key"),
        (("--curve-key", "KEY", "--curve-clients", "DIR"), "keys guard what listens on the network"),
        (("--bind", "tcp://127.0.0.1:0", "--curve-key", "KEY.key", "--curve-clients", "DIR"), "holds no secret key"),
        (("--bind", "tcp://127.0.0.1:0", "--curve-key", "KEY", "--curve-clients", "NO"), "is not there"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_at_the_start(house: House, words: tuple[str, ...], sentence: str) -> None:
    public, secret = keys.create(str(house.path / "keys"), "daemon")
    real = {"KEY": secret, "KEY.key": public, "DIR": str(house.path / "keys"), "NO": str(house.path / "no")}
    refused = house.run("serve", *(real.get(word, word) for word in words))
    assert refused.returncode == 99
    assert sentence in refused.stderr


def test_a_file_that_admits_nobody_is_told_at_the_start(guarded: Guarded, house: House) -> None:
    (guarded.admitted / "carol.key").write_text("to be filled in")
    words = ("--curve-key", guarded.secret("daemon"), "--curve-clients", str(guarded.admitted))
    environ = {"HOLDFAST_RUN_DIR": str(house.path / "second")}
    process = house.spawn("serve", "--bind", "tcp://127.0.0.1:0", *words, environ=environ)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    assert f"it admits nobody: {guarded.admitted}/carol.key holds no public key" in said


def test_with_keys_a_daemon_may_listen_where_others_can_reach_it(house: House) -> None:
    _, secret = keys.create(str(house.path / "keys"), "daemon")
    open_to_all = house.run("serve", "--bind", "tcp://0.0.0.0:0")
    assert "give --curve-key and --curve-clients, or say --insecure" in open_to_all.stderr
    words = ("--curve-key", secret, "--curve-clients", str(house.path / "keys"))
    process = house.spawn("serve", "--bind", "tcp://0.0.0.0:0", *words)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("tcp://0.0.0.0:")
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 0
