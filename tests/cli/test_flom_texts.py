"""What flom says, word for word."""

from __future__ import annotations

import os
import re
import sys

import pytest

from holdfast.cli.flom_texts import (
    DUMPED,
    SIGNALS,
    VERSION,
    Told,
    complain,
    dump,
    failed,
    refused,
    signal_list,
    signal_names,
    tell,
    warn,
)
from holdfast.transport.errors import Busy, Deadlock, HoldfastError, Impossible, NoSuchResource, TimedOut, Unreachable
from holdfast.transport.settings import GROUPS, load


def test_the_dump_has_29_lines_and_each_is_a_key_of_a_file() -> None:
    lines = dump(load("flom", {}, {}, files=[]).settings)
    keys = [(group, key) for group, names in DUMPED.items() for key in names]
    assert [line.partition("=")[0] for line in lines] == [f"[{group}]/{key}" for group, key in keys]
    assert len(lines) == 29
    assert all(key in GROUPS[group] for group, key in keys)


def test_the_dump_of_nothing_shows_floms_defaults() -> None:
    lines = dict(line.split("=", 1) for line in dump(load("flom", {}, {}, files=[]).settings))
    numbers = {key.rpartition("/")[2]: int(value) for key, value in lines.items() if "'" not in value}
    assert numbers == {
        "AppendTraceFile": 0,
        "Verbose": 0,
        "Timeout": -1,
        "Quantity": 1,
        "LockMode": 5,
        "Create": 1,
        "IdleLifespan": 0,
        "Lifespan": 5000,
        "UnicastPort": 28015,
        "MulticastPort": 28015,
        "DiscoveryAttempts": 2,
        "DiscoveryTimeout": 500,
        "DiscoveryTTL": 1,
        "TcpKeepaliveTime": 60,
        "TcpKeepaliveIntvl": 10,
        "TcpKeepaliveProbes": 6,
        "TlsCheckPeerId": 0,
    }
    assert {value for value in lines.values() if "'" in value} == {"''", "'_RESOURCE'"}
    assert lines["[Resource]/Name"] == "'_RESOURCE'"


def test_the_signals_are_listed_four_on_a_line() -> None:
    lines = signal_list().split("\n")
    assert lines[0] == "1) SIGHUP\t2) SIGINT\t3) SIGQUIT\t4) SIGILL\t"
    assert lines[-1] == "29) SIGIO\t30) SIGPWR\t31) SIGSYS\t"
    assert len(lines) == 8


def test_the_signals_have_linuxs_numbers() -> None:
    import signal

    assert all(signal.Signals[f"SIG{name}"] == number for number, name in enumerate(SIGNALS, 1))


def test_ignored_signals_are_shown_in_order_and_once() -> None:
    assert signal_names((15, 1, 15)) == "SIGHUP;SIGTERM"
    assert signal_names(()) == ""


def test_the_version_has_seven_lines_and_claims_no_authors_that_we_are_not() -> None:
    lines = VERSION.split("\n")
    assert len(lines) == 7
    assert lines[0] == "FLoM: Free Lock Manager"
    assert lines[3] == "Package name: flom; package version: 1.7.2; release date: 2024-03-02"
    assert "GPL" not in VERSION


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Busy("x"), "Resource already locked, the lock cannot be obtained"),
        (TimedOut("x"), "The lock was not obtained because timeout (1500 milliseconds) expired"),
        (NoSuchResource("x"), "The resource could be available in the future, but the requester can't wait"),
        (Impossible("x"), "Resource will never satisfy the request, the lock cannot be obtained"),
        (Deadlock("why"), "flom_client_lock: ret_cod=-126 (why)"),
        (Unreachable("why"), "flom_client_lock: ret_cod=-126 (why)"),
    ],
)
def test_a_refusal_is_told_in_floms_words(error: HoldfastError, line: str) -> None:
    assert refused(error, 1.5) == line


def test_a_failure_names_where_and_why() -> None:
    assert failed("client_connect", -2, Unreachable("no\x1bbody")) == "flom_client_connect: ret_cod=-2 (no\\x1bbody)"


def test_a_warning_looks_like_glibs(capfd: pytest.CaptureFixture[str]) -> None:
    warn("oops")
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(rf"\n\*\* \(flom:{os.getpid()}\): WARNING \*\*: \d\d:\d\d:\d\d\.\d{{3}}: oops\n\n", err)


def test_a_name_of_any_bytes_can_be_told(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    tell("a\udcff")
    complain("b\udcfe", "c")
    assert capfdbinary.readouterr() == (b"a\xff\n", b"b\xfe\nc\n")


def test_what_is_told_knows_its_streams() -> None:
    told = Told(out=("a",), err=("b", "c"))
    assert (str(told), told.out, told.err, told.code) == ("a\nb\nc", ("a",), ("b", "c"), 99)


def test_a_complaint_that_nobody_can_read_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        complain("lost")
        with pytest.raises(OSError, match="No space"):
            full.close()  # what was written is still there
    monkeypatch.setattr(sys, "stderr", None)
    complain("lost")


def test_what_was_asked_for_and_cannot_be_shown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space"):
            tell("lost")
        with pytest.raises(OSError, match="No space"):
            full.close()
