"""Settings: precedence, where each value came from, and what is wrong with a file."""

from __future__ import annotations

import ast
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.transport import settings as module
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.messages import FOREVER, Mode, Order
from holdfast.transport.settings import GROUPS, VARIABLES, Settings, load, standard_files

FLOM = "[Resource]\n[Daemon]\n[Network]\n"
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "a.conf") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def refused(program: str, config: str) -> InvalidSetting:
    with pytest.raises(InvalidSetting) as caught:
        load(program, {}, {}, config, [])
    assert caught.value.file == config
    assert config in str(caught.value)
    return caught.value


def test_when_nobody_says_anything_the_defaults_hold() -> None:
    loaded = load("holdfast", {}, {}, files=[])
    assert loaded.settings == Settings()
    assert loaded.source("timeout") == "default"
    assert loaded.warnings == ()


def test_flom_has_its_own_name_queue_order_and_idle_time() -> None:
    settings = load("flom", {}, {}, files=[]).settings
    assert settings == Settings(comm="flom", order=Order.FIRST_FIT, idle=0.0)


def test_the_later_source_wins_and_is_remembered(write: Write) -> None:
    first = write("[Resource]\nName=a\nQuantity=1\nTimeout=1\n[Daemon]\nSocketName=/1\nAutostart=no\n", "first")
    second = write("[Resource]\nName=b\nQuantity=2\nTimeout=2000\n[Daemon]\nSocketName=/2\n", "second")
    named = write("[Resource]\nName=c\nQuantity=3\n[Daemon]\nSocketName=/3\n", "named")
    loaded = load("holdfast", {"name": "d"}, {"HOLDFAST_SOCKET": "/4"}, named, [first, second])
    settings = loaded.settings
    assert (settings.name, settings.socket, settings.quantity, settings.timeout) == ("d", "/4", 3, 2.0)
    assert settings.autostart is False
    sources = [loaded.source(name) for name in ("name", "socket", "quantity", "timeout", "autostart", "mode")]
    assert sources == ["command line", "HOLDFAST_SOCKET", named, second, first, "default"]


def test_the_command_line_wins_over_the_environment() -> None:
    loaded = load("holdfast", {"socket": "/option"}, {"HOLDFAST_SOCKET": "/variable"}, files=[])
    assert (loaded.settings.socket, loaded.source("socket")) == ("/option", "command line")


def test_an_option_equal_to_its_default_wins_over_a_file(write: Write) -> None:
    file = write(FLOM + "[Resource]\nTimeout=5\nQuantity=3\n")
    settings = load("flom", {"timeout": "-1", "quantity": "1"}, {}, file, []).settings
    assert (settings.timeout, settings.quantity) == (None, 1)


def test_an_option_that_was_not_given_says_nothing(write: Write) -> None:
    file = write("[Resource]\nName=a\n")
    loaded = load("holdfast", {"name": None, "timeout": None}, {}, file, [])
    assert (loaded.settings.name, loaded.source("name"), loaded.source("timeout")) == ("a", file, "default")


def test_an_option_may_be_a_text_or_a_value() -> None:
    options = {"mode": "pr", "timeout": "200ms", "quantity": "2", "create": False, "order": Order.FIRST_FIT}
    settings = load("holdfast", options, {}, files=[]).settings
    assert (settings.mode, settings.timeout, settings.quantity) == (Mode.PR, pytest.approx(0.2), 2)
    assert (settings.create, settings.order) == (False, Order.FIRST_FIT)


def test_a_bare_duration_is_seconds_on_our_command_line_and_milliseconds_on_floms_and_in_files(write: Write) -> None:
    assert load("holdfast", {"timeout": "2"}, {}, files=[]).settings.timeout == 2
    assert load("flom", {"timeout": "2000"}, {}, files=[]).settings.timeout == 2
    assert load("holdfast", {}, {}, write("[Resource]\nTimeout=2000\n"), []).settings.timeout == 2
    assert load("holdfast", {}, {}, write("[Resource]\nTimeout=2s\n"), []).settings.timeout == 2


def test_a_daemon_may_live_for_ever() -> None:
    assert load("flom", {"lifespan": "-1"}, {}, files=[]).settings.lifespan == FOREVER
    assert load("holdfast", {"lifespan": "forever"}, {}, files=[]).settings.lifespan == FOREVER
    assert load("holdfast", {"lifespan": "0"}, {}, files=[]).settings.lifespan == 0


def test_a_bad_option_says_which() -> None:
    with pytest.raises(InvalidSetting, match="conflict exit code: '256' is not an exit code") as caught:
        load("holdfast", {"conflict_exit_code": "256"}, {}, files=[])
    assert (caught.value.file, caught.value.key) == ("", "conflict_exit_code")


