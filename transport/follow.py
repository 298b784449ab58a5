"""Follow a daemon's picture: for a command that shows it once, and for whoever goes on showing it.

The rule: the picture is whole or it is not shown, and its end is told in a sentence. Two connections are kept: one to
the incubator, whose end is the daemon's end, and one to the registry, which may die and come back. Then the incubator
is asked again, and the old picture stays until the new one is whole. A registry that says nothing for too long is given
up by ``Silent``; whoever has something to show meanwhile goes on, and it is tried again every few seconds.

One epoll descriptor stands for both, the same one as long as somebody follows, so it can be waited for beside others.
``update`` waits no longer than it is told to, but for the moment that a connection to a new registry takes.
"""

from __future__ import annotations

import os
import select
from time import monotonic, sleep

from . import discover, identity
from .errors import Unreachable
from .messages import Changes, Echo, Fault, Gone, Located, Mismatch, Observe, Refusal, Refused, Welcome
from .phrases import too_old
from .picture import Picture, Questions, Scene
from .quick import decode, encode
from .target import target
from .wire import ID_SIZE, Message
from .zmtp import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import Settings
    from .zmtp import Wire

PATIENCE = 5.0  # seconds for the daemon's first answer, and for a registry that died to be there again
ENTRY = 1.0  # seconds for a registry to let us in
AGAIN = 0.05  # seconds until the incubator is asked again, if it named a registry that is not there
TRIES = 5  # connections to daemons that are just ending
LIFE = 10.0  # seconds within which a registry tells something, if need be nothing …
SILENCE = LIFE + PATIENCE  # … and after which one that does not is given up
SINCE = 1  # minor version of the protocol in which there is a registry


class Silent(Unreachable):
    """The daemon is there, its registry is not, or does not answer: ``update`` may be called again."""


