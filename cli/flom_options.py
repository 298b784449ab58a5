"""``flom``'s options and files into settings, and everything that FLoM objects to on the way.

The rule: click parses the command line, ``transport/settings.py`` reads the values, and what either refuses is told in
FLoM's words, in FLoM's order: the line itself, the files, single values (``configured``), and, once they have been
dumped, how they go together (``consistent``).

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import click

from ..transport import names
from ..transport.addresses import address
from ..transport.errors import InvalidName, InvalidSetting, UsageError
from ..transport.frozen import altered
from ..transport.messages import Mode
from ..transport.names import Kind
from ..transport.settings import Loaded, Settings, load
from ..transport.values import MIN_DISCOVERY
from .flom_texts import (
    DISCOVERY_TOO_SHORT,
    LOCAL_OR_NETWORK,
    MODE_IGNORED,
    PEER_ID_WITHOUT_TLS,
    QUANTITY_IGNORED,
    Told,
    complain,
    failed,
    warn,
)

Function = TypeVar("Function", bound=Callable[..., object])
Given = Mapping[str, str | int | bool | tuple[str, ...] | None]

INT = 1 << 31  # C's int ends before it
NUMBERS = {  # the keys of a file that are whole numbers
    *("Timeout", "Quantity", "IdleLifespan", "Lifespan", "UnicastPort", "MulticastPort", "DiscoveryAttempts"),
    *("DiscoveryTimeout", "DiscoveryTTL", "TcpKeepaliveTime", "TcpKeepaliveIntvl", "TcpKeepaliveProbes"),
}
REFUSED_VALUES = {  # setting → the name FLoM gives it, and whether it says so on stdout
    "mode": ("lock-mode", False),
    "create": ("resource-create", True),
    "tls_check_peer_id": ("tls-check-peer-id", True),
    "append_trace_file": ("append-trace-file", False),
}
TLS_FILES = ("tls_certificate", "tls_private_key", "tls_ca_certificate")


# --- the command line -------------------------------------------------------------------------------------------------


def number_from_text(text: str) -> int:
    """Read a whole number as C does: decimal, ``0x`` hexadecimal, ``0`` octal."""
    word = text.strip().lower()
    digits = word.lstrip("+-")
    if "_" in word:
        raise ValueError(text)
    return int(word, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)


def _number(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        number = number_from_text(text)
    except ValueError:
        raise click.BadParameter(f'Cannot parse integer value "{text}" for {option.opts[0]}') from None
    if not -INT <= number < INT:
        raise click.BadParameter(f'Integer value "{text}" for {option.opts[0]} out of range')
    return number


def _text(*names: str, metavar: str, help: str) -> Callable[[Function], Function]:
    return click.option(*names, metavar=metavar, help=help)


def _int(*names: str, help: str) -> Callable[[Function], Function]:
    return click.option(*names, metavar="N", callback=_number, help=help)


def _flag(*names: str, help: str) -> Callable[[Function], Function]:
    return click.option(*names, is_flag=True, help=help)


YES_NO = "yes|no"
OPTIONS = (  # the name without dashes is the setting's, or a parameter of the command
    click.help_option("-h", "--help", help="Show these options."),
    _flag("-v", "--version", "version", help="Show what this is."),
    _flag("-V", "--verbose", "verbose", help="Show every setting, and the element that is granted."),
    _text("-c", "--config-file", "config", metavar="FILE", help="A configuration file, read after ~/.flom."),
    _text("-r", "--resource-name", "name", metavar="NAME", help="The resource to lock."),
    _int("-o", "--resource-timeout", "timeout", help="Milliseconds to wait; 0: do not wait; -1: for ever (default)."),
    _int("-q", "--resource-quantity", "quantity", help="How many units of a numeric resource."),
    _text("-e", "--resource-create", "create", metavar=YES_NO, help="Create the resource if it does not exist."),
    _int("-i", "--resource-idle-lifespan", "idle", help="Milliseconds (and 1000) that it outlives its last client."),
    _text("-l", "--lock-mode", "mode", metavar="MODE", help="NL, CR, CW, PR, PW or EX (default)."),
    _text("-s", "--socket-name", "socket", metavar="PATH", help="The daemon's socket."),
    _int("-d", "--daemon-lifespan", "lifespan", help="Milliseconds; 0: start no daemon; -1: it never ends."),
    _text("-a", "--unicast-address", "unicast_address", metavar="HOST", help="The daemon's address."),
    _int("-p", "--unicast-port", "unicast_port", help="The port at that address."),
    _text("-A", "--multicast-address", "multicast_address", metavar="IP", help="Find the daemon by this group."),
    _int("-P", "--multicast-port", "multicast_port", help="The port of that group."),
    _text("-m", "--mount-point-vfs", "mount_point", metavar="DIR", help="Where a daemon started here shows the locks."),
    _text("-n", "--network-interface", "network_interface", metavar="NAME", help="The interface for IPv6."),
    _int("-D", "--discovery-attempts", "discovery_attempts", help="How often to ask for a daemon."),
    _int("-I", "--discovery-timeout", "discovery_timeout", help="Milliseconds to wait for each answer."),
    _int("--discovery-ttl", "discovery_ttl", help="How many routers away it may be."),
    _int("--tcp-keepalive-time", "tcp_keepalive_time", help="Seconds of silence before a peer is probed."),
    _int("--tcp-keepalive-intvl", "tcp_keepalive_intvl", help="Seconds between two probes."),
    _int("--tcp-keepalive-probes", "tcp_keepalive_probes", help="Unanswered probes until it counts as dead."),
    _text("--tls-certificate", "tls_certificate", metavar="FILE", help="Not offered."),
    _text("--tls-private-key", "tls_private_key", metavar="FILE", help="Not offered."),
    _text("--tls-ca-certificate", "tls_ca_certificate", metavar="FILE", help="Not offered."),
    _text("--tls-check-peer-id", "tls_check_peer_id", metavar=YES_NO, help="Not offered."),
    click.option(
        *("--ignore-signal", "ignored_signals"),
        multiple=True,
        metavar="SIGNAL",
        help="Ends neither us nor the command; may be given several times.",
    ),
    _flag("--signal-list", "signal_list", help="Show what may follow --ignore-signal."),
    _text("-t", "--daemon-trace-file", "daemon_trace_file", metavar="FILE", help="The log of a daemon started here."),
    _text("-T", "--command-trace-file", "command_trace_file", metavar="FILE", help="Our own trace; else stderr."),
    _text("--append-trace-file", "append_trace_file", metavar=YES_NO, help="Keep what is in them already."),
    _flag("-x", "--quiesce-exit", "quiesce", help="End the daemon when it is idle."),
    _flag("-X", "--immediate-exit", "immediate", help="End the daemon at once."),
    _flag("--unique-id", "unique_id", help="Show this machine's id."),
    _text("--debug-feature", "debug_feature", metavar="NAME", help="Not offered."),
)


def options(function: Function) -> Function:
    """Give a command all the options, in FLoM's order."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def parse_failure(error: click.UsageError, arguments: Sequence[str]) -> str:
    """What FLoM says of a command line that cannot be parsed."""
    told = error.message
    if isinstance(error, click.NoSuchOption):
        whole = [word for word in arguments if word.partition("=")[0] == error.option_name]
        told = f"Unknown option {(whole or [error.option_name])[0]}"
    elif isinstance(error, click.BadOptionUsage) and error.option_name in arguments:
        told = f"Missing argument for {error.option_name}"
    return f"option parsing failed: {told}"


