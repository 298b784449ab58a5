"""What can be set, what it is when nobody set it, and where each value came from.

The rule: whatever is given (files, environment, options) comes in as an argument; no other module reads ``os.environ``
or a configuration file. Precedence is told once, at ``load``. Both programs know the same keys; ``flom`` reads its
files as FLoM does: three groups must be there, what is unknown is only warned about. How a text is read is in
``values.py``.

Every command comes through here, so nothing is imported at the top that ``holdfast run`` could do without.

Source: FLoM 1.7.2, manual of ``flom`` and of its configuration files.
"""

from __future__ import annotations

from . import values
from .errors import InvalidSetting
from .frozen import Frozen
from .messages import Mode, Order
from .values import MILLISECOND, SECOND, Dialect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .endpoints import Tcp
    from .values import Reader


class Settings(Frozen):
    """Every value, with the one that holds when nobody says anything. Durations are in seconds."""

    comm: str = "holdfast"  # the name under which processes show up: "holdfast" or "flom"
    verbose: bool = False

    # the request
    name: str | None = None
    mode: Mode = Mode.EX
    quantity: int = 1
    timeout: float | None = None  # None: wait for ever; 0: do not wait
    create: bool = True
    idle: float = 2.0  # how long the resource outlives its last client; negative: for ever
    order: Order = Order.FIFO
    nest: bool = True
    reason: str = ""

    # the command
    on_lost: str = "run"  # or "kill"
    hold: str = "wrapper"  # until who has ended: also "command" or "tree"
    conflict_exit_code: int | None = None  # 0 to 255; None: the usual one
    ignored_signals: tuple[int, ...] = ()

    # the daemon
    run_dir: str | None = None  # None: /tmp/holdfast-<uid>
    socket: str | None = None  # None: in the run directory
    autostart: bool = True
    lifespan: float = 5.0  # how long the daemon outlives its last client; negative: for ever; 0: start none
    pool: int = 2  # lockers started ahead of need
    command_lines: str = "full"  # what others see of a client's command line: full, name or none
    log_file: str | None = None
    mount_point: str | None = None  # where a daemon that is started shows the picture as files

    # the network
    endpoint: Tcp | None = None  # where the daemon listens
    group: Tcp | None = None  # the multicast group that it answers
    curve_key: str | None = None  # file of our own secret key: a client's, or the daemon's
    curve_server: str | None = None  # the daemon's public key, or a file that holds it
    curve_clients: str | None = None  # directory of the public keys that a daemon admits

    # the same in FLoM's words, kept as they are given
    unicast_address: str | None = None
    unicast_port: int = 28015
    multicast_address: str | None = None
    multicast_port: int = 28015
    network_interface: str | None = None
    discovery_attempts: int = 2
    discovery_timeout: float = 0.5
    discovery_ttl: int = 1  # hops
    tcp_keepalive_time: int = 60  # seconds
    tcp_keepalive_intvl: int = 10  # seconds
    tcp_keepalive_probes: int = 6
    tls_certificate: str | None = None
    tls_private_key: str | None = None
    tls_ca_certificate: str | None = None
    tls_check_peer_id: bool = False

    # FLoM's traces
    daemon_trace_file: str | None = None
    command_trace_file: str | None = None
    append_trace_file: bool = False


