"""Find the daemon, and start it if nobody has.

The rule: whatever happens at once, one daemon is started. Who finds none takes the lock of the file ``starting`` in the
daemon's directory, tries to connect again, and only then starts one, holding the lock until it is ready; a daemon that
nobody has started so (``holdfast serve``) holds it itself. While somebody else holds it, we keep trying to connect,
also where we may start none: 200 commands at once cost one start. If the one that we started did not become the daemon,
because another was faster, that one is taken. What lies at the socket's path and is no socket is never touched.

A daemon on the network is looked for at all addresses of its endpoint, or by its group. It is started only here, so
only if an address of the endpoint is this host's; after that it is looked for once more, as by everybody else. If
somebody else has started one for the same group at the same moment, and everybody takes that one, we end ours. FLoM's
is open to everybody in the network, ours is not started so: there keys are needed, or a person's word.
"""

from __future__ import annotations

import os
import stat
from errno import EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH
from time import monotonic, sleep

from . import addresses, identity
from .addresses import Address
from .errors import Unreachable
from .messages import inf
from .stderr import say
from .target import Target, target
from .wire import ID_SIZE
from .zmtp import Closed, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .endpoints import Tcp
    from .found import Found
    from .keys import ClientKeys
    from .peers import Peer
    from .settings import Settings

START = 30.0  # seconds for somebody else to start one
AGAIN = 0.05  # seconds until we try again while somebody else starts one
NOT_FOR_US = (EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH)  # an address of a family that this host does not use


def connect(
    settings: Settings, environ: Mapping[str, str], patience: float = inf, met: str | Peer | None = None
) -> Wire:
    """A connection to the incubator of the daemon that ``settings`` mean; it is started if need be.

    Args:
        met: where we waited before the connection broke. While nobody refuses us there, no other daemon of a group will
            do: that one may only be cut off, and grants what another one would grant, too.
        patience: seconds for one that is there to greet us, or for somebody else to start one. If it is we who start
            it, that takes as long as it takes; so does the search in a group.

    Raises:
        InvalidSetting: no daemon can be there.
        Closed: the connection ended at once: a daemon that is ending. Try again.
        Unreachable: there is no daemon, and none may be or could be started; the sentence says what to do.
    """
    meant = target(settings)
    wire = None if met is None or isinstance(met, str) else _find_again(met, patience)
    wire = wire or _find(meant, settings, patience)
    if wire is not None:
        return wire
    if not addresses.has_been_started(meant.place):
        check_startable(settings)
    addresses.prepare(meant.place)
    return _start_or_wait(meant, settings, environ, min(START, patience))


def find(settings: Settings, patience: float = inf) -> Wire | None:
    """A connection to the daemon that ``settings`` mean; None if there is none.

    Args:
        patience: as that of ``Wire``.

    Raises:
        InvalidSetting: no daemon can be there.
        Closed: the connection ended at once: a daemon that is ending.
        Unreachable: something else is there, or it does not answer.
    """
    return _find(target(settings), settings, patience)


def enter(place: str | Peer, patience: float = inf, directory: str = "") -> Wire:
    """A connection to a process of a daemon; the arguments and errors are those of ``Wire``."""
    if not isinstance(place, str) and place.keys is not None:
        from . import curve  # libzmq: 25 ms that only those pay who have keys

        return curve.Wire(place, patience)
    return Wire(place, patience, directory)


def check_startable(settings: Settings) -> None:
    """Make sure that a daemon may be started where ``settings`` look for one.

    Raises:
        Unreachable: it may not; the sentence says that there is none, and what to do.
    """
    meant = target(settings)
    if settings.lifespan == 0 or not settings.autostart:
        raise Unreachable(f"{none_runs(meant)}, and none may be started here; start one with: {_by_hand(meant)}")
    if settings.curve_server is not None and (meant.tcp or meant.group):
        raise Unreachable(
            f"{none_runs(meant)}, and only who has its keys can start it: "
            f"{_by_hand(meant)} --curve-key FILE --curve-clients DIR"
        )
    _check_ours(meant, flom=settings.comm == "flom")


def none_runs(meant: Target) -> str:
    """What is said when nobody is there."""
    if meant.tcp is None and meant.group is not None:
        return f"no daemon answers to {meant}"
    return f"no daemon is running at {meant}"