def test_every_option_that_a_text_may_set_is_a_setting_and_every_setting_can_be_set() -> None:
    settable = [setting for keys in GROUPS.values() for setting, _ in keys.values()]
    assert len(settable) == len(set(settable))
    variables = {setting for setting, _ in VARIABLES.values()}
    assert {*settable, *variables, "comm"} == {field.name for field in dataclasses.fields(Settings)}


def test_variables_say_something_and_empty_ones_do_not() -> None:
    environ = {"HOLDFAST_RUN_DIR": "/r", "HOLDFAST_SOCKET": "", "HOLDFAST_AUTOSTART": "no", "HOLDFAST_MODE": "PR"}
    loaded = load("flom", {}, environ, files=[])
    assert loaded.settings == Settings(comm="flom", order=Order.FIRST_FIT, idle=0.0, run_dir="/r", autostart=False)
    assert (loaded.source("run_dir"), loaded.source("socket")) == ("HOLDFAST_RUN_DIR", "default")


@pytest.mark.parametrize("variable", ["HOLDFAST_RUN_DIR", "HOLDFAST_SOCKET"])
@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_variable_names_one_place_whatever_the_directory(variable: str, program: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{variable}: 'rel' means another place in each directory"):
        load(program, {}, {variable: "rel"}, files=[])


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_file_names_one_place_whatever_the_directory(write: Write, program: str) -> None:
    error = refused(program, write(FLOM + "[Daemon]\nSocketName=rel.sock\n"))
    assert error.key == "SocketName"
    assert "begins with /" in str(error)


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_command_line_may_name_a_place_in_its_directory_but_not_an_empty_one(program: str) -> None:
    assert load(program, {"socket": "rel.sock"}, {}, files=[]).settings.socket == "rel.sock"
    with pytest.raises(InvalidSetting, match="socket: the path is empty"):
        load(program, {"socket": ""}, {}, files=[])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[TLS]\nTlsCertificate=c", "TLS"),
        ("[TLS]\nTlsPrivateKey=k", "TLS"),
        ("[TLS]\nTlsCaCertificate=a", "TLS"),
        ("[TLS]\nTlsCheckPeerId=yes", "TLS"),
    ],
)
def test_our_files_cannot_ask_for_what_is_not_offered(write: Write, line: str, why: str) -> None:
    sentence = str(refused("holdfast", write(line)))
    assert why in sentence
    assert "CurveKey and CurveServer in [Network]" in sentence


def test_a_key_that_asks_for_nothing_is_read(write: Write) -> None:
    file = write("[Daemon]\nUnicastAddress=\nMountPointVFS=\n[TLS]\nTlsCheckPeerId=no\n")
    assert load("holdfast", {}, {}, file, []).settings == Settings()


FILE, ENDPOINT, GROUP = "[Daemon]\nSocketName=/s\n", Tcp("h", 1), Tcp("239.255.0.1", 28015)


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({}, {}, ("/s", None, None)),
        ({}, {"HOLDFAST_ENDPOINT": "tcp://h:1"}, (None, ENDPOINT, None)),
        ({"endpoint": "h:1"}, {"HOLDFAST_SOCKET": "/t"}, (None, ENDPOINT, None)),
        ({"group": "239.255.0.1"}, {"HOLDFAST_ENDPOINT": "tcp://i:2"}, (None, None, GROUP)),
        ({"socket": "/u"}, {"HOLDFAST_ENDPOINT": "tcp://h:1"}, ("/u", None, None)),
    ],
)
def test_who_names_a_daemon_anew_replaces_what_was_said_before(
    write: Write, options: dict[str, object], environ: dict[str, str], expected: tuple[object, ...]
) -> None:
    loaded = load("holdfast", options, environ, write(FILE), [])
    settings = loaded.settings
    assert (settings.socket, settings.endpoint, settings.group) == expected
    assert sum(loaded.source(setting) != "default" for setting in ("socket", "endpoint", "group")) == 1


def test_a_later_file_in_flom_s_words_replaces_an_endpoint(write: Write) -> None:
    loaded = load("holdfast", {}, {"HOLDFAST_RUN_DIR": "/r"}, write("[Daemon]\nUnicastAddress=h\n"), [])
    assert (loaded.settings.unicast_address, loaded.settings.run_dir) == ("h", "/r")
    loaded = load("holdfast", {"endpoint": "i:1"}, {}, write("[Daemon]\nUnicastAddress=h\n"), [])
    assert (loaded.settings.unicast_address, loaded.settings.endpoint) == (None, Tcp("i", 1))


