"""FLoM's tree of files as its manual lists it, and what of ours stands beside it."""

from __future__ import annotations

OURS = {"pid", "user", "host", "key", "command", "job", "since", "wait", "token", "element", "reason"}  # of a session
OURS_OF_RESOURCES = {"mode", "capacity", "in_use", "order", "statistics"}
_OURS = {*OURS, *OURS_OF_RESOURCES, "refused", "summary", "all.json"}

FIRST_SESSION = [  # somebody holds what it did not name
    "/",
    "/status",
    "/status/incubator",
    "/status/lockers",
    "/status/lockers/3",
    "/status/lockers/3/resource_name",
    "/status/lockers/3/resource_type",
    "/status/lockers/3/holders",
    "/status/lockers/3/holders/2",
    "/status/lockers/3/holders/2/peer_name",
    "/status/lockers/3/holders/2/lock_mode",
    "/status/lockers/3/waitings",
]
PARKED = [  # somebody waits until somebody else creates num[3]
    "/",
    "/status",
    "/status/incubator",
    "/status/incubator/2",
    "/status/incubator/2/peer_name",
    "/status/incubator/2/resource_name",
    "/status/incubator/2/resource_type",
    "/status/lockers",
]
CREATED = [  # who did so holds it, and the first one waits
    "/",
    "/status",
    "/status/incubator",
    "/status/lockers",
    "/status/lockers/4",
    "/status/lockers/4/resource_name",
    "/status/lockers/4/resource_type",
    "/status/lockers/4/holders",
    "/status/lockers/4/holders/3",
    "/status/lockers/4/holders/3/peer_name",
    "/status/lockers/4/holders/3/quantity",
    "/status/lockers/4/waitings",
    "/status/lockers/4/waitings/2",
    "/status/lockers/4/waitings/2/peer_name",
    "/status/lockers/4/waitings/2/quantity",
]


def floms(paths: list[str]) -> list[str]:
    """What of a listing FLoM would show as well."""
    return [path for path in paths if path.rpartition("/")[2] not in _OURS]
