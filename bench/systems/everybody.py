"""The only list of all systems, by the names that tables show."""

from __future__ import annotations

from .files import FileLock, Flock, Kernel, Sem
from .ours import Holdfast, HoldfastCommand, HoldfastTcp, Ping, Python
from .servers import Etcd, Etcdctl, Redis, ZooKeeper
from .system import Command, System

_OUR_LIBRARIES: tuple[System, ...] = (
    Holdfast(),
    Holdfast("holdfast, waited for", wait=True),
    HoldfastTcp("holdfast, TCP", curve=False),
    HoldfastTcp("holdfast, CURVE", curve=True),
    Ping(),
)
_THEIR_LIBRARIES: tuple[System, ...] = (
    Redis(),
    ZooKeeper(),
    Etcd(),
    Kernel("fcntl", whole_file=False),
    Kernel("flock", whole_file=True),
    FileLock(),
)
_OUR_COMMANDS: tuple[Command, ...] = (
    Python(),
    HoldfastCommand("holdfast run", ["holdfast", "run"]),
    HoldfastCommand("flom", ["flom"]),
)
_THEIR_COMMANDS: tuple[Command, ...] = (Flock(), Etcdctl(), Sem())

LIBRARIES: dict[str, System] = {system.name: system for system in (*_OUR_LIBRARIES, *_THEIR_LIBRARIES)}
COMMANDS: dict[str, Command] = {command.name: command for command in (*_OUR_COMMANDS, *_THEIR_COMMANDS)}
PEERS = {one.name for one in _THEIR_LIBRARIES} | {one.name for one in _THEIR_COMMANDS}  # may fail, and the run goes on
