"""``holdfast config show``: every setting, and where it came from.

The rule: it asks the same ``load`` as every command, so what it shows is what they do.
"""

from __future__ import annotations

import os
from dataclasses import fields

import click

from ..transport.endpoints import Tcp
from ..transport.messages import Mode, Order
from ..transport.settings import Loaded, load
from . import words
from .where import daemon_options


@click.group()
def config() -> None:
    """Settings and where they come from."""


@config.command()
@click.option("-c", "--config-file", metavar="FILE", help="Read this file too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@daemon_options
def show(config_file: str | None, as_json: bool, **where: str | None) -> None:
    """Print every setting, its value, and where it came from. Durations are in seconds."""
    loaded = load("holdfast", where, os.environ, config=config_file)
    words.show(_json(loaded) if as_json else _table(loaded))


def _table(loaded: Loaded) -> str:
    rows = [(name, _text(name, value), loaded.source(name)) for name, value in _values(loaded)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}" for name, value, source in rows)


def _json(loaded: Loaded) -> str:
    import json

    return json.dumps(
        {name: {"value": _plain(value), "from": loaded.source(name)} for name, value in _values(loaded)}, indent=2
    )


def _values(loaded: Loaded) -> list[tuple[str, object]]:
    return [(field.name, getattr(loaded.settings, field.name)) for field in fields(loaded.settings)]


def _plain(value: object) -> object:
    """A value as JSON can tell it; modes, orders and addresses as they are written in a file."""
    if isinstance(value, Mode):
        return value.name
    if isinstance(value, Tcp):
        return str(value)
    return value.name.lower().replace("_", "-") if isinstance(value, Order) else value


def _text(name: str, value: object) -> str:
    """A value as a person reads it."""
    value = _plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("timeout", "idle", "lifespan") and (value is None or (isinstance(value, float) and value < 0)):
        return "forever"
    if isinstance(value, tuple):
        return ";".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)
