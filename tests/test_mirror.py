"""Every source file has its test file at the same place below ``tests/``, and the other way round."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
ROOMS = ("actors", "cli", "transport", "vfs")

TESTED_ELSEWHERE = {
    "actors/roles.py": "nothing but signatures; the type checker holds every actor against them",
    "__main__.py": "one line; every test with a real process goes through it",
}
WITHOUT_A_SOURCE = {
    "actors/rules/test_line_explains.py": "line.py, what it says about requests",
    "actors/test_incubator_histories.py": "incubator.py, in random histories",
    "actors/test_incubator_network.py": "incubator.py, for those who come by TCP",
    "actors/test_incubator_life.py": "incubator.py, its lockers' retirement, deaths and its end",
    "actors/test_locker_histories.py": "locker.py, in random histories",
    "actors/test_locker_asked.py": "locker.py, for those who watch it or ask what would be",
    "actors/test_locker_life.py": "locker.py, its retirement and its end",
    "actors/test_registry_histories.py": "registry.py, in random histories",
    "actors/test_watched_histories.py": "watched.py, in random histories",
    "transport/test_discover_network.py": "discover.py, for a daemon at an endpoint or in a group",
    "cli/test_serve_bind.py": "serve.py, the daemon on the network",
    "transport/test_sockets_tcp.py": "sockets.py, on TCP besides",
    "transport/test_settings_files.py": "settings.py, in files",
    "transport/test_curve_refusals.py": "curve.py, for who is not let in",
    "transport/test_protocol_page.py": "compares docs/protocol.md with messages.py",
    "transport/test_session_explains.py": "session.py, when it asks why it waits",
    "transport/test_session_histories.py": "session.py, in random histories",
}


def sources() -> set[str]:
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")] + list(ROOT.glob("*.py"))
    return {str(path.relative_to(ROOT)) for path in paths if path.name != "__init__.py"}


def mirrors() -> set[str]:
    paths = [path for room in ROOMS for path in (TESTS / room).rglob("test_*.py")]
    return {str(path.relative_to(TESTS)) for path in paths}


def mirrored(source: str) -> str:
    path = Path(source)
    return str(path.with_name(f"test_{path.name}"))


def test_every_source_file_has_its_test_file() -> None:
    missing = {source for source in sources() if not (TESTS / mirrored(source)).exists()}
    assert missing == set(TESTED_ELSEWHERE)


def test_every_test_file_has_its_source_file() -> None:
    assert mirrors() - {mirrored(source) for source in sources()} == set(WITHOUT_A_SOURCE)
