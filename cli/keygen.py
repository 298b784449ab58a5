"""``holdfast keygen``: keys for the network. The secret file is for its owner alone, and nothing is overwritten."""

from __future__ import annotations

import os

import click

from ..transport import identity, keys
from ..transport.errors import InvalidSetting


@click.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Whose keys (default: USER@HOST); may be repeated."
)
def keygen(directory: str, names: tuple[str, ...]) -> None:
    """Make keys in DIR: NAME.key, which may be shown to everybody, and NAME.key_secret, which may not.

    A daemon is given its own secret key and the directory of all public keys that it admits; a client its own secret
    key and the daemon's public key.
    """
    for name in names or (_our_name(),):
        public, secret = keys.create(directory, name)
        click.echo(public)
        click.echo(f"{secret} (secret)")


def _our_name() -> str:
    """Who we are, as a name for a key.

    Raises:
        InvalidSetting: user or host are called what no key can be called.
    """
    name = f"{identity.user(os.geteuid())}@{os.uname().nodename}"
    if not keys.is_name(name):
        raise InvalidSetting(f"{name!r} is no name for a key; choose another one with --name", key="name")
    return name
