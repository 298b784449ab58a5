"""``holdfast discover``: who answers to a multicast group, and is it one daemon only?

All questions are asked and all answers waited for, so a second daemon is seen that a command, which waits only a moment
after the first answer, may miss. What is found goes to standard output, one line a daemon, the oldest first, which is
the one that commands take.
"""

from __future__ import annotations

import os

import click

from ..transport.endpoints import Tcp
from ..transport.found import NAMED, Found, split_brain
from ..transport.multicast import seek
from ..transport.phrases import counted, limit, span, visible
from ..transport.settings import load
from ..transport.stderr import say
from ..transport.target import target
from .exits import NOBODY, SEVERAL


@click.command()
@click.argument("group", metavar="GROUP[:PORT]")
@click.option("--attempts", metavar="N", help="How often to ask (default: 2).")
@click.option("--timeout", metavar="DURATION", help="How long each question waits for answers (default: 500ms).")
@click.option("--ttl", metavar="N", help="How many routers away a daemon may be, plus 1 (default: 1).")
@click.option("--interface", metavar="NAME", help="The network interface (default: as the routing table says).")
@click.option("-c", "config", metavar="FILE", help="Another configuration file.")
@click.option("-v", "verbose", is_flag=True, help="Tell what is asked, and the identity of who answers.")
def discover(
    group: str,
    attempts: str | None,
    timeout: str | None,
    ttl: str | None,
    interface: str | None,
    config: str | None,
    verbose: bool,
) -> int:
    """Show which daemons answer to a multicast group.

    One: 0. None: 3. More than one: 1, because each of them grants the same locks.
    """
    given = {
        "group": group,
        "discovery_attempts": attempts,
        "discovery_timeout": timeout,
        "discovery_ttl": ttl,
        "network_interface": interface,
    }
    settings = load("holdfast", given, os.environ, config).settings
    asked = target(settings).group
    assert asked is not None
    each = "for ever" if settings.discovery_timeout < 0 else f"for {limit(settings.discovery_timeout)}"
    manner = f"{counted(settings.discovery_attempts, 'question')}, each {each}"
    if verbose:
        say(f"asking {asked.where}: {manner}")
    found = seek(
        asked,
        attempts=settings.discovery_attempts,
        timeout=settings.discovery_timeout,
        ttl=settings.discovery_ttl,
        thorough=True,
    )
    for one in found[:NAMED]:
        click.echo(_line(one, verbose=verbose))
    if len(found) > NAMED:
        click.echo(f"and {len(found) - NAMED} more")
    return _verdict(asked, found, manner)


def _verdict(group: Tcp, found: list[Found], manner: str) -> int:
    if not found:
        say(f"no daemon answers to the group {group.where} ({manner})")
        return NOBODY
    if len(found) > 1:
        say(split_brain(group, found))
        return SEVERAL
    return 0


def _line(found: Found, *, verbose: bool) -> str:
    """One daemon: where it is, how quick its answer was, for how long it has run."""
    told = f"{visible(found.tcp.where)} answered in {found.took * 1000:.1f}ms, runs for {span(found.age)}"
    key = f", key {visible(found.key)}" if found.key else ""
    return told + key + (f", identity {found.daemon.hex()}" if verbose else "")