class Loaded(Frozen):
    """Settings, where each that is not a default came from, and what should be said about the files."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def source(self, setting: str) -> str:
        """The file, the variable, "command line" or "default"."""
        return self.sources.get(setting, "default")


# --- the table: group and key of a file, setting, reader --------------------------------------------------------------

NO_TLS = "TLS is not offered; ZeroMQ's CURVE takes its place: CurveKey and CurveServer in [Network]"

GROUPS: dict[str, dict[str, tuple[str, Reader]]] = {
    "Resource": {
        "Name": ("name", values.text_or_none),
        "Timeout": ("timeout", values.timeout),
        "Quantity": ("quantity", values.count),
        "LockMode": ("mode", lambda text, _: values.mode(text)),
        "Create": ("create", values.yes_or_no),
        "IdleLifespan": ("idle", values.unsigned_seconds),
        "Order": ("order", lambda text, _: values.order(text)),
        "Nest": ("nest", values.yes_or_no),
        "Reason": ("reason", lambda text, _: text),
    },
    "Command": {
        "OnLost": ("on_lost", values.one_of("run", "kill")),
        "Hold": ("hold", values.one_of("wrapper", "command", "tree")),
        "ConflictExitCode": ("conflict_exit_code", lambda text, _: values.exit_code(text)),
    },
    "Daemon": {
        "SocketName": ("socket", values.place),
        "Endpoint": ("endpoint", values.endpoint),
        "Discover": ("group", values.group),
        "Lifespan": ("lifespan", values.seconds),
        "Autostart": ("autostart", values.yes_or_no),
        "Pool": ("pool", values.pool),
        "CommandLines": ("command_lines", values.one_of("full", "name", "none")),
        "LogFile": ("log_file", values.text_or_none),
        "MountPointVFS": ("mount_point", values.place),
        "UnicastAddress": ("unicast_address", values.text_or_none),
        "UnicastPort": ("unicast_port", values.port),
        "MulticastAddress": ("multicast_address", values.text_or_none),
        "MulticastPort": ("multicast_port", values.port),
    },
    "Network": {
        "CurveKey": ("curve_key", values.place),
        "CurveServer": ("curve_server", values.public_key),
        "CurveClients": ("curve_clients", values.place),
        "NetworkInterface": ("network_interface", values.text_or_none),
        "DiscoveryAttempts": ("discovery_attempts", values.count),
        "DiscoveryTimeout": ("discovery_timeout", values.discovery_timeout),
        "DiscoveryTTL": ("discovery_ttl", values.count),
        "TcpKeepaliveTime": ("tcp_keepalive_time", values.count),
        "TcpKeepaliveIntvl": ("tcp_keepalive_intvl", values.count),
        "TcpKeepaliveProbes": ("tcp_keepalive_probes", values.count),
    },
    "Monitor": {
        "IgnoredSignals": ("ignored_signals", values.signals),
    },
    "Trace": {
        "Verbose": ("verbose", values.yes_or_no),
        "DaemonTraceFile": ("daemon_trace_file", values.text_or_none),
        "CommandTraceFile": ("command_trace_file", values.text_or_none),
        "AppendTraceFile": ("append_trace_file", values.yes_or_no),
    },
    "TLS": {
        "TlsCertificate": ("tls_certificate", values.not_built(values.text_or_none, NO_TLS)),
        "TlsPrivateKey": ("tls_private_key", values.not_built(values.text_or_none, NO_TLS)),
        "TlsCaCertificate": ("tls_ca_certificate", values.not_built(values.text_or_none, NO_TLS)),
        "TlsCheckPeerId": ("tls_check_peer_id", values.not_built(values.yes_or_no, NO_TLS)),
    },
}
WHERE = (("socket",), ("endpoint", "unicast_address"), ("group", "multicast_address"))  # three ways to name a daemon
MANDATORY = ("Resource", "Daemon", "Network")  # groups that every file of FLoM's must have, even empty
VARIABLES: dict[str, tuple[str, Reader]] = {  # HOLDFAST_RESOURCE and its like are told to commands, and never read
    "HOLDFAST_RUN_DIR": ("run_dir", values.place),
    "HOLDFAST_SOCKET": ("socket", values.place),
    "HOLDFAST_ENDPOINT": ("endpoint", values.endpoint),
    "HOLDFAST_CURVE_KEY": ("curve_key", values.place),
    "HOLDFAST_CURVE_SERVER": ("curve_server", values.public_key),
    "HOLDFAST_AUTOSTART": ("autostart", lambda text, _: values.boolean(text)),
}


# --- from everywhere into one -----------------------------------------------------------------------------------------


def load(
    program: str,
    options: Mapping[str, object],
    environ: Mapping[str, str],
    config: str | None = None,
    files: Iterable[str] | None = None,
) -> Loaded:
    """Read everything that may set something; the later one wins:

    1. the defaults, of which ``flom`` has three of its own: its name, FLoM's queue order, and no idle time;
    2. ``/etc/holdfast.conf``, or for ``flom`` ``/usr/local/etc/flom.conf``;
    3. ``~/.config/holdfast.conf``, or for ``flom`` ``~/.flom``;
    4. the file that ``-c`` names, which must be there;
    5. the environment (``VARIABLES``);
    6. the command line.

    Which daemon is meant is one thing, said as a socket, an endpoint or a group: who says it anew replaces whatever was
    said before. FLoM's options and files lie on top of each other instead, and only replace our variables.

    Args:
        program: "holdfast" or "flom".
        options: setting → what the command line says: a text to be read here, or a value that is taken as it is.
            None stands for an option that was not given.
        environ: the environment; also tells where home is.
        config: the file that ``-c`` names.
        files: in place of 2 and 3.

    Raises:
        InvalidSetting: the user's fault; the sentence begins with where it was found.
    """
    flom = program == "flom"
    found: dict[str, object] = {"comm": "flom", "order": Order.FIRST_FIT, "idle": 0.0} if flom else {"comm": program}
    sources: dict[str, str] = {}
    warnings: list[str] = []

    def take(where: str, more: Mapping[str, object]) -> None:
        for setting in _elsewhere(where, more, flom):
            if not flom or {where, sources.get(setting)} & VARIABLES.keys():
                found.pop(setting, None)
                sources.pop(setting, None)
        found.update(more)
        sources.update(dict.fromkeys(more, where))

    for path in standard_files(program, environ) if files is None else files:
        take(path, _from_file(path, flom, warnings, required=False))
    if config is not None:
        take(config, _from_file(config, flom, warnings, required=True))
    if environ.get("HOLDFAST_SOCKET") and environ.get("HOLDFAST_ENDPOINT"):
        raise InvalidSetting("HOLDFAST_SOCKET and HOLDFAST_ENDPOINT name two daemons: set one of them", key="endpoint")
    for variable in VARIABLES:
        if environ.get(variable):
            take(variable, _from_variable(variable, environ[variable]))
    take("command line", _from_options(options, flom))
    return Loaded(Settings(**found), sources, tuple(warnings))  # type: ignore[arg-type]  # each reader fits its setting


def _elsewhere(where: str, more: Mapping[str, object], flom: bool) -> set[str]:
    """The settings that no longer say where the daemon is, because ``more`` says it.

    Raises:
        InvalidSetting: it says it twice.
    """
    named = [said for said in WHERE if any(more.get(setting) is not None for setting in said)]
    if len(named) > 1 and not flom:
        words = " and ".join(next(each for each in said if more.get(each) is not None) for said in named)
        sentence = f"{where}: {words.replace('_', ' ')} name two daemons: give one of them"
        raise InvalidSetting(sentence, file=where if "/" in where else "", key=named[1][0])
    return {setting for said in WHERE for setting in said if setting not in more} if named else set()


def standard_files(program: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The files that are read unasked, if they exist. XDG_CONFIG_HOME has no say: a cron job must read the same."""
    home = environ.get("HOME") or _home()
    if program == "flom":
        return ("/usr/local/etc/flom.conf", f"{home}/.flom")
    return ("/etc/holdfast.conf", f"{home}/.config/holdfast.conf")


