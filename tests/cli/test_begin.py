"""The first and the last step: a signal that asks ends nobody who is starting; the end is as ever, only sooner."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from support import LIMIT, House, checkout_environ

ASKED = """
import os, signal, sys, types

def asked(*_, **__):
    print([name for name in ("click", "holdfast.transport.client") if name in sys.modules], flush=True)
    os.kill(os.getpid(), signal.SIGUSR1)
    print("lives", signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN)
    return 0

for name in ("run", "commands"):
    sys.modules[f"holdfast.cli.{name}"] = types.ModuleType(name)
sys.modules["holdfast.cli.run"].run = sys.modules["holdfast.cli.commands"].run_holdfast = asked
from holdfast.cli.main import main
main()
"""


def ignore_usr1() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("word", "ignored", "code", "told"),
    [
        ("run", False, 0, "[]\nlives False\n"),
        ("run", True, 0, "[]\nlives True\n"),
        ("status", False, -signal.SIGUSR1, "[]\n"),
    ],
)
def test_who_is_asked_before_anything_is_loaded_lives_if_it_may_wait(
    word: str, ignored: bool, code: int, told: str
) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASKED, word],
        env=checkout_environ(),
        preexec_fn=ignore_usr1 if ignored else None,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (asked.returncode, asked.stdout) == (code, told)


INTERRUPTED = """
import signal
from holdfast.cli.begin import all_is_loaded, begin
begin()
if {loaded}:
    all_is_loaded()
try:
    signal.raise_signal(signal.SIGINT)
    print("ignored")
except KeyboardInterrupt:
    print("told")
"""


def ignore_int() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("ignored", [False, True])
def test_who_is_interrupted_while_it_is_loaded_ends_without_a_word(loaded: bool, ignored: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(loaded=loaded)],
        env=checkout_environ(),
        preexec_fn=ignore_int if ignored else None,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    expected = (0, "ignored\n") if ignored else (0, "told\n") if loaded else (-signal.SIGINT, "")
    assert (ended.returncode, ended.stdout, ended.stderr) == (*expected, "")


ENDING = """
import atexit, gc, sys
gc.disable()
from holdfast.cli.begin import all_is_loaded, end
all_is_loaded()
print(gc.isenabled(), gc.get_freeze_count() > 0)
atexit.register(print, "exit handler", flush=True)
if sys.argv[1:]:
    import threading
    threading.Timer(0.01, print, ["thread"]).start()
sys.stdout.flush()
end(7)
"""


@pytest.mark.parametrize(("words", "last"), [([], "exit handler\n"), (["thread"], "thread\nexit handler\n")])
def test_at_the_end_handlers_run_and_threads_are_waited_for(words: list[str], last: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, *words],
        env=checkout_environ(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (7, f"True True\n{last}")


@pytest.mark.slow
def test_the_command_is_ended_by_the_signal_as_ever(house: House) -> None:
    assert house.run("run", "-r", "x", "--", "sh", "-c", "kill -USR1 $$").returncode == 128 + signal.SIGUSR1
