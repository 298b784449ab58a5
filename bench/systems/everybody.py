"""The only list of all systems, by the names that tables show."""

from __future__ import annotations

from .files import FileLock, Flock, Kernel, Sem
from .ours import Holdfast, HoldfastCommand, HoldfastTcp, Ping, Python
from .servers import Etcd, Etcdctl, Redis, ZooKeeper
from .system import Command, System

LIBRARIES: dict[str, System] = {
    system.name: system
    for system in (
        Holdfast(),
        Holdfast("holdfast, waited for", wait=True),
        HoldfastTcp("holdfast, TCP", curve=False),
        HoldfastTcp("holdfast, CURVE", curve=True),
        Redis(),
        ZooKeeper(),
        Etcd(),
        Kernel("fcntl", whole_file=False),
        Kernel("flock", whole_file=True),
        FileLock(),
        Ping(),
    )
}
COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Python(),
        HoldfastCommand("holdfast run", ["holdfast", "run"]),
        HoldfastCommand("flom", ["flom"]),
        Flock(),
        Etcdctl(),
        Sem(),
    )
}
