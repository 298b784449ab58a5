"""Settings: precedence, where each value came from, and which daemon they name."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from config_files import FLOM, Write, refused
from holdfast.transport import settings as module
from holdfast.transport.endpoints import Tcp
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.messages import FOREVER, Mode, Order
from holdfast.transport.settings import GROUPS, VARIABLES, Settings, load


def test_when_nobody_says_anything_the_defaults_hold() -> None:
    loaded = load("holdfast", {}, {}, files=[])
    assert loaded.settings == Settings()
    assert loaded.source("timeout") == "default"
    assert loaded.warnings == ()


def test_flom_has_its_own_name_queue_order_and_idle_time() -> None:
    settings = load("flom", {}, {}, files=[]).settings
    assert settings == Settings(comm="flom", order=Order.FIRST_FIT, idle=0.0)


def test_the_later_source_wins_and_is_remembered(write: Write) -> None:
    first = write("[Resource]\nName=a\nQuantity=1\nTimeout=1\n[Daemon]\nSocketName=/1\nAutostart=no\n", "first")
    second = write("[Resource]\nName=b\nQuantity=2\nTimeout=2000\n[Daemon]\nSocketName=/2\n", "second")
    named = write("[Resource]\nName=c\nQuantity=3\n[Daemon]\nSocketName=/3\n", "named")
    loaded = load("holdfast", {"name": "d"}, {"HOLDFAST_SOCKET": "/4"}, named, [first, second])
    settings = loaded.settings
    assert (settings.name, settings.socket, settings.quantity, settings.timeout) == ("d", "/4", 3, 2.0)
    assert settings.autostart is False
    sources = [loaded.source(name) for name in ("name", "socket", "quantity", "timeout", "autostart", "mode")]
    assert sources == ["command line", "HOLDFAST_SOCKET", named, second, first, "default"]


def test_the_command_line_wins_over_the_environment() -> None:
    loaded = load("holdfast", {"socket": "/option"}, {"HOLDFAST_SOCKET": "/variable"}, files=[])
    assert (loaded.settings.socket, loaded.source("socket")) == ("/option", "command line")


def test_an_option_equal_to_its_default_wins_over_a_file(write: Write) -> None:
    file = write(FLOM + "[Resource]\nTimeout=5\nQuantity=3\n")
    settings = load("flom", {"timeout": "-1", "quantity": "1"}, {}, file, []).settings
    assert (settings.timeout, settings.quantity) == (None, 1)


def test_an_option_that_was_not_given_says_nothing(write: Write) -> None:
    file = write("[Resource]\nName=a\n")
    loaded = load("holdfast", {"name": None, "timeout": None}, {}, file, [])
    assert (loaded.settings.name, loaded.source("name"), loaded.source("timeout")) == ("a", file, "default")


def test_an_option_may_be_a_text_or_a_value() -> None:
    options = {"mode": "pr", "timeout": "200ms", "quantity": "2", "create": False, "order": Order.FIRST_FIT}
    settings = load("holdfast", options, {}, files=[]).settings
    assert (settings.mode, settings.timeout, settings.quantity) == (Mode.PR, pytest.approx(0.2), 2)
    assert (settings.create, settings.order) == (False, Order.FIRST_FIT)


def test_a_bare_duration_is_seconds_on_our_command_line_and_milliseconds_on_floms_and_in_files(write: Write) -> None:
    assert load("holdfast", {"timeout": "2"}, {}, files=[]).settings.timeout == 2
    assert load("flom", {"timeout": "2000"}, {}, files=[]).settings.timeout == 2
    assert load("holdfast", {}, {}, write("[Resource]\nTimeout=2000\n"), []).settings.timeout == 2
    assert load("holdfast", {}, {}, write("[Resource]\nTimeout=2s\n"), []).settings.timeout == 2


def test_a_daemon_may_live_for_ever() -> None:
    assert load("flom", {"lifespan": "-1"}, {}, files=[]).settings.lifespan == FOREVER
    assert load("holdfast", {"lifespan": "forever"}, {}, files=[]).settings.lifespan == FOREVER
    assert load("holdfast", {"lifespan": "0"}, {}, files=[]).settings.lifespan == 0


def test_a_bad_option_says_which() -> None:
    with pytest.raises(InvalidSetting, match="conflict exit code: '256' is not an exit code") as caught:
        load("holdfast", {"conflict_exit_code": "256"}, {}, files=[])
    assert (caught.value.file, caught.value.key) == ("", "conflict_exit_code")


def test_every_option_that_a_text_may_set_is_a_setting_and_every_setting_can_be_set() -> None:
    settable = [setting for keys in GROUPS.values() for setting, _ in keys.values()]
    assert len(settable) == len(set(settable))
    variables = {setting for setting, _ in VARIABLES.values()}
    assert {*settable, *variables, "comm"} == {field.name for field in dataclasses.fields(Settings)}


def test_variables_say_something_and_empty_ones_do_not() -> None:
    environ = {"HOLDFAST_RUN_DIR": "/r", "HOLDFAST_SOCKET": "", "HOLDFAST_AUTOSTART": "no", "HOLDFAST_MODE": "PR"}
    loaded = load("flom", {}, environ, files=[])
    assert loaded.settings == Settings(comm="flom", order=Order.FIRST_FIT, idle=0.0, run_dir="/r", autostart=False)
    assert (loaded.source("run_dir"), loaded.source("socket")) == ("HOLDFAST_RUN_DIR", "default")


@pytest.mark.parametrize("variable", ["HOLDFAST_RUN_DIR", "HOLDFAST_SOCKET"])
@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_variable_names_one_place_whatever_the_directory(variable: str, program: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{variable}: 'rel' means another place in each directory"):
        load(program, {}, {variable: "rel"}, files=[])


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_file_names_one_place_whatever_the_directory(write: Write, program: str) -> None:
    error = refused(program, write(FLOM + "[Daemon]\nSocketName=rel.sock\n"))
    assert error.key == "SocketName"
    assert "begins with /" in str(error)


@pytest.mark.parametrize("program", ["holdfast", "flom"])
def test_a_command_line_may_name_a_place_in_its_directory_but_not_an_empty_one(program: str) -> None:
    assert load(program, {"socket": "rel.sock"}, {}, files=[]).settings.socket == "rel.sock"
    with pytest.raises(InvalidSetting, match="socket: the path is empty"):
        load(program, {"socket": ""}, {}, files=[])


@pytest.mark.parametrize(("option", "what"), [("endpoint", "address"), ("group", "group"), ("curve_server", "path")])
def test_an_empty_word_on_a_command_line_means_no_other_daemon(option: str, what: str) -> None:
    """It is ``"$ENDPOINT"`` of a script that never set it: the local daemon's lock would exclude nobody elsewhere."""
    with pytest.raises(InvalidSetting, match=f"{option.replace('_', ' ')}: the {what} is empty"):
        load("holdfast", {option: ""}, {}, files=[])


