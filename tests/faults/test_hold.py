"""The lock follows the work (``--hold``): whoever dies in whatever order, it is free when the work has ended.

The rows of the manual's table of deaths that speak of ``--hold``, each with real processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from support import LIMIT, MARK, House, alive, held, wait_dead, wait_line, wait_until

pytestmark = pytest.mark.slow

ENDS = ("released", "failed", "vanished", "lost")
LEAVES_ONE = "sleep 1000 & echo $!"  # a command that ends and leaves a process of this number behind


def free(house: House, name: str = "work", *words: str) -> bool:
    """Would the lock be granted now?"""
    code = house.run("run", "-n", *words, "-r", name, "--", "true").returncode
    assert code in (0, 98)
    return code == 0


def wait_free(house: House, name: str = "work") -> None:
    """Wait in line until the lock is ours; give it back."""
    assert house.run("run", "-r", name, "--", "true").returncode == 0


def leave(house: House, *words: str, script: str = LEAVES_ONE, code: int = 0) -> int:
    """Run a command that leaves a process behind, until ``holdfast run`` ends; return the number of that process."""
    wrapper = house.spawn("run", *words, "-r", "work", "--", "sh", "-c", script)
    assert wrapper.stdout is not None
    left = int(wrapper.stdout.readline())
    assert wrapper.wait(LIMIT) == code
    return left


def killed_while_it_holds(house: House, hold: str, *words: str) -> subprocess.Popen[str]:
    """A wrapper that was killed; its command runs until its standard input is closed."""
    wrapper = house.hold("--hold", hold, "-r", "work", *words)
    wrapper.kill()
    wrapper.wait(LIMIT)
    return wrapper


def wait_counted(house: House, **expected: int) -> None:
    """Wait until the picture says how the grants of the one resource have ended; what is not named has not happened."""
    wait_until(lambda: counted(house) == dict.fromkeys(ENDS, 0) | expected, f"{expected}")


def counted(house: House) -> dict[str, int]:
    """How the grants of the one resource have ended."""
    [resource] = json.loads(house.run("status", "--json").stdout)["resources"]
    return {end: sum(counter[end] for counter in resource["counters"].values()) for end in ENDS}


# --- the wrapper dies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hold", ["command", "tree"])
def test_a_killed_wrapper_takes_the_lock_from_no_command_that_runs(house: House, hold: str) -> None:
    wrapper = killed_while_it_holds(house, hold)
    assert not free(house)
    waiter = house.spawn("run", "-v", "-r", "work", "--", "echo", "mine")
    wait_line(waiter.stderr, "waiting")
    assert wrapper.stdin is not None
    wrapper.stdin.close()
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"


def test_without_hold_the_lock_of_a_killed_wrapper_is_free(house: House) -> None:
    killed_while_it_holds(house, "wrapper")
    wait_free(house)


@pytest.mark.parametrize("hold", ["command", "tree"])
def test_wrapper_and_command_are_killed(house: House, hold: str) -> None:
    wrapper = house.spawn("run", "--hold", hold, "-r", "work", "--", "sh", "-c", "echo $$; exec sleep 1000")
    assert wrapper.stdout is not None
    command = int(wrapper.stdout.readline())
    for pid in (wrapper.pid, command):
        os.kill(pid, signal.SIGKILL)
    wait_free(house)


@pytest.mark.parametrize("hold", ["command", "tree"])
def test_what_a_killed_wrapper_s_command_did_is_rolled_back(house: House, hold: str) -> None:
    wrapper = house.hold("--hold", hold, "--idle", "forever", "-r", "_S_ticket[1]")
    wrapper.kill()
    wrapper.communicate(timeout=LIMIT)
    assert house.run("run", "-r", "_S_ticket[1]", "--", "echo", "{}").stdout == "1\n"
    wait_counted(house, released=1, vanished=1)


def test_who_looks_sees_that_the_wrapper_has_ended(house: House) -> None:
    wrapper = killed_while_it_holds(house, "command")
    wait_until(lambda: "holds, ended" in house.run("status").stdout)
    told = house.run("why", "work").stdout
    assert f"pid {wrapper.pid}" in told
    assert "ended: what it has started has inherited the lock" in told


# --- the command ends -------------------------------------------------------------------------------------------------


def test_a_command_s_lock_is_free_when_it_ends_whatever_it_left(house: House) -> None:
    left = leave(house, "--hold", "command")
    assert free(house)
    assert alive(left)
    os.kill(left, signal.SIGKILL)


def test_a_tree_s_lock_is_free_when_the_last_of_it_ends(house: House) -> None:
    left = leave(house, "--hold", "tree", "--idle", "forever")
    assert not free(house)
    os.kill(left, signal.SIGKILL)
    wait_free(house)
    wait_counted(house, released=2)


def test_a_tree_s_lock_whose_command_failed_is_rolled_back_at_its_end(house: House) -> None:
    words = ("run", "--idle", "forever", "--hold", "tree", "-r", "_S_ticket[1]", "--", "sh", "-c")
    for script, number in ((f"{LEAVES_ONE}; exit 3", "1"), (LEAVES_ONE, "1"), (LEAVES_ONE, "2")):
        wrapper = house.spawn(*words, f"echo {{}}; {script}".replace("{}", "$HOLDFAST_ELEMENT"))
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline().strip() == number
        os.kill(int(wrapper.stdout.readline()), signal.SIGKILL)
        assert wrapper.wait(LIMIT) == (3 if "exit" in script else 0)
    wait_counted(house, released=2, failed=1)


def test_a_tree_s_lock_that_nobody_keeps_is_free(house: House) -> None:
    assert house.run("run", "--hold", "tree", "-r", "work", "--", "true").returncode == 0
    wait_free(house)


def test_a_command_that_cannot_be_run_keeps_nothing(house: House) -> None:
    assert house.run("run", "--hold", "tree", "-r", "work", "--", "/nonexistent").returncode == 97
    wait_free(house)


def test_who_closes_the_descriptor_holds_no_more(house: House) -> None:
    script = "sleep 1000 {HOLDFAST_FD}>&- & echo $!"
    wrapper = house.spawn("run", "--hold", "tree", "-r", "work", "--", "bash", "-c", script)
    assert wrapper.stdout is not None
    left = int(wrapper.stdout.readline())
    wait_free(house)
    assert alive(left)
    os.kill(left, signal.SIGKILL)


def test_a_program_that_closes_what_it_inherits_starts_what_holds_nothing(house: House) -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '1000'], stdout=subprocess.DEVNULL).pid, flush=True)"
    wrapper = house.spawn("run", "--hold", "tree", "-r", "work", "--", "python3", "-c", script)
    assert wrapper.stdout is not None
    left = int(wrapper.stdout.readline())
    wait_free(house)
    os.kill(left, signal.SIGKILL)


# --- nesting ----------------------------------------------------------------------------------------------------------


def test_what_runs_inside_shares_the_lock_also_when_the_wrapper_is_dead(house: House) -> None:
    script = f"echo held; read line; exec {' '.join(house.words('run', '-n', '-r', 'work', '--', 'echo', 'shared'))}"
    wrapper = held(house.spawn("run", "--hold", "tree", "-r", "work", "--", "sh", "-c", script))
    wrapper.kill()
    out, _ = wrapper.communicate("\n", timeout=LIMIT)
    assert out == "shared\n"


def test_what_is_left_by_a_command_inside_another_one_holds_both(house: House) -> None:
    inner = " ".join(house.words("run", "--hold", "tree", "-r", "inner", "--", "sh", "-c", f"'{LEAVES_ONE}'"))
    left = leave(house, "--hold", "tree", script=inner)
    assert not free(house)
    assert not free(house, "inner")
    os.kill(left, signal.SIGKILL)
    wait_free(house)
    wait_free(house, "inner")


def test_a_daemon_that_is_started_inside_does_not_hold_on(house: House) -> None:
    elsewhere = f"HOLDFAST_RUN_DIR={house.path}/elsewhere"
    inner = " ".join(house.words("run", "-r", "inner", "--", "true"))
    done = house.run("run", "--hold", "tree", "-r", "work", "--", "sh", "-c", f"{elsewhere} {inner}")
    assert done.returncode == 0, done.stderr
    wait_free(house)
    stopped = house.run("stop", "--now", environ={"HOLDFAST_RUN_DIR": f"{house.path}/elsewhere"})
    assert stopped.returncode == 0


# --- the daemon's end -------------------------------------------------------------------------------------------------


def test_a_daemon_told_to_stop_waits_for_the_tree(house: House) -> None:
    left = leave(house, "--hold", "tree")
    daemon = house.daemon()
    assert house.run("stop").returncode == 0
    assert not free(house)
    assert alive(daemon)
    os.kill(left, signal.SIGKILL)
    wait_dead(daemon)


def test_a_daemon_stopped_now_takes_the_lock_from_a_tree_that_does_not_hear_it(house: House) -> None:
    left = leave(house, "--hold", "tree")
    assert house.run("stop", "--now").returncode == 0
    assert alive(left)
    assert free(house)
    os.kill(left, signal.SIGKILL)


def test_a_killed_incubator_leaves_a_tree_what_it_holds(house: House) -> None:
    left = leave(house, "--hold", "tree")
    daemon = house.daemon()
    os.kill(daemon, signal.SIGKILL)
    wait_dead(daemon)
    refused = house.run("run", "-r", "other", "--", "true")
    assert refused.returncode == 99
    assert "still serves work" in refused.stderr
    os.kill(left, signal.SIGKILL)
    wait_until(lambda: not house.processes(), "the end of the last locker")
    assert free(house)


def test_a_killed_locker_is_a_lost_lock_of_a_command_whose_wrapper_lives(house: House) -> None:
    wrapper = house.hold("--hold", "tree", "-r", "work")
    (locker,) = house.lockers()
    os.kill(locker, signal.SIGKILL)
    assert "lost" in wait_line(wrapper.stderr, "holdfast: ")
    assert house.let_go(wrapper) == 99


def test_a_killed_locker_s_name_is_refused_also_after_a_tree(house: House) -> None:
    left = leave(house, "--hold", "tree")
    (locker,) = house.lockers()
    os.kill(locker, signal.SIGKILL)
    wait_dead(locker)
    assert alive(left)
    refused = house.run("run", "-r", "work", "--", "true")
    assert refused.returncode == 99
    assert "holdfast stop" in refused.stderr
    os.kill(left, signal.SIGKILL)


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hold", "expected"), [("command", True), ("tree", False)])
def test_an_interrupted_command_leaves_the_lock_to_what_ignores_the_interrupt(
    house: House, hold: str, expected: bool
) -> None:
    script = "trap '' INT; sleep 1000 & trap - INT; echo $!; exec sleep 1000"
    wrapper = house.spawn("run", "--hold", hold, "-r", "work", "--", "sh", "-c", script, start_new_session=True)
    assert wrapper.stdout is not None
    left = int(wrapper.stdout.readline())
    os.killpg(wrapper.pid, signal.SIGINT)
    assert wrapper.wait(LIMIT) == -signal.SIGINT
    assert alive(left)
    assert free(house) is expected
    os.kill(left, signal.SIGKILL)
    wait_free(house)


def test_a_stopped_tree_still_holds(house: House) -> None:
    left = leave(house, "--hold", "tree")
    os.kill(left, signal.SIGSTOP)
    assert not free(house)
    os.kill(left, signal.SIGKILL)
    wait_free(house)


# --- the network ------------------------------------------------------------------------------------------------------


@pytest.fixture
def far(house: House) -> Callable[..., House]:
    """The same house, whose daemon is on the network; ``keys`` are the options with which it is served."""

    def serve(*keys: str) -> House:
        daemon = house.spawn("serve", "--bind", "tcp://127.0.0.1:0", *keys)
        assert daemon.stdout is not None
        house.environ["HOLDFAST_ENDPOINT"] = daemon.stdout.readline().strip()
        return house

    return serve


def test_a_tree_holds_over_tcp(far: Callable[..., House]) -> None:
    house = far("--insecure")
    left = leave(house, "--hold", "tree", "--idle", "forever")
    assert not free(house)
    os.kill(left, signal.SIGKILL)
    wait_free(house)
    wait_counted(house, released=2)


def test_a_killed_wrapper_s_command_holds_over_tcp(far: Callable[..., House]) -> None:
    house = far("--insecure")
    wrapper = killed_while_it_holds(house, "command")
    assert not free(house)
    assert wrapper.stdin is not None
    wrapper.stdin.close()
    wait_free(house)


def test_under_curve_it_is_refused_before_anything_is_locked(far: Callable[..., House], house: House) -> None:
    keys = house.path / "keys"
    assert house.run("keygen", str(keys), "--name", "daemon", "--name", "alice").returncode == 0
    admitted = house.path / "admitted"
    admitted.mkdir()
    (keys / "alice.key").rename(admitted / "alice.key")
    far("--curve-key", str(keys / "daemon.key_secret"), "--curve-clients", str(admitted))
    ours = {
        "HOLDFAST_CURVE_KEY": str(keys / "alice.key_secret"),
        "HOLDFAST_CURVE_SERVER": str(keys / "daemon.key"),
        MARK: house.environ[MARK],
    }
    assert house.run("run", "-r", "work", "--", "true", environ=ours).returncode == 0
    refused = house.run("run", "--hold", "tree", "-r", "work", "--", "true", environ=ours)
    assert refused.returncode == 99
    assert "CURVE" in refused.stderr
    assert "--hold wrapper" in refused.stderr
