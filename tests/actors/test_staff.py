"""Who is kept at work, how often, and who is told where the registry is."""

from __future__ import annotations

import pytest

from holdfast.actors.door import Session
from holdfast.actors.process import Effect, StartChild
from holdfast.actors.staff import LOCKER, PATIENCE, REGISTRY, RESTART_SPAN, RESTARTS, Child, Staff
from holdfast.transport.messages import Located, Ready, Refusal, Refused, Serving
from incubator_bench import A, B

FILES = "files"


class House:
    """A staff and its time."""

    def __init__(self, *roles: str) -> None:
        self.staff = Staff(roles)
        self.now = 10.0
        self.started = self.staff.open(self.now)

    def hire_locker(self) -> int:
        [started] = self.staff.start(LOCKER, self.now)
        assert isinstance(started, StartChild)
        return started.number

    def child(self, number: int) -> Child:
        return self.staff.children[number]

    def ready(self, number: int) -> list[Effect]:
        child = self.child(number)
        return self.staff.ready(child, Ready(f"{child.role}-{number}.sock", 4000 + number, 3999, 0))

    def die(self, number: int) -> list[Effect]:
        return self.staff.died(self.child(number), self.now)

    def observe(self, session: Session) -> list[Effect]:
        return self.staff.observe(session, self.now)


def why(effects: list[Effect]) -> str:
    """The sentence of the one refusal among ``effects``."""
    [refused] = [effect[1] for effect in effects if isinstance(effect, tuple) and isinstance(effect[1], Refused)]
    assert refused.why is Refusal.EXHAUSTED
    return refused.sentence


# --- kept at work -----------------------------------------------------------------------------------------------------


def test_the_staff_is_started_in_its_order() -> None:
    assert House(REGISTRY, FILES).started == [StartChild(1, REGISTRY), StartChild(2, FILES)]


