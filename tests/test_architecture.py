"""The house stands on its floors: who may import whom, what stays pure, and that no wall is a circle.

Every import counts, also one inside a function; only what is written for type checkers alone (``if TYPE_CHECKING:``)
may look up or around a corner, because it never happens.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = [package.partition(".")[2].replace(".", "/") for package in PROJECT["tool"]["setuptools"]["packages"]]
FACE = ["__init__", "__main__", "testing"]  # what stands at the root; docs/decisions/0002 says why testing does

# A module may import what begins like one of these. The longest row that fits a module counts.
MAY_IMPORT = {
    "": ["transport", "cli"],
    "transport": ["transport"],
    "actors": ["transport", "actors"],
    "actors.rules": ["transport.messages", "transport.names", "actors.rules"],
    "vfs": ["transport", "vfs"],
    "cli": ["__init__", "transport", "cli"],
    "cli.daemon": ["__init__", "transport", "actors", "vfs", "cli"],
}
ONLY_IMPORTERS = {  # of what is not ours; nothing else is imported from outside the standard library
    "zmq": [f"transport.{name}" for name in ("sockets", "monitor", "curve", "zap", "keys")],  # keys: to make them
    "msgpack": ["transport.quick"],
    "fuse": ["vfs.mount"],
    "click": ["cli"],
    "tqdm": ["cli.progress"],
    "prometheus_client": ["actors.metrics"],  # an optional extra
    "pytest": ["testing"],  # a fixture, where pytest is installed
}
PURE = ["actors.rules", "transport.messages", "transport.names", "transport.errors", "transport.wire"]
PURE += ["transport.frozen", "transport.members", "transport.packing", "transport.quick"]
PURE += ["transport.enums", "transport.records", "transport.picture", "transport.session", "vfs.tree", "cli.exits"]
PURE += ["actors.answerer", "actors.labels"]
PURE += ["transport.phrases", "transport.report"]
PURE_LIBRARY = {
    *(
        "__future__",
        "_collections",
        "_struct",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
    ),
    *("math", "msgpack", "operator", "string", "struct", "types", "typing"),
}
PURE_NAMES = {
    "time": {"strftime", "gmtime", "localtime"},  # of an instant that is handed in
    "fnmatch": {"fnmatchcase"},
    "json": {"dumps"},
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
READERS_OF_THE_ENVIRONMENT = ["transport.client", "testing"]  # where a program's own story begins, as in cli


def source(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def all_modules() -> list[str]:
    found = [name for name in FACE if source(name).exists()]
    for folder in FOLDERS:
        if folder:
            found += [f"{folder.replace('/', '.')}.{path.stem}" for path in sorted((ROOT / folder).glob("*.py"))]
    return found


MODULES = all_modules()


def begins(module: str, prefix: str) -> bool:
    return not prefix or module == prefix or module.startswith(f"{prefix}.")


def statements(module: str) -> Iterator[ast.AST]:
    """Every node of a module, without what only type checkers see."""
    waiting: list[ast.AST] = [ast.parse(source(module).read_text())]
    while waiting:
        node = waiting.pop()
        yield node
        hidden = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        waiting += node.orelse if hidden else ast.iter_child_nodes(node)  # type: ignore[attr-defined]


def outside(module: str) -> set[tuple[str, str]]:
    """What a module imports from elsewhere: (module, name)."""
    found = set()
    for node in statements(module):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {(str(node.module), alias.name) for alias in node.names}
    return found


def inside(module: str) -> set[str]:
    """Which modules of ours a module imports."""
    found = set()
    for node in statements(module):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = module.split(".")[: -node.level]
            base = ".".join([*above, node.module] if node.module else above)
            for alias in node.names:
                name = f"{base}.{alias.name}" if base else alias.name
                found.add(name if source(name).exists() else base if source(base).exists() else f"{base}.__init__")
    return {name.strip(".") for name in found}


def test_there_are_modules_to_look_at() -> None:
    assert {"transport.wire", "actors.locker", "actors.rules.line", "cli.run", "__init__"} <= set(MODULES)
    assert "transport.messages" in inside("transport.wire")
    assert "transport.messages" in inside("actors.rules.line")


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downward_only(module: str) -> None:
    row = max((prefix for prefix in MAY_IMPORT if begins(module, prefix)), key=len)
    assert not [name for name in inside(module) if not any(begins(name, lower) for lower in MAY_IMPORT[row])]


@pytest.mark.parametrize("module", MODULES)
def test_imports_inside_the_house_are_relative(module: str) -> None:
    assert not [name for name, _ in outside(module) if begins(name, "holdfast")]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_not_ours_is_imported_in_its_place_only(module: str) -> None:
    tops = {name.partition(".")[0] for name, _ in outside(module)}
    foreign = tops - set(sys.stdlib_module_names)
    assert foreign <= set(ONLY_IMPORTERS)
    assert not [name for name in foreign if not any(begins(module, place) for place in ONLY_IMPORTERS[name])]


def test_no_import_is_a_circle() -> None:
    TopologicalSorter({module: inside(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", [name for name in MODULES if any(begins(name, pure) for pure in PURE)])
def test_a_pure_module_knows_no_clock_no_file_and_no_socket(module: str) -> None:
    impure = {
        (name, what)
        for name, what in outside(module)
        if name not in PURE_LIBRARY and what not in PURE_NAMES.get(name, ())
    }
    assert not impure
    called = {node.func.id for node in statements(module) if _is_named_call(node)}  # type: ignore[attr-defined]
    assert not called & IMPURE_CALLS


def _is_named_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize("module", [name for name in MODULES if not begins(name, "cli")])
def test_the_environment_is_handed_in(module: str) -> None:
    named = {node.attr for node in statements(module) if isinstance(node, ast.Attribute)} & {"environ", "getenv"}
    assert not named or module in READERS_OF_THE_ENVIRONMENT


@pytest.mark.parametrize("module", MODULES)
def test_a_file_opens_with_what_it_is_and_is_not_too_long(module: str) -> None:
    text = source(module).read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("module", MODULES)
def test_no_function_is_longer_than_a_page(module: str) -> None:
    functions = [node for node in statements(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [node.name for node in functions if _lines(node) > 60]


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring, which may be as long as it must."""
    docstring = node.body[0] if ast.get_docstring(node) else None
    hidden = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (node.end_lineno or 0) - node.lineno + 1 - hidden


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "kept_out"),
    [
        ("import holdfast", ["zmq", "click", "msgpack", "holdfast.transport.client"]),
        ("import holdfast.actors.rules.modes", ["zmq", "click"]),
        ("from holdfast import Lock", ["zmq", "click", "holdfast.actors"]),
        ("import holdfast.cli.run", ["zmq", "fuse", "configparser", "subprocess", "holdfast.actors", "holdfast.vfs"]),
    ],
)
def test_an_import_loads_nothing_that_it_does_not_need(statement: str, kept_out: list[str]) -> None:
    loaded = loaded_by(statement)
    assert "holdfast" in loaded
    assert not loaded & set(kept_out)
