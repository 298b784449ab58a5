"""Everything that can go wrong, named by whose act it was.

::

    HoldfastError
    ├── UsageError (ValueError)          you asked for something that has no meaning
    │   ├── InvalidName                  a resource name outside the grammar
    │   └── InvalidSetting               an option, a variable or a line of a file
    ├── NotGranted                       the lock is not yours, and nothing is broken
    │   ├── Busy                         held by others, and you would not wait
    │   ├── TimedOut (TimeoutError)      you waited as long as you said
    │   ├── Impossible                   can never be granted (8 of 5 units)
    │   ├── NoSuchResource               you asked not to create it, and would not wait
    │   └── Deadlock                     granting it would need yourself to let go first
    ├── LockLost                         it was yours and is no more; ``.cause`` says why
    ├── Unreachable (ConnectionError)    no daemon there, or it went away while we waited
    │   └── LockerDied                   the resource's own process died
    ├── ProtocolError
    │   ├── LocalProtocolError           our caller broke the protocol
    │   └── RemoteProtocolError          the other side did
    └── InternalError                    our bug; please report

An error carries its facts as attributes and builds its sentence in ``__str__``; it can be pickled. It is raised at the
lowest place that knows the sentence and caught at the highest that can act. Exit numbers are not here: ``cli/exits.py``
has the only table.
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Whatever Holdfast itself has to say. Every other exception is a bug of ours or of the caller's.

    Args:
        sentence: for a person: whose fault, what, and what to do.
        resource: the resource it is about, "" if none.
    """

    def __init__(self, sentence: str = "", *, resource: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.resource = resource

    def __str__(self) -> str:
        return self.sentence or type(self).__name__

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[HoldfastError], facts: dict[str, object]) -> HoldfastError:
    """Make an error again from its facts, however many its constructor asks for."""
    error = kind.__new__(kind)
    Exception.__init__(error, facts.get("sentence", ""))
    error.__dict__.update(facts)
    return error


class UsageError(HoldfastError, ValueError):
    """You asked for something that has no meaning."""


class InvalidName(UsageError):
    """A resource name outside the grammar of ``names.py``."""


class InvalidSetting(UsageError):
    """An option, an environment variable or a line of a configuration file.

    Args:
        file: the configuration file it was found in, "" if in none.
        group: the group of that file, "" if the file could not be read at all.
        key: the key in that group, "" if the group itself is missing or unknown; without a file, the setting's name.
    """

    def __init__(
        self, sentence: str = "", *, resource: str = "", file: str = "", group: str = "", key: str = ""
    ) -> None:
        super().__init__(sentence, resource=resource)
        self.file = file
        self.group = group
        self.key = key


class NotGranted(HoldfastError):
    """The lock is not yours, and nothing is broken."""


class Busy(NotGranted):
    """Held by others, and you would not wait."""


class TimedOut(NotGranted, TimeoutError):
    """You waited as long as you said."""


class Impossible(NotGranted):
    """Can never be granted, however long you wait."""


class NoSuchResource(NotGranted):
    """You asked not to create it, and would not wait for somebody who does."""


class Deadlock(NotGranted):
    """Granting it would need yourself to let go first."""


class LockLost(HoldfastError):
    """It was yours and is no more.

    Args:
        cause: why, in a few words ("the daemon was stopped").
    """

    def __init__(self, sentence: str = "", *, resource: str = "", cause: str = "") -> None:
        super().__init__(sentence, resource=resource)
        self.cause = cause


class Unreachable(HoldfastError, ConnectionError):
    """No daemon there, or it went away while we waited."""


class LockerDied(Unreachable):
    """The resource's own process died; its name is refused until the daemon is stopped."""


class ProtocolError(HoldfastError):
    """The words themselves were wrong."""


class LocalProtocolError(ProtocolError):
    """Our caller broke the protocol."""


class RemoteProtocolError(ProtocolError):
    """The other side broke the protocol."""


class InternalError(HoldfastError):
    """Our bug; please report it."""
