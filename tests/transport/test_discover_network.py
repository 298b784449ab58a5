"""A daemon on the network is found at one of its addresses or by its group, and started only where it can be."""

from __future__ import annotations

import errno
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from math import inf
from typing import NoReturn

import pytest

from anybody import GREETING, LIMIT, Daemon, nobody
from holdfast.transport import discover, endpoints, launch, multicast, question, zmtp
from holdfast.transport.addresses import Address
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import RemoteProtocolError, Unreachable
from holdfast.transport.found import Found
from holdfast.transport.peers import Keepalive, Peer
from holdfast.transport.settings import Settings
from holdfast.transport.target import Target

GROUP = Tcp("239.255.0.1", 28015)
Resolved = list[tuple[int, tuple[object, ...]]]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.end()


@pytest.fixture
def run_dir() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hf-") as path:
        yield path


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets every name be these addresses."""

    def resolves(*tcps: Tcp) -> None:
        found: Resolved = [(socket.AF_INET, (tcp.host, tcp.port)) for tcp in tcps]
        monkeypatch.setattr(endpoints, "resolve", lambda tcp: found)

    return resolves


def test_a_daemon_is_found_at_its_endpoint_and_its_lockers_beside_it(daemon: Daemon) -> None:
    wire = discover.find(Settings(endpoint=daemon.tcp, tcp_keepalive_time=7))
    assert wire is not None
    assert wire.path == str(daemon.tcp)
    assert wire.beside("5") == Peer(socket.AF_INET, ("127.0.0.1", 5), Keepalive(7, 10, 6))
    with pytest.raises(RemoteProtocolError):
        wire.beside("locker-1.sock")
    wire.close()


def test_where_all_addresses_refuse_there_is_none(resolves: Callable[..., None]) -> None:
    resolves(nobody(), nobody())
    assert discover.find(Settings(endpoint=Tcp("name", 5))) is None


def test_the_first_address_that_lets_us_in_is_taken(resolves: Callable[..., None], daemon: Daemon) -> None:
    resolves(nobody(), daemon.tcp)
    wire = discover.find(Settings(endpoint=Tcp("name", 5)))
    assert wire is not None
    wire.close()


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_family_that_this_host_does_not_use_counts_as_refused_beside_one_that_it_does(
    resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    answers: list[OSError] = [OSError(number, "no such family"), ConnectionRefusedError()]
    _connects(monkeypatch, answers)
    resolves(nobody(), nobody())
    assert discover.find(Settings(endpoint=Tcp("name", 5))) is None


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([OSError(errno.EHOSTUNREACH, "No route to host"), ConnectionRefusedError()], "tcp://name:5: No route to host"),
        ([OSError(errno.ENETUNREACH, "Network is unreachable")] * 2, "tcp://name:5: Network is unreachable"),
        ([OSError(errno.ENETUNREACH, "no way"), Unreachable("has not answered")], "has not answered"),
    ],
)
def test_an_address_that_says_nothing_may_have_a_daemon(
    resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch, answers: list[OSError], told: str
) -> None:
    _connects(monkeypatch, list(answers))
    resolves(nobody(), nobody())
    with pytest.raises(Unreachable, match=told):
        discover.connect(Settings(endpoint=Tcp("name", 5)), {})


def _connects(monkeypatch: pytest.MonkeyPatch, answers: list[OSError]) -> None:
    def connect(self: Peer, connection: object, patience: float) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(Peer, "connect", connect)


def test_what_is_no_daemon_is_told_and_nothing_is_started() -> None:
    web = Daemon(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(64))
    try:
        with pytest.raises(Unreachable, match=rf"{web.tcp} is not a Holdfast socket"):
            discover.connect(Settings(endpoint=web.tcp), {})
    finally:
        web.end()


def test_who_may_not_start_one_is_told_how_it_is_done() -> None:
    tcp = nobody()
    with pytest.raises(Unreachable, match=rf"no daemon is running at {tcp}, .*serve --bind {tcp}"):
        discover.connect(Settings(endpoint=tcp, lifespan=0), {})


def test_none_is_started_for_an_address_of_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    tcp = nobody()
    monkeypatch.setattr(endpoints, "is_ours", lambda family, sockaddr: False)
    with pytest.raises(Unreachable, match=rf"no address of this host.*start one there with: .*--bind {tcp}"):
        discover.connect(Settings(endpoint=tcp), {})


@pytest.mark.parametrize("settings", [Settings(endpoint=Tcp("192.0.2.1", 5)), Settings(group=GROUP)])
def test_none_that_is_open_to_the_network_is_started_without_being_asked_for(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(discover, "_find", lambda *_: None)
    monkeypatch.setattr(endpoints, "is_ours", lambda family, sockaddr: True)
    with pytest.raises(Unreachable, match=r"open to the network .* holdfast serve --(bind|discover)"):
        discover.connect(settings, {})


def test_whether_one_is_open_to_the_network_is_asked_of_the_address_at_which_it_would_listen(
    run_dir: str, resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover, "_find", lambda *_: None)
    starts = Starts(monkeypatch, "not today")
    resolves(Tcp("192.0.2.1", 5), Tcp("127.0.0.1", 5), Tcp("0.0.0.0", 5))
    with pytest.raises(Unreachable, match="not today"):
        discover.connect(Settings(run_dir=run_dir, endpoint=Tcp("name", 5)), {})
    resolves(Tcp("0.0.0.0", 5), Tcp("127.0.0.1", 5))
    with pytest.raises(Unreachable, match="open to the network"):
        discover.connect(Settings(run_dir=run_dir, endpoint=Tcp("name", 5)), {})
    assert len(starts.commands) == 1


class Starts:
    """In place of a daemon that is started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, says: str, then: Callable[[], object] = lambda: None) -> None:
        self.commands: list[list[str]] = []
        self._says = says
        self._then = then
        monkeypatch.setattr(launch, "launch", self.launch)

    def launch(self, command: Callable[[int], list[str]], environ: object, prefix: object = ()) -> str:
        self.commands.append(command(9))
        self._then()
        return self._says


