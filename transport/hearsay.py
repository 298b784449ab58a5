"""Which answers to the question for a group's daemon can be true.

The rule: an answer comes from whoever wants to send one, so nothing in it is taken further than it can be checked. It
names a port, a plausible age and, where it does not come from the daemon's own address, the literal address of one
host: a name would let a stranger have us ask the resolver. An address that means another host to everybody (loopback)
counts only from this host; of another one's we would take whatever listens at ours.

Source: ``docs/protocol.md``, Discovery; RFC 1122 3.2.1.3 (127/8), RFC 4291 2.5.3 (::1).
"""

from __future__ import annotations

from .endpoints import HIGHEST_PORT, Tcp, is_loopback, is_ours, is_unicast, resolve
from .messages import Here

LONGEST_LIFE = 100 * 365.25 * 86400.0  # seconds; no daemon runs for longer


def credible(here: Here, source: str) -> bool:
    """Whether ``here``, which came from the host ``source``, counts as an answer.

    Args:
        source: a literal address; a link-local one with ``%`` and our interface.
    """
    if not 0 < here.port <= HIGHEST_PORT:
        return False
    if not here.age <= LONGEST_LIFE:
        return False
    if not here.address:
        return True
    if not is_unicast(here.address):
        return False
    return not is_loopback((here.address,)) or _is_this_host(source)


def _is_this_host(source: str) -> bool:
    host, _, interface = source.partition("%")
    return any(is_ours(family, sockaddr) for family, sockaddr in resolve(Tcp(host, 0, interface)))
