"""The options of ``run``, and of ``flom``: what a table of them is, and the reader of a line in which nothing is wrong.

The rule: one table drives two readers. Where nothing is wrong and nobody asks for help, ``read`` needs 0.1 ms for what
costs click 20 ms before it has begun. Whatever it does not know for certain it does not judge: the same words are then
click's, whose options are made of the same table (``parameters.py``), and a test gives both of them every form that an
option can have.
"""

from __future__ import annotations

from ..transport.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    Value = str | bool | tuple[str, ...] | None
    Known = dict[str, "Option"]


class Option(Frozen):
    """One of them; without a ``metavar`` it is a flag."""

    words: tuple[str, ...]  # that call for it, as -r and --resource
    name: str  # of what it sets
    help: str
    metavar: str = ""  # what its value is called
    default: str | None = None
    repeated: bool = False  # every value counts, not the last one alone

    def __new__(  # the same as that of Frozen, in an eighth of its time: a command makes 70 of them
        cls,
        words: tuple[str, ...],
        name: str,
        help: str,
        metavar: str = "",
        default: str | None = None,
        repeated: bool = False,
    ) -> Self:
        return tuple.__new__(cls, (words, name, help, metavar, default, repeated))


DAEMON = (  # which daemon is meant; the name is the setting's
    Option(("--socket",), "socket", "The daemon's socket.", "PATH"),
    Option(("--endpoint",), "endpoint", "Where the daemon listens on the network.", "tcp://HOST:PORT"),
    Option(("--discover",), "group", "The multicast group that it answers.", "GROUP[:PORT]"),
    Option(("--curve-key",), "curve_key", "Your secret key, if it wants keys on the network.", "FILE"),
    Option(("--curve-server",), "curve_server", "Its public key, or the file that holds it.", "KEY|FILE"),
)

RUN = (
    Option(("-r", "--resource"), "name", "The resource to lock.", "NAME"),
    Option(("-l", "--mode"), "mode", "NL, CR, CW, PR, PW or EX (the default).", "MODE"),
    Option(("-s",), "shared", "Shared: the same as --mode PR."),
    Option(("-x",), "exclusive", "Exclusive: the same as --mode EX."),
    Option(("-q", "--quantity"), "quantity", "How many units of a numeric resource.", "N"),
    Option(("-t", "--timeout"), "timeout", "How long to wait at most: 0, 1.5, 200ms, 2m, forever.", "DURATION"),
    Option(("-n", "--no-wait"), "no_wait", "The same as --timeout 0."),
    Option(("--no-create",), "no_create", "Wait until somebody else creates the resource."),
    Option(("--idle",), "idle", "How long the resource outlives its last client (default 2 s).", "DURATION"),
    Option(("--order",), "order", "Who is next: fifo (the default) or first-fit.", "ORDER"),
    Option(("--reason",), "reason", "Tell those who wait why you hold it.", "TEXT"),
    Option(("-E", "--conflict-exit-code"), "conflict_exit_code", "Exit code when busy or timed out (default 98).", "N"),
    Option(("--no-nest",), "no_nest", "Do not share what a command around this one holds."),
    Option(("--replace",), "replace", "The argument that stands for the element (default {}).", "STR", "{}"),
    Option(("--on-lost",), "on_lost", "What becomes of the command when the lock is lost (default run).", "run|kill"),
    Option(("--hold",), "hold", "Whose end frees the lock (default wrapper).", "wrapper|command|tree"),
    *DAEMON,
    Option(("--lifespan",), "lifespan", "How long a daemon started here outlives its clients; 0: none.", "DURATION"),
    Option(("-c",), "config", "Another configuration file.", "FILE"),
    Option(("-v",), "verbose", "Tell what happens."),
    Option(("--explain",), "explain", "Say whether the lock would be granted now, and take nothing."),
)


def read(
    options: Sequence[Option], words: Sequence[str], *, anywhere: bool = False
) -> tuple[dict[str, Value], tuple[str, ...]] | None:
    """Read a command line.

    Args:
        anywhere: an option may also stand behind words that are none.

    Returns:
        The values of all options by their names, first those that were given, in their order; and the words that are
        no options. None: something is wrong, or asked for that is not in the table.
    """
    known = {word: option for option in options for word in option.words}
    given: dict[str, Value] = {}
    rest: list[str] = []
    coming = iter(words)
    for word in coming:
        if word == "--":
            rest += coming
        elif word == "-" or not word.startswith("-"):
            rest.append(word)
            if not anywhere:
                rest += coming
        elif not _take(word, coming, known, given):
            return None
    unsaid = {option.name: _unsaid(option) for option in options if option.name not in given}
    return {**given, **unsaid}, tuple(rest)


def _take(word: str, coming: Iterator[str], known: Known, given: dict[str, Value]) -> bool:
    """Read one word of options, and the next one if that is its value; False: it is for somebody else to judge."""
    if word.startswith("--"):
        name, equals, text = word.partition("=")
        option = known.get(name)
        if option is None or (equals and not option.metavar):
            return False
        return _set(option, text if equals else None, coming, given)
    for place in range(1, len(word)):
        option = known.get(f"-{word[place]}")
        if option is None:
            return False
        if option.metavar:
            return _set(option, word[place + 1 :] or None, coming, given)
        given[option.name] = True
    return True


def _set(option: Option, text: str | None, coming: Iterator[str], given: dict[str, Value]) -> bool:
    """Take the value of ``option``: that which stands in its word, else the next word. False: there is none."""
    if not option.metavar:
        given[option.name] = True
        return True
    value = next(coming, None) if text is None else text
    if value is None:
        return False
    before = given.get(option.name, ())
    given[option.name] = (*before, value) if option.repeated and isinstance(before, tuple) else value
    return True


def _unsaid(option: Option) -> Value:
    if option.repeated:
        return ()
    return option.default if option.metavar else False