def test_a_daemon_is_started_at_an_address_of_ours_and_looked_for_there(
    run_dir: str, resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    resolves(nobody())
    starts = Starts(monkeypatch, "ready", lambda: resolves(daemon.tcp))
    discover.connect(Settings(run_dir=run_dir, endpoint=Tcp("name", 5)), {}).close()
    (command,) = starts.commands
    assert {"tcp=tcp://name:5", f"socket={run_dir}/tcp-name-5.sock"} <= set(command)


def test_who_lost_the_port_to_somebody_else_uses_his_daemon(
    run_dir: str, resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch, daemon: Daemon
) -> None:
    resolves(nobody())
    Starts(monkeypatch, "the address is in use", lambda: resolves(daemon.tcp))
    discover.connect(Settings(run_dir=run_dir, endpoint=Tcp("name", 5)), {}).close()


def test_a_daemon_that_could_not_listen_says_why(
    run_dir: str, resolves: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(nobody())
    Starts(monkeypatch, "cannot listen there")
    with pytest.raises(Unreachable, match="cannot listen there"):
        discover.connect(Settings(run_dir=run_dir, endpoint=Tcp("name", 5)), {})


# --- by a group -------------------------------------------------------------------------------------------------------


class Group:
    """Whoever answers to the group, in place of the network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Found] = []
        self.asked: list[dict[str, object]] = []
        monkeypatch.setattr(multicast, "seek", self.seek)

    def seek(self, group: Tcp, **how: object) -> list[Found]:
        assert group == GROUP
        self.asked.append(how)
        return self.answers

    def answer(self, tcp: Tcp, name: bytes = b"a") -> None:
        self.answers.append(Found(name * 16, 10.0, tcp.host, tcp.port, "", 0.001, 5.0))

    def answer_as_started(self, tcp: Tcp, starts: Starts) -> None:
        """The daemon that was started answers."""
        (identity,) = [word.partition("=")[2] for word in starts.commands[0] if word.startswith("identity=")]
        self.answers.append(Found(bytes.fromhex(identity), 1.0, tcp.host, tcp.port, "", 0.001, 5.0))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(monkeypatch)


def test_the_daemon_that_answers_is_the_one(group: Group, daemon: Daemon) -> None:
    group.answer(daemon.tcp)
    settings = Settings(group=GROUP, discovery_attempts=3, discovery_timeout=0.1, discovery_ttl=4)
    wire = discover.connect(settings, {}, 0.5)
    assert wire.path == str(daemon.tcp)
    assert group.asked == [{"attempts": 3, "timeout": 0.1, "ttl": 4}]
    wire.close()


def test_of_two_the_first_named_is_taken_and_it_is_said(
    group: Group, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    group.answer(daemon.tcp)
    group.answer(nobody(), b"b")
    discover.connect(Settings(group=GROUP), {}).close()
    told = capsys.readouterr().err
    assert "split brain" in told
    assert f"the oldest is taken, {daemon.tcp}" in told


def test_who_waited_goes_back_to_where_that_was_and_asks_no_group(group: Group, daemon: Daemon) -> None:
    met = Peer(socket.AF_INET, daemon.address, Keepalive())
    discover.connect(Settings(group=GROUP), {}, inf, met).close()
    assert group.asked == []


@pytest.mark.parametrize(("patience", "waited"), [(inf, 4.0), (3.0, 3.0)])
def test_who_waited_waits_for_it_no_longer_than_it_took_to_give_it_up(
    monkeypatch: pytest.MonkeyPatch, patience: float, waited: float
) -> None:
    heard: list[float] = []

    def silent(place: Peer, patience: float) -> NoReturn:
        heard.append(patience)
        raise Unreachable("has not answered")

    monkeypatch.setattr(discover, "enter", silent)
    met = Peer(socket.AF_INET, ("192.0.2.1", 5), Keepalive(2, 1, 2))
    with pytest.raises(Unreachable, match="has not answered"):
        discover.connect(Settings(endpoint=Tcp("192.0.2.1", 5)), {}, patience, met)
    assert heard == [waited]


def test_when_that_daemon_is_gone_the_group_is_asked_again(group: Group, daemon: Daemon) -> None:
    group.answer(daemon.tcp)
    gone = nobody()
    wire = discover.connect(Settings(group=GROUP), {}, inf, Peer(socket.AF_INET, (gone.host, gone.port), Keepalive()))
    assert wire.path == str(daemon.tcp)
    wire.close()


def test_when_nothing_is_known_of_it_no_other_daemon_takes_its_place(
    group: Group, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.answer(daemon.tcp)

    def cut_off(*_: object) -> NoReturn:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(discover, "enter", cut_off)
    with pytest.raises(Unreachable, match="where we waited, cannot be reached: No route to host"):
        discover.connect(Settings(group=GROUP), {}, inf, Peer(socket.AF_INET, daemon.address, Keepalive()))
    assert group.asked == []


def test_who_answers_and_lets_nobody_in_is_just_ending(group: Group) -> None:
    group.answer(nobody())
    with pytest.raises(zmtp.Closed, match="lets nobody in"):
        discover.connect(Settings(group=GROUP), {})


def test_where_nobody_answers_and_none_may_be_started_it_is_said(group: Group) -> None:
    with pytest.raises(Unreachable, match=r"no daemon answers to the group 239.255.0.1:28015, .*serve --discover"):
        discover.connect(Settings(group=GROUP, lifespan=0), {})


def test_one_that_is_started_is_looked_for_by_its_group_and_not_before(
    run_dir: str, group: Group, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ends(monkeypatch)
    starts = Starts(monkeypatch, "ready", lambda: group.answer_as_started(daemon.tcp, starts))
    discover.connect(Settings(comm="flom", run_dir=run_dir, group=GROUP), {}).close()
    assert len(starts.commands) == 1
    assert ended == []
    assert {"group=239.255.0.1:28015", "insecure=yes"} <= set(starts.commands[0])
    assert len(group.asked) == 2


def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sockets of daemons that are told to end."""
    ended: list[str] = []

    def end(wire: zmtp.Wire, environ: object, *, now: bool) -> bool:
        assert not now
        ended.append(wire.path)
        return True

    monkeypatch.setattr(question, "ask_to_stop", end)
    return ended


def test_when_an_elder_one_answers_it_is_taken_and_the_one_that_was_started_ends(
    run_dir: str,
    group: Group,
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = ends(monkeypatch)
    path = f"{run_dir}/group-239.255.0.1-28015.sock"
    here = socket.socket(socket.AF_UNIX)
    greeter = threading.Thread(target=lambda: here.accept()[0].sendall(GREETING))

    def start() -> None:
        here.bind(path)
        here.listen()
        greeter.start()
        group.answer(daemon.tcp)
        group.answer_as_started(nobody(), starts)

    starts = Starts(monkeypatch, "ready", start)
    wire = discover.connect(Settings(comm="flom", run_dir=run_dir, group=GROUP), {})
    greeter.join(LIMIT)
    here.close()
    assert wire.path == str(daemon.tcp)
    assert ended == [path]
    told = capsys.readouterr().err
    assert f"at {daemon.tcp.where}, is taken" in told
    assert "split brain" not in told
    wire.close()


def test_one_that_has_ended_already_is_not_told_to(
    run_dir: str, group: Group, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ends(monkeypatch)
    Starts(monkeypatch, "ready", lambda: group.answer(daemon.tcp))
    discover.connect(Settings(comm="flom", run_dir=run_dir, group=GROUP), {}).close()
    assert ended == []


def test_one_that_somebody_has_started_here_meanwhile_is_asked_for_again(group: Group, daemon: Daemon) -> None:
    with tempfile.TemporaryDirectory(prefix="hf-") as path, socket.socket(socket.AF_UNIX) as here:
        here.bind(f"{path}/s")
        here.listen()
        group.answer(daemon.tcp)
        meant = Target(Address(f"{path}/s", f"{path}/d", ""), None, GROUP)
        greeter = threading.Thread(target=lambda: here.accept()[0].sendall(GREETING))
        greeter.start()
        wire = discover._find_started(meant, Settings(group=GROUP), inf)
        greeter.join(LIMIT)
        assert wire is not None
        assert wire.path == str(daemon.tcp)
        wire.close()