def test_an_empty_value_in_a_file_says_nothing(write: Write) -> None:
    file = write("[Daemon]\nEndpoint=\nDiscover=\nSocketName=\n")
    settings = load("holdfast", {}, {}, files=[file]).settings
    assert (settings.endpoint, settings.group, settings.socket) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[TLS]\nTlsCertificate=c", "TLS"),
        ("[TLS]\nTlsPrivateKey=k", "TLS"),
        ("[TLS]\nTlsCaCertificate=a", "TLS"),
        ("[TLS]\nTlsCheckPeerId=yes", "TLS"),
    ],
)
def test_our_files_cannot_ask_for_what_is_not_offered(write: Write, line: str, why: str) -> None:
    sentence = str(refused("holdfast", write(line)))
    assert why in sentence
    assert "CurveKey and CurveServer in [Network]" in sentence


def test_a_key_that_asks_for_nothing_is_read(write: Write) -> None:
    file = write("[Daemon]\nUnicastAddress=\nMountPointVFS=\n[TLS]\nTlsCheckPeerId=no\n")
    assert load("holdfast", {}, {}, file, []).settings == Settings()


FILE, ENDPOINT, GROUP = "[Daemon]\nSocketName=/s\n", Tcp("h", 1), Tcp("239.255.0.1", 28015)


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({}, {}, ("/s", None, None)),
        ({}, {"HOLDFAST_ENDPOINT": "tcp://h:1"}, (None, ENDPOINT, None)),
        ({"endpoint": "h:1"}, {"HOLDFAST_SOCKET": "/t"}, (None, ENDPOINT, None)),
        ({"group": "239.255.0.1"}, {"HOLDFAST_ENDPOINT": "tcp://i:2"}, (None, None, GROUP)),
        ({"socket": "/u"}, {"HOLDFAST_ENDPOINT": "tcp://h:1"}, ("/u", None, None)),
    ],
)
def test_who_names_a_daemon_anew_replaces_what_was_said_before(
    write: Write, options: dict[str, object], environ: dict[str, str], expected: tuple[object, ...]
) -> None:
    loaded = load("holdfast", options, environ, write(FILE), [])
    settings = loaded.settings
    assert (settings.socket, settings.endpoint, settings.group) == expected
    assert sum(loaded.source(setting) != "default" for setting in ("socket", "endpoint", "group")) == 1