# --- the values -------------------------------------------------------------------------------------------------------


def configured(given: Given, config: str | None, environ: Mapping[str, str]) -> Loaded:
    """The settings of files, environment and command line, each value for itself in order.

    Raises:
        Told: one is not.
        InvalidSetting: one is not, and FLoM has no words for it.
    """
    texts = _texts(given)
    try:
        loaded = load("flom", texts, environ, config)
    except InvalidSetting as error:
        if error.file:
            raise _bad_file(error) from error
        if error.key not in REFUSED_VALUES:
            raise
        option, on_stdout = REFUSED_VALUES[error.key]
        line = f"{option}: '{texts[error.key]}' is an invalid value"
        raise (Told(out=(line,)) if on_stdout else Told(err=(line,))) from error
    _check_name(loaded)
    if _quantity(given) < 0:
        complain(f"Resource quantity ignored because negative values ({_quantity(given)}) are meaningless")
    _check_socket(loaded.settings)
    _check_mount_point(loaded)
    return altered(loaded, settings=_with_tls_files(loaded))


def _texts(given: Given) -> dict[str, object]:
    """The command line as texts, which are read as those of a file are."""
    texts: dict[str, object] = {}
    for setting, value in given.items():
        if isinstance(value, tuple):
            texts[setting] = ";".join(value) if value else None
        elif isinstance(value, bool):
            texts[setting] = True if value else None
        else:
            texts[setting] = None if value is None else str(value)
    if _quantity(given) <= 0:
        texts["quantity"] = None
    return texts


def _quantity(given: Given) -> int:
    quantity = given.get("quantity")
    return quantity if isinstance(quantity, int) else 1


def _bad_file(error: InvalidSetting) -> Told:
    """The lines for a file that has no meaning; our sentence, which says why, stands before FLoM's number."""
    why, number, out = f"flom: {error}", -5, [f"ERROR: invalid configuration found in file '{error.file}'"]
    if not error.group:
        number, out = -203, [f"ERROR: error while loading file '{error.file}'"]
    elif not error.key:
        out.insert(0, f"Key file does not have group “{error.group}”")
    elif error.key in NUMBERS:
        where = f"key “{error.key}” in group “{error.group}”"
        out.insert(0, f"Key file contains {where} which has a value that cannot be interpreted.")
    return Told(out=tuple(out), err=(why, f"flom_config_init: ret_cod={number}"))


def _file_of(loaded: Loaded, setting: str) -> str:
    """The file that a setting was found in, "" if in none."""
    source = loaded.source(setting)
    return source if "/" in source else ""


