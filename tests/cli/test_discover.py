"""``holdfast discover``: one daemon, none, or one too many. On the loopback interface: no network is needed."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from click.testing import CliRunner

from holdfast.actors.answerer import Answerer, Being
from holdfast.actors.answerer_process import Discovery
from holdfast.cli.discover import discover
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.found import NAMED, Found
from holdfast.transport.multicast import listen
from holdfast.transport.pipe import Pipe, pipe_pair
from support import LIMIT, checkout_environ

pytestmark = pytest.mark.slow  # it always waits for everybody


def group() -> Tcp:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return Tcp("239.255.79.1", free.getsockname()[1], "lo")


@contextmanager
def answering(where: Tcp, port: int, *, age: float = 0.0, key: str = "") -> Iterator[None]:
    """A daemon's discovery, in a thread."""
    listening = socket.socket(fileno=listen(where).detach())
    being = Being(port.to_bytes(16, "big"), time.monotonic() - age, port, "", key)
    ours, theirs = pipe_pair()
    thread = threading.Thread(target=Discovery(listening, where, Answerer(being)).run, args=(Pipe(theirs),))
    thread.start()
    try:
        yield
    finally:
        ours.close()
        thread.join(LIMIT)
        listening.close()
        theirs.close()


def run(where: Tcp, *more: str) -> tuple[int, str, str]:
    """What ``holdfast discover`` says, and its exit code; it asks until everybody must have answered."""
    words = [f"{where.host}:{where.port}", "--interface", where.interface, "--timeout", "100ms", *more]
    result = CliRunner().invoke(discover, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    assert isinstance(result.return_value, int)
    return result.return_value, result.stdout, result.stderr


def test_one_daemon_is_shown_with_its_address_and_how_long_it_runs() -> None:
    where = group()
    with answering(where, 4711, age=3 * 3600 + 60, key="K"):
        code, out, err = run(where, "--attempts", "5")
    assert code == 0
    assert ":4711 answered in " in out
    assert out.endswith("ms, runs for 3h01m, key K\n")
    assert err == ""


def test_two_daemons_are_both_shown_the_oldest_first_and_called_a_split_brain() -> None:
    where = group()
    with answering(where, 1, age=10.0), answering(where, 2, age=20.0):
        code, out, err = run(where, "--attempts", "5")
    assert code == 1
    assert [line.split()[0].rpartition(":")[2] for line in out.splitlines()] == ["2", "1"]
    assert "split brain: 2 daemons answer" in err


def test_where_nobody_answers_it_ends_with_3() -> None:
    where = group()
    code, out, err = run(where, "--attempts", "1")
    assert code == 3
    assert out == ""
    assert f"no daemon answers to the group {where.where} (1 question, each for 0.1s)" in err


def test_verbose_tells_what_is_asked_and_the_identity() -> None:
    where = group()
    with answering(where, 4711):
        _, out, err = run(where, "--attempts", "5", "-v")
    assert f"asking {where.where}: 5 questions, each for 0.1s" in err
    assert f"identity {(4711).to_bytes(16, 'big').hex()}" in out


@pytest.mark.parametrize("words", [["10.0.0.1"], ["239.255.0.1:0"], ["239.255.0.1", "--attempts", "0"], ["printer"]])
def test_what_is_no_group_or_no_number_is_refused(words: list[str]) -> None:
    assert isinstance(CliRunner().invoke(discover, words).exception, InvalidSetting)


def test_the_command_itself_ends_with_these_codes() -> None:
    where = group()
    words = [sys.executable, "-m", "holdfast", "discover", where.where.replace("%lo", ""), "--interface", "lo"]
    with ExitStack() as daemons:
        for code, port in ((3, 1), (0, 2), (1, 3)):
            done = subprocess.run(words, env=checkout_environ(), capture_output=True, text=True, timeout=LIMIT)
            assert (done.returncode, len(done.stdout.splitlines())) == (code, port - 1)
            daemons.enter_context(answering(where, port))


def test_of_very_many_daemons_the_first_are_shown_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Found(bytes([number]) * 16, 9.0, "192.0.2.1", number, "", 0.001, 1.0) for number in range(1, 20)]
    monkeypatch.setattr(sys.modules["holdfast.cli.discover"], "seek", lambda group, **how: many)
    code, out, _ = run(group())
    assert code == 1
    assert out.count("answered") == NAMED
    assert out.endswith(f"and {19 - NAMED} more\n")