def test_two_daemons_named_in_one_breath_are_refused(write: Write) -> None:
    with pytest.raises(InvalidSetting, match="command line: socket and endpoint name two daemons"):
        load("holdfast", {"socket": "/s", "endpoint": "h:1"}, {}, files=[])
    with pytest.raises(InvalidSetting, match="HOLDFAST_SOCKET and HOLDFAST_ENDPOINT name two daemons"):
        load("holdfast", {}, {"HOLDFAST_SOCKET": "/s", "HOLDFAST_ENDPOINT": "h:1"}, files=[])
    assert "unicast address and multicast address name two daemons" in str(
        refused("holdfast", write("[Daemon]\nUnicastAddress=h\nMulticastAddress=239.255.0.1\n"))
    )


def test_flom_s_own_words_lie_on_top_of_each_other_and_only_replace_our_variables(write: Write) -> None:
    words = write(FLOM + "[Daemon]\nMulticastAddress=239.255.0.1\n")
    loaded = load("flom", {"unicast_address": "h"}, {"HOLDFAST_SOCKET": "/s"}, words, [])
    settings = loaded.settings
    assert (settings.socket, settings.unicast_address, settings.multicast_address) == (None, "h", None)
    loaded = load("flom", {"unicast_address": "h"}, {}, words, [])
    assert (loaded.settings.unicast_address, loaded.settings.multicast_address) == ("h", "239.255.0.1")


def test_an_endpoint_without_a_port_at_which_it_could_be_found_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"endpoint: 'tcp://h:0' has no port"):
        load("holdfast", {"endpoint": "tcp://h:0"}, {}, files=[])


def test_a_bad_variable_says_which() -> None:
    with pytest.raises(InvalidSetting, match="HOLDFAST_AUTOSTART: 'perhaps' is not an answer"):
        load("holdfast", {}, {"HOLDFAST_AUTOSTART": "perhaps"}, files=[])


def test_the_standard_files_are_at_home_whatever_xdg_says() -> None:
    environ = {"HOME": "/home/anna", "XDG_CONFIG_HOME": "/elsewhere"}
    assert standard_files("holdfast", environ) == ("/etc/holdfast.conf", "/home/anna/.config/holdfast.conf")
    assert standard_files("flom", environ) == ("/usr/local/etc/flom.conf", "/home/anna/.flom")


def test_without_a_home_in_the_environment_the_user_has_one_all_the_same() -> None:
    assert standard_files("flom", {})[1] == standard_files("flom", {"HOME": os.path.expanduser(f"~{_login()}")})[1]


def _login() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def test_the_file_at_home_is_read(tmp_path: Path, write: Write) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/holdfast.conf").write_text("[Resource]\nName=mine\n")
    assert load("holdfast", {}, {"HOME": str(tmp_path)}).settings.name == "mine"


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_file_that_is_read_unasked_may_be_missing_and_one_that_is_named_may_not(tmp_path: Path, program: str) -> None:
    missing = str(tmp_path / "missing")
    load(program, {}, {}, files=[missing])
    assert "cannot be read: No such file" in str(refused(program, missing))


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_named_file_that_is_no_file_is_refused(tmp_path: Path, program: str) -> None:
    assert "Is a directory" in str(refused(program, str(tmp_path)))


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_named_file_with_nonsense_is_refused_with_the_line(write: Write, program: str) -> None:
    error = refused(program, write(FLOM + "what is this\n"))
    assert "line 4" in str(error)
    assert (error.group, error.key) == ("", "")


def test_nonsense_that_is_read_unasked_is_skipped_by_flom_and_refused_by_us(write: Write) -> None:
    file = write("nonsense\n")
    assert load("flom", {}, {}, files=[file]).sources == {}
    with pytest.raises(InvalidSetting, match=r"a\.conf cannot be read: line 1"):
        load("holdfast", {}, {}, files=[file])


@pytest.mark.parametrize("group", ["Resource", "Daemon", "Network"])
def test_floms_files_must_have_three_groups_and_ours_need_none(write: Write, group: str) -> None:
    file = write(FLOM.replace(f"[{group}]\n", ""))
    assert (refused("flom", file).group, refused("flom", file).key) == (group, "")
    assert f"has no group [{group}]" in str(refused("flom", file))
    load("holdfast", {}, {}, file, [])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[Resource]\nLockmode=EX\n", r"no key Lockmode in \[Resource\]; did you mean LockMode\?"),
        ("[Resource]\nLifespan=1\n", r"no key Lifespan in \[Resource\]; did you mean IdleLifespan\?"),
        ("[Resources]\n", r"no group \[Resources\]; did you mean Resource\?"),
        ("[Zzz]\n", r"no group \[Zzz\]$"),
    ],
)
def test_what_is_unknown_is_an_error_in_our_files_and_a_warning_in_floms(write: Write, text: str, hint: str) -> None:
    file = write(FLOM + text)
    with pytest.raises(InvalidSetting, match=hint):
        load("holdfast", {}, {}, file, [])
    loaded = load("flom", {}, {}, file, [])
    assert [warning.startswith(f"configuration file {file}: there is no ") for warning in loaded.warnings] == [True]