def test_who_dies_is_started_again_so_many_times_in_a_minute_and_then_rests(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(REGISTRY, FILES)
    number = 1
    for restart in range(RESTARTS):
        assert house.die(number) == [StartChild(3 + restart, REGISTRY)]
        number = 3 + restart
    assert "HFD025E" not in caplog.text
    assert house.die(number) == []
    assert "HFD025E" in caplog.text
    assert house.staff.restarts[REGISTRY] == RESTARTS
    assert house.die(2) == [StartChild(8, FILES)]


def test_who_dies_now_and_then_is_always_started_again() -> None:
    house, number = House(REGISTRY), 1
    for _ in range(3 * RESTARTS):
        [started] = house.die(number)
        assert isinstance(started, StartChild)
        number = started.number
        house.now += RESTART_SPAN / RESTARTS


def test_who_wanted_to_end_is_not_started_again() -> None:
    house = House(FILES)
    house.child(1).ending = True
    assert house.die(1) == []


def test_nobody_is_started_when_nobody_can_be() -> None:
    house = House(REGISTRY)
    house.staff.hires = False
    assert house.die(1) == []
    assert "cannot be started" in why(house.observe(A))


def test_a_lockers_death_is_not_the_staffs() -> None:
    house = House(REGISTRY)
    for _ in range(2 * RESTARTS):
        assert house.die(house.hire_locker()) == []
    assert house.die(1) == [StartChild(2 + 2 * RESTARTS, REGISTRY)]


def test_those_who_start_are_counted_by_role() -> None:
    house = House(REGISTRY)
    first, second = house.hire_locker(), house.hire_locker()
    assert (house.staff.starting(LOCKER), house.staff.starting(REGISTRY)) == (2, 1)
    house.ready(first)
    house.die(second)
    assert (house.staff.starting(LOCKER), house.staff.starting(REGISTRY)) == (0, 1)
    house.die(first)
    assert house.staff.starting(LOCKER) == 0


def test_the_registry_is_told_to_end_after_all_others() -> None:
    house = House(REGISTRY, FILES)
    house.hire_locker()
    assert house.staff.by_end() == [3, 2, 1]
    house.die(1)  # and a new one is started
    assert house.staff.by_end() == [3, 2, 4]


# --- the registry -----------------------------------------------------------------------------------------------------


def test_the_registry_is_told_which_lockers_there_are_come_and_go() -> None:
    house = House(REGISTRY)
    first, second, third = (house.hire_locker() for _ in range(3))
    assert house.ready(first) == []
    assert house.ready(1) == [(1, Serving(first, f"locker-{first}.sock"))]
    assert house.ready(second) == [(1, Serving(second, f"locker-{second}.sock"))]
    assert house.die(first) == [(1, Serving(first, ""))]
    assert house.die(third) == []  # of which it was never told


def test_a_new_registry_is_told_of_all_that_are_there() -> None:
    house = House(REGISTRY)
    first, second = house.hire_locker(), house.hire_locker()
    for number in (1, first, second):
        house.ready(number)
    house.die(1)
    house.die(first)
    assert house.ready(4) == [(4, Serving(second, f"locker-{second}.sock"))]


def test_only_the_registry_is_told() -> None:
    house = House(REGISTRY, FILES)
    locker = house.hire_locker()
    assert house.ready(1) == []
    assert house.ready(2) == []
    assert house.ready(locker) == [(1, Serving(locker, f"locker-{locker}.sock"))]


def test_whoever_asks_is_told_where_the_registry_is_as_soon_as_it_is_there() -> None:
    house = House(REGISTRY)
    assert house.observe(A) == []
    assert house.observe(B) == []
    house.staff.left(B)
    located = Located("registry-1.sock", 0)
    assert house.ready(1) == [(A, located)]
    assert house.observe(B) == [(B, located)]
    assert house.staff.wakes_at() is None


def test_a_question_outlives_the_registry_that_it_waited_for() -> None:
    house = House(REGISTRY)
    house.observe(A)
    house.die(1)
    assert house.ready(2) == [(A, Located("registry-2.sock", 0))]


def test_nobody_waits_for_the_registry_for_ever() -> None:
    house = House(REGISTRY)
    house.observe(A)
    house.now += 1.0
    house.observe(B)
    assert house.staff.wakes_at() == 10.0 + PATIENCE
    assert house.staff.tick(10.0 + PATIENCE - 0.01) == []
    refused = house.staff.tick(10.0 + PATIENCE)
    assert [effect[0] for effect in refused if isinstance(effect, tuple)] == [A]
    assert "not become ready" in why(refused)
    assert house.staff.wakes_at() == 11.0 + PATIENCE


def test_a_registry_that_rests_is_refused() -> None:
    house = House(REGISTRY)
    for number in range(1, RESTARTS + 1):
        house.die(number)
    house.observe(A)
    assert "keeps dying" in why(house.die(RESTARTS + 1))
    assert "keeps dying" in why(house.observe(A))


def test_who_has_rested_is_started_again() -> None:
    house = House(FILES)
    for number in range(1, RESTARTS + 2):
        house.die(number)
        house.now += 1.0
    assert house.staff.wakes_at() == 10.0 + RESTART_SPAN
    assert house.staff.tick(10.0 + RESTART_SPAN - 0.01) == []
    assert house.staff.tick(10.0 + RESTART_SPAN) == [StartChild(RESTARTS + 2, FILES)]
    assert house.staff.wakes_at() is None


def test_who_has_rested_is_not_started_when_nobody_can_be() -> None:
    house = House(FILES)
    for number in range(1, RESTARTS + 2):
        house.die(number)
    house.staff.close()
    assert house.staff.tick(10.0 + RESTART_SPAN) == []
    assert house.staff.wakes_at() is None


def test_a_house_without_a_registry_says_so() -> None:
    assert "cannot be started" in why(House().observe(A))


def test_at_the_end_the_registry_is_told_no_more_deaths() -> None:
    house = House(REGISTRY)
    locker = house.hire_locker()
    house.ready(1)
    house.ready(locker)
    house.staff.close()
    assert house.die(locker) == []


def test_at_the_end_those_who_wait_are_answered_and_nobody_is_replaced() -> None:
    house = House(REGISTRY)
    house.observe(A)
    [(session, refused)] = house.staff.close()  # type: ignore[misc]
    assert session is A
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.STOPPING
    assert house.die(1) == []
