"""Holdfast: a lock manager for commands and programs.

The public names, each loaded on its first use: ``import holdfast`` costs nothing and loads nothing. What is in
``__all__`` is promised, nothing else is.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # importing it costs every command 2 ms; checkers know the name
if TYPE_CHECKING:
    from .transport.client import Lock
    from .transport.errors import (
        Busy,
        Deadlock,
        HoldfastError,
        Impossible,
        InternalError,
        InvalidName,
        InvalidSetting,
        LocalProtocolError,
        LockerDied,
        LockLost,
        NoSuchResource,
        NotGranted,
        ProtocolError,
        RemoteProtocolError,
        TimedOut,
        Unreachable,
        UsageError,
    )
    from .transport.inflight import InFlight, inflight, install_signal_dump
    from .transport.messages import Mode, Order

__all__ = [
    "Busy",
    "Deadlock",
    "HoldfastError",
    "Impossible",
    "InFlight",
    "InternalError",
    "InvalidName",
    "InvalidSetting",
    "LocalProtocolError",
    "Lock",
    "LockLost",
    "LockerDied",
    "Mode",
    "NoSuchResource",
    "NotGranted",
    "Order",
    "ProtocolError",
    "RemoteProtocolError",
    "TimedOut",
    "Unreachable",
    "UsageError",
    "__version__",
    "inflight",
    "install_signal_dump",
]

_HOMES = {  # the others are errors
    "InFlight": "inflight",
    "Lock": "client",
    "Mode": "messages",
    "Order": "messages",
    "inflight": "inflight",
    "install_signal_dump": "inflight",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".transport.{_HOMES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
