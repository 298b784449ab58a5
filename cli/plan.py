"""What a daemon is to be, and the words that say so on its command line.

========== ====================================================================================================
socket     path of the public socket
directory  where the lockers' sockets are; the lock on this directory is the right to be the daemon
lifespan   seconds without clients and resources until it ends; negative: never
comm       the name that ps and pgrep show: holdfast or flom
pool       started lockers to keep at hand
log        file for what it logs, appended; nothing: daemon.log in the directory
fresh      yes: the log is emptied first
ready      descriptor that is told ``ready`` or why not, and closed
verbose    yes: log at level DEBUG
mount      where the picture is shown as files; nothing: nowhere
tcp        where it listens besides its socket, as ``endpoints.Tcp`` is written; nothing: nowhere
lockerports LOW-HIGH: the ports of lockers and registry; nothing: those that the system chooses
keepalive  T,I,P: seconds of silence, seconds between probes, and probes without answer until a peer counts as gone
insecure   yes: whoever can connect may use and stop it
group      the multicast group that it answers, written likewise; nothing: none
identity   16 bytes, in hexadecimal digits, by which it is told from others that answer; nothing: random ones
========== ====================================================================================================

The rule: each word has one meaning here and one writer, ``transport/launch.py``; what is not said is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..transport.errors import InvalidSetting
from ..transport.keys import DaemonKeys

FEWEST_PORTS = 2  # one for the registry, one for a locker


@dataclass(frozen=True)
class MetricsPlan:
    """Where metrics are served, and how many resource names may become labels."""

    host: str
    port: int
    resources: int = 200


@dataclass(frozen=True)
class Plan:
    """What the daemon is to be; see the opening of this file."""

    socket: str
    directory: str
    lifespan: float
    comm: str = "holdfast"
    pool: int = 2
    log: str = ""
    fresh: bool = False
    ready: int = -1
    verbose: bool = False
    term_quiesces: bool = True
    metrics: MetricsPlan | None = None  # only ``holdfast serve`` offers it
    mount: str = ""
    tcp: str = ""
    locker_ports: tuple[int, int] | None = None
    keepalive: tuple[int, int, int] = (60, 10, 6)
    insecure: bool = False
    group: str = ""
    identity: bytes = b""
    keys: DaemonKeys | None = None  # only ``holdfast serve`` has them: they are a person's


def plan_from_words(words: Sequence[str]) -> Plan:
    """The plan in ``key=value`` words."""
    given = dict(word.split("=", 1) for word in words)
    comm = given.get("comm", "holdfast")
    time, interval, probes = map(int, given.get("keepalive", "60,10,6").split(","))
    return Plan(
        socket=given["socket"],
        directory=given["directory"],
        lifespan=float(given["lifespan"]),
        comm=comm,
        pool=int(given.get("pool", "2")),
        log=given.get("log", ""),
        fresh=given.get("fresh") == "yes",
        ready=int(given.get("ready", "-1")),
        verbose=given.get("verbose") == "yes",
        term_quiesces=comm != "flom",
        mount=given.get("mount", ""),
        tcp=given.get("tcp", ""),
        locker_ports=locker_ports(given["lockerports"]) if given.get("lockerports") else None,
        keepalive=(time, interval, probes),
        insecure=given.get("insecure") == "yes",
        group=given.get("group", ""),
        identity=bytes.fromhex(given.get("identity", "")),
    )


def locker_ports(text: str) -> tuple[int, int]:
    """The range of ports in ``LOW-HIGH``.

    Raises:
        InvalidSetting: it is none, or too small.
    """
    low, dash, high = text.partition("-")
    if not (dash and _port(low) and _port(high)):
        raise InvalidSetting(f"locker ports: {text!r} is not a range of ports, such as 28100-28199", key="locker_ports")
    if int(high) - int(low) < FEWEST_PORTS - 1:
        raise InvalidSetting(
            f"locker ports: {text!r} are too few; one is the registry's, and each resource needs one",
            key="locker_ports",
        )
    return int(low), int(high)


def _port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535
