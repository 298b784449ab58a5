"""How one command after another is started, when what is the same for all of them has been found out once.

The rule: each is started as ``child.start`` would do it, which is asked whenever anything is unusual. What is
remembered is where on the PATH a word was found, as a shell does: a file that is put into an earlier folder meanwhile
is not seen; one that was taken away is looked for again.

Searching the PATH anew costs a system call for each of its folders, and the environment one conversion for each of its
variables: together a tenth of what a short command takes.
"""

from __future__ import annotations

import os
from time import sleep

from .child import IGNORED_BY_PYTHON, environment, on_the_path, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..transport.client import Lock
    from .child import Signals

AGAIN = 0.01  # seconds until a descriptor is asked for again where none was left


class Starter:
    """Starts the commands of one lock.

    Args:
        environ: what all of them find in their environment, but for what the lock adds.
        signals: our own, which they do not inherit.
        lock: under which they run.
    """

    def __init__(self, environ: Mapping[str, str], signals: Signals, lock: Lock) -> None:
        self._lock = lock
        self._signals = signals
        self._environ = {**environ, **environment(lock)}
        self._variables = {os.fsencode(name): os.fsencode(value) for name, value in self._environ.items()}
        self._found: dict[str, str] = {}

    def start(self, words: list[str]) -> int:
        """Start the command under the lock as it was granted now, and return its pid.

        Raises:
            NotRunnable: it is not there, or not executable.
        """
        token, element = str(self._lock.token), self._lock.element
        path = self._path(words[0])
        if path:
            self._variables[b"HOLDFAST_TOKEN"] = token.encode()
            self._variables[b"HOLDFAST_ELEMENT"] = os.fsencode(element)
            try:
                return os.posix_spawn(
                    path, words, self._variables, setsigmask=self._signals.original, setsigdef=IGNORED_BY_PYTHON
                )
            except OSError:
                self._found.pop(words[0], None)
        environ = {**self._environ, "HOLDFAST_TOKEN": token, "HOLDFAST_ELEMENT": element}
        return start(words, environ, self._signals)

    def _path(self, word: str) -> str:
        """The file that ``word`` means; "" if there is none."""
        if "/" in word:
            return word
        path = self._found.get(word, "")
        if not path:
            path = on_the_path(word)
            if path:
                self._found[word] = path
        return path


def descriptor_of(pid: int) -> int | None:
    """What tells when ``pid`` has ended; None: it has, and until then there was none left.

    Whatever is short here, the command runs and must have its lock until it ends.
    """
    while True:
        try:
            return os.pidfd_open(pid)
        except OSError:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return None
        sleep(AGAIN)
