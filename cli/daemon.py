"""The daemon, put together: which actors, in which order. The only place that knows both actors and their settings.

Run as ``python -P -m holdfast.cli.daemon key=value …`` (the words are those of ``plan.py``) by whoever needs a daemon
(``transport/discover.py``), or called by ``holdfast serve``.

Started so, it forks once and the first process ends, so that it is nobody's child; it leads a session of its own, so
a ^C in the user's terminal never reaches it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from .. import __version__
from ..actors import log
from ..actors.children import Children
from ..actors.dump_files import UNFINISHED, DumpFiles
from ..actors.incubator import Incubator
from ..actors.locker_process import main as locker_main
from ..actors.nursery import ChildSpec, Inherited, name_process
from ..actors.process import Process
from ..actors.registry_process import main as registry_main
from ..actors.staff import LOCKER, REGISTRY
from ..transport.addresses import prepare_directory
from ..transport.errors import HoldfastError, InvalidSetting, Unreachable
from ..transport.peers import Keepalive
from ..transport.ports import TcpListener, TcpPlace
from ..transport.settings import Settings
from ..transport.sockets import Router, raise_descriptor_limit
from .plan import MetricsPlan, Plan, plan_from_words
from .right import lock_when_ended, say_starting

LEFT = 2.0  # seconds for the port of a daemon that was killed to become free, if none of its locks is held
LEAST = 128  # open files without which a daemon could not serve anybody
WILDCARDS = ("0.0.0.0", "::")  # all addresses of this host: IPv4, IPv6
LOG_LIMIT = 1 << 20  # bytes; a longer log is set aside (one old one is kept) when a daemon starts


def clear_leftovers(directory: str) -> None:
    """Remove what a killed daemon's processes left; we have the directory's lock, so none of them lives."""
    for name in os.listdir(directory):
        if name.startswith(("locker-", "registry-", "picture-", "left-behind-")) or name.endswith(UNFINISHED):
            os.unlink(os.path.join(directory, name))


def staff_of(plan: Plan, tcp: TcpPlace | None = None) -> list[ChildSpec]:
    """Whom the daemon keeps at work besides its lockers, in the order of their start.

    Args:
        tcp: where those listen who listen on TCP too.

    Raises:
        HoldfastError: one of them cannot work here, and why.
    """
    registry = ChildSpec(REGISTRY, registry_main, (plan.socket, plan.directory, plan.verbose, tcp))
    metrics = [] if plan.metrics is None else [_metrics(plan, plan.metrics)]
    discovery = [_discovery(plan)] if plan.group else []
    return [registry, *discovery, *metrics, *([_files(plan)] if plan.mount else [])]


def _discovery(plan: Plan) -> ChildSpec:
    """Who answers those that look for the daemon of a group. What is asked before it is ready waits in the socket."""
    from ..actors.answerer import Being
    from ..actors.answerer_process import DISCOVERY
    from ..actors.answerer_process import main as discovery_main
    from ..transport.endpoints import parse
    from ..transport.multicast import Membership, listen

    group, tcp = parse(plan.group), parse(plan.tcp)
    listening = listen(group)
    Membership(listening, group).renew()
    address = "" if tcp.host in WILDCARDS else tcp.host
    key = plan.keys.own.public.decode() if plan.keys is not None else ""
    being = Being(plan.identity or os.urandom(16), time.monotonic(), tcp.port, address, key)
    return ChildSpec(
        DISCOVERY, discovery_main, (Inherited(listening.detach()), group, being, plan.directory, plan.verbose)
    )


def _metrics(plan: Plan, metrics: MetricsPlan) -> ChildSpec:
    try:
        from ..actors.metrics_process import listen  # with what only those need who asked for it
        from ..actors.metrics_process import main as metrics_main
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        sentence = "metrics need the library prometheus_client: pip install 'holdfast[metrics]'"
        raise InvalidSetting(sentence, key="metrics") from error
    listening = listen(metrics.host, metrics.port).detach()  # ours as long as we live, whatever becomes of who serves
    arguments = (Inherited(listening), _settings(plan), metrics.resources, __version__, plan.verbose)
    return ChildSpec("metrics", metrics_main, arguments)


def _files(plan: Plan) -> ChildSpec:
    from ..vfs.files_process import main as files_main

    kind = "flom" if plan.comm == "flom" else "holdfast"
    arguments = (_settings(plan), plan.mount, kind, log.configure, log.event, plan.verbose)
    return ChildSpec("files", files_main, arguments)


def _settings(plan: Plan) -> Settings:
    """By which our own children find us."""
    if plan.directory == f"{plan.socket}.d":
        return Settings(socket=plan.socket)
    return Settings(run_dir=os.path.dirname(plan.directory))


def _listen(plan: Plan) -> TcpListener | None:
    """Listen on TCP, if that is planned; where only a group says so, at all addresses of its family."""
    if not plan.tcp and not plan.group:
        return None
    from ..transport.endpoints import Tcp, address_to_bind, parse

    tcp = parse(plan.tcp) if plan.tcp else Tcp(WILDCARDS[":" in parse(plan.group).host], 0)
    listens = address_to_bind(tcp)
    if listens is None:
        raise Unreachable(f"cannot listen at {tcp.where}: that is no address of this host")
    place = TcpPlace(*listens, keepalive=Keepalive(*plan.keepalive), keys=plan.keys)
    return TcpListener(place, patience=LEFT)


def _preload(plan: Plan) -> list[str]:
    """What the nursery imports before it takes orders."""
    files = ["holdfast.vfs.files_process"] if plan.mount else []
    discovery = ["holdfast.actors.answerer_process"] if plan.group else []
    return [*files, *discovery, "holdfast.actors.preload"]


def serve(plan: Plan, *, ready: Callable[[str], None], check: Callable[[], None] = lambda: None) -> int:
    """Be the daemon until it ends.

    Args:
        check: called once nobody else can be the daemon of this directory; raises what else forbids to be one.
        ready: called once clients are let in, with the address on TCP ("" without).

    Returns:
        The exit code.

    Raises:
        HoldfastError: it cannot start, and why.
    """
    _open_closed_streams()
    log.configure("daemon", verbose=plan.verbose)
    prepare_directory(plan.directory)
    limit = raise_descriptor_limit()
    if limit < LEAST:
        raise Unreachable(f"a daemon needs {LEAST} open files, and here only {limit} are allowed (ulimit -n)")
    starting = say_starting(plan.directory)
    rights = lock_when_ended(plan.directory, plan.socket)
    check()
    clear_leftovers(plan.directory)
    listener = _listen(plan)
    beside = None if listener is None else listener.place.elsewhere(plan.locker_ports)
    endpoint = "" if listener is None else f"tcp://{listener}"
    held = tuple(map(Inherited, rights))
    port = None if listener is None else listener.share()
    kept = None if port is None else Inherited(port)
    locker = ChildSpec(LOCKER, locker_main, (held, plan.directory, plan.verbose, beside, kept))
    staff = staff_of(replace(plan, tcp=endpoint), beside)
    gc.collect()
    gc.freeze()  # what all processes of ours share is not written to, and so copied, by a collection
    children = Children([locker, *staff], preload=_preload(plan))
    incubator = Incubator(
        lambda: time.time_ns() // 1000,
        lifespan=plan.lifespan,
        pool_size=plan.pool,
        pid=os.getpid(),
        uid=os.geteuid(),
        term_quiesces=plan.term_quiesces,
        roles=[spec.role for spec in staff],
        files=DumpFiles(plan.directory, time.time),
        insecure=plan.insecure,
        locker_ports=plan.locker_ports if endpoint else None,
    )
    router = Router(plan.socket, limit=limit, tcp=listener)
    process = Process(incubator, router, children=children, signals=_listen_to_signals())
    process.carry_out(incubator.open(time.monotonic()))
    log.event("HFD001I", socket=plan.socket)
    if endpoint:
        log.event("HFD006I", endpoint=endpoint)
        if plan.insecure:
            log.event("HFD007W", endpoint=endpoint)
    os.close(starting)
    ready(endpoint)
    code = process.run()
    if port is not None:
        os.close(port)
    children.close()
    if os.path.isdir(plan.directory):
        clear_leftovers(plan.directory)
    if plan.mount:
        _clear_mount(plan.mount)
    return code


def _open_closed_streams() -> None:
    """So that nothing else of ours gets the number of a standard stream, which children keep and libraries write to."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _clear_mount(path: str) -> None:
    """Take away what a process left that showed the files and had to be killed."""
    from ..transport import mountpoint

    try:
        mountpoint.clear(mountpoint.place(path))
    except HoldfastError as error:
        log.event("HFD051W", path=path, why=error)


