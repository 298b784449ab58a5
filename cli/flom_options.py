"""``flom``'s options and files into settings, and everything that FLoM objects to on the way.

The rule: this table says what may stand on the command line, ``transport/settings.py`` reads the values, and what is
wrong is told in FLoM's words, in FLoM's order: the line itself (``numbered``), the files, single values
(``configured``), and, once they have been dumped, how they go together (``consistent``).

Source: FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import os

from ..transport import names
from ..transport.addresses import address
from ..transport.errors import InvalidName, InvalidSetting, UsageError
from ..transport.frozen import altered
from ..transport.messages import Mode
from ..transport.names import Kind
from ..transport.settings import load
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
from .options import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..transport.settings import Loaded, Settings
    from .options import Value

    Texts = Mapping[str, Value]
    Given = Mapping[str, Value | int]

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

YES_NO = "yes|no"
OPTIONS = (  # in FLoM's order; the name is the setting's, or a parameter of the command; N is a whole number
    Option(("-v", "--version"), "version", "Show what this is."),
    Option(("-V", "--verbose"), "verbose", "Show every setting, and the element that is granted."),
    Option(("-c", "--config-file"), "config", "A configuration file, read after ~/.flom.", "FILE"),
    Option(("-r", "--resource-name"), "name", "The resource to lock.", "NAME"),
    Option(
        ("-o", "--resource-timeout"), "timeout", "Milliseconds to wait; 0: do not wait; -1: for ever (default).", "N"
    ),
    Option(("-q", "--resource-quantity"), "quantity", "How many units of a numeric resource.", "N"),
    Option(("-e", "--resource-create"), "create", "Create the resource if it does not exist.", YES_NO),
    Option(
        ("-i", "--resource-idle-lifespan"), "idle", "Milliseconds (and 1000) that it outlives its last client.", "N"
    ),
    Option(("-l", "--lock-mode"), "mode", "NL, CR, CW, PR, PW or EX (default).", "MODE"),
    Option(("-s", "--socket-name"), "socket", "The daemon's socket.", "PATH"),
    Option(("-d", "--daemon-lifespan"), "lifespan", "Milliseconds; 0: start no daemon; -1: it never ends.", "N"),
    Option(("-a", "--unicast-address"), "unicast_address", "The daemon's address.", "HOST"),
    Option(("-p", "--unicast-port"), "unicast_port", "The port at that address.", "N"),
    Option(("-A", "--multicast-address"), "multicast_address", "Find the daemon by this group.", "IP"),
    Option(("-P", "--multicast-port"), "multicast_port", "The port of that group.", "N"),
    Option(("-m", "--mount-point-vfs"), "mount_point", "Where a daemon started here shows the locks.", "DIR"),
    Option(("-n", "--network-interface"), "network_interface", "The interface for IPv6.", "NAME"),
    Option(("-D", "--discovery-attempts"), "discovery_attempts", "How often to ask for a daemon.", "N"),
    Option(("-I", "--discovery-timeout"), "discovery_timeout", "Milliseconds to wait for each answer.", "N"),
    Option(("--discovery-ttl",), "discovery_ttl", "How many routers away it may be.", "N"),
    Option(("--tcp-keepalive-time",), "tcp_keepalive_time", "Seconds of silence before a peer is probed.", "N"),
    Option(("--tcp-keepalive-intvl",), "tcp_keepalive_intvl", "Seconds between two probes.", "N"),
    Option(("--tcp-keepalive-probes",), "tcp_keepalive_probes", "Unanswered probes until it counts as dead.", "N"),
    Option(("--tls-certificate",), "tls_certificate", "Not offered.", "FILE"),
    Option(("--tls-private-key",), "tls_private_key", "Not offered.", "FILE"),
    Option(("--tls-ca-certificate",), "tls_ca_certificate", "Not offered.", "FILE"),
    Option(("--tls-check-peer-id",), "tls_check_peer_id", "Not offered.", YES_NO),
    Option(
        *(("--ignore-signal",), "ignored_signals", "Ends neither us nor the command; may be given several times."),
        metavar="SIGNAL",
        repeated=True,
    ),
    Option(("--signal-list",), "signal_list", "Show what may follow --ignore-signal."),
    Option(("-t", "--daemon-trace-file"), "daemon_trace_file", "The log of a daemon started here.", "FILE"),
    Option(("-T", "--command-trace-file"), "command_trace_file", "Our own trace; else stderr.", "FILE"),
    Option(("--append-trace-file",), "append_trace_file", "Keep what is in them already.", YES_NO),
    Option(("-x", "--quiesce-exit"), "quiesce", "End the daemon when it is idle."),
    Option(("-X", "--immediate-exit"), "immediate", "End the daemon at once."),
    Option(("--unique-id",), "unique_id", "Show this machine's id."),
    Option(("--debug-feature",), "debug_feature", "Not offered.", "NAME"),
)
WHOLE = {option.name: option.words[0] for option in OPTIONS if option.metavar == "N"}


def number_from_text(text: str) -> int:
    """Read a whole number as C does: decimal, ``0x`` hexadecimal, ``0`` octal."""
    word = text.strip().lower()
    digits = word.lstrip("+-")
    if "_" in word:
        raise ValueError(text)
    return int(word, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)


def numbered(given: Texts) -> Given:
    """The command line with its whole numbers read; the first that is none is told.

    Raises:
        Told: one is none, or does not fit C's int.
    """
    return {name: _number(name, value) if name in WHOLE else value for name, value in given.items()}


def _number(name: str, text: Value) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        number = number_from_text(text)
    except ValueError:
        raise not_parsed(f'Cannot parse integer value "{text}" for {WHOLE[name]}') from None
    if not -INT <= number < INT:
        raise not_parsed(f'Integer value "{text}" for {WHOLE[name]} out of range')
    return number


def not_parsed(why: str) -> Told:
    """What FLoM says of a command line that cannot be parsed."""
    return Told(err=(f"option parsing failed: {why}",))


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