@pytest.mark.parametrize(
    ("group", "line"), [("Resource", "Quantity=0"), ("Resource", "LockMode=5"), ("Daemon", "Lifespan=soon")]
)
def test_a_bad_value_says_file_group_and_key(write: Write, group: str, line: str) -> None:
    error = refused("holdfast", write(f"[{group}]\n{line}\n"))
    assert (error.group, error.key) == (group, line.partition("=")[0])
    assert f"{error.key} in [{group}]: " in str(error)


def test_every_key_of_floms_manual_is_read(write: Write) -> None:
    text = """
        [Trace]
        DaemonTraceFile=/d
        CommandTraceFile=/c
        AppendTraceFile=yes
        Verbose=yes
        [Resource]
        Name=a[3]
        Timeout=1500
        Quantity=-3
        LockMode=ProtectedRead
        Create=no
        IdleLifespan=-500
        [Daemon]
        SocketName=/s
        Lifespan=-1
        UnicastAddress=h
        UnicastPort=1
        MulticastAddress=m
        MulticastPort=2
        MountPointVFS=/v
        [Monitor]
        IgnoredSignals=SIGHUP;2;SIGNOTHING
        [Network]
        NetworkInterface=eth0
        DiscoveryAttempts=0
        DiscoveryTimeout=-250
        DiscoveryTTL=3
        TcpKeepaliveTime=4
        TcpKeepaliveIntvl=5
        TcpKeepaliveProbes=6
        [TLS]
        TlsCertificate=c.pem
        TlsPrivateKey=k.pem
        TlsCaCertificate=a.pem
        TlsCheckPeerId=YES
    """
    loaded = load("flom", {}, {}, write(text), [])
    assert loaded.warnings == ()
    assert loaded.settings == Settings(
        comm="flom",
        verbose=True,
        name="a[3]",
        mode=Mode.PR,
        quantity=3,
        timeout=1.5,
        create=False,
        idle=0.5,
        order=Order.FIRST_FIT,
        ignored_signals=(1, 2),
        socket="/s",
        lifespan=FOREVER,
        mount_point="/v",
        unicast_address="h",
        unicast_port=1,
        multicast_address="m",
        multicast_port=2,
        network_interface="eth0",
        discovery_attempts=1,
        discovery_timeout=0.25,
        discovery_ttl=3,
        tcp_keepalive_time=4,
        tcp_keepalive_intvl=5,
        tcp_keepalive_probes=6,
        tls_certificate="c.pem",
        tls_private_key="k.pem",
        tls_ca_certificate="a.pem",
        tls_check_peer_id=True,
        daemon_trace_file="/d",
        command_trace_file="/c",
        append_trace_file=True,
    )


def test_our_own_keys_are_read(write: Write) -> None:
    text = """
        [Resource]
        Order=first-fit
        Nest=no
        Reason=nightly backup
        [Command]
        OnLost=kill
        ConflictExitCode=75
        [Daemon]
        Autostart=off
        Pool=4
        CommandLines=name
        LogFile=/l
    """
    assert load("holdfast", {}, {}, write(text), []).settings == Settings(
        order=Order.FIRST_FIT,
        nest=False,
        reason="nightly backup",
        on_lost="kill",
        conflict_exit_code=75,
        autostart=False,
        pool=4,
        command_lines="name",
        log_file="/l",
    )


def test_importing_settings_costs_no_command_what_only_some_need() -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "dataclasses", "None", "errors", "messages", "values"}


def test_keys_are_named_by_files_environment_or_options(write: Write) -> None:
    key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    found = load(
        "holdfast",
        {"curve_key": "mine.key_secret"},
        {"HOLDFAST_CURVE_KEY": "/theirs", "HOLDFAST_CURVE_SERVER": key},
        files=[write("[Network]\nCurveServer=/etc/server.key\nCurveClients=/etc/admitted")],
    ).settings
    assert (found.curve_key, found.curve_server, found.curve_clients) == ("mine.key_secret", key, "/etc/admitted")


def test_a_file_names_keys_by_whole_paths(write: Write) -> None:
    assert "begins with /" in str(refused("holdfast", write("[Network]\nCurveServer=server.key")))