def _check_name(loaded: Loaded) -> None:
    name = loaded.settings.name
    if name is None:
        return
    try:
        if not names.parse(name).reserved:
            return
        line = f"ERROR: '{name}' is a reserved resource name and can not be set by user"
    except InvalidName:
        line = f"ERROR: '{name}' is not a valid name for a resource"
    file = _file_of(loaded, "name")
    if file:
        out = (line, f"ERROR: invalid configuration found in file '{file}'")
        raise Told(out=out, err=("flom_config_init: ret_cod=-5",))
    raise Told(out=(line,), err=("flom_config_set_resource_name: ret_cod=-14",))


def _check_socket(settings: Settings) -> None:
    try:
        address(settings.run_dir, settings.socket, os.geteuid())
    except InvalidSetting as error:
        if settings.socket is None:
            raise
        line = f"socket-name: '{settings.socket}' is an invalid value"
        raise Told(err=(line, failed("client_connect", -9, error))) from error


def _check_mount_point(loaded: Loaded) -> None:
    path = loaded.settings.mount_point
    if path is None or _is_mounted(path) or (os.path.isdir(path) and os.access(path, os.R_OK)):
        return
    file = _file_of(loaded, "mount_point")
    if file:
        out = (f"ERROR: invalid configuration found in file '{file}'",)
        raise Told(out=out, err=("flom_config_init: ret_cod=-5",))
    why = InvalidSetting(f"{path} is not a directory that you may read")
    raise Told(err=(f"mount-point-vfs: '{path}' is an invalid value", failed("client_connect", -121, why)))


def _is_mounted(path: str) -> bool:
    """Are our files there, or what a dead daemon left of them? Then nobody touches the path."""
    from ..transport import mountpoint  # costs 15 ms that only who names a mount point pays

    mounted = mountpoint.find(mountpoint.place(path))
    return mounted is not None and mounted.ours


def _with_tls_files(loaded: Loaded) -> Settings:
    """The settings with whole paths of files that exist."""
    found = {}
    for setting in TLS_FILES:
        path = getattr(loaded.settings, setting)
        if path is None:
            continue
        if not os.path.exists(path):
            if _file_of(loaded, setting):
                raise Told(err=("flom_config_init: ret_cod=-125",))
            raise Told(err=(f"{setting.replace('_', '-')}: '{path}' is not a valid value",))
        found[setting] = os.path.realpath(path)
    return altered(loaded.settings, **found)


# --- how they go together ---------------------------------------------------------------------------------------------


def consistent(settings: Settings) -> Settings:
    """The settings as they are used: complete, and without what the resource's type does not know.

    Raises:
        Told: they contradict each other.
        UsageError: they ask for what cannot be had here.
    """
    networked = settings.unicast_address or settings.multicast_address
    tls = [getattr(settings, setting) for setting in TLS_FILES]
    if settings.socket and networked:
        raise _contradiction(LOCAL_OR_NETWORK)
    if settings.tls_check_peer_id and not all(tls):
        raise _contradiction(PEER_ID_WITHOUT_TLS)
    if any(tls):
        raise UsageError(
            "TLS (--tls-certificate and the like) is not offered; ZeroMQ's CURVE takes its place: keys made by "
            "holdfast keygen, named by HOLDFAST_CURVE_KEY and HOLDFAST_CURVE_SERVER, or CurveKey and CurveServer in "
            "[Network]; the daemon's by holdfast serve --curve-key and --curve-clients"
        )
    return _corrected(settings)


def _contradiction(line: str) -> Told:
    return Told(out=(line,), err=("Configuration is not valid, cannot go on!",))


def _corrected(settings: Settings) -> Settings:
    name = names.parse(settings.name or names.RESERVED)
    mode, quantity = settings.mode, settings.quantity
    if mode is not Mode.EX and name.kind not in (Kind.SIMPLE, Kind.HIERARCHICAL):
        _warn_if(settings, MODE_IGNORED.format(int(name.kind), int(mode)))
        mode = Mode.EX
    if quantity != 1 and name.kind is not Kind.NUMERIC:
        _warn_if(settings, QUANTITY_IGNORED.format(int(name.kind), quantity))
        quantity = 1
    idle = settings.idle if settings.idle < 0 else (settings.idle or 1.0) + 1.0  # seconds, as FLoM adds one
    heard_for = _discovery_timeout(settings)
    return altered(settings, name=name.text, mode=mode, quantity=quantity, idle=idle, discovery_timeout=heard_for)


def _discovery_timeout(settings: Settings) -> float:
    """Seconds in which an answer can come: who hears nobody starts a second daemon."""
    if not 0 <= settings.discovery_timeout < MIN_DISCOVERY:
        return settings.discovery_timeout
    if settings.multicast_address:
        warn(DISCOVERY_TOO_SHORT.format(settings.discovery_timeout * 1000, MIN_DISCOVERY * 1000))
    return MIN_DISCOVERY


def _warn_if(settings: Settings, sentence: str) -> None:
    if settings.verbose:
        warn(sentence)
