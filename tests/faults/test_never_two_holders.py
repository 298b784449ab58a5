"""Whatever else goes wrong at the same time: as long as somebody may be at work under a lock, nobody else gets it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support import House, wait_dead, wait_line, wait_until

pytestmark = pytest.mark.slow


def fork_server(house: House) -> int:
    """The process that starts lockers."""
    daemon = house.daemon()
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def test_a_name_whose_locker_died_stays_refused_when_the_fork_server_dies_too(house: House) -> None:
    holder = house.hold("-r", "printer")
    (locker,) = house.lockers()
    os.kill(locker, signal.SIGKILL)
    wait_line(holder.stderr, "lost")
    os.kill(fork_server(house), signal.SIGKILL)
    log = house.run_dir / "local" / "daemon.log"
    wait_until(lambda: "HFD005W" in log.read_text(), "the daemon to notice")
    for _ in range(3):
        refused = house.run("run", "-n", "-r", "printer", "--", "true")
        assert refused.returncode == 99
        assert "holdfast stop" in refused.stderr
    daemon = house.daemon()
    assert house.run("stop").returncode == 0
    wait_dead(daemon)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 0
    assert house.let_go(holder) == 99


@pytest.mark.parametrize("what", ["its directory was removed", "its note cannot be written"])
def test_a_holder_outlives_the_incubator_even_if(house: House, what: str) -> None:
    holder = house.hold("-r", "printer")
    daemon = house.daemon()
    local = house.run_dir / "local"
    if what == "its directory was removed":
        shutil.rmtree(house.run_dir)
    else:
        (locker,) = house.lockers()
        (local / f"left-behind-{locker}").symlink_to("/nonexistent/note")
    os.kill(daemon, signal.SIGKILL)
    wait_dead(daemon)
    refused = house.run("run", "-n", "-r", "printer", "--", "true")
    assert refused.returncode == 99, refused.stderr
    assert house.let_go(holder) == 0
    wait_until(lambda: not house.processes(), "the end of the last locker")


def test_a_daemon_whose_directory_was_removed_is_not_joined_by_a_second_one(house: House) -> None:
    holder = house.hold("-r", "printer")
    daemon = house.daemon()
    shutil.rmtree(house.run_dir)
    refused = house.run("run", "-n", "-r", "printer", "--", "echo", "twice")
    assert (refused.returncode, refused.stdout) == (99, "")
    assert f"kill {daemon}" in refused.stderr
    assert house.let_go(holder) == 0
    os.kill(daemon, signal.SIGTERM)
    wait_dead(daemon)
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 0


def test_a_daemon_that_died_on_the_network_is_followed_by_no_other_at_its_port_while_it_is_held(house: House) -> None:
    """Nor if its address is written otherwise, or the other one has another directory: those are other places."""
    daemon = house.spawn("serve", "--bind", "tcp://127.0.0.1:0")
    assert daemon.stdout is not None
    port = daemon.stdout.readline().strip().rpartition(":")[2]
    holder = house.hold("-r", "printer", "--endpoint", f"tcp://127.0.0.1:{port}")
    daemon.kill()
    daemon.wait()
    wait_until(lambda: list(house.run_dir.rglob("left-behind-*")), "the locker's note")

    def next_one(host: str, where: str) -> subprocess.CompletedProcess[str]:
        words = ("--lifespan", "0.2", "--endpoint", f"tcp://{host}:{port}", "-n", "-r", "printer", "--", "echo", "mine")
        return house.run("run", *words, environ={"HOLDFAST_RUN_DIR": str(house.path / where)})

    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        refused = next_one(host, "elsewhere")
        assert (refused.returncode, refused.stdout) == (99, ""), refused.stderr
        assert "a daemon that died has it until its locks are free" in refused.stderr
    everywhere = house.run("serve", "--insecure", "--bind", f"tcp://0.0.0.0:{port}", "--socket", f"{house.path}/s")
    assert everywhere.returncode == 99
    assert house.let_go(holder) == 0
    wait_until(lambda: not house.processes(), "the end of the last locker")
    assert next_one("[::ffff:127.0.0.1]", "elsewhere").stdout == "mine\n"
    wait_until(lambda: not house.processes(), "the end of the next daemon")


def test_a_stopped_fork_server_stops_nobody_but_new_names(house: House) -> None:
    holder = house.hold("-r", "printer")
    server = fork_server(house)
    os.kill(server, signal.SIGSTOP)
    words = ("run", "-n", "--idle", "1m", "-r")  # so that no locker comes back meanwhile
    codes = [house.run(*words, f"new{number}", "--", "true").returncode for number in range(4)]
    assert codes[-1] == 99
    assert house.run("run", "-n", "-r", "printer", "--", "true").returncode == 98
    os.kill(server, signal.SIGCONT)
    assert house.let_go(holder) == 0


def test_a_limit_of_descriptors_that_is_too_low_for_a_daemon_is_said(house: House) -> None:
    refused = house.popen(["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *house.words("run", "-r", "x", "--", "true")])
    _, said = refused.communicate(timeout=20)
    assert refused.returncode == 99
    assert "ulimit -n" in said
