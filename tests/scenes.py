"""Pictures for the tests of what shows them: no daemon behind them."""

from __future__ import annotations

from holdfast.transport.enums import Mode, Order, Standing
from holdfast.transport.messages import Changes
from holdfast.transport.picture import Picture, Scene
from holdfast.transport.records import Claim, Member, Record, Resource, Tally, by_kind

NOW = 1000.0  # monotonic seconds at which every scene here is told
WALL = 1795203298.25  # Unix seconds at the same instant: 2026-11-20T19:34:58.250Z
INCUBATOR = Member(0, "incubator", 77, 90.0, 0)


def resource(name: str, number: int = 3, **more: object) -> Resource:
    """A resource served by the actor of the same number."""
    told = {
        **{"actor": number, "number": number, "name": name, "asked": name, "age": 60.0, "order": Order.FIFO},
        **{"idle": 2.0, "epoch": 17, "refused": ""},
        **more,
    }
    return Resource(**told)  # type: ignore[arg-type]  # the fields of a Resource


def holder(session: str, name: str = "printer", number: int = 3, **more: object) -> Claim:
    """A session that holds the resource of this number."""
    told = {
        **{"actor": number, "place": number, "number": 2, "session": session, "standing": Standing.HOLDS},
        **{"resource": name, "mode": Mode.EX, "quantity": 1, "age": 10.0, "waited": 0.0, "left": -1.0, "token": 17},
        **{"element": "", "arrival": 0, "blockers": (), "inside": (), "peer": "localhost/", "host": "node1"},
        **{"pid": 4711, "uid": 1000, "user": "alice", "command": "make -j4", "job": "", "reason": "", "key": ""},
        **more,
    }
    return Claim(**told)  # type: ignore[arg-type]  # the fields of a Claim


def waiter(session: str, name: str = "printer", number: int = 3, **more: object) -> Claim:
    """A session that waits for the resource of this number."""
    waits = {"standing": Standing.WAITS, "token": 0, "user": "bob", "pid": 4712, "command": "./send", "age": 5.0}
    return holder(session, name, number, **{**waits, **more})


def parked(session: str, name: str = "disk", **more: object) -> Claim:
    """A session that waits until somebody creates a resource."""
    return waiter(session, name, 0, **{"standing": Standing.PARKED, **more})


def tally(number: int = 3, mode: Mode = Mode.EX, **more: object) -> Tally:
    """What happened at the resource of this number: one lock was granted after half a second."""
    told = {
        **{"actor": number, "place": number, "mode": mode, "requests": 1, "grants": 1, "refused": 0, "timed_out": 0},
        **{"withdrawn": 0, "released": 0, "failed": 0, "vanished": 0, "lost": 0, "wait_sum": 0.5, "wait_max": 0.5},
        **{"waits": (0, 1), "hold_sum": 0.0, "hold_max": 0.0, "holds": ()},
        **more,
    }
    return Tally(**told)  # type: ignore[arg-type]  # the fields of a Tally


def changes(*records: Record, number: int = 1) -> Changes:
    """All of a picture."""
    return Changes(
        number,
        True,
        False,
        0.0,
        *by_kind(records),
        (),
        0.0,
    )


def scene(*records: Record, number: int = 1) -> Scene:
    """What these records show at ``NOW``."""
    made = Picture()
    made.apply(changes(*records, number=number), NOW)
    return made.scene()