def _listen_to_signals() -> int:
    """Let signals come as bytes from a descriptor, whatever whoever started us had blocked."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    log.stacks_on_signal(chain=True)
    signal.set_wakeup_fd(writing.detach())
    return reading.detach()


def _detach(plan: Plan) -> None:
    """Become nobody's child and the leader of a session of our own, without terminal; what we log goes to a file."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nothing, standard)
    os.close(nothing)
    name_process(plan.comm)
    path = plan.log or os.path.join(plan.directory, "daemon.log")
    prepare_directory(plan.directory)
    if os.path.exists(path) and os.path.getsize(path) > LOG_LIMIT:
        os.replace(path, path + ".1")
    emptied = os.O_TRUNC if plan.fresh else 0
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | emptied, 0o600)
    except OSError as error:
        raise Unreachable(f"the daemon cannot write its log {path}: {error.strerror}") from error
    os.dup2(descriptor, 2)
    os.close(descriptor)


def main(words: Sequence[str]) -> int:
    """Run as a process of its own, as ``words`` say."""
    plan = plan_from_words(words)
    descriptor = os.dup(plan.ready) if plan.ready >= 0 else os.open(os.devnull, os.O_WRONLY)
    if plan.ready > 2:
        os.close(plan.ready)
    starter = os.fdopen(descriptor, "w", errors="surrogateescape")

    def answer(sentence: str) -> None:
        with suppress(BrokenPipeError), starter:  # whoever started us is gone; others will come
            starter.write(f"{sentence}\n")

    try:
        _detach(plan)
        return serve(plan, ready=lambda endpoint: answer("ready"))
    except (HoldfastError, OSError) as error:
        if starter.closed:
            raise
        answer(str(error))
        return 99


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
