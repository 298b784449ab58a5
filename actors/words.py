"""What an actor says to a person: no more than a message can carry, and nothing that obeys a terminal."""

from __future__ import annotations

from ..transport.messages import Hello
from ..transport.phrases import person_at_work, visible
from .told import ON_ITS_WAY, curtailed, cut

STOPPED = "the daemon was stopped"
LONGEST_SENTENCE = 3000  # bytes; a message may carry 4,096 in one field


def person_in_words(who: Hello | None, key: str = "") -> str:
    """A session on one line: ``alice on node1, pid 4711 (make -j4), job 17``; None: it is not here yet."""
    return person_at_work(curtailed(who or ON_ITS_WAY), key)


def sentence(text: str) -> str:
    """``text`` as it may be said, not too long whatever the names and reasons in it."""
    return cut(visible(text), LONGEST_SENTENCE)
