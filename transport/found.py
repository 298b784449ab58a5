"""The daemons of a group that answered: which of them everybody takes, and what is said where there are several.

The rule: of several daemons everybody must choose the same one, however late its answer was, or two of them would grant
the same lock: ``eldest_first`` says which. Those that start at the same moment may be heard by one and not yet by the
other, so nobody chooses while the eldest that he heard is younger than ``YOUNG``; then he asks once more.

Source: ``docs/protocol.md``, Discovery.
"""

from __future__ import annotations

from .endpoints import Tcp
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMED = 16  # daemons that a sentence names
EQUAL = 1.0  # seconds between two starts that count as one: answers come late, to some more than to others
YOUNG = EQUAL + 0.1  # seconds of age before which one that counts as equal may not have heard a question yet
SETTLED = 3.0  # seconds of age from which there is no other one that was started at the same moment any more


class Found(Frozen):
    """A daemon that answered.

    Args:
        daemon: 16 bytes that tell one daemon from another.
        age: seconds since it started.
        address: its host; a link-local one with ``%`` and our interface.
        key: its public CURVE key, which proves nothing by itself; "" if it has none.
        took: seconds from the question to the answer.
        started_at: monotonic seconds, as far as its answers tell; those that were on the way for long tell too late.
    """

    daemon: bytes
    age: float
    address: str
    port: int
    key: str
    took: float
    started_at: float

    @property
    def tcp(self) -> Tcp:
        """Where to connect to."""
        host, _, interface = self.address.partition("%")
        return Tcp(host, self.port, interface)


def eldest_first(found: Iterable[Found]) -> list[Found]:
    """``found`` in the order that is the same for everybody: by their start, but those that started within ``EQUAL``
    seconds of the first one come first, by their identity."""
    all_found = list(found)
    equal_until = min((one.started_at for one in all_found), default=0.0) + EQUAL

    def rank(one: Found) -> tuple[bool, float, bytes]:
        later = one.started_at > equal_until
        return later, one.started_at if later else 0.0, one.daemon

    return sorted(all_found, key=rank)


def split_brain(group: Tcp, found: Sequence[Found]) -> str:
    """What is said when more than one daemon answers to a group; the eldest stands first, and everybody takes it."""
    commands = "; ".join(f"holdfast stop --endpoint {one.tcp}" for one in found[1:NAMED])
    return (
        f"split brain: {len(found)} daemons answer to the group {group.where} ({_named(found)}), and each grants the "
        f"same locks; end all but the first: {commands}"
    )


def several(group: Tcp, found: Sequence[Found]) -> str:
    """What a command says that finds more than one. While all have just been started, who did so may yet end some."""
    if max(one.age for one in found) >= SETTLED:
        return split_brain(group, found)
    return f"{len(found)} daemons of the group {group.where} have just been started ({_named(found)})"


def _named(found: Sequence[Found]) -> str:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(one.tcp.where for one in found[:NAMED]) + more
