"""``holdfast serve``: readiness, signals, sentences."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from holdfast.cli import serve as serve_module
from holdfast.cli.right import lock_directory
from holdfast.cli.serve import serve as serve_command
from holdfast.transport import addresses, endpoints
from holdfast.transport.errors import InvalidSetting
from support import LIMIT, House, wait_line, wait_until

pytestmark = pytest.mark.slow


def serve(house: House, *more: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
    serving = house.spawn("serve", *more, environ=environ)
    wait_line(serving.stderr, "HFD001I")
    return serving


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_it_is_ready(house: House, abstract: bool) -> None:
    name = f"{house.path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + name[1:] if abstract else name)
        notify.settimeout(LIMIT)
        serve(house, environ={"NOTIFY_SOCKET": "@" + name[1:] if abstract else name})
        assert notify.recv(100) == b"READY=1"


def test_a_notify_socket_that_nobody_listens_to_is_no_reason_not_to_serve(house: House) -> None:
    serving = serve(house, environ={"NOTIFY_SOCKET": f"{house.path}/nobody"})
    assert "nobody hears at NOTIFY_SOCKET" in wait_line(serving.stderr, "NOTIFY_SOCKET")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0


def test_term_ends_it_when_it_is_idle(house: House) -> None:
    serving = serve(house)
    held = house.hold("-r", "printer")
    serving.send_signal(signal.SIGTERM)
    wait_line(serving.stderr, "HFD003I")
    assert house.let_go(held) == 0
    wait_line(serving.stderr, "HFD002I")
    assert serving.wait(LIMIT) == 0


def test_a_second_term_ends_it_now(house: House) -> None:
    serving = serve(house)
    house.hold("-r", "printer")
    for event in ("HFD003I", "HFD004I"):
        serving.send_signal(signal.SIGTERM)
        wait_line(serving.stderr, event)
    assert serving.wait(LIMIT) == 0


def test_int_ends_it_now(house: House) -> None:
    serving = serve(house)
    house.hold("-r", "printer")
    serving.send_signal(signal.SIGINT)
    wait_line(serving.stderr, "HFD004I")
    assert serving.wait(LIMIT) == 0


def test_a_second_one_is_refused_with_a_sentence(house: House) -> None:
    serve(house)
    second = house.run("serve")
    assert second.returncode == 99
    assert "a daemon is running already" in second.stderr
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("run", "-r", "printer", "--", "echo", "done"),
        ("run", "--lifespan", "0", "-r", "printer", "--", "echo", "done"),
        ("batch", "-r", "printer", "-"),
    ],
)
def test_a_command_that_comes_while_it_starts_waits_for_it_and_starts_none(house: House, words: tuple[str]) -> None:
    local = house.run_dir / "local"
    local.mkdir(parents=True, mode=0o700)
    house.run_dir.chmod(0o700)
    right = lock_directory(str(local))  # so it starts as long as we like
    serving = house.spawn("serve")
    wait_until(lambda: _holds(serving.pid, local / "starting"), "a daemon that says that it starts")
    command = house.spawn(*words)
    command.stdin.write("echo done\n")
    command.stdin.close()
    wait_until(lambda: _has_open(command.pid, local / "starting"), "a command that waits for it")
    os.close(right)
    wait_line(serving.stderr, "HFD001I")
    assert command.stdout.read() == "done\n"
    assert command.wait(LIMIT) == 0
    wait_until(lambda: not _has_open(serving.pid, local / "starting"), "a daemon that does not start any more")
    assert not (local / "daemon.log").exists()


def _has_open(pid: int, path: Path) -> list[str]:
    """The numbers of the descriptors by which a process has the file open."""
    found = []
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found += [number] * (os.readlink(f"/proc/{pid}/fd/{number}") == str(path))
    return found


def _holds(pid: int, path: Path) -> bool:
    """Whether a process has locked the file."""
    return any("FLOCK" in Path(f"/proc/{pid}/fdinfo/{number}").read_text() for number in _has_open(pid, path))


def test_with_a_lifespan_it_ends_by_itself(house: House) -> None:
    serving = house.spawn("serve", "--lifespan", "0.1")
    assert serving.wait(LIMIT) == 0
    assert serving.stderr is not None
    logged = serving.stderr.read()
    assert logged.index("HFD001I") < logged.index("HFD002I")


def test_what_it_logs_goes_to_stderr_and_nothing_to_stdout(house: House) -> None:
    serving = serve(house)
    assert house.run("stop", "--now").returncode == 0
    said, logged = serving.communicate(timeout=LIMIT)
    assert said == ""
    assert "HFD004I" in logged


def test_verbose_tells_each_message_and_no_secret(house: House) -> None:
    serving = serve(house, "-v")
    assert house.run("run", "-r", "printer", "--", "true").returncode == 0
    assert "says Acquire(resource='printer'" in wait_line(serving.stderr, "says Acquire")
    assert "is told Granted(" in wait_line(serving.stderr, "is told Granted")


@pytest.mark.parametrize(
    "words",
    [
        ("--metrics", "9464"),
        ("--metrics", ":9464"),
        ("--metrics", "127.0.0.1:"),
        ("--metrics", "127.0.0.1:0"),
        ("--metrics", "127.0.0.1:65536"),
        ("--metrics", "127.0.0.1:http"),
        ("--metrics", "::1:9464"),
        ("--metrics", "[]:9464"),
        ("--metrics", "[127.0.0.1]:9464"),
        ("--metrics", "127.0.0.1:9464", "--metrics-resources", "-1"),
        ("--metrics", "127.0.0.1:9464", "--metrics-resources", "many"),
        ("--metrics-resources", "3"),
    ],
)
def test_a_place_for_metrics_that_is_none_is_refused(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(serve_command, words)
    assert isinstance(result.exception, InvalidSetting)
    assert "metrics" in str(result.exception)


@pytest.mark.parametrize(("first", "meant"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_who_can_reach_it_is_asked_of_the_address_at_which_it_will_listen(
    monkeypatch: pytest.MonkeyPatch, first: str, meant: bool
) -> None:
    found = [endpoints.resolve(endpoints.Tcp(host, 5))[0] for host in ("192.0.2.1", first)]
    monkeypatch.setattr(endpoints, "resolve", lambda tcp: found)
    monkeypatch.setattr(serve_module, "be_daemon", lambda plan, **_: 0)
    monkeypatch.setattr(addresses, "prepare", lambda place: None)
    result = CliRunner().invoke(serve_command, ["--bind", "tcp://name:5"])
    assert ("--insecure" in str(result.exception)) is meant


def test_metrics_at_a_port_that_is_taken_are_refused_before_anybody_is_served(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = house.run("serve", "--metrics", place)
    assert done.returncode == 99
    assert f"metrics cannot be served at {place}: Address already in use" in done.stderr
    assert "HFD001I" not in done.stderr
    assert not house.processes()


def test_metrics_without_the_library_are_refused_with_the_way_to_get_it(house: House) -> None:
    missing = 'raise ModuleNotFoundError("there is none", name="prometheus_client")'
    (house.path / "prometheus_client.py").write_text(missing)
    places = os.pathsep.join([str(house.path), house.environ["PYTHONPATH"]])
    done = house.run("serve", "--metrics", "127.0.0.1:1", environ={"PYTHONPATH": places})
    assert done.returncode == 99
    assert "pip install 'holdfast[metrics]'" in done.stderr
    assert not house.processes()


@pytest.mark.parametrize("group", ["239.255.0.1", "ff15::1"])
def test_a_group_makes_it_reachable_for_a_whole_network_so_it_must_be_said_that_this_is_meant(group: str) -> None:
    result = CliRunner().invoke(serve_command, ["--discover", group])
    assert isinstance(result.exception, InvalidSetting)
    assert "--insecure" in str(result.exception)


@pytest.mark.parametrize("group", ["", "printer", "192.0.2.1"])
def test_what_is_no_group_is_refused(group: str) -> None:
    result = CliRunner().invoke(serve_command, ["--insecure", "--discover", group])
    assert isinstance(result.exception, InvalidSetting)
