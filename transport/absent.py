"""What is said of a process that is not where its daemon says.

The rule: it is said where that is and what was met there. On this machine such a process has just ended. On the network
it may as well be that only the daemon's own port leads there (``ssh -L``, a router, a firewall), while lockers and the
registry have ports of their own: so it is asked whether that one does, too.
"""

from __future__ import annotations

from .errors import Unreachable
from .zmtp import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .peers import Peer


def absent(what: str, place: str | Peer | None, met: OSError) -> str:
    """Say that ``what`` is at ``place``, and what ``met`` whoever wanted to go there; None: it was not yet named."""
    if place is None:
        return str(met)
    if isinstance(met, Unreachable) and not isinstance(met, Closed) and not _unanswered(place, met):
        return str(met)  # somebody is there, and why he does not let us in is nothing that a port could mend
    if isinstance(met, FileNotFoundError | ConnectionRefusedError):
        told = "where nobody listens"
    elif isinstance(met, Closed):
        told = "where every connection ends at once"
    else:
        told = f"which cannot be reached: {met.strerror or met}"
    asks = "" if isinstance(place, str) else "; is that port forwarded (--locker-ports)?"
    return f"{what} at {place}, {told}{asks}"


def _unanswered(place: str | Peer, met: Unreachable) -> bool:
    if isinstance(place, str):
        return False
    from .peers import Unanswered  # with what nobody needs who stays on this machine

    return isinstance(met, Unanswered)
