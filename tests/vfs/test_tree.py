"""The tree of files: FLoM's listings word for word, and what we add."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from floms_tree import CREATED, FIRST_SESSION, OURS, OURS_OF_RESOURCES, PARKED, floms
from holdfast.transport.enums import Mode, Standing
from holdfast.transport.names import parse
from holdfast.transport.records import Claim, Record
from holdfast.vfs.tree import Directory, File, Missing, Stamps, Tree
from scenes import INCUBATOR, NOW, WALL, holder, parked, resource, scene, tally, waiter

OFFSET = WALL - NOW
BEGAN = NOW - 100.0


def tree_of(*records: Record, now: float = NOW, last: float = NOW, stamps: Stamps | None = None) -> Tree:
    return Tree(scene(*records), now=now, offset=OFFSET, began=BEGAN, last=last, stamps=stamps)


def known_as(number: int, claim: Claim) -> Claim:
    """A session by its number."""
    return replace(claim, number=number)


def directory(tree: Tree, path: str) -> Directory:
    found = tree.node(path)
    assert isinstance(found, Directory), path
    return found


def file(tree: Tree, path: str) -> File:
    found = tree.node(path)
    assert isinstance(found, File), path
    return found


def text(tree: Tree, path: str) -> str:
    return file(tree, path).content.decode()


def find(tree: Tree, path: str = "/") -> list[str]:
    """As ``find`` lists it."""
    listed = [path]
    node = tree.node(path)
    if isinstance(node, Directory):
        for name, is_folder in node.entries.items():
            below = f"{path.rstrip('/')}/{name}"
            assert isinstance(tree.node(below), Directory) == is_folder
            listed += find(tree, below)
    return listed


def test_without_a_picture_there_is_nothing_to_see_but_why() -> None:
    missing = Missing("it told\nnothing", NOW - 20.0)
    busy = scene(resource("printer"), holder("a"), parked("b", "num[3]"))
    tree = Tree(busy, now=NOW, offset=OFFSET, began=BEGAN, last=NOW, missing=missing)
    assert find(tree) == ["/", "/status", "/status/summary"]
    since = "2026-11-20T"
    assert text(tree, "/status/summary").startswith(f"there has been no picture since {since}")
    assert text(tree, "/status/summary").endswith("Z: it told\\nnothing\n")
    assert file(tree, "/status/summary").changed == directory(tree, "/status").changed == int(WALL - 20.0)


# --- FLoM's session, word for word ------------------------------------------------------------------------------------


def test_the_first_listing_is_floms() -> None:
    tree = tree_of(resource("_RESOURCE", 3), known_as(2, holder("a", "_RESOURCE", 3)))
    assert floms(find(tree)) == FIRST_SESSION


def test_the_listing_of_who_waits_for_a_resource_to_be_created_is_floms() -> None:
    tree = tree_of(known_as(2, parked("a", "num[3]", quantity=2, peer="192.168.123.20/57072")))
    assert floms(find(tree)) == PARKED
    assert text(tree, "/status/incubator/2/peer_name") == "192.168.123.20/57072\n"
    assert text(tree, "/status/incubator/2/resource_name") == "num[3]\n"
    assert text(tree, "/status/incubator/2/resource_type") == "numeric\n"


def test_the_sizes_of_who_waits_there_are_floms() -> None:
    tree = tree_of(known_as(2, parked("a", "num[3]", peer="192.168.123.20/57072")))
    listed = {
        name: len(file(tree, f"/status/incubator/2/{name}").content)
        for name in directory(tree, "/status/incubator/2").entries
    }
    assert listed == {"peer_name": 21, "resource_name": 7, "resource_type": 8}


def test_the_listing_of_a_holder_and_a_waiter_is_floms() -> None:
    tree = tree_of(
        resource("num[3]", 4),
        known_as(3, holder("a", "num[3]", 4, quantity=2, peer="192.168.123.154/58218")),
        known_as(2, waiter("b", "num[3]", 4, quantity=2, peer="192.168.123.20/57075")),
    )
    assert floms(find(tree)) == CREATED
    assert text(tree, "/status/lockers/4/resource_name") == "num[3]\n"
    assert text(tree, "/status/lockers/4/resource_type") == "numeric\n"
    assert text(tree, "/status/lockers/4/holders/3/peer_name") == "192.168.123.154/58218\n"
    assert text(tree, "/status/lockers/4/holders/3/quantity") == "2\n"
    assert text(tree, "/status/lockers/4/waitings/2/peer_name") == "192.168.123.20/57075\n"
    assert text(tree, "/status/lockers/4/waitings/2/quantity") == "2\n"


# name, element → type, what FLoM shows of a holder and of a waiter besides its peer
TYPES = [
    ("printer", "", "simple", {"lock_mode": "Exclusive"}, {"lock_mode": "Exclusive"}),
    ("num[3]", "", "numeric", {"quantity": "1\n"}, {"quantity": "1\n"}),
    ("red.green", "red", "set", {}, {}),
    ("/aa/bb/cc", "", "hierarchical", {"lock_mode": "Exclusive"}, {"lock_mode": "Exclusive"}),
    ("_s_ticket[2]", "7", "sequence", {"sequence_value": "7\n"}, {}),
    ("_t_%H%M[1]", "2359", "timestamp", {"timestamp_value": "2359\n"}, {}),
]


@pytest.mark.parametrize(("name", "element", "kind", "held", "wanted"), TYPES)
def test_each_type_shows_what_flom_shows_of_it(
    name: str, element: str, kind: str, held: dict[str, str], wanted: dict[str, str]
) -> None:
    tree = tree_of(
        resource(parse(name).locker, asked=name),
        known_as(2, holder("a", name, element=element)),
        known_as(5, waiter("b", name)),
    )
    assert text(tree, "/status/lockers/3/resource_name") == f"{name}\n"
    assert text(tree, "/status/lockers/3/resource_type") == f"{kind}\n"
    for place, shown in (("holders/2", held), ("waitings/5", wanted)):
        path = f"/status/lockers/3/{place}"
        entries = [entry for entry in directory(tree, path).entries if entry not in OURS]
        assert entries == ["peer_name", *shown]
        assert {entry: text(tree, f"{path}/{entry}") for entry in shown} == shown


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (Mode.NL, "NullLock"),
        (Mode.CR, "ConcurrentRead"),
        (Mode.CW, "ConcurrentWrite"),
        (Mode.PR, "ProtectedRead"),
        (Mode.PW, "ProtectedWrite"),
        (Mode.EX, "Exclusive"),
    ],
)
def test_a_mode_has_its_long_name_and_no_end_of_line(mode: Mode, name: str) -> None:
    tree = tree_of(resource("printer"), holder("a", mode=mode))
    assert file(tree, "/status/lockers/3/holders/2/lock_mode").content == name.encode()


# --- what we add ------------------------------------------------------------------------------------------------------


def shown(tree: Tree, path: str, names: set[str]) -> dict[str, str]:
    return {name: text(tree, f"{path}/{name}") for name in names}


def test_a_holder_shows_who_it_is_and_what_it_got() -> None:
    claim = holder(
        "a", "red.green", element="red", token=17, waited=0.25, age=10.0, job="slurm 17", reason="nightly", key="al"
    )
    tree = tree_of(resource("red.green"), claim)
    assert shown(tree, "/status/lockers/3/holders/2", OURS) == {
        "pid": "4711\n",
        "user": "alice\n",
        "host": "node1\n",
        "key": "al\n",
        "command": "make -j4\n",
        "job": "slurm 17\n",
        "since": "2026-11-20T19:34:48.250Z\n",
        "wait": "0.250\n",
        "token": "17\n",
        "element": "red\n",
        "reason": "nightly\n",
    }


def test_a_waiter_shows_how_long_it_has_waited_and_nothing_that_it_has_not_got() -> None:
    tree = tree_of(resource("printer"), waiter("b", age=5.0), now=NOW + 2.0)
    told = shown(tree, "/status/lockers/3/waitings/2", {"wait", "token", "element", "reason", "job"})
    assert told == {"wait": "7.000\n", "token": "", "element": "", "reason": "", "job": ""}


def test_a_resource_shows_what_of_it_is_in_use() -> None:
    tree = tree_of(resource("num[3]"), holder("a", "num[3]", quantity=2), tally())
    told = shown(tree, "/status/lockers/3", OURS_OF_RESOURCES - {"statistics"})
    assert told == {"mode": "EX\n", "capacity": "3\n", "in_use": "2\n", "order": "fifo\n"}


def test_a_resource_that_nobody_holds_has_no_mode_and_a_simple_one_no_capacity() -> None:
    tree = tree_of(resource("printer"))
    assert shown(tree, "/status/lockers/3", {"mode", "capacity", "in_use"}) == {
        "mode": "",
        "capacity": "",
        "in_use": "0\n",
    }


def test_statistics_are_one_counter_a_line_and_count_who_holds_now() -> None:
    told = text(tree_of(resource("printer"), holder("a", age=10.0), tally()), "/status/lockers/3/statistics")
    counters = dict(line.split(" ", 2)[1:] for line in told.splitlines())
    assert {line.split()[0] for line in told.splitlines()} == {"EX"}
    assert (counters["requests"], counters["grants"], counters["hold_count"]) == ("1", "1", "1")
    assert counters["hold_max"] == "10.000000"
    assert counters["wait_sum"] == "0.500000"
    assert counters["wait_histogram"] == "0 1"


def test_the_top_has_a_summary_and_one_document_of_everything() -> None:
    tree = tree_of(INCUBATOR, resource("printer"), holder("a"))
    assert text(tree, "/status/summary").startswith("1 resource, 1 holds")
    document = json.loads(text(tree, "/status/all.json"))
    assert document["v"] == 1
    assert [one["name"] for one in document["resources"]] == ["printer"]


def test_a_resource_whose_process_died_says_so() -> None:
    tree = tree_of(resource("printer", refused="its process died"))
    assert text(tree, "/status/lockers/3/refused") == "its process died\n"
    assert "refused" not in directory(tree_of(resource("printer")), "/status/lockers/3").entries


def test_a_place_that_is_kept_for_somebody_shows_nobody() -> None:
    tree = tree_of(resource("printer"), known_as(7, waiter("b", pid=0, host="", user="")))
    assert shown(tree, "/status/lockers/3/waitings/7", {"pid", "host", "user"}) == {"pid": "", "host": "", "user": ""}


def test_what_a_client_says_of_itself_obeys_no_terminal() -> None:
    tree = tree_of(resource("printer"), holder("a", command="a\x1b[2Jb\nc", reason="\udcff"))
    assert text(tree, "/status/lockers/3/holders/2/command") == "a\\x1b[2Jb\\nc\n"
    assert text(tree, "/status/lockers/3/holders/2/reason") == "\\udcff\n"


def test_a_session_whose_number_is_not_known_goes_by_its_public_name() -> None:
    tree = tree_of(resource("printer"), known_as(0, holder("a1")), known_as(0, holder("b2", mode=Mode.NL)))
    assert set(directory(tree, "/status/lockers/3/holders").entries) == {"a1", "b2"}


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/status/x",
        "/status/summary/x",
        "/status/lockers/4",
        "/status/lockers/3/holders/2/x",
        "/status/incubator/9",
    ],
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert tree_of(resource("printer"), holder("a")).node(path) is None


def test_one_look_does_not_make_the_whole_tree() -> None:
    made = []

    class Counting(Tree):
        def _of_claim(self, name: str, view: object) -> File:
            made.append(name)
            return super()._of_claim(name, view)  # type: ignore[arg-type]

    records = [
        record
        for number in range(3, 203)
        for record in (resource(f"r{number}", number), holder(f"s{number}", f"r{number}", number))
    ]
    tree = Counting(scene(*records), now=NOW, offset=OFFSET, began=BEGAN, last=NOW)
    assert text(tree, "/status/lockers/77/holders/2/pid") == "4711\n"
    assert made == ["pid"]


def test_a_second_look_finds_the_same_bytes() -> None:
    tree = tree_of(resource("printer"), holder("a"))
    assert tree.node("/status/all.json") is tree.node("/status/all.json")


# --- times ------------------------------------------------------------------------------------------------------------


def unix(at: float) -> int:
    return int(at + OFFSET)


def test_an_entry_is_from_when_it_began() -> None:
    tree = tree_of(resource("printer", age=60.0), holder("a", age=10.0), known_as(5, waiter("b", age=5.0)))
    assert file(tree, "/status/lockers/3/resource_name").changed == unix(NOW - 60.0)
    assert directory(tree, "/status/lockers/3").changed == unix(NOW - 60.0)
    for path, at in (("holders/2", NOW - 10.0), ("waitings/5", NOW - 5.0)):
        assert directory(tree, f"/status/lockers/3/{path}").changed == unix(at)
        assert file(tree, f"/status/lockers/3/{path}/peer_name").changed == unix(at)


def test_a_directory_is_from_its_youngest_entry() -> None:
    tree = tree_of(resource("printer", age=60.0), holder("a", age=10.0), known_as(9, parked("c", age=3.0)))
    assert directory(tree, "/status/lockers/3/holders").changed == unix(NOW - 10.0)
    assert directory(tree, "/status/lockers/3/waitings").changed == unix(NOW - 60.0)
    assert directory(tree, "/status/lockers").changed == unix(NOW - 60.0)
    assert directory(tree, "/status/incubator").changed == unix(NOW - 3.0)
    assert directory(tree, "/").changed == unix(BEGAN)


def test_a_directory_that_lost_an_entry_is_from_then_on() -> None:
    stamps = Stamps()
    records: list[Record] = [resource("printer", age=60.0), holder("a", age=10.0)]
    path = "/status/lockers/3/holders"
    assert directory(tree_of(*records, stamps=stamps), path).changed == unix(NOW - 10.0)
    for later in (NOW + 20.0, NOW + 30.0):
        assert directory(tree_of(records[0], last=NOW + 15.0, now=later, stamps=stamps), path).changed == unix(
            NOW + 15.0
        )
        records[1:] = []


def test_the_times_of_resources_that_are_no_more_are_forgotten() -> None:
    stamps = Stamps()
    for number in range(3, 503):
        find(tree_of(resource(f"r{number}", number), stamps=stamps))
    assert len(stamps._known) < 100


def test_what_grows_with_time_is_of_this_second() -> None:
    tree = tree_of(resource("printer"), waiter("b"), now=NOW + 50.0)
    for path in (
        "/status/summary",
        "/status/all.json",
        "/status/lockers/3/statistics",
        "/status/lockers/3/waitings/2/wait",
    ):
        assert file(tree, path).changed == unix(NOW + 50.0)


def test_all_claims_of_all_standings_are_shown_once() -> None:
    claims: list[Claim] = [known_as(2, holder("a")), known_as(4, waiter("b")), known_as(5, parked("c"))]
    tree = tree_of(resource("printer"), *claims)
    places = [path for path in find(tree) if path.endswith("/peer_name")]
    assert sorted(path.split("/")[-2] for path in places) == ["2", "4", "5"]
    assert {claim.standing for claim in claims} == set(Standing)
