"""The metrics' process: who follows, who is served, and what becomes of both when something ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from holdfast.actors.metrics import Metrics, View
from holdfast.actors.metrics_process import READERS, Server, Watcher, listen, obey
from holdfast.transport.errors import InvalidSetting, Unreachable
from holdfast.transport.messages import End, Ended, Quiesce, Report, Reported
from holdfast.transport.picture import Picture
from holdfast.transport.pipe import Pipe, pipe_pair
from scenes import changes, resource
from support import LIMIT, House, wait_dead, wait_line, wait_until

ACCEPT = {"Accept": "application/openmetrics-text; version=1.0.0"}


# --- who follows ------------------------------------------------------------------------------------------------------


class Scripted:
    """A follower that tells one picture, and then that the daemon has ended."""

    def __init__(self, *, turns: int) -> None:
        self.picture = Picture()
        self.closed = False
        self.late = 0.0
        self._turns = turns
        self._ends = os.pipe()
        os.write(self._ends[1], b"!")  # always readable

    def update(self, timeout: float | None) -> bool:
        if self._turns == 0:
            raise Unreachable("the daemon has ended")
        self._turns -= 1
        self.picture.apply(changes(resource("printer")), 1.0)
        return True

    def overdue(self, now: float) -> float:
        return self.late

    def fileno(self) -> int:
        return self._ends[0]

    def close(self) -> None:
        self.closed = True
        for end in self._ends:
            os.close(end)


def test_while_it_is_followed_the_picture_can_be_looked_at() -> None:
    follower = Scripted(turns=2)
    seen: list[View | None] = []
    watcher = Watcher(lambda: follower, lambda seconds: None)
    assert watcher.view() is None
    watcher.follow(lambda: seen.append(watcher.view()))
    (view,) = seen
    assert view is not None
    assert [one.resource.name for one in view.scene.resources] == ["printer"]


@pytest.mark.parametrize(("late", "age"), [(0.0, 0.25), (0.2, 0.25), (4.5, 4.5)])
def test_a_picture_is_as_old_as_its_last_news_were_or_as_the_next_are_overdue(late: float, age: float) -> None:
    follower = Scripted(turns=2)
    follower.late = late
    seen: list[View | None] = []
    watcher = Watcher(lambda: follower, lambda seconds: None)

    def look() -> None:
        follower.picture.age = 0.25
        seen.append(watcher.view())

    watcher.follow(look)
    assert [view.age for view in seen if view is not None] == [age]


def test_when_it_is_lost_nothing_is_shown_and_the_next_try_waits() -> None:
    follower = Scripted(turns=2)
    seen: list[View | None] = []
    watcher = Watcher(lambda: follower, lambda seconds: seen.append(watcher.view()))
    watcher.follow(lambda: None)
    assert [view is None for view in seen] == [False, True]
    assert follower.closed


def test_without_a_registry_the_next_try_waits_too() -> None:
    def nobody() -> Scripted:
        raise Unreachable("no registry")

    pauses: list[float] = []
    Watcher(nobody, pauses.append).follow(lambda: None)
    assert len(pauses) == 1


# --- who is served ----------------------------------------------------------------------------------------------------


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """A server that serves, and its address for a client."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    host, port = server.socket.getsockname()[:2]
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
    finally:
        server.shutdown()
        thread.join(LIMIT)
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_it_listens_where_it_is_told(host: str) -> None:
    try:
        listening = listen(host, 0)
    except InvalidSetting:
        pytest.skip(f"{host} is not known here")
    with serving(Server(listening, lambda environ, start: (start("200 OK", []), [b"yes"])[1])) as url:
        assert urllib.request.urlopen(url, timeout=LIMIT).read() == b"yes"


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1:{}"), ("::1", "[::1]:{}")])
def test_a_port_that_is_taken_is_told_in_a_sentence(host: str, shown: str) -> None:
    try:
        taken = listen(host, 0)
    except InvalidSetting:
        pytest.skip(f"{host} is not known here")
    with closing(taken):
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting) as told:
            listen(host, port)
    assert str(told.value) == f"metrics cannot be served at {shown.format(port)}: Address already in use"


def test_an_address_that_does_not_exist_is_told_in_a_sentence() -> None:
    with pytest.raises(InvalidSetting, match=r"metrics cannot be served at nowhere\.invalid:1: "):
        listen("nowhere.invalid", 1)


