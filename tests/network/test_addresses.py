"""The ways to write where a daemon is, between two hosts: literal, mapped, link-local with its interface, by name."""

from __future__ import annotations

import pytest

from hosts import Host
from support import wait_line

pytestmark = pytest.mark.slow


def serve(host: Host, *words: str) -> str:
    """Start a daemon in the foreground, and return the line that says that it is there."""
    daemon = host.spawn("serve", "--insecure", *words)
    return wait_line(daemon.stderr, "HFD001I")


@pytest.mark.parametrize(
    ("bind", "endpoint"),
    [
        ("tcp://{0.ipv4}:28015", "tcp://{0.ipv4}:28015"),
        ("tcp://0.0.0.0:28015", "tcp://{0.ipv4}:28015"),
        ("tcp://0.0.0.0:28015", "tcp://[::ffff:{0.ipv4}]:28015"),
        ("tcp://[::ffff:{0.ipv4}]:28015", "tcp://{0.ipv4}:28015"),
        ("tcp://[{0.ipv6}]:28015", "tcp://[{0.ipv6}]:28015"),
        ("tcp://[::]:28015", "tcp://[{0.ipv6}]:28015"),
        ("tcp://[::]:28015", "tcp://[{0.link_local}%eth0]:28015"),
        ("tcp://[{0.link_local}%eth0]:28015", "tcp://[{0.link_local}%eth0]:28015"),
    ],
)
def test_a_daemon_is_reached_at_its_address(mojan: Host, presanella: Host, bind: str, endpoint: str) -> None:
    serve(mojan, "--bind", bind.format(mojan))
    where = ("--endpoint", endpoint.format(mojan))
    holder = presanella.hold("-r", "printer", *where)
    busy = mojan.run("run", "-n", "-r", "printer", *where, "--", "true")
    assert busy.returncode == 98
    assert "presanella" in busy.stderr
    assert presanella.let_go(holder) == 0


def test_floms_n_names_the_interface_of_a_link_local_address(mojan: Host, presanella: Host) -> None:
    where = ("-a", mojan.link_local, "-n", "eth0")
    assert mojan.flom(*where, "-d", "-1", "--", "true").returncode == 0
    done = presanella.flom(*where, "-d", "0", "--", "echo", "mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")


def test_a_host_is_reached_by_its_name(mojan: Host, presanella: Host) -> None:
    serve(mojan, "--bind", f"tcp://{mojan.ipv4}:28015")
    names = presanella.path / "hosts"
    names.write_text(f"{mojan.ipv6} mojan\n{mojan.ipv4} mojan\n")  # nobody listens at the first one
    known = f'mount --bind {names} /etc/hosts; exec "$@"'
    told = presanella.words("run", "-r", "printer", "--endpoint", "tcp://mojan:28015", "--", "echo", "mine")
    done = presanella.command("unshare", "--mount", "sh", "-ec", known, "sh", *told)
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")


def test_the_variable_names_the_daemon_too(mojan: Host, presanella: Host) -> None:
    serve(mojan, "--bind", f"tcp://{mojan.ipv4}:28015")
    named = {"HOLDFAST_ENDPOINT": f"tcp://{mojan.ipv4}:28015"}
    holder = presanella.hold("-r", "printer", environ=named)
    assert "presanella" in mojan.run("status", environ=named).stdout
    assert presanella.let_go(holder) == 0


def test_where_nobody_is_that_is_said(presanella: Host, mojan: Host) -> None:
    done = presanella.run("run", "-r", "printer", "--endpoint", f"tcp://{mojan.ipv4}:28015", "--", "true")
    assert done.returncode == 99
    assert f"{mojan.ipv4}:28015" in done.stderr


def test_forwarded_ports_lead_to_daemon_and_lockers(mojan: Host, presanella: Host) -> None:
    serve(mojan, "--bind", "tcp://127.0.0.1:28015", "--locker-ports", "28016-28019")
    gate = mojan.python(FORWARDER, mojan.ipv4, "127.0.0.1", *map(str, range(28015, 28020)))
    wait_line(gate.stdout, "forwarding")
    near = presanella.python(FORWARDER, "127.0.0.1", mojan.ipv4, *map(str, range(28015, 28020)))
    wait_line(near.stdout, "forwarding")
    where = ("--endpoint", "tcp://127.0.0.1:28015")
    holder = presanella.hold("-r", "printer", *where)
    assert mojan.run("run", "-n", "-r", "printer", *where, "--", "true").returncode == 98
    assert presanella.let_go(holder) == 0


FORWARDER = """
import socket, sys, threading
def pump(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)
def serve(listener, port):
    while True:
        near = listener.accept()[0]
        far = socket.create_connection((sys.argv[2], port))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
threads = []
for port in map(int, sys.argv[3:]):
    listener = socket.create_server((sys.argv[1], port))
    threads.append(threading.Thread(target=serve, args=(listener, port)))
    threads[-1].start()
print("forwarding", flush=True)
"""
