"""What ``flom`` says, word for word as FLoM 1.7.2 says it.

The rule: scripts read these lines, so neither a word nor the stream it goes to may change. stdout is written as bytes,
so that no locale can refuse a name. Not kept: what FLoM says about its authors and its licence, which would not be true
here.

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import os
import sys

from ..transport.errors import Busy, HoldfastError, Impossible, NoSuchResource, TimedOut
from ..transport.names import RESERVED
from ..transport.settings import GROUPS
from .exits import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from ..transport.settings import Settings

VERSION = """\
FLoM: Free Lock Manager
This command is Holdfast's, written anew; FLoM itself is by Christian Ferrari, and none of its code is in here.
License: Apache License, version 2.0
Package name: flom; package version: 1.7.2; release date: 2024-03-02
TLS supported protocol(s): none; ZeroMQ's CURVE takes its place
FLoM's own project is at https://github.com/tiian/flom
Documentation is available at http://www.tiian.org/flom/"""

SIGNALS = (
    *("HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM"),
    *("TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF"),
    *("WINCH", "IO", "PWR", "SYS"),
)  # Linux's numbers, from 1

DUMPED = {
    "Trace": ("DaemonTraceFile", "CommandTraceFile", "AppendTraceFile", "Verbose"),
    "Resource": ("Name", "Timeout", "Quantity", "LockMode", "Create", "IdleLifespan"),
    "Daemon": (
        *("SocketName", "Lifespan", "UnicastAddress", "UnicastPort", "MulticastAddress", "MulticastPort"),
        "MountPointVFS",
    ),
    "Monitor": ("IgnoredSignals",),
    "Network": (
        *("NetworkInterface", "DiscoveryAttempts", "DiscoveryTimeout", "DiscoveryTTL", "TcpKeepaliveTime"),
        *("TcpKeepaliveIntvl", "TcpKeepaliveProbes"),
    ),
    "TLS": ("TlsCertificate", "TlsPrivateKey", "TlsCaCertificate", "TlsCheckPeerId"),
}

BUSY = "Resource already locked, the lock cannot be obtained"
TIMED_OUT = "The lock was not obtained because timeout ({} milliseconds) expired"
NOT_THERE = "The resource could be available in the future, but the requester can't wait"
IMPOSSIBLE = "Resource will never satisfy the request, the lock cannot be obtained"
MODE_IGNORED = "This resource type ({}) support only exclusive lock mode; specified value ({}) will be ignored"
QUANTITY_IGNORED = "This resource type ({}) does not support quantity lock option; specified value ({}) will be ignored"
DISCOVERY_TOO_SHORT = "Discovery timeout of {:g} milliseconds is too short for any answer; {:g} are used"
LOCAL_OR_NETWORK = (
    "ERROR: flom can not be configured for local (UNIX socket) and network (TCP-UDP/IP) communication at the same time."
)
PEER_ID_WITHOUT_TLS = "ERROR: TLS check peer id can not be specified without full TLS configuration."


class Told(HoldfastError):
    """FLoM's own lines about what went wrong, each for its stream.

    Args:
        out: lines for stdout, said first.
        err: lines for stderr.
        code: the exit code.
    """

    def __init__(self, *, out: tuple[str, ...] = (), err: tuple[str, ...] = (), code: int = FAILED) -> None:
        super().__init__("\n".join((*out, *err)))
        self.out = out
        self.err = err
        self.code = code


def tell(*lines: str) -> None:
    """Write lines on stdout, at once: the command's own come after them."""
    _write(sys.stdout, lines)


def complain(*lines: str) -> None:
    """Write lines on stderr, if there is anybody to read them."""
    try:
        _write(sys.stderr, lines)
    except OSError:
        return


def _write(stream: TextIO | None, lines: tuple[str, ...]) -> None:
    if stream is not None:  # so the interpreter found it if it was closed when we started
        stream.flush()
        stream.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
        stream.buffer.flush()


def warn(sentence: str) -> None:
    """Write a warning on stderr in the form of GLib's."""
    from datetime import datetime

    now = datetime.now().isoformat(timespec="milliseconds").partition("T")[2]
    complain("", f"** (flom:{os.getpid()}): WARNING **: {now}: {sentence}", "")


def signal_list() -> str:
    """The signals and their numbers, four on a line, each followed by a tab."""
    entries = [f"{number}) SIG{name}\t" for number, name in enumerate(SIGNALS, 1)]
    return "\n".join("".join(entries[first : first + 4]) for first in range(0, len(entries), 4))


def signal_names(numbers: tuple[int, ...]) -> str:
    """The names of signals in the order of their numbers, as they stand in a file."""
    return ";".join(f"SIG{SIGNALS[number - 1]}" for number in sorted(set(numbers)))


def dump(settings: Settings) -> list[str]:
    """The 29 lines of ``--verbose``: every setting that FLoM knows."""
    return [f"[{group}]/{key}={_dumped(group, key, settings)}" for group, keys in DUMPED.items() for key in keys]


def _dumped(group: str, key: str, settings: Settings) -> str:
    """Strings in quotes; durations in milliseconds, -1 for ever."""
    value = getattr(settings, GROUPS[group][key][0])
    if key == "Timeout" and value is None:
        return "-1"
    if key == "Name" and value is None:
        value = RESERVED
    if key == "IgnoredSignals":
        value = signal_names(value)
    if isinstance(value, float):
        return str(round(value * 1000)) if value >= 0 else "-1"
    return str(int(value)) if isinstance(value, int) else f"'{value or ''}'"


def refused(error: HoldfastError, timeout: float | None) -> str:
    """Why the lock is not ours, when there was a daemon to ask.

    Args:
        timeout: seconds that were to be waited at most; None for ever.
    """
    if isinstance(error, TimedOut):
        return TIMED_OUT.format(round((timeout or 0) * 1000))
    known: dict[type[HoldfastError], str] = {Busy: BUSY, NoSuchResource: NOT_THERE, Impossible: IMPOSSIBLE}
    return known.get(type(error)) or failed("client_lock", -126, error)


def failed(function: str, number: int, why: HoldfastError) -> str:
    """A failure as FLoM tells it: where, its number, and in brackets the reason, which is in our words."""
    from ..transport.phrases import visible

    return f"flom_{function}: ret_cod={number} ({visible(str(why))})"
