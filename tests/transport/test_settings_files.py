"""Settings in files: which are read, what they may hold, and what is wrong with one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config_files import FLOM, Write, refused
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.messages import FOREVER, Mode, Order
from holdfast.transport.settings import Settings, load, standard_files


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


def test_a_file_names_keys_by_whole_paths(write: Write) -> None:
    assert "begins with /" in str(refused("holdfast", write("[Network]\nCurveServer=server.key")))