class Follower:
    """Keeps ``picture`` current.

    Args:
        start: start a daemon if there is none.

    Raises:
        InvalidSetting: no daemon can be there.
        Unreachable: there is none, or it has no picture; the sentence says what to do.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, start: bool = False) -> None:
        self.picture = Picture()
        self._questions = Questions(LIFE)
        self._meant = target(settings)
        self._settings = settings
        self._environ = environ
        self._start = start
        self._registry: Wire | None = None
        self._untold = False  # parts of a change were told, and not all of them yet
        self._asked = True  # where the registry is, and not answered yet
        self._given_up = False  # and said so
        self._met = ""  # on the way to it, over the network
        self._lost_at = self._heard_at = monotonic()
        self._daemon = self._enter_daemon()
        self._epoll = select.epoll()
        self._epoll.register(self._daemon.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when ``update`` has something to do."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Follow no longer; once is enough, twice does no harm."""
        self._epoll.close()
        self._daemon.close()
        if self._registry is not None:
            self._registry.close()

    def update(self, timeout: float | None) -> bool:
        """Take in everything that was told, and wait for something if there is nothing.

        Args:
            timeout: seconds; None: as long as it takes. Before the picture is whole nothing counts as told.

        Returns:
            Whether something has changed.

        Raises:
            Silent: no registry can be reached now; the sentence says where to look.
            Unreachable: the daemon has ended, or cannot be understood.
        """
        until = None if timeout is None else monotonic() + timeout
        while True:
            if self._take_all():
                return True
            now = monotonic()
            self._check_patience(now)
            if until is not None and now >= until:
                return False
            guard = (self._heard_at + SILENCE if self._registry is not None else self._lost_at + PATIENCE) - now
            self._epoll.poll(max(0.0, guard if until is None else min(guard, until - now)))

    def overdue(self, now: float) -> float:
        """Seconds by which a word of the registry is overdue at ``now``: beyond ``LIFE``, or since it was lost."""
        due_at = self._lost_at if self._registry is None else self._heard_at + LIFE
        return max(0.0, now - due_at)

    def _check_patience(self, now: float) -> None:
        told = self._where_to_look()
        if self._registry is None and now - self._lost_at >= PATIENCE:
            self._ask()
            raise self._give_up(f"the daemon's registry has not been there for {PATIENCE:g}s; {self._met or told}")
        if self._registry is not None and now - self._heard_at >= SILENCE:
            self._drop_registry()
            raise self._give_up(f"the daemon's registry has told nothing for {SILENCE:g}s; {told}")

    def _where_to_look(self) -> str:
        if isinstance(self._daemon.place, str):
            return f"{self._meant.place.directory}/daemon.log, unless it logs elsewhere, may say why"
        return f"the log of the daemon at {self._daemon.place}, on its own host, may say why"

    def _give_up(self, sentence: str) -> Silent:
        self._given_up = True
        self._lost_at = monotonic()
        return Silent(sentence)

    # --- the daemon ---------------------------------------------------------------------------------------------------

    def _enter_daemon(self) -> Wire:
        for attempt in range(1, TRIES + 1):
            try:
                wire = self._find()
                try:
                    welcome = self._introduce(wire, PATIENCE, Observe())
                    if welcome.minor < SINCE:
                        raise Unreachable(self._too_old())
                except:
                    wire.close()
                    raise
                return wire
            except Closed:
                if attempt == TRIES:
                    raise
        raise AssertionError("the last attempt has raised")

    def _find(self) -> Wire:
        if self._start:
            return discover.connect(self._settings, self._environ)
        wire = discover.find(self._settings)
        if wire is None:
            raise Unreachable(discover.none_runs(self._meant))
        return wire

    def _too_old(self) -> str:
        return too_old(str(self._meant), "keeps no picture")

    def _introduce(self, wire: Wire, patience: float, then: Message) -> Welcome:
        """Begin a session, and say more in the same breath."""
        wire.send(encode(identity.hello(os.urandom(ID_SIZE), self._environ, nest=False)))
        frame = wire.receive(patience)
        if frame is None:
            raise Unreachable(f"what listens at {wire.path} has not answered for {patience:g}s")
        message = decode(frame)
        if not isinstance(message, Welcome):
            raise Unreachable(message.sentence if isinstance(message, Mismatch | Fault) else f"it said {message}")
        wire.send(encode(Echo(message.nonce)), encode(then))
        return message

    # --- what is told -------------------------------------------------------------------------------------------------

    def _take_all(self) -> bool:
        """Take in everything that is there; say whether the picture has changed."""
        changed = self._take_from_registry()
        try:
            while (frame := self._daemon.receive(0)) is not None:
                changed |= self._heard_from_daemon(decode(frame))
        except Closed:
            raise Unreachable("the daemon has ended") from None
        return changed

    def _heard_from_daemon(self, message: Message) -> bool:
        match message:
            case Located():
                self._asked = False
                return self._enter_registry(message.address) and self._take_from_registry()
            case Refused(why=Refusal.EXHAUSTED):
                self._asked = False
                raise self._give_up(message.sentence)
            case Refused() | Mismatch():
                raise Unreachable(message.sentence)
            case Fault():
                raise Unreachable(self._too_old())
            case Gone():
                raise Unreachable("the daemon has ended")
            case _:
                raise Unreachable(f"the daemon at {self._meant} did not answer as one would; restart it")

    def _enter_registry(self, name: str) -> bool:
        """Connect to the registry that the incubator named; ask again if it is not there."""
        place = self._daemon.beside(name)
        try:
            wire = discover.enter(place, ENTRY)
            try:
                self._introduce(wire, ENTRY, self._questions.ask(0, monotonic()))
            except:
                wire.close()
                raise
        except OSError as error:  # Unreachable is one
            if not isinstance(place, str):
                from .absent import absent

                self._met = absent("it is", place, error)
            if not self._given_up:
                sleep(AGAIN)
                self._ask()
            return False
        self._registry = wire
        self._met = ""
        self._given_up = False
        self._heard_at = monotonic()
        self._epoll.register(wire.fileno(), select.EPOLLIN)
        return True

    def _take_from_registry(self) -> bool:
        changed = False
        try:
            while self._registry is not None and (frame := self._registry.receive(0)) is not None:
                changed |= self._apply(decode(frame), self._registry)
        except Closed:
            self._drop_registry()
            self._lost_at = monotonic()
            self._ask()
        return changed

    def _apply(self, message: Message, registry: Wire) -> bool:
        if not isinstance(message, Changes):
            raise Unreachable(f"the registry did not answer as one would, but said {message}")
        self._heard_at = monotonic()
        registry.send(encode(self._questions.after(message, self._heard_at)))
        self.picture.apply(message, self._heard_at)
        told = (message.claims, message.resources, message.tallies, message.members, message.gone)
        self._untold |= message.fresh or any(told)
        if message.more or not self._untold:
            return False
        self._untold = False
        return True

    def _drop_registry(self) -> None:
        assert self._registry is not None
        self._registry.close()
        self._registry = None

    def _ask(self) -> None:
        """Ask the incubator where the registry is, unless it has been asked and has not answered."""
        if not self._asked:
            self._asked = True
            self._daemon.send(encode(Observe()))


def snapshot(settings: Settings, environ: Mapping[str, str]) -> Scene:
    """The whole picture as it is now.

    Raises:
        InvalidSetting, Unreachable: as ``Follower`` and its ``update``.
    """
    follower = Follower(settings, environ)
    try:
        follower.update(None)
        return follower.picture.scene()
    finally:
        follower.close()
