"""Requests that do not create: they wait for a name, keep their order, and are told when their time is over."""

from __future__ import annotations

import pytest

from holdfast.transport.messages import (
    FOREVER,
    Granted,
    Located,
    Parked,
    Queued,
    Refusal,
    Refused,
    Release,
    Released,
)
from raw import Raw, acquire, hello, holder, locate, start_daemon
from support import House, wait_line

pytestmark = pytest.mark.slow


def test_those_who_waited_for_a_name_stand_behind_its_creator_in_their_order(house: House) -> None:
    path = start_daemon(house)
    directory = f"{house.run_dir}/local"
    who = [hello() for _ in range(4)]
    parked = [Raw(path) for _ in who]
    for raw, each in zip(parked, who, strict=True):
        raw.enter(each, locate("printer", create=False, timeout=60.0))
        assert raw.hear() == Parked()
    creator, _, epoch = holder(path, "printer")
    located = [raw.hear() for raw in parked]
    assert all(isinstance(answer, Located) and answer.epoch == epoch for answer in located)
    address = f"{directory}/{located[0].address}"  # type: ignore[union-attr]  # the line above
    inside = [Raw(address) for _ in who]
    for index in (3, 1, 0, 2):  # in whatever order they arrive
        inside[index].enter(who[index], acquire("printer", epoch, timeout=60.0))
        assert isinstance(inside[index].hear(), Queued)
    creator.say(Release(epoch, False))
    assert creator.hear() == Released()
    for raw in inside:
        assert isinstance(raw.hear(), Granted)
        raw.say(Release(epoch, False))
        assert raw.hear() == Released()
    for raw in (*parked, *inside, creator):
        raw.wire.close()


def test_a_place_is_kept_only_for_a_while(house: House) -> None:
    path = start_daemon(house)
    with Raw(path) as absent, Raw(path) as present:
        who = hello()
        for raw, each in ((absent, hello()), (present, who)):
            raw.enter(each, locate("printer", create=False))
            assert raw.hear() == Parked()
        creator, _, epoch = holder(path, "printer")
        located = present.hear()
        assert isinstance(located, Located)
        with Raw(f"{house.run_dir}/local/{located.address}") as inside:
            inside.enter(who, acquire("printer", epoch))
            assert isinstance(inside.hear(), Queued)
            creator.say(Release(epoch, False))
            assert isinstance(inside.hear(), Granted)  # though the absent one was first
        creator.wire.close()


def test_a_wait_for_a_name_ends_in_time(house: House) -> None:
    path = start_daemon(house)
    with Raw(path) as raw:
        raw.enter(hello(), locate("printer", create=False, timeout=0.05))
        assert raw.hear() == Parked()
        answer = raw.hear()
        assert isinstance(answer, Refused)
        assert answer.why is Refusal.TIMED_OUT


def test_who_would_not_wait_for_a_name_is_told_so(house: House) -> None:
    done = house.run("run", "--no-create", "-n", "-r", "printer", "--", "true")
    assert done.returncode == 96
    assert "does not exist" in done.stderr


def test_a_parked_command_runs_when_somebody_creates_the_name(house: House) -> None:
    parked = house.spawn("run", "-v", "--no-create", "-r", "printer", "--", "echo", "mine")
    wait_line(parked.stderr, "create")
    house.let_go(house.hold("-r", "printer"))
    assert parked.communicate(timeout=20)[0] == "mine\n"


def test_the_whole_wait_counts_on_in_the_locker(house: House) -> None:
    path = start_daemon(house)
    with Raw(path) as raw:
        who = hello()
        raw.enter(who, locate("printer", create=False, timeout=1.0))
        assert raw.hear() == Parked()
        creator, _, epoch = holder(path, "printer")
        located = raw.hear()
        assert isinstance(located, Located)
        with Raw(f"{house.run_dir}/local/{located.address}") as inside:
            inside.enter(who, acquire("printer", epoch, timeout=FOREVER))  # the place's own time is what counts
            assert isinstance(inside.hear(), Queued)
            answer = inside.hear()
            assert isinstance(answer, Refused)
            assert answer.why is Refusal.TIMED_OUT
        creator.wire.close()
