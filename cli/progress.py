"""How far many commands are, on a terminal; the only importer of ``tqdm``.

The rule: whoever does not look on pays nothing for it, and sees nothing of it. So the library is not among those that
everybody installs: the nodes of a cluster, where nobody looks on, need none of it. Where it is missing there is no bar.
"""

from __future__ import annotations

from ..transport.waiting import looks_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from tqdm import tqdm


class Progress:
    """A bar on standard error, if that is a terminal and we are in its foreground.

    Args:
        total: how many commands there are; None: nobody knows.
        wanted: whether it may be shown at all.
    """

    def __init__(self, total: int | None, *, wanted: bool = True) -> None:
        self._bar: tqdm[NoReturn] | None = None
        if wanted and looks_on():
            self._bar = _bar(total)

    @property
    def shown(self) -> bool:
        """Is there a bar?"""
        return self._bar is not None

    def step(self) -> None:
        """One more has ended."""
        if self._bar is not None:
            self._bar.update()

    def clear(self) -> None:
        """Take the bar away, until the next one has ended."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        """Leave the bar where it stands, and write below it from now on."""
        if self._bar is not None:
            self._bar.close()


def _bar(total: int | None) -> tqdm[NoReturn] | None:
    from threading import RLock

    try:
        from tqdm import tqdm
    except ImportError:
        return None

    tqdm.set_lock(RLock())  # its own is for several processes, and starts one
    tqdm.monitor_interval = 0  # no thread of its own
    return tqdm(total=total, unit=" commands", dynamic_ncols=True)
