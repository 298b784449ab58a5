"""A cable is cut, on either side: what becomes of holders, waiters and newcomers, here and there, then and later.

The table "When the network breaks" in ``docs/manual.md`` says it in words; each of its cells is shown here.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hosts import Host
from support import LIMIT, wait_line, wait_until

pytestmark = pytest.mark.slow

QUICK = "TcpKeepaliveTime=1\nTcpKeepaliveIntvl=1\nTcpKeepaliveProbes=2\n"
BOUND = 3.0  # seconds: what QUICK adds up to
ATTEMPT = 5.0  # seconds: who comes tries to connect
AGAIN = min(ATTEMPT, BOUND)  # seconds: who waited tries to connect once more
GROUPS = {"ipv4": "239.255.0.1", "ipv6": "ff15::1"}

both_sides = pytest.mark.parametrize("cut", ["pulled out", "taken down"])
both_versions = pytest.mark.parametrize("version", ["ipv4", "ipv6"])


@pytest.fixture
def quick(mojan: Host) -> tuple[str, str]:
    """The options of a short keepalive, for daemons and commands."""
    path = mojan.path / "quick"
    path.write_text(f"[Resource]\n[Daemon]\n[Network]\n{QUICK}")
    return "-c", str(path)


def serve(host: Host, version: str, *words: str) -> tuple[str, str]:
    """Start a daemon in the foreground, and return the options that lead to it."""
    address = host.ipv4 if version == "ipv4" else f"[{host.ipv6}]"
    where = f"tcp://{address}:28015"
    wait_line(host.spawn("serve", "--insecure", "--bind", where, *words).stderr, "HFD001I")
    return "--endpoint", where


def waits(host: Host, *words: str) -> subprocess.Popen[str]:
    """A command that waits for the printer, and says "mine" when it has it."""
    process = host.spawn("run", "-v", "-r", "printer", *words, "--", "echo", "mine")
    wait_line(process.stderr, "waiting")
    return process


@contextmanager
def within(bound: float) -> Iterator[None]:
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < bound + LIMIT / 4  # the default would be two minutes


def sever(host: Host, cut: str) -> None:
    if cut == "pulled out":
        host.unplug()
    else:
        host.down()


def mend(host: Host, cut: str) -> None:
    if cut == "pulled out":
        host.plug()
    else:
        host.up()


# --- the holder's host ------------------------------------------------------------------------------------------------


@both_versions
@both_sides
def test_what_a_vanished_host_held_is_free_within_the_bound(
    mojan: Host, presanella: Host, quick: tuple[str, str], cut: str, version: str
) -> None:
    where = serve(mojan, version, *quick)
    holder = presanella.hold("-r", "printer", *where, *quick)
    waiter = waits(mojan, *where)
    with within(BOUND):
        sever(presanella, cut)
        assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"
        assert "lost" in wait_line(holder.stderr, "holdfast: ")
    mend(presanella, cut)
    assert presanella.let_go(holder) == 99
    assert presanella.run("run", "-n", "-r", "printer", *where, "--", "true").returncode == 0


@both_sides
def test_a_host_that_comes_back_is_told_what_it_lost(
    mojan: Host, presanella: Host, quick: tuple[str, str], cut: str
) -> None:
    where = serve(mojan, "ipv4", *quick)
    holder = presanella.hold("-r", "printer", *where)  # a minute until it would notice by itself
    waiter = waits(mojan, *where)
    sever(presanella, cut)
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"
    mend(presanella, cut)
    err = holder.communicate(timeout=LIMIT)[1]
    assert holder.returncode == 99
    assert "lost" in err


def test_a_tree_that_nobody_reads_for_holds_as_long_as_its_host_is_there(
    mojan: Host, presanella: Host, quick: tuple[str, str]
) -> None:
    where = serve(mojan, "ipv4", *quick)
    words = ("run", "--hold", "tree", "-r", "printer", *where, *quick, "--", "sh", "-c", "sleep 1000 & echo $!")
    wrapper = presanella.spawn(*words)
    assert wrapper.stdout is not None
    left = int(wrapper.stdout.readline())
    assert wrapper.wait(LIMIT) == 0
    refused = mojan.run("run", "-t", str(BOUND + 1.0), "-r", "printer", *where, "--", "true")
    assert refused.returncode == 98  # its kernel answers for it
    waiter = waits(mojan, *where)
    with within(BOUND):
        presanella.unplug()
        assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"
    os.kill(left, signal.SIGKILL)


def test_a_waiter_that_vanished_is_passed_over(mojan: Host, presanella: Host, quick: tuple[str, str]) -> None:
    where = serve(mojan, "ipv4", *quick)
    holder = mojan.hold("-r", "printer", *where)
    gone = waits(presanella, *where, *quick)
    behind = waits(mojan, *where)
    presanella.unplug()
    assert gone.wait(LIMIT) == 99
    assert mojan.let_go(holder) == 0
    assert behind.communicate(timeout=LIMIT)[0] == "mine\n"


# --- the daemon's host ------------------------------------------------------------------------------------------------


@both_versions
@both_sides
def test_when_the_daemons_host_vanishes_waiters_end_within_the_bound(
    mojan: Host, presanella: Host, quick: tuple[str, str], cut: str, version: str
) -> None:
    where = serve(mojan, version, *quick)
    holder = mojan.hold("-r", "printer", *where)
    waiter = waits(presanella, *where, *quick)
    with within(BOUND + AGAIN):
        sever(mojan, cut)
        assert waiter.wait(LIMIT) == 99
    if cut == "pulled out":
        assert mojan.let_go(holder) == 0  # over its own addresses it is still there


@both_sides
def test_a_newcomer_cannot_reach_a_daemon_with_an_address(mojan: Host, presanella: Host, cut: str) -> None:
    where = serve(mojan, "ipv4")
    sever(presanella, cut)
    with within(ATTEMPT):
        done = presanella.run("run", "-r", "printer", *where, "--", "true")
    assert done.returncode == 99
    assert mojan.ipv4 in done.stderr
    assert presanella.flom("-a", mojan.ipv4, "-d", "5000", "--", "true").returncode == 99
    assert presanella.daemons() == []


def test_on_the_daemons_side_all_goes_on(mojan: Host, presanella: Host, quick: tuple[str, str]) -> None:
    where = serve(mojan, "ipv4", *quick)
    holder = mojan.hold("-r", "printer", *where)
    waiter = waits(mojan, *where)
    presanella.unplug()
    assert mojan.run("run", "-r", "plotter", *where, "--", "true").returncode == 0
    assert mojan.let_go(holder) == 0
    assert waiter.communicate(timeout=LIMIT)[0] == "mine\n"


# --- found by a group -------------------------------------------------------------------------------------------------


@both_versions
def test_a_newcomer_that_finds_nobody_is_refused_or_starts_a_daemon_of_its_own(
    mojan: Host, presanella: Host, version: str
) -> None:
    group = GROUPS[version]
    here = mojan.hold_flom("-A", group, "-d", "-1")
    presanella.unplug()
    assert presanella.flom("-A", group, "-I", "100", "-d", "0", "--", "true").returncode == 99
    refused = presanella.run("run", "-r", "printer", "--discover", group, "--", "true")
    assert refused.returncode == 99
    there = presanella.hold_flom("-A", group, "-I", "100", "-d", "-1")  # now both hold "the" lock
    presanella.plug()
    told = wait_until(lambda: split(mojan, group), "both daemons heard")
    assert "split brain" in told
    assert mojan.let_go(here) == 0
    assert presanella.let_go(there) == 0


@pytest.mark.parametrize("lifespan", ["0", "5000"])
def test_a_waiter_whose_daemon_vanishes_takes_no_other_one(
    mojan: Host, presanella: Host, quick: tuple[str, str], lifespan: str
) -> None:
    group = ("-A", GROUPS["ipv4"])
    holder = mojan.hold_flom(*group, "-d", "-1")
    traced = {"FLOM_TRACE_MASK": "1"}
    waiter = presanella.spawn_flom(*group, *quick, "-d", lifespan, "--", "echo", "mine", environ=traced)
    wait_line(waiter.stderr, "Queued(")
    with within(BOUND + AGAIN):
        mojan.unplug()
        assert waiter.communicate(timeout=LIMIT)[0] == ""
    assert waiter.returncode == 99
    assert presanella.daemons() == []
    assert mojan.let_go(holder) == 0


def split(host: Host, group: str) -> str:
    """What is said of a group with two daemons, "" if one is not heard yet."""
    done = host.run("discover", group)
    return done.stdout + done.stderr if done.returncode == 1 else ""


def test_after_a_partition_newcomers_take_the_older_daemon(mojan: Host, presanella: Host) -> None:
    group = ("-A", GROUPS["ipv4"])
    here = mojan.hold_flom(*group, "-d", "-1")
    presanella.unplug()
    assert presanella.flom(*group, "-I", "100", "-d", "-1", "--", "true").returncode == 0
    presanella.plug()
    wait_until(lambda: split(presanella, GROUPS["ipv4"]), "both daemons heard")
    taken = presanella.flom(*group, "-d", "0", "-o", "0", "--", "true")
    assert taken.returncode == 98
    assert f"the oldest is taken, tcp://{mojan.ipv4}:" in taken.stderr
    (younger,) = re.findall(rf"{presanella.ipv4}:\d+", taken.stderr)[:1]
    assert mojan.run("stop", "--now", "--endpoint", f"tcp://{younger}").returncode == 0
    assert mojan.run("discover", GROUPS["ipv4"]).returncode == 0
    assert mojan.let_go(here) == 0