def _home() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/nonexistent"


def _from_variable(variable: str, text: str) -> dict[str, object]:
    setting, reader = VARIABLES[variable]
    try:
        return {setting: reader(text, Dialect(flom=False, unit=SECOND))}
    except InvalidSetting as error:
        raise InvalidSetting(f"{variable}: {error}", key=setting) from None


def _from_options(options: Mapping[str, object], flom: bool) -> dict[str, object]:
    readers = {setting: reader for keys in GROUPS.values() for setting, reader in keys.values()}
    dialect = Dialect(flom, MILLISECOND if flom else SECOND, relative=True)
    found = {}
    for setting, value in options.items():
        if isinstance(value, str) and setting in readers:
            try:
                found[setting] = readers[setting](value, dialect)
            except InvalidSetting as error:
                raise InvalidSetting(f"{setting.replace('_', ' ')}: {error}", key=setting) from None
        elif value is not None:
            found[setting] = value
    return found


def _from_file(path: str, flom: bool, warnings: list[str], *, required: bool) -> dict[str, object]:
    """The settings of one file. One that is read unasked may be missing; FLoM's may be unreadable as well."""
    import os

    if not required and not os.path.lexists(path):
        return {}
    from . import keyfile  # costs 5 ms, and most have no file

    try:
        groups = keyfile.read(path)
    except (OSError, ValueError) as error:
        if flom and not required:
            return {}
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidSetting(f"configuration file {path} cannot be read: {why}", file=path) from None
    for group in MANDATORY:
        if flom and group not in groups:
            raise InvalidSetting(f"configuration file {path} has no group [{group}]", file=path, group=group)
    return _from_groups(path, groups, flom, warnings)


def _from_groups(
    path: str, groups: Mapping[str, Mapping[str, str]], flom: bool, warnings: list[str]
) -> dict[str, object]:
    from .keyfile import nearest

    def unknown(sentence: str, group: str, key: str = "") -> None:
        sentence = f"configuration file {path}: {sentence}"
        if not flom:
            raise InvalidSetting(sentence, file=path, group=group, key=key)
        warnings.append(sentence)

    found = {}
    for group, keys in groups.items():
        known = GROUPS.get(group, {})
        if not known:
            unknown(f"there is no group [{group}]{nearest(group, list(GROUPS))}", group)
            continue
        for key, text in keys.items():
            if key not in known:
                unknown(f"there is no key {key} in [{group}]{nearest(key, list(known))}", group, key)
                continue
            setting, reader = known[key]
            try:
                found[setting] = reader(text, Dialect(flom, MILLISECOND))
            except InvalidSetting as error:
                sentence = f"configuration file {path}, {key} in [{group}]: {error}"
                raise InvalidSetting(sentence, file=path, group=group, key=key) from None
    return found
