"""CURVE between two hosts: who has a key is known by its name, who has none gets nothing, at any port of the daemon.

The daemon's directory: ``own`` is its pair of keys, ``admitted`` the public keys of whom it lets in.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from hosts import Host
from support import LIMIT, wait_line, wait_until

pytestmark = pytest.mark.slow

PORT, LOCKERS = 28015, range(28016, 28020)
TAPE = """
import select, socket, sys
listener = socket.create_server((sys.argv[1], 28014))
print("listening", flush=True)
while True:
    near, far = listener.accept()[0], socket.create_connection((sys.argv[1], 28015))
    said, open = [], True
    while open:
        for one in select.select([near, far], [], [])[0]:
            data = one.recv(65536)
            open = open and bool(data)
            (far if one is near else near).sendall(data)
            if one is near and data:
                said.append(data.hex())
    near.close()
    far.close()
    print("said", *said, flush=True)
"""
REPLAY = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 28015))
connection.settimeout(float(sys.argv[2]))
heard = b""
try:
    captured = bytes.fromhex("".join(sys.argv[3:]))
    hello = 66 + captured[65]  # where it ends: after a greeting of 64 bytes, and a frame with its length in one
    connection.sendall(captured[:64])
    heard += connection.recv(64, socket.MSG_WAITALL)
    connection.sendall(captured[64:hello])
    heard += connection.recv(65536)
    connection.sendall(captured[hello:])
    while more := connection.recv(65536):
        heard += more
except (ConnectionError, TimeoutError):
    pass
print("heard", heard.hex())
"""


@pytest.fixture
def keyed(mojan: Host, presanella: Host) -> Path:
    """A daemon that admits "nightly" and "admin", who may also end it; the directory of all keys."""
    keys = mojan.path / "keys"
    keys.mkdir()
    for name in ("daemon", "nightly", "admin", "stranger"):
        assert mojan.run("keygen", str(keys), "--name", name).returncode == 0
    (keys / "admitted" / "admins").mkdir(parents=True)
    shutil.copy(keys / "nightly.key", keys / "admitted")
    shutil.copy(keys / "admin.key", keys / "admitted" / "admins")
    served = ("--curve-key", str(keys / "daemon.key_secret"), "--curve-clients", str(keys / "admitted"))
    ports = ("--locker-ports", f"{LOCKERS[0]}-{LOCKERS[-1]}")
    wait_line(mojan.spawn("serve", "--bind", f"tcp://{mojan.ipv4}:{PORT}", *ports, *served).stderr, "HFD001I")
    return keys


def named(keys: Path, name: str, daemon: str = "daemon") -> tuple[str, ...]:
    """A client's options: its own key, and the daemon's."""
    return "--curve-key", str(keys / f"{name}.key_secret"), "--curve-server", str(keys / f"{daemon}.key")


def at(host: Host, port: int = PORT) -> tuple[str, str]:
    return "--endpoint", f"tcp://{host.ipv4}:{port}"


def refusal(host: Host, *words: str) -> str:
    """How a lock is refused: long before anybody would give up who waits for an answer."""
    begin = time.monotonic()
    done = host.run("run", "-r", "printer", *words, "--", "true")
    assert time.monotonic() - begin < LIMIT / 5
    assert done.returncode == 99
    assert done.stderr.startswith("holdfast: ")
    return done.stderr


def locker_ports(host: Host) -> list[int]:
    """The ports of lockers that listen."""
    (pid,) = host.daemons()
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [port for line in lines if line[3] == "0A" and (port := int(line[1].split(":")[1], 16)) in LOCKERS]


def test_the_name_of_a_holders_key_is_shown_to_whom_it_keeps_waiting(
    mojan: Host, presanella: Host, keyed: Path
) -> None:
    holder = presanella.hold("-r", "printer", *at(mojan), *named(keyed, "nightly"))
    busy = mojan.run("run", "-n", "-r", "printer", *at(mojan), *named(keyed, "admin"), "--", "true")
    assert busy.returncode == 98
    assert "key nightly" in busy.stderr
    assert "key nightly" in mojan.run("why", "printer", *at(mojan), *named(keyed, "admin")).stdout
    assert presanella.let_go(holder) == 0


def test_who_is_not_admitted_is_told_so_at_once(mojan: Host, presanella: Host, keyed: Path) -> None:
    assert "admit" in refusal(presanella, *at(mojan), *named(keyed, "stranger"))


def test_who_expects_another_daemon_is_told_so_at_once(mojan: Host, presanella: Host, keyed: Path) -> None:
    assert "another key" in refusal(presanella, *at(mojan), *named(keyed, "nightly", daemon="stranger"))


def test_who_has_no_key_is_told_so_at_once(mojan: Host, presanella: Host, keyed: Path) -> None:
    assert "--curve-key" in refusal(presanella, *at(mojan))


def test_a_locker_admits_nobody_else_either(mojan: Host, presanella: Host, keyed: Path) -> None:
    holder = presanella.hold("-r", "printer", *at(mojan), *named(keyed, "nightly"))
    ports = locker_ports(mojan)
    assert ports
    for port in ports:
        assert "admit" in refusal(presanella, *at(mojan, port), *named(keyed, "stranger"))
        assert "--curve-key" in refusal(presanella, *at(mojan, port))
    assert presanella.let_go(holder) == 0


def test_a_key_that_is_removed_is_refused_at_its_next_connection(mojan: Host, presanella: Host, keyed: Path) -> None:
    nightly = (*at(mojan), *named(keyed, "nightly"))
    holder = presanella.hold("-r", "printer", *nightly)
    (keyed / "admitted" / "nightly.key").unlink()
    assert "admit" in refusal(presanella, *nightly)
    assert presanella.let_go(holder) == 0  # who is inside stays inside


def test_a_key_that_is_added_is_admitted_at_once(mojan: Host, presanella: Host, keyed: Path) -> None:
    stranger = (*at(mojan), *named(keyed, "stranger"))
    assert "admit" in refusal(presanella, *stranger)
    shutil.copy(keyed / "stranger.key", keyed / "admitted")
    assert presanella.run("run", "-r", "printer", *stranger, "--", "true").returncode == 0


def test_only_an_admins_key_ends_the_daemon_over_the_network(mojan: Host, presanella: Host, keyed: Path) -> None:
    assert presanella.run("stop", "--now", *at(mojan), *named(keyed, "nightly")).returncode == 99
    assert len(mojan.daemons()) == 1
    assert presanella.run("stop", "--now", *at(mojan), *named(keyed, "admin")).returncode == 0
    wait_until(lambda: not mojan.daemons(), "the end of the daemon")


def test_a_captured_session_cannot_be_replayed(mojan: Host, presanella: Host, keyed: Path) -> None:
    tape = mojan.python(TAPE, mojan.ipv4)
    wait_line(tape.stdout, "listening")
    nightly = named(keyed, "nightly")
    done = presanella.run("run", "-r", "printer", *at(mojan, 28014), *nightly, "--", "echo", "mine")
    assert done.stdout == "mine\n"
    said = wait_line(tape.stdout, "said").split()[1:]
    captured = bytes.fromhex("".join(said))
    assert b"INITIATE" in captured
    assert b"nightly" not in captured
    replay = presanella.python(REPLAY, mojan.ipv4, str(LIMIT / 10), *said)
    heard = bytes.fromhex(wait_line(replay.stdout, "heard").split()[1])
    assert b"WELCOME" in heard  # to a hello that anybody can repeat; not to what follows, which is for other keys
    assert b"READY" not in heard
