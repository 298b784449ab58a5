"""flom's options and files: what becomes of each, and what is said of those that have no meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.flom import main
from holdfast.cli.flom_options import OPTIONS, configured, consistent, number_from_text
from holdfast.cli.flom_texts import dump
from holdfast.transport.errors import UsageError
from holdfast.transport.messages import Mode
from holdfast.transport.settings import load

Run = Callable[..., tuple[int, str, str]]
EMPTY = "[Resource]\n[Daemon]\n[Network]\n"


@pytest.fixture
def flom(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run flom in this process, at home in a directory without files; it needs no daemon for what it refuses."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert isinstance(caught.value.code, int)
        return (caught.value.code, *capfd.readouterr())

    return run


def refused(ended: tuple[int, str, str]) -> str:
    """What was said on stderr, when nothing was on stdout and the exit code is 99."""
    code, out, err = ended
    assert (code, out) == (99, "")
    return err


DUMPS = [
    (["-t", "d.trace"], "[Trace]/DaemonTraceFile='d.trace'"),
    (["--daemon-trace-file=d"], "[Trace]/DaemonTraceFile='d'"),
    (["-T", "c.trace"], "[Trace]/CommandTraceFile='c.trace'"),
    (["--append-trace-file", "YES"], "[Trace]/AppendTraceFile=1"),
    (["-V"], "[Trace]/Verbose=1"),
    (["-r", "a.b"], "[Resource]/Name='a.b'"),
    (["-r", "/a b/ü"], "[Resource]/Name='/a b/ü'"),
    (["-o", "1500"], "[Resource]/Timeout=1500"),
    (["-o", "0x10"], "[Resource]/Timeout=16"),
    (["-o", "010"], "[Resource]/Timeout=8"),
    (["-o", "0"], "[Resource]/Timeout=0"),
    (["-o", "-1"], "[Resource]/Timeout=-1"),
    (["-o", "5", "-o", "7"], "[Resource]/Timeout=7"),
    (["-q", "3"], "[Resource]/Quantity=3"),
    (["-q", "0"], "[Resource]/Quantity=1"),
    (["-l", "nl"], "[Resource]/LockMode=0"),
    (["-l", "ConcurrentRead"], "[Resource]/LockMode=1"),
    (["-l", "CW"], "[Resource]/LockMode=2"),
    (["-l", "protectedread"], "[Resource]/LockMode=3"),
    (["-l", "PW"], "[Resource]/LockMode=4"),
    (["-l", "Exclusive"], "[Resource]/LockMode=5"),
    (["-e", "no"], "[Resource]/Create=0"),
    (["-i", "1000"], "[Resource]/IdleLifespan=1000"),
    (["-i", "-5"], "[Resource]/IdleLifespan=5"),
    (["-i", "0"], "[Resource]/IdleLifespan=0"),
    (["-s", "/tmp/s"], "[Daemon]/SocketName='/tmp/s'"),
    (["-d", "0"], "[Daemon]/Lifespan=0"),
    (["-d", "-1"], "[Daemon]/Lifespan=-1"),
    (["-a", "host"], "[Daemon]/UnicastAddress='host'"),
    (["-p", "-5"], "[Daemon]/UnicastPort=5"),
    (["-A", "239.255.0.1"], "[Daemon]/MulticastAddress='239.255.0.1'"),
    (["-P", "99"], "[Daemon]/MulticastPort=99"),
    (["-m", "."], "[Daemon]/MountPointVFS='.'"),
    (["--ignore-signal", "TERM", "--ignore-signal", "SIGTERM", "--ignore-signal=1"], "SIGHUP;SIGTERM'"),
    (["-n", "eth7"], "[Network]/NetworkInterface='eth7'"),
    (["-D", "0"], "[Network]/DiscoveryAttempts=1"),
    (["-I", "-70"], "[Network]/DiscoveryTimeout=70"),
    (["--discovery-ttl", "4"], "[Network]/DiscoveryTTL=4"),
    (["--tcp-keepalive-time", "1"], "[Network]/TcpKeepaliveTime=1"),
    (["--tcp-keepalive-intvl", "2"], "[Network]/TcpKeepaliveIntvl=2"),
    (["--tcp-keepalive-probes", "3"], "[Network]/TcpKeepaliveProbes=3"),
    (["--tls-check-peer-id", "yes"], "[TLS]/TlsCheckPeerId=1"),
]


@pytest.mark.parametrize(("words", "line"), DUMPS)
def test_each_option_is_shown_in_the_dump(flom: Run, words: list[str], line: str) -> None:
    code, out, _ = flom("-V", *words)
    assert code in (97, 99)
    assert [shown for shown in out.splitlines()[:29] if shown.endswith(line)] != []


def test_every_option_that_is_a_setting_has_its_dump_tested() -> None:
    tested = {word.partition("=")[0] for words, _ in DUMPS for word in words} | {"--tls-certificate"}
    tested |= {"--tls-private-key", "--tls-ca-certificate", "-v", "-c", "--signal-list", "-x", "-X"}
    tested |= {"--unique-id", "--debug-feature"}
    assert len(OPTIONS) == 36
    assert [option.words for option in OPTIONS if not tested & set(option.words)] == []


@pytest.mark.parametrize("key", ["certificate", "private-key", "ca-certificate"])
def test_a_file_for_tls_is_shown_by_its_whole_path_and_refused(flom: Run, tmp_path: Path, key: str) -> None:
    (tmp_path / "x.pem").touch()
    code, out, err = flom("-V", f"--tls-{key}", "x.pem", "true")
    assert code == 99
    assert f"='{tmp_path.resolve()}/x.pem'" in out
    assert "CURVE" in err


def test_files_and_options_say_the_same(flom: Run, tmp_path: Path) -> None:
    file = tmp_path / "f.conf"
    file.write_text(
        "[Trace]\nVerbose=yes\n[Resource]\nName=a[7]\nTimeout=100\nQuantity=2\nLockMode=PR\nCreate=no\n"
        "IdleLifespan=1000\n[Daemon]\nLifespan=-1\nSocketName=/tmp/s\n[Network]\nDiscoveryTimeout=70\n"
        "[Monitor]\nIgnoredSignals=SIGINT;1\n"
    )
    words = ["-V", "-r", "a[7]", "-o", "100", "-q", "2", "-l", "PR", "-e", "no", "-i", "1000", "-d", "-1", "-I", "70"]
    words += ["-s", "/tmp/s", "--ignore-signal", "SIGINT", "--ignore-signal", "1"]
    assert flom("-c", str(file))[1] == flom(*words)[1] != ""


def test_an_option_wins_over_a_file_even_if_it_says_the_default(flom: Run, tmp_path: Path) -> None:
    (tmp_path / ".flom").write_text(EMPTY + "[Resource]\nTimeout=5\nIdleLifespan=5\n[Daemon]\nLifespan=5\n")
    out = flom("-V", "-o", "-1", "-i", "0", "-d", "5000")[1]
    assert "Timeout=-1\n" in out
    assert "IdleLifespan=0\n" in out
    assert "]/Lifespan=5000\n" in out


def test_options_of_the_network_are_harmless_without_an_address(flom: Run) -> None:
    words = ["-p", "1", "-P", "2", "-n", "x", "-D", "3", "-I", "4", "--discovery-ttl", "5", "--tcp-keepalive-time", "6"]
    assert flom(*words) == (97, "", "No command to execute!\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-z"], "Unknown option -z"),
        (["--ZZZ-ZZZ=BAR"], "Unknown option --ZZZ-ZZZ=BAR"),
        (["-Vz"], "Unknown option -z"),
        (["-o"], "Missing argument for -o"),
        (["--resource-name"], "Missing argument for --resource-name"),
        (["-o", "abc"], 'Cannot parse integer value "abc" for -o'),
        (["-o", "--"], 'Cannot parse integer value "--" for -o'),
        (["-o", "1_0"], 'Cannot parse integer value "1_0" for -o'),
        (["-q", "2147483648"], 'Integer value "2147483648" for -q out of range'),
        (["--discovery-ttl", "x"], 'Cannot parse integer value "x" for --discovery-ttl'),
        (["--verbose=1"], "Option '--verbose' does not take a value."),
    ],
)
def test_a_command_line_that_cannot_be_parsed_is_refused(flom: Run, words: list[str], told: str) -> None:
    assert refused(flom(*words)) == f"option parsing failed: {told}\n"


@pytest.mark.parametrize(
    ("words", "out", "err"),
    [
        (["-l", "EXX"], "", "lock-mode: 'EXX' is an invalid value\n"),
        (["-e", "maybe"], "resource-create: 'maybe' is an invalid value\n", ""),
        (["--tls-check-peer-id", "ja"], "tls-check-peer-id: 'ja' is an invalid value\n", ""),
        (["--append-trace-file", "1"], "", "append-trace-file: '1' is an invalid value\n"),
        (["--tls-certificate", "/no"], "", "tls-certificate: '/no' is not a valid value\n"),
        (["--tls-private-key", "/no"], "", "tls-private-key: '/no' is not a valid value\n"),
        (["--tls-ca-certificate", "/no"], "", "tls-ca-certificate: '/no' is not a valid value\n"),
        (
            ["-r", "_RESOURCE"],
            "ERROR: '_RESOURCE' is a reserved resource name and can not be set by user\n",
            "flom_config_set_resource_name: ret_cod=-14\n",
        ),
        (
            ["-r", "a_b"],
            "ERROR: 'a_b' is not a valid name for a resource\n",
            "flom_config_set_resource_name: ret_cod=-14\n",
        ),
        (
            ["-s", "/tmp/s", "-A", "239.255.0.1"],
            "ERROR: flom can not be configured for local (UNIX socket) and network (TCP-UDP/IP) communication at the "
            "same time.\n",
            "Configuration is not valid, cannot go on!\n",
        ),
        (
            ["--tls-check-peer-id", "yes"],
            "ERROR: TLS check peer id can not be specified without full TLS configuration.\n",
            "Configuration is not valid, cannot go on!\n",
        ),
    ],
)
def test_a_value_without_meaning_is_refused_in_floms_words(flom: Run, words: list[str], out: str, err: str) -> None:
    assert flom(*words, "true") == (99, out, err)


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        (
            ["-s", "/tmp/" + "x" * 108],
            f"socket-name: '/tmp/{'x' * 108}' is an invalid value",
            "flom_client_connect: ret_cod=-9 (",
        ),
        (
            ["-m", "/no/such"],
            "mount-point-vfs: '/no/such' is an invalid value",
            "flom_client_connect: ret_cod=-121 (",
        ),
    ],
)
def test_a_path_that_cannot_be_is_refused_in_two_lines(flom: Run, words: list[str], first: str, second: str) -> None:
    lines = refused(flom(*words, "true")).splitlines()
    assert lines[0] == first
    assert lines[1].startswith(second)
    assert "--" not in lines[1], "our options are not flom's"


def test_a_negative_quantity_is_ignored_with_a_warning(flom: Run) -> None:
    code, out, err = flom("-V", "-q", "-3")
    assert code == 97
    assert "Quantity=1\n" in out
    assert err.startswith("Resource quantity ignored because negative values (-3) are meaningless\n")


def test_a_port_that_is_none_is_refused_with_a_sentence(flom: Run) -> None:
    err = refused(flom("-p", "65536", "true"))
    assert err.startswith("flom: ")
    assert "'65536' is not a port" in err


@pytest.mark.parametrize(
    ("words", "number", "told"),
    [
        (["-A", "192.0.2.1"], -110, "not a multicast group"),
        (["-a", "no-such-host.invalid"], -110, "cannot be found"),
        (["-a", "fe80::1"], -110, "name the interface"),
        (["-a", "127.0.0.1", "-p", "1", "-d", "0"], -105, "none may be started"),
    ],
)
def test_a_daemon_that_cannot_be_there_is_told_by_flom_s_number(
    flom: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], number: int, told: str
) -> None:
    monkeypatch.setenv("HOLDFAST_RUN_DIR", "/tmp/nothing-is-here")  # not tmp_path: a socket's path has 107 bytes
    err = refused(flom(*words, "true"))
    assert err.startswith(f"flom_client_connect: ret_cod={number} (")
    assert told in err


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "out", "number"),
    [
        ("[Resource]\n[Daemon]\n", "Key file does not have group “Network”\n", -5),
        (
            EMPTY + "[Resource]\nTimeout=soon\n",
            "Key file contains key “Timeout” in group “Resource” which has a value that cannot be interpreted.\n",
            -5,
        ),
        (EMPTY + "[Resource]\nCreate=perhaps\n", "", -5),
        (EMPTY + "[Resource]\nLockMode=XX\n", "", -5),
        (EMPTY + "[Resource]\nName=a_b\n", "ERROR: 'a_b' is not a valid name for a resource\n", -5),
        (EMPTY + "[Daemon]\nMountPointVFS=/no/such\n", "", -5),
    ],
)
def test_a_file_without_meaning_is_refused(flom: Run, tmp_path: Path, text: str, out: str, number: int) -> None:
    file = tmp_path / "bad.conf"
    file.write_text(text)
    code, said, err = flom("-c", str(file), "true")
    assert code == 99
    assert said == f"{out}ERROR: invalid configuration found in file '{file}'\n"
    assert err.splitlines()[-1] == f"flom_config_init: ret_cod={number}"


def test_a_file_that_is_refused_is_also_told_in_our_words(flom: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.conf"
    file.write_text(EMPTY + "[Resource]\nCreate=perhaps\n")
    told = f"flom: configuration file {file}, Create in [Resource]: 'perhaps' is not an answer"
    assert flom("-c", str(file), "true")[2].startswith(told)


@pytest.mark.parametrize("text", [None, "no group\n"])
def test_a_named_file_that_cannot_be_read_is_refused(flom: Run, tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "no.conf"
    if text is not None:
        file.write_text(text)
    code, out, err = flom("-c", str(file), "true")
    assert (code, out) == (99, f"ERROR: error while loading file '{file}'\n")
    assert err.splitlines()[-1] == "flom_config_init: ret_cod=-203"


def test_a_tls_file_that_a_file_names_must_exist(flom: Run, tmp_path: Path) -> None:
    (tmp_path / ".flom").write_text(EMPTY + "[TLS]\nTlsPrivateKey=no.pem\n")
    assert refused(flom("true")) == "flom_config_init: ret_cod=-125\n"


def test_an_unknown_key_is_only_warned_about(flom: Run, tmp_path: Path) -> None:
    (tmp_path / ".flom").write_text(EMPTY + "[Resource]\nNane=a\n")
    code, out, err = flom()
    assert (code, out) == (97, "")
    assert "did you mean Name?" in err


def test_an_unreadable_file_that_nobody_named_is_passed_over(flom: Run, tmp_path: Path) -> None:
    (tmp_path / ".flom").write_text("no group\n")
    assert flom() == (97, "", "No command to execute!\n")


# --- how they go together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "quantity"),
    [
        (None, Mode.PR, 1),
        ("a", Mode.PR, 1),
        ("/a/b", Mode.PR, 1),
        ("a[5]", Mode.EX, 3),
        ("a.b", Mode.EX, 1),
        ("_s_a[5]", Mode.EX, 1),
        ("_t_%S[5]", Mode.EX, 1),
    ],
)
def test_what_a_type_does_not_know_is_left_out(name: str | None, mode: Mode, quantity: int) -> None:
    settings = load("flom", {"name": name, "mode": "PR", "quantity": "3"}, {}, files=[]).settings
    corrected = consistent(settings)
    assert (corrected.mode, corrected.quantity) == (mode, quantity)


def test_what_is_left_out_is_told_to_who_wants_to_know(flom: Run) -> None:
    code, out, err = flom("-V", "-r", "a.b", "-l", "PR", "-q", "4")
    assert code == 97
    assert "LockMode=3\n" in out
    assert "This resource type (3) support only exclusive lock mode; specified value (3) will be ignored\n" in err
    warned = "This resource type (3) does not support quantity lock option; specified value (4) will be ignored\n"
    assert warned in err
    assert warned not in flom("-r", "a.b", "-q", "4")[2]


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.01), ("9", 0.01), ("-9", 0.01), ("10", 0.01), ("11", 0.011)])
def test_a_group_is_never_listened_to_too_briefly_for_an_answer(text: str, seconds: float) -> None:
    settings = load("flom", {"multicast_address": "239.255.1.1", "discovery_timeout": text}, {}, files=[]).settings
    assert consistent(settings).discovery_timeout == pytest.approx(seconds)


def test_who_would_listen_to_a_group_too_briefly_is_warned(flom: Run) -> None:
    warning = "Discovery timeout of 0 milliseconds is too short for any answer; 10 are used\n"
    assert warning in flom("-A", "239.255.1.1", "-I", "0")[2]
    assert warning not in flom("-A", "239.255.1.1", "-I", "10")[2]
    assert warning not in flom("-I", "0")[2]


@pytest.mark.parametrize(("text", "seconds"), [("0", 2.0), ("1", 1.001), ("5000", 6.0), ("-500", 1.5)])
def test_a_resource_ends_a_second_later_than_it_is_told_to(text: str, seconds: float) -> None:
    settings = load("flom", {"idle": text}, {}, files=[]).settings
    assert consistent(settings).idle == pytest.approx(seconds)


def test_who_names_nothing_locks_the_reserved_resource() -> None:
    assert consistent(load("flom", {}, {}, files=[]).settings).name == "_RESOURCE"


def test_a_contradiction_is_refused_after_the_dump(flom: Run) -> None:
    out = flom("-V", "-s", "/tmp/s", "-a", "host")[1].splitlines()
    assert len(out) == 30
    assert out[29].startswith("ERROR: ")


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_a_number_may_be_decimal_hexadecimal_or_octal(number: int) -> None:
    sign = "-" if number < 0 else ""
    assert number_from_text(str(number)) == number_from_text(hex(number)) == number
    assert number_from_text(f"{sign}0{abs(number):o}") == number


@given(st.integers(1, 1_000_000))
def test_what_was_given_is_what_is_dumped(number: int) -> None:
    options = {"timeout": number, "idle": number, "lifespan": number, "discovery_timeout": number}
    lines = dump(configured(options, None, {"HOME": "/nonexistent"}).settings)
    keys = ("Resource]/Timeout", "Resource]/IdleLifespan", "Daemon]/Lifespan", "Network]/DiscoveryTimeout")
    assert {f"[{key}={number}" for key in keys} <= set(lines)


def test_a_setting_of_ours_that_has_no_meaning_is_told_in_our_words() -> None:
    with pytest.raises(UsageError, match="HOLDFAST_AUTOSTART"):
        configured({}, None, {"HOLDFAST_AUTOSTART": "perhaps", "HOME": "/nonexistent"})