def test_a_later_file_in_flom_s_words_replaces_an_endpoint(write: Write) -> None:
    loaded = load("holdfast", {}, {"HOLDFAST_RUN_DIR": "/r"}, write("[Daemon]\nUnicastAddress=h\n"), [])
    assert (loaded.settings.unicast_address, loaded.settings.run_dir) == ("h", "/r")
    loaded = load("holdfast", {"endpoint": "i:1"}, {}, write("[Daemon]\nUnicastAddress=h\n"), [])
    assert (loaded.settings.unicast_address, loaded.settings.endpoint) == (None, Tcp("i", 1))


def test_two_daemons_named_in_one_breath_are_refused(write: Write) -> None:
    with pytest.raises(InvalidSetting, match="command line: socket and endpoint name two daemons"):
        load("holdfast", {"socket": "/s", "endpoint": "h:1"}, {}, files=[])
    with pytest.raises(InvalidSetting, match="HOLDFAST_SOCKET and HOLDFAST_ENDPOINT name two daemons"):
        load("holdfast", {}, {"HOLDFAST_SOCKET": "/s", "HOLDFAST_ENDPOINT": "h:1"}, files=[])
    assert "unicast address and multicast address name two daemons" in str(
        refused("holdfast", write("[Daemon]\nUnicastAddress=h\nMulticastAddress=239.255.0.1\n"))
    )


def test_flom_s_own_words_lie_on_top_of_each_other_and_only_replace_our_variables(write: Write) -> None:
    words = write(FLOM + "[Daemon]\nMulticastAddress=239.255.0.1\n")
    loaded = load("flom", {"unicast_address": "h"}, {"HOLDFAST_SOCKET": "/s"}, words, [])
    settings = loaded.settings
    assert (settings.socket, settings.unicast_address, settings.multicast_address) == (None, "h", None)
    loaded = load("flom", {"unicast_address": "h"}, {}, words, [])
    assert (loaded.settings.unicast_address, loaded.settings.multicast_address) == ("h", "239.255.0.1")


def test_an_endpoint_without_a_port_at_which_it_could_be_found_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"endpoint: 'tcp://h:0' has no port"):
        load("holdfast", {"endpoint": "tcp://h:0"}, {}, files=[])


def test_a_bad_variable_says_which() -> None:
    with pytest.raises(InvalidSetting, match="HOLDFAST_AUTOSTART: 'perhaps' is not an answer"):
        load("holdfast", {}, {"HOLDFAST_AUTOSTART": "perhaps"}, files=[])


def test_importing_settings_costs_no_command_what_only_some_need() -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "None", "errors", "frozen", "messages", "values"}


def test_keys_are_named_by_files_environment_or_options(write: Write) -> None:
    key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    found = load(
        "holdfast",
        {"curve_key": "mine.key_secret"},
        {"HOLDFAST_CURVE_KEY": "/theirs", "HOLDFAST_CURVE_SERVER": key},
        files=[write("[Network]\nCurveServer=/etc/server.key\nCurveClients=/etc/admitted")],
    ).settings
    assert (found.curve_key, found.curve_server, found.curve_clients) == ("mine.key_secret", key, "/etc/admitted")


def test_a_discovery_timeout_in_which_nobody_can_answer_is_no_setting() -> None:
    with pytest.raises(InvalidSetting, match="discovery timeout: '0' is too short for any answer"):
        load("holdfast", {"discovery_timeout": "0"}, {}, files=[])