def _by_hand(meant: Target) -> str:
    if meant.tcp is not None:
        return f"holdfast serve --bind {meant.tcp}"
    if meant.group is not None:
        return f"holdfast serve --discover {meant.group.where}"
    return "holdfast serve" if meant.place.run_dir else f"holdfast serve --socket {meant.place.socket}"


# --- who is there -----------------------------------------------------------------------------------------------------


def _find(meant: Target, settings: Settings, patience: float) -> Wire | None:
    if meant.tcp is not None:
        return _find_there(meant.tcp, settings, patience)
    if meant.group is not None:
        return _find_in_group(meant.group, settings, patience)
    return find_here(meant.place, patience)


def _find_again(met: Peer, patience: float) -> Wire | None:
    """The daemon that we met there, or whoever follows it; None if its host says that nobody does.

    It may have been given up for dead just now: it is waited for no longer than that took.
    """
    try:
        return enter(met, min(patience, met.keepalive.unacknowledged / 1000))
    except ConnectionRefusedError:
        return None
    except Unreachable:
        raise
    except OSError as error:
        raise Unreachable(f"the daemon at {met}, where we waited, cannot be reached: {error.strerror}") from error


def find_here(place: Address, patience: float = inf) -> Wire | None:
    """As ``find``, by the UNIX socket of a daemon on this host, wherever else it listens."""
    if place.run_dir and not addresses.check_directory(place.run_dir):
        return None
    try:
        return Wire(place.socket, patience, place.directory)
    except FileNotFoundError:
        return None
    except ConnectionRefusedError as error:
        _check_socket(place.socket, error)
        return None
    except Unreachable:
        raise
    except OSError as error:
        raise Unreachable(f"cannot connect to {place.socket}: {error.strerror}") from error