def test_one_reader_who_says_nothing_keeps_nobody_waiting() -> None:
    listening = listen("127.0.0.1", 0)
    silent = [socket.create_connection(listening.getsockname()) for _ in range(READERS - 1)]
    with serving(Server(listening, lambda environ, start: (start("200 OK", []), [b"yes"])[1])) as url:
        assert urllib.request.urlopen(url, timeout=LIMIT).read() == b"yes"
        for one in silent:
            one.close()


# --- what the parent says ---------------------------------------------------------------------------------------------


@contextmanager
def obeying() -> Iterator[tuple[Pipe, threading.Thread]]:
    parent, end = pipe_pair()
    metrics = Metrics(lambda: None, bound=1, version="1")
    child = Pipe(end)
    thread = threading.Thread(target=obey, args=(child, metrics))
    thread.start()
    try:
        yield parent, thread
    finally:
        parent.close()
        thread.join(LIMIT)
        child.close()


def test_it_reports_and_ends_when_it_is_told_to() -> None:
    with obeying() as (parent, thread):
        for message in (Quiesce(), Report()):
            parent.send(message)
        reported = wait_until(parent.receive)
        assert reported == Reported('{"reads": 0, "labels": 0}')
        parent.send(End())
        assert isinstance(wait_until(parent.receive), Ended)
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_it_ends_with_its_parent() -> None:
    with obeying() as (parent, thread):
        parent.close()
        thread.join(LIMIT)
        assert not thread.is_alive()


# --- all of it --------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


def read(port: int) -> dict[tuple[str, str, str], float]:
    """What is served: (name, resource or role or outcome, mode) and its value; nothing if it is not served now."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=ACCEPT)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 503:
            return {}
        raise
    found = {}
    for family in parse(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            mode = labels.pop("mode", "")
            if "le" not in labels:
                found[sample.name, "".join(labels.values()), mode] = sample.value
    return found


def serve(house: House, *more: str) -> tuple[Popen[str], int]:
    port = free_port()
    process = house.spawn("serve", "--metrics", f"127.0.0.1:{port}", *more)
    wait_line(process.stderr, "HFD001I")
    return process, port


def metrics_pid(house: House) -> int:
    """The process that serves metrics; 0: none."""
    for pid in house.processes():
        try:
            if Path(f"/proc/{pid}/comm").read_text() == "holdfast-metric\n":
                return pid
        except OSError:
            continue
    return 0


HELD, WAITING = ("holdfast_held", "printer", "EX"), ("holdfast_waiting", "printer", "EX")
GRANTED = ("holdfast_ended_total", "granted", "EX")


@pytest.mark.slow
def test_metrics_tell_who_holds_and_waits_and_what_was_counted(house: House) -> None:
    serving, port = serve(house)
    held = house.hold("-r", "printer")
    waiting = house.spawn("run", "-r", "printer", "--", "true")
    told = wait_until(lambda: (now := read(port)).get(WAITING) == 1 and now, "one who waits")
    assert isinstance(told, dict)
    assert told[HELD] == 1
    assert told["holdfast_actors", "registry", ""] == told["holdfast_actors", "metrics", ""] == 1
    house.let_go(held)
    assert waiting.wait(LIMIT) == 0
    wait_until(lambda: read(port).get(GRANTED) == 2 and read(port)[HELD] == 0, "two that were granted")
    assert house.run("stop", "--now").returncode == 0
    assert serving.wait(LIMIT) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.slow
def test_metrics_that_are_killed_come_back_at_the_same_place(house: House) -> None:
    _, port = serve(house, "--metrics-resources", "0")
    house.hold("-r", "printer")
    pid = wait_until(lambda: metrics_pid(house), "metrics")
    os.kill(pid, signal.SIGKILL)
    wait_dead(pid)
    restarts = ("holdfast_restarts_total", "metrics", "")
    held = ("holdfast_held", "(others)", "EX")
    wait_until(lambda: (now := read(port)).get(restarts) == now.get(held) == 1, "metrics again, with all of it")
    assert metrics_pid(house) != pid


@pytest.mark.slow
def test_metrics_end_with_a_daemon_that_is_killed(house: House) -> None:
    serving, _ = serve(house)
    pid = wait_until(lambda: metrics_pid(house), "metrics")
    serving.kill()
    wait_dead(pid)
