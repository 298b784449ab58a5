"""An incubator in random histories: never two lockers for a name, and everybody is answered."""

from __future__ import annotations

from signal import SIGTERM

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.actors.door import Session
from holdfast.actors.incubator import Life
from holdfast.actors.process import Effect, Finish, KillChild, StartChild, Unlisten
from holdfast.actors.staff import LOCKER, REGISTRY
from holdfast.transport.messages import (
    FOREVER,
    Assign,
    End,
    Expect,
    Gone,
    Leave,
    Located,
    Observe,
    Parked,
    Place,
    Refused,
    Retiring,
    Serving,
    Stay,
    Stopping,
)
from holdfast.transport.wire import Message
from incubator_bench import Bench
from people import somebody

# --- everything at once -----------------------------------------------------------------------------------------------


class IncubatorMachine(RuleBasedStateMachine):
    """Clients, children and time do what they like."""

    @initialize(
        pool=st.integers(0, 2), lifespan=st.sampled_from([FOREVER, 20.0]), roles=st.sampled_from([(), (REGISTRY,)])
    )
    def build(self, pool: int, lifespan: float, roles: tuple[str, ...]) -> None:
        self.bench = Bench(pool=pool, lifespan=lifespan, roles=roles)
        self.sessions: dict[int, Session] = {}
        self.owed: set[Session] = set()  # who has asked and is not answered
        self.parked: set[Session] = set()  # of these, who was told so
        self.observers: set[Session] = set()  # who asked for the registry and is not answered
        self.registry: set[int] = set()  # at most one, ready or not
        self.starting: set[int] = set()
        self.spare: set[int] = set()
        self.serving: dict[int, Assign] = {}
        self.retiring: set[int] = set()
        self.ending: set[int] = set()
        self.epochs: list[int] = [0]
        self.numbers: dict[int, bytes] = {}  # by which lockers know sessions
        self.finished = self.unlistened = False
        self.take(self.bench.opening)

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            assert not self.finished
            match effect:
                case StartChild(number, role):
                    assert not self.unlistened
                    (self.starting if role == LOCKER else self.registry).add(number)
                    assert len(self.registry) <= 1
                case KillChild(number):
                    assert self.unlistened
                case Unlisten():
                    self.unlistened = True
                case Finish():
                    assert not self.living()
                    assert not self.owed | self.observers
                    self.finished = True
                case (Session() as session, message):
                    self.hear(session, message)
                case (int() as number, message):
                    self.tell(number, message)

    def hear(self, session: Session, message: Message) -> None:
        if isinstance(message, Stopping):
            return
        if session in self.observers:
            assert isinstance(message, Located | Refused)
            self.observers.remove(session)
            return
        assert session in self.owed
        match message:
            case Parked():
                assert session not in self.parked
                self.parked.add(session)
            case Located():
                assert message.epoch in [assign.epoch for assign in self.serving.values()]
                self.answered(session)
            case Refused() | Gone():
                self.answered(session)
            case _:
                raise AssertionError(message)

    def answered(self, session: Session) -> None:
        self.owed.remove(session)
        self.parked.discard(session)

    def tell(self, number: int, message: Message) -> None:
        match message:
            case Assign():
                self.spare.remove(number)
                assert message.resource not in [assign.resource for assign in self.serving.values()]
                assert message.epoch > max(self.epochs)
                self.epochs.append(message.epoch)
                self.serving[number] = message
            case Expect():
                assert number in self.serving
                assert self.numbers.setdefault(message.number, message.session) == message.session
            case Place():
                assert self.serving[number].epoch == message.epoch
                assert message.session in [session.who.session for session in self.owed]
            case Stay():
                self.retiring.remove(number)
            case Leave():
                self.retiring.remove(number)
                self.epochs.append(self.serving.pop(number).epoch)
                self.spare.add(number)
            case Serving():
                assert number in self.registry
                assert bool(message.address) == (message.number in self.spare | set(self.serving) | self.ending)
            case End():
                self.registry.discard(number)
                self.spare.discard(number)
                self.starting.discard(number)
                self.serving.pop(number, None)
                self.ending.add(number)

    @rule(
        name=st.integers(1, 6),
        resource=st.sampled_from("abc"),
        create=st.booleans(),
        timeout=st.sampled_from([0.0, 3.0, FOREVER]),
    )
    @precondition(lambda self: not self.finished)
    def somebody_asks(self, name: int, resource: str, create: bool, timeout: float) -> None:
        session = self.sessions.setdefault(name, somebody(name))
        if session not in self.owed:
            self.owed.add(session)
            self.take(self.bench.locate(session, resource, create=create, timeout=timeout))

    @rule(name=st.integers(11, 13))
    @precondition(lambda self: not self.finished)
    def somebody_asks_for_the_registry(self, name: int) -> None:
        session = self.sessions.setdefault(name, somebody(name))
        self.observers.add(session)
        self.take(self.bench.say(session, Observe()))

    @rule()
    @precondition(lambda self: self.registry)
    def the_registry_is_ready(self) -> None:
        [number] = self.registry
        if not self.bench.incubator._staff.children[number].pid:
            self.take(self.bench.ready(number))
            assert not self.observers

    @rule(name=st.sampled_from([*range(1, 7), 11, 12, 13]))
    @precondition(lambda self: not self.finished)
    def somebody_leaves(self, name: int) -> None:
        session = self.sessions.pop(name, None)
        if session is not None:
            for group in (self.owed, self.parked, self.observers):
                group.discard(session)
            self.take(self.bench.left(session))

    def living(self) -> set[int]:
        return self.starting | self.spare | set(self.serving) | self.ending | self.registry

    @rule(data=st.data())
    @precondition(lambda self: self.starting)
    def a_child_is_ready(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.starting)))
        self.starting.remove(number)
        self.spare.add(number)
        self.take(self.bench.ready(number))

    @rule(data=st.data())
    @precondition(lambda self: set(self.serving) - self.retiring)
    def a_locker_retires(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.serving) - self.retiring)))
        self.retiring.add(number)
        epoch = self.serving[number].epoch
        self.take(self.bench.said(number, Retiring(epoch, epoch + 3)))

    @rule(data=st.data())
    @precondition(lambda self: self.living())
    def a_child_dies(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.living())))
        for group in (self.starting, self.spare, self.ending, self.retiring, self.registry):
            group.discard(number)
        self.serving.pop(number, None)
        self.take(self.bench.died(number))

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        if not self.finished:
            self.take(self.bench.wait(seconds))

    @rule(how=st.sampled_from(["stop", "stop now", "term", "fork server"]), rarely=st.integers(0, 4))
    @precondition(lambda self: not self.finished)
    def it_is_told_to_end(self, how: str, rarely: int) -> None:
        if rarely:
            return
        if how == "term":
            self.take(self.bench.incubator.signalled(SIGTERM, self.bench.now))
        elif how == "fork server":
            self.take(self.bench.incubator.fork_server_died(self.bench.now))
        else:
            self.take(self.bench.stop(somebody(50), now=how == "stop now"))

    @invariant()
    def its_tables_are_about_what_is(self) -> None:
        incubator = self.bench.incubator
        staff, lockers, whereabouts = incubator._staff, incubator._lockers, incubator._whereabouts
        waiting = set(whereabouts.requests._by_session)
        assert waiting == self.owed
        assert waiting <= set(whereabouts.clients) <= set(self.sessions.values()) - self.observers
        assert set(staff._observers) == self.observers
        assert set(staff.children) == self.living()
        assert {child.number for child in lockers.pool} == self.spare or self.unlistened
        if incubator._life is not Life.ENDING:
            lockers_to_be = {
                child.number for child in staff.children.values() if child.role == LOCKER and not child.pid
            }
            assert lockers_to_be == self.starting
            assert staff.starting(LOCKER) == len(self.starting)
            assert lockers.serves == {number: assign.resource for number, assign in self.serving.items()}
            assert {key: served.child.number for key, served in lockers.table.items()} == {
                key: number for number, key in lockers.serves.items()
            }
            queues = whereabouts.requests._queues
            assert set(whereabouts.wanted) == {key for key in queues if whereabouts.requests.creator(key)}
            assert not whereabouts.wanted or (self.starting and not lockers.pool)
            assert {session for key in set(queues) - set(whereabouts.wanted) for session in queues[key]} <= self.parked

    @invariant()
    def there_is_always_a_way_on(self) -> None:
        """Who ends waits for a child, or for time."""
        if self.unlistened and not self.finished:
            assert self.bench.incubator._staff.children


TestIncubator = IncubatorMachine.TestCase