def _check_socket(path: str, refused: ConnectionRefusedError) -> None:
    """A dead daemon's socket refuses connections; so does whatever is no socket, and that is not ours to replace."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise Unreachable(
            f"{path} is not a socket; it was left as it is: remove it, or choose another path"
        ) from refused


def _find_there(tcp: Tcp, settings: Settings, patience: float) -> Wire | None:
    """The first address that lets us in; None if all that lead anywhere refuse."""
    from .endpoints import resolve
    from .peers import Keepalive, Peer

    keepalive = Keepalive(settings.tcp_keepalive_time, settings.tcp_keepalive_intvl, settings.tcp_keepalive_probes)
    keys = _keys(settings)
    until = monotonic() + patience
    refused, failed = False, None
    for family, sockaddr in resolve(tcp):
        try:
            return enter(Peer(family, sockaddr, keepalive, keys), until - monotonic())
        except ConnectionRefusedError:
            refused = True
        except Closed:
            raise
        except OSError as error:  # Unreachable is one
            if failed is None or failed.errno in NOT_FOR_US:
                failed = error
    if failed is None or (refused and failed.errno in NOT_FOR_US):
        return None
    if isinstance(failed, Unreachable):
        raise failed
    raise Unreachable(f"cannot connect to {tcp}: {failed.strerror}") from failed


def _keys(settings: Settings) -> ClientKeys | None:
    if settings.curve_key is None and settings.curve_server is None:
        return None
    from .keys import client_keys

    return client_keys(settings.curve_key, settings.curve_server)


def _find_in_group(group: Tcp, settings: Settings, patience: float) -> Wire | None:
    """The eldest daemon that answers."""
    from .found import several

    found = _seek(group, settings)
    if len(found) > 1:
        say(f"{several(group, found)}; the oldest is taken, {found[0].tcp}")
    return _enter_found(group, found[0], settings, patience) if found else None


def _seek(group: Tcp, settings: Settings) -> list[Found]:
    """Who answers, the eldest first. It is not cut short: who asked too briefly would start a second daemon."""
    from .multicast import seek

    keys = _keys(settings)
    found = seek(
        group,
        attempts=settings.discovery_attempts,
        timeout=settings.discovery_timeout,
        ttl=settings.discovery_ttl,
    )
    if keys is None:
        return found
    # Who is in the network can answer for a daemon, but not with its key.
    return [one for one in found if one.key == keys.server.decode()] or found


def _enter_found(group: Tcp, found: Found, settings: Settings, patience: float) -> Wire:
    wire = _find_there(found.tcp, settings, patience)
    if wire is None:
        raise Closed(f"the daemon of the group {group.where} answers, but lets nobody in at {found.tcp}")
    return wire


# --- a new one --------------------------------------------------------------------------------------------------------


def _check_ours(meant: Target, *, flom: bool) -> None:
    """Make sure that a daemon that we start could be where it is looked for, and would not be open to everybody."""
    if meant.tcp is None and meant.group is None:
        return
    from .endpoints import address_to_bind, is_loopback

    ours = address_to_bind(meant.tcp) if meant.tcp is not None else None
    if meant.tcp is not None and ours is None:
        raise Unreachable(
            f"{none_runs(meant)}, and that is no address of this host, where one could be started; "
            f"start one there with: {_by_hand(meant)}"
        )
    if not flom and not (ours and is_loopback(ours[1])):
        raise Unreachable(
            f"{none_runs(meant)}, and one that is open to the network is not started unasked; "
            f"start one with keys, or --insecure: {_by_hand(meant)}"
        )


def _start_or_wait(meant: Target, settings: Settings, environ: Mapping[str, str], patience: float) -> Wire:
    """Connect to the daemon that somebody else is starting, or start it, if we may."""
    file = addresses.open_starting(meant.place.directory)
    try:
        until = monotonic() + patience
        while True:
            first = _take(file)
            wire = _find_started(meant, settings, until - monotonic())
            if wire is not None:
                return wire
            if first:
                check_startable(settings)
                return _start(meant, settings, environ)
            if monotonic() > until:
                raise Unreachable(f"somebody has been starting the daemon at {meant} for {patience:.2g}s in vain")
            sleep(AGAIN)
    finally:
        os.close(file)


def _find_started(meant: Target, settings: Settings, patience: float) -> Wire | None:
    """The daemon, if somebody has started it meanwhile. A group is not searched again before it has its place here."""
    if meant.tcp is None and meant.group is not None:
        here = find_here(meant.place, patience)
        if here is None:
            return None
        here.close()
    return _find(meant, settings, patience)


def _take(file: int) -> bool:
    from fcntl import LOCK_EX, LOCK_NB, flock  # only who finds no daemon pays for it

    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start(meant: Target, settings: Settings, environ: Mapping[str, str]) -> Wire:
    from . import launch  # subprocess costs 10 ms that only who starts a daemon pays

    ours = os.urandom(ID_SIZE)

    def command(pipe: int) -> list[str]:
        return launch.daemon_command(meant, settings, pipe, ours)

    said = ""
    if identity.job(environ):
        said = launch.launch(command, environ, ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"])
        if not said:
            say(
                "the daemon is started inside this batch job and ends with it, even if other jobs still need it "
                "(HOLDFAST_AUTOSTART=no refuses that)"
            )
    said = said or launch.launch(command, environ)
    if said == "ready" and meant.tcp is None and meant.group is not None:
        wire = _agree(meant.place, meant.group, settings, environ, ours)
    else:
        wire = _find_started(meant, settings, inf)
    if wire is not None:  # ours; or that of somebody else, who was faster and has the directory, or the port
        return wire
    if said != "ready":
        raise Unreachable(said or f"the daemon ended before it was ready; to see why: {_by_hand(meant)}")
    raise Closed(f"the daemon at {meant} ended as soon as it was ready")


def _agree(place: Address, group: Tcp, settings: Settings, environ: Mapping[str, str], ours: bytes) -> Wire | None:
    """The eldest daemon of the group after we have started one; ours ends if it is another one. None: nobody answers.

    Ours has no clients but those who would not find the other one, so it ends when they have left.
    """
    found = _seek(group, settings)
    if not found:
        return None
    if found[0].daemon != ours:
        from .question import ask_to_stop

        where = found[0].tcp.where
        say(f"another daemon of the group {group.where}, at {where}, is taken; the one that was started here ends")
        here = find_here(place)
        if here is not None:
            ask_to_stop(here, environ, now=False)
            here.close()
    return _enter_found(group, found[0], settings, inf)
